//! `user`: users, tokens and logins.

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};
use crate::store::{LoginAnswer, Membership, Role, Scope, Token, random_token};

/// The commands for users.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user, or another token of a user, and print the token
    Add(AddArgs),
    /// List users and their organisations
    List {
        #[command(flatten)]
        root: RootArg,
    },
    /// Approve the login of a program that shows this code
    Approve {
        /// The code
        code: String,
        /// User the program will act for
        name: String,
        #[command(flatten)]
        root: RootArg,
    },
    /// Deny the login of a program that shows this code
    Deny {
        /// The code
        code: String,
        #[command(flatten)]
        root: RootArg,
    },
}

/// The options of `add`.
#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// User name
    name: String,
    #[command(flatten)]
    root: RootArg,
    /// Display name; defaults to the user name
    #[arg(long)]
    fullname: Option<String>,
    /// Organisation the user belongs to, with `:admin`, `:write` or `:read`; may be repeated
    #[arg(long = "org", value_name = "ORG[:ROLE]")]
    orgs: Vec<Membership>,
    /// The token; random by default
    #[arg(long)]
    token: Option<String>,
    /// Name of the token
    #[arg(long, default_value = "local")]
    token_name: String,
    /// Role of the token
    #[arg(long, value_enum, default_value = "write")]
    role: Role,
    /// Permissions of a fine-grained token for a namespace or repository, such as
    /// `acme=repo.content.read`; may be repeated
    #[arg(long = "scope", value_name = "ENTITY=PERMISSION,...")]
    scopes: Vec<Scope>,
    /// Allow a fine-grained token to read gated repositories
    #[arg(long)]
    gated_repos: bool,
}

impl AddArgs {
    fn run(self) -> Result<()> {
        let text = self.token.map_or_else(random_token, Ok)?;
        let mut token = Token { name: self.token_name, ..Token::new(&text, self.role)? };
        token.grants.scoped = self.scopes;
        token.grants.can_read_gated_repos = self.gated_repos;
        let users = self.root.open()?.users();
        users.add(&self.name, &self.orgs, &token)?;
        if let Some(fullname) = &self.fullname {
            users.set_fullname(&self.name, fullname)?;
        }
        print(&text)
    }
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Add(args) => args.run(),
        Command::List { root } => {
            for user in root.open()?.users().list()? {
                print(&format!("{}\t{}", user.name, user.orgs.join(",")))?;
            }
            Ok(())
        }
        Command::Approve { code, name, root } => {
            root.open()?.devices().decide(&code, &LoginAnswer::Approved(name))
        }
        Command::Deny { code, root } => root.open()?.devices().decide(&code, &LoginAnswer::Denied),
    }
}
