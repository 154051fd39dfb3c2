//! Maps URLs to handlers.
//!
//! Fixed routes use axum's router; those of a repository are parsed by [`Target`].

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::super::action::Action;
use super::super::call::{self, Call, Reply};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::lookup::open;
use super::super::pages;
use super::super::response;
use super::super::slot::COMPLETE;
use super::super::target::{Target, XET_HINT};
use super::{DELETE, GET, PATCH, POST, on};
use super::{
    access_requests, attachments, branches, cdn, collections, commit, commits, discussions,
    endpoints, git, hardware, info, jobs, lfs, lfs_files, likes, list, oauth, organizations,
    papers, paths, preupload, refs, repos, resolve, safetensors, settings, spaces, storage, tags,
    tree, users, validate, viewer, webhooks, whoami,
};
#[cfg(feature = "xet")]
use super::{buckets, xet};
use crate::store::{Lookup, Repo, RepoKind};

const COLLECTION: &str = "/api/collections/{namespace}/{slug}";

const ABOUT: &str = "\
This is a Local Hub: it serves the API of the Hugging Face Hub, for one machine or one network.

Point a client at it with HF_ENDPOINT set to this address.
";

const CONFIRM: &str = "\
This is a Local Hub. To confirm the code of a login, run on its machine:

    hf_hub_server user approve CODE USER --root ROOT
";

/// The routes of the hub listener.
pub(in crate::serve) fn hub(hub: Arc<Hub>) -> Router {
    let router = Router::new()
        .route("/", on(GET, about))
        .route("/login", on(GET, |call| Ok(pages::login(call))))
        .route("/-/style.css", get(pages::style))
        .route("/-/icon.svg", get(pages::icon))
        .route("/api/whoami-v2", on(GET, whoami::get))
        .route("/oauth/device", get(|| async { CONFIRM }).merge(on(POST, oauth::device)))
        .route("/oauth/token", on(POST, oauth::token))
        .route("/api/models", on(GET, |call| list::get(call, RepoKind::Model)))
        .route("/api/datasets", on(GET, |call| list::get(call, RepoKind::Dataset)))
        .route("/api/spaces", on(GET, |call| list::get(call, RepoKind::Space)))
        .route("/api/spaces/hardware", on(GET, |_| Ok(hardware::of_spaces())))
        .route("/api/spaces/semantic-search", on(GET, spaces::search))
        .route("/api/spaces/templates", on(GET, spaces::list_templates))
        .route("/api/spaces/zero-gpu/quota", on(GET, spaces::zero_gpu))
        .route("/api/models-tags-by-type", on(GET, |call| tags::get(call, RepoKind::Model)))
        .route("/api/datasets-tags-by-type", on(GET, |call| tags::get(call, RepoKind::Dataset)))
        .route("/api/papers/search", on(GET, papers::search))
        .route("/api/papers/{id}", on(GET, papers::info))
        .route("/api/daily_papers", on(GET, papers::daily))
        .route("/papers/{page}", on(GET, papers::read))
        .route("/splits", on(GET, viewer::splits))
        .route("/parquet", on(GET, viewer::parquet))
        .route("/api/users/{name}/overview", on(GET, users::overview))
        .route("/api/users/{name}/likes", on(GET, likes::of_user))
        .route("/api/users/{name}/followers", on(GET, users::followers))
        .route("/api/users/{name}/following", on(GET, users::following))
        .route("/api/organizations/{name}/overview", on(GET, organizations::overview))
        .route("/api/organizations/{name}/followers", on(GET, organizations::followers))
        .route("/api/organizations/{name}/members", on(GET, organizations::members))
        .route("/api/settings/repositories", on(GET, storage::own))
        .route("/api/organizations/{name}/settings/repositories", on(GET, storage::of_organization))
        .route("/api/collections", on(GET, collections::list).merge(on(POST, collections::create)))
        .route(
            COLLECTION,
            on(GET, collections::get)
                .merge(on(PATCH, collections::update))
                .merge(on(DELETE, collections::delete)),
        )
        .route(&format!("{COLLECTION}/items"), on(POST, collections::add_item))
        .route(
            &format!("{COLLECTION}/items/{{item}}"),
            on(PATCH, collections::update_item).merge(on(DELETE, collections::delete_item)),
        )
        .route(&format!("{COLLECTION}/resource-group"), on(POST, collections::set_resource_group))
        .route("/api/repos/create", on(POST, repos::create))
        .route("/api/repos/delete", on(DELETE, repos::delete))
        .route("/api/repos/move", on(POST, repos::rename))
        .route("/api/validate-yaml", on(POST, validate::post))
        .route(&format!("{COMPLETE}{{*slot}}"), on(POST, lfs::complete))
        .route("/uploads", on(POST, attachments::post))
        .route("/uploads/{name}", on(GET, attachments::get))
        .merge(webhooks::routes())
        .merge(jobs::routes())
        .merge(endpoints::routes())
        .fallback(repository);
    #[cfg(feature = "xet")]
    let router = if hub.options.xet { router.merge(buckets::routes()) } else { router };
    router.with_state(hub)
}

async fn repository(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    call::handle(hub, request, dispatch).await
}

/// The routes of the content listener.
pub(in crate::serve) fn cdn(hub: Arc<Hub>) -> Router {
    let router = Router::new().fallback(cdn::serve);
    #[cfg(feature = "xet")]
    let router = if hub.options.xet { router.merge(xet::routes()) } else { router };
    router.with_state(hub)
}

fn about(call: &Call) -> Reply {
    pages::get(call).unwrap_or_else(|| Ok(ABOUT.into_response()))
}

fn dispatch(call: &Call) -> Reply {
    if let Some(page) = pages::get(call) {
        return page;
    }
    let target = Target::parse(&call.raw_path).ok_or_else(ApiError::page_not_found)?;
    let target = match target.canonical() {
        Some(canonical) if matches!(open(call, &target.key)?, Lookup::Missing) => canonical,
        _ => target,
    };
    reach(call, &target).map_err(|err| match target.action {
        Action::GitRefs | Action::GitUploadPack | Action::GitReceivePack => err.for_git(),
        Action::LfsBatch | Action::LfsVerify => err.for_git_lfs(),
        _ => err,
    })
}

fn reach(call: &Call, target: &Target) -> Reply {
    if !target.action.allows(&call.method) {
        return Err(ApiError::method_not_allowed());
    }
    let repo = match open(call, &target.key)? {
        Lookup::Found(repo) => *repo,
        Lookup::Moved(id) => return Ok(moved(call, target, &id.to_string())),
        Lookup::Missing => return Err(ApiError::repo_not_found(call.caller.is_anonymous())),
    };
    if repo.settings.disabled {
        return Err(ApiError::disabled());
    }
    act(call, &repo, &target.action)
}

fn act(call: &Call, repo: &Repo, action: &Action) -> Reply {
    match action {
        Action::Resolve { revision, path } => resolve::file(call, repo, revision, path),
        Action::Raw { revision, path } => resolve::raw(call, repo, revision, path),
        Action::ResolveCache { revision, path } => resolve::cached(call, repo, revision, path),
        Action::Info { revision } => info::get(call, repo, revision.as_deref()),
        Action::Tree { revision, path } => tree::get(call, repo, revision, path),
        Action::TreeSize { revision, path } => tree::size(repo, revision, path),
        Action::PathsInfo { revision } => paths::post(call, repo, revision),
        Action::SafetensorsMetadata { path } => safetensors::get(call, repo, path),
        Action::Commits { revision } => commits::get(call, repo, revision),
        Action::Refs => refs::get(call, repo),
        Action::AuthCheck { write } => auth_check(call, repo, *write),
        Action::Preupload { revision } => preupload::post(call, repo, revision),
        Action::Commit { revision } => commit::post(call, repo, revision),
        Action::Discussions(route) => discussions::act(call, repo, route),
        Action::Branch { name } => branches::branch(call, repo, name),
        Action::Tag { name } => branches::tag(call, repo, name),
        Action::SuperSquash { branch } => branches::super_squash(call, repo, branch),
        Action::Space(route) => spaces::act(call, repo, *route),
        Action::Settings => settings::put(call, repo),
        Action::Duplicate => repos::duplicate(call, repo),
        Action::DuplicateLfs => lfs::duplicate(call, repo),
        Action::LfsFiles(route) => lfs_files::act(call, repo, route),
        Action::LfsBatch => lfs::batch(call, repo),
        Action::LfsVerify => lfs::verify(call, repo),
        Action::GitRefs => git::refs(call, repo),
        Action::GitUploadPack => git::upload_pack(call, repo),
        Action::GitReceivePack => git::receive_pack(call, repo),
        #[cfg(feature = "xet")]
        Action::XetToken { write, revision, with_hint: false } if call.hub.options.xet => {
            xet::token(call, repo, *write, revision)
        }
        Action::XetToken { with_hint, .. } => no_xet(call, *with_hint),
        Action::Likes(route) => likes::act(call, repo, route),
        Action::AccessRequests(route) => access_requests::act(call, repo, route),
    }
}

/// The error for Xet routes: `hf_xet` shows only the URL of a failed request.
fn no_xet(call: &Call, with_hint: bool) -> Reply {
    if with_hint {
        return Err(ApiError::no_xet());
    }
    let location = format!("{}/{XET_HINT}", call.raw_path);
    Ok(response::redirect(StatusCode::TEMPORARY_REDIRECT, &location))
}

fn auth_check(call: &Call, repo: &Repo, write: bool) -> Reply {
    call.caller.check_files(repo)?;
    if write {
        call.caller.writer_in(repo.key.id.namespace())?;
    }
    Ok(response::ok())
}

fn moved(call: &Call, target: &Target, id: &str) -> Response {
    let (before, after) = &target.around;
    let query = call.raw_query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    response::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{before}{id}{after}{query}"))
}
