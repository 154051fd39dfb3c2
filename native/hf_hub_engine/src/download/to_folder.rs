//! Downloads a file into a plain folder, with the metadata that the Python client keeps there.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE};
use sha1::{Digest, Sha1};

use crate::{
    base::{
        disk::{self, write_atomically},
        error::{Error, ErrorKind, Result},
        etag::Etag,
        hash,
        ids::{Commit, EntryPath},
        lock::Lock,
        progress::Progress,
    },
    cache::{
        self,
        layout::{CacheDir, LocalDir, RepoDir},
        partial::{Slot, Verified},
        symlink_guard::Bounds,
    },
    download::{
        errors, locate,
        receive::{self, IncomingFile},
        report::{Arrived, Report, fresh_report},
        shared::{self, Key, Start},
        spec::Spec,
    },
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// More bytes than any metadata file has.
const LONGEST_RECORD: u64 = 64 << 10;

/// Returns `None` if the file changed on the Hub meanwhile.
pub(crate) async fn to_folder(
    hub: &Hub,
    spec: &Spec,
    folder: &LocalDir,
    cache: &CacheDir,
    progress: &Progress,
) -> Result<Option<Report>> {
    let here = {
        let lane = spec.stages.storage.lane.clone();
        let (folder, spec) = (folder.clone(), spec.clone());
        lane.run(move || Here::look(&folder, &spec)).await
    };
    let known = spec.known.as_ref();
    if let Some(commit) = spec.revision.as_commit().filter(|commit| here.is_of(commit, known)) {
        return Ok(Some(here.report(spec, Some(commit), progress)));
    }
    let (hub, permit) = hub.for_download(!spec.may_not_ask(hub)).await;
    let hub = &hub;
    let turn = spec.turn_to_ask().await;
    let (metadata, content) = match locate::look_up(hub, spec, here.exists, progress).await {
        Ok(located) => located,
        Err(error) if here.exists && error.allows_fallback() => {
            let report = here.report(spec, None, progress);
            return Ok(Some(Report { stale: errors::stale(&error), ..report }));
        }
        Err(error) if error.kind() == ErrorKind::EntryNotFound => {
            return Err(errors::with_similar_names(hub, spec, &cache.repo(&spec.repo), error).await);
        }
        Err(error) => {
            return Err(errors::not_cached(
                &errors::named(spec),
                spec.mode.local_files_only,
                error,
            ));
        }
    };
    if spec.mode.dry_run {
        return Ok(Some(here.plan(spec, &metadata)));
    }
    locate::check_announced(spec, &metadata)?;
    let key = Key::new(folder.file(&spec.path), spec.mode.force, hub, &metadata);
    let begin = |start, progress| {
        let (hub, spec, folder, cache) = (hub.clone(), spec.clone(), folder.clone(), cache.clone());
        fetch(hub, spec, folder, cache, metadata.clone(), start, progress)
    };
    let start = Start { content, permit, turn };
    let file = progress.start_file(spec.path.as_str(), metadata.size);
    let (report, _) = shared::share(&spec.shared, file, key, start, progress, begin).await?;
    Ok(report.map(|report| Report { commit: Some(metadata.commit), ..report }))
}

/// Downloads the content, unless it is in the folder, in the cache, or being downloaded by another
/// process.
async fn fetch(
    hub: Hub,
    spec: Spec,
    folder: LocalDir,
    cache: CacheDir,
    metadata: FileMetadata,
    start: Start,
    progress: Progress,
) -> Result<Option<Report>> {
    let (content, turn, _permit) = start.at(&hub.permits).await;
    // All callers of the transfer see in its progress what it waits for.
    let hub = Hub { watch: progress.clone(), ..hub };
    let lock = Arc::new(receive::wait_for_lock(folder.lock(&spec.path), &progress).await?);
    let settled = {
        let lane = spec.stages.storage.lane.clone();
        let (folder, repo, spec) = (folder.clone(), cache.repo(&spec.repo), spec.clone());
        let (metadata, lock) = (metadata.clone(), lock.clone());
        let settle = move || settle_without_network(&folder, &repo, &spec, &metadata, &lock);
        lane.run(settle).await?
    };
    if settled {
        let (path, commit) = (folder.file(&spec.path), Some(metadata.commit));
        return Ok(Some(Report::here(path, &spec.path, commit, metadata.size)));
    }
    let slot = slot(&folder, &spec.path, &metadata);
    let publish = {
        let (spec, metadata) = (spec.clone(), metadata.clone());
        move |verified: Verified| {
            let (path, content) = (folder.file(&spec.path), Arrived::from(&verified));
            create_parent(&path)?;
            verified.publish(&path)?;
            remember(&folder, &spec.path, &metadata)?;
            Ok(fresh_report(&spec.path, &metadata, path, &content))
        }
    };
    let arrival = IncomingFile { hub: &hub, spec: &spec, metadata: &metadata, slot, lock };
    arrival.receive(content, turn, &progress, Arc::new(publish)).await
}

/// A file in the folder, from an earlier download.
struct Here {
    path: PathBuf,
    exists: bool,
    size: u64,
    record: Option<Record>,
}

/// The metadata file: the etag of a file when it was downloaded.
struct Record {
    commit: String,
    /// `None` for an invalid text.
    etag: Option<Etag>,
}

impl Here {
    fn look(folder: &LocalDir, spec: &Spec) -> Self {
        let path = folder.file(&spec.path);
        let exists = !spec.mode.force && path.is_file();
        let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let record = if exists { read_record(folder, &spec.path) } else { None };
        Self { path, exists, size, record }
    }

    /// Whether it needs no request: content that was verified with a checksum, of a commit that
    /// never changes.
    fn is_of(&self, commit: &Commit, known: Option<&FileMetadata>) -> bool {
        self.has_size(known.and_then(|known| known.size))
            && self.record.as_ref().is_some_and(|record| {
                record.commit.eq_ignore_ascii_case(commit.as_str())
                    && record.etag.as_ref().is_some_and(Etag::is_proof)
                    && known.is_none_or(|known| !known.etag.is_proof() || record.is_of(known))
            })
    }

    fn has_size(&self, size: Option<u64>) -> bool {
        self.exists && size.is_none_or(|size| size == self.size)
    }

    fn report(&self, spec: &Spec, commit: Option<Commit>, progress: &Progress) -> Report {
        if !spec.mode.dry_run {
            progress.skip_files(1);
        }
        let commit = commit.or_else(|| Commit::parse(&self.record.as_ref()?.commit).ok());
        let size = fs::metadata(&self.path).ok().map(|metadata| metadata.len());
        Report::here(self.path.clone(), &spec.path, commit, size)
    }

    fn plan(&self, spec: &Spec, metadata: &FileMetadata) -> Report {
        let same = self.has_size(metadata.size)
            && self.record.as_ref().is_some_and(|record| record.is_of(metadata));
        let commit = Some(metadata.commit.clone());
        let report = Report::here(self.path.clone(), &spec.path, commit, metadata.size);
        Report { cached: same, will_download: !same, ..report }
    }
}

impl Record {
    fn is_of(&self, metadata: &FileMetadata) -> bool {
        self.etag.as_ref() == Some(&metadata.etag)
    }
}

/// Returns true if the file in the folder, or the cache's copy, matches the Hub.
fn settle_without_network(
    folder: &LocalDir,
    repo: &RepoDir,
    spec: &Spec,
    metadata: &FileMetadata,
    lock: &Lock,
) -> Result<bool> {
    if spec.mode.force {
        return Ok(false);
    }
    mark(folder)?;
    let here = Here::look(folder, spec);
    let path = here.path.clone();
    let same = here.has_size(metadata.size)
        && match &here.record {
            Some(record) => record.is_of(metadata),
            None => {
                matches!(hash::prove(&path, &metadata.etag, None)?, hash::Verdict::Right(_))
            }
        };
    if !same {
        let FileMetadata { commit, etag, size, .. } = metadata;
        let Some(copy) = repo.find_content(commit, &spec.path, etag, *size) else {
            return Ok(false);
        };
        let copy = Bounds::of(repo).file(&copy)?;
        create_parent(&path)?;
        // Copied as a partial file, so that the leftover of a crash is found and removed.
        let slot = slot(folder, &spec.path, metadata);
        disk::copy_by_way_of(&slot.unused_path(), &copy, &path)
            .map_err(|source| Error::io("copy the cached file to", &path, source))?;
        if lock.excludes() {
            slot.clear();
        }
    }
    remember(folder, &spec.path, metadata)?;
    Ok(true)
}

fn slot(folder: &LocalDir, path: &EntryPath, metadata: &FileMetadata) -> Slot {
    let record = folder.metadata(path);
    let name = record.file_name().unwrap_or_default().as_encoded_bytes();
    let stem = format!("{}.{}", URL_SAFE.encode(Sha1::digest(name)), metadata.etag);
    let dir = record.parent().map(Path::to_path_buf).unwrap_or_default();
    Slot { dir, stem, etag: metadata.etag.clone(), size: metadata.size }
}

/// Excludes the metadata from version control and backups.
fn mark(folder: &LocalDir) -> Result<()> {
    let ignore = folder.state().join(".gitignore");
    if !ignore.exists() {
        write_atomically(&ignore, b"*")?;
    }
    cache::write_tag(&folder.state().join("CACHEDIR.TAG"));
    Ok(())
}

fn remember(folder: &LocalDir, path: &EntryPath, metadata: &FileMetadata) -> Result<()> {
    mark(folder)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let record = format!("{}\n{}\n{now}\n", metadata.commit, metadata.etag);
    write_atomically(&folder.metadata(path), record.as_bytes())
}

/// Returns the metadata, unless the file was changed after it was written. An unreadable metadata
/// file is removed, as in the Python client; everything that client can read is accepted.
fn read_record(folder: &LocalDir, path: &EntryPath) -> Option<Record> {
    let sidecar = folder.metadata(path);
    let mut bytes = Vec::new();
    disk::open_regular(&sidecar).ok()?.take(LONGEST_RECORD).read_to_end(&mut bytes).ok()?;
    let Some((record, written)) = std::str::from_utf8(&bytes).ok().and_then(parse_record) else {
        let _ = fs::remove_file(&sidecar);
        return None;
    };
    let changed = fs::metadata(folder.file(path)).ok()?.modified().ok()?;
    let changed = changed.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    // One second of tolerance: not every file system stores fractions.
    (changed - 1.0 <= written).then_some(record)
}

/// Parses commit, etag and time, each on a line of its own, with any line ending.
fn parse_record(text: &str) -> Option<(Record, f64)> {
    let text = disk::plain(text).replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').map(str::trim);
    let (commit, etag, time) = (lines.next()?, lines.next()?, lines.next()?);
    let record = Record { commit: commit.to_owned(), etag: Etag::parse(etag).ok() };
    Some((record, time.parse().ok()?))
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| Error::io("create the folder", parent, source))
}

#[cfg(test)]
mod tests;
