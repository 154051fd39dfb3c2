//! How many connections and files all calls may have open together, since a process may have only so many.
//!
//! A download takes its place before it asks the Hub for the file, an upload before it reads one, and waits for one where all are taken. Its own
//! requests wait for nothing after that, so those who have a place always come to an end.

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

/// What a transfer may have open: connections to the Hub and to the content's host, two locks, the file and those
/// who hash and flush it.
const FILES_OF_A_TRANSFER: u64 = 8;

/// How long a request waits while no other ends: they may all be streams that nobody reads on.
const STUCK: Duration = Duration::from_secs(10);

/// The places of a process; clones share them.
#[derive(Clone, Debug)]
pub struct Places {
    transfers: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    /// Connections to one host that are kept open, so that those to Hub and store, alone or shared, fit.
    pub idle: usize,
    /// How many requests have had to wait for a place, and got it.
    served: Arc<AtomicU64>,
    /// Whether the requests are those of a transfer that has its place.
    granted: bool,
}

/// A place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Places {
    /// Places for a process that may have `files` open files. It needs some for other things: at least 64, and a
    /// quarter of them all.
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

    /// The place of a download or an upload.
    pub(crate) async fn transfer(&self) -> Place {
        match self.transfers.clone().acquire_owned().await {
            Ok(permit) => Place(permit),
            Err(closed) => unreachable!("nobody closes it: {closed}"),
        }
    }

    /// As these, for the requests of a transfer that has its place.
    pub(crate) fn granted(&self) -> Self {
        Self { granted: true, ..self.clone() }
    }

    /// The place of one request, as long as its response is open. Waits as long as others come to an end.
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

    /// The place of one more connection of a transfer, if there is one.
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
    fn leaves_files_for_others() {
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
    async fn a_transfer_waits_for_another_and_its_requests_for_nothing() {
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
    async fn a_request_waits_as_long_as_others_end() {
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
