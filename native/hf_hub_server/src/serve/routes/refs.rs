//! Branches, tags and pull requests of a repository.

use super::super::answer;
use super::super::ask::{Answer, Ask};
use crate::store::Repo;

/// Handles `/api/{kind}/{id}/refs`.
pub(super) fn get(ask: &Ask, repo: &Repo) -> Answer {
    let refs = repo.git()?.refs(ask.query.flag("include_prs"))?;
    Ok(answer::json(&refs))
}
