//! Reads the contents of one repository's folder: refs, snapshots, blobs, and problems.
//!
//! Read-only. Names are returned as found, so they are not trusted to be commits or etags. Links
//! are followed one hop, to the blob, never further.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use rayon::prelude::*;
use serde::{Serialize, Serializer};

use crate::{
    base::{disk::is_absence, ids::Commit},
    cache::{
        self,
        layout::{RepoDir, normalize},
    },
};

/// The contents of one repository's folder.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The refs, sorted by name.
    pub refs: Vec<Ref>,
    /// The snapshots, sorted by commit.
    pub revisions: Vec<Revision>,
    /// The blobs that snapshots reference; `None` for a missing one. Keyed by the path as text:
    /// comparing and hashing a `Path` part by part costs as much as a system call.
    blobs: HashMap<OsString, Option<Stat>>,
    /// The problems, in the order in which the Python client finds them.
    pub problems: Vec<Problem>,
}

/// A branch, a tag or another ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// Its name: `main`, `refs/pr/1`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The text of the file, usually a commit.
    pub commit: String,
}

/// A snapshot.
#[derive(Debug)]
pub struct Revision {
    /// The folder's name, usually a commit.
    pub commit: String,
    /// The folder.
    pub path: PathBuf,
    /// When the folder was last modified.
    pub modified: Stamp,
    /// Its files.
    pub files: Vec<File>,
}

/// A file of a snapshot.
#[derive(Debug)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// Its blob: the first hop of a link, or the file itself.
    pub blob: PathBuf,
}

impl Revision {
    /// Whether the folder has the name of a branch or tag, and not that of a commit of the Hub.
    pub(crate) fn names_a_ref(&self) -> bool {
        Commit::parse(&self.commit).is_ok_and(|commit| !commit.is_immutable())
    }

    /// Whether `hf_hub` 0.3 has filled it. Other servers may have commits with such names, whose files
    /// are plain where links are not supported; a listing shows that another client wrote them.
    pub(crate) fn is_old(&self, dir: &RepoDir) -> bool {
        self.names_a_ref()
            && self.files.iter().any(File::is_plain)
            && Commit::parse(&self.commit).is_ok_and(|commit| !dir.tree(&commit).exists())
    }
}

impl File {
    /// Whether it is not a link, nor a file of the operating system.
    pub(crate) fn is_plain(&self) -> bool {
        self.blob == self.path && !self.path.file_name().is_some_and(is_helper)
    }
}

/// A time in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub i64);

/// As microseconds since 1970.
impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, output: S) -> std::result::Result<S::Ok, S::Error> {
        output.serialize_i64(self.0.div_euclid(1000))
    }
}

/// Size and times of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Size in bytes.
    pub size: u64,
    /// When it was last read, as far as the file system records that.
    pub accessed: Stamp,
    /// When it was last modified.
    pub modified: Stamp,
}

/// Problems with a repository's folder, in the order in which the Python client finds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It is not a folder.
    NotAFolder,
    /// Its name is not that of a repository.
    NotARepo,
    /// It has no snapshots folder.
    NoSnapshots,
    /// The refs folder is a file.
    RefsNotAFolder,
    /// Something in it cannot be read.
    Unreadable,
    /// There is a file among the snapshots.
    StrayFile,
    /// A snapshot references a missing blob.
    MissingBlob,
    /// A ref names a missing commit.
    DanglingRef,
    /// A snapshot has the layout of `hf_hub` 0.3.
    OldLayout,
    /// A folder in the cache is a cache itself: that of `hf_hub` 0.3.
    CacheBelow,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub trouble: Trouble,
    /// The path concerned.
    pub path: PathBuf,
    /// Details for the user.
    pub detail: Option<String>,
}

/// Whether it is a helper file that operating systems create, such as `.DS_Store`.
pub fn is_helper(name: &OsStr) -> bool {
    name == ".DS_Store" || name == "Thumbs.db" || name == "desktop.ini"
}

impl Stat {
    /// Reads size and times, following links.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&fs::Metadata> for Stat {
    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            size: metadata.len(),
            accessed: stamp(&metadata.accessed()),
            modified: stamp(&metadata.modified()),
        }
    }
}

/// Converts a file time; 1970 where the file system keeps no times.
pub fn stamp(time: &io::Result<SystemTime>) -> Stamp {
    let Ok(time) = time else { return Stamp::default() };
    let signed =
        |duration: std::time::Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Stamp(signed(after)),
        Err(before) => Stamp(-signed(before.duration())),
    }
}

impl Inventory {
    /// Reads a repository's folder.
    pub fn read(repo: &RepoDir) -> Self {
        let mut inventory = Self::default();
        if !repo.path().is_dir() {
            inventory.trouble(Trouble::NotAFolder, repo.path());
        } else if !repo.snapshots().is_dir() {
            inventory.trouble(Trouble::NoSnapshots, &repo.snapshots());
        } else {
            inventory.read_refs(&repo.refs());
            inventory.read_snapshots(repo);
            inventory.find_dangling_refs(repo);
            inventory.problems.sort_by_key(|problem| problem.trouble);
        }
        inventory
    }

    /// Returns size and times of a blob; `None` if it is missing.
    pub fn blob(&self, path: &Path) -> Option<Stat> {
        self.blobs.get(path.as_os_str()).copied().flatten()
    }

    /// Whether a snapshot references this blob, existing or not.
    pub fn shows(&self, path: &Path) -> bool {
        self.blobs.contains_key(path.as_os_str())
    }

    /// Returns the blobs that exist.
    pub fn stats(&self) -> impl Iterator<Item = &Stat> {
        self.blobs.values().flatten()
    }

    /// Whether everything could be read. If not, a blob that seems unreferenced may be referenced.
    pub fn is_complete(&self) -> bool {
        self.unread().is_none()
    }

    /// Returns what could not be read, and why.
    pub fn unread(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.trouble == Trouble::Unreadable)
    }

    /// Returns the names of the refs that point to a commit.
    pub fn refs_of(&self, commit: &str) -> Vec<String> {
        self.refs.iter().filter(|r| r.commit == commit).map(|r| r.name.clone()).collect()
    }

    fn trouble(&mut self, trouble: Trouble, path: &Path) {
        self.problems.push(Problem { trouble, path: path.to_owned(), detail: None });
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let detail = Some(error.to_string());
        self.problems.push(Problem { trouble: Trouble::Unreadable, path: path.to_owned(), detail });
    }

    fn read_refs(&mut self, refs: &Path) {
        if refs.is_file() {
            return self.trouble(Trouble::RefsNotAFolder, refs);
        }
        let Walk { files, errors, .. } = walk(refs);
        for (path, error) in
            errors.into_iter().filter(|(_, error)| error.kind() != io::ErrorKind::NotFound)
        {
            self.unreadable(&path, &error);
        }
        for path in files {
            let name = path.strip_prefix(refs).unwrap_or(&path).to_string_lossy().into_owned();
            if path.file_name().is_some_and(is_helper) || is_temporary(&name) || path.is_dir() {
                continue;
            }
            match cache::read_ref(&path) {
                Ok(commit) => self.refs.push(Ref { name, path, commit }),
                // Replaced or removed while it is read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.unreadable(&path, &error),
            }
        }
        self.refs.sort_by(|a, b| a.name.cmp(&b.name));
    }

    fn read_snapshots(&mut self, repo: &RepoDir) {
        let snapshots = repo.snapshots();
        let entries =
            match fs::read_dir(&snapshots).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(entries) => entries,
                Err(error) => return self.unreadable(&snapshots, &error),
            };
        let mut folders = Vec::new();
        for entry in entries.into_iter().filter(|entry| !is_helper(&entry.file_name())) {
            let path = entry.path();
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {
                    folders.push((path, stamp(&metadata.modified())));
                }
                Ok(_) => self.trouble(Trouble::StrayFile, &path),
                Err(error) if is_absence(&error) => self.trouble(Trouble::MissingBlob, &path),
                Err(error) => self.unreadable(&path, &error),
            }
        }
        folders.sort();
        let blobs = repo.blobs();
        let read: Vec<_> = folders
            .into_par_iter()
            .map(|(path, modified)| read_snapshot(path, modified, &blobs))
            .collect();
        for (revision, errors) in read {
            for (path, error) in errors {
                self.unreadable(&path, &error);
            }
            self.revisions.push(revision);
        }
        self.stat_blobs();
    }

    /// Reads each blob once, however many snapshots reference it.
    fn stat_blobs(&mut self) {
        let files = self.revisions.iter().flat_map(|revision| &revision.files);
        let mut distinct: Vec<&OsStr> = files.map(|file| file.blob.as_os_str()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let found: Vec<_> = distinct
            .into_par_iter()
            .with_min_len(64)
            .map(|blob| (blob.to_owned(), fs::metadata(blob)))
            .collect();
        let (mut folders, mut missing) = (HashSet::new(), Vec::new());
        for (blob, metadata) in found {
            match metadata {
                // A link to a folder is not a file of the snapshot.
                Ok(metadata) if metadata.is_dir() => drop(folders.insert(blob)),
                Ok(metadata) => drop(self.blobs.insert(blob, Some(Stat::from(&metadata)))),
                Err(error) => {
                    missing.push((PathBuf::from(&blob), error));
                    self.blobs.insert(blob, None);
                }
            }
        }
        if !folders.is_empty() {
            for revision in &mut self.revisions {
                revision.files.retain(|file| !folders.contains(file.blob.as_os_str()));
            }
        }
        for (blob, error) in missing {
            if is_absence(&error) {
                self.trouble(Trouble::MissingBlob, &blob);
            } else {
                self.unreadable(&blob, &error);
            }
        }
    }

    fn find_dangling_refs(&mut self, repo: &RepoDir) {
        let known: HashSet<&str> =
            self.revisions.iter().map(|revision| revision.commit.as_str()).collect();
        let dangling: Vec<_> =
            self.refs.iter().filter(|r| !known.contains(r.commit.as_str())).cloned().collect();
        for found in dangling {
            let detail = Some(format!("{} contains {:?}", found.name, shorten(&found.commit)));
            let path = repo.path().to_owned();
            self.problems.push(Problem { trouble: Trouble::DanglingRef, path, detail });
        }
    }
}

/// Whether a file name is that of a temporary file, as this library and the Python client use.
pub fn is_temporary(name: &str) -> bool {
    name.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.')).is_some_and(|(_, random)| {
        random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}

fn read_snapshot(
    path: PathBuf,
    modified: Stamp,
    blobs: &Path,
) -> (Revision, Vec<(PathBuf, io::Error)>) {
    let Walk { files, errors, .. } = walk(&path);
    let read = files.into_par_iter().with_min_len(64).map(|path| {
        let blob = match fs::read_link(&path) {
            Ok(target) => content(&path, &target, blobs),
            Err(_) => path.clone(),
        };
        File { path, blob }
    });
    let mut files: Vec<File> = read.collect();
    files.sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    let commit = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (Revision { commit, path, modified, files }, errors)
}

/// Returns the files of a snapshot that are dangling links, as paths in the repository.
pub fn lost(snapshot: &Path) -> Vec<String> {
    let mut files = walk(snapshot).files;
    files.retain(|file| fs::metadata(file).is_err_and(|error| is_absence(&error)));
    files.sort();
    files.iter().map(|file| relative(snapshot, file)).collect()
}

/// Returns the path in the repository.
pub fn relative(snapshot: &Path, file: &Path) -> String {
    let below = file.strip_prefix(snapshot).unwrap_or(file);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// Returns the blob that a link references. A link that names the blobs folder in another way, for
/// example by an absolute path where the cache is reached through a link, references the same blob
/// as all others.
fn content(link: &Path, target: &Path, blobs: &Path) -> PathBuf {
    let found = normalize(&link.parent().unwrap_or(link).join(target));
    let (Some(folder), Some(name)) = (found.parent(), found.file_name()) else { return found };
    if folder.as_os_str() == blobs.as_os_str() || folder.file_name() != blobs.file_name() {
        return found;
    }
    let same = fs::canonicalize(folder)
        .and_then(|folder| Ok(folder == fs::canonicalize(blobs)?))
        .unwrap_or(false);
    if same { blobs.join(name) } else { found }
}

/// Returns all folders below a folder, each after the one that contains it.
pub(crate) fn folders(root: &Path) -> Vec<PathBuf> {
    walk(root).folders
}

/// Iterates over everything below a folder. Links are not followed.
#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    /// Without the root.
    folders: Vec<PathBuf>,
    errors: Vec<(PathBuf, io::Error)>,
}

fn walk(root: &Path) -> Walk {
    let mut found = Walk::default();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                found.errors.push((folder, error));
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    found.errors.push((folder.clone(), error));
                    continue;
                }
            };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
                found.folders.push(entry.path());
            } else {
                found.files.push(entry.path());
            }
        }
    }
    found
}
