//! Adopts files of `hf_hub` 0.3, which stored plain files in a snapshot folder with the name of a
//! branch or tag: without blobs, refs and checksums.
//!
//! A file is hashed and compared with the Hub's listing. If it matches, its content becomes a blob,
//! linked from the snapshot of the commit; only then is the old file removed. So an interrupted
//! adoption leaves a valid cache, and the next one continues.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, Once, PoisonError},
};

use rayon::prelude::*;
use serde::Serialize;

use crate::{
    base::{
        disk::{copy_by_way_of, in_folder, open_regular, sibling},
        error::{Error, ErrorKind, Result},
        etag::Etag,
        hash::{self, Verdict},
        ids::{Commit, EntryPath, Repo, Revision},
        progress::{FileProgress, Progress},
        thread_pool,
    },
    cache::{
        inventory::{self, File, Inventory, relative},
        layout::{CacheDir, RepoDir},
        scan,
        tree::Tree,
        verify,
    },
};

/// A folder that `hf_hub` 0.3 has filled.
#[derive(Debug)]
pub(crate) struct Old {
    /// `model`, `dataset` or `space`.
    pub(crate) repo_type: &'static str,
    /// The id, as on the Hub.
    pub(crate) repo_id: String,
    /// The repository's folder.
    pub(crate) dir: RepoDir,
    /// Branch, tag or other ref, by the folder's name.
    pub(crate) revision: String,
    /// The folder.
    pub(crate) path: PathBuf,
    /// Its files, sorted. None if an interrupted adoption left an empty folder.
    pub(crate) files: Vec<PathBuf>,
}

/// Why a file was not adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its content differs from the Hub's.
    Different,
    /// The revision does not contain it.
    NotListed,
    /// The Hub's listing has no checksum for it.
    NoChecksum,
    /// It was modified meanwhile.
    Changed,
    /// It cannot be read, or its content cannot be stored.
    Failed,
}

/// How to adopt a folder.
pub(crate) struct Job {
    pub(crate) cache: CacheDir,
    pub(crate) old: Old,
    pub(crate) revision: Revision,
    pub(crate) commit: Commit,
    pub(crate) tree: Tree,
    /// Whether to change nothing.
    pub(crate) dry_run: bool,
    /// Whether snapshots have links.
    pub(crate) symlinks: bool,
}

/// What happened to one file: its size, or why it stays, with details.
pub(crate) type Outcome = (PathBuf, std::result::Result<u64, (Reason, Option<String>)>);

/// Returns the folders of all repositories, or of one.
pub(crate) fn find(cache: &CacheDir, only: Option<&Repo>) -> Result<Vec<Old>> {
    let folders = match only {
        Some(repo) => BTreeSet::from([OsString::from(repo.folder_name())]),
        None => scan::entries(cache)?,
    };
    let mut found = Vec::new();
    for folder in folders {
        let Some((repo_type, repo_id)) = scan::identity(&folder) else { continue };
        let dir = cache.folder(&folder);
        let of_repo = Inventory::read(&dir).revisions.into_iter().filter_map(|revision| {
            let emptied = revision.files.is_empty() && revision.names_a_ref();
            (emptied || revision.is_old(&dir)).then(|| Old {
                repo_type,
                repo_id: repo_id.clone(),
                dir: dir.clone(),
                revision: revision.commit,
                path: revision.path,
                files: revision
                    .files
                    .into_iter()
                    .filter(File::is_plain)
                    .map(|file| file.path)
                    .collect(),
            })
        });
        found.extend(of_repo);
    }
    Ok(found)
}

impl Old {
    /// Whether the folder's name may be only the beginning of a revision, such as `refs` of
    /// `refs/convert/parquet`: it contains nothing but folders.
    pub(crate) fn may_be_a_beginning(&self) -> bool {
        const SEGMENTS: usize = 4;
        self.revision.split('/').count() < SEGMENTS
            && self.files.iter().all(|file| file.parent() != Some(&self.path))
    }

    /// Returns the folders in this folder, with longer revisions.
    pub(crate) fn split(self) -> Vec<Self> {
        let mut parts: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
        for file in self.files {
            let first = file.strip_prefix(&self.path).ok().and_then(|below| below.iter().next());
            if let Some(first) = first.map(ToOwned::to_owned) {
                parts.entry(first).or_default().push(file);
            }
        }
        let part = |(name, files): (OsString, Vec<PathBuf>)| Self {
            repo_type: self.repo_type,
            repo_id: self.repo_id.clone(),
            dir: self.dir.clone(),
            revision: format!("{}/{}", self.revision, name.to_string_lossy()),
            path: self.path.join(name),
            files,
        };
        parts.into_iter().map(part).collect()
    }

    /// Removes the folders that contain nothing any more.
    pub(crate) fn remove_empty_folders(&self) {
        let snapshots = self.dir.snapshots();
        let folders = inventory::folders(&self.path);
        let upwards = self.path.ancestors().take_while(|folder| **folder != snapshots);
        for folder in folders.iter().rev().map(PathBuf::as_path).chain(upwards) {
            let way = self.dir.check_way(folder);
            let _ = way.map(|()| fs::remove_dir(folder)); // Fails if it is not empty.
        }
    }

    /// Whether a ref has taken the place of the folder.
    pub(crate) fn is_replaced(&self) -> bool {
        Revision::parse(&self.revision).is_ok_and(|name| self.dir.reference(&name).exists())
    }
}

/// Adopts the files of one folder. `stop` is polled while they are hashed.
pub(crate) fn run(
    job: &Job,
    progress: &Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Outcome>> {
    let place = Place { job, one: Mutex::new(()), remembered: Once::new() };
    // Announced at once, so that the total of the folder is known from the beginning.
    let announced: Vec<_> = job
        .old
        .files
        .iter()
        .map(|file| {
            let found = place.found(file).inspect_err(|_| progress.skip_files(1));
            let shown = |found: Found| {
                let shown = progress.start_file(found.path.as_str(), Some(found.before.size));
                (found, shown)
            };
            (file.clone(), found.map(shown))
        })
        .collect();
    let adopted: Result<Vec<_>> = thread_pool::run(None, || {
        let files = announced.into_par_iter().map(|(file, found)| {
            let adopt = |(found, shown)| place.adopt(&file, &found, shown, stop);
            let outcome = found.and_then(adopt);
            if stop() {
                return Err(Error::new(ErrorKind::Cancelled, "the adoption was cancelled"));
            }
            Ok((file, outcome))
        });
        files.collect()
    })?;
    if !job.dry_run {
        job.old.remove_empty_folders();
    }
    adopted
}

/// The place of adopted files.
struct Place<'a> {
    job: &'a Job,
    /// Held while a file is placed: two may have the same content.
    one: Mutex<()>,
    remembered: Once,
}

/// A file of the listed size.
struct Found {
    path: EntryPath,
    etag: Etag,
    before: Seen,
}

type Adopted<T> = std::result::Result<T, (Reason, Option<String>)>;

impl Place<'_> {
    /// Compares what needs no reading.
    fn found(&self, file: &Path) -> Adopted<Found> {
        let Job { old, tree, commit, .. } = self.job;
        let name = relative(&old.path, file);
        let path = EntryPath::parse(&name).ok();
        let listed = path.and_then(|path| Some((path, tree.get(&name)?)));
        let (path, entry) = listed.ok_or((Reason::NotListed, None))?;
        let before = Seen::of(file).map_err(|error| failed(&error))?;
        if before.size != entry.content_size() {
            return Err((Reason::Different, None));
        }
        let etag = entry.etag().ok().filter(Etag::is_proof);
        let etag = etag.ok_or((Reason::NoChecksum, None))?.at(commit);
        Ok(Found { path, etag, before })
    }

    fn adopt(
        &self,
        file: &Path,
        found: &Found,
        shown: FileProgress,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Adopted<u64> {
        let Found { etag, before, .. } = found;
        let first = verify::hash(file, etag.proof(), &shown, stop);
        shown.finish();
        let (first, _) = first.map_err(|error| failed(&error))?;
        let verdict = hash::prove(file, etag, Some(first)).map_err(|error| failed(&error))?;
        if !matches!(verdict, Verdict::Right(_)) {
            return Err((Reason::Different, None));
        }
        if !before.is_still(file) {
            return Err((Reason::Changed, None));
        }
        if !self.job.dry_run && !stop() {
            self.place(file, found)?;
        }
        Ok(before.size)
    }

    fn place(&self, file: &Path, found: &Found) -> Adopted<()> {
        let Found { path, etag, before } = found;
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let Job { old, commit, symlinks, .. } = self.job;
        let (dir, blob) = (&old.dir, old.dir.blob(etag));
        let folder = file.parent().unwrap_or(file);
        let ways = [&dir.blobs(), folder].into_iter().try_for_each(|folder| dir.check_way(folder));
        ways.map_err(|error| failed(&error))?;
        // A blob that is there may be corrupt; the file was just verified.
        let is_there = dir.has_blob(etag, Some(before.size))
            && matches!(hash::prove(&blob, etag, None), Ok(Verdict::Right(_)));
        if !is_there {
            share(file, &blob).map_err(|error| failed(&Error::io("create", &blob, error)))?;
            if !before.is_still(file) {
                let _ = fs::remove_file(&blob);
                return Err((Reason::Changed, None));
            }
        }
        dir.link(commit, path, etag, *symlinks, !is_there).map_err(|error| failed(&error))?;
        // Before the first file disappears: what is found next is the ref.
        self.remembered.call_once(|| self.remember());
        fs::remove_file(file).map_err(|error| failed(&Error::io("remove", file, error)))
    }

    /// Stores listing and ref. Without them, the next download asks the Hub.
    fn remember(&self) {
        let Job { cache, old, revision, commit, tree, .. } = self.job;
        let listing = old.dir.tree(commit);
        if old.dir.check_way(listing.parent().unwrap_or(&listing)).is_ok() && !listing.exists() {
            let _ = tree.write(&listing);
        }
        old.dir.remember_ref(revision, commit);
        cache.tag_once();
    }
}

/// Makes `to` have the content of `from`, without a moment in which it is incomplete. Where the
/// file system supports it, both share their blocks.
fn share(from: &Path, to: &Path) -> io::Result<()> {
    open_regular(from)?.sync_data()?;
    let temporary = sibling(to, "tmp");
    if in_folder(&temporary, || fs::hard_link(from, &temporary)).is_err() {
        return copy_by_way_of(&temporary, from, to);
    }
    let renamed = fs::rename(&temporary, to);
    // If `to` was the same file already, renaming has no effect.
    let _ = fs::remove_file(&temporary);
    renamed
}

fn failed(error: &impl std::fmt::Display) -> (Reason, Option<String>) {
    (Reason::Failed, Some(error.to_string()))
}

/// A regular file as it was before it was hashed.
struct Seen {
    size: u64,
    modified: Option<std::time::SystemTime>,
}

impl Seen {
    fn of(file: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(file)?;
        if !found.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Self { size: found.len(), modified: found.modified().ok() })
    }

    fn is_still(&self, file: &Path) -> bool {
        Self::of(file).is_ok_and(|now| now.size == self.size && now.modified == self.modified)
    }
}
