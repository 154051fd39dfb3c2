//! The large files of a repository as its owner sees them: all that were ever uploaded to it, and
//! their removal for good.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;

use anyhow::Result;
use jiff::Timestamp;

use super::git::Rewritten;
use super::lfs::LfsStore;
use super::repo::Repo;
use super::{RepoLock, Store};

/// A large file of a repository.
#[derive(Clone, Debug)]
pub(crate) struct LargeFile {
    /// SHA-256 of the content.
    pub(crate) oid: String,
    /// Size of the content in bytes.
    pub(crate) size: u64,
    /// When it was committed, or uploaded if no ref leads to a commit with it.
    pub(crate) pushed_at: Timestamp,
    /// Where it was committed first; none if no ref leads to a commit with it.
    pub(crate) commit: Option<FirstCommit>,
}

/// Where a large file was committed first.
#[derive(Clone, Debug)]
pub(crate) struct FirstCommit {
    /// The path of the file.
    pub(crate) path: String,
    /// The full name of the ref.
    pub(crate) reference: String,
    /// The author.
    pub(crate) author: String,
}

/// What a removal has changed.
#[derive(Debug)]
pub(crate) struct Removal {
    /// The refs that were moved.
    pub(crate) refs: Vec<Rewritten>,
    /// Held until the change is announced.
    _lock: RepoLock,
}

impl Store {
    /// Returns the large files of a repository, newest first.
    pub(crate) fn large_files(&self, repo: &Repo) -> Result<Vec<LargeFile>> {
        let lfs = self.lfs();
        let mut commits = HashMap::new();
        for pushed in repo.git()?.large_files()? {
            commits.entry(pushed.pointer.oid.clone()).or_insert(pushed);
        }
        let mut files = Vec::new();
        for oid in repo.holdings(&lfs)? {
            // Removed from the store meanwhile.
            let Some(size) = lfs.size(&oid) else { continue };
            let (pushed_at, commit) = match commits.remove(&oid) {
                Some(pushed) => {
                    let (path, reference) = (pushed.path, pushed.reference);
                    (pushed.date, Some(FirstCommit { path, reference, author: pushed.author }))
                }
                None => (Timestamp::try_from(repo.held_since(&oid)?)?, None),
            };
            files.push(LargeFile { oid, size, pushed_at, commit });
        }
        files.sort_by(|a, b| b.pushed_at.cmp(&a.pushed_at).then_with(|| a.oid.cmp(&b.oid)));
        Ok(files)
    }

    /// Removes large files from a repository, and from the disk if no other repository has them.
    /// With `rewrite`, its history is made again without them; otherwise their pointers stay.
    /// Returns `None` if the repository does not exist any more.
    pub(crate) fn remove_large_files(
        &self,
        repo: &Repo,
        oids: &HashSet<String>,
        rewrite: bool,
    ) -> Result<Option<Removal>> {
        let lock = self.lock(&repo.key)?;
        let now = self.locate(&repo.key)?.found().filter(|now| now.row == repo.row);
        let Some(now) = now else { return Ok(None) };
        let git = now.git()?;
        let mut refs = Vec::new();
        if rewrite {
            let files = git.large_files()?.into_iter();
            let blobs = files.filter(|file| oids.contains(&file.pointer.oid)).map(|file| file.blob);
            let blobs = blobs.collect::<HashSet<_>>();
            if !blobs.is_empty() {
                refs = git.rewrite_without(&blobs)?;
            }
        }
        let lfs = self.lfs();
        for oid in oids {
            if now.holds(&lfs, oid)? {
                now.let_go(oid)?;
                self.free(&lfs, oid)?;
            }
        }
        Ok(Some(Removal { refs, _lock: lock }))
    }

    /// Deletes content that no repository has. Another one may get it meanwhile: it is put aside
    /// first, and back if that has happened.
    fn free(&self, lfs: &LfsStore, oid: &str) -> Result<()> {
        if self.is_held(oid)? {
            return Ok(());
        }
        #[cfg(feature = "xet")]
        self.forget_xet(oid)?;
        let (path, aside) = (lfs.path(oid), lfs.incoming_file()?);
        match fs::rename(&path, aside.path()) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(()),
            done => done?,
        }
        if self.is_held(oid)? && !path.exists() {
            fs::rename(aside.path(), &path)?;
        }
        Ok(())
    }

    pub(super) fn is_held(&self, oid: &str) -> Result<bool> {
        for git_dir in self.git_dirs()? {
            if super::holdings::is_in(&git_dir, oid) {
                return Ok(true);
            }
        }
        #[cfg(feature = "xet")]
        if self.buckets().is_held(oid)? {
            return Ok(true);
        }
        Ok(false)
    }
}
