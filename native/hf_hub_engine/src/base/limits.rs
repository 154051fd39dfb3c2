//! How bytes flow: how fast, and over how many connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::{
    bandwidth::Bandwidth,
    error::{Error, ErrorKind, Result},
};

/// The limits of one call; clones share them.
#[derive(Clone, Debug)]
pub struct Flow {
    /// How many connections one file may have.
    connections: usize,
    /// Connections beyond the first of each file, over all files of the call.
    more: Arc<Semaphore>,
    /// Each must let every byte of a file's content pass.
    pub bandwidth: Vec<Bandwidth>,
    /// Bytes up to which a file is collected in memory and written at once.
    pub in_memory: u64,
    /// Bytes from which a file may have several connections.
    pub parallel_from: u64,
    /// The smallest part of a file that gets a request of its own, in bytes.
    pub smallest_part: u64,
    /// The largest content of unannounced length, in bytes. It may be small content that was compressed on the
    /// way, and then it has no natural end.
    pub unannounced: u64,
}

impl Flow {
    /// At most `connections` for one file, and as many in all beyond the first of each file.
    pub fn new(connections: usize, bandwidth: Vec<Bandwidth>) -> Self {
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            connections,
            more: Arc::new(Semaphore::new(connections - 1)),
            bandwidth,
            in_memory: 256 << 10,
            parallel_from: 16 << 20,
            smallest_part: 4 << 20,
            unannounced: 1 << 30,
        }
    }

    /// How many connections a file of `size` bytes may have.
    pub(crate) fn connections(&self, size: Option<u64>) -> usize {
        if size.is_some_and(|size| size >= self.parallel_from) { self.connections } else { 1 }
    }

    /// Leave for one more connection, if the call has one left.
    pub(crate) fn one_more(&self) -> Option<OwnedSemaphorePermit> {
        self.more.clone().try_acquire_owned().ok()
    }

    /// Refuses content of unannounced length of which more than the limit has come.
    pub(crate) fn check_unannounced(&self, bytes: u64) -> Result<()> {
        if bytes <= self.unannounced {
            return Ok(());
        }
        let message = format!(
            "more than {} bytes came and the server announced no length; content without a length is limited to that",
            self.unannounced
        );
        Err(Error::new(ErrorKind::InvalidResponse, message))
    }

    /// Waits until `bytes` may have passed.
    pub(crate) async fn pass(&self, bytes: usize) {
        for limit in &self.bandwidth {
            limit.pass(bytes as u64).await;
        }
    }
}
