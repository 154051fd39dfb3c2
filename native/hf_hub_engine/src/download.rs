//! One file from the Hub into a cache, or into a plain folder.
//!
//! This file decides; [`crate::transfer`] moves bytes, [`crate::cache`] knows the disk.

use std::{borrow::Cow, collections::HashSet, path::PathBuf, sync::Arc};

use crate::{
    arrival::{self, Arrival},
    blocking,
    cache::{
        self, copy_beside, in_folder,
        layout::{CacheDir, LocalDir, RepoDir},
        lock,
        partial::{Slot, Verified},
    },
    error::{Error, ErrorKind, Result},
    explain,
    flights::{self, Flights, Key, Start},
    hub::{self, Hub, Span},
    local,
    metadata::{self, Content, FileMetadata, Given, Located},
    names::{Checksum, Commit, EntryPath, Proof, Repo, Revision},
    progress::Progress,
};

mod report;

pub use report::Report;
pub(crate) use report::{Arrived, fresh_report};

/// How often a file may change on the Hub while it is being downloaded.
const CHANGES: u32 = 3;

/// Which file, and where to.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The file.
    pub path: EntryPath,
    /// Where it goes.
    pub destination: Destination,
    /// How.
    pub mode: Mode,
    /// What the file is, where a listing has told already.
    pub known: Option<FileMetadata>,
    /// Whether the file's own headers are asked for all the same, since they contradict the listing.
    pub ask: bool,
    /// A SHA-256 the content must have besides what the Hub announces.
    pub sha256: Option<String>,
    /// Of which contents earlier attempts have left something, where one look at the
    /// folder has told for many files; `None` to look.
    pub partials: Option<Arc<HashSet<String>>>,
    /// Transfers that this one may join, or others this one.
    pub flights: Flights,
}

/// Where files go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Into the shared cache.
    Cache(CacheDir),
    /// Into a folder with real files; the cache is looked into for copies.
    Folder(LocalDir, CacheDir),
}

/// Switches of a download.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as users set them")]
pub struct Mode {
    /// Download even what is here already.
    pub force: bool,
    /// Do not use the network.
    pub local_files_only: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Whether cached files are links to blobs.
    pub symlinks: bool,
}

impl Spec {
    pub(crate) fn may_not_ask(&self, hub: &Hub) -> bool {
        self.mode.local_files_only || hub.offline
    }
}

/// Downloads a file, unless it is here already.
pub async fn run(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    progress.add_files(1);
    hub.within_deadline(progress, download(hub, spec, progress))
        .await
        .map_err(|error| explain::file(hub, spec, error))
}

/// As [`run`], for callers that count and time for themselves.
pub(crate) async fn download(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    let report = attempts(hub, spec, progress).await?;
    match check_sha256(spec, &report).await {
        Ok(()) => Ok(report),
        // The copy may be damaged: fetched once more, the file may be what is expected.
        Err(error) if !report.cached || report.stale.is_some() || spec.may_not_ask(hub) => {
            Err(error)
        }
        Err(_) => {
            let again = Spec { mode: Mode { force: true, ..spec.mode }, ..spec.clone() };
            let report = attempts(hub, &again, progress).await?;
            check_sha256(spec, &report).await?;
            Ok(report)
        }
    }
}

async fn attempts(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    let mut spec = Cow::Borrowed(spec);
    for _ in 0..CHANGES {
        let report = match &spec.destination {
            Destination::Cache(cache) => to_cache(hub, &spec, cache, progress).await?,
            Destination::Folder(folder, cache) => {
                local::to_folder(hub, &spec, folder, cache, progress).await?
            }
        };
        if let Some(report) = report {
            return Ok(report);
        }
        // A listing would say the same again.
        spec.to_mut().ask = true;
    }
    let message =
        format!("the file kept changing on the Hub while it was downloaded ({CHANGES} times)");
    Err(Error::new(ErrorKind::Conflict, message))
}

/// `None` when the file has changed on the Hub meanwhile.
async fn to_cache(
    hub: &Hub,
    spec: &Spec,
    cache: &CacheDir,
    progress: &Progress,
) -> Result<Option<Report>> {
    let repo = cache.repo(&spec.repo);
    let cached = if spec.known.is_some() {
        None // Whoever has read the listing has looked already.
    } else {
        let (repo, spec) = (repo.clone(), spec.clone());
        blocking::run(move || find_cached(&repo, &spec)).await
    };
    if let Some((report, _)) = cached.as_ref().filter(|(_, proved)| *proved) {
        return Ok(Some(found(report.clone(), spec, progress)));
    }
    let cached = cached.map(|(report, _)| report);
    let (hub, seat) = hub.for_download(!spec.may_not_ask(hub)).await;
    let hub = &hub;
    let (metadata, content) = match look_up(hub, spec, cached.is_some(), progress).await {
        Ok(located) => located,
        Err(error) => {
            let report = fall_back(hub, spec, &repo, cached, error).await?;
            return Ok(Some(found(report, spec, progress)));
        }
    };
    if spec.mode.dry_run {
        return Ok(Some(plan(spec, &repo, &metadata)));
    }
    check_announced(spec, &metadata)?;
    // Without links each file has a content of its own.
    let place = if spec.mode.symlinks {
        repo.blob(&metadata.etag)
    } else {
        repo.pointer(&metadata.commit, &spec.path)
    };
    let key = Key::new(place, spec.mode.force, hub, &metadata);
    let journey = |start, progress| {
        fetch(hub.clone(), spec.clone(), cache.clone(), metadata.clone(), start, progress)
    };
    let start = Start { content, place: seat };
    let (landed, ours) = flights::share(spec, &metadata, key, start, progress, journey).await?;
    let report = match landed {
        Some(report) if !ours => report,
        landed => return Ok(landed),
    };
    // Somebody else's call has brought the content; the link and the ref are our own.
    let link = {
        let (cache, metadata, theirs) = (cache.clone(), metadata.clone(), report.path.clone());
        let spec = Spec { mode: Mode { force: false, ..spec.mode }, ..spec.clone() };
        move || {
            if let Some(report) = settle(&cache, &repo, &spec, &metadata)? {
                return Ok(report);
            }
            // Where links cannot be made, the content has become their file.
            let path = repo.pointer(&metadata.commit, &spec.path);
            in_folder(&path, || copy_beside(&theirs, &path))
                .map_err(|source| Error::io("copy the file to", &path, source))?;
            Ok(cached_report(&spec, metadata.commit, path))
        }
    };
    let linked = blocking::run(link).await?;
    Ok(Some(Report { cached: report.cached, sha256: report.sha256, ..linked }))
}

/// Asks the Hub, unless a listing has told already. With a cached copy at hand one try is enough.
pub(crate) async fn look_up(
    hub: &Hub,
    spec: &Spec,
    has_copy: bool,
    progress: &Progress,
) -> Result<(FileMetadata, Option<Content>)> {
    if let Some(known) = spec.known.as_ref().filter(|_| !spec.ask) {
        return Ok((known.clone(), None));
    }
    if spec.may_not_ask(hub) {
        return Err(hub::offline());
    }
    let url = hub.file_url(&spec.repo, &spec.revision, &spec.path);
    let pinned = spec.revision.as_commit();
    let hub = if has_copy { Hub { retry: hub.retry.once(), ..hub.clone() } } else { hub.clone() };
    let given = Given { pinned: pinned.as_ref(), known: None };
    let located =
        hub.retrying(progress, || metadata::locate(&hub, &url, Span::default(), given)).await?;
    let Located { mut metadata, content, .. } = located;
    if let Some(known) = &spec.known {
        metadata.etag = metadata.etag.or(known.etag.checksums().iter().cloned());
    }
    Ok((metadata, Some(content)))
}

/// The copy that an earlier download left, by the last known commit of the revision; and whether it needs no
/// request: the file of a commit never changes, and this content has agreed with a checksum.
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

/// What to do when the Hub gives no metadata: the cached copy, or an error that says why not.
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
            Err(explain::with_similar_names(hub, spec, repo, error).await)
        }
        _ if !error.allows_fallback() => Err(error),
        _ => match cached {
            Some(report) => Ok(Report { stale: explain::stale(&error), ..report }),
            None => Err(explain::not_cached(&explain::named(spec), spec.mode, error)),
        },
    }
}

fn plan(spec: &Spec, repo: &RepoDir, metadata: &FileMetadata) -> Report {
    let path = repo.pointer(&metadata.commit, &spec.path);
    let FileMetadata { commit, etag, size } = metadata;
    let cached =
        repo.find_content(commit, &spec.path, etag, *size).is_some() || repo.has_blob(etag, *size);
    let report = Report::here(path, &spec.path, Some(metadata.commit.clone()), metadata.size);
    Report { cached, will_download: spec.mode.force || !cached, ..report }
}

/// Finds the content here, or else takes the lock that says who fetches it.
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
    // Whoever held it before may have finished our file.
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

/// Remembers the ref, and links the content if it is here.
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

/// Fetches the content, unless another process is just doing that.
async fn fetch(
    hub: Hub,
    spec: Spec,
    cache: CacheDir,
    metadata: FileMetadata,
    start: Start,
    progress: Progress,
) -> Result<Option<Report>> {
    let (mut content, _place) = start.at(&hub.places).await;
    // Whoever shares the flight sees in its progress what it waits for.
    let hub = Hub { watch: progress.clone(), ..hub };
    let repo = cache.repo(&spec.repo);
    // Nothing of the repository is removed meanwhile; a snapshot sees to that for all its files.
    let _busy = match spec.known {
        None => arrival::keep_from_removal(&repo, &progress).await,
        Some(_) => None,
    };
    let attempt = {
        let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
        move || prepare(&cache, &repo, &spec, &metadata)
    };
    let lock = match blocking::run(attempt.clone()).await? {
        Prepared::Here(report) => return Ok(Some(report)),
        Prepared::Locked(lock) => lock,
        Prepared::Busy => {
            // Until the lock is free, an open answer would only keep its connection.
            content = None;
            let lock = arrival::wait_for_lock(repo.lock(&metadata.etag), &progress).await?;
            let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
            let here = move || link_if_here(&repo, &spec, &metadata);
            if let Some(report) = blocking::run(here).await? {
                return Ok(Some(report));
            }
            lock
        }
    };
    let etag = metadata.etag.clone();
    let slot =
        Slot { dir: repo.blobs(), stem: etag.as_str().to_owned(), etag, size: metadata.size };
    let publish = {
        let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
        move |verified: Verified| {
            let content = Arrived::from(&verified);
            verified.publish(&repo.blob(&metadata.etag))?;
            let path =
                repo.link(&metadata.commit, &spec.path, &metadata.etag, spec.mode.symlinks, true)?;
            Ok(fresh_report(&spec.path, &metadata, path, &content))
        }
    };
    let arrival =
        Arrival { hub: &hub, spec: &spec, metadata: &metadata, slot, lock: Arc::new(lock) };
    arrival.receive(content, &progress, Arc::new(publish)).await
}

/// The file, if it or its content is here.
fn link_if_here(repo: &RepoDir, spec: &Spec, metadata: &FileMetadata) -> Result<Option<Report>> {
    let FileMetadata { commit, etag, size } = metadata;
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

/// What the Hub announces is known before the first byte; a wrong file is not even fetched.
pub(crate) fn check_announced(spec: &Spec, metadata: &FileMetadata) -> Result<()> {
    metadata::check_size(metadata.size)?;
    let Some(expected) = &spec.sha256 else { return Ok(()) };
    let announced = metadata.etag.checksums().iter().filter(|sum| sum.proof() == Proof::Sha256);
    let mut announced = announced.map(Checksum::hex);
    match announced.next() {
        Some(first) if announced.all(|other| !other.eq_ignore_ascii_case(expected)) => {
            same_sha256(first, expected)
        }
        _ => Ok(()),
    }
}

async fn check_sha256(spec: &Spec, report: &Report) -> Result<()> {
    let Some(expected) = spec.sha256.as_ref().filter(|_| !spec.mode.dry_run) else { return Ok(()) };
    let actual = if let Some(proved) = &report.sha256 {
        proved.clone()
    } else {
        let path = report.path.clone();
        blocking::run(move || crate::hash::file(&path, Proof::Sha256)).await?.unwrap_or_default()
    };
    same_sha256(&actual, expected)
}

fn same_sha256(actual: &str, expected: &str) -> Result<()> {
    if actual.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let message = format!(
        "the content's SHA-256 is {actual}, but :expected_sha256 is {expected}; check that value, and whether \
         :revision is the commit it was made of"
    );
    Err(Error::new(ErrorKind::ChecksumMismatch, message))
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
