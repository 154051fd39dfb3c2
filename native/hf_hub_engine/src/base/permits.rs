//! Limits how many connections and files all calls of the process have open together.
//!
//! A download takes a permit before it requests the file from the Hub, an upload before it reads a
//! file; both wait if all permits are taken. Their own requests never wait after that, so transfers
//! that have a permit always finish.

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

/// The permits of a process; clones share them.
#[derive(Clone, Debug)]
pub struct Permits {
    transfers: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    /// Idle connections to one host that are kept open, chosen so that connections to the Hub and
    /// to the content host fit.
    pub idle: usize,
    /// Number of requests that had to wait for a permit and got one.
    served: Arc<AtomicU64>,
    /// Whether the requests belong to a transfer that already has its permit.
    granted: bool,
}

/// A permit, released when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Permits {
    /// Creates permits for a process that may have `files` open files. At least 64 files and a
    /// quarter of all are left for other purposes.
    pub fn within(files: u64) -> Self {
        let ours = files.saturating_sub((files / 4).max(64));
        let permits = |files: u64| {
            let most = Semaphore::MAX_PERMITS;
            Arc::new(Semaphore::new(usize::try_from(files).unwrap_or(most).clamp(2, most)))
        };
        Self {
            transfers: permits(ours / 2 / FILES_OF_A_TRANSFER),
            connections: permits(ours / 4),
            idle: usize::try_from(ours / 16).unwrap_or(usize::MAX),
            served: Arc::default(),
            granted: false,
        }
    }

    /// Waits for the permit of a download or an upload.
    pub(crate) async fn transfer(&self) -> Permit {
        match self.transfers.clone().acquire_owned().await {
            Ok(permit) => Permit(permit),
            Err(closed) => unreachable!("the semaphore is never closed: {closed}"),
        }
    }

    /// Returns these permits for the requests of a transfer that has its permit.
    pub(crate) fn granted(&self) -> Self {
        Self { granted: true, ..self.clone() }
    }

    /// Waits for the permit of one request, held while its response is open. The wait continues
    /// while other requests finish.
    pub(crate) async fn connection(&self) -> Option<Permit> {
        if self.granted {
            return None;
        }
        if let Some(permit) = self.one_more() {
            return Some(permit);
        }
        let mut turn = pin!(self.connections.clone().acquire_owned());
        loop {
            let before = self.served.load(Relaxed);
            match timeout(STUCK, &mut turn).await {
                Ok(permit) => {
                    self.served.fetch_add(1, Relaxed);
                    return permit.ok().map(Permit);
                }
                Err(_) if self.served.load(Relaxed) == before => return None,
                Err(_) => {}
            }
        }
    }

    /// Returns a permit for one more connection of a transfer, if one is free.
    pub(crate) fn one_more(&self) -> Option<Permit> {
        self.connections.clone().try_acquire_owned().ok().map(Permit)
    }
}

impl Default for Permits {
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
            let permits = Permits::within(files);
            let [transfers, connections] = [&permits.transfers, &permits.connections]
                .map(|permits| permits.available_permits() as u64);
            let used = transfers * FILES_OF_A_TRANSFER + connections + 4 * permits.idle as u64;
            assert!(used <= files - files / 4 && used > files / 2, "{files}: {used}");
        }
        assert_eq!(Permits::within(0).transfers.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_waits_for_another_and_its_own_requests_do_not_wait() {
        let permits = Permits::within(0);
        let first = [permits.transfer().await, permits.transfer().await];
        let third = tokio::spawn({
            let permits = permits.clone();
            async move { permits.transfer().await }
        });
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!third.is_finished());
        drop(first);
        let _third = third.await.unwrap();

        let _all = [permits.connection().await.unwrap(), permits.one_more().unwrap()];
        assert!(permits.one_more().is_none());
        assert!(permits.granted().connection().await.is_none(), "at once");
        let begun = tokio::time::Instant::now();
        assert!(permits.connection().await.is_none());
        assert_eq!(begun.elapsed(), STUCK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_while_others_finish() {
        let permits = Permits::within(0);
        let requests = (0..20).map(|_| {
            let permits = permits.clone();
            tokio::spawn(async move {
                let permit = permits.connection().await;
                tokio::time::sleep(STUCK / 2).await;
                permit.is_some()
            })
        });
        for request in requests.collect::<Vec<_>>() {
            assert!(request.await.unwrap());
        }
    }
}
