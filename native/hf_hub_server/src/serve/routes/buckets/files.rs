//! The files of a bucket: listings, and where their contents are.

use axum::body::Bytes;
use axum::http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::content::{self, Content, Source, quoted};
use super::super::super::error::ApiError;
use super::super::super::response::{self, PATH_SET, header_value};
use super::super::xet;
use super::of;
use crate::store::{BucketEntry, BucketFile};

const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
/// Maximum number of paths to look up at once, as on the Hub.
const MOST_PATHS: usize = 2000;

/// Handles `GET /api/buckets/{namespace}/{name}/tree/{prefix}`.
pub(super) fn tree(call: &Call) -> Reply {
    let bucket = of(call)?;
    let prefix = call.param("prefix").unwrap_or_default();
    let from = call.query.get("cursor").unwrap_or_default();
    // The Hub lists recursively unless asked not to.
    let recursive = call.query.get("recursive").is_none_or(|_| call.query.flag("recursive"));
    let most = call.hub.options.page_size;
    let limit = call.query.number("limit").unwrap_or(most).clamp(1, most);
    let mut entries = call.hub.store.buckets().tree(&bucket, prefix, from, recursive, limit + 1)?;
    let is_last = entries.len() <= limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| !is_last).map(BucketEntry::following);
    let shown = entries.iter().map(shown).collect::<Vec<_>>();
    Ok(response::page(&shown, next.map(|next| call.url_with("cursor", &next))))
}

/// Handles `POST /api/buckets/{namespace}/{name}/paths-info`.
pub(super) fn paths_info(call: &Call) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        paths: Vec<String>,
    }

    let bucket = of(call)?;
    let Wanted { paths } = call.body.json()?;
    if paths.len() > MOST_PATHS {
        return Err(ApiError::bad_request(format!("At most {MOST_PATHS} paths")));
    }
    let mut found = Vec::new();
    for path in &paths {
        found.extend(call.hub.store.buckets().file(&bucket, path)?.as_ref().map(file));
    }
    Ok(response::json(&found))
}

/// Handles `/buckets/{namespace}/{name}/resolve/{path}`.
pub(super) fn resolve(call: &Call) -> Reply {
    let bucket = of(call)?;
    let path = call.param("path")?;
    let found = call.hub.store.buckets().file(&bucket, path)?;
    let found = found.ok_or_else(|| ApiError::nothing_there("file", path))?;
    let file_name = path.rsplit('/').next().unwrap_or(path);
    let mut response = if found.size == 0 {
        // The content host has no file without content.
        let content = Content {
            etag: found.oid.clone(),
            file_name: file_name.to_owned(),
            media_type: "application/octet-stream",
            source: Source::Memory(Bytes::new()),
        };
        content::send(content, call.is_head(), &call.headers)?
    } else {
        response::redirect(StatusCode::FOUND, &link(call, &found))
    };
    let headers = response.headers_mut();
    headers.insert(LINKED_SIZE, HeaderValue::from(found.size));
    headers.insert(LINKED_ETAG, header_value(&quoted(&found.oid)));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_DISPOSITION, content::disposition(file_name));
    Ok(xet::announce_in_bucket(call, &bucket.id(), &found.hash, response))
}

fn link(call: &Call, file: &BucketFile) -> String {
    let path = format!("/lfs/{}/{}", file.oid, utf8_percent_encode(&file.path, PATH_SET));
    let query = call.hub.sign(&path);
    format!("{}{path}?{query}", call.hub.origins.cdn(Some(&call.headers)))
}

fn shown(entry: &BucketEntry) -> Value {
    match entry {
        BucketEntry::File(found) => file(found),
        BucketEntry::Folder(path) => json!({ "type": "directory", "path": path }),
    }
}

fn file(file: &BucketFile) -> Value {
    let mut shown = json!({
        "type": "file",
        "path": file.path,
        "size": file.size,
        "xetHash": file.hash,
        "uploadedAt": response::date(file.uploaded_at),
    });
    if let Some(mtime) = file.mtime {
        shown["mtime"] = response::date(mtime).into();
    }
    if let Some(kind) = &file.content_type {
        shown["contentType"] = kind.as_str().into();
    }
    shown
}
