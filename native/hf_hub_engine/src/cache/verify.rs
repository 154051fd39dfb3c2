//! Verifies the contents of a cache by hashing every blob again.
//!
//! Read-only. A blob must have the hash of the commit's listing, if that is stored, and otherwise
//! the hash in its own name. Each blob is read once, however many revisions reference it. A listed
//! file that was never downloaded is *absent*, which is not an error.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    base::{
        disk::open_regular,
        error::{Error, ErrorKind, Result},
        etag::{Etag, Proof},
        hash::{self, Hasher, Verdict},
        ids::{self, Commit, Repo},
        output,
        progress::{Activity, FileProgress, Progress},
        thread_pool,
    },
    cache::{
        inventory::{self, Inventory, Revision, relative},
        layout::{CacheDir, RepoDir},
        lease, scan,
        tree::Tree,
    },
};

/// What to verify.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// One repository; `None` for all.
    pub repo: Option<Repo>,
    /// One revision of it; `None` for all.
    pub revision: Option<ids::Revision>,
    /// Number of files hashed in parallel; by default, one per processor.
    pub max_workers: Option<usize>,
}

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Number of files of all revisions.
    pub total_files: usize,
    /// Number of valid files.
    pub valid_files: usize,
    /// Number of corrupted files.
    pub corrupted_files: usize,
    /// Number of files whose blob is missing.
    pub missing_files: usize,
    /// Number of files without a known checksum.
    pub missing_checksum: usize,
    /// Bytes hashed.
    pub checked_bytes: u64,
    /// Files that are invalid or could not be verified.
    pub problems: Vec<Problem>,
    /// Results by revision.
    pub revisions: Vec<Checked>,
}

/// A file with a problem.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// `model`, `dataset`, `space` or `kernel`.
    pub repo_type: &'static str,
    /// The id, as on the Hub.
    pub repo_id: String,
    /// The commit.
    pub commit: String,
    /// The path in the repository.
    pub filename: String,
    /// Its path on disk.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// Its blob, one hop away.
    #[serde(serialize_with = "output::path")]
    pub blob_path: PathBuf,
    /// What is wrong.
    pub status: Status,
    /// `sha256` or `git-sha1`, if the expected hash is known.
    pub algorithm: Option<&'static str>,
    /// The expected hash.
    pub expected: Option<String>,
    /// The actual hash, or why it cannot be read.
    pub actual: Option<String>,
}

/// The problems of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The content does not match its hash.
    Corrupted,
    /// The blob is missing.
    Missing,
    /// The blob cannot be read.
    Unreadable,
    /// No checksum is known.
    NoChecksum,
}

/// The result for one revision.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// `model`, `dataset`, `space` or `kernel`.
    pub repo_type: &'static str,
    /// The id, as on the Hub.
    pub repo_id: String,
    /// The commit.
    pub commit: String,
    /// The folder.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// Whether the commit's listing is stored, which `absent` and `extra` require.
    pub listed: bool,
    /// Number of files that were compared with a checksum.
    pub checked: usize,
    /// Files of the commit that are not in the cache.
    pub absent: Vec<String>,
    /// Files in the cache that are not part of the commit.
    pub extra: Vec<String>,
}

/// A blob to hash.
#[derive(PartialEq, Eq, Hash, Clone, PartialOrd, Ord)]
struct Content {
    blob: PathBuf,
    proof: Proof,
}

/// A file to verify.
struct Item {
    problem: Problem,
    etag: Option<Etag>,
    content: Option<Content>,
}

/// Verifies a cache. `stop` is polled between blocks.
pub fn run(
    cache: &CacheDir,
    spec: &Spec,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Report> {
    let folders = match &spec.repo {
        Some(repo) => BTreeSet::from([repo.folder_name().into()]),
        None => scan::entries(cache)?,
    };
    let commit = match (&spec.repo, &spec.revision) {
        (Some(repo), Some(revision)) => {
            let commit = cache.repo(repo).commit_of(revision);
            Some(commit.ok_or_else(|| lease::not_cached(repo, revision))?)
        }
        _ => None,
    };
    let mut report = Report::default();
    let read = thread_pool::run(spec.max_workers, || {
        let mut items = Vec::new();
        for folder in folders {
            let Some((repo_type, repo_id)) = scan::identity(&folder) else { continue };
            let dir = cache.folder(&folder);
            let inventory = Inventory::read(&dir);
            let wanted = |revision: &&Revision| {
                commit.as_ref().is_none_or(|commit| commit.as_str() == revision.commit)
            };
            for revision in inventory.revisions.iter().filter(wanted) {
                let (found, checked) = judge(&dir, (repo_type, &repo_id), &inventory, revision);
                items.extend(found);
                report.revisions.push(checked);
            }
        }
        let hashes = hash_all(&items, progress, stop)?;
        Ok((items, hashes))
    })?;
    let (items, hashes) = read?;
    report.checked_bytes = hashes.values().flatten().map(|(_, read)| read).sum();
    for item in items {
        conclude(item, &hashes, &mut report);
    }
    Ok(report)
}

/// Determines the expected checksum of each file of a revision.
fn judge(
    dir: &RepoDir,
    (repo_type, repo_id): (&'static str, &str),
    inventory: &Inventory,
    revision: &Revision,
) -> (Vec<Item>, Checked) {
    let commit = Commit::parse(&revision.commit).ok();
    let tree = commit.as_ref().and_then(|commit| Tree::read(&dir.tree(commit)));
    let listed: Option<BTreeMap<&str, Etag>> = tree.as_ref().map(|tree| {
        tree.files().filter_map(|(path, entry)| Some((path.as_str(), entry.etag().ok()?))).collect()
    });
    let mut items = Vec::with_capacity(revision.files.len());
    let (mut here, mut checked, mut extra) = (BTreeSet::new(), 0, Vec::new());
    for file in &revision.files {
        let filename = relative(&revision.path, &file.path);
        let named = listed.as_ref().and_then(|listed| listed.get(filename.as_str()).cloned());
        let is_there = inventory.blob(&file.blob).is_some();
        if is_there {
            checked += usize::from(named.is_some());
            here.insert(filename.clone());
            if listed.is_some() && named.is_none() {
                extra.push(filename.clone());
            }
        }
        let etag = named.filter(Etag::is_proof).or_else(|| own_name(dir, &file.blob));
        let etag = etag.filter(Etag::is_proof);
        let etag = etag.map(|etag| match &commit {
            Some(commit) => etag.at(commit),
            None => etag,
        });
        items.push(item((repo_type, repo_id), revision, file, filename, etag, is_there));
    }
    let all = listed.iter().flat_map(BTreeMap::keys);
    let absent = all.filter(|name| !here.contains(**name)).map(|name| (*name).to_owned()).collect();
    let checked = Checked {
        repo_type,
        repo_id: repo_id.to_owned(),
        commit: revision.commit.clone(),
        path: revision.path.clone(),
        listed: listed.is_some(),
        checked,
        absent,
        extra,
    };
    (items, checked)
}

fn item(
    (repo_type, repo_id): (&'static str, &str),
    revision: &Revision,
    file: &inventory::File,
    filename: String,
    etag: Option<Etag>,
    is_there: bool,
) -> Item {
    let proof = etag.as_ref().map_or(Proof::None, Etag::proof);
    let problem = Problem {
        repo_type,
        repo_id: repo_id.to_owned(),
        commit: revision.commit.clone(),
        filename,
        path: file.path.clone(),
        blob_path: file.blob.clone(),
        status: if is_there { Status::NoChecksum } else { Status::Missing },
        algorithm: proof.name(),
        expected: etag.as_ref().and_then(|etag| Some(etag.checksums().first()?.hex().to_owned())),
        actual: None,
    };
    let content = (is_there && etag.is_some()).then(|| Content { blob: file.blob.clone(), proof });
    Item { problem, etag, content }
}

/// Returns the etag in a blob's name, if it is in the repository's blobs folder.
fn own_name(dir: &RepoDir, blob: &Path) -> Option<Etag> {
    let name = blob.file_name().filter(|_| blob.parent() == Some(&dir.blobs()))?.to_str()?;
    Etag::of_blob(name)
}

/// The hash of each blob, or why there is none.
type Hashes = HashMap<Content, std::result::Result<(String, u64), String>>;

fn hash_all(
    items: &[Item],
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Hashes> {
    let distinct: BTreeSet<&Content> =
        items.iter().filter_map(|item| item.content.as_ref()).collect();
    let mut contents: Vec<(u64, &Content)> = distinct
        .into_iter()
        .map(|content| {
            (std::fs::metadata(&content.blob).map_or(0, |metadata| metadata.len()), content)
        })
        .collect();
    // The largest first, so that no thread is left alone with a large one at the end.
    contents.sort_by(|a, b| b.cmp(a));
    progress.add_files(contents.len() as u64);
    progress.set_activity(Activity::Downloading, None);
    // Announced at once, so that the total is known from the beginning.
    let announced: Vec<_> = contents
        .into_iter()
        .map(|(size, content)| {
            (content, progress.start_file(&content.blob.to_string_lossy(), Some(size)))
        })
        .collect();
    announced
        .into_par_iter()
        .map(|(content, file)| {
            let hashed = hash(&content.blob, content.proof, &file, stop);
            if stop() {
                return Err(Error::new(ErrorKind::Cancelled, "the verification was cancelled"));
            }
            file.finish();
            Ok((content.clone(), hashed.map_err(|error| error.to_string())))
        })
        .collect()
}

/// Returns the hash of a file and its size. `stop` is polled between blocks.
pub(crate) fn hash(
    path: &Path,
    proof: Proof,
    progress: &FileProgress,
    stop: &(dyn Fn() -> bool + Sync),
) -> std::io::Result<(String, u64)> {
    let mut file = open_regular(path)?;
    let size = file.metadata()?.len();
    let mut hasher = Hasher::new(proof, Some(size)).ok_or(std::io::ErrorKind::Unsupported)?;
    let (mut buffer, mut read) = (vec![0; 256 << 10], 0);
    while !stop() {
        match file.read(&mut buffer)? {
            0 => break,
            n => {
                hasher.update(&buffer[..n]);
                progress.received(n as u64);
                read += n as u64;
            }
        }
    }
    Ok((hasher.finish(), read))
}

/// Whether one of the checksums matches; `actual` is the hash of the first one's kind.
fn is_right(blob: &Path, etag: Option<&Etag>, actual: &str) -> bool {
    let verdict = etag.map(|etag| hash::prove(blob, etag, Some(actual.to_owned())));
    matches!(verdict, Some(Ok(Verdict::Right(_))))
}

fn conclude(item: Item, hashes: &Hashes, report: &mut Report) {
    let mut problem = item.problem;
    let result = item.content.as_ref().and_then(|content| hashes.get(content));
    // A file that was removed meanwhile is neither corrupt nor missing.
    if !matches!(result, Some(Ok(_))) && std::fs::symlink_metadata(&problem.path).is_err() {
        return;
    }
    report.total_files += 1;
    match result {
        Some(Ok((actual, _))) if is_right(&problem.blob_path, item.etag.as_ref(), actual) => {
            report.valid_files += 1;
            return;
        }
        Some(Ok((actual, _))) => {
            report.corrupted_files += 1;
            problem.status = Status::Corrupted;
            problem.actual = Some(actual.clone());
        }
        Some(Err(why)) => {
            report.missing_files += 1;
            problem.status = Status::Unreadable;
            problem.actual = Some(why.clone());
        }
        None if problem.status == Status::Missing => report.missing_files += 1,
        None => report.missing_checksum += 1,
    }
    report.problems.push(problem);
}
