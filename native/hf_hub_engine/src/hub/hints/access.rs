//! Messages for missing access: what is missing, and on which page it can be granted.
//!
//! There are seven causes: no token, an invalid token, insufficient permissions, terms that have
//! not been accepted, a pending access request, a rejected one, or a repository that is private or
//! does not exist. The Hub does not distinguish the last two.

use crate::{
    base::{
        error::{Error, ErrorKind, redacted},
        ids::Repo,
    },
    hub::{
        client::{self, Hub},
        hints::advice,
    },
};

/// How to configure an existing token.
const SIGN_IN: &str = "run HfHub.Auth.login(), set HF_TOKEN or pass :token";

/// Returns the message if the error is about access.
pub(super) fn sentence(hub: &Hub, repo: Option<&Repo>, error: &Error) -> Option<String> {
    // Errors of this library itself are complete already, and a content host knows no tokens.
    error.status().filter(|_| !error.is_from_a_store())?;
    let place = Place::of(hub, repo, error);
    let words = error.message();
    let said = match error.kind() {
        ErrorKind::NoToken => place.no_token(words),
        ErrorKind::Unauthorized => place.bad_token(words),
        ErrorKind::Forbidden => place.forbidden(words),
        ErrorKind::RepoNotFound => place.not_found(),
        ErrorKind::GatedRepo => place.gated(words),
        ErrorKind::GatedPending => format!(
            "access to {} has been requested, and its authors have not decided yet; see {}",
            place.name, place.page
        ),
        _ => return None,
    };
    Some(if error.is_without_token() {
        format!("{said} ({})", client::withheld(&hub.endpoint))
    } else {
        said
    })
}

/// What the messages refer to.
struct Place<'a> {
    hub: &'a Hub,
    /// What was requested.
    name: String,
    /// Its page.
    page: String,
    /// The page for tokens and their permissions.
    tokens: String,
    /// Whether a token was sent.
    signed_in: bool,
}

impl<'a> Place<'a> {
    fn of(hub: &'a Hub, repo: Option<&Repo>, error: &Error) -> Self {
        let site = redacted(&hub.endpoint);
        let site = site.trim_end_matches('/');
        let tokens = format!("{site}/settings/tokens");
        let (name, page) = match repo {
            Some(repo) => (
                format!("{} repository \"{repo}\"", repo.kind().name()),
                format!("{site}/{}{}", repo.kind().url_prefix(), repo.id()),
            ),
            None => ("this".to_owned(), site.to_owned()),
        };
        let signed_in = hub.token.is_some() && !error.is_without_token();
        Self { hub, name, page, tokens, signed_in }
    }

    fn no_token(&self, words: &str) -> String {
        format!(
            "{} needs a token, and none was {} ({words}); create one at {}, then {SIGN_IN}",
            self.name,
            if self.hub.token.is_some() { "sent" } else { "given" },
            self.tokens
        )
    }

    fn bad_token(&self, words: &str) -> String {
        let source = self.hub.token_source.as_deref();
        let from = source.map(|source| format!(" from {source}")).unwrap_or_default();
        format!(
            "the Hub rejected the token{from} ({words}); it is mistyped, expired or revoked: create another at {}",
            self.tokens
        )
    }

    fn forbidden(&self, words: &str) -> String {
        let start = format!("access to {} is forbidden", self.name);
        let Some(advice) = advice(words) else {
            return format!(
                "{start}: {words}; if your account may do this, the token lacks permissions: add \
                 them, or create another token, at {}",
                self.tokens
            );
        };
        let link = if advice.contains("create a token") {
            format!(": {}", self.tokens)
        } else {
            String::new()
        };
        format!("{start}: {}; {advice}{link}", words.trim_end_matches('.'))
    }

    fn not_found(&self) -> String {
        let start = format!("{} not found; check the name and :repo_type", self.name);
        if self.signed_in {
            format!(
                "{start}, and whether the token has access: open {} signed in, and see the permissions at {}",
                self.page, self.tokens
            )
        } else {
            format!("{start}; if you can open {}, it is private: {SIGN_IN}", self.page)
        }
    }

    fn gated(&self, words: &str) -> String {
        let start = format!("{} is gated", self.name);
        if !self.signed_in {
            return format!(
                "{start}; accept its terms at {}, create a token at {}, then {SIGN_IN}",
                self.page, self.tokens
            );
        }
        // The Hub sends the same error code for all of these; only the message distinguishes them.
        if words.contains("fine-grained") {
            return format!(
                "{start}, and this token may not read gated repositories; allow it at {}",
                self.tokens
            );
        }
        if words.contains("rejected") {
            return format!(
                "{start}, and its authors have rejected the request; see {}",
                self.page
            );
        }
        format!("{start}, and the account of this token has no access; request it at {}", self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::ids::RepoType, hub::token::Token, testing};

    fn said(token: Option<&str>, kind: ErrorKind, words: &str) -> String {
        let hub = Hub {
            token: token.map(|token| Token::new(token).unwrap()),
            token_source: Some("HF_TOKEN".to_owned()),
            ..testing::hub("https://user:pass@hub.example/hf/")
        };
        let repo = Repo::new(RepoType::Dataset, "org/data").unwrap();
        let error = Error::new(kind, words).with_status(403);
        sentence(&hub, Some(&repo), &error).unwrap()
    }

    #[test]
    fn every_kind_of_refusal_has_its_message_and_page() {
        let (page, tokens) =
            ("https://hub.example/hf/datasets/org/data", "https://hub.example/hf/settings/tokens");
        let token = Some("hf_CANARY");
        for (token, kind, words, expected, link) in [
            (None, ErrorKind::NoToken, "x", "needs a token, and none was given (x)", tokens),
            (token, ErrorKind::Unauthorized, "x", "rejected the token from HF_TOKEN (x)", tokens),
            (token, ErrorKind::Forbidden, "x", "is forbidden: x; if your account may", tokens),
            (None, ErrorKind::GatedRepo, "", "accept its terms at", page),
            (token, ErrorKind::GatedRepo, "", "the account of this token has no access", page),
            (token, ErrorKind::GatedRepo, "your fine-grained token", "may not read gated", tokens),
            (token, ErrorKind::GatedRepo, "rejected by", "have rejected the request", page),
            (token, ErrorKind::GatedPending, "", "have not decided yet", page),
            (None, ErrorKind::RepoNotFound, "", "it is private: run HfHub.Auth.login()", page),
            (token, ErrorKind::RepoNotFound, "", "whether the token has access", page),
        ] {
            let said = said(token, kind, words);
            assert!(said.contains(expected) && said.contains(link), "{said}");
            assert!(!said.contains("CANARY") && !said.contains("pass@"), "{said}");
        }
    }

    #[test]
    fn hints_match_the_refusal() {
        for (words, advice) in [
            (
                "Forbidden: you must use a write token to upload.",
                "settings of the token's account: https://",
            ),
            ("You don't have the rights to create a model under the namespace \"me\"", "a member"),
            ("Private repository storage limit reached", "free some storage"),
            ("Forbidden: pass `create_pr=1` as a query parameter", "create_pr: true"),
            ("No.", "lacks permissions"),
        ] {
            let said = said(Some("hf_CANARY"), ErrorKind::Forbidden, words);
            assert!(said.contains(words.trim_end_matches('.')) && said.contains(advice), "{said}");
        }
    }

    #[test]
    fn errors_of_this_library_keep_their_message() {
        let hub = testing::hub("http://hub.example");
        let error = Error::new(ErrorKind::Unauthorized, "the token is not sent over plain http");
        assert_eq!(sentence(&hub, None, &error), None);
    }
}
