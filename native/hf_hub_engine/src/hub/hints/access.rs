//! Messages for missing access: what is missing, and on which page it can be granted.
//!
//! There are seven causes: no token, an invalid token, insufficient permissions, terms that have
//! not been accepted, a pending access request, a rejected one, or a repository that is private or
//! does not exist. The Hub does not distinguish the last two.

use crate::{
    base::{
        error::{Error, ErrorKind, redacted},
        hint::Hint,
        ids::{Repo, RepoType},
    },
    hub::{
        client::{self, Hub},
        hints::Refused,
    },
};

/// A message, and hints on what to do.
type Said = (String, Vec<Hint>);

/// Replaces the message if the error is about access.
pub(super) fn explained(hub: &Hub, repo: Option<&Repo>, error: Error) -> Error {
    match sentence(hub, repo, &error) {
        Some((message, hints)) => error.restated(message, hints),
        None => error,
    }
}

fn sentence(hub: &Hub, repo: Option<&Repo>, error: &Error) -> Option<Said> {
    // Errors of this library itself are complete already, and a content host knows no tokens.
    error.status().filter(|_| !error.is_from_a_store())?;
    let place = Subject::of(hub, repo, error);
    let words = error.message();
    let (mut message, mut hints) = match error.kind() {
        ErrorKind::NoToken => place.no_token(words),
        ErrorKind::Unauthorized => (place.bad_token(words), Vec::new()),
        ErrorKind::Forbidden => place.forbidden(words),
        ErrorKind::RepoNotFound => place.not_found(),
        ErrorKind::GatedRepo => place.gated(words),
        ErrorKind::GatedPending => {
            let message = format!(
                "access to {} has been requested, and its authors have not decided yet; see {}",
                place.name, place.page
            );
            (message, Vec::new())
        }
        _ => return None,
    };
    if error.is_without_token() {
        let (why, hint) = client::withheld(&hub.endpoint);
        message = format!("{message} ({why})");
        hints.push(hint);
    }
    Some((message, hints))
}

/// What the messages refer to.
struct Subject<'a> {
    hub: &'a Hub,
    /// What was requested.
    name: String,
    /// Its page.
    page: String,
    /// The page for tokens and their permissions.
    tokens: String,
    /// Whether it is a repository without a namespace.
    lacks_namespace: bool,
    /// Whether it is a bucket, which is named without a type.
    is_bucket: bool,
    /// Whether a token was sent.
    signed_in: bool,
}

impl<'a> Subject<'a> {
    fn of(hub: &'a Hub, repo: Option<&Repo>, error: &Error) -> Self {
        let site = redacted(&hub.endpoint);
        let site = site.trim_end_matches('/');
        let tokens = format!("{site}/settings/tokens");
        let (name, page) = match repo {
            Some(repo) => {
                (repo.in_words(), format!("{site}/{}{}", repo.kind().url_prefix(), repo.id()))
            }
            None => ("this".to_owned(), site.to_owned()),
        };
        let signed_in = hub.token.is_some() && !error.is_without_token();
        let lacks_namespace = repo.is_some_and(|repo| !repo.id().contains('/'));
        let is_bucket = repo.is_some_and(|repo| repo.kind() == RepoType::Bucket);
        Self { hub, name, page, tokens, lacks_namespace, is_bucket, signed_in }
    }

    fn no_token(&self, words: &str) -> Said {
        let missing = if self.hub.token.is_some() { "sent" } else { "given" };
        let message = format!("{} needs a token, and none was {missing} ({words})", self.name);
        (message, vec![Hint::CreateToken { tokens: self.tokens.clone() }])
    }

    fn bad_token(&self, words: &str) -> String {
        let source = self.hub.token_source.as_deref();
        let from = source.map(|source| format!(" from {source}")).unwrap_or_default();
        format!(
            "the Hub rejected the token{from} ({words}); it is mistyped, expired or revoked: create another at {}",
            self.tokens
        )
    }

    fn forbidden(&self, words: &str) -> Said {
        let start = format!("access to {} is forbidden: ", self.name);
        let Some(refused) = Refused::by(words) else {
            let message = format!(
                "{start}{words}; if your account may do this, the token lacks permissions: add \
                 them, or create another token, at {}",
                self.tokens
            );
            return (message, Vec::new());
        };
        let start = format!("{start}{}", words.trim_end_matches('.'));
        let next = match refused {
            Refused::Storage => "free some storage or get more, then try again".to_owned(),
            Refused::Branch => return (start, vec![Hint::PullRequest]),
            Refused::ReadToken => format!(
                "create a token with write permission in the settings of the token's account: {}",
                self.tokens
            ),
            Refused::Namespace => "the token has to belong to that user, or to a member of that \
                                   organization with write access"
                .to_owned(),
            Refused::ReadOnly => "the token's account has read access only".to_owned(),
            Refused::NoDiscussions => return (start, vec![Hint::EnableDiscussions]),
            Refused::Author => "ask the author, or an owner of the repository".to_owned(),
        };
        (format!("{start}; {next}"), Vec::new())
    }

    fn not_found(&self) -> Said {
        let (page, tokens) = (self.page.clone(), self.tokens.clone());
        let access =
            if self.signed_in { Hint::CheckAccess { page, tokens } } else { Hint::SignIn { page } };
        let namespace = self.lacks_namespace.then_some(Hint::Namespace);
        let name = if self.is_bucket { Hint::CheckBucket } else { Hint::CheckName };
        let hints = namespace.into_iter().chain([name, access]).collect();
        (format!("{} not found", self.name), hints)
    }

    fn gated(&self, words: &str) -> Said {
        let start = format!("{} is gated", self.name);
        if !self.signed_in {
            let (page, tokens) = (self.page.clone(), self.tokens.clone());
            return (start, vec![Hint::AcceptTerms { page, tokens }]);
        }
        let Self { page, tokens, .. } = self;
        // The Hub sends the same error code for all of these; only the message distinguishes them.
        let why = if words.contains("fine-grained") {
            format!("this token may not read gated repositories; allow it at {tokens}")
        } else if words.contains("rejected") {
            format!("its authors have rejected the request; see {page}")
        } else {
            format!("the account of this token has no access; request it at {page}")
        };
        (format!("{start}, and {why}"), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hub::token::Token, testing};

    fn said(token: Option<&str>, kind: ErrorKind, words: &str) -> String {
        let hub = Hub {
            token: token.map(|token| Token::new(token).unwrap()),
            token_source: Some("HF_TOKEN".to_owned()),
            ..testing::hub("https://user:pass@hub.example/hf/")
        };
        let repo = Repo::new(RepoType::Dataset, "org/data").unwrap();
        let error = Error::new(kind, words).with_status(403);
        let (message, hints) = sentence(&hub, Some(&repo), &error).unwrap();
        format!("{message} {hints:?}")
    }

    #[test]
    fn every_kind_of_rejection_has_its_message_and_page() {
        let (page, tokens) =
            ("https://hub.example/hf/datasets/org/data", "https://hub.example/hf/settings/tokens");
        let token = Some("hf_CANARY");
        for (token, kind, words, expected, link) in [
            (None, ErrorKind::NoToken, "x", "needs a token, and none was given (x)", tokens),
            (token, ErrorKind::Unauthorized, "x", "rejected the token from HF_TOKEN (x)", tokens),
            (token, ErrorKind::Forbidden, "x", "is forbidden: x; if your account may", tokens),
            (None, ErrorKind::GatedRepo, "", "AcceptTerms", page),
            (token, ErrorKind::GatedRepo, "", "the account of this token has no access", page),
            (token, ErrorKind::GatedRepo, "your fine-grained token", "may not read gated", tokens),
            (token, ErrorKind::GatedRepo, "rejected by", "have rejected the request", page),
            (token, ErrorKind::GatedPending, "", "have not decided yet", page),
            (None, ErrorKind::RepoNotFound, "", "SignIn", page),
            (token, ErrorKind::RepoNotFound, "", "CheckAccess", page),
        ] {
            let said = said(token, kind, words);
            assert!(said.contains(expected) && said.contains(link), "{said}");
            assert!(!said.contains("CANARY") && !said.contains("pass@"), "{said}");
        }
    }

    #[test]
    fn hints_match_the_rejection() {
        for (words, advice) in [
            (
                "Forbidden: you must use a write token to upload.",
                "settings of the token's account: https://",
            ),
            ("You don't have the rights to create a model under the namespace \"me\"", "a member"),
            ("Private repository storage limit reached", "free some storage"),
            ("Forbidden: pass `create_pr=1` as a query parameter", "PullRequest"),
            ("Discussions are disabled for this repo", "EnableDiscussions"),
            ("Only the author of a comment can edit it", "ask the author"),
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
