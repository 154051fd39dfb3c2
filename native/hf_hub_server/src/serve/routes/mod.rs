//! Maps URLs to handlers.
//!
//! Fixed routes use axum's router; those of a repository are parsed by [`Target`].

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
mod organizations;
mod owned;
mod page;
mod papers;
mod paths;
mod preupload;
mod refs;
mod repos;
mod resolve;
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

#[cfg(feature = "xet")]
pub(super) use buckets::find as find_bucket;
pub(super) use cdn::expired;
pub(super) use endpoints::EndpointArgs;
pub(super) use whoami::object_id;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get};

use super::action::Action;
use super::call::{self, Call, Handler, Reply};
use super::error::ApiError;
use super::hub::Hub;
use super::pages;
use super::response;
use super::slot::COMPLETE;
use super::target::{Target, XET_HINT};
use crate::store::{Git, Lookup, Repo, RepoKey, RepoKind};
use git2::Oid;

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const DELETE: MethodFilter = MethodFilter::DELETE;
const PATCH: MethodFilter = MethodFilter::PATCH;
const PUT: MethodFilter = MethodFilter::PUT;

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
pub(super) fn hub(hub: Arc<Hub>) -> Router {
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

/// A route for one method. A path may have several.
fn on(method: MethodFilter, handler: Handler) -> MethodRouter<Arc<Hub>> {
    axum::routing::on(method, move |State(hub): State<Arc<Hub>>, request: Request| {
        call::handle(hub, request, handler)
    })
}

async fn repository(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    call::handle(hub, request, dispatch).await
}

/// The routes of the content listener.
pub(super) fn cdn(hub: Arc<Hub>) -> Router {
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

/// Returns where a repository is for this caller: invisible repositories do not exist, even under
/// an old name. A different case of the letters counts as an old name.
pub(super) fn open(call: &Call, key: &RepoKey) -> Result<Lookup, ApiError> {
    let store = &call.hub.store;
    let spelled = store.spelled(key)?;
    let place = if spelled == *key { store.locate(key)? } else { Lookup::Moved(spelled.id) };
    let visible = match &place {
        Lookup::Found(repo) => call.caller.may_see(repo)?,
        Lookup::Moved(id) => match store.locate(&RepoKey::new(key.kind, id.clone()))?.found() {
            Some(target) => call.caller.may_see(&target)?,
            None => true,
        },
        Lookup::Missing => true,
    };
    Ok(if visible { place } else { Lookup::Missing })
}

fn moved(call: &Call, target: &Target, id: &str) -> Response {
    let (before, after) = &target.around;
    let query = call.raw_query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    response::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{before}{id}{after}{query}"))
}

/// Opens the git repository and finds a revision in it.
pub(super) fn checkout(repo: &Repo, revision: &str) -> Result<(Git, Oid), ApiError> {
    let git = repo.git()?;
    let commit = git.resolve(revision)?.ok_or_else(|| ApiError::revision_not_found(revision))?;
    Ok((git, commit))
}
