//! Settings of a repository.
//!
//! Visibility, gating and whether there are discussions have an effect here; all others are only
//! stored.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::Event;
use super::super::response;
use crate::store::{Gate, Repo, RepoKind};

/// Settings that are stored by their names, and whether they are booleans rather than texts.
const KEPT: [(&str, bool); 6] = [
    ("discussionsDisabled", true),
    ("xetEnabled", true),
    ("discussionsSorting", false),
    ("gatedNotificationsEmail", false),
    ("gatedNotificationsMode", false),
    ("description", false),
];

/// The visibility of a repository, in either of the two forms that clients send.
#[derive(Debug, Deserialize)]
pub(super) struct Visibility {
    #[serde(default)]
    private: Option<bool>,
    #[serde(default)]
    visibility: Option<String>,
}

impl Visibility {
    /// Returns whether the repository becomes private; `None` if not specified.
    pub(super) fn is_private(&self, kind: RepoKind) -> Result<Option<bool>, ApiError> {
        match (self.visibility.as_deref(), self.private) {
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("\"private\" and \"visibility\" cannot be used together"))
            }
            (None, private) => Ok(private),
            (Some("public"), None) => Ok(Some(false)),
            (Some("private"), None) => Ok(Some(true)),
            // The app of such a Space is public, its files are private; only files are served here.
            (Some("protected"), None) if kind == RepoKind::Space => Ok(Some(true)),
            (Some(other), None) => {
                Err(ApiError::bad_request(format!("Invalid visibility: {other}")))
            }
        }
    }
}

/// Handles `PUT /api/{kind}/{id}/settings`.
pub(super) fn put(call: &Call, repo: &Repo) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    let sent: Map<String, Value> = call.body.json()?;
    let visibility: Visibility = serde_json::from_value(Value::Object(sent.clone()))
        .map_err(|err| ApiError::bad_request(format!("Invalid settings: {err}")))?;
    let private = visibility.is_private(repo.key.kind)?;
    let gated = sent.get("gated").map(gate).transpose()?;
    let kept = kept(&sent)?;
    if private.is_none() && gated.is_none() && kept.is_empty() {
        return Err(ApiError::bad_request("At least one setting must be given"));
    }
    call.hub.store.update(&repo.key, |settings| {
        settings.private = private.unwrap_or(settings.private);
        settings.gated = gated.unwrap_or(settings.gated);
        settings.more.extend(kept);
    })?;
    if let Some(updated) = call.hub.store.locate(&repo.key)?.found() {
        let private = private.filter(|private| *private != repo.settings.private);
        call.notify(Event::config(&updated, private));
    }
    Ok(response::json(&sent))
}

/// Returns a name with spaces instead of dashes and an initial capital.
pub(super) fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

fn gate(value: &Value) -> Result<Option<Gate>, ApiError> {
    match value {
        Value::Bool(false) => Ok(None),
        Value::String(text) if text == "auto" => Ok(Some(Gate::Auto)),
        Value::String(text) if text == "manual" => Ok(Some(Gate::Manual)),
        _ => Err(ApiError::bad_request("\"gated\" must be one of [false, auto, manual]")),
    }
}

fn kept(sent: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut kept = Map::new();
    for (name, is_switch) in KEPT {
        let Some(value) = sent.get(name) else { continue };
        if value.is_boolean() != is_switch || value.is_string() == is_switch {
            let kind = if is_switch { "boolean" } else { "string" };
            return Err(ApiError::bad_request(format!("\"{name}\" must be a {kind}")));
        }
        kept.insert(name.to_owned(), value.clone());
    }
    Ok(kept)
}
