//! What preparing a file for an upload comes to.

use crate::upload::{oid::Oid, path::RepoPath, payload::Change};

/// What became of a file.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Its place among the changes asked for.
    pub(super) place: usize,
    pub(super) fate: Fate,
}

/// What is left to be done with a file.
#[derive(Debug)]
pub(super) enum Fate {
    Commit(Change),
    /// The repository has this content already.
    Unchanged(Oid),
    /// The repository's rules leave it out.
    Ignored(RepoPath),
}
