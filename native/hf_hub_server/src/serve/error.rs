//! Errors of requests, and their responses.
//!
//! Clients distinguish errors by status, `X-Error-Code`, `X-Error-Message` and body; each
//! combination is written once, here.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::response::{self, header_value};
use crate::store::{DiscussionStatus, Refused, RepoKey, is_full};

const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
/// Maximum number of files in a message.
const MAX_NAMED: usize = 10;
const PASSWORD: &str = "Basic realm=\"Local Hub\", charset=\"UTF-8\"";
const GATED: &str = "GatedRepo";
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");

/// A response of status 400 and above.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: Option<&'static str>,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    more: Box<Map<String, Value>>,
    /// Whether the body is only the message.
    is_plain: bool,
    cause: Option<String>,
}

/// The cause of an internal error, for the log; carried in the response's extensions.
#[derive(Clone, Debug)]
pub(super) struct Cause(pub(super) String);

impl ApiError {
    /// The repository does not exist, or the caller must not know of it. Without a token, this
    /// looks the same as a missing token. The code is sent either way: over plain HTTP, the Python
    /// client recognizes a missing repository only by it.
    pub(super) fn repo_not_found(anonymous: bool) -> Self {
        let error = if anonymous {
            Self::token_required()
        } else {
            Self::new(StatusCode::NOT_FOUND, None, "Repository not found")
        };
        Self { code: Some("RepoNotFound"), ..error }
    }

    /// No token was sent.
    pub(super) fn token_required() -> Self {
        Self::unauthorized("Invalid username or password.")
    }

    /// The token is unknown.
    pub(super) fn bad_token() -> Self {
        Self::unauthorized("Invalid credentials in Authorization header")
    }

    /// The files of a gated repository require access, and the request is anonymous.
    pub(super) fn gated_anonymous(key: &RepoKey) -> Self {
        let hint = "You must have access to it and be authenticated to access it. Please log in.";
        let message = format!("Access to {key} is restricted. {hint}");
        Self::new(StatusCode::UNAUTHORIZED, Some(GATED), message)
    }

    /// The user has not requested access.
    pub(super) fn gated(key: &RepoKey) -> Self {
        Self::no_access(format!(
            "Access to {key} is restricted and you are not in the authorized list. Visit \
             https://huggingface.co/{}{} to ask for access.",
            key.kind.url_prefix(),
            key.id
        ))
    }

    /// The user's access request is pending.
    pub(super) fn gated_pending(key: &RepoKey) -> Self {
        Self::no_access(format!(
            "Your request to access {key} is awaiting a review from the repo authors."
        ))
    }

    /// The user's access request was rejected.
    pub(super) fn gated_rejected(key: &RepoKey) -> Self {
        Self::no_access(format!(
            "Your request to access {key} has been rejected by the repo's authors."
        ))
    }

    /// The user has access, but not with this token.
    pub(super) fn gated_for_token() -> Self {
        Self::no_access(
            "Please enable access to public gated repositories in your fine-grained token settings \
             to view this repository.",
        )
    }

    fn no_access(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Some(GATED), message)
    }

    /// The OAuth error of a login that is pending or has failed.
    pub(super) fn oauth(code: &'static str, description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, None, code).with("error_description", description)
    }

    /// The repository is disabled.
    pub(super) fn disabled() -> Self {
        Self::new(StatusCode::FORBIDDEN, None, "Access to this resource is disabled.")
    }

    /// The revision does not exist.
    pub(super) fn revision_not_found(revision: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Some("RevisionNotFound"),
            format!("Invalid rev id: {revision}"),
        )
    }

    /// The file or folder does not exist at that commit.
    pub(super) fn entry_not_found(commit: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Some("EntryNotFound"), "Entry not found")
            .with_header(response::REPO_COMMIT, commit)
    }

    /// The route does not exist.
    pub(super) fn page_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, None, "Sorry, we can't find the page you are looking for.")
    }

    /// The request to Xet storage has no token that was made here.
    #[cfg(feature = "xet")]
    pub(super) fn bad_xet_token() -> Self {
        Self::unauthorized("Invalid Xet token")
    }

    /// The token for Xet storage has expired.
    #[cfg(feature = "xet")]
    pub(super) fn expired_xet_token() -> Self {
        Self::unauthorized("This Xet token has expired")
    }

    /// Whether the client has done nothing wrong, so that it may try again.
    #[cfg(feature = "xet")]
    pub(super) fn is_internal(&self) -> bool {
        self.status == StatusCode::INTERNAL_SERVER_ERROR
    }

    /// The user does not exist.
    pub(super) fn user_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("The user {name} does not exist"))
    }

    /// The organization does not exist.
    pub(super) fn organization_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, format!("The organization {name} does not exist"))
    }

    /// What the request refers to does not exist.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// The route does not support this method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, None, "Method not allowed")
    }

    /// The request is malformed.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, None, message)
    }

    /// The request is well-formed, but refers to something that is not allowed.
    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, None, message)
    }

    /// The route of an unsupported protocol, with the workaround.
    pub(super) fn no_xet() -> Self {
        let message = "The Local Hub does not support Xet uploads; set HF_HUB_DISABLE_XET=1 in the \
                       environment of the client, and large files are uploaded through LFS";
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// The name already exists.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, None, message)
    }

    /// The caller has no permission.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, None, message)
    }

    /// The branch has moved.
    pub(super) fn stale() -> Self {
        // Clients compare this text.
        let message =
            "The branch was updated since you opened this page. Please refresh and try again.";
        Self::new(StatusCode::PRECONDITION_FAILED, None, message)
    }

    /// There is nothing to delete at that path.
    pub(super) fn nothing_there(what: &str, path: &str) -> Self {
        let message = format!("A {what} with this name doesn't exist: {path}");
        Self::new(StatusCode::NOT_FOUND, Some("EntryNotFound"), message)
    }

    /// A referenced content was never uploaded.
    pub(super) fn content_not_found(oid: &str) -> Self {
        let message = format!("There is no object {oid} of this size");
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// The client left while it was sending; only the log shows this.
    pub(super) fn cut_body() -> Self {
        Self::bad_request("The request body ended early")
    }

    /// The client stopped sending.
    pub(super) fn body_timed_out() -> Self {
        let message = "The request body stopped arriving, or arrived too slowly";
        Self::new(StatusCode::REQUEST_TIMEOUT, None, message)
    }

    /// Ends a handler that needs the body, which has not arrived yet. Never sent.
    pub(super) fn body_is_awaited() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, None, "The request body is still to come")
    }

    /// The rate limit is exhausted.
    pub(super) fn too_many_requests() -> Self {
        let message = "You have reached the rate limit; try again in the next window.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, None, message)
    }

    /// The request body is too large.
    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, None, "Request body too large")
    }

    fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, None, message)
            .with_header(WWW_AUTHENTICATE, "Bearer realm=\"Authentication required\"")
    }

    fn new(status: StatusCode, code: Option<&'static str>, message: impl Into<String>) -> Self {
        let (headers, more) = (Vec::new(), Box::default());
        Self { status, code, message: message.into(), headers, more, is_plain: false, cause: None }
    }

    /// A required program is not installed on this machine.
    pub(super) fn not_installed(program: &str) -> Self {
        let message = format!("{program} is not installed where the Local Hub runs");
        Self::new(StatusCode::NOT_IMPLEMENTED, None, message)
    }

    /// What was asked for does not run yet, or not now.
    pub(super) fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, None, message)
    }

    /// No server of models stands behind the inference endpoints.
    pub(super) fn no_model_server() -> Self {
        let message = "No model is served here; the administrator of this Local Hub can name a \
                       server of models with `hf_hub_server serve --endpoint-url URL`";
        Self::new(StatusCode::NOT_IMPLEMENTED, None, message)
    }

    /// Jobs are switched off.
    pub(super) fn no_jobs() -> Self {
        let message = "Jobs are not available on this Local Hub; its administrator can switch them \
                       on with `hf_hub_server serve --jobs local`";
        Self::new(StatusCode::NOT_IMPLEMENTED, None, message)
    }

    /// The job has no metrics any more.
    pub(super) fn job_has_ended() -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, None, "This job has ended")
    }

    /// Changes the response so that git asks its user for a password and shows the message.
    pub(super) fn for_git(mut self) -> Self {
        self.is_plain = true;
        self.asks_for_password()
    }

    /// Same for git-lfs, which has its own key for the message.
    pub(super) fn for_git_lfs(self) -> Self {
        let message = self.message.clone();
        self.asks_for_password().with("message", message)
    }

    /// Changes the response so that a client asks its user for a password again.
    pub(super) fn asks_for_password(self) -> Self {
        if self.status != StatusCode::UNAUTHORIZED {
            return self;
        }
        self.with_header(WWW_AUTHENTICATE, PASSWORD)
    }

    /// Adds the header that makes a browser ask its user for a password.
    pub(super) fn ask_for_password(headers: &mut HeaderMap) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(PASSWORD));
    }

    /// Returns the status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the message.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Adds a key to the body.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }

    fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, header_value(value)));
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut headers = self.headers;
        if let Some(code) = self.code {
            headers.push((ERROR_CODE, HeaderValue::from_static(code)));
        }
        headers.push((ERROR_MESSAGE, header_value(&self.message)));
        let mut response = if self.is_plain {
            (self.status, self.message).into_response()
        } else {
            headers.push((CONTENT_TYPE, response::JSON));
            let mut body = *self.more;
            body.insert("error".into(), self.message.into());
            (self.status, Json(body)).into_response()
        };
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl ApiError {
    /// A discussion was not changed.
    fn refused(refused: Refused) -> Self {
        let not_found = |what| Self::new(StatusCode::NOT_FOUND, None, format!("{what} not found"));
        match refused {
            Refused::Missing => not_found("Discussion"),
            Refused::NoComment => not_found("Comment"),
            Refused::Hidden => Self::conflict("This comment has already been hidden"),
            Refused::Full => Self::bad_request("This discussion is full; open another one"),
            Refused::NotAPullRequest => Self::bad_request("This discussion is not a pull request"),
            Refused::StillOpen => Self::conflict("This pull request is still open"),
            Refused::NoRef(name) => Self::revision_not_found(&name),
            Refused::Already(DiscussionStatus::Closed) => {
                Self::conflict("This discussion is already closed")
            }
            Refused::Already(_) => Self::conflict("This discussion is already open"),
            Refused::Status(status) => Self::conflict(match status {
                DiscussionStatus::Draft => "This pull request is a draft",
                DiscussionStatus::Open => "This discussion is open",
                DiscussionStatus::Closed => "This discussion is closed",
                DiscussionStatus::Merged => "This pull request has already been merged",
            }),
            Refused::Conflicts(files) => {
                let names = files.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>();
                let more = if files.len() > MAX_NAMED { ", …" } else { "" };
                let message =
                    format!("This pull request has merge conflicts: {}{more}", names.join(", "));
                Self::conflict(message).with("filesWithConflicts", files)
            }
        }
    }
}

/// Errors of the disk or git are internal errors, whose details are not sent to the client.
impl<E: Into<anyhow::Error>> From<E> for ApiError {
    fn from(err: E) -> Self {
        let err = match err.into().downcast::<Refused>() {
            Ok(refused) => return Self::refused(refused),
            Err(err) => err,
        };
        let (status, message) = if is_full(&err) {
            (StatusCode::INSUFFICIENT_STORAGE, "The Local Hub has no room left to store this")
        } else {
            let message = "Internal error of the Local Hub; see its log";
            (StatusCode::INTERNAL_SERVER_ERROR, message)
        };
        Self { cause: Some(format!("{err:#}")), ..Self::new(status, None, message) }
    }
}
