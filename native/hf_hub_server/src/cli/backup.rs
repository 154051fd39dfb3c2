//! `backup`: copies the data of a Hub.

use std::path::PathBuf;

use anyhow::Result;

use super::{RootArg, print};

/// The options of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the copy, which must be missing or empty
    target: PathBuf,
    #[command(flatten)]
    root: RootArg,
}

/// Executes the command.
pub(super) fn run(args: &Args) -> Result<()> {
    args.root.open()?.back_up(&args.target)?;
    print(&format!("copied to {}", args.target.display()))
}
