//! The handlers of requests, by their nouns.

pub(super) mod access_requests;
mod attachments;
mod branches;
#[cfg(feature = "xet")]
mod buckets;
mod cdn;
mod collections;
mod commit;
mod commits;
pub(super) mod discussions;
mod endpoints;
mod git;
mod hardware;
mod info;
mod jobs;
mod lfs;
pub(super) mod lfs_files;
pub(super) mod likes;
mod limits;
mod list;
mod oauth;
mod object_error;
mod organizations;
mod owned;
mod page;
mod papers;
mod paths;
mod preupload;
mod refs;
mod repos;
mod resolve;
pub(super) mod router;
mod safetensors;
mod settings;
pub(super) mod spaces;
mod storage;
mod tags;
mod tree;
mod uploads;
mod users;
mod validate;
mod viewer;
mod webhooks;
mod whoami;
#[cfg(feature = "xet")]
mod xet;

pub(super) use cdn::expired;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::routing::{MethodFilter, MethodRouter};

use super::call::{self, Call, Handler};
use super::error::ApiError;
use super::hub::Hub;
use crate::store::Repo;

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const DELETE: MethodFilter = MethodFilter::DELETE;
const PATCH: MethodFilter = MethodFilter::PATCH;
const PUT: MethodFilter = MethodFilter::PUT;

/// A route for one method. A path may have several.
fn on(method: MethodFilter, handler: Handler) -> MethodRouter<Arc<Hub>> {
    axum::routing::on(method, move |State(hub): State<Arc<Hub>>, request: Request| {
        call::handle(hub, request, handler)
    })
}

/// Returns the user who may commit to a revision: one with write access, one who opens a pull
/// request, or one who has opened this one.
fn check_commit_rights<'a>(
    call: &'a Call,
    repo: &Repo,
    revision: &str,
) -> Result<&'a str, ApiError> {
    let user = call.caller.writer()?;
    let number = revision.strip_prefix("refs/pr/").and_then(|number| number.parse().ok());
    let is_own = || {
        let Some(number) = number else { return Ok(false) };
        Ok::<_, ApiError>(call.hub.store.is_pull_request_of(repo, number, &user.name)?)
    };
    let may_write = call.query.flag("create_pr")
        || call.caller.writer_in(repo.key.id.namespace()).is_ok()
        || is_own()?;
    if !may_write {
        let message =
            "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request.";
        return Err(ApiError::forbidden(message));
    }
    Ok(&user.name)
}
