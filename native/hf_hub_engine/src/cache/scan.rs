//! Scans a cache: the figures of the Python client's `scan_cache_dir`, and its warnings.
//!
//! Read-only. As in the Python client, a repository with a problem is reported as a warning and not
//! counted.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Serialize, Serializer};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        hint::Hint,
        lock, output, thread_pool,
    },
    cache::{
        inventory::{Inventory, Stamp, Trouble, is_helper},
        layout::{CacheDir, FOLDER_TYPES, RepoDir},
        store::Store,
    },
};

/// The result of a scan.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The cache.
    #[serde(serialize_with = "output::path")]
    pub cache_dir: PathBuf,
    /// Size on disk in bytes; each blob counts once.
    pub size_on_disk: u64,
    /// The repositories without problems, sorted by folder.
    pub repos: Vec<Repo>,
    /// Partial files of interrupted downloads.
    pub incomplete_files: Vec<Leftover>,
    /// Size on disk of the partial files in bytes, not included in `size_on_disk`.
    pub incomplete_size: u64,
    /// Blobs in the shared store that no repository uses.
    pub unreferenced_blobs: Vec<Leftover>,
    /// Problems, one for each repository or stray file.
    pub warnings: Vec<Warning>,
}

/// One repository.
#[derive(Debug, Serialize)]
pub struct Repo {
    /// The id, as on the Hub.
    pub repo_id: String,
    /// `model`, `dataset`, `space` or `kernel`.
    pub repo_type: &'static str,
    /// Its folder.
    #[serde(serialize_with = "output::path")]
    pub repo_path: PathBuf,
    /// Size of its blobs in bytes; each counts once.
    pub size_on_disk: u64,
    /// Number of blobs.
    pub nb_files: usize,
    /// Size on disk of its partial files in bytes.
    pub incomplete_size: u64,
    /// Its snapshots, sorted by commit.
    pub revisions: Vec<Revision>,
    /// When one of its blobs was last read.
    pub last_accessed: Stamp,
    /// When one of its blobs was last modified.
    pub last_modified: Stamp,
}

/// One snapshot.
#[derive(Debug, Serialize)]
pub struct Revision {
    /// The commit.
    pub commit_hash: String,
    /// Its folder.
    #[serde(serialize_with = "output::path")]
    pub snapshot_path: PathBuf,
    /// Its files, sorted by path.
    pub files: Vec<File>,
    /// The refs that point to it, sorted.
    pub refs: Vec<String>,
    /// Size of its blobs in bytes; each counts once.
    pub size_on_disk: u64,
    /// When one of its blobs was last modified.
    pub last_modified: Stamp,
    /// When it was last used: read, written or leased.
    pub last_used: Stamp,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Whether a process holds a lease.
    pub leased: bool,
    /// Whether it has the layout of `hf_hub` 0.3.
    #[serde(skip)]
    pub is_old: bool,
}

/// One file of a snapshot.
#[derive(Debug, Serialize)]
pub struct File {
    /// Its name, without folders.
    pub file_name: String,
    /// Its path.
    #[serde(serialize_with = "output::path")]
    pub file_path: PathBuf,
    /// Its blob, one hop away.
    #[serde(serialize_with = "output::path")]
    pub blob_path: PathBuf,
    /// Size in bytes.
    pub size_on_disk: u64,
    /// When the blob was last read.
    pub blob_last_accessed: Stamp,
    /// When the blob was last modified.
    pub blob_last_modified: Stamp,
}

/// A file that belongs to no snapshot.
#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// Its path.
    #[serde(serialize_with = "output::path")]
    pub file_path: PathBuf,
    /// Size in bytes, by its length.
    pub size_on_disk: u64,
}

impl Leftover {
    /// Returns the size on disk: a partial file has gaps, so its length is too large.
    pub(crate) fn occupied(&self) -> u64 {
        fs::symlink_metadata(&self.file_path).map_or(0, |metadata| occupied(&metadata))
    }
}

/// Returns the size on disk of a file that may have gaps; 0 for a link.
#[cfg(unix)]
pub(crate) fn occupied(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    if metadata.is_file() { metadata.len().min(metadata.blocks() * 512) } else { 0 }
}

#[cfg(not(unix))]
pub(crate) fn occupied(metadata: &fs::Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
}

/// A problem.
#[derive(Debug, Serialize)]
pub struct Warning {
    /// Its kind.
    pub reason: Trouble,
    /// The path concerned.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// The message for the user.
    pub message: String,
    /// What the caller can do.
    #[serde(serialize_with = "hints")]
    pub hints: Vec<Hint>,
}

/// Writes hints like those of an error: maps with the name of the hint and its fields.
fn hints<S: Serializer>(hints: &[Hint], output: S) -> std::result::Result<S::Ok, S::Error> {
    serde_json::to_value(hints).ok().serialize(output)
}

/// Scans a cache, with one thread per processor.
pub fn run(cache: &CacheDir) -> Result<Report> {
    survey(cache, &[])
}

/// Scans like [`run`], but includes repositories whose only problems are `tolerated`.
pub(crate) fn survey(cache: &CacheDir, tolerated: &[Trouble]) -> Result<Report> {
    let entries = entries(cache)?;
    let store = Store::open(cache);
    let found: Vec<_> = thread_pool::run(None, || {
        let repos =
            entries.par_iter().filter(|name| !(store.is_some() && CacheDir::is_store(name)));
        repos.map(|name| (repo(cache, name, tolerated), leftovers(&cache.folder(name)))).collect()
    })?;
    let (mut repos, mut warnings, mut incomplete_files) = (Vec::new(), Vec::new(), Vec::new());
    for (scanned, leftovers) in found {
        match scanned {
            Ok(repo) => {
                let old = repo.revisions.iter().filter(|revision| revision.is_old);
                warnings
                    .extend(old.map(|old| warning(Trouble::OldLayout, &old.snapshot_path, None)));
                repos.push(repo);
            }
            Err(warning) => warnings.push(warning),
        }
        incomplete_files.extend(leftovers);
    }
    let occupied = incomplete_files.iter().map(Leftover::occupied);
    Ok(Report {
        cache_dir: cache.path().to_owned(),
        size_on_disk: physical_size(&repos, store.as_ref()),
        repos,
        incomplete_size: occupied.sum(),
        incomplete_files,
        unreferenced_blobs: unreferenced(store.as_ref()),
        warnings,
    })
}

/// Returns the names directly in a cache that may be repositories, sorted.
pub(crate) fn entries(cache: &CacheDir) -> Result<BTreeSet<std::ffi::OsString>> {
    let root = cache.path();
    let read = fs::read_dir(root).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            let message = format!("there is no cache at `{}`", root.display());
            Error::new(ErrorKind::NotCached, message).with_hints([Hint::AnotherCache])
        }
        _ => Error::io("read the cache", root, source),
    })?;
    let names = read.flatten().map(|entry| entry.file_name());
    Ok(names.filter(|name| !is_helper(name) && !CacheDir::is_reserved(name)).collect())
}

/// Returns the type and id that a folder's name stands for.
pub fn identity(name: &OsStr) -> Option<(&'static str, String)> {
    let name = name.to_string_lossy();
    let (prefix, id) = name.split_once("--")?;
    let (_, kind) = FOLDER_TYPES.iter().find(|(folder, _)| *folder == prefix)?;
    Some((kind, id.replace("--", "/")))
}

/// Whether a folder contains folders of repositories.
pub(crate) fn has_repos(cache: &CacheDir) -> bool {
    entries(cache).is_ok_and(|names| names.iter().any(|name| identity(name).is_some()))
}

fn repo(
    cache: &CacheDir,
    name: &OsStr,
    tolerated: &[Trouble],
) -> std::result::Result<Repo, Warning> {
    let dir = cache.folder(name);
    let Some((repo_type, repo_id)) = identity(name) else {
        let reason = match dir.path() {
            path if path == cache.below().path() && has_repos(&cache.below()) => {
                Trouble::CacheBelow
            }
            path if path.is_dir() => Trouble::NotARepo,
            _ => Trouble::NotAFolder,
        };
        return Err(warning(reason, dir.path(), None));
    };
    let mut inventory = Inventory::read(&dir);
    if !inventory.problems.is_empty() {
        // A removal or download in progress may have just ended.
        inventory = Inventory::read(&dir);
    }
    match inventory.problems.iter().find(|problem| !tolerated.contains(&problem.trouble)) {
        Some(problem) => Err(warning(problem.trouble, &problem.path, problem.detail.as_deref())),
        None => Ok(figures(&dir, repo_type, repo_id, &inventory)),
    }
}

fn figures(dir: &RepoDir, repo_type: &'static str, repo_id: String, inventory: &Inventory) -> Repo {
    let stats: Vec<_> = inventory.stats().collect();
    let own = fs::metadata(dir.path());
    let own = |time: fn(&fs::Metadata) -> std::io::Result<std::time::SystemTime>| {
        own.as_ref()
            .map_or(Stamp::default(), |metadata| crate::cache::inventory::stamp(&time(metadata)))
    };
    let held = marks(dir);
    Repo {
        repo_id,
        repo_type,
        repo_path: dir.path().to_owned(),
        size_on_disk: stats.iter().map(|stat| stat.size).sum(),
        nb_files: stats.len(),
        incomplete_size: leftovers(dir).iter().map(Leftover::occupied).sum(),
        revisions: inventory
            .revisions
            .iter()
            .map(|found| revision(dir, inventory, found, &held))
            .collect(),
        last_accessed: stats
            .iter()
            .map(|stat| stat.accessed)
            .max()
            .unwrap_or_else(|| own(fs::Metadata::accessed)),
        last_modified: stats
            .iter()
            .map(|stat| stat.modified)
            .max()
            .unwrap_or_else(|| own(fs::Metadata::modified)),
    }
}

/// Returns the names of all pins and leases: one directory read instead of two checks per commit.
fn marks(dir: &RepoDir) -> HashSet<PathBuf> {
    fs::read_dir(dir.locks()).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn revision(
    dir: &RepoDir,
    inventory: &Inventory,
    found: &crate::cache::inventory::Revision,
    marks: &HashSet<PathBuf>,
) -> Revision {
    let distinct: HashMap<&OsStr, _> = found
        .files
        .iter()
        .filter_map(|file| Some((file.blob.as_os_str(), inventory.blob(&file.blob)?)))
        .collect();
    let modified = distinct.values().map(|stat| stat.modified).max();
    let used = distinct.values().map(|stat| stat.accessed.max(stat.modified)).max();
    let lease = dir.lease(&found.commit);
    let stamped = marks.contains(&lease).then(|| fs::metadata(&lease).ok()).flatten();
    let stamped = stamped
        .map_or(Stamp::default(), |metadata| crate::cache::inventory::stamp(&metadata.modified()));
    Revision {
        commit_hash: found.commit.clone(),
        snapshot_path: found.path.clone(),
        files: found.files.iter().filter_map(|found| file(inventory, found)).collect(),
        refs: inventory.refs_of(&found.commit),
        size_on_disk: distinct.values().map(|stat| stat.size).sum(),
        last_modified: modified.unwrap_or(found.modified),
        // The folder's own time is when it received its files: its blobs may be much older.
        last_used: used.unwrap_or_default().max(found.modified).max(stamped),
        pinned: marks.contains(&dir.pin(&found.commit)),
        leased: marks.contains(&lease) && lock::is_held(&lease),
        is_old: found.is_old(dir),
    }
}

fn file(inventory: &Inventory, found: &crate::cache::inventory::File) -> Option<File> {
    let stat = inventory.blob(&found.blob)?;
    Some(File {
        file_name: found.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        file_path: found.path.clone(),
        blob_path: found.blob.clone(),
        size_on_disk: stat.size,
        blob_last_accessed: stat.accessed,
        blob_last_modified: stat.modified,
    })
}

/// Returns partial files, by the extension that all clients use, whatever other problems the folder
/// has.
pub(crate) fn leftovers(dir: &RepoDir) -> Vec<Leftover> {
    let entries = fs::read_dir(dir.blobs()).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().ends_with(b".incomplete"))
        .filter_map(|entry| {
            let size_on_disk = fs::metadata(entry.path()).ok()?.len();
            Some(Leftover { file_path: entry.path(), size_on_disk })
        })
        .collect();
    found.sort();
    found
}

fn unreferenced(store: Option<&Store>) -> Vec<Leftover> {
    let found = store.map(Store::unreferenced).unwrap_or_default();
    found
        .into_iter()
        .map(|(file_path, size_on_disk)| Leftover { file_path, size_on_disk })
        .collect()
}

/// Returns the total size, each blob once: those of the repositories, and all in the store.
fn physical_size(repos: &[Repo], store: Option<&Store>) -> u64 {
    let mut own: HashMap<&OsStr, u64> = HashMap::new();
    for file in repos.iter().flat_map(|repo| &repo.revisions).flat_map(|revision| &revision.files) {
        own.insert(file.blob_path.as_os_str(), file.size_on_disk);
    }
    let Some(store) = store else { return own.values().sum() };
    let payloads = store.payloads();
    let stored: HashSet<&OsStr> = payloads.iter().map(|(payload, _)| payload.as_os_str()).collect();
    let own = own
        .iter()
        .filter(|(blob, _)| !stored.contains(**blob) && store.target(Path::new(blob)).is_none());
    own.map(|(_, size)| size).sum::<u64>() + payloads.iter().map(|(_, size)| size).sum::<u64>()
}

fn warning(reason: Trouble, path: &Path, detail: Option<&str>) -> Warning {
    let what = match reason {
        Trouble::NotAFolder => "unexpected file in the cache",
        Trouble::NotARepo => "a folder in the cache is not a repository",
        Trouble::NoSnapshots => "the snapshots folder is missing",
        Trouble::RefsNotAFolder => "the refs folder is a file",
        Trouble::Unreadable => "cannot be read",
        Trouble::StrayFile => "unexpected file among the snapshots",
        Trouble::MissingBlob => "a snapshot references a missing blob",
        Trouble::DanglingRef => "a ref names a missing commit",
        Trouble::OldLayout => "files of hf_hub 0.3, which are not used",
        Trouble::CacheBelow => "a cache below this one, where hf_hub 0.3 stored files",
    };
    let hint = match reason {
        Trouble::OldLayout => Some(Hint::Adopt),
        Trouble::CacheBelow => Some(Hint::UseCacheBelow { path: path.display().to_string() }),
        _ => None,
    };
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    Warning {
        reason,
        path: path.to_owned(),
        message: format!("{what}: `{}`{detail}", path.display()),
        hints: hint.into_iter().collect(),
    }
}
