//! One bare git repository, accessed through libgit2.
//!
//! This module knows LFS pointers, but not where large files are stored, and nothing of the Hub's
//! settings. All functions block.

mod create;
mod edit;
mod history;
mod incoming;
mod large_files;
mod merge;
mod pack;
mod program;
mod refs;
mod revision;
mod tree;
mod write;

pub(crate) use create::FirstCommit;
pub(crate) use edit::{Edit, EditError};
pub(crate) use history::CommitInfo;
pub(crate) use incoming::{Added, Seen};
pub(crate) use large_files::Rewritten;
pub(crate) use merge::Merged;
pub(crate) use pack::{Pack, PackedBlob, Packer};
pub(crate) use program::program;
pub(crate) use refs::{branch_ref, main_of, tag_ref};
pub(crate) use tree::{Entry, EntryKind, Listed};
pub(crate) use write::{Change, Content, Draft};

use std::path::Path;

use git2::{ErrorCode, Repository};

use super::disk;

/// The default branch.
pub(crate) const MAIN: &str = "main";
/// Its full name.
pub(crate) const MAIN_REF: &str = "refs/heads/main";

/// Size that trees, commits and refs rarely exceed.
const SMALL: usize = 64 << 10;

/// An open bare repository.
pub(crate) struct Git {
    repo: Repository,
}

impl Git {
    /// Opens an existing repository.
    pub(crate) fn open(dir: &Path) -> Result<Self, git2::Error> {
        Repository::open_bare(dir).map(|repo| Self { repo })
    }

    /// Returns why a write of about `size` bytes failed. libgit2 does not report a full disk ("no
    /// error"), so this tries to write as much.
    fn write_failure(&self, err: git2::Error, size: usize) -> anyhow::Error {
        match disk::probe(self.repo.path(), size) {
            Err(reason) => reason.into(),
            Ok(()) => err.into(),
        }
    }
}

/// Maps "not found", and names that git does not look up, to `None`.
fn found<T>(result: Result<T, git2::Error>) -> Result<Option<T>, git2::Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(err) if is_absence(err.code()) => Ok(None),
        Err(err) => Err(err),
    }
}

fn is_absence(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Ambiguous | ErrorCode::Peel
    )
}
