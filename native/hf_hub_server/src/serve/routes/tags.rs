//! All tags of the repositories of a kind, grouped by type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::response;
use crate::store::{RepoKind, Search};

/// Handles `/api/{kind}-tags-by-type`.
pub(super) fn get(call: &Call, kind: RepoKind) -> Reply {
    let mut sorts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let search = Search { details: true, ..Search::new(kind, call.caller.viewer()) };
    for found in call.hub.store.search(&search)? {
        let repo = found.facts;
        let named = |name: &str| repo.get(name).and_then(Value::as_str);
        let languages = texts(repo.get("cardData").map(|card| &card["language"]));
        for tag in texts(repo.get("tags")) {
            let sort = match tag.split_once(':') {
                Some((sort, _)) => known(sort),
                None if named("library_name") == Some(tag) => "library",
                None if named("pipeline_tag") == Some(tag) => "pipeline_tag",
                None if languages.contains(&tag) => "language",
                None => "other",
            };
            sorts.entry(sort).or_default().insert(tag.to_owned());
        }
    }
    let described = |(sort, tags): (&str, BTreeSet<String>)| {
        let tags = tags.iter().map(|tag| json!({ "id": tag, "label": label(tag), "type": sort }));
        (sort.to_owned(), tags.collect::<Value>())
    };
    Ok(response::json(&sorts.into_iter().map(described).collect::<BTreeMap<_, _>>()))
}

fn known(sort: &str) -> &'static str {
    const SORTS: [&str; 14] = [
        "arxiv",
        "base_model",
        "benchmark",
        "dataset",
        "format",
        "language",
        "license",
        "modality",
        "multilinguality",
        "region",
        "size_categories",
        "source_datasets",
        "task_categories",
        "task_ids",
    ];
    SORTS.iter().find(|known| **known == sort).copied().unwrap_or("other")
}

fn label(tag: &str) -> &str {
    tag.split_once(':').map_or(tag, |(_, label)| label)
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
