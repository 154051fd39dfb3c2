//! Requests that read and change the runtime of a Space.

use axum::http::Method;
use serde::Deserialize;

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::response;
use super::super::{hardware, info};
use super::runtime_state::{self, Files};
use crate::store::{Repo, Space};

const TIERS: [&str; 3] = ["small", "medium", "large"];

/// Reads the files of the main branch.
pub(super) fn files(call: &Call, repo: &Repo) -> Result<Files, ApiError> {
    let (head, _, properties) = info::of_main(call, repo)?;
    Ok(Files::new(&head, &properties))
}

/// Handles `GET /api/spaces/{id}/runtime`.
pub(super) fn get(call: &Call, repo: &Repo) -> Reply {
    let files = files(call, repo)?;
    let space = call.hub.store.spaces().get(&repo.key)?;
    Ok(response::json(&runtime_state::shown(&call.hub.store, &repo.key, &space, &files)?))
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
    let files = files(call, repo)?;
    files.check_runs(what)?;
    let spaces = call.hub.store.spaces();
    let change = check(&files, &spaces.get(&repo.key)?)?;
    let space = spaces.update(&repo.key, change)?;
    Ok(response::json(&runtime_state::shown(&call.hub.store, &repo.key, &space, &files)?))
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
