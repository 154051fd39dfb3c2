//! The repositories of one owner, with their storage sizes.

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use crate::store::{RepoKind, Search};

/// Handles `/api/settings/repositories`.
pub(super) fn own(call: &Call) -> Reply {
    let name = call.caller.user()?.name.clone();
    of(call, &name)
}

/// Handles `/api/organizations/{name}/settings/repositories`.
pub(super) fn of_organization(call: &Call) -> Reply {
    let user = call.caller.user()?;
    let name = call.param("name")?;
    if !user.belongs_to(name) {
        return Err(ApiError::forbidden(format!("You are not a member of {name}")));
    }
    of(call, name)
}

fn of(call: &Call, owner: &str) -> Reply {
    let mut repos = Vec::new();
    for kind in RepoKind::ALL {
        let author = Some(owner.to_owned());
        let search = Search { author, ..Search::new(kind, call.caller.viewer()) };
        repos.extend(call.hub.store.search(&search)?);
    }
    let total = repos.iter().map(|repo| repo.storage).sum::<u64>();
    let percent = |part: u64| {
        let hundredths = u128::from(part) * 10_000 / u128::from(total.max(1));
        f64::from(u32::try_from(hundredths).unwrap_or_default()) / 100.0
    };
    let described = repos.iter().map(|repo| {
        let visibility = if repo.settings.private { "private" } else { "public" };
        json!({
            "id": repo.key.id.to_string(),
            "type": repo.key.kind.singular(),
            "updatedAt": response::date(repo.modified_at),
            "visibility": visibility,
            "storage": repo.storage,
            "storagePercent": percent(repo.storage),
        })
    });
    Ok(response::json(&described.collect::<Vec<Value>>()))
}
