//! Discussions and pull requests.

use maud::{Markup, html};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::markdown;
use super::files::head;
use super::format::{self, count, date};
use super::layout::{self, pager, sanitized};
use crate::store::{
    Author, Comment, Discussion, DiscussionFilter, DiscussionStatus as Status, Event, Happened,
    Repo,
};

const PAGE: u64 = 30;
/// Maximum number of events on a page.
const MAX_EVENTS: usize = 500;

/// Handles `/{id}/discussions`.
pub(super) fn list(call: &Call, repo: &Repo) -> Reply {
    check(repo)?;
    let page = call.query.number("p").unwrap_or_default().min(1_000_000);
    let filter = DiscussionFilter::default();
    let listed = call.hub.store.discussions().list(repo, &filter, page as u64 * PAGE, PAGE)?;
    let has_next = (page as u64 + 1) * PAGE < listed.count;
    let base = format!("{}/discussions", format::page(&repo.key));
    let main = html! {
        (head(call, repo, "discussions"))
        section {
            h2 { "Discussions and pull requests" }
            @if listed.found.is_empty() { p.empty { "There are no discussions yet." } }
            ul.list {
                @for found in &listed.found {
                    li {
                        a href=(format!("{base}/{}", found.num)) { bdi { (found.title) } }
                        (status(found))
                        p.meta {
                            span { "#" (found.num) " by " (by(found.author.as_ref())) }
                            span { (date(found.created_at)) }
                            span { (count(found.comments, "comment")) }
                        }
                    }
                }
            }
            (pager(call, page, has_next))
        }
    };
    Ok(layout::page(call, &format!("Community of {}", repo.key.id), &main))
}

/// Handles `/{id}/discussions/{number}`.
pub(super) fn get(call: &Call, repo: &Repo, num: u64) -> Reply {
    check(repo)?;
    let discussions = call.hub.store.discussions();
    let found = discussions.get(repo, num).map_err(ApiError::from)?;
    let events = discussions.events(&found)?;
    let page = format::page(&repo.key);
    let main = html! {
        (head(call, repo, "discussions"))
        section {
            h2 { bdi { (found.title) } " " span.meta { "#" (num) } (status(&found)) }
            @if found.base.is_some() {
                p { a href=(format!("{page}/tree/refs%2Fpr%2F{num}")) { "Files of this pull request" } }
            }
            ul.list { @for event in events.iter().take(MAX_EVENTS) { li { (shown(&page, event)) } } }
            @if events.len() > MAX_EVENTS { p.empty { "and " (events.len() - MAX_EVENTS) " more" } }
        }
    };
    Ok(layout::page(call, &format!("{} · {}", found.title, repo.key.id), &main))
}

fn check(repo: &Repo) -> Result<(), ApiError> {
    if repo.settings.has_discussions() { Ok(()) } else { Err(ApiError::page_not_found()) }
}

fn status(discussion: &Discussion) -> Markup {
    let kind = if discussion.base.is_some() { "pull request" } else { "discussion" };
    html! {
        " " span.badge { (kind) }
        " " span.badge {
            @match discussion.status {
                Status::Draft => "draft",
                Status::Open => "open",
                Status::Closed => "closed",
                Status::Merged => "merged",
            }
        }
    }
}

fn by(author: Option<&Author>) -> Markup {
    html! { bdi { @match author { Some(author) => (author.name), None => "a user who was removed" } } }
}

fn shown(page: &str, event: &Event) -> Markup {
    html! {
        p.meta { span { (by(event.author.as_ref())) } span { (date(event.created_at)) } }
        @match &event.happened {
            Happened::Comment(comment) => (text(comment)),
            Happened::StatusChange(change) => p {
                "changed the status to " strong { @match change.status {
                    Status::Draft => "draft", Status::Open => "open", Status::Closed => "closed", Status::Merged => "merged",
                } }
            },
            Happened::TitleChange(change) => p { "changed the title from " bdi { (change.from) } " to " strong { bdi { (change.to) } } },
            Happened::Commit(commit) => p {
                "added a commit: " a href=(format!("{page}/tree/{}", commit.oid)) { bdi { (commit.subject) } }
            },
        }
    }
}

fn text(comment: &Comment) -> Markup {
    html! {
        @match (&comment.hidden_by, comment.versions.last()) {
            (None, Some(version)) => {
                div.markdown { (sanitized(markdown::html(&version.content, markdown::Place::Comment))) }
                @if comment.versions.len() > 1 { p.meta { "edited" } }
            },
            _ => p.empty { "This comment has been hidden." },
        }
    }
}
