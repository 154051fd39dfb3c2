//! `papers`: what is known of papers comes from a file.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};

/// What can be done with papers.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add the papers of a file: a JSON array of objects as the Hub's API writes them
    Import {
        /// File
        file: PathBuf,
        #[command(flatten)]
        root: RootArg,
    },
}

/// Does it.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Import { file, root } => {
            let count = root.open()?.papers().import(&file)?;
            print(&format!("{count} papers"))
        }
    }
}
