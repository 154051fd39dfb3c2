//! The headers of safetensors files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read};

use git2::Oid;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::checkout;
use crate::store::{Entry, EntryKind, Git, LfsStore, MAIN, Repo, RepoKind};

/// Maximum size of a file in git whose header is read, and of an index.
const MAX_READ: u64 = 1 << 20;
/// Maximum size of a header that is read.
const MAX_HEADER: u64 = 10 << 20;

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

/// Returns the header of a file; `None` if it is not a safetensors file, or too large.
pub(super) fn header(
    git: &Git,
    lfs: &LfsStore,
    entry: &Entry,
) -> Result<Option<Map<String, Value>>, ApiError> {
    Ok(content(git, lfs, entry)?.and_then(|mut content| parse(&mut content)))
}

fn parse(content: &mut dyn Read) -> Option<Map<String, Value>> {
    let mut length = [0; 8];
    content.read_exact(&mut length).ok()?;
    let length = Some(u64::from_le_bytes(length)).filter(|length| *length <= MAX_HEADER)?;
    let mut header = Vec::new();
    content.take(length).read_to_end(&mut header).ok()?;
    serde_json::from_slice(&header).ok()
}

fn index(git: &Git, lfs: &LfsStore, entry: &Entry) -> Result<Map<String, Value>, ApiError> {
    let mut text = Vec::new();
    if let Some(content) = content(git, lfs, entry)?.filter(|_| entry.size() <= MAX_HEADER) {
        content.take(MAX_HEADER).read_to_end(&mut text)?;
    }
    serde_json::from_slice(&text).map_err(|_| invalid(&entry.path))
}

/// Returns the content of a file; `None` if it is missing in the LFS store, or too large for git.
fn content(git: &Git, lfs: &LfsStore, entry: &Entry) -> Result<Option<Box<dyn Read>>, ApiError> {
    Ok(match &entry.kind {
        EntryKind::Lfs { pointer, .. } => match File::open(lfs.path(&pointer.oid)) {
            Ok(file) => Some(Box::new(file)),
            Err(_) => None,
        },
        _ if entry.size() <= MAX_READ => Some(Box::new(Cursor::new(git.blob(entry.oid)?))),
        _ => None,
    })
}

fn find(git: &Git, commit: Oid, path: &str) -> Result<Entry, ApiError> {
    let entry = git.entry(commit, path)?.filter(|entry| !matches!(entry.kind, EntryKind::Folder));
    entry.ok_or_else(|| ApiError::entry_not_found(&commit.to_string()))
}

fn invalid(path: &str) -> ApiError {
    ApiError::bad_request(format!("{path} is not a valid safetensors file or index"))
}
