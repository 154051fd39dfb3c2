//! The repositories of one owner, with their storage sizes.

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::info::Properties;
use super::list;
use crate::store::RepoKind;

const BEFORE: &str = "/api/organizations/";
const AFTER: &str = "/settings/repositories";

/// Handles `/api/settings/repositories`.
pub(super) fn own(call: &Call) -> Reply {
    let name = call.caller.user()?.name.clone();
    of(call, &name)
}

/// Handles `/api/organizations/{name}/settings/repositories`.
pub(super) fn of_organization(call: &Call) -> Reply {
    let user = call.caller.user()?;
    let name = call.raw_path.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
    let name = name.ok_or_else(ApiError::page_not_found)?;
    if !user.belongs_to(name) {
        return Err(ApiError::forbidden(format!("You are not a member of {name}")));
    }
    of(call, name)
}

fn of(call: &Call, owner: &str) -> Reply {
    let mut repos = Vec::new();
    for kind in RepoKind::ALL {
        let all = list::all(call, kind)?;
        let is_own = |repo: &Properties| repo.get("author").is_some_and(|author| author == owner);
        repos.extend(all.into_iter().filter(is_own).map(|repo| (kind, repo)));
    }
    let size = |repo: &Properties| repo["usedStorage"].as_u64().unwrap_or_default();
    let total = repos.iter().map(|(_, repo)| size(repo)).sum::<u64>();
    let percent = |part: u64| {
        let hundredths = u128::from(part) * 10_000 / u128::from(total.max(1));
        f64::from(u32::try_from(hundredths).unwrap_or_default()) / 100.0
    };
    let described = repos.iter().map(|(kind, repo)| {
        let visibility = if repo["private"] == true { "private" } else { "public" };
        json!({
            "id": repo["id"],
            "type": kind.singular(),
            "updatedAt": repo["lastModified"],
            "visibility": visibility,
            "storage": size(repo),
            "storagePercent": percent(size(repo)),
        })
    });
    Ok(response::json(&described.collect::<Vec<Value>>()))
}
