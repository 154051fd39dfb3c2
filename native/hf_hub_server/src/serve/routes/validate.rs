//! Validates the metadata of a README before it is uploaded.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup;
use super::super::response;
use crate::store::card;

/// Handles `POST /api/validate-yaml`.
pub(super) fn post(call: &Call) -> Reply {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wanted {
        content: String,
        #[serde(default)]
        repo_type: Option<String>,
    }

    let wanted: Wanted = call.body.json()?;
    let kind = lookup::kind(wanted.repo_type.as_deref())?;
    let report = card::check(wanted.content.as_bytes(), kind);
    let (errors, warnings) = (messages(&report.errors), messages(&report.warnings));
    if report.errors.is_empty() {
        return Ok(response::json(&json!({ "errors": errors, "warnings": warnings })));
    }
    Err(rejection(&report.errors).with("warnings", warnings))
}

/// The error for invalid metadata. Clients match its message and show the list.
pub(super) fn rejection(errors: &[String]) -> ApiError {
    ApiError::bad_request("Invalid metadata in README.md").with("errors", messages(errors))
}

/// Returns messages in the list format that clients expect.
fn messages(texts: &[String]) -> Value {
    texts.iter().map(|text| json!({ "message": text })).collect()
}
