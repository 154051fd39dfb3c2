//! A file whose content is part of the request.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::super::error::ApiError;
use super::super::validate;
use super::path;
use crate::store::card;
use crate::store::{MAX_POINTER_SIZE, Pointer, RepoKind};

/// Larger files must be uploaded before the commit.
pub(in super::super) const MAX_REGULAR: u64 = 10 << 20;
const README: &str = "README.md";

/// Returns the content of a file; fails if the repository cannot contain it.
pub(in super::super) fn content(
    kind: RepoKind,
    path: &str,
    text: Cow<'_, str>,
    encoding: Option<&str>,
) -> Result<Vec<u8>, ApiError> {
    path::check(path)?;
    let content = match encoding {
        Some("base64") => STANDARD
            .decode(text.as_bytes())
            .map_err(|_| ApiError::bad_request(format!("The content of {path} is not base64")))?,
        None | Some("utf-8") => text.into_owned().into_bytes(),
        Some(other) => return Err(ApiError::bad_request(format!("Unknown encoding: {other}"))),
    };
    if content.len() as u64 > MAX_REGULAR {
        return Err(too_large(path));
    }
    if path == README {
        check_readme(kind, &content)?;
    }
    Ok(content)
}

/// Returns the LFS pointer if the content is one.
pub(in super::super) fn pointer(content: &[u8]) -> Option<Pointer> {
    let is_short = content.len() as u64 <= MAX_POINTER_SIZE;
    is_short.then(|| Pointer::parse(content)).flatten()
}

/// The error for a pointer to a file that was not uploaded.
pub(in super::super) fn points_nowhere(path: &str) -> ApiError {
    ApiError::bad_request(format!(
        "Your push was rejected because an LFS pointer pointed to a file that does not exist. \
         Offending file: - {path}"
    ))
}

/// The error for a file that must be uploaded before the commit.
pub(super) fn too_large(path: &str) -> ApiError {
    ApiError::bad_request(format!(
        "Your push was rejected because it contains files larger than 10 MiB. Please use https://git-lfs.github.com/ \
         to store large files. Offending files: - {path}"
    ))
}

fn check_readme(kind: RepoKind, content: &[u8]) -> Result<(), ApiError> {
    let errors = readme_errors(kind, content);
    if errors.is_empty() { Ok(()) } else { Err(validate::rejection(&errors)) }
}

/// Returns what is wrong with the metadata of a README.
pub(in super::super) fn readme_errors(kind: RepoKind, content: &[u8]) -> Vec<String> {
    card::check(content, kind).errors
}
