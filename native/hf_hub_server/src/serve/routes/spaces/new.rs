//! The settings of a Space in the bodies that create or duplicate one.

use serde::Deserialize;

use super::super::super::call::Call;
use super::super::super::error::ApiError;
use super::super::super::lookup::{self, open};
use super::super::hardware;
use super::{environment, runtime, volumes};
use crate::store::{Lookup, NewSpace, Repo, RepoKey, RepoKind, Space};

/// The settings; other types of repositories ignore them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct Wanted {
    hardware: Option<String>,
    storage_tier: Option<String>,
    sleep_time_seconds: Option<i64>,
    dev_mode_enabled: Option<bool>,
    secrets: Option<Vec<environment::Sent>>,
    variables: Option<Vec<environment::Sent>>,
    volumes: Option<Vec<volumes::Sent>>,
}

impl Wanted {
    /// Checks the settings; `None` for other repositories.
    pub(in super::super) fn check(
        self,
        call: &Call,
        key: &RepoKey,
        sdk: Option<&str>,
    ) -> Result<Option<NewSpace>, ApiError> {
        if key.kind != RepoKind::Space {
            return Ok(None);
        }
        if let Some(flavor) = &self.hardware {
            hardware::check_for_space(flavor, sdk)?;
        }
        if let Some(tier) = &self.storage_tier {
            runtime::check_tier(tier)?;
        }
        let new = Space::default();
        let space = Space {
            hardware: self.hardware.unwrap_or(new.hardware),
            storage: self.storage_tier,
            sleep_time: self.sleep_time_seconds.map(runtime::check_sleep_time).transpose()?,
            dev_mode: self.dev_mode_enabled.unwrap_or(false),
            volumes: volumes::check_all(call, &self.volumes.unwrap_or_default())?,
            ..Space::default()
        };
        Ok(Some(NewSpace {
            space,
            variables: environment::Sent::check_all(self.variables.unwrap_or_default())?,
            secrets: environment::Sent::check_all(self.secrets.unwrap_or_default())?,
        }))
    }
}

/// Returns the Space that a template is.
pub(in super::super) fn of_template(call: &Call, id: &str) -> Result<Repo, ApiError> {
    let key = RepoKey::new(RepoKind::Space, lookup::id(id)?);
    match open(call, &key)? {
        Lookup::Found(repo) => {
            call.caller.check_files(&repo)?;
            Ok(*repo)
        }
        _ => Err(ApiError::bad_request(format!("There is no template {id}"))),
    }
}
