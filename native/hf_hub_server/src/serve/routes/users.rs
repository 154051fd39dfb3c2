//! Public information about users.

use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::page::Page;
use crate::store::{Account, Followed, RepoKind, User, object_id};

/// Returns what lists show of a user.
pub(super) fn shown(call: &Call, account: &Account) -> Value {
    let mut user = json!({
        "_id": object_id(&account.name),
        "user": account.name,
        "fullname": account.fullname.as_ref().unwrap_or(&account.name),
        "avatarUrl": "",
        "isPro": false,
        "type": "user",
    });
    if !call.caller.is_anonymous() {
        user["isFollowing"] = account.is_followed.into();
    }
    user
}

/// Returns a user; an error if there is none of that name.
pub(super) fn find(call: &Call, name: &str) -> Result<User, ApiError> {
    call.hub.store.users().get(name)?.ok_or_else(|| ApiError::user_not_found(name))
}

/// Handles `/api/users/{name}/overview`.
pub(super) fn overview(call: &Call) -> Reply {
    let user = find(call, call.param("name")?)?;
    let (store, name) = (&call.hub.store, user.name.as_str());
    let (viewer, follows) = (call.caller.viewer(), store.follows());
    let count = |kind| store.count(kind, name, viewer.clone());
    let orgs = user.orgs.iter().map(|org| organization(call, org));
    let mut overview = json!({
        "_id": object_id(name),
        "user": name,
        "fullname": user.fullname.as_deref().unwrap_or(name),
        "type": "user",
        "avatarUrl": "",
        "isPro": false,
        "numModels": count(RepoKind::Model)?,
        "numDatasets": count(RepoKind::Dataset)?,
        "numSpaces": count(RepoKind::Space)?,
        "numPapers": store.papers().count_by(name)?,
        "numDiscussions": store.discussions().count_by(name, &viewer)?,
        "numUpvotes": store.collections().count_upvotes(name)?,
        "numLikes": store.count_liked(name, &viewer)?,
        "numFollowers": follows.count_followers(Followed::User(name))?,
        "numFollowing": follows.count_following(name)?,
        "orgs": orgs.collect::<Result<Vec<_>, _>>()?,
        "isFollowing": is_following(call, Followed::User(name))?,
    });
    if let Some(details) = &user.details {
        overview["details"] = details.as_str().into();
    }
    if let Some(created_at) = user.created_at {
        overview["createdAt"] = response::date(created_at).into();
    }
    Ok(response::json(&overview))
}

/// Returns what a user's information shows of an organisation.
pub(super) fn organization(call: &Call, name: &str) -> Result<Map<String, Value>, ApiError> {
    let found = call.hub.store.organizations().get(name)?;
    let fullname = found.and_then(|organization| organization.fullname);
    let fullname = fullname.as_deref().unwrap_or(name);
    let id = object_id(name);
    let entries = [("id", id.as_str()), ("name", name), ("fullname", fullname), ("avatarUrl", "")];
    Ok(entries.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect())
}

/// Whether the caller follows it.
pub(super) fn is_following(call: &Call, followed: Followed<'_>) -> Result<bool, ApiError> {
    let Some(caller) = call.caller.name() else { return Ok(false) };
    Ok(call.hub.store.follows().follows(caller, followed)?)
}

/// Handles `/api/users/{name}/followers`.
pub(super) fn followers(call: &Call) -> Reply {
    let user = find(call, call.param("name")?)?;
    followers_of(call, Followed::User(&user.name))
}

/// Responds with the followers of a user or an organisation.
pub(super) fn followers_of(call: &Call, followed: Followed<'_>) -> Reply {
    let (page, follows) = (Page::of(call), call.hub.store.follows());
    let found = follows.followers(followed, call.caller.name(), page.start, page.with_next())?;
    Ok(page.respond(call, found, |account| shown(call, &account)))
}

/// Handles `/api/users/{name}/following`.
pub(super) fn following(call: &Call) -> Reply {
    let user = find(call, call.param("name")?)?;
    let (page, follows) = (Page::of(call), call.hub.store.follows());
    let found = follows.following(&user.name, call.caller.name(), page.start, page.with_next())?;
    Ok(page.respond(call, found, |account| shown(call, &account)))
}
