//! The state of a Space as the API shows it: its stage, and why; its hardware.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::super::error::ApiError;
use crate::store::{FREE_HARDWARE, Properties, RepoKey, Space, Stage, Store};

/// Seconds after which a Space on free hardware sleeps, which cannot be changed.
const FREE_SLEEP_TIME: i64 = 48 * 3600;

/// What the files of a Space say about the app.
#[derive(Debug)]
pub(super) struct Files {
    head: String,
    pub(super) sdk: Option<String>,
    has_app: bool,
}

impl Files {
    /// Reads them from the properties of a commit.
    pub(super) fn new(head: &str, properties: &Properties) -> Self {
        let sdk = properties.get("sdk").and_then(Value::as_str).map(str::to_owned);
        let card = properties.get("cardData").unwrap_or(&Value::Null);
        let usual = match sdk.as_deref() {
            Some("docker") => "Dockerfile",
            Some("static") => "index.html",
            _ => "app.py",
        };
        let file = card["app_file"].as_str().unwrap_or(usual);
        let files = properties.get("siblings").and_then(Value::as_array);
        let has_app = files.is_some_and(|files| files.iter().any(|one| one["rfilename"] == file));
        Self { head: head.to_owned(), sdk, has_app }
    }

    pub(super) fn is_static(&self) -> bool {
        self.sdk.as_deref() == Some("static")
    }

    /// Returns an error for a static Space, which is never run.
    pub(super) fn check_runs(&self, what: &str) -> Result<(), ApiError> {
        if self.is_static() {
            return Err(ApiError::bad_request(format!("A static Space cannot {what}")));
        }
        Ok(())
    }
}

/// Returns the runtime as the API shows it.
pub(in super::super) fn json(
    store: &Store,
    key: &RepoKey,
    head: &str,
    properties: &Properties,
) -> Result<Value, ApiError> {
    shown(store, key, &store.spaces().get(key)?, &Files::new(head, properties))
}

/// Same as [`json`], of what is already read.
pub(super) fn shown(
    store: &Store,
    key: &RepoKey,
    space: &Space,
    files: &Files,
) -> Result<Value, ApiError> {
    let (stage, message) = stage(store, key, space, files)?;
    let is_up = stage.is_up();
    let requested = (!files.is_static()).then_some(&space.hardware);
    let mut json = json!({
        "stage": stage,
        "hardware": { "current": requested.filter(|_| is_up), "requested": requested },
        "storage": space.storage,
        "gcTimeout": sleep_time(space),
        "replicas": { "current": u8::from(is_up), "requested": 1 },
        "devMode": space.dev_mode,
        "sha": files.head,
    });
    if !space.volumes.is_empty() {
        json["volumes"] = space.volumes.clone().into();
    }
    if let Some(message) = message {
        json["errorMessage"] = message.into();
    }
    if space.hot_reloaded.as_ref() == Some(&files.head) {
        let replica = &files.head[..files.head.len().min(8)];
        let statuses = if is_up { json!([[replica, "created"]]) } else { json!([]) };
        let status = if is_up { "created" } else { "canceled" };
        json["hotReloading"] = json!({ "status": status, "replicaStatuses": statuses });
    }
    Ok(json)
}

/// Returns the stage, and its reason if it is one of this Hub.
fn stage(
    store: &Store,
    key: &RepoKey,
    space: &Space,
    files: &Files,
) -> Result<(Stage, Option<&'static str>), ApiError> {
    if let Some(stage) = space.stage(Timestamp::now()) {
        return Ok((stage, None));
    }
    if store.spaces().has_collision(key)? {
        return Ok((Stage::ConfigError, Some("Collision on variables and secrets names")));
    }
    Ok(match files {
        Files { has_app: false, .. } => (Stage::NoAppFile, None),
        Files { .. } if files.is_static() => (Stage::Running, None),
        Files { .. } => (Stage::Stopped, Some("The Local Hub does not run Spaces")),
    })
}

/// Free hardware has a sleep time of its own; other hardware has the one of the owner, or none.
fn sleep_time(space: &Space) -> Option<i64> {
    if space.hardware == FREE_HARDWARE { Some(FREE_SLEEP_TIME) } else { space.sleep_time }
}
