//! The caller of a request, and what it may see.
//!
//! All visibility rules are here, independent of the route.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ApiError;
use crate::store::{AccessState, Repo, RepoKey, Store, Token, User, Viewer};

/// The caller of a request.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// No token was sent.
    Anonymous,
    /// A token this Hub knows was sent.
    User(User, Box<Token>),
}

impl Caller {
    /// Reads the `Authorization` header; an unknown token is an error on every route, as on the
    /// Hub.
    pub(super) fn identify(
        store: &Store,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, ApiError> {
        let Some(value) = headers.get(AUTHORIZATION) else { return Ok(Self::Anonymous) };
        let is_password = is_basic(value.as_bytes());
        if is_password && is_cross_site(method, headers) {
            return Ok(Self::Anonymous);
        }
        let token = value.to_str().ok().and_then(credential).ok_or_else(ApiError::bad_token)?;
        match store.users().by_token(&token)? {
            Some((user, token)) => Ok(Self::User(user, Box::new(token))),
            None if is_password => Err(ApiError::bad_token().asks_for_password()),
            None => Err(ApiError::bad_token()),
        }
    }

    /// Whether no token was sent.
    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Whether the repository exists for this caller.
    pub(super) fn may_see(&self, repo: &Repo) -> Result<bool, ApiError> {
        Ok(!repo.settings.private || self.is_insider(repo)?)
    }

    /// Returns who lists repositories: the same rule as [`Self::may_see`].
    pub(super) fn viewer(&self) -> Viewer {
        let Self::User(user, token) = self else { return Viewer::default() };
        let namespaces = user.orgs.iter().chain([&user.name]).cloned().collect();
        Viewer { user: Some(user.name.clone()), namespaces, entities: token.readable() }
    }

    /// Returns an error if the files of a visible repository may not be read.
    pub(super) fn check_files(&self, repo: &Repo) -> Result<(), ApiError> {
        if repo.settings.gated.is_none() || self.is_insider(repo)? {
            return Ok(());
        }
        let key = &repo.key;
        let Self::User(user, token) = self else { return Err(ApiError::gated_anonymous(key)) };
        let state = repo.access.of(&user.name)?;
        let granted = self.owns(repo) || state == Some(AccessState::Accepted);
        Err(match state {
            _ if granted && token.may_read_gated(key) => return Ok(()),
            _ if granted => ApiError::gated_for_token(),
            Some(AccessState::Pending) => ApiError::gated_pending(key),
            Some(AccessState::Rejected) => ApiError::gated_rejected(key),
            _ => ApiError::gated(key),
        })
    }

    /// Returns the name of the user; `None` without a token.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(user, _) => Some(&user.name),
        }
    }

    /// Returns the user.
    pub(super) fn user(&self) -> Result<&User, ApiError> {
        match self {
            Self::Anonymous => Err(ApiError::token_required()),
            Self::User(user, _) => Ok(user),
        }
    }

    /// Returns the user if the token has write permission.
    pub(super) fn writer(&self) -> Result<&User, ApiError> {
        match self {
            Self::Anonymous => Err(ApiError::token_required()),
            Self::User(_, token) if !token.may_write() => Err(ApiError::forbidden(
                "Forbidden: you must use a write token to upload to a repository.",
            )),
            Self::User(user, _) => Ok(user),
        }
    }

    /// Returns the user if the token may do more than read, for what concerns the account only.
    pub(super) fn actor(&self) -> Result<&User, ApiError> {
        match self {
            Self::User(user, token) if !token.may_write_in(&user.name) => {
                Err(ApiError::forbidden("Forbidden: you must use a write token for this."))
            }
            caller => caller.user(),
        }
    }

    /// Returns the user if the token may see the user's webhooks, or change them too.
    pub(super) fn webhook_owner(&self, to_change: bool) -> Result<&User, ApiError> {
        match self {
            Self::User(_, token) if !token.may_use_webhooks(to_change) => {
                let needed = if to_change { "write" } else { "read" };
                Err(ApiError::forbidden(format!(
                    "Forbidden: you must use a token with the permission user.webhooks.{needed}, or a write token."
                )))
            }
            caller => caller.user(),
        }
    }

    /// Returns the user if it may open discussions about a visible repository, and comment on them.
    pub(super) fn participant(&self, repo: &Repo) -> Result<&User, ApiError> {
        match self {
            Self::Anonymous => Err(ApiError::token_required()),
            Self::User(_, token) if !token.may_discuss(&repo.key) => Err(ApiError::forbidden(
                "Forbidden: you must use a write token to take part in discussions.",
            )),
            Self::User(user, _) => Ok(user),
        }
    }

    /// Returns the user if it may change repositories of `namespace`. The canonical repositories,
    /// which have no namespace, cannot be changed.
    pub(super) fn writer_in(&self, namespace: Option<&str>) -> Result<&User, ApiError> {
        let user = self.writer()?;
        if namespace.is_some_and(|namespace| self.may_write_in(namespace)) {
            return Ok(user);
        }
        Err(ApiError::forbidden("Forbidden: you don't have the rights to change this repository."))
    }

    /// Returns the user if it may create this repository.
    pub(super) fn creator(&self, key: &RepoKey) -> Result<&User, ApiError> {
        let user = self.writer()?;
        match key.id.namespace() {
            Some(namespace) if self.may_write_in(namespace) => Ok(user),
            namespace => Err(ApiError::forbidden(format!(
                "You don't have the rights to create a {} under the namespace \"{}\"",
                key.kind.singular(),
                namespace.unwrap_or_default()
            ))),
        }
    }

    /// Whether the caller sees what is private in a namespace, besides repositories.
    pub(super) fn may_read_in(&self, namespace: &str) -> bool {
        let Self::User(user, token) = self else { return false };
        user.belongs_to(namespace) && token.may_read_in(namespace)
    }

    /// Returns the namespaces for which [`Self::may_read_in`] holds.
    #[cfg(feature = "xet")]
    pub(super) fn namespaces(&self) -> Vec<String> {
        let Self::User(user, _) = self else { return Vec::new() };
        let all = user.orgs.iter().chain([&user.name]);
        all.filter(|namespace| self.may_read_in(namespace)).cloned().collect()
    }

    /// Whether the caller may change what belongs to a namespace.
    pub(super) fn may_write_in(&self, namespace: &str) -> bool {
        let Self::User(user, token) = self else { return false };
        user.may_write_in(namespace) && token.may_write_in(namespace)
    }

    /// Whether the caller may see what only the owner and granted users can.
    fn is_insider(&self, repo: &Repo) -> Result<bool, ApiError> {
        let Self::User(user, token) = self else { return Ok(false) };
        Ok(is_insider(user, repo)? && token.may_read(&repo.key))
    }

    fn owns(&self, repo: &Repo) -> bool {
        let Self::User(user, _) = self else { return false };
        owns(user, repo)
    }
}

/// Whether a repository exists for a user, whatever token is used: for what is sent to the user.
pub(super) fn user_may_see(user: &User, repo: &Repo) -> anyhow::Result<bool> {
    Ok(!repo.settings.private || is_insider(user, repo)?)
}

fn is_insider(user: &User, repo: &Repo) -> anyhow::Result<bool> {
    Ok(owns(user, repo) || repo.access.is_accepted(&user.name)?)
}

fn owns(user: &User, repo: &Repo) -> bool {
    repo.key.id.namespace().is_some_and(|namespace| user.belongs_to(namespace))
}

fn is_basic(authorization: &[u8]) -> bool {
    authorization.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// Whether a browser sends the request for a page of another site. It adds the password of a login
/// on its own, so the page could act with it. A link to a page of this Hub is harmless.
fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_link = *method == Method::GET && text("sec-fetch-dest") == Some("document");
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => false,
        Some(_) => !is_link,
        // Not sent to addresses without TLS, except those of the same machine.
        None => text("origin")
            .is_some_and(|origin| origin.split_once("://").map(|(_, host)| host) != text("host")),
    }
}

/// Returns the token of an `Authorization` header. Git sends it as the password of any user name.
fn credential(value: &str) -> Option<String> {
    let (scheme, credential) = value.split_once(' ')?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credential.to_owned());
    }
    let decoded =
        scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(credential).ok())??;
    let (_, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn pages_of_other_sites_cannot_use_a_login() {
        let is_cross_site = |method: &Method, headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            super::is_cross_site(method, &headers.collect())
        };
        let host = ("host", "hub.lan:8080");
        let link = ("sec-fetch-dest", "document");
        for headers in [
            &[host][..],
            &[host, ("origin", "http://hub.lan:8080")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(!is_cross_site(&Method::POST, headers), "{headers:?}");
        }
        for headers in [
            &[host, ("origin", "http://evil.example")][..],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "cross-site"), link],
            &[host, ("sec-fetch-site", "same-site")],
        ] {
            assert!(is_cross_site(&Method::POST, headers), "{headers:?}");
        }
        let followed = [host, ("sec-fetch-site", "cross-site"), link];
        assert!(!is_cross_site(&Method::GET, &followed));
        assert!(is_cross_site(&Method::GET, &followed[..2]));
    }

    #[test]
    fn reads_tokens_in_the_formats_of_clients_and_git() {
        let basic = format!("Basic {}", STANDARD.encode("me:hf_x:y"));
        for (value, token) in [
            ("Bearer hf_x", Some("hf_x")),
            ("bearer  hf_x ", Some("hf_x")),
            (basic.as_str(), Some("hf_x:y")),
            ("Basic hf_x", None),
            ("Basic aGZfeA==", None),
            ("Digest hf_x", None),
            ("hf_x", None),
        ] {
            assert_eq!(credential(value).as_deref(), token, "{value}");
        }
    }
}
