//! `space`: what an administrator decides about Spaces, which this Hub does not run itself.

use std::io::BufRead;

use anyhow::Result;
use clap::Subcommand;

use super::{RootArg, print};
use crate::store::{LogKind, RepoKey, RepoKind, Script, Stage, script_step};

/// The commands for Spaces.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set the stages that a Space goes through, now and whenever it is started
    Stage {
        #[command(flatten)]
        space: SpaceArg,
        /// Stages and how long each lasts, such as `BUILDING:2 APP_STARTING:1 RUNNING`; the last one
        /// stays. None: the stage depends on the files
        #[arg(value_name = "STAGE[:SECONDS]", value_parser = script_step::<Stage>)]
        steps: Vec<(Stage, f64)>,
    },
    /// Append a line to a log; without text, the lines of standard input
    Log {
        #[command(flatten)]
        space: SpaceArg,
        /// Line
        text: Option<String>,
        /// Append to the log of the build instead of that of the app
        #[arg(long)]
        build: bool,
    },
    /// Print the environment of the app as JSON, secrets included: for an app that is run by hand
    Env {
        #[command(flatten)]
        space: SpaceArg,
    },
}

/// A Space and the root it is in.
#[derive(Debug, clap::Args)]
pub(super) struct SpaceArg {
    /// Space
    id: String,
    #[command(flatten)]
    root: RootArg,
}

impl SpaceArg {
    fn key(&self) -> Result<RepoKey> {
        Ok(RepoKey::new(RepoKind::Space, self.id.parse()?))
    }
}

/// Executes the command.
pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Stage { space, steps } => {
            let script = Script::new(steps);
            space.root.open()?.spaces().update(&space.key()?, |space| {
                space.script = script;
                space.start();
            })?;
            Ok(())
        }
        Command::Log { space, text, build } => {
            let kind = if build { LogKind::Build } else { LogKind::Run };
            log(&space, text, kind)
        }
        Command::Env { space } => {
            let environment = space.root.open()?.spaces().environment(&space.key()?)?;
            print(&serde_json::to_string(&environment)?)
        }
    }
}

fn log(space: &SpaceArg, text: Option<String>, kind: LogKind) -> Result<()> {
    let store = space.root.open()?;
    let repo = store.find(&space.key()?)?;
    let logs = store.spaces().logs(&repo.settings.object_id);
    if let Some(text) = text {
        return logs.append(kind, &text);
    }
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        logs.append(kind, String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']))?;
        line.clear();
    }
    Ok(())
}
