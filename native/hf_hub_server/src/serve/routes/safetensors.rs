//! The headers of safetensors files.

use std::collections::BTreeSet;
use std::io::Read;

use git2::Oid;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::response;
use crate::store::safetensors::{MAX_HEADER, content, header};
use crate::store::{Entry, EntryKind, Git, LfsStore, MAIN, Repo, RepoKind};

/// Handles `/api/models/{id}/safetensors-metadata/{index}`: the headers of all files in an index.
pub(super) fn get(call: &Call, repo: &Repo, path: &str) -> Reply {
    if repo.key.kind != RepoKind::Model {
        return Err(ApiError::page_not_found());
    }
    call.caller.check_files(repo)?;
    let (git, commit) = checkout(repo, MAIN)?;
    let lfs = call.hub.store.lfs();
    let mut index = index(&git, &lfs, &find(&git, commit, path)?)?;
    let map = index.remove("weight_map");
    let map = map.as_ref().and_then(Value::as_object).ok_or_else(|| invalid(path))?;
    let mut headers = Map::new();
    for shard in map.values().filter_map(Value::as_str).collect::<BTreeSet<_>>() {
        let entry = find(&git, commit, shard)?;
        let header = header(&git, &lfs, &entry)?.ok_or_else(|| invalid(shard))?;
        headers.insert(shard.to_owned(), header.into());
    }
    Ok(response::json(&json!({ "index": index, "headers": headers })))
}

fn index(git: &Git, lfs: &LfsStore, entry: &Entry) -> Result<Map<String, Value>, ApiError> {
    let mut text = Vec::new();
    if let Some(content) = content(git, lfs, entry)?.filter(|_| entry.size() <= MAX_HEADER) {
        content.take(MAX_HEADER).read_to_end(&mut text)?;
    }
    serde_json::from_slice(&text).map_err(|_| invalid(&entry.path))
}

fn find(git: &Git, commit: Oid, path: &str) -> Result<Entry, ApiError> {
    let entry = git.entry(commit, path)?.filter(|entry| !matches!(entry.kind, EntryKind::Folder));
    entry.ok_or_else(|| ApiError::entry_not_found(&commit.to_string()))
}

fn invalid(path: &str) -> ApiError {
    ApiError::bad_request(format!("{path} is not a valid safetensors file or index"))
}
