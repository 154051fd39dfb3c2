//! Turns what went wrong into a sentence for the person who can put it right.

mod access;
mod nearby;

pub use nearby::suggesting;

use std::fmt::Display;

use crate::{
    base::{
        error::{Error, ErrorKind},
        ids::{Repo, Revision},
    },
    hub::client::Hub,
};

/// What follows a store's last refusal of a link, when the Hub had been asked for others.
pub(crate) const NEW_LINKS: &str = "; new links were refused, too: check the clock of this machine and any proxy in \
     between, then run the same call again, which asks for other links";

/// Adds repository and revision to an error, and what to do about it.
pub fn repository(hub: &Hub, repo: &Repo, revision: &Revision, error: Error) -> Error {
    let error = match access::sentence(hub, Some(repo), &error) {
        Some(message) => error.with_message(message),
        None => error,
    };
    let kind = repo.kind().name();
    let error = match error.kind() {
        ErrorKind::DisabledRepo => {
            error.with_message(format!("{kind} repository \"{repo}\" has been disabled by the Hub"))
        }
        ErrorKind::RevisionNotFound => error
            .with_message(format!("{kind} repository \"{repo}\" has no revision \"{revision}\"")),
        _ => error,
    }
    .with_repo(repo);
    if error.revision().is_some() { error } else { error.with_revision(revision) }
}

/// What to do about a refusal that only its words tell from others.
pub(crate) fn advice(words: &str) -> Option<&'static str> {
    let words = words.to_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
    if says(&["storage limit", "storage patterns", "quota"]) {
        Some("make room or get more storage, then run the same call again")
    } else if says(&["create_pr"]) {
        Some("with create_pr: true the change becomes a pull request, which needs no such right")
    } else if says(&["write token", "write permission", "insufficient scope", "read-only token"]) {
        Some("make a token that may write, in the settings of the token's account")
    } else if says(&["under the namespace"]) {
        Some(
            "the token's account has to be that user, or a member of that organization who may write",
        )
    } else if says(&["rights to change"]) {
        Some("the token's account may read this, and not change it")
    } else {
        None
    }
}

/// Adds to the error of a request that is about no repository what to do about it.
pub fn request(hub: &Hub, error: Error) -> Error {
    match access::sentence(hub, None, &error) {
        Some(message) => error.with_message(message),
        None => error,
    }
}

/// The sentence for a file that is not in a repository.
pub(crate) fn no_such_file(repo: &Repo, revision: &Revision, path: &impl Display) -> String {
    format!("\"{repo}\" has no file \"{path}\" at revision \"{revision}\"")
}
