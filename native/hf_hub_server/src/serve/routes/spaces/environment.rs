//! Variables, which everybody sees, and secrets, whose values no route returns.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::events::Event;
use super::super::super::response;
use crate::store::{NewSpaceEntry as NewEntry, Repo, SpaceEntry as Entry};

/// Maximum size of a value.
const MAX_VALUE: usize = 32 << 10;
/// Maximum length of a name.
const MAX_NAME: usize = 256;
/// Maximum number of variables, or of secrets, in one request.
const MAX_ENTRIES: usize = 1000;

/// A variable or a secret in a body.
#[derive(Deserialize)]
pub(super) struct Sent {
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    description: Option<String>,
}

impl Sent {
    /// Checks the entry. Errors do not show the value.
    pub(super) fn check(self) -> Result<NewEntry, ApiError> {
        let Self { key: name, value, description } = self;
        check_name(&name)?;
        if value.len() > MAX_VALUE {
            return Err(ApiError::bad_request(format!(
                "The value of {name} is longer than {MAX_VALUE} bytes"
            )));
        }
        Ok(NewEntry { name, value, description })
    }

    /// Checks the entries of a new Space.
    pub(super) fn check_all(sent: Vec<Self>) -> Result<Vec<NewEntry>, ApiError> {
        if sent.len() > MAX_ENTRIES {
            return Err(ApiError::bad_request(format!("At most {MAX_ENTRIES} keys are allowed")));
        }
        sent.into_iter().map(Self::check).collect()
    }
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

/// Handles `/api/spaces/{id}/variables`.
pub(super) fn variables(call: &Call, repo: &Repo) -> Reply {
    let spaces = call.hub.store.spaces();
    let entries = match call.method {
        Method::POST => spaces.set_variable(&repo.key, &sent(call, repo)?)?,
        Method::DELETE => spaces.delete_variable(&repo.key, &named(call, repo)?)?,
        _ => {
            call.caller.check_files(repo)?;
            spaces.variables(&repo.key)?
        }
    };
    notify(call, repo);
    Ok(response::json(&shown(entries)))
}

/// Handles `/api/spaces/{id}/secrets`.
pub(super) fn secrets(call: &Call, repo: &Repo) -> Reply {
    let spaces = call.hub.store.spaces();
    let entries = match call.method {
        Method::POST => spaces.set_secret(&repo.key, &sent(call, repo)?)?,
        Method::DELETE => spaces.delete_secret(&repo.key, &named(call, repo)?)?,
        _ => {
            call.caller.writer_in(repo.key.id.namespace())?;
            spaces.secrets(&repo.key)?
        }
    };
    notify(call, repo);
    Ok(response::json(&shown(entries)))
}

/// Notifies webhooks of a change.
fn notify(call: &Call, repo: &Repo) {
    if call.method == Method::POST || call.method == Method::DELETE {
        call.notify(Event::config(repo, None));
    }
}

fn sent(call: &Call, repo: &Repo) -> Result<NewEntry, ApiError> {
    call.caller.writer_in(repo.key.id.namespace())?;
    call.body.json::<Sent>()?.check()
}

fn named(call: &Call, repo: &Repo) -> Result<String, ApiError> {
    call.caller.writer_in(repo.key.id.namespace())?;
    Ok(call.body.json::<Named>()?.key)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let mut letters = name.bytes();
    let is_valid = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    if is_valid && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(ApiError::bad_request(
        "\"key\" must begin with a letter and contain only letters, digits and underscores",
    ))
}

fn shown(entries: impl IntoIterator<Item = (String, Entry)>) -> Map<String, Value> {
    let shown = entries.into_iter().map(|(name, entry)| {
        let mut json = json!({ "key": name, "updatedAt": response::date(entry.updated_at) });
        if let Some(value) = entry.value {
            json["value"] = value.into();
        }
        if let Some(description) = entry.description {
            json["description"] = description.into();
        }
        (name, json)
    });
    shown.collect()
}
