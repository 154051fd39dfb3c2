//! The stages of the files of one call: prepared, received, stored.
//!
//! Only receiving is limited to the number of files that the caller has chosen. Files whose lock is
//! being taken, or whose content is being stored, wait for the disk and must not keep others from
//! the network.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cache::storage::Storage;

/// What the files of one call share; clones share it. By default, there is no limit.
#[derive(Clone, Debug, Default)]
pub struct Stages {
    turns: Option<Arc<Semaphore>>,
    /// How they get to disk.
    pub(crate) storage: Storage,
}

/// A turn to receive a file, which ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Stages {
    /// Lets `files` be received at a time, and at least one.
    pub(crate) fn with_turns(files: usize) -> Self {
        let turns = Arc::new(Semaphore::new(files.clamp(1, Semaphore::MAX_PERMITS)));
        Self { turns: Some(turns), storage: Storage::default() }
    }

    /// Waits for a turn to receive a file.
    pub(crate) async fn turn(&self) -> Turn {
        match &self.turns {
            Some(turns) => Turn(turns.clone().acquire_owned().await.ok()),
            None => Turn::default(),
        }
    }
}
