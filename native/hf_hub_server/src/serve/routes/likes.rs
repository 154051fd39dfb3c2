//! Likes of repositories.

use axum::http::Method;
use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::response;
use super::page::Page;
use super::users;
use crate::store::{Liked, Repo};

/// A route of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The caller's like.
    Like,
    /// The users who like it.
    Likers,
}

impl Route {
    /// Parses the segments after the repository's id.
    pub(crate) fn parse(segments: &[&str]) -> Option<Self> {
        match segments {
            ["like"] => Some(Self::Like),
            ["likers"] => Some(Self::Likers),
            _ => None,
        }
    }

    /// Whether the route supports the method.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        match self {
            Self::Like => method == Method::POST || method == Method::DELETE,
            Self::Likers => method == Method::GET || method == Method::HEAD,
        }
    }
}

/// Handles the routes of a repository.
pub(super) fn act(call: &Call, repo: &Repo, route: &Route) -> Reply {
    match route {
        Route::Like if call.method == Method::POST => {
            call.hub.store.like(repo, &call.caller.actor()?.name)?;
            Ok(response::ok())
        }
        Route::Like => {
            call.hub.store.unlike(repo, &call.caller.actor()?.name)?;
            Ok(response::ok())
        }
        Route::Likers => likers(call, repo),
    }
}

fn likers(call: &Call, repo: &Repo) -> Reply {
    let page = Page::of(call);
    let found = call.hub.store.likers(repo, call.caller.name(), page.start, page.with_next())?;
    Ok(page.respond(call, found, |account| users::shown(call, &account)))
}

/// Handles `/api/users/{name}/likes`.
pub(super) fn of_user(call: &Call) -> Reply {
    let name = call.param("name")?;
    let user = users::find(call, name)?;
    let (page, viewer) = (Page::of(call), call.caller.viewer());
    let found = call.hub.store.liked(&user.name, &viewer, page.start, page.with_next())?;
    Ok(page.respond(call, found, |Liked { key, at }| {
        let repo = json!({ "name": key.id.to_string(), "type": key.kind.singular() });
        json!({ "createdAt": response::date(at), "repo": repo })
    }))
}
