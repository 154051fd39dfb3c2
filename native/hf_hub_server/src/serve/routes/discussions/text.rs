//! What users write: bodies, titles, comments.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::super::call::Call;
use super::super::super::error::ApiError;

/// Maximum size of a body: a comment of which each character is escaped, and a title.
const MAX_BODY: u64 = 512 << 10;
const MAX_TEXT: usize = 65_536;
const MIN_TITLE: usize = 3;
const MAX_TITLE: usize = 200;

/// A new discussion.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct New {
    pub(super) title: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) pull_request: bool,
}

/// A new comment.
#[derive(Debug, Deserialize)]
pub(super) struct NewComment {
    pub(super) comment: String,
}

/// The new text of a comment.
#[derive(Debug, Deserialize)]
pub(super) struct NewContent {
    pub(super) content: String,
}

/// Why a comment is hidden.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Reason {
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// A new title.
#[derive(Debug, Deserialize)]
pub(super) struct NewTitle {
    pub(super) title: String,
}

/// A new status, with a comment.
#[derive(Debug, Deserialize)]
pub(super) struct NewStatus {
    pub(super) status: String,
    #[serde(default)]
    pub(super) comment: Option<String>,
}

/// The comment of a merge.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Merge {
    #[serde(default)]
    pub(super) comment: Option<String>,
}

/// Whether a discussion is shown first.
#[derive(Debug, Deserialize)]
pub(super) struct Pin {
    pub(super) pinned: bool,
}

/// Parses the body.
pub(super) fn body<T: DeserializeOwned>(call: &Call) -> Result<T, ApiError> {
    parse(&call.body.bytes_within(MAX_BODY)?)
}

/// Parses a body that may be missing.
pub(super) fn optional_body<T: DeserializeOwned + Default>(call: &Call) -> Result<T, ApiError> {
    let bytes = call.body.bytes_within(MAX_BODY)?;
    if bytes.is_empty() || bytes == b"null" { Ok(T::default()) } else { parse(&bytes) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let json = serde_json::from_slice(bytes);
    json.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))
}

/// Returns a title without spaces around it. It is the first line of the commit of a merge.
pub(super) fn title(text: &str) -> Result<&str, ApiError> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(ApiError::bad_request("\"title\" must not contain control characters"));
    }
    let length = text.chars().count();
    if length < MIN_TITLE {
        let least = format!("\"title\" length must be at least {MIN_TITLE} characters long");
        return Err(ApiError::bad_request(least));
    }
    check_length("title", length, MAX_TITLE)?;
    Ok(text)
}

/// Checks a text that may be empty.
pub(super) fn description<'a>(name: &str, text: &'a str) -> Result<&'a str, ApiError> {
    check_length(name, text.chars().count(), MAX_TEXT)?;
    let text = text.trim();
    if text.contains('\0') {
        return Err(ApiError::bad_request(format!("\"{name}\" must not contain NUL characters")));
    }
    Ok(text)
}

/// Checks a text that must not be empty.
pub(super) fn comment<'a>(name: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let text = description(name, text)?;
    if text.is_empty() {
        return Err(ApiError::bad_request(format!("\"{name}\" is not allowed to be empty")));
    }
    Ok(text)
}

/// Checks a comment that may be missing.
pub(super) fn optional_comment(text: Option<&str>) -> Result<Option<&str>, ApiError> {
    text.map(|text| comment("comment", text)).transpose()
}

fn check_length(name: &str, length: usize, most: usize) -> Result<(), ApiError> {
    if length <= most {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "\"{name}\" length must be less than or equal to {most} characters long"
    )))
}
