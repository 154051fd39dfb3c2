//! Moves a cache to another place, on the same disk or another.
//!
//! Moves one repository after another: by renaming it, or by copying it to a hidden folder beside
//! the destination, renaming that, and removing the original. So each repository is always complete
//! in one of the two places, and an interrupted move can be repeated: what it left in both places
//! is the same.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        lock::{self, Lock},
        progress::Progress,
        sizes,
    },
    cache::{
        delete,
        layout::{CacheDir, normalize},
        maintenance::{Trash, is_real_folder, real_folders},
        scan,
        store::Store,
    },
};

/// Creates the destination. Returns an error if it is the cache to be moved, or inside it.
pub fn prepare(from: &CacheDir, to: &CacheDir) -> Result<()> {
    scan::entries(from)?;
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| normalize(path));
    let nearest = to.path().ancestors().find(|folder| folder.exists()).unwrap_or(to.path());
    let target = real(nearest).join(to.path().strip_prefix(nearest).unwrap_or(Path::new("")));
    if target.starts_with(real(from.path())) {
        return Err(conflict(format!("`{}` is inside the cache to be moved", to.path().display())));
    }
    fs::create_dir_all(to.path())
        .map_err(|source| Error::io("create the folder", to.path(), source))
}

/// Moves everything that belongs to the cache `from` to `to`, which [`prepare`] has created. The
/// caller holds the maintenance locks of both.
pub fn run(
    from: &CacheDir,
    to: &CacheDir,
    progress: &Progress,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let entries = movable(from)?;
    let _held = entries.iter().map(|name| claim(from, name)).collect::<Result<Vec<_>>>()?;
    let twice = check(from, to, &entries)?;
    progress.add_files(entries.len() as u64);
    for name in &entries {
        if stop() {
            return Err(stopped());
        }
        let file = progress.start_file(&name.to_string_lossy(), None);
        // Before the repository, so that an interruption never leaves it without its pins.
        copy_marks(from, to, name)?;
        if twice.contains(name) {
            discard(from, name)?;
            file.finish();
            continue;
        }
        transplant(from, to, name, &mut |bytes| file.received(bytes), stop)?;
        file.finish();
    }
    remove_marks(from, to);
    for rest in [from.tag(), to.incoming()] {
        let _ =
            if is_real_folder(&rest) { fs::remove_dir_all(&rest) } else { fs::remove_file(&rest) };
    }
    to.tag_once();
    Ok(())
}

/// Returns the repositories and the store of shared blobs, which is moved first.
fn movable(from: &CacheDir) -> Result<Vec<OsString>> {
    let names = scan::entries(from)?;
    let store = Store::open(from).is_some();
    let (shared, repos): (Vec<_>, Vec<_>) = names
        .into_iter()
        .filter(|name| scan::identity(name).is_some() || (store && CacheDir::is_store(name)))
        .partition(|name| CacheDir::is_store(name));
    Ok(shared.into_iter().chain(repos).collect())
}

/// Returns what an interrupted move left in both places. Fails if anything else exists at the
/// destination.
fn check(from: &CacheDir, to: &CacheDir, entries: &[OsString]) -> Result<Vec<OsString>> {
    let mut twice = Vec::new();
    for name in entries {
        let (old, new) = (from.path().join(name), to.path().join(name));
        if fs::symlink_metadata(&old).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(conflict(format!(
                "`{}` is a symbolic link; replace it by its target and try again",
                old.display()
            )));
        }
        if fs::symlink_metadata(&new).is_err() {
            continue;
        }
        if !is_within(&old, &new) && CacheDir::is_store(name) {
            return Err(conflict(format!(
                "`{}` and `{}` both have blobs that repositories link to, so the caches cannot be \
                 merged; keep both folders and move the cache to an empty one",
                old.display(),
                new.display()
            )));
        }
        if !is_within(&old, &new) {
            return Err(conflict(format!(
                "`{}` exists in both places; remove it from one of them and try again",
                new.display()
            )));
        }
        twice.push(name.clone());
    }
    Ok(twice)
}

/// Whether everything below `old` is also below `new`, with the same kind, size and time.
fn is_within(old: &Path, new: &Path) -> bool {
    let (Ok(was), Ok(is)) = (fs::symlink_metadata(old), fs::symlink_metadata(new)) else {
        return false;
    };
    if was.is_dir() && is.is_dir() {
        let Ok(entries) = fs::read_dir(old) else { return false };
        return entries.into_iter().all(|entry| {
            entry.is_ok_and(|entry| is_within(&entry.path(), &new.join(entry.file_name())))
        });
    }
    if was.is_symlink() && is.is_symlink() {
        // A link that named the old place was rewritten.
        return fs::metadata(new).is_ok() || fs::metadata(old).is_err();
    }
    let same_time = was.modified().ok() == is.modified().ok();
    was.is_file() && is.is_file() && was.len() == is.len() && same_time
}

fn discard(from: &CacheDir, name: &OsStr) -> Result<()> {
    let mut trash = Trash::open(from)?;
    trash.take(&from.path().join(name))?;
    trash.empty().into_iter().next().map_or(Ok(()), Err)
}

/// Takes the locks that keep downloads and readers away from a repository, or fails if there are
/// any.
fn claim(from: &CacheDir, name: &OsStr) -> Result<Vec<Lock>> {
    let dir = from.folder(name);
    let busy = || {
        let message = format!(
            "`{}` is in use; stop the processes that read or download it and try again",
            dir.path().display()
        );
        Error::new(ErrorKind::LockTimeout, message)
    };
    let mut held = vec![
        lock::try_acquire(&dir.busy_lock())?
            .filter(|_| !delete::is_downloading(&dir))
            .ok_or_else(busy)?,
    ];
    for entry in fs::read_dir(dir.locks()).into_iter().flatten().flatten() {
        if entry.path().extension() == Some(OsStr::new("lease")) {
            held.push(lock::try_existing(&entry.path())?.ok_or_else(busy)?);
        }
    }
    Ok(held)
}

fn transplant(
    from: &CacheDir,
    to: &CacheDir,
    name: &OsStr,
    copied: &mut dyn FnMut(u64),
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let (old, new) = (from.path().join(name), to.path().join(name));
    match fs::rename(&old, &new) {
        Ok(()) => return mend_links(&new, from.path(), &old, &new),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        Err(error) => return Err(Error::io("move", &old, error)),
    }
    let stage = to.incoming().join(format!("{:016x}", fastrand::u64(..)));
    real_folders(to, &to.incoming())?;
    let done = copy(&old, &stage, copied, stop)
        .and_then(|()| mend_links(&stage, from.path(), &old, &new))
        .and_then(|()| {
            fs::rename(&stage, &new)
                .and_then(|()| sync_folder(to.path()))
                .map_err(|source| Error::io("create", &new, source))
        });
    if let Err(error) = done {
        // If this fails, the next operation on that cache removes it.
        let _ = fs::remove_dir_all(&stage);
        return Err(error);
    }
    discard(from, name)
}

/// Copies a folder with its links unchanged, and with all times.
fn copy(
    from: &Path,
    to: &Path,
    copied: &mut dyn FnMut(u64),
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let read = |source| Error::io("read", from, source);
    let write = |source| Error::io("create", to, source);
    if stop() {
        return Err(stopped());
    }
    let metadata = fs::symlink_metadata(from).map_err(read)?;
    if metadata.is_symlink() {
        let target = fs::read_link(from).map_err(read)?;
        return crate::base::disk::symlink(&target, to).map_err(write);
    }
    if metadata.is_dir() {
        fs::create_dir(to).map_err(write)?;
        for entry in fs::read_dir(from).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            copy(&from.join(&name), &to.join(&name), copied, stop)?;
        }
        fs::set_permissions(to, metadata.permissions()).map_err(write)?;
        sync_folder(to).map_err(write)?;
    } else {
        let size = copy_file(from, to)?;
        // The original is removed as soon as the whole repository is renamed.
        fs::File::open(to).and_then(|file| file.sync_all()).map_err(write)?;
        if size != metadata.len() {
            return Err(write(io::Error::other(format!(
                "{size} of {} arrived",
                sizes::counted(metadata.len(), "bytes")
            ))));
        }
        copied(size);
    }
    keep_times(&metadata, to);
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<u64> {
    if !fs::symlink_metadata(from).is_ok_and(|found| found.is_file()) {
        let message =
            format!("`{}` is not a regular file and cannot be moved; remove it", from.display());
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    fs::copy(from, to).map_err(|source| Error::io("create", to, source))
}

/// Flushes the names in a folder to disk; without this, a power failure could lose both copies.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Copies the times, which decide what is evicted. Failure is ignored: some file systems keep no
/// times.
fn keep_times(metadata: &fs::Metadata, to: &Path) {
    let (Ok(accessed), Ok(modified)) = (metadata.accessed(), metadata.modified()) else { return };
    let times = fs::FileTimes::new().set_accessed(accessed).set_modified(modified);
    let _ = fs::File::open(to).and_then(|file| file.set_times(times));
}

/// Makes links that name the old place by an absolute path relative; otherwise they would dangle.
fn mend_links(folder: &Path, root: &Path, old: &Path, new: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            mend_links(&path, root, &old.join(entry.file_name()), &new.join(entry.file_name()))?;
        } else if kind.is_symlink()
            && let Some(target) =
                fs::read_link(&path).ok().filter(|target| target.starts_with(root))
        {
            let relative = relative(old, &normalize(&target));
            let temporary = crate::base::disk::sibling(&path, "link");
            crate::base::disk::symlink(&relative, &temporary)
                .and_then(|()| fs::rename(&temporary, &path))
                .map_err(|source| Error::io("create the link", &path, source))?;
        }
    }
    Ok(())
}

/// Returns the relative path from a folder to a path in the same cache.
fn relative(folder: &Path, path: &Path) -> PathBuf {
    let shared = folder.iter().zip(path.iter()).take_while(|(a, b)| a == b).count();
    let ups = folder.iter().count() - shared;
    std::iter::repeat_n(OsStr::new(".."), ups).chain(path.iter().skip(shared)).collect()
}

/// Copies pins; locks are created again when needed.
fn copy_marks(from: &CacheDir, to: &CacheDir, name: &OsStr) -> Result<()> {
    let locks = to.folder(name).locks().to_owned();
    for pin in pins(from.folder(name).locks()) {
        let Some(name) = pin.file_name() else { continue };
        real_folders(to, &locks)?;
        let mark = locks.join(name);
        match fs::File::create_new(&mark) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", &mark, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes the pins of what was moved, possibly by an earlier call. A pin that is missing at the
/// new place stays.
fn remove_marks(from: &CacheDir, to: &CacheDir) {
    if !is_real_folder(&from.locks()) {
        return;
    }
    for entry in fs::read_dir(from.locks()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if fs::symlink_metadata(from.path().join(&name)).is_err() {
            let locks = to.folder(&name).locks().to_owned();
            let is_there =
                |pin: &PathBuf| pin.file_name().is_some_and(|pin| locks.join(pin).exists());
            for pin in pins(&entry.path()).into_iter().filter(is_there) {
                let _ = fs::remove_file(pin);
            }
        }
    }
}

fn pins(locks: &Path) -> Vec<PathBuf> {
    if !is_real_folder(locks) {
        return Vec::new();
    }
    let entries = fs::read_dir(locks).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("pin")))
        .collect()
}

fn conflict(message: String) -> Error {
    Error::new(ErrorKind::Conflict, message)
}

fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the move was cancelled; call again to continue")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn pins_exist_before_what_they_pin_after_any_interruption() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) =
            (CacheDir::new(dir.path().join("old")), CacheDir::new(dir.path().join("new")));
        let commit = "a".repeat(40);
        let names = ["models--a", "models--b"];
        for repo in names.map(|name| from.folder(OsStr::new(name))) {
            fs::create_dir_all(repo.path().join("snapshots").join(&commit)).unwrap();
            fs::create_dir_all(repo.locks()).unwrap();
            fs::write(repo.pin(&commit), "").unwrap();
        }
        let is_pinned =
            |cache: &CacheDir, name: &str| cache.folder(OsStr::new(name)).pin(&commit).exists();
        prepare(&from, &to).unwrap();
        let looks = Cell::new(0);
        let stop = || looks.replace(looks.get() + 1) == 1;
        let stopped = run(&from, &to, &Progress::default(), &stop).unwrap_err();
        assert_eq!(stopped.kind(), ErrorKind::Cancelled);
        assert!(to.path().join(names[0]).exists() && is_pinned(&to, names[0]));
        assert!(from.path().join(names[1]).exists() && is_pinned(&from, names[1]));

        run(&from, &to, &Progress::default(), &|| false).unwrap();
        for name in names {
            assert!(to.path().join(name).exists());
            assert!(is_pinned(&to, name) && !is_pinned(&from, name));
        }
    }

    #[test]
    fn caches_that_both_share_blobs_are_not_merged() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) =
            (CacheDir::new(dir.path().join("old")), CacheDir::new(dir.path().join("new")));
        for (cache, hash) in [(&from, "ab".repeat(32)), (&to, "cd".repeat(32))] {
            fs::create_dir(cache.path()).unwrap();
            Store::create(cache).unwrap();
            let payload = cache.store().entry(&hash).unwrap();
            fs::create_dir(payload.parent().unwrap()).unwrap();
            fs::write(payload, "").unwrap();
        }
        prepare(&from, &to).unwrap();
        let error = run(&from, &to, &Progress::default(), &|| false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("cannot be merged"), "{error}");
        assert!(!error.message().contains("remove"), "{error}");
    }

    #[test]
    fn a_move_loses_no_pin() {
        let dir = tempfile::tempdir().unwrap();
        let commit = "a".repeat(40);
        let name = OsStr::new("models--a");
        let caches = |case: &str| {
            let at = |place: &str| CacheDir::new(dir.path().join(case).join(place));
            let (from, to) = (at("old"), at("new"));
            fs::create_dir_all(from.folder(name).path().join("snapshots").join(&commit)).unwrap();
            fs::create_dir_all(from.folder(name).locks()).unwrap();
            fs::write(from.folder(name).pin(&commit), "").unwrap();
            prepare(&from, &to).unwrap();
            (from, to)
        };
        let moved = |from: &CacheDir, to: &CacheDir| run(from, to, &Progress::default(), &|| false);

        // An interrupted move left both, and it was pinned afterwards.
        let (from, to) = caches("twice");
        fs::create_dir_all(to.folder(name).path().join("snapshots").join(&commit)).unwrap();
        moved(&from, &to).unwrap();
        assert!(!from.path().join(name).exists() && to.folder(name).pin(&commit).exists());

        // It cannot be pinned at the destination.
        let (from, to) = caches("in the way");
        fs::write(to.locks(), "").unwrap();
        moved(&from, &to).unwrap_err();
        assert!(from.path().join(name).exists() && from.folder(name).pin(&commit).exists());
        fs::remove_file(to.locks()).unwrap();
        moved(&from, &to).unwrap();
        assert!(to.folder(name).pin(&commit).exists());

        // The repository was moved before its pin.
        let (from, to) = caches("gone");
        fs::rename(from.path().join(name), to.path().join(name)).unwrap();
        moved(&from, &to).unwrap();
        assert!(from.folder(name).pin(&commit).exists());
    }
}
