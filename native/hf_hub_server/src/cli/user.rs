//! `user`: who may read what.

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};
use crate::store::{Role, random_token};

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user, or one more token for one, and print the token
    Add {
        /// User name
        name: String,
        #[command(flatten)]
        root: RootArg,
        /// Organisation the user belongs to; may be repeated
        #[arg(long = "org")]
        orgs: Vec<String>,
        /// The token; made up if missing
        #[arg(long)]
        token: Option<String>,
        /// What the token may do
        #[arg(long, value_enum, default_value = "write")]
        role: Role,
    },
    /// List users and their organisations
    List {
        #[command(flatten)]
        root: RootArg,
    },
}

/// Does it.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Add { name, root, orgs, token, role } => {
            let token = token.map_or_else(random_token, Ok)?;
            root.open()?.users().add(&name, &orgs, &token, role)?;
            print(&token)
        }
        Command::List { root } => {
            for user in root.open()?.users().list()? {
                print(&format!("{}\t{}", user.name, user.orgs.join(",")))?;
            }
            Ok(())
        }
    }
}
