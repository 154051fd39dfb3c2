//! Discussions and pull requests: lists, details, comments, titles, statuses, merges.
//!
//! Everybody who may see a repository may open discussions and write comments, with a token that
//! may write. Titles and statuses are changed by the author or by those who may change the
//! repository; only the latter merge, pin, remove, and hide the comments of others.

mod json;
mod notify;
mod route;
mod text;

pub(super) use notify::{Kind, notify};
pub(crate) use route::Route;
use route::What;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::{self as webhook, RefChange};
use super::super::response;
use crate::store::{Changes, Discussion, DiscussionFilter, DiscussionStatus, Opening, Repo, User};

/// Number of discussions on a page.
const PAGE: u64 = 50;
/// Maximum number of words to search for.
const MAX_WORDS: usize = 20;
/// Reasons to hide a comment.
const REASONS: [&str; 5] = ["Spam", "Abuse", "Graphic Content", "Resolved", "Off-Topic"];

/// Handles the routes below `/api/{kind}/{id}/discussions`.
pub(super) fn act(call: &Call, repo: &Repo, route: &Route) -> Reply {
    check_enabled(repo)?;
    match route {
        Route::All if call.method == Method::POST => create(call, repo),
        Route::All => list(call, repo),
        Route::One { num, what } => one(call, repo, *num, what),
    }
}

/// Returns an error if the owner of a repository does not want discussions.
pub(super) fn check_enabled(repo: &Repo) -> Result<(), ApiError> {
    if repo.settings.has_discussions() {
        return Ok(());
    }
    Err(ApiError::forbidden("Discussions are disabled for this repo"))
}

fn one(call: &Call, repo: &Repo, num: u64, what: &What) -> Reply {
    match what {
        What::Whole if call.method == Method::DELETE => remove(call, repo, num),
        What::Whole => details(call, repo, num),
        What::Comment => comment(call, repo, num),
        What::Edit { comment } => edit(call, repo, num, comment),
        What::Hide { comment } => hide(call, repo, num, comment),
        What::Title => rename(call, repo, num),
        What::Status => set_status(call, repo, num),
        What::Merge => merge(call, repo, num),
        What::Pin => pin(call, repo, num),
        What::Ref => remove_ref(call, repo, num),
    }
}

fn list(call: &Call, repo: &Repo) -> Reply {
    let filter = DiscussionFilter {
        is_pull_request: choice(call, "type", ["all", "pull_request", "discussion"])?,
        is_open: choice(call, "status", ["all", "open", "closed"])?,
        author: call.query.get("author").map(str::to_owned),
        words: words(call.query.get("search").unwrap_or_default()),
    };
    let page = call.query.get("p").map(str::parse::<u64>).transpose();
    let page = page.map_err(|_| ApiError::bad_request("\"p\" must be a number"))?.unwrap_or(0);
    let start = page.saturating_mul(PAGE);
    let listed = call.hub.store.discussions().list(repo, &filter, start, PAGE)?;
    let found = listed.found.iter().map(|found| json::listed(&repo.key, found));
    Ok(response::json(&json!({
        "discussions": found.collect::<Vec<_>>(),
        "count": listed.count,
        "start": start,
        "numClosedDiscussions": listed.closed,
    })))
}

/// Returns which of the last two values a key of the query has; `None` for the first.
fn choice(call: &Call, key: &str, values: [&str; 3]) -> Result<Option<bool>, ApiError> {
    match call.query.get(key) {
        None => Ok(None),
        Some(value) if value == values[0] => Ok(None),
        Some(value) if value == values[1] => Ok(Some(true)),
        Some(value) if value == values[2] => Ok(Some(false)),
        Some(_) => Err(one_of(key, &values)),
    }
}

fn one_of(key: &str, values: &[&str]) -> ApiError {
    ApiError::bad_request(format!("\"{key}\" must be one of [{}]", values.join(", ")))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().take(MAX_WORDS).map(str::to_owned).collect()
}

fn details(call: &Call, repo: &Repo, num: u64) -> Reply {
    let discussions = call.hub.store.discussions();
    let discussion = discussions.get(repo, num)?;
    let events = discussions.events(&discussion)?;
    // The changes are content of files, which a gated repository does not show to everybody.
    let changes = match call.caller.check_files(repo) {
        Ok(()) => call.hub.store.changes(repo, &discussion, call.query.flag("diff"))?,
        Err(_) => Changes::default(),
    };
    Ok(response::json(&json::details(&repo.key, &discussion, &events, changes)))
}

fn create(call: &Call, repo: &Repo) -> Reply {
    let author = &call.caller.participant(repo)?.name;
    let sent: text::New = text::body(call)?;
    let title = text::title(&sent.title)?;
    let description = text::description("description", &sent.description)?;
    let opening = Opening { title, description, author, created_at: Timestamp::now() };
    let opened = call.hub.store.open_discussion(repo, sent.pull_request, &opening)?;
    notify(call, repo, Kind::Created, opened.num, None);
    let mut json = json!({
        "num": opened.num,
        "url": format!("{}/discussions/{}", call.page_url(&repo.key), opened.num),
        "pullRequest": opened.base.is_some(),
    });
    if opened.base.is_some() {
        let (name, head) = notify::head_of(repo, opened.num)?;
        let changes = head.map(|head| RefChange::set(&name, None, head));
        call.notify(webhook::Event::content(repo, changes));
        json["references"] = json::references(&opened);
    }
    Ok(response::json(&json))
}

fn comment(call: &Call, repo: &Repo, num: u64) -> Reply {
    let author = &call.caller.participant(repo)?.name;
    let discussions = call.hub.store.discussions();
    discussions.get(repo, num)?;
    let sent: text::NewComment = text::body(call)?;
    let event = discussions.comment(repo, num, author, text::comment("comment", &sent.comment)?)?;
    notify(call, repo, Kind::Commented, num, Some(&event));
    Ok(created(&json!({ "newMessage": json::event(&event) })))
}

fn edit(call: &Call, repo: &Repo, num: u64, id: &str) -> Reply {
    let user = call.caller.participant(repo)?;
    let discussions = call.hub.store.discussions();
    let comment = discussions.event(&discussions.get(repo, num)?, id)?;
    if !comment.is_by(&user.name) {
        return Err(ApiError::forbidden("Only the author of a comment can edit it"));
    }
    let sent: text::NewContent = text::body(call)?;
    let content = text::comment("content", &sent.content)?;
    let event = discussions.edit(repo, num, id, &user.name, content)?;
    notify(call, repo, Kind::Edited, num, Some(&event));
    Ok(response::json(&json!({ "updatedComment": json::event(&event) })))
}

fn hide(call: &Call, repo: &Repo, num: u64, id: &str) -> Reply {
    let user = call.caller.participant(repo)?;
    let discussions = call.hub.store.discussions();
    let comment = discussions.event(&discussions.get(repo, num)?, id)?;
    if !comment.is_by(&user.name) && !may_moderate(call, repo) {
        let message = "Only the author of a comment, or those with write access, can hide it";
        return Err(ApiError::forbidden(message));
    }
    let sent: text::Reason = text::optional_body(call)?;
    let reason = sent.reason.as_deref();
    if reason.is_some_and(|reason| !REASONS.contains(&reason)) {
        return Err(one_of("reason", &REASONS));
    }
    let event = discussions.hide(repo, num, id, &user.name, reason)?;
    notify(call, repo, Kind::Hidden, num, Some(&event));
    Ok(response::json(&json!({ "updatedComment": json::event(&event) })))
}

fn rename(call: &Call, repo: &Repo, num: u64) -> Reply {
    let user = manager(call, repo, num)?;
    let sent: text::NewTitle = text::body(call)?;
    let title = text::title(&sent.title)?;
    let event = call.hub.store.discussions().rename(repo, num, &user.name, title)?;
    notify(call, repo, Kind::Renamed, num, Some(&event));
    Ok(response::json(&json!({ "newTitle": json::event(&event) })))
}

fn set_status(call: &Call, repo: &Repo, num: u64) -> Reply {
    let user = manager(call, repo, num)?;
    let sent: text::NewStatus = text::body(call)?;
    let status = match sent.status.as_str() {
        "open" => DiscussionStatus::Open,
        "closed" => DiscussionStatus::Closed,
        _ => return Err(one_of("status", &["open", "closed"])),
    };
    let comment = text::optional_comment(sent.comment.as_deref())?;
    let discussions = call.hub.store.discussions();
    let event = discussions.set_status(repo, num, &user.name, status, comment)?;
    notify(call, repo, Kind::StatusChanged, num, Some(&event));
    Ok(response::json(&json!({ "newStatus": json::event(&event) })))
}

fn merge(call: &Call, repo: &Repo, num: u64) -> Reply {
    let user = moderator(call, repo)?;
    let sent: text::Merge = text::optional_body(call)?;
    let comment = text::optional_comment(sent.comment.as_deref())?;
    let commit = call.hub.store.merge_pull_request(repo, num, &user.name, comment)?;
    notify::merged(call, repo, num, commit);
    notify(call, repo, Kind::Merged, num, None);
    Ok(response::ok())
}

fn pin(call: &Call, repo: &Repo, num: u64) -> Reply {
    moderator(call, repo)?;
    let sent: text::Pin = text::body(call)?;
    call.hub.store.discussions().pin(repo, num, sent.pinned)?;
    notify(call, repo, Kind::Pinned, num, None);
    Ok(response::ok())
}

fn remove(call: &Call, repo: &Repo, num: u64) -> Reply {
    moderator(call, repo)?;
    let discussion = call.hub.store.discussions().get(repo, num)?;
    let (name, head) = notify::head_of(repo, num)?;
    call.hub.store.delete_discussion(repo, num)?;
    if head.is_some() {
        call.notify(webhook::Event::content(repo, [RefChange::deleted(&name, head)]));
    }
    notify::announce(call, repo, Kind::Removed, &discussion, None);
    Ok(response::ok())
}

fn remove_ref(call: &Call, repo: &Repo, num: u64) -> Reply {
    moderator(call, repo)?;
    let (name, head) = notify::head_of(repo, num)?;
    if call.hub.store.delete_pull_request_ref(repo, num)? {
        call.notify(webhook::Event::content(repo, [RefChange::deleted(&name, head)]));
        Ok(response::ok())
    } else {
        Err(ApiError::revision_not_found(&format!("refs/pr/{num}")))
    }
}

/// Returns the user if it may change title and status of a discussion.
fn manager<'a>(call: &'a Call, repo: &Repo, num: u64) -> Result<&'a User, ApiError> {
    let user = call.caller.participant(repo)?;
    let discussion: Discussion = call.hub.store.discussions().get(repo, num)?;
    if !discussion.is_by(&user.name) && !may_moderate(call, repo) {
        let message = "Only the author of a discussion, or those with write access, can change it";
        return Err(ApiError::forbidden(message));
    }
    Ok(user)
}

/// Returns the user if it may change the repository.
fn moderator<'a>(call: &'a Call, repo: &Repo) -> Result<&'a User, ApiError> {
    call.caller.writer_in(repo.key.id.namespace())
}

fn may_moderate(call: &Call, repo: &Repo) -> bool {
    moderator(call, repo).is_ok()
}

fn created(json: &serde_json::Value) -> Response {
    (StatusCode::CREATED, response::json(json)).into_response()
}
