//! How things leave a cache: one operation at a time, renamed away first, deleted afterwards.
//!
//! What is renamed away is gone for every reader at once, and what a crash leaves in the
//! trash the next operation deletes. Nothing is done through a symbolic link that lies
//! in the cache: whoever planted it would choose what is removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        lock::{self, Lock},
    },
    cache::layout::CacheDir,
};

/// Runs `work` while nobody else removes or moves anything in the cache.
pub async fn alone<T: Send + 'static>(
    cache: CacheDir,
    work: impl FnOnce(&CacheDir) -> Result<T> + Send + 'static,
) -> Result<T> {
    let _lock = hold(&cache).await?;
    blocking::run(move || {
        clear(&cache);
        work(&cache)
    })
    .await
}

/// As [`alone`], in two caches, which must not be the same.
pub async fn alone_in_both<T: Send + 'static>(
    one: CacheDir,
    other: CacheDir,
    work: impl FnOnce(&CacheDir, &CacheDir) -> Result<T> + Send + 'static,
) -> Result<T> {
    // In one order, so that of two who want both, one has both.
    let (first, second) = if one.path() < other.path() { (&one, &other) } else { (&other, &one) };
    let _locks = (hold(first).await?, hold(second).await?);
    blocking::run(move || {
        clear(&one);
        clear(&other);
        work(&one, &other)
    })
    .await
}

/// The lock of whoever removes or moves; `None` where nothing can be written, which each removal says for itself.
async fn hold(cache: &CacheDir) -> Result<Option<Lock>> {
    let checked = cache.clone();
    let exists = blocking::run(move || {
        let exists = checked.path().is_dir();
        if exists {
            real_folders(&checked, &checked.private()).map(|()| exists)
        } else {
            Ok(exists)
        }
    });
    match exists.await {
        Ok(true) => lock::acquire(cache.maintenance_lock(), || ()).await.map(Some),
        Ok(false) => Ok(None),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes what operations that were interrupted have left.
fn clear(cache: &CacheDir) {
    empty(&cache.trash());
    empty(&cache.incoming());
}

/// Makes `folder`, which lies in the cache, and refuses if a part of the way to it is a link.
pub(crate) fn real_folders(cache: &CacheDir, folder: &Path) -> Result<()> {
    let below = folder.strip_prefix(cache.path()).map_err(|_| outside(folder))?;
    let mut at = cache.path().to_owned();
    for part in below {
        at.push(part);
        match fs::create_dir(&at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create the folder", &at, error));
            }
            _ => {}
        }
        if !is_real_folder(&at) {
            return Err(through_a_link(&at));
        }
    }
    Ok(())
}

/// Whether `path` is a folder and no link to one.
pub(crate) fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// A folder of its own in the trash of a cache.
#[derive(Debug)]
pub(crate) struct Trash {
    cache: CacheDir,
    dir: PathBuf,
    taken: Vec<(PathBuf, PathBuf)>,
}

impl Trash {
    /// Makes the folder.
    pub(crate) fn open(cache: &CacheDir) -> Result<Self> {
        let dir = cache.trash().join(format!("{:016x}", fastrand::u64(..)));
        real_folders(cache, &dir)?;
        Ok(Self { cache: cache.clone(), dir, taken: Vec::new() })
    }

    /// Takes a file, link or folder out of the cache, in one step.
    pub(crate) fn take(&mut self, path: &Path) -> Result<()> {
        self.check(path)?;
        let there = self.dir.join(self.taken.len().to_string());
        fs::rename(path, &there).map_err(|source| Error::io("remove", path, source))?;
        self.taken.push((path.to_owned(), there));
        Ok(())
    }

    /// Puts back what `wanted` names, unless something new is in its place.
    pub(crate) fn give_back(&mut self, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let (back, rest) =
            std::mem::take(&mut self.taken).into_iter().partition(|(path, _)| wanted(path));
        self.taken = rest;
        let back: Vec<(PathBuf, PathBuf)> = back;
        let restored = back.into_iter().filter(|(path, there)| {
            // hard_link refuses to replace, which rename would not.
            fs::hard_link(there, path).is_ok()
                || (!path.exists() && fs::rename(there, path).is_ok())
        });
        restored.map(|(path, _)| path).collect()
    }

    /// Deletes what was taken; what cannot be deleted is returned with the reason.
    pub(crate) fn empty(self) -> Vec<Error> {
        let mut failures = Vec::new();
        for (path, there) in &self.taken {
            if let Err(source) = delete(there) {
                failures.push(Error::io("delete all of", path, source));
            }
        }
        let _ = fs::remove_dir_all(&self.dir);
        failures
    }

    /// Every folder on the way must be one, so that the path means what it says.
    fn check(&self, path: &Path) -> Result<()> {
        let below = path.strip_prefix(self.cache.path()).map_err(|_| outside(path))?;
        let mut at = self.cache.path().to_owned();
        let mut parts = below.iter().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            if parts.peek().is_some() && !is_real_folder(&at) {
                return Err(through_a_link(&at));
            }
        }
        if at == self.cache.path() { Err(outside(path)) } else { Ok(()) }
    }
}

fn delete(path: &Path) -> io::Result<()> {
    // remove_dir_all follows no links.
    if is_real_folder(path) { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn empty(folder: &Path) {
    if is_real_folder(folder) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let _ = delete(&entry.path());
        }
    }
}

fn is_refusal(error: &Error) -> bool {
    let source =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| {
        matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    })
}

fn outside(path: &Path) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("`{}` is not in the cache and stays as it is", path.display()),
    )
}

pub(crate) fn through_a_link(path: &Path) -> Error {
    let message = format!(
        "`{}` is a symbolic link; nothing is written or removed through it",
        path.display()
    );
    Error::new(ErrorKind::Io, message)
}
