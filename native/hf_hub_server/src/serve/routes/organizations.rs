//! Public information about organisations.

use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::page::Page;
use super::users;
use crate::store::{Followed, Member, Organization, RepoKind, object_id};

/// Number of members on a page, unless the query has a limit.
const MEMBERS: usize = 500;

fn find(call: &Call) -> Result<Organization, ApiError> {
    let name = call.param("name")?;
    let found = call.hub.store.organizations().get(name)?;
    found.ok_or_else(|| ApiError::organization_not_found(name))
}

/// Handles `/api/organizations/{name}/overview`.
pub(super) fn overview(call: &Call) -> Reply {
    let organization = find(call)?;
    let (store, name) = (&call.hub.store, organization.name.as_str());
    let count = |kind| store.count(kind, name, call.caller.viewer());
    let followed = Followed::Organization(name);
    let mut overview = json!({
        "_id": object_id(name),
        "name": name,
        "fullname": organization.fullname.as_deref().unwrap_or(name),
        "type": "org",
        "avatarUrl": "",
        "isVerified": false,
        "numUsers": organization.members,
        "numModels": count(RepoKind::Model)?,
        "numDatasets": count(RepoKind::Dataset)?,
        "numSpaces": count(RepoKind::Space)?,
        "numPapers": store.papers().count_of(name)?,
        "numFollowers": store.follows().count_followers(followed)?,
        "isFollowing": users::is_following(call, followed)?,
    });
    if let Some(details) = &organization.details {
        overview["details"] = details.as_str().into();
    }
    Ok(response::json(&overview))
}

/// Handles `/api/organizations/{name}/followers`.
pub(super) fn followers(call: &Call) -> Reply {
    users::followers_of(call, Followed::Organization(&find(call)?.name))
}

/// Handles `/api/organizations/{name}/members`. Only members see the roles.
pub(super) fn members(call: &Call) -> Reply {
    let organization = find(call)?;
    let name = organization.name.as_str();
    let is_member = call.caller.user().is_ok_and(|user| user.belongs_to(name));
    let page = Page::usual(call, MEMBERS);
    let search = call.query.get("search").unwrap_or_default();
    let range = (page.start, page.with_next());
    let found = call.hub.store.organizations().members(name, search, call.caller.name(), range)?;
    Ok(page.respond(call, found, |Member { account, role }| {
        let mut user = users::shown(call, &account);
        if is_member {
            user["role"] = json!(role);
        }
        user
    }))
}
