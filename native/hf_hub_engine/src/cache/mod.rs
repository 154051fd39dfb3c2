//! The cache on disk: reads it without the network, and writes it so that a reader never sees a
//! partly written file.

pub mod adopt;
pub mod archive;
pub mod care;
mod content;
pub mod delete;
pub mod evict;
pub mod inventory;
pub mod layout;
pub mod lease;
pub mod maintenance;
pub mod materialize;
pub mod partial;
pub mod prune;
pub mod relocate;
pub mod resume_record;
pub mod scan;
pub mod storage;
pub mod store;
pub(crate) mod symlink_guard;
pub mod tree;
pub mod verify;

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

use crate::{
    base::{
        disk::{copy_beside, in_folder, open_regular, plain, symlink, write_atomically},
        error::{Error, Result},
        etag::Etag,
        ids::{Commit, EntryPath, Revision},
        output,
    },
    cache::layout::{CacheDir, RepoDir},
};

pub(crate) use content::{is_proved, note_use};

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// What a cache knows about a file without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is in the cache.
    Found(PathBuf),
    /// It is known not to exist in the commit.
    KnownAbsent,
    /// Unknown.
    Unknown,
}

impl CacheDir {
    /// Writes the tag that tells backup programs to skip the cache. A failure is harmless.
    pub fn tag_once(&self) {
        write_tag(&self.tag());
    }
}

/// Writes a cache tag at `file` unless it exists.
pub fn write_tag(file: &Path) {
    if !file.exists() {
        let _ = write_atomically(file, TAG.as_bytes());
    }
}

impl Serialize for Lookup {
    fn serialize<S: Serializer>(&self, output: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Found(path) => output::path(path, output),
            Self::KnownAbsent => output.serialize_unit_variant("Lookup", 1, "known_absent"),
            Self::Unknown => output.serialize_unit_variant("Lookup", 2, "unknown"),
        }
    }
}

impl RepoDir {
    /// Returns the commit that `revision` pointed to at the last request. If commits have names
    /// like branches and tags, there is no ref, but a snapshot of that name.
    pub fn commit_of(&self, revision: &Revision) -> Option<Commit> {
        let by_ref = || Commit::parse(&read_ref(&self.reference(revision)).ok()?).ok();
        let by_name =
            || Commit::parse(revision.as_str()).ok().filter(|it| self.snapshot(it).is_dir());
        revision.as_commit().or_else(by_ref).or_else(by_name)
    }

    /// Looks up a file, with the three results of the Python client's `try_to_load_from_cache`.
    pub fn look_up(&self, revision: &Revision, path: &EntryPath) -> Lookup {
        let Some(commit) = self.commit_of(revision) else { return Lookup::Unknown };
        match self.find(&commit, path) {
            Some(pointer) => Lookup::Found(pointer),
            None if self.no_exist(&commit, path).is_file() => Lookup::KnownAbsent,
            None => Lookup::Unknown,
        }
    }

    /// Returns an error if a symbolic link of another user leads to a folder of the repository, or
    /// of its locks.
    pub(crate) fn check_way(&self, folder: &Path) -> Result<()> {
        symlink_guard::way(self, folder)
    }

    /// Stores the commit that `revision` points to. A ref that cannot be written (read-only cache,
    /// branch `a` beside branch `a/b`) costs a request later, nothing more.
    pub fn remember_ref(&self, revision: &Revision, commit: &Commit) {
        let is_branch = revision.as_commit().is_none() && revision.as_str() != commit.as_str();
        if is_branch && self.commit_of(revision).as_ref() != Some(commit) {
            let file = self.reference(revision);
            let _ = self
                .check_way(file.parent().unwrap_or(&file))
                .and_then(|()| write_atomically(&file, commit.as_str().as_bytes()));
        }
    }

    /// Stores that the file does not exist in `commit`.
    pub fn remember_absence(&self, commit: &Commit, path: &EntryPath) {
        let marker = self.no_exist(commit, path);
        if let Some(folder) = marker.parent().filter(|folder| self.check_way(folder).is_ok()) {
            // create_new: an existing file, or a planted link, is not modified.
            let _ = fs::create_dir_all(folder).and_then(|()| fs::File::create_new(&marker));
        }
    }

    /// Makes `commit`'s `path` link to the blob `etag`. If `symlinks` is false or unsupported, a
    /// `fresh` blob is moved there and any other is copied.
    pub fn link(
        &self,
        commit: &Commit,
        path: &EntryPath,
        etag: &Etag,
        symlinks: bool,
        fresh: bool,
    ) -> Result<PathBuf> {
        let pointer = self.pointer(commit, path);
        let wrap = |source| Error::io("create", &pointer, source);
        self.check_way(pointer.parent().unwrap_or(&pointer))?;
        if symlinks {
            let target = RepoDir::link_target(path, etag);
            match in_folder(&pointer, || self.place_symlink(&target, &pointer, etag)) {
                Ok(()) => return Ok(pointer),
                Err(error) if no_symlinks_here(&error) => {}
                Err(error) => return Err(wrap(error)),
            }
        }
        let blob = self.blob(etag);
        in_folder(&pointer, || {
            if fresh { fs::rename(&blob, &pointer) } else { copy_beside(&blob, &pointer) }
        })
        .map_err(wrap)?;
        Ok(pointer)
    }

    fn place_symlink(&self, target: &Path, pointer: &Path, etag: &Etag) -> io::Result<()> {
        match symlink(target, pointer) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other,
        }
        if fs::read_link(pointer).is_ok_and(|found| found == target) {
            return Ok(()); // Another process linked the same blob.
        }
        // Created under another name and renamed, so that the file never disappears.
        let temporary = self.blobs().join(format!("{etag}.{:08x}.link", fastrand::u32(..)));
        symlink(target, &temporary)?;
        fs::rename(&temporary, pointer).inspect_err(|_| drop(fs::remove_file(&temporary)))
    }
}

/// Reads the commit from a ref, as snapshots are named: without byte order mark, white space and
/// line ends that editors and other clients add, and with hashes in lower case. Reads only the
/// beginning of a longer file.
pub(crate) fn read_ref(file: &Path) -> io::Result<String> {
    const LONGEST: u64 = 1 << 10;
    let mut text = Vec::new();
    open_regular(file)?.take(LONGEST).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let lower = plain(&text).to_ascii_lowercase();
    let is_hash = Commit::parse(&lower).is_ok_and(|commit| commit.is_immutable());
    Ok(if is_hash { lower } else { plain(&text).to_owned() })
}

fn no_symlinks_here(error: &io::Error) -> bool {
    // ERROR_PRIVILEGE_NOT_HELD: Windows without developer mode.
    const PRIVILEGE: i32 = 1314;
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
        || (cfg!(windows) && error.raw_os_error() == Some(PRIVILEGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Repo, RepoType};

    fn repo(root: &Path) -> RepoDir {
        CacheDir::new(root).repo(&Repo::new(RepoType::Model, "a/b").unwrap())
    }

    fn names() -> (Commit, EntryPath, Etag) {
        (
            Commit::parse(&"c".repeat(40)).unwrap(),
            EntryPath::parse("d/f").unwrap(),
            Etag::parse(&"e".repeat(40)).unwrap(),
        )
    }

    #[test]
    fn linking_replaces_a_dangling_link() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, (commit, path, etag)) = (repo(dir.path()), names());
        fs::create_dir_all(repo.blobs()).unwrap();
        fs::write(repo.blob(&etag), b"content").unwrap();
        let pointer = repo.pointer(&commit, &path);
        fs::create_dir_all(pointer.parent().unwrap()).unwrap();
        symlink(Path::new("nowhere"), &pointer).unwrap();
        assert_eq!(repo.find(&commit, &path), None);
        repo.link(&commit, &path, &etag, true, true).unwrap();
        repo.link(&commit, &path, &etag, true, true).unwrap();
        assert_eq!(fs::read(repo.find(&commit, &path).unwrap()).unwrap(), b"content");
        assert_eq!(fs::read_dir(repo.blobs()).unwrap().count(), 1);
    }

    #[test]
    fn without_symlinks_moves_a_fresh_blob_and_copies_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, (commit, path, etag)) = (repo(dir.path()), names());
        fs::create_dir_all(repo.blobs()).unwrap();
        fs::write(repo.blob(&etag), b"content").unwrap();
        let other = EntryPath::parse("g").unwrap();
        assert_eq!(
            fs::read(repo.link(&commit, &other, &etag, false, false).unwrap()).unwrap(),
            b"content"
        );
        assert_eq!(
            fs::read(repo.link(&commit, &path, &etag, false, true).unwrap()).unwrap(),
            b"content"
        );
        assert!(!repo.blob(&etag).exists());
    }

    #[test]
    fn stores_refs_and_ignores_conflicting_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, (commit, path, _)) = (repo(dir.path()), names());
        let (branch, below) = (Revision::parse("a").unwrap(), Revision::parse("a/b").unwrap());
        repo.remember_ref(&branch, &commit);
        repo.remember_ref(&below, &commit);
        assert_eq!(repo.commit_of(&branch), Some(commit.clone()));
        assert_eq!(repo.commit_of(&below), None);
        assert_eq!(fs::read_to_string(repo.reference(&branch)).unwrap(), commit.as_str());

        assert_eq!(repo.look_up(&branch, &path), Lookup::Unknown);
        repo.remember_absence(&commit, &path);
        assert_eq!(repo.look_up(&branch, &path), Lookup::KnownAbsent);
        assert_eq!(repo.look_up(&below, &path), Lookup::Unknown);
    }
    #[test]
    fn reads_refs_of_other_clients() {
        let dir = tempfile::tempdir().unwrap();
        let (repo, main) = (repo(dir.path()), Revision::parse("main").unwrap());
        let hash = "c0ffee".repeat(6) + "beef";
        for text in [
            format!("{hash}\n"),
            format!("{hash}\r\n"),
            format!(" {hash}\t\n\n"),
            format!("\u{feff}{hash}\r\n"),
            hash.to_uppercase(),
        ] {
            fs::create_dir_all(repo.refs()).unwrap();
            fs::write(repo.reference(&main), &text).unwrap();
            assert_eq!(repo.commit_of(&main).unwrap().as_str(), hash, "{text:?}");
        }
        fs::write(repo.reference(&main), "v1.0\n").unwrap();
        assert_eq!(repo.commit_of(&main).unwrap().as_str(), "v1.0");
        for text in ["", "\n", "../../x", "a b"] {
            fs::write(repo.reference(&main), text).unwrap();
            assert_eq!(repo.commit_of(&main), None, "{text:?}");
        }
    }
}
