//! Turns upload errors into messages that tell the user what to do.

use crate::{
    base::error::{Error, ErrorKind},
    hub::hints,
    upload::session::{Session, Target},
};

/// Adds the target and a hint to an error.
pub(super) fn refusal(session: &Session, error: Error) -> Error {
    let Target { repo, revision, .. } = &session.target;
    let hint = hint(session, &error);
    let error = hints::repository(&session.hub, repo, revision, error);
    match hint {
        Some(hint) => {
            let message = format!("{}; {hint}", error.message());
            error.with_message(message)
        }
        None => error,
    }
}

fn hint(session: &Session, error: &Error) -> Option<String> {
    let Target { repo, revision, create_pr } = &session.target;
    Some(match (error.kind(), error.status()) {
        (_, Some(507)) => "the Hub is out of storage".to_owned(),
        // The remaining hints are about repositories and tokens.
        _ if error.is_from_a_store() => return None,
        (ErrorKind::RepoNotFound, _) => {
            "if it does not exist yet, create it first with HfHub.Repo.create/2".to_owned()
        }
        // The message says more, and another permission is missing.
        (ErrorKind::Forbidden, _) if hints::advice(error.message()).is_some() => return None,
        (ErrorKind::Forbidden, _) if *create_pr => {
            "the token needs the permission to open pull requests".to_owned()
        }
        (ErrorKind::Forbidden, _) => format!(
            "writing to \"{repo}\" needs a token with write permission for it; \
             with create_pr: true the change is proposed instead"
        ),
        (ErrorKind::Precondition | ErrorKind::Conflict, _) => format!(
            "\"{revision}\" has changed: review the new commits, then commit again with its head as :parent_commit"
        ),
        (ErrorKind::EntryNotFound, Some(_))
            if error.message().contains("A file with this name") =>
        {
            "a folder is deleted with a path that ends in \"/\", or with is_folder: true".to_owned()
        }
        (_, Some(402)) => {
            "the storage of this account is exhausted, see its billing page".to_owned()
        }
        (_, Some(413)) => "the request is too large: upload fewer files at a time".to_owned(),
        _ => return None,
    })
}
