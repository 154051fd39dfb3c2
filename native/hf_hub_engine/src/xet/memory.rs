//! Memory that transfers share.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{chunks::BUFFER, plan::CHUNK};

/// Unit of the budget, whose numbers are small.
const UNIT: u64 = 1 << 10;

/// Batches of chunks of a part that are in memory at a time: one is unpacked, the others wait to be
/// taken or are being written.
const BATCHES: usize = 3;

/// Memory of a part of which no more is kept than [`BATCHES`], with what has arrived of its next chunk.
pub(super) const FLEETING: u64 = BATCHES as u64 * BUFFER as u64 + 3 * CHUNK;

/// A number of bytes; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    free: Arc<Semaphore>,
    units: u32,
}

impl Memory {
    pub(super) fn new(bytes: u64) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).min(most);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Takes bytes if they are free.
    pub(super) fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.free.clone().try_acquire_many_owned(units).ok()
    }

    /// Returns the number of bytes that are free.
    #[cfg(test)]
    pub(super) fn free(&self) -> u64 {
        self.free.available_permits() as u64 * UNIT
    }

    /// Waits for bytes: for all of them, if there are fewer.
    pub(super) async fn wait(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        // The semaphore is never closed.
        self.free.clone().acquire_many_owned(units).await.ok()
    }
}

/// Returns a part of some memory, or all of it if there is less.
pub(super) fn part(memory: &mut OwnedSemaphorePermit, bytes: u64) -> Option<OwnedSemaphorePermit> {
    let units = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
    memory.split(units.min(memory.num_permits()))
}

/// The memory that the chunks of a part may take.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// For each batch, if there may only be some at a time.
    batches: Option<Arc<Semaphore>>,
    permit: Option<Arc<OwnedSemaphorePermit>>,
}

/// Memory that a batch of chunks takes, until this is dropped.
pub(super) struct Taken {
    _batch: Option<OwnedSemaphorePermit>,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Taken {
    /// Takes the memory for as long as anything refers to the bytes.
    pub(super) fn by(self: Arc<Self>, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Counted { bytes, _taken: self })
    }
}

struct Counted {
    bytes: Bytes,
    _taken: Arc<Taken>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Room {
    /// Returns room for all of a part.
    pub(super) fn whole(permit: OwnedSemaphorePermit) -> Self {
        Self { batches: None, permit: Some(Arc::new(permit)) }
    }

    /// Returns room for some batches at a time; clones share it.
    pub(super) fn fleeting(permit: Option<OwnedSemaphorePermit>) -> Self {
        let batches = Some(Arc::new(Semaphore::new(BATCHES)));
        Self { batches, permit: permit.map(Arc::new) }
    }

    /// Waits until there is room for a batch.
    pub(super) async fn batch(&self) -> Arc<Taken> {
        let batch = match &self.batches {
            // The semaphore is never closed.
            Some(batches) => batches.clone().acquire_owned().await.ok(),
            None => None,
        };
        Arc::new(Taken { _batch: batch, _permit: self.permit.clone() })
    }
}
