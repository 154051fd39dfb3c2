//! Which large content belongs to a repository: `lfs/objects/` in the bare repository, as git-lfs has it.
//!
//! Content is stored once for the whole Hub, but nobody may take from it what they only know the hash of: a
//! commit can name content that was uploaded to this repository or copied into it, and no other. The entries
//! are hard links, so they cost nothing, and git-lfs finds the content in a repository cloned by path.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Result;

use super::disk;
use super::git::EntryKind;
use super::lfs::LfsStore;
use super::repo::Repo;

impl Repo {
    /// Whether content belongs to this repository.
    pub(crate) fn holds(&self, lfs: &LfsStore, oid: &str) -> Result<bool> {
        // Repositories made before this record was kept get it on the first question.
        if !self.holdings_dir().is_dir() {
            self.hold_all(lfs)?;
        }
        Ok(self.holding(oid).exists() && lfs.has(oid))
    }

    /// Records that content, which is in the store, belongs to this repository.
    pub(crate) fn hold(&self, lfs: &LfsStore, oid: &str) -> Result<()> {
        let path = self.holding(oid);
        disk::create_parent(&path)?;
        match fs::hard_link(lfs.path(oid), &path) {
            Ok(()) => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Err(err.into()),
            // Not every file system has links, and a file only so many; the record is what counts.
            Err(_) => Ok(fs::write(&path, "")?),
        }
    }

    fn hold_all(&self, lfs: &LfsStore) -> Result<()> {
        let git = self.git()?;
        for tip in git.tips()? {
            for listed in git.list(tip, "", true)?.unwrap_or_default() {
                if let EntryKind::Lfs { pointer, .. } = git.describe(listed)?.kind
                    && lfs.has(&pointer.oid)
                {
                    self.hold(lfs, &pointer.oid)?;
                }
            }
        }
        Ok(fs::create_dir_all(self.holdings_dir())?)
    }

    fn holdings_dir(&self) -> PathBuf {
        self.git_dir.join("lfs").join("objects")
    }

    fn holding(&self, oid: &str) -> PathBuf {
        self.holdings_dir().join(&oid[..2]).join(&oid[2..4]).join(oid)
    }
}
