//! Who uses a cache right now: downloads, readers of a snapshot, and marks that something must stay.
//!
//! A lease is a shared `flock` on a file in the cache's `.locks`, where no other
//! client looks. It ends with the process that holds it, however that ends. It keeps
//! every removal of this library away, in all processes that see the same locks. It
//! does not keep away other clients, `rm`, or hosts between which locks do nothing.

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

/// A snapshot that stays while this lives.
#[must_use = "the snapshot may be removed when this is dropped"]
#[derive(Debug)]
pub struct Lease {
    _lock: Lock,
    path: PathBuf,
    commit: Commit,
}

impl Lease {
    /// The snapshot's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The snapshot's commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

/// Holds the snapshot that `revision` stands for. Waits for a removal that is under way.
pub async fn hold(cache: &CacheDir, repo: &Repo, revision: &Revision) -> Result<Lease> {
    let dir = cache.repo(repo);
    // Without a folder there is nothing to hold, and no reason to make one for locks.
    let here = {
        let dir = dir.clone();
        blocking::run(move || dir.path().is_dir()).await
    };
    if !here {
        return Err(not_here(repo, revision));
    }
    let checked = dir.clone();
    blocking::run(move || checked.check_way(checked.locks())).await?;
    let _busy = lock::acquire_shared(dir.busy_lock()).await?;
    let (found, wanted) = (dir.clone(), revision.clone());
    let commit = blocking::run(move || found.commit_of(&wanted)).await;
    let commit = commit.ok_or_else(|| not_here(repo, revision))?;
    let path = dir.snapshot(&commit);
    let looked = path.clone();
    if !blocking::run(move || looked.is_dir()).await {
        return Err(not_here(repo, revision));
    }
    let lock = lock::acquire_shared(dir.lease(commit.as_str())).await?;
    lock.stamp();
    Ok(Lease { _lock: lock, path, commit })
}

/// Marks a snapshot as one that must stay, or takes the mark away; returns its commit.
pub fn pin(cache: &CacheDir, repo: &Repo, revision: &Revision, pinned: bool) -> Result<Commit> {
    let dir = cache.repo(repo);
    let commit = dir.commit_of(revision).ok_or_else(|| not_here(repo, revision))?;
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
        return Err(not_here(repo, revision));
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
    /// Somebody has marked it.
    Pinned,
    /// A process holds it, or downloads into its repository.
    InUse,
}

/// Takes a snapshot's lease alone, so that nobody can hold it while it goes; or says why it must stay.
pub(crate) fn claim(
    dir: &RepoDir,
    commit: &str,
    ignore_pins: bool,
) -> std::result::Result<Lock, Reason> {
    if !ignore_pins && dir.pin(commit).exists() {
        return Err(Reason::Pinned);
    }
    // A lease file that cannot be opened is somebody else's: better to leave the snapshot.
    lock::try_existing(&dir.lease(commit)).ok().flatten().ok_or(Reason::InUse)
}

/// As [`claim`], without taking anything.
pub(crate) fn reason_to_stay(dir: &RepoDir, commit: &str, ignore_pins: bool) -> Option<Reason> {
    if !ignore_pins && dir.pin(commit).exists() {
        return Some(Reason::Pinned);
    }
    lock::is_held(&dir.lease(commit)).then_some(Reason::InUse)
}

/// That a revision is not in the cache.
pub fn not_here(repo: &Repo, revision: &Revision) -> Error {
    let message = format!("\"{repo}\" at \"{revision}\" is not in the cache");
    Error::new(ErrorKind::NotCached, message).with_repo(repo).with_revision(revision)
}
