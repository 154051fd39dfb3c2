//! The search for Spaces. The Hub compares meanings; here, words of the query are looked up in
//! names, cards and tags, and the share of those found is the relevancy.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::response;
use super::runtime_state;
use crate::store::{Found, RepoKind, Search};

/// Maximum number of results.
const MOST: usize = 100;
/// Maximum length of a query.
const LONGEST: usize = 1000;
/// Maximum number of different words that count.
const MAX_WORDS: usize = 32;
/// Number of Spaces in memory at a time, besides the results.
const BATCH: usize = 500;
/// Texts of a card, and how much a word counts in each.
const TEXTS: [(&str, u32); 3] = [("title", 4), ("short_description", 2), ("description", 2)];
const IN_ID: u32 = 3;
const IN_TAGS: u32 = 2;
/// What a word counts at most.
const FULL: u32 = 4;

/// Handles `/api/spaces/semantic-search`.
pub(in super::super) fn get(call: &Call) -> Reply {
    let query = call.query.get("q").unwrap_or_default().to_lowercase();
    let mut words = query.split_whitespace().collect::<Vec<_>>();
    words.sort_unstable();
    words.dedup();
    words.truncate(MAX_WORDS);
    if words.is_empty() || query.len() > LONGEST {
        return Err(ApiError::bad_request(format!("\"q\" must have 1 to {LONGEST} characters")));
    }
    let sdks = call.query.all("sdk").collect::<Vec<_>>();
    let is_wanted = |found: &Found| {
        let sdk = found.facts.get("sdk").and_then(Value::as_str).unwrap_or_default();
        sdks.is_empty() || sdks.contains(&sdk)
    };
    let tags = call.query.all("filter").take(MOST).map(str::to_owned).collect();
    let limit = Some(BATCH);
    let mut search =
        Search { tags, limit, details: true, ..Search::new(RepoKind::Space, call.caller.viewer()) };
    let mut best = Vec::new();
    loop {
        let batch = call.hub.store.search(&search)?;
        let is_last = batch.len() < BATCH;
        for found in batch.into_iter().filter(&is_wanted) {
            let score = score(&found, &words);
            if score > 0 {
                best.extend(result(call, &found, score, words.len())?.map(|json| (score, json)));
            }
        }
        // Those with the same score stay in the order of their ids.
        best.sort_by_key(|(score, _)| Reverse(*score));
        best.truncate(MOST);
        if is_last {
            break;
        }
        search.skip += BATCH;
    }
    Ok(response::json(&best.into_iter().map(|(_, json)| json).collect::<Vec<_>>()))
}

/// Returns a Space as the API shows it; `None` if it is not running, unless others are wanted too.
fn result(call: &Call, found: &Found, score: u32, words: usize) -> Result<Option<Value>, ApiError> {
    let runtime = runtime_state::json(&call.hub.store, &found.key, &found.head, &found.facts)?;
    let is_hidden = runtime["stage"] != "RUNNING" && !call.query.flag("includeNonRunning");
    Ok((!is_hidden).then(|| shown(found, &runtime, score, words)))
}

fn score(found: &Found, words: &[&str]) -> u32 {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    let card = found.facts.get("cardData").unwrap_or(&Value::Null);
    let mut texts = TEXTS.map(|(name, weight)| (text(&card[name]), weight)).to_vec();
    texts.push((found.key.id.to_string().to_lowercase(), IN_ID));
    let tags = found.facts.get("tags").and_then(Value::as_array).map(Vec::as_slice);
    texts.extend(tags.unwrap_or_default().iter().map(|tag| (text(tag), IN_TAGS)));
    let best = |word: &&str| {
        texts.iter().filter(|(text, _)| text.contains(*word)).map(|(_, weight)| *weight).max()
    };
    words.iter().filter_map(best).sum()
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn shown(found: &Found, runtime: &Value, score: u32, words: usize) -> Value {
    let card = found.facts.get("cardData").unwrap_or(&Value::Null);
    json!({
        "id": found.key.id.to_string(),
        "author": found.key.id.namespace(),
        "title": card["title"].as_str().unwrap_or(found.key.id.name()),
        "emoji": card["emoji"],
        "sdk": found.facts.get("sdk"),
        "likes": found.popularity.likes,
        "private": found.settings.private,
        "tags": found.facts.get("tags"),
        "runtime": runtime,
        "ai_short_description": card["short_description"],
        "ai_category": null,
        "semanticRelevancyScore": f64::from(score) / f64::from(FULL) / words as f64,
        "trendingScore": found.popularity.trend,
    })
}
