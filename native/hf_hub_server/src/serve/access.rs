//! Who is asking, and what they may see.
//!
//! The rules of visibility are all here. It does not look at what is being asked for.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::error::ApiError;
use crate::store::{Repo, Store, Token, User};

/// Who sent a request.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// No token was sent.
    Anonymous,
    /// A token this Hub knows was sent.
    User(User, Token),
}

impl Caller {
    /// Reads the `Authorization` header; a token nobody owns is an error on every route, as on the Hub.
    pub(super) fn identify(store: &Store, headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Self::Anonymous) };
        let token = value.to_str().ok().and_then(bearer).ok_or_else(ApiError::bad_token)?;
        match store.users().by_token(token)? {
            Some((user, token)) => Ok(Self::User(user, token)),
            None => Err(ApiError::bad_token()),
        }
    }

    /// Whether no token was sent.
    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Whether the repository exists for this caller.
    pub(super) fn may_see(&self, repo: &Repo) -> bool {
        !repo.settings.private || self.is_insider(repo)
    }

    /// Whether the files of a visible repository may be read.
    pub(super) fn may_read_files(&self, repo: &Repo) -> bool {
        repo.settings.gated.is_none() || self.is_insider(repo)
    }

    fn is_insider(&self, repo: &Repo) -> bool {
        let Self::User(user, _) = self else { return false };
        let owns = repo.key.id.namespace().is_some_and(|namespace| user.belongs_to(namespace));
        owns || repo.settings.granted.contains(&user.name)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
