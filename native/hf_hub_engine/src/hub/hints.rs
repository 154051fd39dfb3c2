//! Turns errors into messages that tell the user what to do.

mod access;
mod discussion;
mod nearby;

pub(crate) use discussion::hint as of_discussion;
pub use nearby::{or_meant, suggesting};

use std::fmt::Display;

use crate::{
    base::{
        error::{Error, ErrorKind},
        ids::{Repo, RepoRevision, Revision},
    },
    hub::client::Hub,
};

/// Appended when a content host also rejected links that the Hub created again.
pub(crate) const NEW_LINKS: &str = "; new links were rejected as well: check the clock of this machine and any proxy in \
     between, then try again";

/// Adds repository and revision to an error, and a hint, unless it has them: the error of a file is
/// also that of its snapshot.
pub fn repository(hub: &Hub, repo: &Repo, revision: &Revision, error: Error) -> Error {
    if error.repo_id().is_some() {
        return error;
    }
    let hint = discussion::hint(&error);
    let error = access::explained(hub, Some(repo), error).with_hints(hint);
    let place = repo.in_words();
    let error = match error.kind() {
        ErrorKind::DisabledRepo => {
            error.with_message(format!("{place} has been disabled by the Hub"))
        }
        ErrorKind::RevisionNotFound => {
            error.with_message(format!("{place} has no revision \"{revision}\""))
        }
        _ => error,
    }
    .with_repo(repo);
    if error.revision().is_some() { error } else { error.with_revision(revision) }
}

/// Why the Hub refused a request with 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The storage is exhausted.
    Storage,
    /// Only pull requests are allowed.
    Branch,
    /// The token has no write permission.
    ReadToken,
    /// The token's account does not belong to the namespace.
    Namespace,
    /// The token's account has read access only.
    ReadOnly,
    /// The repository has no discussions and pull requests.
    NoDiscussions,
    /// Only the author may do this, or an owner of the repository.
    Author,
}

impl Refused {
    /// Recognizes the reason by the message: the Hub sends no error code for any of these.
    pub(crate) fn by(words: &str) -> Option<Self> {
        let words = words.to_lowercase();
        let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
        if says(&["storage limit", "storage patterns", "quota"]) {
            Some(Self::Storage)
        } else if says(&["create_pr"]) {
            Some(Self::Branch)
        } else if says(&[
            "write token",
            "write permission",
            "insufficient scope",
            "read-only token",
        ]) {
            Some(Self::ReadToken)
        } else if says(&["under the namespace"]) {
            Some(Self::Namespace)
        } else if says(&["rights to change"]) {
            Some(Self::ReadOnly)
        } else if says(&["discussions are disabled"]) {
            Some(Self::NoDiscussions)
        } else if says(&["only the author"]) {
            Some(Self::Author)
        } else {
            None
        }
    }
}

/// The error of a request, in the words that fit what it is about.
pub fn about(hub: &Hub, place: Option<&RepoRevision>, error: Error) -> Error {
    match place {
        Some(place) => repository(hub, &place.repo, &place.revision, error),
        None => request(hub, error),
    }
}

/// Adds a hint to the error of a request that is not about a repository.
pub fn request(hub: &Hub, error: Error) -> Error {
    access::explained(hub, None, error)
}

/// Returns the message for a file that does not exist in a repository.
pub(crate) fn no_such_file(repo: &Repo, revision: &Revision, path: &impl Display) -> String {
    format!("\"{repo}\" has no file \"{path}\" at revision \"{revision}\"")
}
