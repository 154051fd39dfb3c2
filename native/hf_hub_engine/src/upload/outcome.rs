//! The result of preparing a file for an upload.

use crate::upload::{oid::Oid, path::RepoPath, payload::Change};

/// The result for one file.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Its index in the list of changes.
    pub(super) place: usize,
    pub(super) fate: Fate,
}

/// What remains to be done with a file.
#[derive(Debug)]
pub(super) enum Fate {
    Commit(Change),
    /// The repository already has this content.
    Unchanged(Oid),
    /// The repository's rules exclude it.
    Ignored(RepoPath),
}
