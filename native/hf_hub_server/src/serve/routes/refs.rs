//! Branches, tags and pull requests of a repository.

use super::super::call::{Call, Reply};
use super::super::response;
use crate::store::Repo;

/// Handles `/api/{kind}/{id}/refs`.
pub(super) fn get(call: &Call, repo: &Repo) -> Reply {
    let refs = repo.git()?.refs(call.query.flag("include_prs"))?;
    Ok(response::json(&refs))
}
