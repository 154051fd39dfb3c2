//! `collection`: upvotes of collections, for which the Hub has no documented route.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::RootArg;

/// The commands for collections.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let a user upvote a collection
    Upvote(Args),
    /// Withdraw a user's upvote
    Unvote(Args),
}

/// The options of `upvote` and `unvote`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Slug of the collection
    slug: String,
    /// User name
    user: String,
    #[command(flatten)]
    root: RootArg,
}

impl Args {
    fn run(&self, is_on: bool) -> Result<()> {
        let id = self.slug.len().checked_sub(24).and_then(|start| self.slug.get(start..));
        let id = id.context("a slug ends in 24 hexadecimal digits")?;
        self.root.open()?.collections().upvote(id, &self.user, is_on)
    }
}

/// Executes the command.
pub(super) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Upvote(args) => args.run(true),
        Command::Unvote(args) => args.run(false),
    }
}
