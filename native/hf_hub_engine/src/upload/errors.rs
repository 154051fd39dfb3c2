//! Adds what was to be written to upload errors, and what to do about them.

use crate::{
    base::{
        error::{Error, ErrorKind},
        hint::Hint,
        ids::RepoType,
    },
    hub::hints::{self, Refused},
    upload::session::{Session, Target},
};

/// Adds the target and a hint to an error.
pub(super) fn rejection(session: &Session, error: Error) -> Error {
    let Target { repo, revision, .. } = &session.target;
    let (more, hint) = (reason(session, &error), hint(session, &error));
    let error = hints::repository(&session.hub, repo, revision, error).with_hints(hint);
    match more {
        Some(more) => {
            let message = format!("{}; {more}", error.message());
            error.with_message(message)
        }
        None => error,
    }
}

fn reason(session: &Session, error: &Error) -> Option<&'static str> {
    let is_from_the_hub = !error.is_from_a_store();
    match (error.kind(), error.status()) {
        (_, Some(507)) => Some("the Hub is out of storage"),
        (ErrorKind::Forbidden, _)
            if is_from_the_hub
                && session.target.create_pr
                && Refused::by(error.message()).is_none() =>
        {
            Some("the token needs the permission to open pull requests")
        }
        (_, Some(402)) if is_from_the_hub => {
            Some("the storage of this account is exhausted, see its billing page")
        }
        (_, Some(413)) if is_from_the_hub => {
            Some("the request is too large: upload fewer files at a time")
        }
        _ => None,
    }
}

fn hint(session: &Session, error: &Error) -> Option<Hint> {
    let Target { repo, revision, create_pr, .. } = &session.target;
    if error.is_from_a_store() || error.status() == Some(507) {
        return None;
    }
    let is_bucket = repo.kind() == RepoType::Bucket;
    match error.kind() {
        ErrorKind::RepoNotFound if is_bucket => Some(Hint::CreateBucket),
        ErrorKind::RepoNotFound => Some(Hint::CreateRepo),
        // It has neither pull requests nor parents.
        _ if is_bucket => None,
        // If the message gives a reason, another permission is missing.
        ErrorKind::Forbidden if !create_pr && Refused::by(error.message()).is_none() => {
            Some(Hint::WritePermission { repo: repo.to_string() })
        }
        // A pull request that is closed has a hint already.
        ErrorKind::Precondition | ErrorKind::Conflict if hints::of_discussion(error).is_none() => {
            Some(Hint::ParentCommit { revision: revision.to_string() })
        }
        // The Hub sends the same error code for files and folders.
        ErrorKind::EntryNotFound
            if error.status().is_some() && error.message().contains("A file with this name") =>
        {
            Some(Hint::DeleteFolder)
        }
        _ => None,
    }
}
