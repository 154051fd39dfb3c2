//! A job as an operating system process.
//!
//! A second process of this program supervises each job: it sets limits that only the process itself
//! can set, and it kills everything that the job has started, also if the server was killed.

mod processes;
#[cfg(unix)]
mod supervisor;

pub(crate) use processes::{below, memory, ticks_per_second};
#[cfg(unix)]
pub(crate) use supervisor::{kill, supervise};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The command of this program that supervises a job.
pub(crate) const COMMAND: &str = "supervise-job";
/// The line that asks a supervisor to stop its job: with SIGTERM first.
pub(crate) const STOP: &str = "stop\n";
/// The line that asks a supervisor to kill its job.
pub(crate) const KILL: &str = "kill\n";

/// Exit statuses as those of a shell.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;
const SIGNALED: i32 = 128;

/// What a supervisor starts: one line of JSON on its standard input, so that no other process sees
/// the secrets.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// The command.
    pub(crate) command: Vec<String>,
    /// The whole environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// The folder in which it runs.
    pub(crate) folder: PathBuf,
    /// Maximum memory of one process, in bytes.
    pub(crate) memory: u64,
    /// Maximum size of a file, in bytes.
    pub(crate) file_size: u64,
}

/// Returns the reason of a supervisor's exit status, if the command could not be run at all.
pub(crate) fn reason(status: i32) -> Option<&'static str> {
    match status {
        NOT_FOUND => Some("the command was not found"),
        NOT_RUN => Some("the command cannot be run"),
        _ => None,
    }
}

/// Does nothing: there are no supervisors.
#[cfg(not(unix))]
pub(crate) fn kill(_supervisor: u32) {}

/// Fails: there are no process groups to supervise.
#[cfg(not(unix))]
pub(crate) fn supervise() -> anyhow::Result<i32> {
    anyhow::bail!("jobs run on Unix systems only")
}
