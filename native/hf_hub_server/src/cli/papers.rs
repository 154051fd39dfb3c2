//! `papers`: imports papers from a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};

/// The commands for papers.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add the papers of a file: a JSON array of objects in the format of the Hub's API
    Import {
        /// File
        file: PathBuf,
        #[command(flatten)]
        root: RootArg,
    },
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Import { file, root } => {
            let count = root.open()?.papers().import(&file)?;
            print(&format!("{count} {}", if count == 1 { "paper" } else { "papers" }))
        }
    }
}
