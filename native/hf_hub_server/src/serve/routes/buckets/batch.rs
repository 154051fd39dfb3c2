//! Changes of the files of a bucket: lines of JSON, each of which is applied separately.

use std::collections::HashMap;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::lookup::{self, find_bucket, open};
use super::super::super::response;
use super::super::limits;
use super::notify::{Change, notify};
use super::own;
use crate::store::{Bucket, BucketFile, FileChange, Pointer, RepoKey, XetFile};

/// Maximum number of lines.
const MOST_LINES: usize = 10_000;
const LONGEST_PATH: usize = 1024;
/// The Xet hash of no bytes, and their SHA-256.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const NO_BYTES: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Line {
    #[serde(rename = "addFile")]
    Add {
        path: String,
        xet_hash: String,
        #[serde(default)]
        mtime: Option<i64>,
        #[serde(default)]
        content_type: Option<String>,
    },
    #[serde(rename = "copyFile")]
    Copy {
        path: String,
        xet_hash: String,
        #[serde(default)]
        mtime: Option<i64>,
        source_repo_type: String,
        source_repo_id: String,
    },
    #[serde(rename = "deleteFile")]
    Delete { path: String },
}

/// Content of Xet storage.
#[derive(Clone)]
struct Stored {
    oid: String,
    size: u64,
}

impl From<XetFile> for Stored {
    fn from(file: XetFile) -> Self {
        Self { oid: file.oid, size: file.size }
    }
}

/// Handles `POST /api/buckets/{namespace}/{name}/batch`.
pub(super) fn post(call: &Call) -> Reply {
    let bucket = own(call)?;
    let lines = lines(&call.body.bytes()?)?;
    let (mut changes, mut failed) = (Vec::new(), Vec::new());
    let mut sources = HashMap::new();
    for line in &lines {
        let path = line.path();
        match change(call, &bucket, line, &mut sources)? {
            Ok(change) => changes.push(change),
            Err(why) => failed.push(json!({ "path": path, "error": why })),
        }
    }
    check_storage(call, &bucket, &changes)?;
    if !changes.is_empty() {
        call.hub.store.buckets().change(&bucket, &changes)?;
        notify(call, &bucket, &Change::Files);
    }
    let (processed, succeeded) = (lines.len(), changes.len());
    let all_failed = succeeded == 0 && processed > 0;
    let body = json!({
        "success": failed.is_empty(), "processed": processed, "succeeded": succeeded, "failed": failed,
    });
    let mut response = response::json(&body);
    if all_failed {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn lines(body: &[u8]) -> Result<Vec<Line>, ApiError> {
    let texts = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let mut lines = Vec::new();
    for text in texts {
        let line = serde_json::from_slice::<Line>(text)
            .map_err(|err| ApiError::bad_request(format!("Invalid line: {err}")))?;
        let is_late = matches!(lines.last(), Some(Line::Delete { .. }))
            && !matches!(line, Line::Delete { .. });
        if is_late {
            return Err(ApiError::bad_request("Files must be added before files are deleted"));
        }
        lines.push(line);
        if lines.len() > MOST_LINES {
            return Err(ApiError::bad_request(format!("At most {MOST_LINES} lines")));
        }
    }
    Ok(lines)
}

impl Line {
    fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Copy { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// Returns the change that a line asks for, or why it cannot be made.
fn change(
    call: &Call,
    bucket: &Bucket,
    line: &Line,
    sources: &mut HashMap<(String, String, String), bool>,
) -> Result<Result<FileChange, &'static str>, ApiError> {
    if let Err(why) = check_path(line.path()) {
        return Ok(Err(why));
    }
    let store = &call.hub.store;
    Ok(match line {
        Line::Delete { path } => Ok(FileChange::Delete(path.clone())),
        Line::Add { path, xet_hash, mtime, content_type } => match content(call, xet_hash)? {
            Some(found) if found.size == 0 || store.buckets().holds(bucket, &found.oid)? => {
                Ok(put(path, xet_hash, found, *mtime, content_type.clone()))
            }
            _ => Err("The content was not uploaded to this bucket"),
        },
        Line::Copy { path, xet_hash, mtime, source_repo_type, source_repo_id } => {
            let key = (source_repo_type.clone(), source_repo_id.clone(), xet_hash.clone());
            let found = content(call, xet_hash)?;
            let oid = found.as_ref().map(|found| found.oid.clone());
            let held = match (sources.get(&key), oid) {
                (Some(held), _) => *held,
                (None, Some(oid)) => has(call, source_repo_type, source_repo_id, &oid)?,
                (None, None) => false,
            };
            sources.insert(key, held);
            match found.filter(|_| held) {
                Some(found) => Ok(put(path, xet_hash, found, *mtime, None)),
                None => Err("The source does not have this content"),
            }
        }
    })
}

fn content(call: &Call, hash: &str) -> Result<Option<Stored>, ApiError> {
    if hash == NO_HASH {
        return Ok(Some(Stored { oid: NO_BYTES.to_owned(), size: 0 }));
    }
    Ok(call.hub.store.xet().by_hash(hash)?.map(Stored::from))
}

/// Whether a repository or a bucket that the caller may read has the content.
fn has(call: &Call, kind: &str, id: &str, oid: &str) -> Result<bool, ApiError> {
    if kind == "bucket" {
        let Some((namespace, name)) = id.split_once('/') else { return Ok(false) };
        let Ok(source) = find_bucket(call, namespace, name) else { return Ok(false) };
        return Ok(oid == NO_BYTES || call.hub.store.buckets().holds(&source, oid)?);
    }
    let Ok(id) = id.parse() else { return Ok(false) };
    let place = open(call, &RepoKey::new(lookup::kind(Some(kind))?, id))?;
    let Some(source) = place.found() else { return Ok(false) };
    if call.caller.check_files(&source).is_err() {
        return Ok(false);
    }
    Ok(source.holds(&call.hub.store.lfs(), oid)?)
}

fn put(
    path: &str,
    hash: &str,
    found: Stored,
    mtime: Option<i64>,
    content_type: Option<String>,
) -> FileChange {
    FileChange::Put(BucketFile {
        path: path.to_owned(),
        hash: hash.to_owned(),
        oid: found.oid,
        size: found.size,
        content_type,
        mtime: mtime.and_then(|time| Timestamp::from_millisecond(time).ok()),
        uploaded_at: Timestamp::now(),
    })
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let is_bad = |part: &str| matches!(part, "" | "." | "..");
    if path.len() > LONGEST_PATH || path.contains(char::is_control) || path.split('/').any(is_bad) {
        return Err("Invalid path");
    }
    Ok(())
}

fn check_storage(call: &Call, bucket: &Bucket, changes: &[FileChange]) -> Result<(), ApiError> {
    let wanted = changes.iter().filter_map(|change| match change {
        FileChange::Put(file) => Some(Pointer { oid: file.oid.clone(), size: file.size }),
        FileChange::Delete(_) => None,
    });
    let holds = |oid: &str| call.hub.store.buckets().holds(bucket, oid);
    let wanted = wanted.collect::<Vec<_>>();
    limits::check_private(&call.hub, bucket.private, Some(&bucket.namespace), &wanted, holds)
}
