//! Exclusive write access to one repository, among all processes on the root.

use std::path::Path;

use anyhow::Result;

use super::disk::Lock;
use super::index::Index;
use super::repo_id::RepoKey;

/// The lock of a repository, held until dropped.
#[must_use]
#[derive(Debug)]
pub(crate) struct RepoLock {
    index: Index,
    key: RepoKey,
    is_settled: bool,
    // Dropped after `Drop::drop`, so the mark is there when the next writer begins.
    _lock: Lock,
}

impl RepoLock {
    /// Waits for the lock file at `path`.
    pub(super) fn acquire(path: &Path, index: Index, key: RepoKey) -> Result<Self> {
        let lock = Lock::acquire(path)?;
        // Twice: this one is for a process that is killed while it writes, the other one for a
        // reader that looks at the main branch before it has moved.
        index.mark(&key);
        Ok(Self { index, key, is_settled: false, _lock: lock })
    }

    /// Releases the lock: the index knows the repository as it is now.
    pub(super) fn settle(mut self) {
        self.is_settled = true;
    }
}

impl Drop for RepoLock {
    fn drop(&mut self) {
        if !self.is_settled {
            self.index.mark(&self.key);
        }
    }
}
