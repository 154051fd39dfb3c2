//! The file lock that lets one process download a blob while others wait for it.
//!
//! It saves work and nothing more: the cache stays correct where locks have no effect, because
//! every writer has a partial file of its own. Uses `flock(2)`, as the Python client does, so both
//! exclude each other. This is the only file that takes file locks.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use crate::base::{
    blocking,
    disk::{in_folder, open_plain},
    error::{Error, Result},
    hint::Hint,
    input::RawPath,
};

/// Which file to lock.
#[derive(Debug, Deserialize)]
pub struct LockedFile {
    /// Its path.
    pub path: RawPath,
}

/// A lock, held until it is dropped. On a file system without locks it has no effect.
#[must_use = "the lock is released when this is dropped"]
#[derive(Debug)]
pub struct Lock {
    // Closing the file releases the lock.
    file: Option<(File, PathBuf)>,
}

impl Lock {
    /// Whether the lock really excludes others, as far as this machine can tell.
    pub fn excludes(&self) -> bool {
        // Some file systems grant every lock; there, a second one is granted while the first is
        // held.
        let denies = |path: &PathBuf| {
            let second = existing(path);
            second.is_ok_and(|second| fs2::FileExt::try_lock_exclusive(&second).is_err())
        };
        self.file.as_ref().is_some_and(|(_, path)| denies(path))
    }

    /// Records the current time on the lock file, which shows when it was last used.
    pub fn stamp(&self) {
        if let Some((file, _)) = &self.file {
            // Another user's lock file cannot be touched; the times of the blobs are used instead.
            let _ = file.set_modified(std::time::SystemTime::now());
        }
    }

    /// Lets every user who reaches the lock file take the lock.
    pub(crate) fn open_to_all(&self) {
        if let Some((file, _)) = &self.file {
            share(file, 0o666);
        }
    }

    fn none() -> Self {
        Self { file: None }
    }
}

/// How often a lock file is opened that is removed each time.
const REOPENED: usize = 10;

/// Waits for the lock of a file that several processes change: `file.lock` beside it, which the holder
/// removes before it releases the lock.
pub async fn beside(file: LockedFile) -> Result<(Lock, RawPath)> {
    let mut name = file.path.0.into_os_string();
    name.push(".lock");
    let path = PathBuf::from(name);
    Ok((acquire(path.clone(), || ()).await?, RawPath(path)))
}

/// Waits for the lock at `path`. `on_wait` runs once if the lock is held elsewhere.
///
/// Polls instead of blocking, so that dropping the future stops the wait.
pub async fn acquire(path: PathBuf, on_wait: impl FnMut()) -> Result<Lock> {
    poll(path, try_acquire, on_wait).await
}

/// Waits like [`acquire`] for a shared lock.
pub async fn acquire_shared(path: PathBuf) -> Result<Lock> {
    poll(path, try_shared, || ()).await
}

/// Takes a lock, or returns `None` if it is held elsewhere.
pub(crate) type Attempt = fn(&Path) -> Result<Option<Lock>>;

/// Repeats `attempt` until it succeeds. `on_wait` runs once if the first attempt fails.
pub(crate) async fn poll(
    path: PathBuf,
    attempt: Attempt,
    mut on_wait: impl FnMut(),
) -> Result<Lock> {
    let mut wait = Duration::from_millis(5);
    let mut waiting = false;
    loop {
        let path = path.clone();
        if let Some(lock) = blocking::run(move || attempt(&path)).await? {
            return Ok(lock);
        }
        if !waiting {
            waiting = true;
            on_wait();
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_millis(100));
    }
}

/// Takes the lock at `path` if it is free.
pub fn try_acquire(path: &Path) -> Result<Option<Lock>> {
    take(path, fs2::FileExt::try_lock_exclusive)
}

/// Takes a shared lock at `path` unless it is held exclusively.
pub fn try_shared(path: &Path) -> Result<Option<Lock>> {
    take(path, fs2::FileExt::try_lock_shared)
}

/// Takes a lock like [`try_acquire`], but does not create the lock file: a missing file means that
/// the lock is not held. A file that cannot be opened counts as held.
pub fn try_existing(path: &Path) -> Result<Option<Lock>> {
    if fs::symlink_metadata(path).is_ok() {
        Ok(try_acquire(path)?.filter(|lock| lock.file.is_some() || open(path).is_ok()))
    } else {
        Ok(Some(Lock::none()))
    }
}

/// Whether the lock at `path` is held, exclusively or shared.
///
/// The check takes the lock for a moment. Two concurrent checks can see each other, so a check that
/// finds it held is repeated.
pub fn is_held(path: &Path) -> bool {
    for pause in [1, 3, 0] {
        if !matches!(try_existing(path), Ok(None)) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    true
}

fn take(path: &Path, mut lock: impl FnMut(&File) -> io::Result<()>) -> Result<Option<Lock>> {
    // Others remove lock files: the lock of a file that is not there any more excludes no process.
    for _ in 0..REOPENED {
        match take_once(path, &mut lock)? {
            Some(Lock { file: Some((file, _)) }) if is_removed(&file) => {}
            taken => return Ok(taken),
        }
    }
    Ok(None)
}

fn take_once(path: &Path, lock: impl FnOnce(&File) -> io::Result<()>) -> Result<Option<Lock>> {
    let file = match open(path) {
        Ok(file) => file,
        // Another user's lock file, or a read-only cache: continue without a lock.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            return Ok(Some(Lock::none()));
        }
        Err(error) => {
            let message = format!("cannot create the lock file `{}`: {error}", path.display());
            let error = Error::io("create the lock", path, error);
            return Err(error.restated(message, vec![Hint::AnotherFolder]));
        }
    };
    // fs2's methods are named by their full path: std has methods of the same names.
    match lock(&file) {
        Ok(()) => Ok(Some(Lock { file: Some((file, path.to_owned())) })),
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(None),
        Err(error) if is_unsupported(&error) => Ok(Some(Lock::none())),
        Err(error) => {
            let message = format!("cannot lock `{}`: {error}", path.display());
            Err(Error::io("lock", path, error).restated(message, vec![Hint::AnotherFolder]))
        }
    }
}

/// Whether an open file has been removed.
#[cfg(unix)]
fn is_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|file| file.nlink() == 0)
}

// An open file cannot be removed there.
#[cfg(not(unix))]
fn is_removed(_file: &File) -> bool {
    false
}

/// Opens for writing, because on NFS a lock on a read-only descriptor fails. On local file systems,
/// another user's file can be locked read-only.
fn open(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().read(true).write(true).create_new(true).open(path);
    // Some clients remove lock files: the file may disappear between the two attempts.
    let mut tries = 10;
    loop {
        match in_folder(path, create) {
            Ok(file) => {
                share(&file, 0o664);
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match existing(path) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound && tries > 0 => tries -= 1,
                opened => return opened,
            },
            Err(error) => return Err(error),
        }
    }
}

fn existing(path: &Path) -> io::Result<File> {
    match open_plain(path, OpenOptions::new().read(true).write(true)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_plain(path, OpenOptions::new().read(true))
        }
        opened => opened,
    }
}

/// Makes the file writable for others, as the Python client does, so that users who share a cache
/// can wait for each other.
#[cfg(unix)]
fn share(file: &File, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    // A file system without modes needs no change, and the owner of another user's file made it.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn share(_file: &File, _mode: u32) {}

fn is_unsupported(error: &io::Error) -> bool {
    // ENOSYS and EOPNOTSUPP both become Unsupported. NFS returns ENOLCK without a lock daemon, and
    // EBADF for a lock on a read-only descriptor.
    const ENOLCK: i32 = 37;
    const EBADF: i32 = 9;
    error.kind() == io::ErrorKind::Unsupported
        || (cfg!(target_os = "linux") && matches!(error.raw_os_error(), Some(ENOLCK | EBADF)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn excludes_other_holders_and_reports_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks").join("x.lock");
        let held = acquire(path.clone(), || ()).await.unwrap();
        assert!(try_acquire(&path).unwrap().is_none());

        let (told, wait) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        let next = tokio::spawn(acquire(path.clone(), move || {
            if let Some(told) = told.take() {
                told.send(()).unwrap();
            }
        }));
        wait.await.unwrap();
        assert!(held.excludes());
        drop(held);
        let _lock = next.await.unwrap().unwrap();
        assert!(
            path.exists(),
            "a lock file is never removed: another process may be waiting on it"
        );
    }

    #[test]
    fn a_lock_that_cannot_be_created_hints_at_another_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = try_acquire(&file.join("x.lock")).unwrap_err();
        let said = error.message();
        assert!(said.starts_with("cannot create the lock file `"), "{said}");
        assert_eq!(error.hints(), [Hint::AnotherFolder]);
    }

    #[test]
    fn shared_locks_exclude_only_an_exclusive_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lease");
        assert!(!is_held(&path) && !path.exists());
        let (one, two) = (try_shared(&path).unwrap().unwrap(), try_shared(&path).unwrap().unwrap());
        assert!(is_held(&path) && try_acquire(&path).unwrap().is_none());
        drop((one, two));
        let alone = try_acquire(&path).unwrap().unwrap();
        assert!(try_shared(&path).unwrap().is_none());
        drop(alone);
        assert!(!is_held(&path));
    }

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_in_place_of_a_lock_is_not_followed_and_counts_as_held() {
        let dir = tempfile::tempdir().unwrap();
        let (path, outside) = (dir.path().join("x.lease"), dir.path().join("outside"));
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        assert!(try_acquire(&path).unwrap().is_some_and(|lock| lock.file.is_none()));
        assert!(is_held(&path) && !outside.exists());
    }

    #[test]
    fn a_lock_file_may_disappear_at_any_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        std::thread::scope(|threads| {
            threads.spawn(|| (0..2000).for_each(|_| drop(fs::remove_file(&path))));
            for _ in 0..2000 {
                drop(try_acquire(&path).unwrap());
            }
        });
    }

    #[test]
    #[cfg(unix)]
    fn the_lock_of_a_removed_file_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let mut opened = 0;
        // The file is removed between its opening and its locking, as by its holder.
        let lock = take(&path, |file| {
            opened += 1;
            if opened == 1 {
                fs::remove_file(&path).unwrap();
            }
            fs2::FileExt::try_lock_exclusive(file)
        });
        let lock = lock.unwrap().unwrap();
        assert!(opened == 2 && lock.excludes() && path.exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_lock_file_is_group_writable() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let _lock = try_acquire(&path).unwrap().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o664);
    }
}
