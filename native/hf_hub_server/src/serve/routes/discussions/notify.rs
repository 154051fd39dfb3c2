//! Where changes of discussions become known: the one place for what follows from them.

use super::super::super::call::Call;
use crate::store::{Event, Repo};

/// What happened to a discussion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// It was opened.
    Created,
    /// A comment was written.
    Commented,
    /// A comment was edited.
    Edited,
    /// A comment was hidden.
    Hidden,
    /// The title was changed.
    Renamed,
    /// It was opened again or closed.
    StatusChanged,
    /// A pull request was merged.
    Merged,
    /// It was pinned, or no longer is.
    Pinned,
    /// It was removed.
    Removed,
}

/// Called after each change of a discussion, once it is stored.
pub(in super::super) fn notify(
    _call: &Call,
    _repo: &Repo,
    _kind: Kind,
    _num: u64,
    _event: Option<&Event>,
) {
}
