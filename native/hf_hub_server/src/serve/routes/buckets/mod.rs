//! Buckets: creation, settings, lists. Their files are in [`files`], changes of them in [`batch`], and
//! what follows these in [`events`].

mod batch;
mod events;
mod files;
mod notify;

use std::sync::Arc;

use axum::Router;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::lookup::find_bucket;
use super::super::response;
use super::page::Page;
use super::settings::Visibility;
use super::{DELETE, GET, POST, PUT, on, xet};
use notify::{Change, notify};

use crate::store::{Bucket, BucketSearch, RepoId, RepoKind};

const BUCKET: &str = "/api/buckets/{namespace}/{name}";
/// The name of the caller's own namespace.
const OWN: &str = "me";

/// The routes of buckets.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let below = |rest: &str| format!("{BUCKET}/{rest}");
    Router::new()
        .route("/api/buckets/{namespace}", on(GET, list))
        .route(BUCKET, on(GET, info).merge(on(POST, create)).merge(on(DELETE, delete)))
        .route(&below("settings"), on(PUT, update))
        .route(&below("tree"), on(GET, files::tree))
        .route(&below("tree/{*prefix}"), on(GET, files::tree))
        .route(&below("paths-info"), on(POST, files::paths_info))
        .route(&below("batch"), on(POST, batch::post))
        .route(&below("events"), on(GET, events::get))
        .route(&below("xet-read-token"), on(GET, |call| token(call, false)))
        .route(&below("xet-write-token"), on(GET, |call| token(call, true)))
        .route("/buckets/{namespace}/{name}/resolve/{*path}", on(GET, files::resolve))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    #[serde(flatten)]
    visibility: Visibility,
    #[serde(default)]
    resource_group_id: Option<String>,
}

/// Returns the bucket of the route.
fn of(call: &Call) -> Result<Bucket, ApiError> {
    find_bucket(call, call.param("namespace")?, call.param("name")?)
}

/// Returns the bucket of the route, if the caller may change it.
fn own(call: &Call) -> Result<Bucket, ApiError> {
    call.caller.writer()?;
    let bucket = of(call)?;
    call.caller.writer_in(Some(&bucket.namespace))?;
    Ok(bucket)
}

/// Returns the namespace and the name of a new bucket, if the caller may create it.
fn new_place(call: &Call, namespace: &str, name: &str) -> Result<(String, String), ApiError> {
    let user = call.caller.writer()?;
    let namespace = if namespace == OWN { user.name.as_str() } else { namespace };
    let id: RepoId = format!("{namespace}/{name}")
        .parse()
        .map_err(|err| ApiError::bad_request(format!("Invalid bucket name: {err}")))?;
    if !call.caller.may_write_in(namespace) {
        return Err(ApiError::forbidden(format!(
            "You don't have the rights to create a bucket under the namespace \"{namespace}\""
        )));
    }
    Ok((namespace.to_owned(), id.name().to_owned()))
}

/// Handles `POST /api/buckets/{namespace}/{name}`.
fn create(call: &Call) -> Reply {
    let (namespace, name) = new_place(call, call.param("namespace")?, call.param("name")?)?;
    let New { visibility, resource_group_id } = call.body.json()?;
    // Visibilities of Spaces are not those of buckets.
    let private = visibility.is_private(RepoKind::Model)?.unwrap_or(false);
    let buckets = call.hub.store.buckets();
    if !buckets.create(&namespace, &name, private, resource_group_id.as_deref())? {
        return Err(taken(call, &namespace, &name)?);
    }
    let created = buckets.find(&namespace, &name)?;
    let created = created.ok_or_else(|| ApiError::repo_not_found(false))?;
    notify(call, &created, &Change::Created);
    let (url, id) = (url(call, &created), &created.object_id);
    Ok(response::json(&json!({ "url": url, "name": created.id(), "id": id })))
}

fn taken(call: &Call, namespace: &str, name: &str) -> Result<ApiError, ApiError> {
    let error = ApiError::conflict("You already created this bucket");
    Ok(match call.hub.store.buckets().find(namespace, name)? {
        Some(bucket) => error.with("url", url(call, &bucket)).with("id", bucket.object_id),
        None => error,
    })
}

/// Handles `GET /api/buckets/{namespace}/{name}`.
fn info(call: &Call) -> Reply {
    Ok(response::json(&shown(&of(call)?)))
}

/// Handles `GET /api/buckets/{namespace}`.
fn list(call: &Call) -> Reply {
    let namespace = match call.param("namespace")? {
        OWN => &call.caller.user()?.name,
        namespace => namespace,
    };
    let page = Page::of(call);
    let search = BucketSearch {
        namespace: Some(namespace.to_owned()),
        readable: call.caller.namespaces(),
        text: call.query.get("search").map(str::to_owned),
        skip: page.start,
        limit: page.with_next(),
    };
    let found = call.hub.store.buckets().list(&search)?;
    Ok(page.respond(call, found, |bucket| shown(&bucket)))
}

/// Handles `DELETE /api/buckets/{namespace}/{name}`.
fn delete(call: &Call) -> Reply {
    let bucket = own(call)?;
    if !call.hub.store.buckets().delete(&bucket)? {
        return Err(ApiError::repo_not_found(false));
    }
    notify(call, &bucket, &Change::Deleted);
    Ok(response::ok())
}

/// Handles `PUT /api/buckets/{namespace}/{name}/settings`.
fn update(call: &Call) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        private: bool,
    }

    let mut bucket = own(call)?;
    let Wanted { private } = call.body.json()?;
    call.hub.store.buckets().set_private(&bucket, private)?;
    bucket.private = private;
    notify(call, &bucket, &Change::Settings);
    Ok(response::json(&json!({ "private": private })))
}

/// Handles `POST /api/repos/move` for a bucket.
pub(super) fn rename(call: &Call, from: &str, to: &str) -> Reply {
    let parts = |id: &str| id.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()));
    let parts = |id| parts(id).ok_or_else(|| ApiError::bad_request("Invalid bucket name"));
    let ((namespace, name), (new_namespace, new_name)) = (parts(from)?, parts(to)?);
    let bucket = find_bucket(call, &namespace, &name)?;
    call.caller.writer_in(Some(&bucket.namespace))?;
    let (new_namespace, new_name) = new_place(call, &new_namespace, &new_name)?;
    if !call.hub.store.buckets().rename(&bucket, &new_namespace, &new_name)? {
        return Err(taken(call, &new_namespace, &new_name)?);
    }
    let mut moved = bucket.clone();
    (moved.namespace, moved.name) = (new_namespace, new_name);
    notify(call, &bucket, &Change::Moved(&moved));
    Ok(response::ok())
}

fn token(call: &Call, write: bool) -> Reply {
    let bucket = if write { own(call)? } else { of(call)? };
    xet::bucket_token(call, &bucket.id(), write)
}

fn url(call: &Call, bucket: &Bucket) -> String {
    format!("{}/buckets/{}", call.hub.origins.hub(Some(&call.headers)), bucket.id())
}

fn shown(bucket: &Bucket) -> Value {
    json!({
        "_id": bucket.object_id,
        "id": bucket.id(),
        "author": bucket.namespace,
        "private": bucket.private,
        "repoType": "bucket",
        "createdAt": response::date(bucket.created_at),
        "updatedAt": response::date(bucket.updated_at),
        "size": bucket.size,
        "totalFiles": bucket.files,
        "cdnRegions": [],
    })
}
