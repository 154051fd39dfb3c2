//! The lock that lets one process download a blob while others wait for it.
//!
//! It saves work and nothing more: a cache stays correct where locks do nothing,
//! because every writer has a partial file of its own. `flock(2)` underneath, so
//! it also holds against Python. This is the only file that locks.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::base::{
    blocking,
    disk::{in_folder, open_regular},
    error::{ELSEWHERE, Error, Result},
};

/// Held while it lives. Where the file system has no locks it holds nothing.
#[must_use = "the lock is released when this is dropped"]
#[derive(Debug)]
pub struct Lock {
    // Closing the file releases the lock.
    file: Option<(File, PathBuf)>,
}

impl Lock {
    /// Whether others are really kept out, as far as this machine can tell.
    pub fn excludes(&self) -> bool {
        // Some file systems grant every lock; then a second one is granted while we hold the first.
        let denies = |path| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .is_ok_and(|second| fs2::FileExt::try_lock_exclusive(&second).is_err())
        };
        self.file.as_ref().is_some_and(|(_, path)| denies(path))
    }

    /// Notes the time in the lock file, for those who ask when it was last used.
    pub fn stamp(&self) {
        if let Some((file, _)) = &self.file {
            // Somebody else's file cannot be stamped; then the contents' own times have to do.
            let _ = file.set_modified(std::time::SystemTime::now());
        }
    }

    fn none() -> Self {
        Self { file: None }
    }
}

/// Waits for the lock at `path`. `on_wait` runs once, when somebody else holds it.
///
/// Polls instead of blocking, so that whoever drops the future stops waiting.
pub async fn acquire(path: PathBuf, on_wait: impl FnMut()) -> Result<Lock> {
    poll(path, try_acquire, on_wait).await
}

/// As [`acquire`], for a lock that any number may hold together.
pub async fn acquire_shared(path: PathBuf) -> Result<Lock> {
    poll(path, try_shared, || ()).await
}

/// Takes a lock, or `None` if somebody else holds it.
pub(crate) type Attempt = fn(&Path) -> Result<Option<Lock>>;

/// Repeats `attempt` until it succeeds. `on_wait` runs once, if it does not at first.
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

/// Takes a share of the lock at `path` unless somebody has it alone.
pub fn try_shared(path: &Path) -> Result<Option<Lock>> {
    take(path, fs2::FileExt::try_lock_shared)
}

/// As [`try_acquire`], but makes no lock file: where there is none, nobody holds it. One that cannot
/// be opened may be held for all anybody knows.
pub fn try_existing(path: &Path) -> Result<Option<Lock>> {
    if fs::symlink_metadata(path).is_ok() {
        Ok(try_acquire(path)?.filter(|lock| lock.file.is_some() || open(path).is_ok()))
    } else {
        Ok(Some(Lock::none()))
    }
}

/// Whether somebody holds the lock at `path`, or a share of it.
///
/// Asking takes it for a moment, so two who ask at once may meet: one who finds it held asks again.
pub fn is_held(path: &Path) -> bool {
    for pause in [1, 3, 0] {
        if !matches!(try_existing(path), Ok(None)) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(pause));
    }
    true
}

fn take(path: &Path, lock: impl Fn(&File) -> io::Result<()>) -> Result<Option<Lock>> {
    let file = match open(path) {
        Ok(file) => file,
        // Somebody else's lock file, or a read-only cache: then without.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            return Ok(Some(Lock::none()));
        }
        Err(error) => {
            let message =
                format!("cannot create the lock `{}`: {error}; {ELSEWHERE}", path.display());
            return Err(Error::io("create the lock", path, error).with_message(message));
        }
    };
    // Callers name fs2's methods by their full path: std has others of the same names.
    match lock(&file) {
        Ok(()) => Ok(Some(Lock { file: Some((file, path.to_owned())) })),
        Err(error) if error.kind() == fs2::lock_contended_error().kind() => Ok(None),
        Err(error) if is_unsupported(&error) => Ok(Some(Lock::none())),
        Err(error) => {
            let message = format!("cannot lock `{}`: {error}; {ELSEWHERE}", path.display());
            Err(Error::io("lock", path, error).with_message(message))
        }
    }
}

/// Opened for writing, because on NFS a lock on a read-only descriptor fails. Somebody else's file can be
/// locked all the same where file systems are local.
fn open(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().read(true).write(true).create_new(true).open(path);
    // Some clients remove lock files: one may go between the two looks.
    let mut tries = 10;
    loop {
        match in_folder(path, create) {
            Ok(file) => {
                share(&file);
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
    if !fs::symlink_metadata(path)?.is_file() {
        let why = "it is no file, or a symbolic link";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_regular(path),
        opened => opened,
    }
}

/// Group-writable, as the reference makes it, so that users who share a cache can wait for each other.
#[cfg(unix)]
fn share(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    // A file system without modes has nothing to share.
    let _ = file.set_permissions(std::fs::Permissions::from_mode(0o664));
}

#[cfg(not(unix))]
fn share(_file: &File) {}

fn is_unsupported(error: &io::Error) -> bool {
    // ENOSYS and EOPNOTSUPP both become Unsupported; ENOLCK is what NFS says without a lock daemon, and
    // EBADF where it is asked to lock a file that may only be read.
    const ENOLCK: i32 = 37;
    const EBADF: i32 = 9;
    error.kind() == io::ErrorKind::Unsupported
        || (cfg!(target_os = "linux") && matches!(error.raw_os_error(), Some(ENOLCK | EBADF)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holder_at_a_time_and_the_next_is_told_to_wait() {
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
    fn a_lock_that_cannot_be_made_names_the_setting_to_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = try_acquire(&file.join("x.lock")).unwrap_err();
        let said = error.message();
        assert!(
            said.starts_with("cannot create the lock `") && said.contains("HF_HUB_CACHE"),
            "{said}"
        );
    }

    #[test]
    fn shares_exclude_only_the_one_who_wants_it_alone() {
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
    fn a_link_in_the_place_of_a_lock_is_not_followed_and_counts_as_held() {
        let dir = tempfile::tempdir().unwrap();
        let (path, outside) = (dir.path().join("x.lease"), dir.path().join("outside"));
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        assert!(try_acquire(&path).unwrap().is_some_and(|lock| lock.file.is_none()));
        assert!(is_held(&path) && !outside.exists());
    }

    #[test]
    fn a_lock_file_may_vanish_at_any_moment() {
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
    fn a_group_may_share_the_lock() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let _lock = try_acquire(&path).unwrap().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o664);
    }
}
