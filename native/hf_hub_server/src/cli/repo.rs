//! `repo`: settings, access, branches and tags of repositories.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::{GateArg, KindArg, RootArg, print};
use crate::store::{AccessState, MAIN, RepoKey, RepoKind, Store, branch_ref, tag_ref};

/// The commands for repositories.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all repositories
    List {
        #[command(flatten)]
        root: RootArg,
    },
    /// Rename a repository; the old name redirects to the new one
    Rename {
        /// Current id
        old: String,
        /// New id
        new: String,
        #[command(flatten)]
        root: RootArg,
        #[command(flatten)]
        kind: KindArg,
    },
    /// Change settings
    Set(SetArgs),
    /// Allow a user to read the files of a gated repository
    Grant(AccessArgs),
    /// Record a user's access request for a gated repository
    Request(AccessArgs),
    /// Reject a user's access request
    Reject(AccessArgs),
    /// Create a tag
    Tag(RefArgs),
    /// Create a branch
    Branch(RefArgs),
}

/// The options of `set`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
pub(super) struct SetArgs {
    /// Repository
    id: String,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    kind: KindArg,
    /// Make it visible to its owner only
    #[arg(long)]
    private: bool,
    /// Make it visible to everybody
    #[arg(long, conflicts_with = "private")]
    public: bool,
    /// Require granted access to the files
    #[arg(long, value_enum)]
    gated: Option<GateArg>,
    /// Disable it
    #[arg(long)]
    disabled: bool,
    /// Enable it again
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
}

/// The options of `grant`, `request` and `reject`.
#[derive(Debug, clap::Args)]
pub(super) struct AccessArgs {
    /// Repository
    id: String,
    /// User name
    user: String,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    kind: KindArg,
}

impl AccessArgs {
    fn run(&self, state: AccessState) -> Result<()> {
        self.root.open()?.set_access(&self.kind.key(&self.id)?, &self.user, state)
    }
}

/// The options of `tag` and `branch`.
#[derive(Debug, clap::Args)]
pub(super) struct RefArgs {
    /// Repository
    id: String,
    /// Name of the tag or branch
    name: String,
    #[command(flatten)]
    root: RootArg,
    #[command(flatten)]
    kind: KindArg,
    /// Revision to point to
    #[arg(long, default_value = MAIN)]
    revision: String,
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::List { root } => list(&root.open()?),
        Command::Rename { old, new, root, kind } => {
            root.open()?.rename(&kind.key(&old)?, &kind.key(&new)?)
        }
        Command::Set(args) => set(&args),
        Command::Grant(args) => args.run(AccessState::Accepted),
        Command::Request(args) => args.run(AccessState::Pending),
        Command::Reject(args) => args.run(AccessState::Rejected),
        Command::Tag(args) => create_ref(&args, tag_ref(&args.name)),
        Command::Branch(args) => create_ref(&args, branch_ref(&args.name)),
    }
}

fn list(store: &Store) -> Result<()> {
    for kind in RepoKind::ALL {
        for (id, settings) in store.list(kind)? {
            let mut notes = Vec::new();
            notes.extend(settings.private.then_some("private"));
            notes.extend(settings.gated.map(|_| "gated"));
            notes.extend(settings.disabled.then_some("disabled"));
            print(&format!("{}\t{}\t{}", kind.singular(), id, notes.join(",")))?;
        }
    }
    Ok(())
}

fn set(args: &SetArgs) -> Result<()> {
    args.root.open()?.update(&args.kind.key(&args.id)?, |settings| {
        settings.private = (settings.private || args.private) && !args.public;
        settings.disabled = (settings.disabled || args.disabled) && !args.enabled;
        if let Some(gate) = args.gated {
            settings.gated = gate.gate();
        }
    })
}

fn create_ref(args: &RefArgs, name: Option<String>) -> Result<()> {
    let name = name.with_context(|| format!("invalid name `{}`", args.name))?;
    let key: RepoKey = args.kind.key(&args.id)?;
    let git = args.root.open()?.find(&key)?.git()?;
    let target = git
        .resolve(&args.revision)?
        .with_context(|| format!("{key} has no revision `{}`", args.revision))?;
    git.create_ref(&name, target, "created from the command line").context("cannot create it")
}
