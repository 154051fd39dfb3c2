//! The logs of a Space.

use std::path::PathBuf;

use anyhow::Result;

use crate::store::disk;
use crate::store::log::{Log, Tail};

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// That of the build.
    Build,
    /// That of the app.
    Run,
}

/// The logs of one Space.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
}

impl Logs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn log(&self, kind: LogKind) -> Log {
        Log::new(self.folder.join(match kind {
            LogKind::Build => "build.log",
            LogKind::Run => "run.log",
        }))
    }

    /// Appends a line.
    pub(crate) fn append(&self, kind: LogKind, text: &str) -> Result<()> {
        self.log(kind).append(&format!("{text}\n"))
    }

    /// Returns a reader from the beginning of a log, which may not exist yet.
    pub(crate) fn tail(&self, kind: LogKind) -> Tail {
        self.log(kind).tail()
    }

    /// Removes the logs.
    pub(crate) fn remove(&self) -> Result<()> {
        disk::remove_folder(&self.folder)
    }
}
