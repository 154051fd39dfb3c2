//! Tracks what is in use in a cache: downloads, readers of a snapshot, and pinned revisions.
//!
//! A lease is a shared `flock` on a file in the cache's `.locks`, which other clients ignore. It
//! ends when the process that holds it exits, for whatever reason. It prevents every removal by
//! this library, in all processes that see the same locks. It does not restrict other clients,
//! `rm`, or hosts between which locks have no effect.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::{Commit, Repo, Revision},
        lock::{self, Lock},
    },
    cache::{
        layout::{CacheDir, RepoDir},
        maintenance,
    },
};

/// A lease on a snapshot: the snapshot is not removed while this lives.
#[must_use = "the snapshot may be removed when this is dropped"]
#[derive(Debug)]
pub struct Lease {
    _lock: Lock,
    path: PathBuf,
    commit: Commit,
}

impl Lease {
    /// Returns the snapshot's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the snapshot's commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

/// Takes a lease on the snapshot of `revision`. Waits for a removal in progress.
pub async fn hold(cache: &CacheDir, repo: &Repo, revision: &Revision) -> Result<Lease> {
    let dir = cache.repo(repo);
    // Without a folder there is no snapshot, and its lock files are not created either.
    let here = {
        let dir = dir.clone();
        blocking::run(move || dir.path().is_dir()).await
    };
    if !here {
        return Err(not_cached(repo, revision));
    }
    let checked = dir.clone();
    blocking::run(move || checked.check_way(checked.locks())).await?;
    let _busy = lock::acquire_shared(dir.busy_lock()).await?;
    let (found, wanted) = (dir.clone(), revision.clone());
    let commit = blocking::run(move || found.commit_of(&wanted)).await;
    let commit = commit.ok_or_else(|| not_cached(repo, revision))?;
    let path = dir.snapshot(&commit);
    let looked = path.clone();
    if !blocking::run(move || looked.is_dir()).await {
        return Err(not_cached(repo, revision));
    }
    let lock = lock::acquire_shared(dir.lease(commit.as_str())).await?;
    lock.stamp();
    Ok(Lease { _lock: lock, path, commit })
}

/// Pins or unpins a snapshot and returns its commit.
pub fn pin(cache: &CacheDir, repo: &Repo, revision: &Revision, pinned: bool) -> Result<Commit> {
    let dir = cache.repo(repo);
    let commit = dir.commit_of(revision).ok_or_else(|| not_cached(repo, revision))?;
    let mark = dir.pin(commit.as_str());
    if !pinned {
        return match fs::remove_file(&mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &mark, error))
            }
            _ => Ok(commit),
        };
    }
    if !dir.snapshot(&commit).is_dir() {
        return Err(not_cached(repo, revision));
    }
    maintenance::real_folders(cache, dir.locks())?;
    match fs::File::create_new(&mark) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("create", &mark, error))
        }
        _ => Ok(commit),
    }
}

/// Why a snapshot must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is pinned.
    Pinned,
    /// A process holds a lease, or downloads into the repository.
    InUse,
}

/// Takes a snapshot's lease exclusively, so that no other process can take one during the removal;
/// otherwise returns why the snapshot must stay.
pub(crate) fn claim(
    dir: &RepoDir,
    commit: &str,
    ignore_pins: bool,
) -> std::result::Result<Lock, Reason> {
    if !ignore_pins && dir.pin(commit).exists() {
        return Err(Reason::Pinned);
    }
    // A lease file that cannot be opened belongs to another user; the snapshot is kept.
    lock::try_existing(&dir.lease(commit)).ok().flatten().ok_or(Reason::InUse)
}

/// Returns why a snapshot must stay, like [`claim`], without taking a lock.
pub(crate) fn reason_to_stay(dir: &RepoDir, commit: &str, ignore_pins: bool) -> Option<Reason> {
    if !ignore_pins && dir.pin(commit).exists() {
        return Some(Reason::Pinned);
    }
    lock::is_held(&dir.lease(commit)).then_some(Reason::InUse)
}

/// Returns the error for a revision that is not in the cache.
pub fn not_cached(repo: &Repo, revision: &Revision) -> Error {
    let message = format!("\"{repo}\" at \"{revision}\" is not in the cache");
    Error::new(ErrorKind::NotCached, message).with_repo(repo).with_revision(revision)
}
