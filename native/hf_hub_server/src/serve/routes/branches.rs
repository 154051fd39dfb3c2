//! Branches, tags and squashed histories.

use axum::http::Method;
use git2::Oid;
use serde::Deserialize;
use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::{Event, RefChange};
use super::super::lookup::checkout;
use super::super::response;
use crate::store::{Draft, Git, MAIN, MAIN_REF, Repo, RepoLock, branch_ref, tag_ref};

const MAX_MESSAGE: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Create {
    starting_point: Option<String>,
    empty_branch: bool,
    overwrite: bool,
}

#[derive(Debug, Deserialize)]
struct Tag {
    tag: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Squash {
    message: Option<String>,
}

/// Handles `POST` and `DELETE /api/{kind}/{id}/branch/{name}`.
pub(super) fn branch(call: &Call, repo: &Repo, name: &str) -> Reply {
    let author = &call.caller.writer_in(repo.key.id.namespace())?.name;
    let branch = branch_name(name)?;
    if call.method == Method::DELETE {
        let _lock = lock(call, repo)?;
        return delete_branch(call, repo, name, &branch);
    }
    let wanted: Create = call.json_or_default()?;
    let _lock = lock(call, repo)?;
    let git = repo.git()?;
    let before = git.tip(&branch)?;
    let may_replace = wanted.overwrite && branch != MAIN_REF;
    if before.is_some() && !may_replace || git.is_in_the_way(&branch)? {
        return Err(ApiError::conflict(format!("Reference {branch} already exists")));
    }
    let target = if wanted.empty_branch {
        let (tree, message) = (git.empty_tree()?, "initial commit");
        git.commit_tree(&Draft { tree, parent: None, message, author })?
    } else {
        checkout(repo, wanted.starting_point.as_deref().unwrap_or(MAIN))?.1
    };
    git.set_ref(&branch, target, "created")?;
    call.notify(Event::content(repo, [RefChange::set(&branch, before, target)]));
    Ok(response::ok())
}

/// Handles `POST` and `DELETE /api/{kind}/{id}/tag/{name}`.
pub(super) fn tag(call: &Call, repo: &Repo, name: &str) -> Reply {
    let author = &call.caller.writer_in(repo.key.id.namespace())?.name;
    if call.method == Method::DELETE {
        let _lock = lock(call, repo)?;
        let full_name = tag_ref(name).ok_or_else(|| ApiError::revision_not_found(name))?;
        return delete_ref(call, repo, name, &full_name);
    }
    let wanted: Tag = call.body.json()?;
    let _lock = lock(call, repo)?;
    // Clients expect a missing revision to be reported before an invalid name.
    let (git, target) = checkout(repo, name)?;
    let full_name = tag_ref(&wanted.tag).ok_or_else(|| {
        ApiError::bad_request(format!("Invalid reference for a tag: {}", wanted.tag))
    })?;
    if git.tip(&full_name)?.is_some() || git.is_in_the_way(&full_name)? {
        return Err(ApiError::conflict(format!("Reference {full_name} already exists")));
    }
    let message = wanted.message.filter(|message| !message.is_empty());
    match message {
        Some(message) => git.create_annotated_tag(&wanted.tag, target, &message, author)?,
        None => git.create_ref(&full_name, target, "created")?,
    }
    call.notify(Event::content(repo, [RefChange::set(&full_name, None, target)]));
    Ok(response::ok())
}

/// Handles `POST /api/{kind}/{id}/super-squash/{branch}`.
pub(super) fn super_squash(call: &Call, repo: &Repo, name: &str) -> Reply {
    let author = &call.caller.writer_in(repo.key.id.namespace())?.name;
    let wanted: Squash = call.json_or_default()?;
    let default = || format!("Super-squash branch '{name}'");
    let message = wanted.message.filter(|message| !message.is_empty()).unwrap_or_else(default);
    if message.chars().count() > MAX_MESSAGE {
        let limit = format!("\"message\" may have at most {MAX_MESSAGE} characters");
        return Err(ApiError::bad_request(limit));
    }
    let branch = branch_name(name)?;
    let _lock = lock(call, repo)?;
    let git = repo.git()?;
    let head = git.tip(&branch)?.ok_or_else(|| ApiError::revision_not_found(name))?;
    let commit = squash(&git, head, &message, author)?;
    git.set_ref(&branch, commit, "super-squash")?;
    call.notify(Event::content(repo, [RefChange::set(&branch, Some(head), commit)]));
    Ok(response::json(&json!({ "commitId": commit.to_string() })))
}

fn squash(git: &Git, head: Oid, message: &str, author: &str) -> Result<Oid, ApiError> {
    Ok(git.commit_tree(&Draft { tree: git.tree_of(head)?, parent: None, message, author })?)
}

fn delete_branch(call: &Call, repo: &Repo, name: &str, branch: &str) -> Reply {
    if branch == MAIN_REF {
        return Err(ApiError::forbidden(format!("Cannot delete {branch}")));
    }
    delete_ref(call, repo, name, branch)
}

fn delete_ref(call: &Call, repo: &Repo, name: &str, full_name: &str) -> Reply {
    let git = repo.git()?;
    let before = git.tip(full_name)?;
    if !git.delete_ref(full_name)? {
        return Err(ApiError::revision_not_found(name));
    }
    call.notify(Event::content(repo, [RefChange::deleted(full_name, before)]));
    Ok(response::ok())
}

/// Returns the name of a branch. Pull requests have refs too, but are not branches.
fn branch_name(name: &str) -> Result<String, ApiError> {
    let branch = branch_ref(name).filter(|branch| branch.starts_with("refs/heads/"));
    branch.ok_or_else(|| ApiError::bad_request(format!("Invalid reference for a branch: {name}")))
}

/// Locks the repository, which may have been deleted meanwhile.
fn lock(call: &Call, repo: &Repo) -> Result<RepoLock, ApiError> {
    let lock = call.hub.store.lock(&repo.key)?;
    match call.hub.store.locate(&repo.key)?.found() {
        Some(_) => Ok(lock),
        None => Err(ApiError::repo_not_found(false)),
    }
}
