//! The large files of a repository: `lfs/objects/` in the bare repository, as in git-lfs.
//!
//! Content is stored once for the whole Hub, but knowing its hash gives no access to it: a commit can
//! only reference content that was uploaded to this repository or copied into it. The entries are
//! hard links, so they cost nothing, and git-lfs finds the content in a repository cloned by path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use walkdir::WalkDir;

use super::Store;
use super::disk;
use super::lfs::LfsStore;
use super::oid::is_oid;
use super::repo::Repo;

impl Store {
    /// Returns the total size of the large files of a namespace in private repositories and
    /// buckets.
    pub(crate) fn private_storage(&self, namespace: Option<&str>) -> Result<u64> {
        let lfs = self.lfs();
        let mut size = 0;
        for key in self.private_ones(namespace)? {
            size += stored(&holdings_dir(&self.git_dir(&key)), &lfs)?;
        }
        #[cfg(feature = "xet")]
        if let Some(namespace) = namespace {
            size += self.buckets().private_storage(namespace)?;
        }
        Ok(size)
    }
}

fn is_missing(err: &io::Error) -> bool {
    err.kind() == io::ErrorKind::NotFound
}

impl Repo {
    /// Whether a large file belongs to this repository.
    pub(crate) fn holds(&self, lfs: &LfsStore, oid: &str) -> Result<bool> {
        // Repositories created before this record was introduced get it on the first request.
        if !self.holdings_dir()?.is_dir() {
            self.hold_all(lfs)?;
        }
        Ok(self.holding(oid)?.exists() && lfs.has(oid))
    }

    /// Records that a large file in the store belongs to this repository.
    pub(crate) fn hold(&self, lfs: &LfsStore, oid: &str) -> Result<()> {
        let path = self.holding(oid)?;
        disk::create_parent(&path)?;
        match fs::hard_link(lfs.path(oid), &path) {
            Ok(()) => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::NotFound && !lfs.has(oid) => Err(err.into()),
            // Not every file system has hard links, their number per file is limited, and content
            // in Xet storage is no file; only the name of the entry counts.
            Err(_) => Ok(fs::write(&path, "")?),
        }
    }

    /// Same as [`Self::hold`], before the content is stored.
    #[cfg(feature = "xet")]
    pub(crate) fn hold_early(&self, oid: &str) -> Result<()> {
        let path = self.holding(oid)?;
        disk::create_parent(&path)?;
        match fs::File::create_new(&path) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => Err(err.into()),
            _ => Ok(()),
        }
    }

    /// Returns when a large file was added to this repository.
    pub(super) fn held_since(&self, oid: &str) -> Result<SystemTime> {
        Ok(fs::metadata(self.holding(oid)?)?.modified()?)
    }

    /// Returns the large files that belong to this repository.
    pub(super) fn holdings(&self, lfs: &LfsStore) -> Result<Vec<String>> {
        let dir = self.holdings_dir()?;
        if !dir.is_dir() {
            self.hold_all(lfs)?;
        }
        let mut oids = Vec::new();
        for entry in WalkDir::new(dir) {
            let name = entry?.file_name().to_str().map(str::to_owned);
            oids.extend(name.filter(|name| is_oid(name)));
        }
        Ok(oids)
    }

    /// Records that a large file does not belong to this repository any more.
    pub(super) fn let_go(&self, oid: &str) -> Result<()> {
        match fs::remove_file(self.holding(oid)?) {
            Err(err) if !is_missing(&err) => Err(err.into()),
            _ => Ok(()),
        }
    }

    fn hold_all(&self, lfs: &LfsStore) -> Result<()> {
        for pushed in self.git()?.large_files()? {
            if lfs.has(&pushed.pointer.oid) {
                self.hold(lfs, &pushed.pointer.oid)?;
            }
        }
        Ok(fs::create_dir_all(self.holdings_dir()?)?)
    }

    fn holdings_dir(&self) -> Result<PathBuf> {
        Ok(holdings_dir(self.git_dir()?))
    }

    fn holding(&self, oid: &str) -> Result<PathBuf> {
        Ok(place(&self.holdings_dir()?, oid))
    }
}

/// Whether a large file belongs to the repository of that folder.
pub(super) fn is_in(git_dir: &Path, oid: &str) -> bool {
    place(&holdings_dir(git_dir), oid).exists()
}

fn place(holdings: &Path, oid: &str) -> PathBuf {
    holdings.join(&oid[..2]).join(&oid[2..4]).join(oid)
}

/// Returns the total size of the large files of a repository.
fn stored(holdings: &Path, lfs: &LfsStore) -> Result<u64> {
    let entries = WalkDir::new(holdings).into_iter();
    let mut size = 0;
    for entry in entries {
        match entry {
            Ok(entry) => {
                let oid = entry.file_name().to_str().filter(|name| is_oid(name));
                size += oid.and_then(|oid| lfs.size(oid)).unwrap_or_default();
            }
            Err(err) if err.io_error().is_some_and(is_missing) => {}
            Err(err) => return Err(err.into()),
        }
    }
    Ok(size)
}

fn holdings_dir(git_dir: &Path) -> PathBuf {
    git_dir.join("lfs").join("objects")
}
