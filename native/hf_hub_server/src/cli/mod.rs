//! The command line: what can be said, and which function it is said to.

mod import;
mod papers;
mod repo;
mod user;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::serve;
use crate::store::{Gate, RepoId, RepoKey, RepoKind, Store};

/// A Hugging Face Hub for one machine or one room.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until stopped; prints where, as one line of JSON
    Serve(serve::Spec),
    /// Commit the content of a folder
    Import(import::Args),
    /// Manage users and tokens
    #[command(subcommand)]
    User(user::Command),
    /// Manage papers
    #[command(subcommand)]
    Papers(papers::Command),
    /// Manage repositories
    #[command(subcommand)]
    Repo(repo::Command),
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(spec) => serve::run(spec),
        Command::Import(args) => import::run(&args),
        Command::User(command) => user::run(command),
        Command::Papers(command) => papers::run(command),
        Command::Repo(command) => repo::run(command),
    }
}

/// Says in one line why something did not work.
pub(crate) fn complain(err: &anyhow::Error) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "hf_hub_server: {err:#}");
}

/// Where a Hub keeps everything.
#[derive(Debug, Args)]
struct RootArg {
    /// Folder the Hub keeps everything in
    #[arg(long)]
    root: PathBuf,
}

impl RootArg {
    fn open(&self) -> Result<Store> {
        Store::open(&self.root)
    }
}

/// Which kind of repository is meant.
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
    /// Everybody who asks is let in
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
