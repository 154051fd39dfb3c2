//! Papers: by text, by day, one by one.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::list;
use crate::store::{Paper, RepoKind};

const DAILY_PAGE: usize = 50;
const MOST: usize = 100;

/// Handles `/api/papers/search`.
pub(super) fn search(call: &Call) -> Reply {
    let wanted = call.query.get("q").unwrap_or_default().to_lowercase();
    let all = call.hub.store.papers().all()?;
    let has = |paper: &Paper| {
        let text = Value::Object(paper.clone()).to_string().to_lowercase();
        wanted.split_whitespace().all(|word| text.contains(word))
    };
    let limit = call.query.number("limit").unwrap_or(MOST).clamp(1, MOST);
    let found = all.values().filter(|paper| has(paper)).take(limit).map(envelope);
    Ok(response::json(&found.collect::<Vec<_>>()))
}

/// Handles `/api/daily_papers`.
pub(super) fn daily(call: &Call) -> Reply {
    let all = call.hub.store.papers().all()?;
    let mut found = all.values().filter(|paper| is_of_day(call, paper)).collect::<Vec<_>>();
    let newest = |paper: &&Paper| text(paper, "submittedOnDailyAt").to_owned();
    match call.query.get("sort") {
        Some("trending") => found
            .sort_by_key(|paper| std::cmp::Reverse(paper.get("upvotes").and_then(Value::as_u64))),
        _ => found.sort_by_key(|paper| std::cmp::Reverse(newest(paper))),
    }
    let limit = call.query.number("limit").unwrap_or(DAILY_PAGE).clamp(1, MOST);
    let start = call.query.number("p").unwrap_or(0).saturating_mul(limit);
    let page = found.into_iter().skip(start).take(limit).map(envelope);
    Ok(response::json(&page.collect::<Vec<_>>()))
}

/// Handles `/api/papers/{id}`.
pub(super) fn info(call: &Call) -> Reply {
    let mut paper = find(call, call.param("id")?)?;
    let tag = format!("arxiv:{}", text(&paper, "id"));
    for (kind, linked, total) in [
        (RepoKind::Model, "linkedModels", "numTotalModels"),
        (RepoKind::Dataset, "linkedDatasets", "numTotalDatasets"),
        (RepoKind::Space, "linkedSpaces", "numTotalSpaces"),
    ] {
        let repos = list::tagged(call, kind, &tag)?;
        paper.insert(total.into(), repos.len().into());
        paper.insert(linked.into(), repos.into_iter().map(Value::Object).collect());
    }
    paper.remove("content");
    Ok(response::json(&paper))
}

/// Handles `/papers/{id}.md`.
pub(super) fn read(call: &Call) -> Reply {
    let paper = find(call, call.param("page")?.strip_suffix(".md").unwrap_or_default())?;
    let content = match text(&paper, "content") {
        "" => format!("# {}\n\n{}\n", text(&paper, "title"), text(&paper, "summary")),
        content => content.to_owned(),
    };
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    Ok(([(CONTENT_TYPE, kind)], content).into_response())
}

fn find(call: &Call, id: &str) -> Result<Paper, ApiError> {
    call.hub.store.papers().get(id)?.ok_or_else(ApiError::page_not_found)
}

/// Wraps a paper as in lists, with when and by whom it was submitted.
fn envelope(paper: &Paper) -> Value {
    let mut inner = paper.clone();
    inner.remove("content");
    let mut outer = Map::new();
    for (name, from) in [
        ("title", "title"),
        ("summary", "summary"),
        ("numComments", "numComments"),
        ("publishedAt", "submittedOnDailyAt"),
        ("submittedBy", "submittedOnDailyBy"),
        ("organization", "organization"),
    ] {
        outer.extend(paper.get(from).map(|value| (name.to_owned(), value.clone())));
    }
    outer.insert("paper".into(), inner.into());
    Value::Object(outer)
}

fn is_of_day(call: &Call, paper: &Paper) -> bool {
    let day = text(paper, "submittedOnDailyAt");
    let date = day.get(..10).and_then(|date| date.parse::<jiff::civil::Date>().ok());
    let Some(date) = date else { return false };
    let week = date.iso_week_date();
    let week = format!("{:04}-W{:02}", week.year(), week.week());
    let by = paper.get("submittedOnDailyBy").unwrap_or(&Value::Null);
    let is = |key: &str, value: &str| call.query.get(key).is_none_or(|wanted| wanted == value);
    is("date", &date.to_string())
        && is("week", &week)
        && is("month", &day[..7])
        && is("submitter", by["user"].as_str().or(by["name"].as_str()).unwrap_or_default())
}

fn text<'a>(paper: &'a Paper, name: &str) -> &'a str {
    paper.get(name).and_then(Value::as_str).unwrap_or_default()
}
