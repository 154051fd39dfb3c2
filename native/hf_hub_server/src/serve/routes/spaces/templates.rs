//! Templates of Spaces: here, the public Spaces with the tag `template`.

use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::response;
use crate::store::{RepoKind, Search};

const TAG: &str = "template";
const MAX: usize = 100;

/// Handles `/api/spaces/templates`.
pub(in super::super) fn get(call: &Call) -> Reply {
    let (tags, limit) = (vec![TAG.to_owned()], Some(MAX));
    let viewer = call.caller.viewer();
    let search = Search { tags, limit, details: true, ..Search::new(RepoKind::Space, viewer) };
    let found = call.hub.store.search(&search)?;
    let templates = found.iter().filter(|found| !found.settings.private).map(|found| {
        let card = found.facts.get("cardData").unwrap_or(&Value::Null);
        json!({
            "name": card["title"].as_str().unwrap_or(found.key.id.name()),
            "repoId": found.key.id.to_string(),
            "sdk": found.facts.get("sdk"),
            "preferredPrivate": card["preferred_private"] == true,
        })
    });
    Ok(response::json(&json!({ "templates": templates.collect::<Vec<_>>() })))
}
