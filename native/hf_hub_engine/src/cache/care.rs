//! The operations on a cache as callers ask for them: which locks each takes, and where it may block.

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    base::{
        blocking::{self, Watch},
        error::Result,
        ids::{EntryPath, Repo, Revision},
        input::RawPath,
        lock::{self, Lock},
    },
    cache::{
        Lookup, archive, delete, evict,
        layout::CacheDir,
        lease::{self, Lease},
        maintenance, materialize, prune, relocate, scan, verify,
    },
};

/// An operation on a cache.
#[derive(Debug, Deserialize)]
pub struct In<T> {
    /// The cache.
    pub cache_dir: CacheDir,
    /// The operation.
    pub spec: T,
}

/// Which snapshot is to stay.
#[derive(Debug, Deserialize)]
pub struct Pin {
    repo: Repo,
    revision: Revision,
    pinned: bool,
}

/// Where the cache goes.
#[derive(Debug, Deserialize)]
pub struct Move {
    destination: CacheDir,
}

/// Which file.
#[derive(Debug, Deserialize)]
pub struct Question {
    repo: Repo,
    revision: Revision,
    filename: EntryPath,
    /// Whether a call will use the file in place of one from the Hub.
    to_use: bool,
}

/// What to hold: a snapshot, or with a file name the lock of that file.
#[derive(Debug, Deserialize)]
pub struct Hold {
    repo: Repo,
    revision: Revision,
    filename: Option<EntryPath>,
}

/// What a hold keeps, until this is dropped.
#[derive(Debug)]
pub enum Held {
    /// A snapshot.
    Snapshot(Lease),
    /// A file.
    File(Lock),
}

/// Scans the cache.
pub async fn scan(of: In<IgnoredAny>, _: Watch) -> Result<scan::Report> {
    blocking::run(move || scan::run(&of.cache_dir)).await
}

/// Removes repositories or revisions.
pub async fn delete(of: In<delete::Order>, _: Watch) -> Result<delete::Report> {
    removal(of.cache_dir, of.spec.dry_run, move |cache| delete::run(cache, &of.spec)).await
}

/// Removes unreferenced revisions and leftovers.
pub async fn prune(of: In<prune::Spec>, _: Watch) -> Result<delete::Report> {
    removal(of.cache_dir, of.spec.dry_run, move |cache| prune::run(cache, &of.spec)).await
}

/// Removes the least recently used revisions.
pub async fn evict(of: In<evict::Spec>, _: Watch) -> Result<delete::Report> {
    removal(of.cache_dir, of.spec.dry_run, move |cache| evict::run(cache, &of.spec)).await
}

/// A dry run does not need the exclusive lock.
async fn removal(
    cache: CacheDir,
    dry_run: bool,
    work: impl FnOnce(&CacheDir) -> Result<delete::Report> + Send + 'static,
) -> Result<delete::Report> {
    if dry_run {
        return blocking::run(move || work(&cache)).await;
    }
    maintenance::alone(cache, work).await
}

/// Marks a snapshot as one that must stay, or takes the mark away; returns its commit.
pub async fn pin(of: In<Pin>, _: Watch) -> Result<crate::base::ids::Commit> {
    let Pin { repo, revision, pinned } = of.spec;
    blocking::run(move || lease::pin(&of.cache_dir, &repo, &revision, pinned)).await
}

/// Checks the cache.
pub async fn verify(of: In<verify::Spec>, watch: Watch) -> Result<verify::Report> {
    let stop = watch.stop;
    let stop = move || stop.is_cancelled();
    blocking::run(move || verify::run(&of.cache_dir, &of.spec, &watch.progress, &stop)).await
}

/// Moves the cache; returns where it is then.
pub async fn relocate(of: In<Move>, watch: Watch) -> Result<RawPath> {
    let (from, to) = (of.cache_dir, of.spec.destination);
    let (places, moved) = ((from.clone(), to.clone()), RawPath(to.path().to_owned()));
    blocking::run(move || relocate::prepare(&places.0, &places.1)).await?;
    let work = move |from: &CacheDir, to: &CacheDir| {
        relocate::run(from, to, &watch.progress, &|| watch.is_stopped())
    };
    maintenance::alone_in_both(from, to, work).await.map(|()| moved)
}

/// Writes repositories to an archive.
pub async fn export(of: In<archive::Spec>, watch: Watch) -> Result<archive::Report> {
    let stop = watch.stop;
    let stop = move || stop.is_cancelled();
    blocking::run(move || archive::export(&of.cache_dir, &of.spec, &watch.progress, &stop)).await
}

/// Imports an archive.
pub async fn import(of: In<archive::Import>, watch: Watch) -> Result<archive::Report> {
    let archive::Import { archive, symlinks } = of.spec;
    let work = move |cache: &CacheDir| {
        archive::import(cache, &archive, symlinks, &watch.progress, &|| watch.is_stopped())
    };
    maintenance::alone(of.cache_dir, work).await
}

/// Fills a folder with the files of a snapshot.
pub async fn materialize(of: In<materialize::Spec>, watch: Watch) -> Result<materialize::Report> {
    let held = lease::hold(&of.cache_dir, &of.spec.repo, &of.spec.revision).await?;
    let stop = move || watch.stop.is_cancelled();
    blocking::run(move || materialize::run(&of.cache_dir, &of.spec, &held, &stop)).await
}

/// Looks a file up, without a request. Asks the disk a few times, and never waits for a lock.
pub fn look_up(of: &In<Question>) -> Lookup {
    let Question { repo, revision, filename, to_use } = &of.spec;
    let repo = of.cache_dir.repo(repo);
    if *to_use {
        repo.find_verified(revision, filename).map_or(Lookup::Unknown, Lookup::Found)
    } else {
        repo.look_up(revision, filename)
    }
}

/// Waits for a lock; returns it and its path.
pub async fn hold(of: In<Hold>) -> Result<(Held, RawPath)> {
    let Hold { repo, revision, filename } = of.spec;
    let Some(filename) = filename else {
        let lease = lease::hold(&of.cache_dir, &repo, &revision).await?;
        let path = RawPath(lease.path().to_owned());
        return Ok((Held::Snapshot(lease), path));
    };
    let path = of.cache_dir.repo(&repo).file_lock(&filename);
    let lock = lock::acquire(path.clone(), || ()).await?;
    Ok((Held::File(lock), RawPath(path)))
}
