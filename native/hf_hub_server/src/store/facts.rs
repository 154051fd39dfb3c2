//! What the Hub derives from a repository's files: metadata of the card, tags, configuration,
//! parameters, links.

use std::collections::HashSet;

use anyhow::Result;
use git2::Oid;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::card;
use super::git::{Entry, EntryKind, Git};
use super::lfs::LfsStore;
use super::repo_id::RepoKind;
use super::safetensors;

/// Maximum size of files that are read.
const MAX_READ: u64 = 1 << 20;

/// Properties of a repository, by their names in the API.
pub(crate) type Properties = Map<String, Value>;

/// The facts of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The commit.
    pub(crate) head: Oid,
    /// When it was committed.
    pub(crate) modified_at: Timestamp,
    /// Its files.
    pub(crate) files: Vec<Entry>,
    /// What they say.
    pub(crate) properties: Properties,
}

/// Reads the facts of a commit.
pub(crate) fn read(kind: RepoKind, git: &Git, lfs: &LfsStore, commit: Oid) -> Result<Facts> {
    let listed = git.list(commit, "", true)?.unwrap_or_default();
    let files = listed.into_iter().filter(|listed| !listed.is_folder);
    let files = files.map(|listed| git.describe(listed)).collect::<Result<Vec<_>, _>>()?;
    let card = card_data(git, &files)?;
    let mut all = Properties::new();
    let names = files.iter().map(|file| json!({ "rfilename": file.path }));
    all.insert("siblings".into(), names.collect());
    all.insert("tags".into(), card::tags(&card, kind).into());
    all.insert("usedStorage".into(), used_storage(&files).into());
    let from_card: &[&str] = match kind {
        RepoKind::Model => &["pipeline_tag", "library_name"],
        RepoKind::Dataset => &["paperswithcode_id"],
        RepoKind::Space => &["sdk"],
    };
    let known = from_card.iter().filter_map(|name| Some((*name, card.get(*name)?)));
    all.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
    match kind {
        RepoKind::Model => all.extend(model(git, lfs, &files, &card)?),
        RepoKind::Dataset => drop(all.insert("mainSize".into(), all["usedStorage"].clone())),
        RepoKind::Space => all.extend(space(&card)),
    }
    if !card.is_empty() {
        all.insert("cardData".into(), card.into());
    }
    let modified_at = git.commit_info(commit)?.date;
    Ok(Facts { head: commit, modified_at, files, properties: all })
}

fn card_data(git: &Git, files: &[Entry]) -> Result<Map<String, Value>> {
    let readme = files.iter().find(|file| file.path == "README.md");
    match readme {
        Some(file) if file.size() <= card::MAX_README => Ok(card::parse(&git.blob(file.oid)?)),
        _ => Ok(Map::new()),
    }
}

/// Sums sizes; the same content counts once.
fn used_storage(files: &[Entry]) -> u64 {
    let mut seen = HashSet::new();
    files.iter().filter(|file| seen.insert(file.oid)).map(Entry::size).sum()
}

fn model(
    git: &Git,
    lfs: &LfsStore,
    entries: &[Entry],
    card: &Map<String, Value>,
) -> Result<Properties> {
    let mut facts = Properties::new();
    facts.extend(config(git, entries)?.map(|config| ("config".to_owned(), config)));
    facts.extend(safetensors(git, lfs, entries)?.map(|info| ("safetensors".to_owned(), info)));
    for (name, from) in
        [("model-index", "model-index"), ("widgetData", "widget"), ("baseModels", "base_model")]
    {
        facts.extend(card.get(from).map(|value| (name.to_owned(), value.clone())));
    }
    if let Some(class) = facts.get("config").and_then(|config| config["architectures"][0].as_str())
    {
        let info = json!({ "auto_model": class, "pipeline_tag": card.get("pipeline_tag") });
        facts.insert("transformersInfo".into(), info);
    }
    Ok(facts)
}

/// Returns what a Space declares to use.
fn space(card: &Map<String, Value>) -> Properties {
    let used = |name: &str| card.get(name).filter(|value| value.is_array()).cloned();
    ["models", "datasets"]
        .into_iter()
        .map(|name| (name.to_owned(), used(name).unwrap_or_else(|| json!([]))))
        .collect()
}

fn config(git: &Git, entries: &[Entry]) -> Result<Option<Value>> {
    let Some(entry) = entries.iter().find(|entry| entry.path == "config.json") else {
        return Ok(None);
    };
    if entry.size() > MAX_READ || !matches!(entry.kind, EntryKind::File { .. }) {
        return Ok(None);
    }
    let all: Option<Map<String, Value>> = serde_json::from_slice(&git.blob(entry.oid)?).ok();
    Ok(all.map(|all| {
        let shown = ["architectures", "model_type", "quantization_config", "auto_map"];
        all.into_iter().filter(|(name, _)| shown.contains(&name.as_str())).collect()
    }))
}

/// Counts the parameters of each type in `model.safetensors`.
fn safetensors(git: &Git, lfs: &LfsStore, entries: &[Entry]) -> Result<Option<Value>> {
    let Some(entry) = entries.iter().find(|entry| entry.path == "model.safetensors") else {
        return Ok(None);
    };
    Ok(safetensors::header(git, lfs, entry)?.and_then(|header| count(&header)))
}

fn count(header: &Map<String, Value>) -> Option<Value> {
    let (mut parameters, mut total) = (Map::new(), 0_u64);
    for tensor in
        header.iter().filter(|(name, _)| *name != "__metadata__").map(|(_, tensor)| tensor)
    {
        let shape = tensor["shape"].as_array()?;
        let size = shape.iter().try_fold(1_u64, |size, n| size.checked_mul(n.as_u64()?))?;
        let sum = parameters.get(tensor["dtype"].as_str()?).and_then(Value::as_u64).unwrap_or(0);
        parameters.insert(tensor["dtype"].as_str()?.to_owned(), sum.checked_add(size)?.into());
        total = total.checked_add(size)?;
    }
    Some(json!({ "parameters": parameters, "total": total }))
}
