//! Where everything in a cache lives: the layout that all Hugging Face clients share.
//!
//! The only file that joins cache paths. Every function takes checked names, so
//! a path outside the cache cannot be made. Nothing here touches the disk.

use std::path::{Path, PathBuf};

use crate::names::{Commit, EntryPath, Etag, Repo, Revision};

/// The root of a cache: the folder Python calls `HF_HUB_CACHE`.
#[derive(Clone, Debug)]
pub struct CacheDir(PathBuf);

impl CacheDir {
    /// Names the root; an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The root itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The tag that tells backup programs to skip the cache.
    pub fn tag(&self) -> PathBuf {
        self.0.join("CACHEDIR.TAG")
    }

    /// The folder of one repository.
    pub fn repo(&self, repo: &Repo) -> RepoDir {
        let folder = repo.folder_name();
        RepoDir { path: self.0.join(&folder), locks: self.0.join(".locks").join(folder) }
    }
}

/// The folder of one repository in a cache.
#[derive(Clone, Debug)]
pub struct RepoDir {
    path: PathBuf,
    locks: PathBuf,
}

impl RepoDir {
    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of all contents.
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// One content.
    pub fn blob(&self, etag: &Etag) -> PathBuf {
        self.blobs().join(etag.as_str())
    }

    /// All files of one commit, as links to blobs.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.path.join("snapshots").join(commit.as_str())
    }

    /// One file of one commit.
    pub fn pointer(&self, commit: &Commit, path: &EntryPath) -> PathBuf {
        join(self.snapshot(commit), path)
    }

    /// What the link at [`Self::pointer`] contains: the way up to the blob.
    pub fn link_target(path: &EntryPath, etag: &Etag) -> PathBuf {
        let ups = 2 + path.segments().count() - 1;
        let mut target: PathBuf = std::iter::repeat_n("..", ups).collect();
        target.push("blobs");
        target.push(etag.as_str());
        target
    }

    /// The marker of a file that a commit is known not to have.
    pub fn no_exist(&self, commit: &Commit, path: &EntryPath) -> PathBuf {
        join(self.path.join(".no_exist").join(commit.as_str()), path)
    }

    /// The file that says which commit a branch or tag is.
    pub fn reference(&self, revision: &Revision) -> PathBuf {
        self.path.join("refs").join(revision.as_str())
    }

    /// The listing of all files of a commit.
    pub fn tree(&self, commit: &Commit) -> PathBuf {
        tree_file(&self.path, commit)
    }

    /// The lock that one writer of a blob holds.
    pub fn lock(&self, etag: &Etag) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }
}

/// The bookkeeping of downloads into a plain folder: `<folder>/.cache/huggingface`.
#[derive(Clone, Debug)]
pub struct LocalDir {
    root: PathBuf,
    state: PathBuf,
}

impl LocalDir {
    /// Names the folder; an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let state = root.join(".cache").join("huggingface");
        Self { root, state }
    }

    /// The user's folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The folder of all bookkeeping.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The file itself.
    pub fn file(&self, path: &EntryPath) -> PathBuf {
        join(self.root.clone(), path)
    }

    /// Commit, etag and time of the last download of a file.
    pub fn metadata(&self, path: &EntryPath) -> PathBuf {
        self.beside(path, "metadata")
    }

    /// The lock around a file and its metadata.
    pub fn lock(&self, path: &EntryPath) -> PathBuf {
        self.beside(path, "lock")
    }

    /// The listing of all files of a commit.
    pub fn tree(&self, commit: &Commit) -> PathBuf {
        tree_file(&self.state, commit)
    }

    fn beside(&self, path: &EntryPath, extension: &str) -> PathBuf {
        let mut file = join(self.state.join("download"), path).into_os_string();
        file.push(".");
        file.push(extension);
        file.into()
    }
}

fn tree_file(folder: &Path, commit: &Commit) -> PathBuf {
    folder.join("trees").join(format!("{commit}.json"))
}

/// Joined by segment: an [`EntryPath`] uses `/` whatever the system does.
fn join(mut folder: PathBuf, path: &EntryPath) -> PathBuf {
    folder.extend(path.segments());
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::RepoType;

    #[test]
    fn is_the_layout_of_the_reference() {
        let cache = CacheDir::new("/c");
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let etag = Etag::parse(&"b".repeat(40)).unwrap();
        let path = EntryPath::parse("1_Pooling/config.json").unwrap();
        let repo = cache.repo(&Repo::new(RepoType::Model, "org/name").unwrap());
        let at = |path: PathBuf| path.to_str().unwrap().to_owned();

        assert_eq!(at(repo.blob(&etag)), format!("/c/models--org--name/blobs/{etag}"));
        assert_eq!(
            at(repo.pointer(&commit, &path)),
            format!("/c/models--org--name/snapshots/{commit}/{path}")
        );
        assert_eq!(at(RepoDir::link_target(&path, &etag)), format!("../../../blobs/{etag}"));
        let top = EntryPath::parse("config.json").unwrap();
        assert_eq!(at(RepoDir::link_target(&top, &etag)), format!("../../blobs/{etag}"));
        assert_eq!(
            at(repo.no_exist(&commit, &path)),
            format!("/c/models--org--name/.no_exist/{commit}/{path}")
        );
        assert_eq!(at(repo.lock(&etag)), format!("/c/.locks/models--org--name/{etag}.lock"));
        let pr = Revision::parse("refs/pr/1").unwrap();
        assert_eq!(at(repo.reference(&pr)), "/c/models--org--name/refs/refs/pr/1");
        assert_eq!(at(repo.tree(&commit)), format!("/c/models--org--name/trees/{commit}.json"));

        let single = cache.repo(&Repo::new(RepoType::Dataset, "squad").unwrap());
        assert_eq!(single.path(), Path::new("/c/datasets--squad"));

        let local = LocalDir::new("/d");
        assert_eq!(at(local.metadata(&top)), "/d/.cache/huggingface/download/config.json.metadata");
        assert_eq!(
            at(local.lock(&path)),
            "/d/.cache/huggingface/download/1_Pooling/config.json.lock"
        );
    }
}
