//! Downloads a file into the shared cache.

use std::{path::PathBuf, sync::Arc};

use crate::{
    base::{
        blocking,
        disk::{copy_beside, in_folder},
        error::{Error, ErrorKind, Result},
        ids::Commit,
        lock,
        progress::Progress,
    },
    cache::{
        self,
        layout::{CacheDir, RepoDir},
        partial::{Slot, Verified},
    },
    download::{
        blob_store, errors, locate,
        receive::{self, IncomingFile},
        report::{Arrived, Report, fresh_report},
        shared::{self, Key, Start},
        spec::{Mode, Spec},
    },
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// Returns `None` if the file changed on the Hub meanwhile.
pub(crate) async fn to_cache(
    hub: &Hub,
    spec: &Spec,
    cache: &CacheDir,
    progress: &Progress,
) -> Result<Option<Report>> {
    let repo = cache.repo(&spec.repo);
    let cached = if spec.known.is_some() {
        None // A caller with a listing has already searched the cache.
    } else {
        let (repo, spec) = (repo.clone(), spec.clone());
        blocking::run(move || find_cached(&repo, &spec)).await
    };
    if let Some((report, _)) = cached.as_ref().filter(|(_, proved)| *proved) {
        return Ok(Some(found(report.clone(), spec, progress)));
    }
    let cached = cached.map(|(report, _)| report);
    let (hub, permit) = hub.for_download(!spec.may_not_ask(hub)).await;
    let hub = &hub;
    let turn = spec.turn_to_ask().await;
    let (metadata, content) = match locate::look_up(hub, spec, cached.is_some(), progress).await {
        Ok(located) => located,
        Err(error) => {
            let report = fall_back(hub, spec, &repo, cached, error).await?;
            return Ok(Some(found(report, spec, progress)));
        }
    };
    if spec.mode.dry_run {
        return Ok(Some(plan(spec, cache, &repo, &metadata)));
    }
    locate::check_announced(spec, &metadata)?;
    // Without links, each file has its own content.
    let place = if spec.mode.symlinks {
        repo.blob(&metadata.etag)
    } else {
        repo.pointer(&metadata.commit, &spec.path)
    };
    let key = Key::new(place, spec.mode.force, hub, &metadata);
    let begin = |start, progress| {
        fetch(hub.clone(), spec.clone(), cache.clone(), metadata.clone(), start, progress)
    };
    let start = Start { content, permit, turn };
    let file = progress.start_file(spec.path.as_str(), metadata.size);
    let (report, ours) = shared::share(&spec.shared, file, key, start, progress, begin).await?;
    let report = match report {
        Some(report) if !ours => report,
        report => return Ok(report),
    };
    // Another call may have downloaded the content; link and ref are still created here.
    let link = {
        let (cache, metadata, theirs) = (cache.clone(), metadata.clone(), report.path.clone());
        let spec = Spec { mode: Mode { force: false, ..spec.mode }, ..spec.clone() };
        move || {
            if let Some(report) = settle(&cache, &repo, &spec, &metadata)? {
                return Ok(report);
            }
            // If links cannot be created, the blob was moved to its file.
            let path = repo.pointer(&metadata.commit, &spec.path);
            in_folder(&path, || copy_beside(&theirs, &path))
                .map_err(|source| Error::io("copy the file to", &path, source))?;
            Ok(cached_report(&spec, metadata.commit, path))
        }
    };
    let linked = blocking::run(link).await?;
    let Report { cached, sha256, transfer, fallback, .. } = report;
    Ok(Some(Report { cached, sha256, transfer, fallback, ..linked }))
}

/// Returns the cached copy of the last known commit, and whether it needs no request: the file of a
/// commit never changes, and this content was verified with a checksum.
fn find_cached(repo: &RepoDir, spec: &Spec) -> Option<(Report, bool)> {
    if spec.mode.force {
        return None;
    }
    let commit = repo.commit_of(&spec.revision)?;
    let path = if spec.mode.dry_run {
        repo.find(&commit, &spec.path)
    } else {
        repo.find_to_use(&commit, &spec.path)
    };
    let path = path?;
    let proved = spec.revision.as_commit().is_some() && cache::is_proved(&path);
    Some((cached_report(spec, commit, path), proved))
}

fn cached_report(spec: &Spec, commit: Commit, path: PathBuf) -> Report {
    let size = std::fs::metadata(&path).ok().map(|metadata| metadata.len());
    Report::here(path, &spec.path, Some(commit), size)
}

fn found(report: Report, spec: &Spec, progress: &Progress) -> Report {
    if !spec.mode.dry_run {
        progress.skip_files(1);
    }
    report
}

/// Handles missing metadata: returns the cached copy, or an error with the reason.
async fn fall_back(
    hub: &Hub,
    spec: &Spec,
    repo: &RepoDir,
    cached: Option<Report>,
    error: Error,
) -> Result<Report> {
    match error.kind() {
        ErrorKind::EntryNotFound => {
            let commit = error.commit().and_then(|commit| Commit::parse(commit).ok());
            if let Some(commit) = commit.filter(|_| !spec.mode.dry_run) {
                let (repo, spec, commit) = (repo.clone(), spec.clone(), commit.clone());
                blocking::run(move || {
                    repo.remember_absence(&commit, &spec.path);
                    repo.remember_ref(&spec.revision, &commit);
                })
                .await;
            }
            Err(errors::with_similar_names(hub, spec, repo, error).await)
        }
        _ if !error.allows_fallback() => Err(error),
        _ => match cached {
            Some(report) => Ok(Report { stale: errors::stale(&error), ..report }),
            None => {
                Err(errors::not_cached(&errors::named(spec), spec.mode.local_files_only, error))
            }
        },
    }
}

fn plan(spec: &Spec, cache: &CacheDir, repo: &RepoDir, metadata: &FileMetadata) -> Report {
    let path = repo.pointer(&metadata.commit, &spec.path);
    let FileMetadata { commit, etag, size, .. } = metadata;
    let cached = repo.find_content(commit, &spec.path, etag, *size).is_some()
        || repo.has_blob(etag, *size)
        || blob_store::has(cache, spec.mode, metadata);
    let report = Report::here(path, &spec.path, Some(metadata.commit.clone()), metadata.size);
    Report { cached, will_download: spec.mode.force || !cached, ..report }
}

/// Finds the content in the cache, or takes the lock for downloading it.
fn prepare(
    cache: &CacheDir,
    repo: &RepoDir,
    spec: &Spec,
    metadata: &FileMetadata,
) -> Result<Prepared> {
    if let Some(report) = settle(cache, repo, spec, metadata)? {
        return Ok(Prepared::Here(report));
    }
    repo.check_way(&repo.blobs())?;
    repo.check_way(repo.locks())?;
    let Some(lock) = lock::try_acquire(&repo.lock(&metadata.etag))? else {
        return Ok(Prepared::Busy);
    };
    // The previous holder of the lock may have downloaded this file.
    Ok(match link_if_here(repo, spec, metadata)? {
        Some(report) => Prepared::Here(report),
        None => Prepared::Locked(lock),
    })
}

enum Prepared {
    Here(Report),
    Locked(lock::Lock),
    Busy,
}

/// Stores the ref, and links the content if it is cached.
fn settle(
    cache: &CacheDir,
    repo: &RepoDir,
    spec: &Spec,
    metadata: &FileMetadata,
) -> Result<Option<Report>> {
    cache.tag_once();
    repo.remember_ref(&spec.revision, &metadata.commit);
    link_if_here(repo, spec, metadata)
}

/// Downloads the content, unless another process is downloading it.
async fn fetch(
    hub: Hub,
    spec: Spec,
    cache: CacheDir,
    metadata: FileMetadata,
    start: Start,
    progress: Progress,
) -> Result<Option<Report>> {
    let (mut content, mut turn, _permit) = start.at(&hub.permits).await;
    // All callers of the transfer see in its progress what it waits for.
    let hub = Hub { watch: progress.clone(), ..hub };
    let repo = cache.repo(&spec.repo);
    // Prevents removals from the repository; a snapshot does that for all its files.
    let _busy = match spec.known {
        None => receive::keep_from_removal(&repo, &progress).await,
        Some(_) => None,
    };
    let attempt = {
        let (cache, repo, spec, metadata) =
            (cache.clone(), repo.clone(), spec.clone(), metadata.clone());
        move || prepare(&cache, &repo, &spec, &metadata)
    };
    let lane = &spec.stages.storage.lane;
    let lock = match lane.run(attempt).await? {
        Prepared::Here(report) => return Ok(Some(report)),
        Prepared::Locked(lock) => lock,
        Prepared::Busy => {
            // While waiting for the lock, an open response would only occupy its connection.
            (content, turn) = (None, None);
            let lock = receive::wait_for_lock(repo.lock(&metadata.etag), &progress).await?;
            let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
            let here = move || link_if_here(&repo, &spec, &metadata);
            if let Some(report) = blocking::run(here).await? {
                return Ok(Some(report));
            }
            lock
        }
    };
    if blob_store::link(&cache, &repo, &spec, &metadata, &progress).await {
        let here = move || link_if_here(&repo, &spec, &metadata);
        return blocking::run(here).await;
    }
    let etag = metadata.etag.clone();
    let slot =
        Slot { dir: repo.blobs(), stem: etag.as_str().to_owned(), etag, size: metadata.size };
    let publish = {
        let (hub, repo, spec, metadata) =
            (hub.clone(), repo.clone(), spec.clone(), metadata.clone());
        move |verified: Verified| {
            let content = Arrived::from(&verified);
            verified.publish(&repo.blob(&metadata.etag))?;
            let is_link = blob_store::share(&hub, &cache, &repo, spec.mode, &metadata)?;
            let (links, is_own) = (spec.mode.symlinks, !is_link);
            let path = repo.link(&metadata.commit, &spec.path, &metadata.etag, links, is_own)?;
            Ok(fresh_report(&spec.path, &metadata, path, &content))
        }
    };
    let arrival =
        IncomingFile { hub: &hub, spec: &spec, metadata: &metadata, slot, lock: Arc::new(lock) };
    arrival.receive(content, turn, &progress, Arc::new(publish)).await
}

/// Returns the file, if it or its content is cached.
fn link_if_here(repo: &RepoDir, spec: &Spec, metadata: &FileMetadata) -> Result<Option<Report>> {
    let FileMetadata { commit, etag, size, .. } = metadata;
    if spec.mode.force {
        return Ok(None);
    }
    let path = match repo.find_content(commit, &spec.path, etag, *size) {
        Some(path) => path,
        None if repo.has_blob(etag, *size) => {
            repo.link(commit, &spec.path, etag, spec.mode.symlinks, false)?
        }
        None => return Ok(None),
    };
    Ok(Some(cached_report(spec, commit.clone(), path)))
}
