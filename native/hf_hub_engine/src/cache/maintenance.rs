//! Removes files from a cache: one operation at a time, first renamed into the trash, then deleted.
//!
//! A renamed file disappears for every reader at once, and what a crash leaves in the trash is
//! deleted by the next operation. Nothing is done through a symbolic link in the cache: another
//! user who planted the link could choose what is removed.

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

/// Runs `work` while no other operation removes or moves anything in the cache.
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

/// Runs `work` like [`alone`], with the locks of two caches, which must not be the same.
pub async fn alone_in_both<T: Send + 'static>(
    one: CacheDir,
    other: CacheDir,
    work: impl FnOnce(&CacheDir, &CacheDir) -> Result<T> + Send + 'static,
) -> Result<T> {
    // Always in the same order, so that two such operations cannot deadlock.
    let (first, second) = if one.path() < other.path() { (&one, &other) } else { (&other, &one) };
    let _locks = (hold(first).await?, hold(second).await?);
    blocking::run(move || {
        clear(&one);
        clear(&other);
        work(&one, &other)
    })
    .await
}

/// Takes the maintenance lock; `None` where nothing can be written, which each removal reports
/// itself.
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
        Err(error) if is_rejection(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes the leftovers of interrupted operations.
fn clear(cache: &CacheDir) {
    empty(&cache.trash());
    empty(&cache.incoming());
}

/// Creates `folder`, which is in the cache. Fails if a part of the path is a symbolic link.
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

/// Whether `path` is a folder, not a link to one.
pub(crate) fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// A folder in the trash of a cache.
#[derive(Debug)]
pub(crate) struct Trash {
    cache: CacheDir,
    dir: PathBuf,
    taken: Vec<(PathBuf, PathBuf)>,
}

impl Trash {
    /// Creates the folder.
    pub(crate) fn open(cache: &CacheDir) -> Result<Self> {
        let dir = cache.trash().join(format!("{:016x}", fastrand::u64(..)));
        real_folders(cache, &dir)?;
        Ok(Self { cache: cache.clone(), dir, taken: Vec::new() })
    }

    /// Moves a file, link or folder out of the cache, in one step.
    pub(crate) fn take(&mut self, path: &Path) -> Result<()> {
        self.check(path)?;
        let there = self.dir.join(self.taken.len().to_string());
        fs::rename(path, &there).map_err(|source| Error::io("remove", path, source))?;
        self.taken.push((path.to_owned(), there));
        Ok(())
    }

    /// Restores the files that `wanted` selects, unless they have been replaced.
    pub(crate) fn give_back(&mut self, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let (back, rest) =
            std::mem::take(&mut self.taken).into_iter().partition(|(path, _)| wanted(path));
        self.taken = rest;
        let back: Vec<(PathBuf, PathBuf)> = back;
        let restored = back.into_iter().filter(|(path, there)| {
            // hard_link does not overwrite, unlike rename.
            fs::hard_link(there, path).is_ok()
                || (!path.exists() && fs::rename(there, path).is_ok())
        });
        restored.map(|(path, _)| path).collect()
    }

    /// Deletes what was taken and returns the errors.
    pub(crate) fn empty(self) -> Vec<Error> {
        let mut failures = Vec::new();
        for (path, there) in &self.taken {
            if let Err(source) = delete(there) {
                failures.push(Error::io("delete everything in", path, source));
            }
        }
        let _ = fs::remove_dir_all(&self.dir);
        failures
    }

    /// Checks that every folder of the path is a real folder, not a link.
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
    // remove_dir_all does not follow links.
    if is_real_folder(path) { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn empty(folder: &Path) {
    if is_real_folder(folder) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let _ = delete(&entry.path());
        }
    }
}

fn is_rejection(error: &Error) -> bool {
    let source =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| {
        matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    })
}

fn outside(path: &Path) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("`{}` is not in the cache and was not removed", path.display()),
    )
}

pub(crate) fn through_a_link(path: &Path) -> Error {
    let message = format!(
        "`{}` is a symbolic link; nothing is written or removed through it",
        path.display()
    );
    Error::new(ErrorKind::Io, message)
}
