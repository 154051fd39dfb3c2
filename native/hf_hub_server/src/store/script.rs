//! Scripts: states that something goes through by itself, each for some time.

use std::str::FromStr;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// States one after the other; the last one stays. Empty if nothing was scripted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Script<S>(Vec<(S, f64)>);

impl<S> Default for Script<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Copy> Script<S> {
    /// Creates a script from states and how many seconds each lasts.
    pub(crate) fn new(steps: Vec<(S, f64)>) -> Self {
        Self(steps)
    }

    /// Whether nothing was scripted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the state at a point in time; `None` for an empty script.
    pub(crate) fn at(&self, start: Timestamp, now: Timestamp) -> Option<S> {
        let mut left = now.duration_since(start).as_secs_f64();
        let mut steps = self.0.iter();
        let passed = |step: &&(S, f64)| {
            left -= step.1;
            left < 0.0
        };
        steps.find(passed).or(self.0.last()).map(|step| step.0)
    }
}

/// Parses a step: `STATE` or `STATE:SECONDS`.
pub(crate) fn step<S: FromStr<Err = anyhow::Error>>(text: &str) -> Result<(S, f64)> {
    let (state, seconds) = text.split_once(':').unwrap_or((text, "0"));
    match seconds.parse::<f64>() {
        Ok(seconds) if (0.0..=1e9).contains(&seconds) => Ok((state.parse()?, seconds)),
        _ => bail!("`{seconds}` is not a number of seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_its_stages_and_keeps_the_last() {
        use crate::store::Stage::{self, AppStarting, Building, Running};

        let steps =
            ["BUILDING:2", "APP_STARTING:0.5", "RUNNING"].map(|text| step::<Stage>(text).unwrap());
        let script = Script::new(steps.to_vec());
        let at = |ms| {
            let time = |ms| Timestamp::from_millisecond(ms).unwrap();
            script.at(time(1_000), time(ms)).unwrap()
        };
        let found = [0, 1_000, 2_999, 3_000, 3_499, 3_500, 9_999_999].map(at);
        let expected = [Building, Building, Building, AppStarting, AppStarting, Running, Running];
        assert_eq!(found, expected);
        assert_eq!(Script::<Stage>::default().at(Timestamp::UNIX_EPOCH, Timestamp::now()), None);
    }
}
