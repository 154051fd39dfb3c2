//! Lists of repositories.

use serde_json::Value;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::info::State;
use super::page::Page;
use super::spaces::runtime_state;
use crate::store::{Found, Order, Properties, RepoKind, Search};

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

/// Maximum number of texts and tags to look for.
const MOST_TERMS: usize = 100;
/// Maximum length of one of them.
const LONGEST_TERM: usize = 1000;

/// Handles `/api/{kind}`.
pub(super) fn get(call: &Call, kind: RepoKind) -> Reply {
    let page = Page::of(call);
    let terms = call.query.all("search").chain(call.query.all("filter"));
    if terms.clone().count() > MOST_TERMS || terms.map(str::len).any(|len| len > LONGEST_TERM) {
        return Err(ApiError::bad_request(format!(
            "At most {MOST_TERMS} values of search and filter with at most {LONGEST_TERM} bytes each"
        )));
    }
    let Some(mut search) = search(call, kind) else {
        return Ok(response::page(&Vec::<Properties>::new(), None));
    };
    (search.skip, search.limit) = (page.start, Some(page.with_next()));
    let found = call.hub.store.search(&search)?;
    let shown = found.into_iter().map(|found| shown(call, found)).collect::<Result<Vec<_>, _>>()?;
    Ok(page.respond(call, shown, |shown| shown))
}

/// Returns the repositories with a tag, as in a list.
pub(super) fn tagged(call: &Call, kind: RepoKind, tag: &str) -> Result<Vec<Properties>, ApiError> {
    let tags = vec![tag.to_owned()];
    let search = Search { tags, ..Search::new(kind, call.caller.viewer()) };
    let found = call.hub.store.search(&search)?.into_iter().map(properties);
    Ok(found
        .map(|mut all| {
            all.retain(|name, _| SHORT.contains(&name.as_str()));
            all
        })
        .collect())
}

/// Returns what to look for; `None` for a filter that matches no repository.
fn search(call: &Call, kind: RepoKind) -> Option<Search> {
    if NOWHERE.iter().any(|name| call.query.get(name).is_some()) {
        return None;
    }
    let all = |name: &str| call.query.all(name).map(str::to_owned).collect::<Vec<_>>();
    let one = |name: &str| call.query.get(name).map(str::to_owned);
    let shown = ["full", "cardData", "config"].iter().any(|name| call.query.flag(name));
    Some(Search {
        author: one("author"),
        words: all("search"),
        tags: all("filter"),
        pipeline_tag: one("pipeline_tag"),
        gated: call.query.get("gated").map(|wanted| wanted == "true"),
        models: all("models"),
        datasets: all("datasets"),
        linked: call.query.flag("linked"),
        parameters: call.query.get("num_parameters").map(range).transpose().ok()?,
        order: order(call.query.get("sort").unwrap_or_default()),
        details: shown || call.query.get("expand").is_some(),
        ..Search::new(kind, call.caller.viewer())
    })
}

/// Parses `min:6B,max:128B`.
fn range(text: &str) -> Result<(f64, f64), ()> {
    let (mut least, mut most) = (0.0_f64, f64::MAX);
    for bound in text.split(',') {
        match bound.split_once(':') {
            Some(("min", text)) => least = least.max(amount(text).ok_or(())?),
            Some(("max", text)) => most = most.min(amount(text).ok_or(())?),
            _ => return Err(()),
        }
    }
    Ok((least, most))
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

fn order(key: &str) -> Order {
    match key {
        "createdAt" | "created_at" => Order::Created,
        "lastModified" | "last_modified" => Order::Modified,
        "likes" => Order::Likes,
        "trendingScore" | "trending_score" => Order::Trend,
        // The Local Hub does not count downloads, so all repositories are equal.
        _ => Order::Id,
    }
}

/// Returns all known properties of a listed repository.
pub(super) fn properties(found: Found) -> Properties {
    let Found { key, settings, head, modified_at, popularity, facts, .. } = found;
    let state = State { key: &key, settings: &settings, head: &head, modified_at, popularity };
    state.properties(facts)
}

fn shown(call: &Call, found: Found) -> Result<Properties, ApiError> {
    let key = found.key.clone();
    let mut all = properties(found);
    let expand = call.query.all("expand").collect::<Vec<_>>();
    if key.kind == RepoKind::Space && expand.contains(&"runtime") {
        let head = all.get("sha").and_then(Value::as_str).unwrap_or_default();
        let runtime = runtime_state::json(&call.hub.store, &key, head, &all)?;
        all.insert("runtime".into(), runtime);
    }
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
    Ok(all)
}
