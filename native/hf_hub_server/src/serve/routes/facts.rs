//! What the Hub derives from a repository's files: configuration, parameters, links.

use serde_json::{Map, Value, json};

use super::super::error::ApiError;
use super::info::Properties;
use super::safetensors;
use crate::store::{Entry, EntryKind, Git, LfsStore};

/// Maximum size of files that are read.
const MAX_READ: u64 = 1 << 20;

/// Returns the facts about a model.
pub(super) fn model(
    git: &Git,
    lfs: &LfsStore,
    entries: &[Entry],
    card: &Map<String, Value>,
) -> Result<Properties, ApiError> {
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
pub(super) fn space(card: &Map<String, Value>) -> Properties {
    let used = |name: &str| card.get(name).filter(|value| value.is_array()).cloned();
    ["models", "datasets"]
        .into_iter()
        .map(|name| (name.to_owned(), used(name).unwrap_or_else(|| json!([]))))
        .collect()
}

fn config(git: &Git, entries: &[Entry]) -> Result<Option<Value>, ApiError> {
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
fn safetensors(git: &Git, lfs: &LfsStore, entries: &[Entry]) -> Result<Option<Value>, ApiError> {
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
