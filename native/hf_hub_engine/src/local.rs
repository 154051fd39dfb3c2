//! A file into a plain folder, with the bookkeeping that the reference keeps there.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE};
use sha1::{Digest, Sha1};

use crate::{
    arrival::{self, Arrival},
    blocking,
    cache::{
        self,
        layout::{CacheDir, LocalDir, RepoDir},
        lock::Lock,
        partial::{Slot, Verified},
        write_atomically,
    },
    download::{self, Report, Spec},
    error::{Error, ErrorKind, Result},
    explain,
    flights::Key,
    hash,
    hub::Hub,
    metadata::{Content, FileMetadata},
    names::{Commit, EntryPath},
    progress::Progress,
};

/// `None` when the file has changed on the Hub meanwhile.
pub(crate) async fn to_folder(
    hub: &Hub,
    spec: &Spec,
    folder: &LocalDir,
    cache: &CacheDir,
    progress: &Progress,
) -> Result<Option<Report>> {
    let here = {
        let (folder, spec) = (folder.clone(), spec.clone());
        blocking::run(move || Here::look(&folder, &spec)).await
    };
    if let Some(commit) = spec.revision.as_commit().filter(|commit| here.is_of(commit)) {
        return Ok(Some(here.report(spec, Some(commit), progress)));
    }
    let (metadata, content) = match download::look_up(hub, spec, here.exists, progress).await {
        Ok(located) => located,
        Err(error) if here.exists && error.allows_fallback() => {
            let report = here.report(spec, None, progress);
            return Ok(Some(Report { stale: explain::stale(&error), ..report }));
        }
        Err(error) if error.kind() == ErrorKind::EntryNotFound => {
            return Err(
                explain::with_similar_names(hub, spec, &cache.repo(&spec.repo), error).await
            );
        }
        Err(error) => return Err(explain::not_cached(&explain::named(spec), spec.mode, error)),
    };
    if spec.mode.dry_run {
        return Ok(Some(here.plan(spec, &metadata)));
    }
    download::check_announced(spec, &metadata)?;
    let key = Key::new(folder.file(&spec.path), spec.mode.force, hub, &metadata);
    let journey = |content, progress| {
        let (hub, spec, folder, cache) = (hub.clone(), spec.clone(), folder.clone(), cache.clone());
        fetch(hub, spec, folder, cache, metadata.clone(), content, progress)
    };
    let (landed, _) = download::share(spec, &metadata, key, content, progress, journey).await?;
    Ok(landed.map(|report| Report { commit: Some(metadata.commit), ..report }))
}

/// Fetches the content, unless it is here, in the cache, or on its way by another process.
async fn fetch(
    hub: Hub,
    spec: Spec,
    folder: LocalDir,
    cache: CacheDir,
    metadata: FileMetadata,
    content: Option<Content>,
    progress: Progress,
) -> Result<Option<Report>> {
    // Whoever shares the flight sees in its progress what it waits for.
    let hub = Hub { watch: progress.clone(), ..hub };
    let lock = Arc::new(arrival::wait_for_lock(folder.lock(&spec.path), &progress).await?);
    let settled = {
        let (folder, repo, spec) = (folder.clone(), cache.repo(&spec.repo), spec.clone());
        let (metadata, lock) = (metadata.clone(), lock.clone());
        let settle = move || settle_without_network(&folder, &repo, &spec, &metadata, &lock);
        blocking::run(settle).await?
    };
    if settled {
        let (path, commit) = (folder.file(&spec.path), Some(metadata.commit));
        return Ok(Some(Report::here(path, &spec.path, commit, metadata.size)));
    }
    let slot = slot(&folder, &spec.path, &metadata);
    let publish = {
        let (spec, metadata) = (spec.clone(), metadata.clone());
        move |verified: Verified| {
            let (path, size) = (folder.file(&spec.path), verified.size());
            create_parent(&path)?;
            verified.publish(&path)?;
            remember(&folder, &spec.path, &metadata)?;
            Ok(download::fresh_report(&spec.path, &metadata, path, size))
        }
    };
    let arrival = Arrival { hub: &hub, spec: &spec, metadata: &metadata, slot, lock };
    arrival.receive(content, &progress, Arc::new(publish)).await
}

/// What an earlier download left in the folder.
struct Here {
    path: PathBuf,
    exists: bool,
    record: Option<Record>,
}

/// The sidecar of a file: which content it was when it arrived.
struct Record {
    commit: String,
    etag: String,
}

impl Here {
    fn look(folder: &LocalDir, spec: &Spec) -> Self {
        let path = folder.file(&spec.path);
        let exists = !spec.mode.force && path.is_file();
        let record = if exists { read_record(folder, &spec.path) } else { None };
        Self { path, exists, record }
    }

    fn is_of(&self, commit: &Commit) -> bool {
        self.record.as_ref().is_some_and(|record| record.commit == commit.as_str())
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
        let same = self.record.as_ref().is_some_and(|record| record.etag == metadata.etag.as_str());
        let commit = Some(metadata.commit.clone());
        let report = Report::here(self.path.clone(), &spec.path, commit, metadata.size);
        Report { cached: same, will_download: !same, ..report }
    }
}

/// True if the file at hand, or the cache's copy, is what the Hub has.
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
    let path = folder.file(&spec.path);
    let same = path.is_file()
        && match read_record(folder, &spec.path) {
            Some(record) => record.etag == metadata.etag.as_str(),
            None => {
                hash::file(&path, metadata.etag.proof())?.as_deref() == Some(metadata.etag.as_str())
            }
        };
    if !same {
        let Some(copy) = repo.find(&metadata.commit, &spec.path) else { return Ok(false) };
        create_parent(&path)?;
        // As a partial among ours: what a crash leaves is found there and cleared away.
        let slot = slot(folder, &spec.path, metadata);
        cache::copy_by_way_of(&slot.unused_path(), &copy, &path)
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

/// Keeps version control and backup programs out of the bookkeeping.
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

/// The sidecar, unless the file was changed after it was written. An unreadable one is removed.
fn read_record(folder: &LocalDir, path: &EntryPath) -> Option<Record> {
    let sidecar = folder.metadata(path);
    let file = File::open(&sidecar).ok()?;
    let mut lines = BufReader::new(file).lines().map_while(io::Result::ok);
    let parsed =
        (|| Some((lines.next()?, lines.next()?, lines.next()?.trim().parse::<f64>().ok()?)))();
    let Some((commit, etag, time)) = parsed else {
        let _ = fs::remove_file(&sidecar);
        return None;
    };
    let written = Duration::try_from_secs_f64(time).ok()?;
    let changed =
        fs::metadata(folder.file(path)).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    // A second of slack: not every file system keeps fractions.
    (changed <= written + Duration::from_secs(1))
        .then(|| Record { commit: commit.trim().to_owned(), etag: etag.trim().to_owned() })
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| Error::io("create the folder", parent, source))
}
