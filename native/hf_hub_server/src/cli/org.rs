//! `org`: organisations and their members.

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};
use crate::store::OrgRole;

/// The commands for organisations.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an organisation
    Add(DescribeArgs),
    /// Change the display name or the text of an organisation
    Set(DescribeArgs),
    /// List organisations, with the number of members
    List {
        #[command(flatten)]
        root: RootArg,
    },
    /// List the members of an organisation, with their roles
    Members {
        /// Organisation
        name: String,
        #[command(flatten)]
        root: RootArg,
    },
    /// Make a user a member, or give a member another role
    Join {
        /// Organisation
        name: String,
        /// User name
        user: String,
        #[command(flatten)]
        root: RootArg,
        /// Role of the member
        #[arg(long, value_enum, default_value = "write")]
        role: OrgRole,
    },
    /// End the membership of a user
    Leave {
        /// Organisation
        name: String,
        /// User name
        user: String,
        #[command(flatten)]
        root: RootArg,
    },
    /// Remove an organisation that owns nothing but ended jobs
    Remove {
        /// Organisation
        name: String,
        #[command(flatten)]
        root: RootArg,
    },
}

/// The options of `add` and `set`.
#[derive(Debug, clap::Args)]
pub(super) struct DescribeArgs {
    /// Organisation
    name: String,
    #[command(flatten)]
    root: RootArg,
    /// Display name; defaults to the name
    #[arg(long)]
    fullname: Option<String>,
    /// Text on its page
    #[arg(long)]
    details: Option<String>,
}

impl DescribeArgs {
    fn run(&self, is_new: bool) -> Result<()> {
        let organizations = self.root.open()?.organizations();
        if is_new {
            organizations.add(&self.name)?;
        }
        organizations.set(&self.name, self.fullname.as_deref(), self.details.as_deref())
    }
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Add(args) => args.run(true),
        Command::Set(args) => args.run(false),
        Command::List { root } => {
            for organization in root.open()?.organizations().list()? {
                print(&format!("{}\t{}", organization.name, organization.members))?;
            }
            Ok(())
        }
        Command::Members { name, root } => members(&name, &root),
        Command::Join { name, user, root, role } => {
            root.open()?.organizations().join(&name, &user, role)
        }
        Command::Leave { name, user, root } => root.open()?.organizations().leave(&name, &user),
        Command::Remove { name, root } => {
            let store = root.open()?;
            store.jobs().remove_logs(&store.organizations().remove(&name)?)
        }
    }
}

fn members(name: &str, root: &RootArg) -> Result<()> {
    let organizations = root.open()?.organizations();
    if organizations.get(name)?.is_none() {
        anyhow::bail!("there is no organisation `{name}`");
    }
    for member in organizations.members(name, "", None, (0, usize::MAX))? {
        print(&format!("{}\t{}", member.account.name, member.role.word()))?;
    }
    Ok(())
}
