//! Volumes: repositories and buckets that a Space mounts.

use std::collections::HashSet;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::lookup::{self, open};
use super::super::super::response;
use super::runtime;
use crate::store::{Lookup, Repo, RepoKey, RepoKind};

const TYPES: [&str; 4] = ["bucket", "model", "dataset", "space"];
const MAX: usize = 100;

/// A volume in a body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    #[serde(rename = "type")]
    kind: String,
    source: String,
    mount_path: String,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    read_only: Option<bool>,
    #[serde(default)]
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    volumes: Vec<Sent>,
}

/// Handles `/api/spaces/{id}/volumes`.
pub(super) fn act(call: &Call, repo: &Repo) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    let files = runtime::files(call, repo)?;
    files.check_runs("have volumes")?;
    let spaces = call.hub.store.spaces();
    let volumes = if call.method == Method::DELETE {
        if spaces.get(&repo.key)?.volumes.is_empty() {
            return Err(ApiError::bad_request("This Space has no volumes"));
        }
        Vec::new()
    } else {
        check_all(call, &call.body.json::<Wanted>()?.volumes)?
    };
    let space = spaces.update(&repo.key, |space| space.volumes = volumes)?;
    Ok(response::json(&json!({ "volumes": space.volumes })))
}

/// Checks volumes and returns them in the format of the API.
pub(super) fn check_all(call: &Call, sent: &[Sent]) -> Result<Vec<Value>, ApiError> {
    let mut places = HashSet::new();
    if sent.len() > MAX {
        return Err(ApiError::bad_request(format!("At most {MAX} volumes are allowed")));
    }
    if let Some(twice) = sent.iter().find(|volume| !places.insert(&volume.mount_path)) {
        let message = format!("Two volumes are mounted at {}", twice.mount_path);
        return Err(ApiError::bad_request(message));
    }
    sent.iter().map(|volume| volume.check(call)).collect()
}

impl Sent {
    fn check(&self, call: &Call) -> Result<Value, ApiError> {
        if !TYPES.contains(&self.kind.as_str()) {
            let message = format!("\"type\" of a volume must be one of [{}]", TYPES.join(", "));
            return Err(ApiError::bad_request(message));
        }
        let is_plain = |path: &str| !path.split('/').any(|part| part == "." || part == "..");
        if !self.mount_path.starts_with('/')
            || self.mount_path.len() < 2
            || !is_plain(&self.mount_path)
        {
            let message = "\"mountPath\" must be an absolute path below /, without . and ..";
            return Err(ApiError::bad_request(message));
        }
        if !self.path.as_deref().is_none_or(is_plain) {
            return Err(ApiError::bad_request("\"path\" of a volume must not contain . and .."));
        }
        let is_bucket = self.kind == "bucket";
        if is_bucket {
            lookup::id(&self.source)?;
        } else {
            self.check_source(call)?;
        }
        let mut json = json!({
            "type": self.kind, "source": self.source, "mountPath": self.mount_path,
            "readOnly": !is_bucket || self.read_only.unwrap_or(false),
        });
        for (name, value) in [("revision", &self.revision), ("path", &self.path)] {
            if let Some(value) = value {
                json[name] = value.as_str().into();
            }
        }
        Ok(json)
    }

    /// Checks that the owner of the Space can read the repository.
    fn check_source(&self, call: &Call) -> Result<(), ApiError> {
        let kind: RepoKind = lookup::kind(Some(&self.kind))?;
        let key = RepoKey::new(kind, lookup::id(&self.source)?);
        match open(call, &key)? {
            Lookup::Found(repo) => call.caller.check_files(&repo),
            Lookup::Moved(_) | Lookup::Missing => Err(ApiError::bad_request(format!(
                "The source of a volume does not exist: {} {}",
                self.kind, self.source
            ))),
        }
    }
}
