//! The layout of a cache, shared by all Hugging Face clients.
//!
//! This is the only file that joins cache paths. Every function takes checked names, so it cannot
//! return a path outside the cache. It does not access the disk.

use std::{
    borrow::Cow,
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base::{
    etag::Etag,
    hex,
    ids::{Commit, EntryPath, Repo, Revision},
    input::{self, RawPath},
};

/// The root of a cache: the folder of the Python client's `HF_HUB_CACHE`.
#[derive(Clone, Debug, Deserialize)]
pub struct CacheDir(#[serde(deserialize_with = "input::path")] PathBuf);

impl CacheDir {
    /// Creates the layout of the cache at `root`, an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Returns the root.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the tag file that tells backup programs to skip the cache.
    pub fn tag(&self) -> PathBuf {
        self.0.join("CACHEDIR.TAG")
    }

    /// Returns the folder of one repository.
    pub fn repo(&self, repo: &Repo) -> RepoDir {
        self.folder(OsStr::new(&repo.folder_name()))
    }

    /// Returns the folder of this name directly in the cache.
    pub fn folder(&self, name: &OsStr) -> RepoDir {
        // Only the last part of a name with separators is used, so this never leaves the cache.
        let name = Path::new(name).file_name().unwrap_or(OsStr::new("_"));
        RepoDir { path: self.0.join(name), locks: self.locks().join(name) }
    }

    /// Returns the folder of all lock files.
    pub fn locks(&self) -> PathBuf {
        self.0.join(".locks")
    }

    /// Returns the private folder of this library, which other clients ignore.
    pub fn private(&self) -> PathBuf {
        self.locks().join(".hf_hub")
    }

    /// Returns the lock of operations that remove or move files, which exclude each other.
    pub fn maintenance_lock(&self) -> PathBuf {
        self.private().join("maintenance.lock")
    }

    /// Returns the folder that files are moved to before they are deleted.
    pub fn trash(&self) -> PathBuf {
        self.private().join("trash")
    }

    /// Returns the folder where files are prepared before they are renamed into place.
    pub fn incoming(&self) -> PathBuf {
        self.private().join("incoming")
    }

    /// Returns the store of blobs that several repositories share.
    pub fn store(&self) -> StoreDir {
        StoreDir { root: self.0.clone(), path: self.0.join("blobs") }
    }

    /// Returns the cache of `hf_hub` 0.3 where this is the folder that it was configured with: it
    /// stored repositories one level below.
    #[must_use]
    pub fn below(&self) -> Self {
        Self(self.0.join("hub"))
    }

    /// Whether a name directly in the cache belongs to no repository.
    pub fn is_reserved(name: &OsStr) -> bool {
        name == ".locks" || name == "CACHEDIR.TAG"
    }

    /// Whether a name directly in the cache is that of the shared store.
    pub fn is_store(name: &OsStr) -> bool {
        name == "blobs"
    }
}

/// The store of blobs that several repositories share: `blobs/<2 hex>/<64 hex>`.
#[derive(Clone, Debug)]
pub struct StoreDir {
    root: PathBuf,
    path: PathBuf,
}

impl StoreDir {
    /// Returns the folder of the cache.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the marker file that identifies the folder as a store.
    pub fn marker(&self) -> PathBuf {
        self.path.join(".huggingface-shared-blobs")
    }

    /// Returns the manifest of a blob, which lists the links to it.
    pub fn manifest(payload: &Path) -> PathBuf {
        with_ending(payload, ".refs")
    }

    /// Returns the lock of a blob and its manifest.
    pub fn lock(payload: &Path) -> PathBuf {
        with_ending(payload, ".lock")
    }

    /// Returns the path of the blob with a Xet hash: 64 hex digits.
    pub fn entry(&self, hash: &str) -> Option<PathBuf> {
        self.payload(&self.path.join(hash.get(..2)?).join(hash))
    }

    /// Returns the blob at `path`, if a blob can be there.
    pub fn payload(&self, path: &Path) -> Option<PathBuf> {
        let mut parts = path.strip_prefix(&self.path).ok()?.iter();
        let (prefix, hash) = (parts.next()?.to_str()?, parts.next()?.to_str()?);
        let fits = hex::is(hash, 64) && prefix == &hash[..2] && parts.next().is_none();
        fits.then(|| path.to_owned())
    }

    /// Returns the blob of a repository that a line of a manifest names.
    pub fn named(&self, line: &str) -> Option<PathBuf> {
        let parts: Vec<&str> = line.split('/').collect();
        let [folder, "blobs", name] = parts[..] else { return None };
        let ok = is_repo_folder(folder) && !matches!(name, "" | "." | "..");
        ok.then(|| self.root.join(folder).join("blobs").join(name))
    }

    /// Returns the line of a manifest that names a repository's blob.
    pub fn line(&self, blob: &Path) -> Option<String> {
        let parts = blob.strip_prefix(&self.root).ok()?.iter().map(OsStr::to_str);
        // Manifests have `/` on every system.
        let line = parts.collect::<Option<Vec<_>>>()?.join("/");
        self.named(&line).map(|_| line)
    }
}

/// Prefixes of repository folders, with the names of the types.
pub const FOLDER_TYPES: [(&str, &str); 4] =
    [("models", "model"), ("datasets", "dataset"), ("spaces", "space"), ("kernels", "kernel")];

/// Whether a name is that of a repository's folder: `<type>s--<id>`.
pub fn is_repo_folder(name: &str) -> bool {
    name.split_once("--")
        .is_some_and(|(kind, id)| !id.is_empty() && FOLDER_TYPES.iter().any(|(k, _)| *k == kind))
}

/// Returns `path` without `.` and `..`, resolved textually without regard to links.
pub fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The folder of one repository in a cache.
#[derive(Clone, Debug)]
pub struct RepoDir {
    path: PathBuf,
    locks: PathBuf,
}

impl RepoDir {
    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of all blobs.
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Returns the path of one blob.
    pub fn blob(&self, etag: &Etag) -> PathBuf {
        self.blobs().join(etag.as_str())
    }

    /// Returns the folder of all snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Returns the folder of all refs.
    pub fn refs(&self) -> PathBuf {
        self.path.join("refs")
    }

    /// Returns the snapshot folder of one commit, which links to blobs.
    pub fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.snapshots().join(commit.as_str())
    }

    /// Returns the other files about a commit, which is named as found on disk.
    pub fn notes(&self, commit: &str) -> [PathBuf; 3] {
        [
            self.path.join("trees").join(format!("{commit}.json")),
            self.path.join(".no_exist").join(commit),
            self.path.join("extracted").join(commit),
        ]
    }

    /// Returns the path of one file of one commit.
    pub fn pointer(&self, commit: &Commit, path: &EntryPath) -> PathBuf {
        join(self.snapshot(commit), path)
    }

    /// Returns the target of the link at [`Self::pointer`]: the relative path to the blob.
    pub fn link_target(path: &EntryPath, etag: &Etag) -> PathBuf {
        let ups = 2 + path.segments().count() - 1;
        let mut target: PathBuf = std::iter::repeat_n("..", ups).collect();
        target.push("blobs");
        target.push(etag.as_str());
        target
    }

    /// Returns the marker of a file that is known not to exist in a commit.
    pub fn no_exist(&self, commit: &Commit, path: &EntryPath) -> PathBuf {
        join(self.path.join(".no_exist").join(commit.as_str()), path)
    }

    /// Returns the file that stores which commit a branch or tag points to.
    pub fn reference(&self, revision: &Revision) -> PathBuf {
        self.refs().join(revision.as_str())
    }

    /// Returns the listing of all files of a commit.
    pub fn tree(&self, commit: &Commit) -> PathBuf {
        tree_file(&self.path, commit)
    }

    /// Returns the lock that the writer of a blob holds.
    pub fn lock(&self, etag: &Etag) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// Returns the lock of a partial file, by the stem of its name.
    pub fn partial_lock(&self, stem: &OsStr) -> PathBuf {
        let mut name = stem.to_owned();
        name.push(".lock");
        self.locks.join(name)
    }

    /// Returns the lock that downloads share and removals hold exclusively.
    pub fn busy_lock(&self) -> PathBuf {
        self.locks.join("hf_hub.busy")
    }

    /// Returns the lock that readers of one commit share.
    pub fn lease(&self, commit: &str) -> PathBuf {
        self.locks.join(format!("{commit}.lease"))
    }

    /// Returns the file that marks a commit as pinned.
    pub fn pin(&self, commit: &str) -> PathBuf {
        self.locks.join(format!("{commit}.pin"))
    }

    /// Returns the lock that callers may take on a file name. The name is hashed because it may be
    /// as long as a system allows.
    pub fn file_lock(&self, path: &EntryPath) -> PathBuf {
        let name = hex::encode(&Sha256::digest(path.as_str()));
        self.locks.join(format!("{name}.file"))
    }

    /// Returns the folder of this repository's locks.
    pub fn locks(&self) -> &Path {
        &self.locks
    }
}

/// The metadata of downloads into a plain folder: `<folder>/.cache/huggingface`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "RawPath")]
pub struct LocalDir {
    root: PathBuf,
    state: PathBuf,
}

impl From<RawPath> for LocalDir {
    fn from(root: RawPath) -> Self {
        Self::new(root.0)
    }
}

impl LocalDir {
    /// Creates the layout of the folder at `root`, an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let state = root.join(".cache").join("huggingface");
        Self { root, state }
    }

    /// Returns the user's folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Returns the folder of all metadata.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the path of the file itself.
    pub fn file(&self, path: &EntryPath) -> PathBuf {
        join(self.root.clone(), path)
    }

    /// Returns the file that stores commit, etag and time of the last download of a file.
    pub fn metadata(&self, path: &EntryPath) -> PathBuf {
        self.beside(path, "metadata")
    }

    /// Returns the lock of a file and its metadata.
    pub fn lock(&self, path: &EntryPath) -> PathBuf {
        self.beside(path, "lock")
    }

    /// Returns the listing of all files of a commit.
    pub fn tree(&self, commit: &Commit) -> PathBuf {
        tree_file(&self.state, commit)
    }

    fn beside(&self, path: &EntryPath, extension: &str) -> PathBuf {
        let file = join(self.state.join("download"), path);
        let name = path.segments().next_back().unwrap_or_default();
        file.with_file_name(format!("{}.{extension}", short(name)))
    }
}

/// Shortens a name so that it leaves room for an extension. The Python client does not shorten such
/// names, so its files fail there.
fn short(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 255 - ".metadata".len();
    const HASH: usize = "-".len() + 40;
    if name.len() <= LONGEST {
        return name.into();
    }
    let hash = hex::encode(&Sha1::digest(name));
    let start = &name[..name.floor_char_boundary(LONGEST - HASH)];
    format!("{start}-{hash}").into()
}

fn tree_file(folder: &Path, commit: &Commit) -> PathBuf {
    folder.join("trees").join(format!("{commit}.json"))
}

/// Joins segment by segment: an [`EntryPath`] always uses `/`.
fn join(mut folder: PathBuf, path: &EntryPath) -> PathBuf {
    folder.extend(path.segments());
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::RepoType;

    #[test]
    fn matches_the_layout_of_the_python_client() {
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

        let store = cache.store();
        let hash = "ab".repeat(32);
        let payload = Path::new("/c/blobs/ab").join(&hash);
        assert_eq!(store.payload(&payload), Some(payload.clone()));
        assert_eq!(store.entry(&hash), Some(payload.clone()));
        assert_eq!((store.entry("../x"), store.entry("")), (None, None));
        assert_eq!(store.payload(&Path::new("/c/blobs/cd").join(&hash)), None);
        assert_eq!(store.payload(&payload.join("x")), None);
        let blob = repo.blob(&etag);
        let line = format!("models--org--name/blobs/{etag}");
        assert_eq!(store.line(&blob).as_deref(), Some(line.as_str()));
        assert_eq!(store.named(&line), Some(blob));
        for line in [
            "",
            "x",
            "../blobs/x",
            "other--a/blobs/x",
            "models--a/blobs/..",
            "/c/models--a/blobs/x",
        ] {
            assert_eq!(store.named(line), None, "{line}");
        }
        assert_eq!(cache.folder(OsStr::new("../../etc")).path(), Path::new("/c/etc"));
        assert_eq!(normalize(Path::new("/c/a/../b/./d")), Path::new("/c/b/d"));

        let local = LocalDir::new("/d");
        for name in ["x".repeat(246), "x".repeat(247), "x".repeat(255), "ü".repeat(127)] {
            let path = EntryPath::parse(&format!("sub/{name}")).unwrap();
            let named = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            let (record, lock) = (named(local.metadata(&path)), named(local.lock(&path)));
            assert!(record.len() <= 255 && lock.len() <= 255, "{record}");
            assert_eq!(record == format!("{name}.metadata"), name.len() <= 246);
        }
        assert_eq!(at(local.metadata(&top)), "/d/.cache/huggingface/download/config.json.metadata");
        assert_eq!(
            at(local.lock(&path)),
            "/d/.cache/huggingface/download/1_Pooling/config.json.lock"
        );
    }
}
