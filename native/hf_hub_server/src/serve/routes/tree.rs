//! Listings of folders, page by page, and the JSON of an entry.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::response;
use crate::store::{CommitInfo, Entry, EntryKind, Git, Listed, Repo};
use git2::Oid;

const EXPANDED_PAGE: usize = 100;

/// Handles `/api/{kind}/{id}/tree/{revision}[/{path}]`.
pub(super) fn get(call: &Call, repo: &Repo, revision: &str, path: &str) -> Reply {
    let (git, head) = checkout(repo, revision)?;
    let (commit, start) = read_cursor(call, &git)?.unwrap_or((head, 0));
    let listed = list(&git, commit, path, call.query.flag("recursive"))?;
    let expand = call.query.flag("expand");
    let size = page_size(call, expand);
    let next = (listed.len() > start + size)
        .then(|| call.url_with("cursor", &format!("{commit}-{}", start + size)));
    let page = listed.into_iter().skip(start).take(size).map(|listed| git.describe(listed));
    let entries = page.collect::<Result<Vec<_>, _>>()?;
    Ok(response::page(&to_json(call, &git, commit, &entries, expand)?, next))
}

/// Handles `/api/{kind}/{id}/treesize/{revision}[/{path}]`.
pub(super) fn size(repo: &Repo, revision: &str, path: &str) -> Reply {
    let (git, commit) = checkout(repo, revision)?;
    let mut size = 0;
    for listed in list(&git, commit, path, true)? {
        size += git.describe(listed)?.size();
    }
    Ok(response::json(&json!({ "path": format!("/{path}"), "size": size })))
}

/// Returns the JSON of entries, with the commits that last touched them if requested.
pub(super) fn to_json(
    call: &Call,
    git: &Git,
    commit: Oid,
    entries: &[Entry],
    expand: bool,
) -> Result<Vec<Value>, ApiError> {
    let paths = entries.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>();
    let commits = if expand { git.last_commits(commit, &paths)? } else { HashMap::new() };
    let hashes = xet_hashes(call, entries)?;
    let to_json = |entry: &Entry| {
        let mut json = entry_json(entry, commits.get(&entry.path));
        if let Some(hash) = hashes.get(&entry.etag()) {
            json["xetHash"] = hash.as_str().into();
        }
        json
    };
    Ok(entries.iter().map(to_json).collect())
}

/// Returns the Xet hashes of large files by SHA-256.
fn xet_hashes(call: &Call, entries: &[Entry]) -> Result<HashMap<String, String>, ApiError> {
    let large = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Lfs { .. }));
    Ok(call.hub.xet_hashes(large.map(Entry::etag).collect())?)
}

fn list(git: &Git, commit: Oid, path: &str, recursive: bool) -> Result<Vec<Listed>, ApiError> {
    git.list(commit, path, recursive)?.ok_or_else(|| ApiError::entry_not_found(&commit.to_string()))
}

fn page_size(call: &Call, expand: bool) -> usize {
    let most = call.hub.options.page_size.min(if expand { EXPANDED_PAGE } else { usize::MAX });
    call.query.number("limit").unwrap_or(most).clamp(1, most)
}

/// Parses a cursor, which names the commit of the first page, so that a moving branch does not
/// shift the other pages.
fn read_cursor(call: &Call, git: &Git) -> Result<Option<(Oid, usize)>, ApiError> {
    let Some(cursor) = call.query.get("cursor") else { return Ok(None) };
    let parts =
        cursor.split_once('-').and_then(|(commit, start)| Some((commit, start.parse().ok()?)));
    let (commit, start) = parts.ok_or_else(|| ApiError::bad_request("Invalid cursor"))?;
    let commit = git.resolve(commit)?.ok_or_else(|| ApiError::bad_request("Invalid cursor"))?;
    Ok(Some((commit, start)))
}

fn entry_json(entry: &Entry, last_commit: Option<&CommitInfo>) -> Value {
    let kind = if matches!(entry.kind, EntryKind::Folder) { "directory" } else { "file" };
    let mut json = json!({ "type": kind, "oid": entry.oid.to_string(), "size": entry.size(), "path": entry.path });
    if let EntryKind::Lfs { pointer, pointer_size } = &entry.kind {
        json["lfs"] =
            json!({ "oid": pointer.oid, "size": pointer.size, "pointerSize": pointer_size });
    }
    if let Some(commit) = last_commit {
        let date = response::date(commit.date);
        json["lastCommit"] =
            json!({ "id": commit.oid.to_string(), "title": commit.title, "date": date });
    }
    json
}
