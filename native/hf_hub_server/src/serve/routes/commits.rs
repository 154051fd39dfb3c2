//! The history of a revision.

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::lookup::checkout;
use super::super::response;
use crate::store::{CommitInfo, Repo};

const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");
const PAGE: usize = 50;

/// Handles `/api/{kind}/{id}/commits/{revision}`.
pub(super) fn get(call: &Call, repo: &Repo, revision: &str) -> Reply {
    let (git, head) = checkout(repo, revision)?;
    let most = call.hub.options.page_size;
    let size = call.query.number("limit").unwrap_or(PAGE.min(most)).clamp(1, most);
    let page = call.query.number("p").unwrap_or(0);
    let start = page.saturating_mul(size);
    let (total, commits) = git.history(head, start, size)?;
    let formatted = call.query.all("expand").any(|what| what == "formatted");
    let next =
        (start.saturating_add(size) < total).then(|| call.url_with("p", &(page + 1).to_string()));
    let commits = commits.iter().map(|commit| to_json(commit, formatted)).collect::<Vec<_>>();
    let mut response = response::page(&commits, next);
    response.headers_mut().insert(TOTAL_COUNT, HeaderValue::from(total));
    Ok(response)
}

fn to_json(commit: &CommitInfo, formatted: bool) -> Value {
    let mut json = json!({
        "id": commit.oid.to_string(),
        "title": commit.title,
        "message": commit.message,
        "date": response::date(commit.date),
        "authors": [{ "user": commit.author, "avatar": "" }],
    });
    if formatted {
        json["formatted"] =
            json!({ "title": html(&commit.title), "message": html(&commit.message) });
    }
    json
}

/// Returns text as HTML.
pub(super) fn html(text: &str) -> String {
    let escaped =
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    if escaped.is_empty() { escaped } else { format!("<p>{}</p>\n", escaped.replace('\n', "<br>")) }
}
