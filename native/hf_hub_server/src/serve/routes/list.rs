//! Lists of repositories: a modest search, enough for a handful of them.

use serde_json::Value;

use super::super::answer;
use super::super::ask::{Answer, Ask};
use super::super::error::ApiError;
use super::info::{self, Properties};
use crate::store::{MAIN, Repo, RepoKind};

const SHORT: [&str; 14] = [
    "_id",
    "id",
    "modelId",
    "author",
    "createdAt",
    "downloads",
    "lastModified",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "sdk",
    "tags",
    "trendingScore",
];
const FULL: [&str; 4] = ["disabled", "gated", "sha", "siblings"];

/// Answers `/api/{kind}`.
pub(super) fn get(ask: &Ask, kind: RepoKind) -> Answer {
    let mut found = Vec::new();
    for repo in ask.hub.store.list(kind)? {
        if ask.caller.may_see(&repo) && is_named(ask, &repo) {
            found.extend(describe(&repo)?.filter(|all| is_tagged(ask, all)));
        }
    }
    sort(ask.query.get("sort").unwrap_or("trendingScore"), &mut found);
    let most = ask.hub.options.page_size;
    let size = ask.query.number("limit").unwrap_or(most).clamp(1, most);
    let start = ask.query.number("cursor").unwrap_or(0);
    let next = (found.len() > start.saturating_add(size))
        .then(|| ask.url_with("cursor", &(start + size).to_string()));
    let page =
        found.into_iter().skip(start).take(size).map(|all| shown(ask, all)).collect::<Vec<_>>();
    Ok(answer::page(&page, next))
}

fn describe(repo: &Repo) -> Result<Option<Properties>, ApiError> {
    let git = repo.git()?;
    let Some(commit) = git.resolve(MAIN)? else { return Ok(None) };
    info::properties(repo, &git, commit, false).map(Some)
}

fn is_named(ask: &Ask, repo: &Repo) -> bool {
    let id = repo.key.id.to_string().to_lowercase();
    let by_author =
        ask.query.get("author").is_none_or(|author| repo.key.id.namespace() == Some(author));
    by_author && ask.query.all("search").all(|text| id.contains(&text.to_lowercase()))
}

fn is_tagged(ask: &Ask, all: &Properties) -> bool {
    let tags = all.get("tags").and_then(Value::as_array);
    let has = |tag: &str| tags.is_some_and(|tags| tags.iter().any(|known| known == tag));
    let pipeline = ask
        .query
        .get("pipeline_tag")
        .is_none_or(|tag| all.get("pipeline_tag").is_some_and(|t| t == tag));
    let gated =
        |wanted: &str| (all.get("gated") != Some(&Value::Bool(false))) == (wanted == "true");
    pipeline && ask.query.all("filter").all(has) && ask.query.get("gated").is_none_or(gated)
}

/// Newest, or most, first; equals by id.
fn sort(key: &str, found: &mut [Properties]) {
    let key = match key {
        "createdAt" | "created_at" => "createdAt",
        "lastModified" | "last_modified" => "lastModified",
        // Nobody counts on a Local Hub, so all else is equal.
        _ => return,
    };
    let date =
        |all: &Properties| all.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    found.sort_by_cached_key(|all| std::cmp::Reverse(date(all)));
}

fn shown(ask: &Ask, mut all: Properties) -> Properties {
    let expand = ask.query.all("expand").collect::<Vec<_>>();
    let full = ask.query.flag("full");
    let card = ask.query.flag("cardData") || full;
    all.retain(|name, _| match name.as_str() {
        "_id" | "id" => true,
        name if !expand.is_empty() => expand.contains(&name),
        "cardData" => card,
        name => SHORT.contains(&name) || (full && FULL.contains(&name)),
    });
    all
}
