//! Public information about a user.

use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use crate::store::RepoKind;

const BEFORE: &str = "/api/users/";
const AFTER: &str = "/overview";

/// Handles `/api/users/{name}/overview`.
pub(super) fn overview(call: &Call) -> Reply {
    let name = call.raw_path.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
    let name = name.ok_or_else(ApiError::page_not_found)?;
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
        "orgs": orgs.collect::<Vec<_>>(),
    })))
}
