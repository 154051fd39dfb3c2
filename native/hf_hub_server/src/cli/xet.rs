//! `xet`: care for Xet storage.

use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};

/// A client keeps what it knows of xorbs for three weeks.
const UNUSED_DAYS: u64 = 28;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Delete what no repository uses any more; prints what was deleted as one line of JSON
    Collect {
        /// Keep unused xorbs that a client has asked for in this many days: it may still refer to
        /// them
        #[arg(long, value_name = "DAYS", default_value_t = UNUSED_DAYS)]
        unused_days: u64,
        #[command(flatten)]
        root: RootArg,
    },
}

/// Executes the command.
pub(super) fn run(command: &Command) -> Result<()> {
    let Command::Collect { unused_days, root } = command;
    let unused = Duration::from_secs(unused_days.saturating_mul(24 * 3600));
    let collected = root.open()?.collect_xet(unused)?;
    print(&serde_json::to_string(&collected)?)
}
