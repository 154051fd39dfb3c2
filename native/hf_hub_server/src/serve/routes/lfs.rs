//! Large files: where to upload them, whether they have arrived, and which repository may reference
//! them.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::{self, open};
use super::super::response;
use super::super::slot::{Multipart, Slot};
use super::{check_commit_rights, limits};
use crate::store::{Lookup, Pointer, Repo, RepoKey, is_oid};

const LFS_JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");
/// Maximum number of objects in one batch; clients send a few hundred.
const MAX_OBJECTS: usize = 1000;
/// Maximum number of part links in one response, for all of its objects together; if more are
/// needed, the parts are larger.
const MAX_LINKS: u64 = 10_000;

/// A batch request.
#[derive(Debug, Deserialize)]
struct Batch {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Pointer>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    #[serde(default)]
    hash_algo: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    name: String,
}

/// Handles `POST /{id}.git/info/lfs/objects/batch`.
pub(super) fn batch(call: &Call, repo: &Repo) -> Reply {
    let batch: Batch = call.body.json()?;
    if batch.objects.len() > MAX_OBJECTS {
        return Err(ApiError::bad_request(format!("At most {MAX_OBJECTS} objects at once")));
    }
    if batch.operation == "download" {
        return download(call, repo, batch.objects);
    }
    // Without a ref, the upload is for a pull request, which everybody may open. Git always names
    // the ref in full.
    let branch = batch.reference.as_ref();
    let branch = branch.map(|Reference { name }| name.strip_prefix("refs/heads/").unwrap_or(name));
    match branch {
        Some(branch) => drop(check_commit_rights(call, repo, branch)?),
        None => drop(call.caller.writer()?),
    }
    if batch.operation != "upload" {
        return Err(ApiError::bad_request(format!("Unknown operation: {}", batch.operation)));
    }
    limits::check_storage(&call.hub, repo, &batch.objects)?;
    if batch.hash_algo.as_deref().is_some_and(|algo| !is_sha256(algo)) {
        return Err(ApiError::bad_request("Only sha256 is known here"));
    }
    #[cfg(feature = "xet")]
    if call.hub.options.xet && batch.transfers.iter().any(|transfer| transfer == "xet") {
        let action = super::xet::upload_action(call, repo, branch)?;
        let described = batch
            .objects
            .into_iter()
            .map(|object| describe(call, repo, object, |_| Ok(json!({ "upload": action }))));
        return Ok(batched("xet", &described.collect::<Result<Vec<_>, _>>()?));
    }
    let in_parts = batch.transfers.iter().any(|transfer| transfer == "multipart");
    let threshold = if in_parts { call.hub.options.multipart_threshold } else { u64::MAX };
    let is_multipart = |object: &Pointer| object.size >= threshold && object.size > 0;
    let multiparts = batch.objects.iter().filter(|object| is_multipart(object)).count() as u64;
    let transfer = if multiparts > 0 { "multipart" } else { "basic" };
    let most = MAX_LINKS / multiparts.max(1);
    let described = batch.objects.into_iter().map(|object| {
        let most_parts = is_multipart(&object).then_some(most);
        describe(call, repo, object, |object| actions(call, repo, object, most_parts))
    });
    Ok(batched(transfer, &described.collect::<Result<Vec<_>, _>>()?))
}

/// Whether a client means SHA-256: `@huggingface/hub` writes it with an underscore.
pub(super) fn is_sha256(algo: &str) -> bool {
    matches!(algo, "sha256" | "sha_256")
}

/// Handles downloads of git-lfs; clients of the Hub read files at `resolve`.
fn download(call: &Call, repo: &Repo, wanted: Vec<Pointer>) -> Reply {
    call.caller.check_files(repo)?;
    let lfs = call.hub.store.lfs();
    let mut objects = Vec::new();
    for Pointer { oid, size } in wanted {
        let mut object = json!({ "oid": oid, "size": size });
        if is_oid(&oid) && repo.holds(&lfs, &oid)? && lfs.size(&oid) == Some(size) {
            let path = format!("/lfs/{oid}/{oid}");
            let cdn = call.hub.origins.cdn(Some(&call.headers));
            let expires_in = call.hub.options.link_ttl.as_secs();
            let href = format!("{cdn}{path}?{}", call.hub.sign(&path));
            object["actions"] = json!({ "download": { "href": href, "expires_in": expires_in } });
        } else {
            object["error"] = json!({ "code": 404, "message": "Object does not exist" });
        }
        objects.push(object);
    }
    Ok(batched("basic", &objects))
}

fn batched(transfer: &str, objects: &[Value]) -> axum::response::Response {
    let answer = json!({ "transfer": transfer, "objects": objects });
    ([(CONTENT_TYPE, LFS_JSON)], axum::Json(answer)).into_response()
}

/// Returns what to do about one object; `actions` are those to upload it.
fn describe(
    call: &Call,
    repo: &Repo,
    object: Pointer,
    actions: impl FnOnce(Pointer) -> Result<Value, ApiError>,
) -> Result<Value, ApiError> {
    let lfs = call.hub.store.lfs();
    let mut json = json!({ "oid": object.oid, "size": object.size });
    let problem = if !is_oid(&object.oid) {
        Some("The oid is not a lower-case SHA-256".to_owned())
    } else if repo.holds(&lfs, &object.oid)? {
        match lfs.size(&object.oid) {
            Some(size) if size != object.size => {
                Some(format!("The size of this object is {size}, not {}", object.size))
            }
            // Nothing to do for existing content.
            _ => return Ok(json),
        }
    } else {
        limits::too_large(&call.hub, &object)
    };
    if let Some(message) = problem {
        json["error"] = json!({ "code": 422, "message": message });
        return Ok(json);
    }
    json["actions"] = actions(object)?;
    Ok(json)
}

/// Returns how to upload one object: in at most this number of parts, or as a whole.
fn actions(
    call: &Call,
    repo: &Repo,
    object: Pointer,
    most_parts: Option<u64>,
) -> Result<Value, ApiError> {
    // Without `authenticated`, so that git-lfs sends its token to `verify`.
    Ok(json!({
        "upload": upload_action(call, repo, object, most_parts)?,
        "verify": { "href": format!("{}.git/info/lfs/objects/verify", call.page_url(&repo.key)) },
    }))
}

fn upload_action(
    call: &Call,
    repo: &Repo,
    pointer: Pointer,
    most_parts: Option<u64>,
) -> Result<Value, ApiError> {
    let slot = Slot { key: repo.key.clone(), pointer };
    let cdn = call.hub.origins.cdn(Some(&call.headers));
    let link = |base: &str, path: String| format!("{base}{path}?{}", call.hub.sign(&path));
    let expires_in = call.hub.options.link_ttl.as_secs();
    let Some(most_parts) = most_parts else {
        let href = link(&cdn, slot.path());
        return Ok(json!({ "href": href, "expires_in": expires_in }));
    };
    let part_size = call.hub.options.part_size.max(slot.pointer.size.div_ceil(most_parts));
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let multipart = Multipart { slot, upload: hex::encode(id), part_size };
    let parts = multipart
        .parts()
        .map(|part| (format!("{:05}", part.number), Value::from(link(&cdn, part.path()))));
    let mut header: Map<String, Value> = parts.collect();
    header.insert("chunk_size".into(), part_size.to_string().into());
    let href = link(&call.hub.origins.hub(Some(&call.headers)), multipart.path());
    Ok(json!({ "href": href, "header": header, "expires_in": expires_in }))
}

/// Handles `POST /{id}.git/info/lfs/objects/verify`.
pub(super) fn verify(call: &Call, repo: &Repo) -> Reply {
    call.caller.writer()?;
    let object: Pointer = call.body.json()?;
    let lfs = call.hub.store.lfs();
    let is_here = is_oid(&object.oid)
        && repo.holds(&lfs, &object.oid)?
        && lfs.size(&object.oid) == Some(object.size);
    if is_here { Ok(response::ok()) } else { Err(ApiError::content_not_found(&object.oid)) }
}

/// Handles `POST /api/{kind}/{id}/lfs-files/duplicate`: allows another repository to reference
/// these files.
pub(super) fn duplicate(call: &Call, source: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Wanted {
        target: Target,
        files: Vec<File>,
    }
    #[derive(Debug, Deserialize)]
    struct Target {
        #[serde(rename = "type")]
        kind: Option<String>,
        name: String,
    }
    #[derive(Debug, Deserialize)]
    struct File {
        sha256: String,
    }

    call.caller.writer()?;
    call.caller.check_files(source)?;
    let wanted: Wanted = call.body.json()?;
    let kind = lookup::kind(wanted.target.kind.as_deref())?;
    let key = call.hub.store.spelled(&RepoKey::new(kind, lookup::id(&wanted.target.name)?))?;
    let Lookup::Found(target) = open(call, &key)? else {
        return Err(ApiError::repo_not_found(call.caller.is_anonymous()));
    };
    call.caller.writer_in(target.key.id.namespace())?;
    let lfs = call.hub.store.lfs();
    let mut failed = Vec::new();
    for File { sha256 } in &wanted.files {
        if is_oid(sha256) && source.holds(&lfs, sha256)? {
            target.hold(&lfs, sha256)?;
        } else {
            let error = format!("{} has no such large file", source.key);
            failed.push(json!({ "sha256": sha256, "error": error }));
        }
    }
    let processed = wanted.files.len();
    let status = if failed.is_empty() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    let report = json!({
        "success": failed.is_empty(),
        "processed": processed,
        "succeeded": processed - failed.len(),
        "failed": failed,
    });
    Ok((status, response::json(&report)).into_response())
}

/// Handles `POST /api/complete_multipart/…`: the link is signed, so no token is needed.
pub(super) fn complete(call: &Call) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Wanted {
        oid: String,
        parts: Vec<Part>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Part {
        part_number: u64,
        etag: String,
    }

    let signed = call.hub.signer.check(&call.raw_path, &call.query, jiff::Timestamp::now());
    signed.map_err(|rejection| ApiError::forbidden(rejection.to_string()))?;
    let multipart = Multipart::parse(&call.raw_path).ok_or_else(ApiError::page_not_found)?;
    let wanted: Wanted = call.body.json()?;
    if wanted.oid != multipart.slot.pointer.oid {
        return Err(ApiError::bad_request(
            "The oid does not match the one this upload was started for",
        ));
    }
    let numbers = wanted.parts.iter().map(|part| part.part_number);
    if !numbers.eq(1..=multipart.count()) {
        let message = format!("Expected parts 1 to {}, in this order", multipart.count());
        return Err(ApiError::bad_request(message));
    }
    let etags = wanted.parts.iter().map(|part| part.etag.trim_matches('"').to_owned());
    join(call, &multipart, &etags.collect::<Vec<_>>())
}

fn join(call: &Call, multipart: &Multipart, etags: &[String]) -> Reply {
    let lfs = call.hub.store.lfs();
    let slot = &multipart.slot;
    let repo = find(call, &slot.key)?;
    let done = || response::json(&json!({ "success": true }));
    let known = etags.iter().all(|etag| etag.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let sizes = (multipart.part_size, slot.pointer.size);
    let joined = if known { lfs.join_parts(&multipart.upload, sizes, etags) } else { Ok(None) };
    let incoming = match joined {
        Ok(Some(incoming)) => incoming,
        // Completed before, and the response was lost.
        _ if repo.holds(&lfs, &slot.pointer.oid)? => return Ok(done()),
        Ok(None) => {
            let message = "One or more of the parts was not uploaded, or has another etag";
            return Err(ApiError::bad_request(message));
        }
        Err(err) => return Err(err.into()),
    };
    if incoming.pointer != slot.pointer {
        lfs.forget_upload(&multipart.upload)?;
        let message =
            format!("The parts make up {}, not {}", incoming.pointer.oid, slot.pointer.oid);
        return Err(ApiError::bad_request(message));
    }
    lfs.keep(incoming)?;
    repo.hold(&lfs, &slot.pointer.oid)?;
    lfs.forget_upload(&multipart.upload)?;
    Ok(done())
}

/// Returns the repository a link was created for, even if it was renamed meanwhile.
fn find(call: &Call, key: &RepoKey) -> Result<Repo, ApiError> {
    call.hub.store.follow(key)?.ok_or_else(|| ApiError::repo_not_found(false))
}
