//! The large files of a repository for its owner: their list, and their removal for good.

use std::collections::HashSet;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::{Event, RefChange};
use super::super::response::{self, date};
use super::page::Page;
use crate::store::{LargeFile, Repo, is_oid, object_id};

/// Maximum number of files that one request removes.
const MOST: usize = 1000;

/// A route about the large files of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The list.
    All,
    /// The removal of several.
    Batch,
    /// The removal of the one with this id.
    One(String),
}

impl Route {
    /// Parses the segments after the repository's id.
    pub(crate) fn parse(segments: &[&str]) -> Option<Self> {
        match segments {
            ["lfs-files"] => Some(Self::All),
            ["lfs-files", "batch"] => Some(Self::Batch),
            ["lfs-files", oid] if is_oid(oid) => Some(Self::One((*oid).to_owned())),
            _ => None,
        }
    }

    /// Whether the route supports the method.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        match self {
            Self::All => method == Method::GET || method == Method::HEAD,
            Self::Batch => method == Method::POST,
            Self::One(_) => method == Method::DELETE,
        }
    }
}

/// Handles the routes below `/api/{kind}/{id}/lfs-files`.
pub(super) fn act(call: &Call, repo: &Repo, route: &Route) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    match route {
        Route::All => list(call, repo),
        Route::Batch => remove_all(call, repo),
        Route::One(oid) => {
            if !repo.holds(&call.hub.store.lfs(), oid)? {
                return Err(ApiError::content_not_found(oid));
            }
            let rewrite = call.query.get("rewriteHistory").is_none_or(|text| text != "false");
            remove(call, repo, &HashSet::from([oid.clone()]), rewrite)
        }
    }
}

fn list(call: &Call, repo: &Repo) -> Reply {
    let page = Page::of(call);
    let files = call.hub.store.large_files(repo)?;
    let found = files.into_iter().skip(page.start).take(page.with_next()).collect();
    Ok(page.respond(call, found, |file| describe(&file)))
}

fn describe(file: &LargeFile) -> Value {
    let mut json = json!({
        "fileOid": file.oid,
        "oid": file.oid,
        "size": file.size,
        "pushedAt": date(file.pushed_at),
        // The Python client requires a name.
        "filename": file.commit.as_ref().map_or("", |commit| &commit.path),
    });
    if let Some(commit) = &file.commit {
        json["ref"] = commit.reference.as_str().into();
        json["pusher"] = json!({
            "_id": object_id(&commit.author),
            "type": "user",
            "name": commit.author,
            "fullname": commit.author,
            "avatarUrl": "",
            "isPro": false,
            "isHf": false,
            "isHfAdmin": false,
            "isMod": false,
        });
    }
    json
}

fn remove_all(call: &Call, repo: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Wanted {
        deletions: Deletions,
    }
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Deletions {
        sha: Vec<String>,
        #[serde(default = "yes")]
        rewrite_history: bool,
    }

    let Deletions { sha, rewrite_history } = call.body.json::<Wanted>()?.deletions;
    if sha.len() > MOST {
        let message = format!("\"deletions.sha\" may have at most {MOST} items");
        return Err(ApiError::bad_request(message));
    }
    if let Some(wrong) = sha.iter().find(|oid| !is_oid(oid)) {
        let message = format!("\"deletions.sha\" has an invalid SHA-256: {wrong}");
        return Err(ApiError::bad_request(message));
    }
    // A request that is repeated after a lost response finds some of them removed.
    remove(call, repo, &sha.into_iter().collect(), rewrite_history)
}

fn yes() -> bool {
    true
}

fn remove(call: &Call, repo: &Repo, oids: &HashSet<String>, rewrite: bool) -> Reply {
    let removal = call.hub.store.remove_large_files(repo, oids, rewrite)?;
    let removal = removal.ok_or_else(|| ApiError::repo_not_found(false))?;
    let moved = |change: &crate::store::Rewritten| {
        RefChange::set(&change.name, Some(change.old), change.new)
    };
    if !removal.refs.is_empty() {
        call.notify(Event::content(repo, removal.refs.iter().map(moved)));
    }
    Ok(response::ok())
}
