//! The command line: its commands, and the functions that execute them.

mod backup;
mod collection;
mod endpoint;
mod import;
mod org;
mod papers;
mod repo;
mod space;
mod user;
mod webhook;
#[cfg(feature = "xet")]
mod xet;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::job;
use crate::serve;
use crate::store::{Gate, RepoId, RepoKey, RepoKind, Store};

/// A Hugging Face Hub for one machine or a local network.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until stopped; prints the addresses as one line of JSON
    Serve(Box<serve::Spec>),
    /// Commit the content of a folder
    Import(import::Args),
    /// Copy all data to another folder, also while servers use it
    Backup(backup::Args),
    /// Manage users and tokens
    #[command(subcommand)]
    User(user::Command),
    /// Manage organisations and their members
    #[command(subcommand)]
    Org(org::Command),
    /// Manage upvotes of collections
    #[command(subcommand)]
    Collection(collection::Command),
    /// Manage papers
    #[command(subcommand)]
    Papers(papers::Command),
    /// Manage repositories
    #[command(subcommand)]
    Repo(repo::Command),
    /// Show webhooks
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Manage Spaces
    #[command(subcommand)]
    Space(space::Command),
    /// Manage inference endpoints
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// Care for Xet storage
    #[cfg(feature = "xet")]
    #[command(subcommand)]
    Xet(xet::Command),
    /// Run a job for the server
    #[command(name = job::COMMAND, hide = true)]
    SuperviseJob,
}

/// Executes a command.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(spec) => serve::run(*spec),
        Command::Import(args) => import::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::User(command) => user::run(command),
        Command::Org(command) => org::run(command),
        Command::Collection(command) => collection::run(&command),
        Command::Papers(command) => papers::run(command),
        Command::Repo(command) => repo::run(command),
        Command::Webhook(command) => webhook::run(command),
        Command::Space(command) => space::run(command),
        Command::Endpoint(command) => endpoint::run(command),
        #[cfg(feature = "xet")]
        Command::Xet(command) => xet::run(&command),
        Command::SuperviseJob => std::process::exit(job::supervise()?),
    }
}

/// The root of a Hub.
#[derive(Debug, Args)]
struct RootArg {
    /// Folder with all data of the Hub
    #[arg(long)]
    root: PathBuf,
}

impl RootArg {
    fn open(&self) -> Result<Store> {
        Store::open(&self.root)
    }
}

/// The kind of a repository.
#[derive(Debug, Args)]
struct KindArg {
    /// Kind of the repository
    #[arg(long = "type", value_enum, default_value = "model")]
    kind: RepoKind,
}

impl KindArg {
    fn key(&self, id: &str) -> Result<RepoKey> {
        Ok(RepoKey::new(self.kind, id.parse::<RepoId>()?))
    }
}

/// How a repository is gated.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum GateArg {
    /// Grant every request
    Auto,
    /// The owner decides
    Manual,
    /// Not gated
    Off,
}

impl GateArg {
    fn gate(self) -> Option<Gate> {
        match self {
            Self::Auto => Some(Gate::Auto),
            Self::Manual => Some(Gate::Manual),
            Self::Off => None,
        }
    }
}

fn print(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
