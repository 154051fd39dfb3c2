//! The cache on disk: reading it without the network, and writing it so that a
//! reader never sees half of anything.

pub mod archive;
mod content;
pub mod delete;
pub mod evict;
pub mod inventory;
pub mod journal;
pub mod layout;
pub mod lease;
pub mod lock;
pub mod maintenance;
pub mod materialize;
pub mod partial;
pub mod prune;
pub mod ranges;
pub mod relocate;
pub mod scan;
pub mod store;
pub mod tree;
pub(crate) mod trust;
pub mod verify;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    cache::layout::{CacheDir, RepoDir},
    error::{Error, Result},
    names::{Commit, EntryPath, Etag, Revision},
};

pub(crate) use content::{is_proved, note_use};

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// What a cache knows about a file without asking the Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is here.
    Found(PathBuf),
    /// The commit is known not to have it.
    KnownAbsent,
    /// Not known.
    Unknown,
}

impl CacheDir {
    /// Puts the tag that tells backup programs to skip the cache. Failing is harmless.
    pub fn tag_once(&self) {
        write_tag(&self.tag());
    }
}

/// Puts a cache tag at `file` unless there is one.
pub fn write_tag(file: &Path) {
    if !file.exists() {
        let _ = write_atomically(file, TAG.as_bytes());
    }
}

impl RepoDir {
    /// The commit that `revision` was when it was last asked for. Where commits are called as branches and tags are,
    /// there is no ref, but a snapshot of that name.
    pub fn commit_of(&self, revision: &Revision) -> Option<Commit> {
        let by_ref = || Commit::parse(&read_ref(&self.reference(revision)).ok()?).ok();
        let by_name =
            || Commit::parse(revision.as_str()).ok().filter(|it| self.snapshot(it).is_dir());
        revision.as_commit().or_else(by_ref).or_else(by_name)
    }

    /// All three answers of the reference's `try_to_load_from_cache`.
    pub fn look_up(&self, revision: &Revision, path: &EntryPath) -> Lookup {
        let Some(commit) = self.commit_of(revision) else { return Lookup::Unknown };
        match self.find(&commit, path) {
            Some(pointer) => Lookup::Found(pointer),
            None if self.no_exist(&commit, path).is_file() => Lookup::KnownAbsent,
            None => Lookup::Unknown,
        }
    }

    /// Refuses a folder of the repository, or of its locks, to which a link of somebody else leads.
    pub(crate) fn check_way(&self, folder: &Path) -> Result<()> {
        trust::way(self, folder)
    }

    /// Remembers which commit `revision` is. A ref that cannot be written
    /// (read-only cache, branch `a` beside branch `a/b`) costs a request later, nothing more.
    pub fn remember_ref(&self, revision: &Revision, commit: &Commit) {
        let is_branch = revision.as_commit().is_none() && revision.as_str() != commit.as_str();
        if is_branch && self.commit_of(revision).as_ref() != Some(commit) {
            let file = self.reference(revision);
            let _ = self
                .check_way(file.parent().unwrap_or(&file))
                .and_then(|()| write_atomically(&file, commit.as_str().as_bytes()));
        }
    }

    /// Remembers that `commit` has no such file.
    pub fn remember_absence(&self, commit: &Commit, path: &EntryPath) {
        let marker = self.no_exist(commit, path);
        if let Some(folder) = marker.parent().filter(|folder| self.check_way(folder).is_ok()) {
            // create_new: whatever lies there already, a planted link included, stays untouched.
            let _ = fs::create_dir_all(folder).and_then(|()| fs::File::create_new(&marker));
        }
    }

    /// Makes `commit`'s `path` show the blob `etag`. With `symlinks` off, or where
    /// there are none, a `fresh` blob is moved there and any other is copied.
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
            return Ok(()); // Another process linked the same content.
        }
        // Made elsewhere and renamed, so that there is no moment without a file.
        let temporary = self.blobs().join(format!("{etag}.{:08x}.link", fastrand::u32(..)));
        symlink(target, &temporary)?;
        fs::rename(&temporary, pointer).inspect_err(|_| drop(fs::remove_file(&temporary)))
    }
}

/// Whether an error says that there is nothing, and not that nobody can tell.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    // A chain of links that has no end.
    const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || (cfg!(unix) && error.raw_os_error() == Some(ELOOP))
}

/// The commit that a ref names, as snapshots are named: without the byte order mark, blanks and line ends that
/// editors and other clients put around it, and a hash in lower case. Of anything longer, the beginning.
pub(crate) fn read_ref(file: &Path) -> io::Result<String> {
    const LONGEST: u64 = 1 << 10;
    let mut text = Vec::new();
    open_regular(file)?.take(LONGEST).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let lower = plain(&text).to_ascii_lowercase();
    let is_hash = Commit::parse(&lower).is_ok_and(|commit| commit.is_immutable());
    Ok(if is_hash { lower } else { plain(&text).to_owned() })
}

/// A text without a byte order mark and blanks around it.
pub(crate) fn plain(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// Opens a file to read. A pipe that somebody has put there would let us wait for ever, a device have no end.
pub(crate) fn open_regular(file: &Path) -> io::Result<fs::File> {
    if fs::metadata(file)?.is_file() {
        fs::File::open(file)
    } else {
        Err(io::Error::other("it is no file"))
    }
}

/// Copies a file, as [`open_regular`] opens it.
pub(crate) fn copy_regular(from: &Path, to: &Path) -> io::Result<u64> {
    open_regular(from)?;
    fs::copy(from, to)
}

/// Does what makes `file`; where its folder is missing, makes that first.
pub fn in_folder<T>(file: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match (make(), file.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            make()
        }
        (result, _) => result,
    }
}

/// Writes beside `file`, then renames.
pub fn write_atomically(file: &Path, content: &[u8]) -> Result<()> {
    let temporary = sibling(file, "tmp");
    let written = in_folder(file, || fs::write(&temporary, content))
        .and_then(|()| fs::rename(&temporary, file));
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", file, source)
    })
}

/// Copies to a file beside `to`, then renames.
pub fn copy_beside(from: &Path, to: &Path) -> io::Result<()> {
    copy_by_way_of(&sibling(to, "tmp"), from, to)
}

/// Copies to `temporary`, then renames to `to`: on disk for good before it has the name.
pub fn copy_by_way_of(temporary: &Path, from: &Path, to: &Path) -> io::Result<()> {
    // Windows flushes only what may be written.
    let flush = || OpenOptions::new().read(true).write(cfg!(windows)).open(temporary)?.sync_data();
    let copied = in_folder(temporary, || copy_regular(from, temporary))
        .and_then(|_| flush())
        .and_then(|()| fs::rename(temporary, to));
    copied.inspect_err(|_| drop(fs::remove_file(temporary)))
}

/// Bytes a file needs beyond what is free below `folder`; `None` if they fit or nobody can tell.
pub fn missing_space(folder: &Path, needed: u64) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    // Some network mounts report nothing at all.
    let free = fs2::available_space(existing)
        .ok()
        .filter(|_| fs2::total_space(existing).is_ok_and(|total| total > 0))?;
    (free < needed).then(|| needed - free)
}

/// A new name beside `file`, within what file systems take however long that of `file` is.
pub(crate) fn sibling(file: &Path, extension: &str) -> PathBuf {
    const LONGEST: usize = 255;
    let ending = format!(".{:08x}.{extension}", fastrand::u32(..));
    let name = file.file_name().unwrap_or_default();
    if name.len() + ending.len() <= LONGEST {
        let mut name = name.to_owned();
        name.push(ending);
        return file.with_file_name(name);
    }
    let name = name.to_string_lossy();
    let mut end = LONGEST - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    file.with_file_name(format!("{}{ending}", &name[..end]))
}

#[cfg(unix)]
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
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
    use crate::names::{Repo, RepoType};

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
    fn a_link_shows_the_blob_and_replaces_a_dangling_one() {
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
    fn without_symlinks_a_fresh_blob_moves_and_an_old_one_is_copied() {
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
    fn refs_are_remembered_and_a_conflict_breaks_nothing() {
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
    fn refs_of_other_clients_are_read() {
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
