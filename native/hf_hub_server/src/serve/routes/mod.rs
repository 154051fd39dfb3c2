//! Maps URLs to handlers.
//!
//! Fixed routes use axum's router; those of a repository are parsed by [`Target`].

mod branches;
mod cdn;
mod commit;
mod commits;
mod facts;
mod git;
mod info;
mod lfs;
mod limits;
mod list;
mod oauth;
mod papers;
mod paths;
mod preupload;
mod refs;
mod repos;
mod resolve;
mod settings;
mod storage;
mod tags;
mod tree;
mod uploads;
mod users;
mod validate;
mod viewer;
mod whoami;

pub(super) use cdn::expired;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};

use super::answer;
use super::ask::{self, Answer, Ask};
use super::error::ApiError;
use super::hub::Hub;
use super::slot::COMPLETE;
use super::target::{Action, Target, XET_HINT};
use crate::store::{Git, Place, PullRequest, Repo, RepoKey, RepoKind};
use git2::Oid;

const ABOUT: &str = "\
This is a Local Hub: it serves the API of the Hugging Face Hub, for one machine or one network.

Point a client at it with HF_ENDPOINT set to this address.
";

const CONFIRM: &str = "\
This is a Local Hub, which has no pages. To confirm the code of a login, run on its machine:

    hf_hub_server user approve CODE USER --root ROOT
";

/// The routes of the hub listener.
pub(super) fn hub(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/", get(|| async { ABOUT }))
        .route("/api/whoami-v2", get(whoami))
        .route("/oauth/device", get(|| async { CONFIRM }).post(device))
        .route("/oauth/token", post(token))
        .route("/api/models", get(models))
        .route("/api/datasets", get(datasets))
        .route("/api/spaces", get(spaces))
        .route("/api/models-tags-by-type", get(model_tags))
        .route("/api/datasets-tags-by-type", get(dataset_tags))
        .route("/api/papers/search", get(search_papers))
        .route("/api/papers/{id}", get(paper))
        .route("/api/daily_papers", get(daily_papers))
        .route("/papers/{page}", get(read_paper))
        .route("/splits", get(splits))
        .route("/parquet", get(parquet))
        .route("/api/users/{name}/overview", get(user_overview))
        .route("/api/settings/repositories", get(own_storage))
        .route("/api/organizations/{name}/settings/repositories", get(storage_of))
        .route("/api/repos/create", post(create))
        .route("/api/repos/delete", delete(remove))
        .route("/api/repos/move", post(rename))
        .route("/api/validate-yaml", post(validate))
        .route(&format!("{COMPLETE}{{*slot}}"), post(complete))
        .fallback(repository)
        .with_state(hub)
}

/// The routes of the content listener.
pub(super) fn cdn(hub: Arc<Hub>) -> Router {
    Router::new().fallback(cdn::serve).with_state(hub)
}

async fn whoami(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, whoami::get).await
}

async fn device(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, oauth::device).await
}

async fn token(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, oauth::token).await
}

async fn models(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, |ask| list::get(ask, RepoKind::Model)).await
}

async fn datasets(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, |ask| list::get(ask, RepoKind::Dataset)).await
}

async fn spaces(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, |ask| list::get(ask, RepoKind::Space)).await
}

async fn model_tags(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, |ask| tags::get(ask, RepoKind::Model)).await
}

async fn dataset_tags(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, |ask| tags::get(ask, RepoKind::Dataset)).await
}

async fn search_papers(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, papers::search).await
}

async fn daily_papers(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, papers::daily).await
}

async fn paper(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, papers::info).await
}

async fn read_paper(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, papers::read).await
}

async fn splits(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, viewer::splits).await
}

async fn parquet(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, viewer::parquet).await
}

async fn user_overview(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, users::overview).await
}

async fn own_storage(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, storage::own).await
}

async fn storage_of(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, storage::of_organization).await
}

async fn create(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, repos::create).await
}

async fn remove(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, repos::delete).await
}

async fn rename(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, repos::rename).await
}

async fn validate(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, validate::post).await
}

async fn complete(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, lfs::complete).await
}

async fn repository(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    ask::answer(hub, request, dispatch).await
}

fn dispatch(ask: &Ask) -> Answer {
    let target = Target::parse(&ask.raw_path).ok_or_else(ApiError::page_not_found)?;
    let answer = reach(ask, &target);
    if is_for_git(&target.action) { answer.map_err(ApiError::for_git) } else { answer }
}

/// Whether the request is from git or git-lfs.
fn is_for_git(action: &Action) -> bool {
    matches!(
        action,
        Action::GitRefs | Action::GitUploadPack | Action::GitReceivePack | Action::LfsBatch
    )
}

fn reach(ask: &Ask, target: &Target) -> Answer {
    if !target.action.allows(&ask.method) {
        return Err(ApiError::method_not_allowed());
    }
    let repo = match open(ask, &target.key)? {
        Place::Here(repo) => *repo,
        Place::Moved(id) => return Ok(moved(ask, target, &id.to_string())),
        Place::Nowhere => return Err(ApiError::repo_not_found(ask.caller.is_anonymous())),
    };
    if repo.settings.disabled {
        return Err(ApiError::disabled());
    }
    act(ask, &repo, &target.action)
}

fn act(ask: &Ask, repo: &Repo, action: &Action) -> Answer {
    match action {
        Action::Resolve { revision, path } => resolve::file(ask, repo, revision, path),
        Action::Raw { revision, path } => resolve::raw(ask, repo, revision, path),
        Action::ResolveCache { revision, path } => resolve::cached(ask, repo, revision, path),
        Action::Info { revision } => info::get(ask, repo, revision.as_deref()),
        Action::Tree { revision, path } => tree::get(ask, repo, revision, path),
        Action::TreeSize { revision, path } => tree::size(repo, revision, path),
        Action::PathsInfo { revision } => paths::post(ask, repo, revision),
        Action::Commits { revision } => commits::get(ask, repo, revision),
        Action::Refs => refs::get(ask, repo),
        Action::AuthCheck { write } => auth_check(ask, repo, *write),
        Action::Preupload { revision } => preupload::post(ask, repo, revision),
        Action::Commit { revision } => commit::post(ask, repo, revision),
        Action::Branch { name } => branches::branch(ask, repo, name),
        Action::Tag { name } => branches::tag(ask, repo, name),
        Action::SuperSquash { branch } => branches::super_squash(ask, repo, branch),
        Action::Settings => settings::put(ask, repo),
        Action::Duplicate => repos::duplicate(ask, repo),
        Action::DuplicateLfs => lfs::duplicate(ask, repo),
        Action::LfsBatch => lfs::batch(ask, repo),
        Action::LfsVerify => lfs::verify(ask, repo),
        Action::GitRefs => git::refs(ask, repo),
        Action::GitUploadPack => git::upload_pack(ask, repo),
        Action::GitReceivePack => Err(git::no_push()),
        Action::XetToken { with_hint } => no_xet(ask, *with_hint),
    }
}

/// The error for Xet routes: `hf_xet` shows only the URL of a failed request.
fn no_xet(ask: &Ask, with_hint: bool) -> Answer {
    if with_hint {
        return Err(ApiError::no_xet());
    }
    let location = format!("{}/{XET_HINT}", ask.raw_path);
    Ok(answer::redirect(StatusCode::TEMPORARY_REDIRECT, &location))
}

fn auth_check(ask: &Ask, repo: &Repo, write: bool) -> Answer {
    ask.caller.check_files(repo)?;
    if write {
        ask.caller.writer_in(repo.key.id.namespace())?;
    }
    Ok(answer::ok())
}

/// Returns the user who may commit to a revision: one with write access, one who opens a pull
/// request, or one who has opened this one.
fn check_commit_rights<'a>(ask: &'a Ask, repo: &Repo, revision: &str) -> Result<&'a str, ApiError> {
    let user = ask.caller.writer()?;
    let number = revision.strip_prefix("refs/pr/").and_then(|number| number.parse().ok());
    let is_own = |known: &PullRequest| Some(known.num) == number && known.author == user.name;
    let may_write = ask.query.flag("create_pr")
        || ask.caller.writer_in(repo.key.id.namespace()).is_ok()
        || repo.settings.pull_requests.iter().any(is_own);
    if !may_write {
        let message =
            "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request.";
        return Err(ApiError::forbidden(message));
    }
    Ok(&user.name)
}

/// Returns where a repository is for this caller: invisible repositories do not exist, even under
/// an old name. A different case of the letters counts as an old name.
fn open(ask: &Ask, key: &RepoKey) -> Result<Place, ApiError> {
    let store = &ask.hub.store;
    let spelled = store.spelled(key)?;
    let place = if spelled == *key { store.locate(key)? } else { Place::Moved(spelled.id) };
    let visible = match &place {
        Place::Here(repo) => ask.caller.may_see(repo),
        Place::Moved(id) => {
            let target = store.locate(&RepoKey::new(key.kind, id.clone()))?.here();
            target.is_none_or(|repo| ask.caller.may_see(&repo))
        }
        Place::Nowhere => true,
    };
    Ok(if visible { place } else { Place::Nowhere })
}

fn moved(ask: &Ask, target: &Target, id: &str) -> Response {
    let (before, after) = &target.around;
    let query = ask.raw_query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    answer::redirect(StatusCode::TEMPORARY_REDIRECT, &format!("{before}{id}{after}{query}"))
}

/// Opens the git repository and finds a revision in it.
fn checkout(repo: &Repo, revision: &str) -> Result<(Git, Oid), ApiError> {
    let git = repo.git()?;
    let commit = git.resolve(revision)?.ok_or_else(|| ApiError::revision_not_found(revision))?;
    Ok((git, commit))
}
