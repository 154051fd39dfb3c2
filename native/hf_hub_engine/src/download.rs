//! One file from the Hub into a cache, or into a plain folder.
//!
//! This file decides; [`crate::transfer`] moves bytes, [`crate::cache`] knows the disk.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use reqwest::Url;

use crate::{
    blocking,
    cache::{
        self,
        layout::{CacheDir, LocalDir, RepoDir},
        lock,
        partial::{Slot, Verified},
    },
    error::{Error, ErrorKind, Result},
    explain,
    hub::{self, Hub},
    local,
    metadata::{self, Content, FileMetadata, Located},
    names::{Commit, EntryPath, Proof, Repo, Revision},
    progress::{Activity, Progress},
    transfer::{Outcome, Transfer},
};

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
    /// A SHA-256 the content must have besides what the Hub announces.
    pub sha256: Option<String>,
    /// Of which contents earlier attempts have left something, where one look at the
    /// folder has told for many files; `None` to look.
    pub partials: Option<Arc<HashSet<String>>>,
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

/// What was, or would be, done.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where the file is.
    pub path: PathBuf,
    /// As named in the repository.
    pub filename: EntryPath,
    /// The commit it belongs to, where known.
    pub commit: Option<Commit>,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
    /// Whether it was here already.
    pub cached: bool,
    /// Whether a dry run would have downloaded it.
    pub will_download: bool,
    /// The content's SHA-256, where this very call has proved it.
    pub sha256: Option<String>,
    /// Why the Hub could not be asked, where a copy had to do instead.
    pub stale: Option<String>,
}

impl Report {
    /// The report on a file that is here already.
    pub(crate) fn here(
        path: PathBuf,
        filename: &EntryPath,
        commit: Option<Commit>,
        size: Option<u64>,
    ) -> Self {
        let filename = filename.clone();
        Self {
            path,
            filename,
            commit,
            size,
            cached: true,
            will_download: false,
            sha256: None,
            stale: None,
        }
    }
}

/// Downloads a file, unless it is here already.
pub async fn run(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    progress.add_files(1);
    hub.within_deadline(download(hub, spec, progress))
        .await
        .map_err(|error| explain::file(hub, spec, error))
}

/// As [`run`], for callers that count and time for themselves.
pub(crate) async fn download(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    for _ in 0..CHANGES {
        let report = match &spec.destination {
            Destination::Cache(cache) => to_cache(hub, spec, cache, progress).await?,
            Destination::Folder(folder, cache) => {
                local::to_folder(hub, spec, folder, cache, progress).await?
            }
        };
        if let Some(report) = report {
            check_sha256(spec, &report).await?;
            return Ok(report);
        }
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
    let cached = {
        let (repo, spec) = (repo.clone(), spec.clone());
        blocking::run(move || find_cached(&repo, &spec)).await
    };
    if let Some(report) = cached.as_ref().filter(|_| spec.revision.as_commit().is_some()) {
        return Ok(Some(found(report.clone(), spec, progress)));
    }
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
    let ready = {
        let (cache, repo, spec, metadata) =
            (cache.clone(), repo.clone(), spec.clone(), metadata.clone());
        blocking::run(move || use_blob(&cache, &repo, &spec, &metadata)).await?
    };
    if let Some(report) = ready {
        return Ok(Some(found(report, spec, progress)));
    }
    fetch(hub, spec, &repo, metadata, content, progress).await
}

/// Asks the Hub, unless a listing has told already. With a cached copy at hand one try is enough.
pub(crate) async fn look_up(
    hub: &Hub,
    spec: &Spec,
    has_copy: bool,
    progress: &Progress,
) -> Result<(FileMetadata, Option<Content>)> {
    if let Some(known) = &spec.known {
        return Ok((known.clone(), None));
    }
    if spec.mode.local_files_only || hub.offline {
        return Err(hub::offline());
    }
    let url = hub.file_url(&spec.repo, &spec.revision, &spec.path);
    let pinned = spec.revision.as_commit();
    let hub = if has_copy { Hub { retry: hub.retry.once(), ..hub.clone() } } else { hub.clone() };
    let located =
        hub.retrying(progress, || metadata::locate(&hub, &url, 0, pinned.as_ref(), None)).await?;
    let Located { metadata, content } = located;
    Ok((metadata, Some(content)))
}

/// The copy that an earlier download left, by the last known commit of the revision.
fn find_cached(repo: &RepoDir, spec: &Spec) -> Option<Report> {
    if spec.mode.force {
        return None;
    }
    let commit = repo.commit_of(&spec.revision)?;
    let path = repo.find(&commit, &spec.path)?;
    Some(cached_report(spec, commit, path))
}

fn cached_report(spec: &Spec, commit: Commit, path: PathBuf) -> Report {
    let size = std::fs::metadata(&path).ok().map(|metadata| metadata.len());
    Report::here(path, &spec.path, Some(commit), size)
}

/// The report on a file that has just arrived.
pub(crate) fn fresh_report(
    filename: EntryPath,
    metadata: &FileMetadata,
    path: PathBuf,
    size: u64,
) -> Report {
    let sha256 = (metadata.etag.proof() == Proof::Sha256).then(|| metadata.etag.to_string());
    let commit = Some(metadata.commit.clone());
    Report {
        path,
        filename,
        commit,
        size: Some(size),
        cached: false,
        will_download: false,
        sha256,
        stale: None,
    }
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
    let cached = path.is_file() || repo.has_blob(&metadata.etag, metadata.size);
    let report = Report::here(path, &spec.path, Some(metadata.commit.clone()), metadata.size);
    Report { cached, will_download: spec.mode.force || !cached, ..report }
}

/// Links the blob if it is here, and remembers the ref.
fn use_blob(
    cache: &CacheDir,
    repo: &RepoDir,
    spec: &Spec,
    metadata: &FileMetadata,
) -> Result<Option<Report>> {
    let commit = &metadata.commit;
    if !spec.mode.force
        && let Some(path) = repo.find(commit, &spec.path)
    {
        repo.remember_ref(&spec.revision, commit);
        return Ok(Some(cached_report(spec, commit.clone(), path)));
    }
    let blobs = repo.blobs();
    std::fs::create_dir_all(&blobs)
        .map_err(|source| Error::io("create the folder", &blobs, source))?;
    cache.tag_once();
    repo.remember_ref(&spec.revision, commit);
    link_if_here(repo, spec, metadata)
}

async fn fetch(
    hub: &Hub,
    spec: &Spec,
    repo: &RepoDir,
    metadata: FileMetadata,
    content: Option<Content>,
    progress: &Progress,
) -> Result<Option<Report>> {
    let lock = Arc::new(wait_for_lock(repo.lock(&metadata.etag), progress).await?);
    let linked = {
        let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
        // While we waited for the lock its holder may have finished our file.
        blocking::run(move || link_if_here(&repo, &spec, &metadata)).await?
    };
    if let Some(report) = linked {
        return Ok(Some(found(report, spec, progress)));
    }
    let etag = metadata.etag.clone();
    let slot =
        Slot { dir: repo.blobs(), stem: etag.as_str().to_owned(), etag, size: metadata.size };

    let arrival = Arrival { hub, spec, metadata: &metadata, slot, lock };
    let publish = {
        let (repo, spec, metadata) = (repo.clone(), spec.clone(), metadata.clone());
        move |verified: Verified| -> Result<Option<Report>> {
            let size = verified.size();
            if !verified.publish(&repo.blob(&metadata.etag))? {
                return Ok(None);
            }
            let path =
                repo.link(&metadata.commit, &spec.path, &metadata.etag, spec.mode.symlinks, true)?;
            Ok(Some(fresh_report(spec.path, &metadata, path, size)))
        }
    };
    arrival.receive(content, progress, publish).await
}

/// The file, if it or its content is here.
fn link_if_here(repo: &RepoDir, spec: &Spec, metadata: &FileMetadata) -> Result<Option<Report>> {
    let FileMetadata { commit, etag, size } = metadata;
    if spec.mode.force {
        return Ok(None);
    }
    let path = match repo.find(commit, &spec.path) {
        Some(path) => path,
        None if repo.has_blob(etag, *size) => {
            repo.link(commit, &spec.path, etag, spec.mode.symlinks, false)?
        }
        None => return Ok(None),
    };
    Ok(Some(cached_report(spec, commit.clone(), path)))
}

/// Takes the lock, saying so if somebody else holds it.
pub(crate) async fn wait_for_lock(path: PathBuf, progress: &Progress) -> Result<lock::Lock> {
    let mut waited = false;
    let lock = lock::acquire(path, || {
        waited = true;
        progress.set_activity(Activity::WaitingForLock, None);
    })
    .await?;
    if waited {
        progress.set_activity(Activity::Resolving, None);
    }
    Ok(lock)
}

/// A file on its way: what both destinations do between the lock and the final name.
pub(crate) struct Arrival<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) spec: &'a Spec,
    pub(crate) metadata: &'a FileMetadata,
    pub(crate) slot: Slot,
    pub(crate) lock: Arc<lock::Lock>,
}

impl Arrival<'_> {
    /// Receives the content and has it published; `None` when it has changed on the Hub.
    pub(crate) async fn receive(
        self,
        mut content: Option<Content>,
        progress: &Progress,
        publish: impl FnOnce(Verified) -> Result<Option<Report>> + Send + 'static,
    ) -> Result<Option<Report>> {
        self.check_space().await?;
        let url: Url = self.hub.file_url(&self.spec.repo, &self.spec.revision, &self.spec.path);
        let pinned = self.spec.revision.as_commit();
        // Without a proof at the end, a prefix of unknown origin cannot be trusted.
        let mut resume = self.may_resume() && self.metadata.etag.proof() != Proof::None;
        loop {
            let mut file = progress.start_file(self.spec.path.as_str(), self.metadata.size);
            let transfer = Transfer {
                hub: self.hub,
                url: &url,
                pinned: pinned.as_ref(),
                metadata: self.metadata,
                slot: self.slot.clone(),
                resume,
                lock: self.lock.clone(),
            };
            match transfer.run(content.take(), &mut file).await {
                Ok(Outcome::Complete(verified)) => {
                    let (rest, clear) =
                        (self.slot.clone(), self.may_have_partials() && self.lock.excludes());
                    let report = blocking::run(move || {
                        let report = publish(verified)?;
                        if clear && report.is_some() {
                            rest.clear();
                        }
                        Ok(report)
                    })
                    .await?;
                    if report.is_some() {
                        file.finish();
                    } else {
                        file.abandon();
                    }
                    return Ok(report);
                }
                Ok(Outcome::Changed) => {
                    file.abandon();
                    return Ok(None);
                }
                // What a dead attempt left may have been wrong; without it the answer is final.
                Err(error)
                    if resume
                        && file.has_resumed()
                        && error.kind() == ErrorKind::ChecksumMismatch =>
                {
                    file.abandon();
                    resume = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether earlier attempts may have left something of this content.
    fn may_have_partials(&self) -> bool {
        self.spec.partials.as_ref().is_none_or(|stems| stems.contains(&self.slot.stem))
    }

    fn may_resume(&self) -> bool {
        !self.spec.mode.force && self.may_have_partials()
    }

    async fn check_space(&self) -> Result<()> {
        let (slot, size) = (self.slot.clone(), self.metadata.size.unwrap_or(0));
        let adoptable = self.may_resume() && self.lock.excludes();
        let missing = blocking::run(move || {
            // Where room is short, what an earlier attempt left is gone on with in place.
            let here = if adoptable { slot.resumable() } else { 0 };
            cache::missing_space(&slot.dir, size - here.min(size))
        });
        let (Some(missing), needed) = (missing.await, size) else { return Ok(()) };
        let message = format!(
            "not enough disk space below `{}`: the file needs {needed} bytes, {missing} bytes more than are free; \
             free some, or choose another folder with :cache_dir, HF_HUB_CACHE or HF_HOME",
            self.slot.dir.display()
        );
        Err(Error::new(ErrorKind::Io, message))
    }
}

/// What the Hub announces is known before the first byte; a wrong file is not even fetched.
pub(crate) fn check_announced(spec: &Spec, metadata: &FileMetadata) -> Result<()> {
    match &spec.sha256 {
        Some(expected) if metadata.etag.proof() == Proof::Sha256 => {
            same_sha256(metadata.etag.as_str(), expected)
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
    let message = format!("the content's SHA-256 is {actual}, but :expected_sha256 is {expected}");
    Err(Error::new(ErrorKind::ChecksumMismatch, message))
}

#[cfg(test)]
mod tests;
