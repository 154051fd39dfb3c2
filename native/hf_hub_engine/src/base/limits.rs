//! Limits of a transfer: bandwidth and number of connections.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::{
    bandwidth::Bandwidth,
    error::{Error, ErrorKind, Result},
};

/// The limits of one call; clones share them.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Maximum number of connections per file.
    connections: usize,
    /// Permits for connections beyond the first of each file, over all files of the call.
    more: Arc<Semaphore>,
    /// Bytes that the call has received so far.
    received: Arc<AtomicU64>,
    /// Bandwidth limits; each applies to every byte of a file's content.
    pub bandwidth: Vec<Bandwidth>,
    /// Maximum size of a file that is collected in memory and written at once, in bytes.
    pub in_memory: u64,
    /// Minimum size of a file that may use several connections, in bytes.
    pub parallel_from: u64,
    /// Minimum size of a part that gets a request of its own, in bytes.
    pub smallest_part: u64,
    /// Minimum number of bytes between two gaps of a partial file that are kept: requesting fewer
    /// again takes less time than another request.
    pub island: u64,
    /// Maximum size of content without an announced length, in bytes. Compressed content has no
    /// announced length, and a small response can expand without end.
    pub unannounced: u64,
}

impl Flow {
    /// Allows `connections` per file, and as many in total beyond the first of each file.
    pub fn new(connections: usize, bandwidth: Vec<Bandwidth>) -> Self {
        let connections = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            connections,
            more: Arc::new(Semaphore::new(connections - 1)),
            received: Arc::default(),
            bandwidth,
            in_memory: 256 << 10,
            parallel_from: 16 << 20,
            smallest_part: 4 << 20,
            island: 256 << 10,
            unannounced: 1 << 30,
        }
    }

    /// Returns how many connections a file of `size` bytes may use.
    pub(crate) fn connections(&self, size: Option<u64>) -> usize {
        if size.is_some_and(|size| size >= self.parallel_from) { self.connections } else { 1 }
    }

    /// Returns a permit for one more connection, if the call has one left.
    pub(crate) fn one_more(&self) -> Option<OwnedSemaphorePermit> {
        self.more.clone().try_acquire_owned().ok()
    }

    /// Returns an error if more bytes arrived than content without an announced length may have.
    pub(crate) fn check_unannounced(&self, bytes: u64) -> Result<()> {
        if bytes <= self.unannounced {
            return Ok(());
        }
        let message = format!(
            "content without a Content-Length header is limited to {} bytes, and the server sent more",
            self.unannounced
        );
        Err(Error::new(ErrorKind::InvalidResponse, message))
    }

    /// Returns how many bytes have passed in all transfers of the call.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Waits until `bytes` may pass.
    pub(crate) async fn pass(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
        for limit in &self.bandwidth {
            limit.pass(bytes as u64).await;
        }
    }
}
