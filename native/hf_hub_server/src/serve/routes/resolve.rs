//! A file at a revision: the redirects and headers of every download.
//!
//! Small files are redirected to the resolve cache, large ones to the content listener.

use std::io::Read;

use axum::http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, ETAG};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::utf8_percent_encode;

use super::super::call::{Call, Reply};
use super::super::content::{self, Content, Source, quoted};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::response::{self, PATH_SET, QUERY_SET, header_value};
#[cfg(feature = "xet")]
use super::xet;
use crate::store::{Entry, EntryKind, Git, Repo};
use git2::Oid;
use sha1::Sha1;
use sha2::{Digest, Sha256};

const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");
const CHECKSUM_SHA1: HeaderName = HeaderName::from_static("x-checksum-sha1");
const CHECKSUM_SHA256: HeaderName = HeaderName::from_static("x-checksum-sha256");

/// Handles `/{id}/resolve/{revision}/{path}`.
pub(super) fn file(call: &Call, repo: &Repo, revision: &str, path: &str) -> Reply {
    let (git, commit, entry) = find(call, repo, revision, path)?;
    let response = announce(call, repo, &git, commit, &entry)?;
    with_checksums(call, &git, &entry, response)
}

fn announce(call: &Call, repo: &Repo, git: &Git, commit: Oid, entry: &Entry) -> Reply {
    let etag = quoted(&entry.etag());
    let mut headers = HeaderMap::new();
    headers.insert(response::REPO_COMMIT, header_value(&commit.to_string()));
    headers.insert(LINKED_SIZE, HeaderValue::from(entry.size()));
    headers.insert(LINKED_ETAG, header_value(&etag));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_DISPOSITION, content::disposition(file_name(&entry.path)));
    let is_lfs = matches!(entry.kind, EntryKind::Lfs { .. });
    if is_lfs && !repo.holds(&call.hub.store.lfs(), &entry.etag())? {
        // Its content was permanently deleted, or never uploaded.
        return Err(ApiError::entry_not_found(&commit.to_string()));
    }
    if is_lfs && call.manner.proxied {
        return large_file(call, commit, entry);
    }
    if !is_lfs && call.manner.direct {
        return small_file(call, git, commit, entry);
    }
    if !is_lfs {
        headers.insert(ETAG, header_value(&etag));
    }
    if content::is_known(&call.headers, &etag) {
        headers.insert(ETAG, header_value(&etag));
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (status, location) = if is_lfs {
        (StatusCode::FOUND, signed_link(call, entry))
    } else {
        (StatusCode::TEMPORARY_REDIRECT, cache_link(call, repo, commit, entry, &etag))
    };
    let mut response = response::redirect(status, &location);
    #[cfg(feature = "xet")]
    if let Some(file) = call.hub.xet_file(is_lfs, &entry.etag())? {
        response = xet::announce(call, repo, &commit.to_string(), &file.hash, response);
    }
    response.headers_mut().extend(headers);
    Ok(response)
}

/// Handles `/{id}/raw/{revision}/{path}`: for a large file, its pointer.
pub(super) fn raw(call: &Call, repo: &Repo, revision: &str, path: &str) -> Reply {
    let (git, commit, entry) = find(call, repo, revision, path)?;
    small_file(call, &git, commit, &entry)
}

/// Handles `/api/resolve-cache/{kind}/{id}/{commit}/{path}`.
pub(super) fn cached(call: &Call, repo: &Repo, revision: &str, path: &str) -> Reply {
    let (git, commit, entry) = find(call, repo, revision, path)?;
    match entry.kind {
        EntryKind::File { .. } => {
            with_checksums(call, &git, &entry, small_file(call, &git, commit, &entry)?)
        }
        _ => Err(ApiError::entry_not_found(&commit.to_string())),
    }
}

fn find(
    call: &Call,
    repo: &Repo,
    revision: &str,
    path: &str,
) -> Result<(Git, Oid, Entry), ApiError> {
    call.caller.check_files(repo)?;
    let (git, commit) = checkout(repo, revision)?;
    let entry = git.entry(commit, path)?.filter(|entry| !matches!(entry.kind, EntryKind::Folder));
    let entry = entry.ok_or_else(|| ApiError::entry_not_found(&commit.to_string()))?;
    Ok((git, commit, entry))
}

fn small_file(call: &Call, git: &Git, commit: Oid, entry: &Entry) -> Reply {
    let _room = call.hub.intake.room_for_read(git.blob_size(entry.oid)?);
    let (media_type, source) =
        git.read_blob(entry.oid, |bytes| (media_type(bytes), call.hub.intake.put_down(bytes)))?;
    let content = Content {
        etag: entry.oid.to_string(),
        file_name: file_name(&entry.path).to_owned(),
        media_type,
        source: source?,
    };
    send(call, commit, content)
}

fn large_file(call: &Call, commit: Oid, entry: &Entry) -> Reply {
    let found = call.hub.store.lfs().find(&entry.etag())?;
    let found = found.ok_or_else(|| ApiError::entry_not_found(&commit.to_string()))?;
    let content = Content {
        etag: entry.etag(),
        file_name: file_name(&entry.path).to_owned(),
        media_type: "application/octet-stream",
        source: Source::from(found),
    };
    send(call, commit, content)
}

fn send(call: &Call, commit: Oid, content: Content) -> Reply {
    let mut response = content::send(content, call.is_head(), &call.headers)?;
    response.headers_mut().insert(response::REPO_COMMIT, header_value(&commit.to_string()));
    Ok(response)
}

/// Adds the checksum headers of package registries, if enabled.
fn with_checksums(call: &Call, git: &Git, entry: &Entry, mut response: Response) -> Reply {
    if !call.manner.checksums {
        return Ok(response);
    }
    let content = match &entry.kind {
        EntryKind::Lfs { pointer, .. } => {
            let found = call.hub.store.lfs().find(&pointer.oid)?;
            let found = found.ok_or_else(|| ApiError::entry_not_found(&entry.path))?;
            let mut content = Vec::new();
            found.reader()?.read_to_end(&mut content)?;
            content
        }
        _ => git.blob(entry.oid)?,
    };
    let sha1 = hex::encode(Sha1::digest(&content));
    let headers = response.headers_mut();
    headers.insert(ETAG, header_value(&quoted(&sha1)));
    headers.insert(CHECKSUM_SHA1, header_value(&sha1));
    headers.insert(CHECKSUM_SHA256, header_value(&hex::encode(Sha256::digest(&content))));
    Ok(response)
}

/// Returns the signed link. The file's name is part of the path to make logs readable.
fn signed_link(call: &Call, entry: &Entry) -> String {
    let path = format!("/lfs/{}/{}", entry.etag(), utf8_percent_encode(&entry.path, PATH_SET));
    let query = call.hub.sign(&path);
    format!("{}{path}?{query}", call.hub.origins.cdn(Some(&call.headers)))
}

fn cache_link(call: &Call, repo: &Repo, commit: Oid, entry: &Entry, etag: &str) -> String {
    let (kind, id) = (repo.key.kind.plural(), &repo.key.id);
    let path = utf8_percent_encode(&entry.path, PATH_SET);
    let asked = utf8_percent_encode(&call.raw_path, QUERY_SET);
    let etag = utf8_percent_encode(etag, QUERY_SET);
    format!("/api/resolve-cache/{kind}/{id}/{commit}/{path}?{asked}=&etag={etag}")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Serves text as plain text whatever its type, so that no page of a repository can impersonate the
/// Hub.
fn media_type(bytes: &[u8]) -> &'static str {
    if str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')) {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}
