//! How inference endpoints behave: the options about them, and the states that these make.

use super::origins::base_url;
use crate::store::EndpointState as State;

/// The options about inference endpoints.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct EndpointArgs {
    /// Seconds that an inference endpoint takes to start or to be updated
    #[arg(id = "endpoint-start", long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    start: f64,
    /// URL of a server of models, which is that of each inference endpoint that runs; without it,
    /// only their health checks succeed
    #[arg(id = "endpoint-url", long, value_name = "URL", value_parser = base_url)]
    pub(super) url: Option<String>,
    /// Path of the health check of that server
    #[arg(id = "endpoint-health", long, value_name = "PATH", default_value = "/health")]
    pub(super) health: String,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().map_err(|err| err.to_string())?;
    let is_valid = (0.0..=1e9).contains(&seconds);
    if is_valid { Ok(seconds) } else { Err("expected a number of seconds".into()) }
}

impl EndpointArgs {
    /// Returns the states of an endpoint that starts.
    pub(super) fn starting(&self) -> Vec<(State, f64)> {
        let half = self.start / 2.0;
        vec![(State::Pending, half), (State::Initializing, half), (State::Running, 0.0)]
    }

    /// Returns the states of an endpoint that is updated while it runs.
    pub(super) fn updating(&self) -> Vec<(State, f64)> {
        vec![(State::Updating, self.start), (State::Running, 0.0)]
    }
}
