//! Lists of repositories: a simple search, enough for a few of them.

use serde_json::Value;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::info::{self, Properties};
use crate::store::{LfsStore, MAIN, Repo, RepoKind};

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

/// Filters that match no repository here: models are not served or run.
const NOWHERE: [&str; 3] = ["apps", "inference", "inference_provider"];

/// Handles `/api/{kind}`.
pub(super) fn get(call: &Call, kind: RepoKind) -> Reply {
    let mut found = all(call, kind)?;
    found.retain(|all| is_named(call, all) && is_tagged(call, all) && is_linked(call, all));
    found.retain(|all| {
        is_sized(call, all) && NOWHERE.iter().all(|name| call.query.get(name).is_none())
    });
    sort(call.query.get("sort").unwrap_or("trendingScore"), &mut found);
    let most = call.hub.options.page_size;
    let size = call.query.number("limit").unwrap_or(most).clamp(1, most);
    let start = call.query.number("cursor").unwrap_or(0);
    let next = (found.len() > start.saturating_add(size))
        .then(|| call.url_with("cursor", &(start + size).to_string()));
    let page =
        found.into_iter().skip(start).take(size).map(|all| shown(call, all)).collect::<Vec<_>>();
    Ok(response::page(&page, next))
}

/// Returns all repositories of a kind that the caller may see, with all properties.
pub(super) fn all(call: &Call, kind: RepoKind) -> Result<Vec<Properties>, ApiError> {
    let mut found = Vec::new();
    for repo in call.hub.store.list(kind)? {
        if call.caller.may_see(&repo) {
            found.extend(describe(&repo, &call.hub.store.lfs())?);
        }
    }
    Ok(found)
}

/// Returns those with a tag, as in a list.
pub(super) fn tagged(call: &Call, kind: RepoKind, tag: &str) -> Result<Vec<Properties>, ApiError> {
    let mut found = all(call, kind)?;
    found.retain(|all| texts(all, "tags").any(|known| known == tag));
    for all in &mut found {
        all.retain(|name, _| SHORT.contains(&name.as_str()));
    }
    Ok(found)
}

fn describe(repo: &Repo, lfs: &LfsStore) -> Result<Option<Properties>, ApiError> {
    let git = repo.git()?;
    let Some(commit) = git.resolve(MAIN)? else { return Ok(None) };
    info::properties(repo, &git, lfs, commit, false).map(Some)
}

fn is_named(call: &Call, all: &Properties) -> bool {
    let text = |name: &str| all.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = text("id").to_lowercase();
    let by_author = call.query.get("author").is_none_or(|author| text("author") == author);
    by_author && call.query.all("search").all(|text| id.contains(&text.to_lowercase()))
}

fn is_tagged(call: &Call, all: &Properties) -> bool {
    let has = |tag: &str| texts(all, "tags").any(|known| known == tag);
    let pipeline = call
        .query
        .get("pipeline_tag")
        .is_none_or(|tag| all.get("pipeline_tag").is_some_and(|t| t == tag));
    let gated =
        |wanted: &str| (all.get("gated") != Some(&Value::Bool(false))) == (wanted == "true");
    pipeline && call.query.all("filter").all(has) && call.query.get("gated").is_none_or(gated)
}

/// Whether a Space uses what is requested.
fn is_linked(call: &Call, all: &Properties) -> bool {
    let uses = |kind: &str| {
        let mut wanted = call.query.all(kind).peekable();
        wanted.peek().is_none() || wanted.any(|id| texts(all, kind).any(|used| used == id))
    };
    let any = texts(all, "models").chain(texts(all, "datasets")).next().is_some();
    uses("models") && uses("datasets") && (any || !call.query.flag("linked"))
}

/// Matches `min:6B,max:128B` with the parameters in safetensors files.
fn is_sized(call: &Call, all: &Properties) -> bool {
    let Some(range) = call.query.get("num_parameters") else { return true };
    let total = all.get("safetensors").and_then(|info| info["total"].as_f64());
    let Some(total) = total else { return false };
    range.split(',').all(|bound| match bound.split_once(':') {
        Some(("min", text)) => amount(text).is_some_and(|least| total >= least),
        Some(("max", text)) => amount(text).is_some_and(|most| total <= most),
        _ => false,
    })
}

fn amount(text: &str) -> Option<f64> {
    let (digits, factor) = match text.to_ascii_uppercase().chars().last()? {
        'K' => (&text[..text.len() - 1], 1e3),
        'M' => (&text[..text.len() - 1], 1e6),
        'B' => (&text[..text.len() - 1], 1e9),
        'T' => (&text[..text.len() - 1], 1e12),
        _ => (text, 1.0),
    };
    digits.parse::<f64>().ok().map(|number| number * factor)
}

fn texts<'a>(all: &'a Properties, name: &str) -> impl Iterator<Item = &'a str> {
    let values = all.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Value::as_str)
}

/// Sorts the newest, or most, first; equal ones by id.
fn sort(key: &str, found: &mut [Properties]) {
    let key = match key {
        "createdAt" | "created_at" => "createdAt",
        "lastModified" | "last_modified" => "lastModified",
        // The Local Hub has no statistics, so all other keys are equal.
        _ => return,
    };
    let date =
        |all: &Properties| all.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    found.sort_by_cached_key(|all| std::cmp::Reverse(date(all)));
}

fn shown(call: &Call, mut all: Properties) -> Properties {
    let expand = call.query.all("expand").collect::<Vec<_>>();
    let full = call.query.flag("full");
    let card = call.query.flag("cardData") || full;
    let config = call.query.flag("config");
    all.retain(|name, _| match name.as_str() {
        "_id" | "id" => true,
        name if !expand.is_empty() => expand.contains(&name),
        "cardData" => card,
        "config" => config,
        name => SHORT.contains(&name) || (full && FULL.contains(&name)),
    });
    all
}
