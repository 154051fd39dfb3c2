//! `user`: users, tokens and logins.

use anyhow::{Result, bail};
use clap::Subcommand;

use super::{RootArg, print};
use crate::store::{Followed, LoginAnswer, Membership, Role, Scope, Token, random_token};

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
    /// Change the display name or the text of a user
    Set {
        /// User name
        name: String,
        #[command(flatten)]
        root: RootArg,
        /// Display name
        #[arg(long)]
        fullname: Option<String>,
        /// Text on the user's page
        #[arg(long)]
        details: Option<String>,
    },
    /// Remove a user that owns nothing but ended jobs, with all tokens
    Remove(NameArgs),
    /// List the tokens of a user: id, role, creation, end, name
    Tokens(NameArgs),
    /// Revoke tokens of a user
    Revoke {
        /// User name
        name: String,
        /// Id of a token, as `tokens` lists it
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        #[command(flatten)]
        root: RootArg,
        /// Revoke all tokens of the user
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Let a user follow a user or an organisation
    Follow(FollowArgs),
    /// Let a user no longer follow a user or an organisation
    Unfollow(FollowArgs),
    /// List the followers of a user
    Followers(NameArgs),
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

/// A user.
#[derive(Debug, clap::Args)]
pub(super) struct NameArgs {
    /// User name
    name: String,
    #[command(flatten)]
    root: RootArg,
}

/// The options of `follow` and `unfollow`.
#[derive(Debug, clap::Args)]
pub(super) struct FollowArgs {
    /// User name
    name: String,
    /// User or organisation to follow
    followed: String,
    #[command(flatten)]
    root: RootArg,
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
        users.set(&self.name, self.fullname.as_deref(), None)?;
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
        Command::Set { name, root, fullname, details } => {
            root.open()?.users().set(&name, fullname.as_deref(), details.as_deref())
        }
        Command::Remove(NameArgs { name, root }) => {
            let store = root.open()?;
            store.jobs().remove_logs(&store.users().remove(&name)?)
        }
        Command::Tokens(args) => tokens(&args),
        Command::Revoke { name, id, root, all: _ } => revoke(&root, &name, id.as_deref()),
        Command::Follow(FollowArgs { name, followed, root }) => {
            root.open()?.follows().follow(&name, &followed)
        }
        Command::Unfollow(FollowArgs { name, followed, root }) => {
            root.open()?.follows().unfollow(&name, &followed)
        }
        Command::Followers(args) => followers(&args),
        Command::Approve { code, name, root } => {
            root.open()?.devices().decide(&code, &LoginAnswer::Approved(name))
        }
        Command::Deny { code, root } => root.open()?.devices().decide(&code, &LoginAnswer::Denied),
    }
}

/// Number of hex digits of a digest that identify a token.
const ID: usize = 12;

fn tokens(args: &NameArgs) -> Result<()> {
    for token in args.root.open()?.users().tokens(&args.name)? {
        let end = token.expires_at.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let (id, role) = (&token.digest[..ID], token.role.word());
        print(&format!("{id}\t{role}\t{}\t{end}\t{}", token.created_at, token.name))?;
    }
    Ok(())
}

fn revoke(root: &RootArg, name: &str, id: Option<&str>) -> Result<()> {
    let is_id = |id: &str| id.len() >= ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if id.is_some_and(|id| !is_id(id)) {
        bail!("the id of a token has {ID} hex digits; `user tokens {name}` lists them");
    }
    match (root.open()?.users().revoke(name, id)?, id) {
        (0, Some(id)) => bail!("`{name}` has no token {id}"),
        _ => Ok(()),
    }
}

fn followers(args: &NameArgs) -> Result<()> {
    let store = args.root.open()?;
    if store.users().get(&args.name)?.is_none() {
        bail!("there is no user `{}`", args.name);
    }
    let followed = Followed::User(&args.name);
    let found = store.follows().followers(followed, None, 0, usize::MAX)?;
    found.iter().try_for_each(|account| print(&account.name))
}
