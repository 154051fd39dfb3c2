//! `endpoint`: what an administrator decides about inference endpoints, which are not deployed.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::RootArg;
use crate::store::{EndpointState, script_step};

/// The commands for inference endpoints.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set the states that an endpoint goes through, now and whenever it is started
    State {
        /// Endpoint, such as `me/my-bert`
        id: String,
        #[command(flatten)]
        root: RootArg,
        /// States and how many seconds each lasts, such as `pending:2 initializing:3 failed`; the last
        /// one stays. None: the usual ones
        #[arg(value_name = "STATE[:SECONDS]", value_parser = script_step::<EndpointState>)]
        steps: Vec<(EndpointState, f64)>,
    },
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    let Command::State { id, root, steps } = command;
    let (namespace, name) =
        id.split_once('/').with_context(|| format!("{id} is not NAMESPACE/NAME"))?;
    root.open()?.endpoints().set_script(namespace, name, steps)
}
