//! Public information about a user.

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::whoami::object_id;
use crate::store::{Account, RepoKind};

/// Returns what lists show of a user.
pub(super) fn shown(account: &Account) -> Value {
    json!({
        "_id": object_id(&account.name),
        "user": account.name,
        "fullname": account.fullname.as_ref().unwrap_or(&account.name),
        "avatarUrl": "",
        "isPro": false,
        "type": "user",
    })
}

/// Handles `/api/users/{name}/overview`.
pub(super) fn overview(call: &Call) -> Reply {
    let name = call.param("name")?;
    let user = call.hub.store.users().get(name)?;
    let user = user.ok_or_else(|| ApiError::user_not_found(name))?;
    let count = |kind| call.hub.store.count(kind, name, call.caller.viewer());
    let orgs = user.orgs.iter().map(|org| json!({ "name": org, "fullname": org, "avatarUrl": "" }));
    Ok(response::json(&json!({
        "user": user.name,
        "fullname": user.fullname.as_ref().unwrap_or(&user.name),
        "type": "user",
        "avatarUrl": "",
        "isPro": false,
        "isFollowing": false,
        "numModels": count(RepoKind::Model)?,
        "numDatasets": count(RepoKind::Dataset)?,
        "numSpaces": count(RepoKind::Space)?,
        "numLikes": call.hub.store.count_liked(&user.name, &call.caller.viewer())?,
        "orgs": orgs.collect::<Vec<_>>(),
    })))
}
