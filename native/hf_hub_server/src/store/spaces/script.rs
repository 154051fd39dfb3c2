//! The stages of a Space, and scripts of them.

use std::str::FromStr;

use anyhow::{Result, bail};
use jiff::Timestamp;
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

/// Stages one after the other; the last one stays. Empty if nothing was scripted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Script(Vec<(Stage, f64)>);

impl Script {
    /// Creates a script from stages and how many seconds each lasts.
    pub(crate) fn new(steps: Vec<(Stage, f64)>) -> Self {
        Self(steps)
    }

    /// Returns the stage at a point in time; `None` for an empty script.
    pub(crate) fn at(&self, start: Timestamp, now: Timestamp) -> Option<Stage> {
        let mut left = now.duration_since(start).as_secs_f64();
        let mut steps = self.0.iter();
        let passed = |step: &&(Stage, f64)| {
            left -= step.1;
            left < 0.0
        };
        steps.find(passed).or(self.0.last()).map(|step| step.0)
    }
}

/// Parses a step: `STAGE` or `STAGE:SECONDS`.
pub(crate) fn step(text: &str) -> Result<(Stage, f64)> {
    let (stage, seconds) = text.split_once(':').unwrap_or((text, "0"));
    match seconds.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok((stage.parse()?, seconds)),
        _ => bail!("`{seconds}` is not a number of seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_its_stages_and_keeps_the_last() {
        use Stage::{AppStarting, Building, Running};

        let steps = ["BUILDING:2", "APP_STARTING:0.5", "RUNNING"].map(|text| step(text).unwrap());
        let script = Script::new(steps.to_vec());
        let at = |ms| {
            let time = |ms| Timestamp::from_millisecond(ms).unwrap();
            script.at(time(1_000), time(ms)).unwrap()
        };
        let found = [0, 1_000, 2_999, 3_000, 3_499, 3_500, 9_999_999].map(at);
        let expected = [Building, Building, Building, AppStarting, AppStarting, Running, Running];
        assert_eq!(found, expected);
        assert_eq!(Script::default().at(Timestamp::UNIX_EPOCH, Timestamp::now()), None);
    }

    #[test]
    fn rejects_unknown_stages_and_names_the_known_ones() {
        let message = |text| step(text).unwrap_err().to_string();
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
