//! How the small files of one call get to disk together.

use crate::{base::lane::Lane, cache::partial::Flushes};

/// What stores the files; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// Creates, writes and renames them.
    pub(crate) lane: Lane,
    /// Flushes them.
    pub(crate) flushes: Flushes,
}
