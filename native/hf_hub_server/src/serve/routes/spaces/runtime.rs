//! The runtime of a Space: its stage and hardware, and the requests that change them.

use axum::http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::response;
use super::super::{hardware, info};
use crate::store::{FREE_HARDWARE, Properties, Repo, RepoKey, Space, Stage, Store};

const TIERS: [&str; 3] = ["small", "medium", "large"];
/// Seconds after which a Space on free hardware sleeps, which cannot be changed.
const FREE_SLEEP_TIME: i64 = 48 * 3600;

/// What the files of a Space say about the app.
#[derive(Debug)]
pub(super) struct Files {
    head: String,
    sdk: Option<String>,
    has_app: bool,
}

impl Files {
    /// Reads the files of the main branch.
    pub(super) fn read(call: &Call, repo: &Repo) -> Result<Self, ApiError> {
        let (head, _, properties) = info::of_main(call, repo)?;
        Ok(Self::new(&head, &properties))
    }

    fn new(head: &str, properties: &Properties) -> Self {
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

    fn is_static(&self) -> bool {
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

fn shown(store: &Store, key: &RepoKey, space: &Space, files: &Files) -> Result<Value, ApiError> {
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

/// Handles `GET /api/spaces/{id}/runtime`.
pub(super) fn get(call: &Call, repo: &Repo) -> Reply {
    let files = Files::read(call, repo)?;
    let space = call.hub.store.spaces().get(&repo.key)?;
    Ok(response::json(&shown(&call.hub.store, &repo.key, &space, &files)?))
}

/// Changes the settings of a Space that is run, and responds with its runtime. `what` is what a
/// static one cannot.
fn change(
    call: &Call,
    repo: &Repo,
    what: &str,
    check: impl FnOnce(&Files, &Space) -> Result<Box<dyn FnOnce(&mut Space)>, ApiError>,
) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    let files = Files::read(call, repo)?;
    files.check_runs(what)?;
    let spaces = call.hub.store.spaces();
    let change = check(&files, &spaces.get(&repo.key)?)?;
    let space = spaces.update(&repo.key, change)?;
    Ok(response::json(&shown(&call.hub.store, &repo.key, &space, &files)?))
}

/// Handles `POST /api/spaces/{id}/pause`.
pub(super) fn pause(call: &Call, repo: &Repo) -> Reply {
    change(call, repo, "be paused", |_, _| Ok(Box::new(|space| space.paused = true)))
}

/// Handles `POST /api/spaces/{id}/restart`.
pub(super) fn restart(call: &Call, repo: &Repo) -> Reply {
    change(call, repo, "be restarted", |_, _| Ok(Box::new(Space::start)))
}

/// Handles `POST /api/spaces/{id}/hardware`.
pub(super) fn request_hardware(call: &Call, repo: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sent {
        flavor: String,
        #[serde(default)]
        sleep_time_seconds: Option<i64>,
    }

    change(call, repo, "have hardware", |files, _| {
        let sent: Sent = call.body.json()?;
        hardware::check_for_space(&sent.flavor, files.sdk.as_deref())?;
        let sleep_time = sent.sleep_time_seconds.map(check_sleep_time).transpose()?;
        Ok(Box::new(move |space| {
            space.hardware = sent.flavor;
            space.sleep_time = sleep_time.or(space.sleep_time);
            if !space.paused {
                space.start();
            }
        }))
    })
}

/// Handles `POST /api/spaces/{id}/sleeptime`.
pub(super) fn set_sleep_time(call: &Call, repo: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Sent {
        seconds: i64,
    }

    change(call, repo, "sleep", |_, _| {
        let seconds = check_sleep_time(call.body.json::<Sent>()?.seconds)?;
        Ok(Box::new(move |space| space.sleep_time = Some(seconds)))
    })
}

/// Handles `POST` and `DELETE /api/spaces/{id}/storage`.
pub(super) fn storage(call: &Call, repo: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Sent {
        tier: String,
    }

    change(call, repo, "have persistent storage", |_, space| {
        if call.method == Method::DELETE {
            if space.storage.is_none() {
                return Err(ApiError::bad_request("This Space has no persistent storage"));
            }
            return Ok(Box::new(|space| space.storage = None));
        }
        let tier = call.body.json::<Sent>()?.tier;
        let rank = |tier: &str| TIERS.iter().position(|known| *known == tier);
        check_tier(&tier)?;
        if space.storage.as_deref().and_then(rank) > rank(&tier) {
            let message = "Persistent storage cannot be made smaller; delete it first";
            return Err(ApiError::bad_request(message));
        }
        Ok(Box::new(move |space| space.storage = Some(tier)))
    })
}

/// Handles `POST /api/spaces/{id}/dev-mode`.
pub(super) fn set_dev_mode(call: &Call, repo: &Repo) -> Reply {
    #[derive(Debug, Deserialize)]
    struct Sent {
        enabled: bool,
    }

    change(call, repo, "have a dev mode", |_, _| {
        let enabled = call.body.json::<Sent>()?.enabled;
        Ok(Box::new(move |space| space.dev_mode = enabled))
    })
}

/// Checks a number of seconds; -1 is never.
pub(super) fn check_sleep_time(seconds: i64) -> Result<i64, ApiError> {
    // The largest integer of a double, as clients parse JSON.
    if seconds == -1 || (1..=1_i64 << 53).contains(&seconds) {
        return Ok(seconds);
    }
    Err(ApiError::bad_request(
        "The sleep time must be a positive number of seconds, or -1 for never",
    ))
}

/// Checks the name of a size of storage.
pub(super) fn check_tier(tier: &str) -> Result<(), ApiError> {
    if TIERS.contains(&tier) {
        return Ok(());
    }
    let message = format!("\"tier\" must be one of [{}], not \"{tier}\"", TIERS.join(", "));
    Err(ApiError::bad_request(message))
}
