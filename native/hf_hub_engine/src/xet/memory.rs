//! Memory that transfers share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Unit of the budget, whose numbers are small.
const UNIT: u64 = 1 << 10;

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

    /// Waits for bytes: for all of them, if there are fewer.
    pub(super) async fn wait(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        // The semaphore is never closed.
        self.free.clone().acquire_many_owned(units).await.ok()
    }
}
