//! The dataset viewer: subsets and splits, from the card or otherwise from the file names.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::open;
use super::super::response;
use crate::store::{Lookup, MAIN, Properties, RepoKey, RepoKind, facts};

const DATA: [&str; 8] = ["parquet", "jsonl", "json", "csv", "tsv", "arrow", "txt", "zip"];
/// The splits and the words that stand for them in file names, as in the `datasets` library.
const SPLITS: [(&str, &str); 3] = [
    ("train", "train|training"),
    ("validation", "validation|valid|dev|val"),
    ("test", "test|testing|eval|evaluation"),
];
const SEPARATOR: &str = "[-._ 0-9]";

/// Subsets, their splits, and the files of these.
type Layout = Vec<(String, BTreeMap<String, Vec<String>>)>;

/// Handles `/splits`.
pub(super) fn splits(call: &Call) -> Reply {
    let Dataset { id, layout, .. } = dataset(call)?;
    let id = id.as_str();
    let splits = layout.iter().flat_map(|(config, splits)| {
        splits.keys().map(move |split| json!({ "dataset": id, "config": config, "split": split }))
    });
    Ok(response::json(&json!({ "splits": splits.collect::<Value>(), "pending": [], "failed": [] })))
}

/// Handles `/parquet`: only files that already are Parquet, since nothing is converted here.
pub(super) fn parquet(call: &Call) -> Reply {
    let Dataset { id, layout, sizes } = dataset(call)?;
    let base = call.hub.origins.hub(Some(&call.headers));
    let wanted = |config: &str| call.query.get("config").is_none_or(|only| only == config);
    let mut files = Vec::new();
    for (config, splits) in layout.iter().filter(|(config, _)| wanted(config)) {
        for (split, path) in
            splits.iter().flat_map(|(split, paths)| paths.iter().map(move |path| (split, path)))
        {
            if path.ends_with(".parquet") {
                let url = format!("{base}/datasets/{id}/resolve/main/{path}");
                files.push(json!({
                    "dataset": id,
                    "config": config,
                    "split": split,
                    "url": url,
                    "filename": path,
                    "size": sizes.get(path),
                }));
            }
        }
    }
    Ok(response::json(
        &json!({ "parquet_files": files, "pending": [], "failed": [], "partial": false }),
    ))
}

/// What the card and the names of the files show.
struct Dataset {
    id: String,
    layout: Layout,
    /// The sizes of all files, by their paths.
    sizes: BTreeMap<String, u64>,
}

fn dataset(call: &Call) -> Result<Dataset, ApiError> {
    let id = call
        .query
        .get("dataset")
        .ok_or_else(|| ApiError::bad_request("Parameter 'dataset' is required"))?;
    let key = id.parse().map(|id| RepoKey::new(RepoKind::Dataset, id));
    let key =
        key.map_err(|_| ApiError::bad_request("Parameter 'dataset' is not a valid dataset name"))?;
    let Lookup::Found(repo) = open(call, &key)? else { return Err(ApiError::page_not_found()) };
    let git = repo.git()?;
    let commit = git.resolve(MAIN)?.ok_or_else(ApiError::page_not_found)?;
    let facts = facts(repo.key.kind, &git, &call.hub.store.lfs(), commit)?;
    let sizes = facts.files.iter().map(|file| (file.path.clone(), file.size())).collect();
    let all = facts.properties;
    let paths = paths(&all);
    let card = all.get("cardData").and_then(Value::as_object);
    let from_card = card.map(|card| by_card(card, &paths)).unwrap_or_default();
    let layout = if from_card.is_empty() { by_names(&paths) } else { from_card };
    Ok(Dataset { id: id.to_owned(), layout, sizes })
}

fn paths(all: &Properties) -> Vec<&str> {
    let siblings =
        all.get("siblings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = siblings.iter().filter_map(|file| file["rfilename"].as_str());
    names.filter(|name| name.rsplit('.').next().is_some_and(|end| DATA.contains(&end))).collect()
}

/// Parses `configs: [{config_name, data_files: [{split, path}]}]`, where a path is a pattern or a
/// list of patterns.
fn by_card(card: &Map<String, Value>, paths: &[&str]) -> Layout {
    let configs =
        card.get("configs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let layout = configs.iter().filter_map(|config| {
        let name = config["config_name"].as_str()?;
        let mut splits = BTreeMap::new();
        match &config["data_files"] {
            Value::Array(files) if files.iter().all(Value::is_object) => {
                for file in files {
                    let split = file["split"].as_str()?.to_owned();
                    splits.insert(split, matching(&file["path"], paths));
                }
            }
            Value::Null => {
                splits = by_names(paths).pop().map(|(_, splits)| splits).unwrap_or_default();
            }
            pattern => drop(splits.insert("train".to_owned(), matching(pattern, paths))),
        }
        Some((name.to_owned(), splits))
    });
    layout.collect()
}

fn matching(patterns: &Value, paths: &[&str]) -> Vec<String> {
    let one = patterns.as_str().into_iter();
    let many = patterns.as_array().map(Vec::as_slice).unwrap_or_default();
    let globs = one.chain(many.iter().filter_map(Value::as_str)).filter_map(|pattern| {
        Some(GlobBuilder::new(pattern).literal_separator(true).build().ok()?.compile_matcher())
    });
    let globs = globs.collect::<Vec<_>>();
    let found = paths.iter().filter(|path| globs.iter().any(|glob| glob.is_match(path)));
    found.map(|path| (*path).to_owned()).collect()
}

/// Without a card there is one subset. The first naming scheme that matches any file applies:
/// shards in `data/`, folders named like a split, files named like one; otherwise everything is
/// `train`.
fn by_names(paths: &[&str]) -> Layout {
    let paths: Vec<&str> = paths.iter().copied().filter(|path| is_visible(path)).collect();
    let shards =
        by_pattern(&paths, r"^data/(?<split>\w+(\.\w+)*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*$", "");
    let folders = || by_keyword(&paths, &format!("({SEPARATOR}[^/]*)?/"));
    let files = || by_keyword(&paths, &format!("{SEPARATOR}[^/]*$"));
    let all = || by_pattern(&paths, "", "train");
    let found = Some(shards).filter(|it| !it.is_empty());
    let found = found.or_else(|| Some(folders()).filter(|it| !it.is_empty()));
    let found = found.or_else(|| Some(files()).filter(|it| !it.is_empty())).unwrap_or_else(all);
    if found.is_empty() { Vec::new() } else { vec![("default".to_owned(), found)] }
}

fn by_keyword(paths: &[&str], rest: &str) -> BTreeMap<String, Vec<String>> {
    let splits = SPLITS.iter().flat_map(|(split, words)| {
        by_pattern(paths, &format!("^(.+/)?([^/]*{SEPARATOR})?({words}){rest}"), split)
    });
    splits.collect()
}

/// Returns the files that match a pattern, by the split that it captures or else by the given one.
fn by_pattern(paths: &[&str], pattern: &str, split: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let Ok(pattern) = Regex::new(pattern) else { return found };
    for path in paths {
        if let Some(captures) = pattern.captures(path) {
            let split = captures.name("split").map_or(split, |found| found.as_str());
            found.entry(split.to_owned()).or_default().push((*path).to_owned());
        }
    }
    found
}

/// Whether a path is data: hidden files and folders such as `__pycache__` are not.
fn is_visible(path: &str) -> bool {
    let (folders, _name) = path.rsplit_once('/').unwrap_or(("", path));
    !path.split('/').any(|part| part.starts_with('.'))
        && !folders.split('/').any(|part| part.starts_with("__"))
}
