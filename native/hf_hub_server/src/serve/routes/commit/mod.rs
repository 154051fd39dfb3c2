//! Commits over HTTP: lines of JSON that arrive as a stream.
//!
//! Files are written to disk as their lines arrive, so memory holds few of them at a time, and a slow
//! client holds neither a thread nor a lock. The objects of a failed commit are discarded, or
//! unreachable for git.

mod file;
mod lines;
mod path;

pub(super) use file::{MAX_REGULAR, content, pointer, points_nowhere, readme_errors};
pub(super) use path::{MAX_PATH, check as check_path};

use axum::response::{IntoResponse, Response};
use lines::{Reading, Sent};
use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::{Event, RefChange};
use super::super::intake::Sink;
use super::super::payload::Upload;
use super::super::response;
use super::{check_commit_rights, discussions};
use crate::store::{Base, CommitError, CommitSpec, EditError, Repo};

/// Handles `POST /api/{kind}/{id}/commit/{revision}`.
pub(super) fn post(call: &Call, repo: &Repo, revision: &str) -> Reply {
    let author = check_commit_rights(call, repo, revision)?.to_owned();
    if call.query.flag("create_pr") {
        discussions::check_enabled(repo)?;
    }
    let reading = Reading::new(call.hub.clone(), repo.clone());
    let (repo, revision) = (repo.clone(), revision.to_owned());
    call.body.stream_to(Commit { repo, revision, author, reading })
}

/// A commit that is being received.
struct Commit {
    repo: Repo,
    revision: String,
    author: String,
    reading: Reading,
}

impl Sink for Commit {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        self.reading.take(bytes).map_err(|err| Box::new(err.into_response()))
    }
}

impl Upload for Commit {
    fn finish(self: Box<Self>, call: &Call) -> Reply {
        let Self { repo, revision, author, reading } = *self;
        commit(call, &repo, &revision, &author, reading.end()?)
    }
}

fn commit(call: &Call, repo: &Repo, revision: &str, author: &str, sent: Sent) -> Reply {
    let opens_pull_request = call.query.flag("create_pr");
    let parent = sent.parent.as_deref();
    let base = if opens_pull_request {
        Base::PullRequest { revision, parent }
    } else {
        Base::Branch { name: revision, parent }
    };
    let spec = CommitSpec {
        key: &repo.key,
        object_id: &repo.settings.object_id,
        base,
        edits: sent.edits,
        lfs_paths: sent.lfs_paths,
        summary: &sent.summary,
        description: &sent.description,
        author,
    };
    let committed = call.hub.store.commit(spec).map_err(rejection)?;
    let change = RefChange::set(&committed.name, committed.before, committed.commit);
    call.notify(Event::content(repo, [change]));
    let (page, commit) = (call.page_url(&repo.key), committed.commit.to_string());
    let mut json = json!({
        "success": true,
        "commitOid": commit,
        "commitUrl": format!("{page}/commit/{commit}"),
        "hookOutput": "",
    });
    if let Some(number) = committed.pull_request {
        discussions::notify(call, repo, discussions::Kind::Created, number, None);
        json["pullRequestUrl"] = format!("{page}/discussions/{number}").into();
    }
    Ok(response::json(&json))
}

fn rejection(err: CommitError) -> ApiError {
    match err {
        CommitError::NoRepo => ApiError::repo_not_found(false),
        CommitError::NoRevision(revision) => ApiError::revision_not_found(&revision),
        CommitError::NoBranch(name) => {
            ApiError::bad_request(format!("Invalid reference for a branch: {name}"))
        }
        CommitError::Stale => ApiError::stale(),
        CommitError::Edit(EditError::NoSuchFile(path)) => ApiError::nothing_there("file", &path),
        CommitError::Edit(EditError::NoSuchFolder(path)) => {
            ApiError::nothing_there("folder", &path)
        }
        CommitError::Edit(EditError::InTheWay(path)) => ApiError::bad_request(format!(
            "Cannot add {path}: a file or folder of that name is in the way"
        )),
        CommitError::Edit(EditError::BadPath(path)) => path::rejection(&path),
        CommitError::Edit(EditError::Other(err)) | CommitError::Other(err) => err.into(),
    }
}
