//! Information about given paths.

use serde::Deserialize;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::query::{Query, is_true};
use super::super::response;
use super::tree;
use crate::store::Repo;
use axum::http::header::CONTENT_TYPE;

const MAX_PATHS: usize = 2000;

/// The request body.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    paths: OneOrMany,
    #[serde(default)]
    expand: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// Handles `POST /api/{kind}/{id}/paths-info/{revision}`; missing paths are left out.
pub(super) fn post(call: &Call, repo: &Repo, revision: &str) -> Reply {
    let wanted = read(call)?;
    let paths = match wanted.paths {
        OneOrMany::One(path) => vec![path],
        OneOrMany::Many(paths) => paths,
    };
    if paths.len() > MAX_PATHS {
        return Err(ApiError::bad_request(format!("At most {MAX_PATHS} paths at once")));
    }
    let (git, commit) = checkout(repo, revision)?;
    let mut entries = Vec::new();
    for path in paths {
        entries.extend(git.entry(commit, path.trim_end_matches('/'))?);
    }
    Ok(response::json(&tree::to_json(call, &git, commit, &entries, wanted.expand)?))
}

fn read(call: &Call) -> Result<Wanted, ApiError> {
    let content_type =
        call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/json") {
        return call.body.json();
    }
    let form = Query::parse_form(&call.body.bytes()?);
    let paths = OneOrMany::Many(form.all("paths").map(str::to_owned).collect());
    Ok(Wanted { paths, expand: form.get("expand").is_some_and(is_true) })
}
