//! The one error type of the engine.
//!
//! It holds facts (kind, status, request id, names) and the cause. It holds no query string, no
//! credentials and no token, so it can be shown anywhere.

mod shown;

pub use shown::Shown;

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use crate::base::hint::Hint;

/// The result of every fallible function in the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// `EMFILE` on all systems that have it.
pub(crate) const TOO_MANY_FILES: i32 = 24;

/// What to do if the process has too many open files.
pub(crate) const MORE_FILES: &str =
    ": too many open files in this process; raise the limit (ulimit -n)";

type Cause = Arc<dyn std::error::Error + Send + Sync>;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// The kind of an error, which callers branch on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $($(#[$doc])* $variant,)* }

        impl ErrorKind {
            /// The names of all kinds, in the order of the documentation.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The name that both languages use.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// 401: a token is required and none was sent.
    NoToken => "no_token",
    /// 401: the token was rejected.
    Unauthorized => "unauthorized",
    /// 403.
    Forbidden => "forbidden",
    /// The terms of the repository have to be accepted first.
    GatedRepo => "gated_repo",
    /// Access was requested and has not been granted yet.
    GatedPending => "gated_pending",
    /// The Hub has disabled the repository.
    DisabledRepo => "disabled_repo",
    /// The repository does not exist, or it is private and the token has no access.
    RepoNotFound => "repo_not_found",
    /// The branch, tag or commit does not exist.
    RevisionNotFound => "revision_not_found",
    /// The file does not exist in the repository.
    EntryNotFound => "entry_not_found",
    /// Any other 404.
    NotFound => "not_found",
    /// 400 or 422.
    BadRequest => "bad_request",
    /// 409.
    Conflict => "conflict",
    /// 412.
    Precondition => "precondition",
    /// 429.
    RateLimited => "rate_limited",
    /// 5xx.
    Server => "server",
    /// Any other status.
    Http => "http",
    /// A deadline passed, or the server stopped sending.
    Timeout => "timeout",
    /// DNS, connect or TLS failure, or a broken connection.
    Transport => "transport",
    /// The network is required and offline mode is on.
    Offline => "offline",
    /// Not in the cache, and the Hub must not or could not be asked.
    NotCached => "not_cached",
    /// The content does not match the checksum that the Hub announced.
    ChecksumMismatch => "checksum_mismatch",
    /// Another process holds the lock of the file.
    LockTimeout => "lock_timeout",
    /// A disk error.
    Io => "io",
    /// A response that is invalid, or not trusted.
    InvalidResponse => "invalid_response",
    /// An invalid repository id, revision or file name.
    InvalidName => "invalid_name",
    /// An archive that is corrupt, or unsafe to unpack.
    InvalidArchive => "invalid_archive",
    /// A card whose metadata cannot be read or written.
    InvalidCard => "invalid_card",
    /// The operation was cancelled by its owner.
    Cancelled => "cancelled",
    /// A bug in this library.
    Internal => "internal",
}

/// An error with its facts, which are boxed to keep results small.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Facts {
    status: Option<u16>,
    url: Option<String>,
    request_id: Option<String>,
    repo_id: Option<String>,
    path: Option<String>,
    revision: Option<String>,
    commit: Option<String>,
    retry_after: Option<Duration>,
    not_the_hub: bool,
    permanent: bool,
    busy: bool,
    token_withheld: bool,
    from_a_store: bool,
    unreachable: bool,
    details: Option<Arc<serde_json::Value>>,
    hints: Vec<Hint>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    facts: Facts,
    source: Option<Cause>,
}

impl Error {
    /// Creates an error of `kind` with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            facts: Facts::default(),
            source: None,
        }))
    }

    /// Creates an error for a failed disk operation: what was attempted on which path.
    pub fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let (why, hint) = match source.kind() {
            io::ErrorKind::StorageFull => (": the disk is full", None),
            io::ErrorKind::PermissionDenied => (": permission denied", Some(Hint::AnotherFolder)),
            io::ErrorKind::ReadOnlyFilesystem => {
                (": the file system is read-only", Some(Hint::AnotherFolder))
            }
            _ if source.raw_os_error() == Some(TOO_MANY_FILES) => (MORE_FILES, None),
            _ => ("", None),
        };
        let message = format!("cannot {doing} `{}`{why}", path.display());
        Self::new(ErrorKind::Io, message).with_source(source).with_hints(hint)
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the message for the user, without the cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the HTTP status, if a response caused the error.
    pub fn status(&self) -> Option<u16> {
        self.0.facts.status
    }

    /// Returns the requested URL, without query and credentials.
    pub fn url(&self) -> Option<&str> {
        self.0.facts.url.as_deref()
    }

    /// Returns the id under which the Hub logged the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.facts.request_id.as_deref()
    }

    /// Returns the id of the repository concerned.
    pub fn repo_id(&self) -> Option<&str> {
        self.0.facts.repo_id.as_deref()
    }

    /// Returns the path in the repository concerned.
    pub fn path(&self) -> Option<&str> {
        self.0.facts.path.as_deref()
    }

    /// Returns the revision concerned.
    pub fn revision(&self) -> Option<&str> {
        self.0.facts.revision.as_deref()
    }

    /// Returns the commit that an error response named: the one in which a file is missing.
    pub fn commit(&self) -> Option<&str> {
        self.0.facts.commit.as_deref()
    }

    /// Returns how long the Hub asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.facts.retry_after
    }

    /// Returns the JSON object of an error response.
    pub fn details(&self) -> Option<&serde_json::Value> {
        self.0.facts.details.as_deref()
    }

    /// Whether the Hub did nothing because a conflicting operation was in progress.
    pub fn is_busy(&self) -> bool {
        self.0.facts.busy
    }

    /// Whether the error comes from a content host, which knows no repositories and no tokens.
    pub fn is_from_a_store(&self) -> bool {
        self.0.facts.from_a_store
    }

    /// Whether no server was reached: the connection was refused, the host name is unknown, or
    /// there is no network.
    pub fn is_unreachable(&self) -> bool {
        self.0.facts.unreachable
    }

    /// Whether a token was configured and was not sent with the request.
    pub fn is_without_token(&self) -> bool {
        self.0.facts.token_withheld
    }

    /// Returns the chain of causes below this error, joined; `None` without a cause.
    pub fn reason(&self) -> Option<String> {
        let mut cause = std::error::Error::source(self);
        let mut parts: Vec<String> = Vec::new();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some layers include their cause in their own message; it is not repeated.
            if !parts.iter().any(|part| part.contains(&text)) {
                parts.push(text);
            }
            cause = error.source();
        }
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    /// Whether a cached copy may be used instead. False if the Hub itself reported that something
    /// does not exist, and if its response must not be trusted.
    pub fn allows_fallback(&self) -> bool {
        match self.kind() {
            ErrorKind::EntryNotFound | ErrorKind::RevisionNotFound | ErrorKind::Io => false,
            ErrorKind::InvalidResponse => self.0.facts.not_the_hub,
            _ => true,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        if self.0.facts.permanent {
            return false;
        }
        match self.kind() {
            ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::RateLimited => true,
            ErrorKind::Server => matches!(self.status(), Some(500 | 502 | 503 | 504)),
            ErrorKind::Http => self.status() == Some(408),
            ErrorKind::Conflict => self.is_busy(),
            _ => false,
        }
    }

    /// Whether an open file was removed by another host, which NFS reports as `ESTALE`.
    pub(crate) fn is_stale_file(&self) -> bool {
        let cause = self.0.source.as_ref().and_then(|source| source.downcast_ref::<io::Error>());
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::StaleNetworkFileHandle)
    }

    /// Returns what the caller can do about the error.
    pub fn hints(&self) -> &[Hint] {
        &self.0.facts.hints
    }

    /// Adds hints.
    #[must_use]
    pub fn with_hints(mut self, hints: impl IntoIterator<Item = Hint>) -> Self {
        self.0.facts.hints.extend(hints);
        self
    }

    /// Replaces message and hints, keeping all other facts.
    #[must_use]
    pub fn restated(mut self, message: impl Into<String>, hints: Vec<Hint>) -> Self {
        self.0.facts.hints = hints;
        self.with_message(message)
    }

    /// Replaces the message, keeping all facts.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Replaces the kind, keeping all facts.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Marks the response as not coming from a Hub: a login page, or a bare mirror.
    #[must_use]
    pub fn not_from_the_hub(mut self) -> Self {
        self.0.facts.not_the_hub = true;
        self
    }

    /// Marks the error as permanent: it is not retried.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.0.facts.permanent = true;
        self
    }

    /// Marks that the Hub did nothing because a conflicting operation was in progress.
    #[must_use]
    pub fn busy(mut self, is_busy: bool) -> Self {
        self.0.facts.busy = is_busy;
        self
    }

    /// Marks that no server was reached.
    #[must_use]
    pub fn unreachable(mut self) -> Self {
        self.0.facts.unreachable = true;
        self
    }

    /// Marks that the error comes from a content host.
    #[must_use]
    pub fn from_a_store(mut self) -> Self {
        self.0.facts.from_a_store = true;
        self
    }

    /// Marks that a token was configured and was not sent.
    #[must_use]
    pub fn token_withheld(mut self) -> Self {
        self.0.facts.token_withheld = true;
        self
    }

    /// Attaches the JSON object of an error response.
    #[must_use]
    pub fn with_details(mut self, details: Option<serde_json::Value>) -> Self {
        self.0.facts.details = details.filter(serde_json::Value::is_object).map(Arc::new);
        self
    }

    /// Attaches the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.facts.status = Some(status);
        self
    }

    /// Attaches the URL, without query, fragment and credentials.
    #[must_use]
    pub fn with_url(mut self, url: &reqwest::Url) -> Self {
        self.0.facts.url = Some(redacted(url));
        self
    }

    /// Attaches the request id.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.facts.request_id = id;
        self
    }

    /// Attaches the commit that an error response named.
    #[must_use]
    pub fn with_commit(mut self, commit: Option<String>) -> Self {
        self.0.facts.commit = commit;
        self
    }

    /// Attaches how long the Hub asked to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.facts.retry_after = wait;
        self
    }

    /// Attaches the repository.
    #[must_use]
    pub fn with_repo(mut self, repo_id: impl fmt::Display) -> Self {
        self.0.facts.repo_id = Some(repo_id.to_string());
        self
    }

    /// Attaches the file in the repository.
    #[must_use]
    pub fn with_path(mut self, path: impl fmt::Display) -> Self {
        self.0.facts.path = Some(path.to_string());
        self
    }

    /// Attaches the revision.
    #[must_use]
    pub fn with_revision(mut self, revision: impl fmt::Display) -> Self {
        self.0.facts.revision = Some(revision.to_string());
        self
    }
}

/// Returns a URL that may be shown: a signed query or a password never leaves the engine.
pub fn redacted(url: &reqwest::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Both calls fail only for URLs that cannot carry credentials.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.into()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match (self.status(), self.request_id()) {
            (Some(status), Some(id)) => write!(f, " (status: {status}, request_id: {id})"),
            (Some(status), None) => write!(f, " (status: {status})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {self}", self.kind().name())?;
        if let Some(reason) = self.reason() {
            write!(f, "; {reason}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_query_and_password_of_urls() {
        let url = "https://me:secret@cdn.example/file?X-Amz-Signature=abc#frag".parse().unwrap();
        let error = Error::new(ErrorKind::Http, "refused").with_url(&url);
        assert_eq!(error.url(), Some("https://cdn.example/file"));
    }

    #[test]
    fn joins_each_cause_once() {
        let inner = io::Error::other("connection reset");
        let error = Error::new(ErrorKind::Transport, "cannot reach the Hub").with_source(inner);
        assert_eq!(error.reason().as_deref(), Some("connection reset"));
        assert_eq!(error.to_string(), "cannot reach the Hub");
    }

    #[test]
    fn every_kind_has_a_unique_name() {
        let mut names = ErrorKind::NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::NAMES.len());
    }
}
