//! Limits how many connections and files all calls of the process have open together.
//!
//! A download takes a place before it requests the file from the Hub, an upload before it reads a
//! file; both wait if all places are taken. Their own requests never wait after that, so transfers
//! that have a place always finish.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Files that a transfer may have open: connections to the Hub and to the content host, two locks,
/// the file, and the handles of the hashing and flushing threads.
const FILES_OF_A_TRANSFER: u64 = 8;

/// How long a request waits while no other one ends: all of them may be streams that are not being
/// read.
const STUCK: Duration = Duration::from_secs(10);

/// The places of a process; clones share them.
#[derive(Clone, Debug)]
pub struct Places {
    transfers: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    /// Idle connections to one host that are kept open, chosen so that connections to the Hub and
    /// to the content host fit.
    pub idle: usize,
    /// Number of requests that had to wait for a place and got one.
    served: Arc<AtomicU64>,
    /// Whether the requests belong to a transfer that already has its place.
    granted: bool,
}

/// A place, released when this is dropped.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Places {
    /// Creates places for a process that may have `files` open files. At least 64 files and a
    /// quarter of all are left for other purposes.
    pub fn within(files: u64) -> Self {
        let ours = files.saturating_sub((files / 4).max(64));
        let places = |files: u64| {
            let most = Semaphore::MAX_PERMITS;
            Arc::new(Semaphore::new(usize::try_from(files).unwrap_or(most).clamp(2, most)))
        };
        Self {
            transfers: places(ours / 2 / FILES_OF_A_TRANSFER),
            connections: places(ours / 4),
            idle: usize::try_from(ours / 16).unwrap_or(usize::MAX),
            served: Arc::default(),
            granted: false,
        }
    }

    /// Waits for the place of a download or an upload.
    pub(crate) async fn transfer(&self) -> Place {
        match self.transfers.clone().acquire_owned().await {
            Ok(permit) => Place(permit),
            Err(closed) => unreachable!("the semaphore is never closed: {closed}"),
        }
    }

    /// Returns these places for the requests of a transfer that has its place.
    pub(crate) fn granted(&self) -> Self {
        Self { granted: true, ..self.clone() }
    }

    /// Waits for the place of one request, held while its response is open. The wait continues
    /// while other requests finish.
    pub(crate) async fn connection(&self) -> Option<Place> {
        if self.granted {
            return None;
        }
        if let Some(place) = self.one_more() {
            return Some(place);
        }
        let mut turn = pin!(self.connections.clone().acquire_owned());
        loop {
            let before = self.served.load(Relaxed);
            match timeout(STUCK, &mut turn).await {
                Ok(permit) => {
                    self.served.fetch_add(1, Relaxed);
                    return permit.ok().map(Place);
                }
                Err(_) if self.served.load(Relaxed) == before => return None,
                Err(_) => {}
            }
        }
    }

    /// Returns a place for one more connection of a transfer, if one is free.
    pub(crate) fn one_more(&self) -> Option<Place> {
        self.connections.clone().try_acquire_owned().ok().map(Place)
    }
}

impl Default for Places {
    fn default() -> Self {
        Self::within(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_files_for_other_purposes() {
        for files in [256, 1024, 4096, 1 << 20] {
            let places = Places::within(files);
            let [transfers, connections] = [&places.transfers, &places.connections]
                .map(|places| places.available_permits() as u64);
            let used = transfers * FILES_OF_A_TRANSFER + connections + 4 * places.idle as u64;
            assert!(used <= files - files / 4 && used > files / 2, "{files}: {used}");
        }
        assert_eq!(Places::within(0).transfers.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_waits_for_another_and_its_own_requests_do_not_wait() {
        let places = Places::within(0);
        let first = [places.transfer().await, places.transfer().await];
        let third = tokio::spawn({
            let places = places.clone();
            async move { places.transfer().await }
        });
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!third.is_finished());
        drop(first);
        let _third = third.await.unwrap();

        let _all = [places.connection().await.unwrap(), places.one_more().unwrap()];
        assert!(places.one_more().is_none());
        assert!(places.granted().connection().await.is_none(), "at once");
        let begun = tokio::time::Instant::now();
        assert!(places.connection().await.is_none());
        assert_eq!(begun.elapsed(), STUCK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_while_others_finish() {
        let places = Places::within(0);
        let requests = (0..20).map(|_| {
            let places = places.clone();
            tokio::spawn(async move {
                let place = places.connection().await;
                tokio::time::sleep(STUCK / 2).await;
                place.is_some()
            })
        });
        for request in requests.collect::<Vec<_>>() {
            assert!(request.await.unwrap());
        }
    }
}
