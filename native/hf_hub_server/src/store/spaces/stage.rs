//! The stages of a Space.

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::store::db;

/// What a Space does, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    NoAppFile,
    ConfigError,
    Building,
    BuildError,
    Running,
    RunningBuilding,
    RuntimeError,
    Deleting,
    Stopped,
    Paused,
    Sleeping,
    AppStarting,
    RunningAppStarting,
}

impl Stage {
    const ALL: [Self; 13] = [
        Self::NoAppFile,
        Self::ConfigError,
        Self::Building,
        Self::BuildError,
        Self::Running,
        Self::RunningBuilding,
        Self::RuntimeError,
        Self::Deleting,
        Self::Stopped,
        Self::Paused,
        Self::Sleeping,
        Self::AppStarting,
        Self::RunningAppStarting,
    ];

    /// Whether the app uses its hardware.
    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::RunningBuilding | Self::RunningAppStarting)
    }
}

impl FromStr for Stage {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        db::from_word(name).or_else(|_| {
            let all = Self::ALL.iter().map(db::word).collect::<Result<Vec<_>>>()?;
            bail!("unknown stage `{name}`; the stages are {}", all.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::script::step;

    #[test]
    fn rejects_unknown_stages_and_names_the_known_ones() {
        let message = |text| step::<Stage>(text).unwrap_err().to_string();
        assert!(message("running").contains("unknown stage `running`; the stages are NO_APP_FILE"));
        for text in ["RUNNING:x", "RUNNING:-1", "RUNNING:inf", "RUNNING:NaN", "RUNNING:"] {
            assert!(message(text).ends_with("is not a number of seconds"), "{text}");
        }
        assert!(
            Stage::ALL
                .into_iter()
                .all(|stage| { db::word(&stage).unwrap().parse::<Stage>().unwrap() == stage })
        );
    }
}
