//! A bandwidth limit in bytes per second, shared by all its clones. It can be changed while
//! transfers wait for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Burst allowed after an idle period, in seconds of the limit.
const BURST: f64 = 0.1;

/// A bandwidth limit; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Bandwidth(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes per second; `None` for no limit.
    limit: Option<u64>,
    /// Bytes that have passed and have not been paid for yet.
    debt: f64,
    /// When the debt was last updated.
    looked: Option<Instant>,
}

impl Bandwidth {
    /// Creates a limit of `limit` bytes per second; `None` for no limit.
    pub fn new(limit: Option<u64>) -> Self {
        let bandwidth = Self::default();
        bandwidth.set(limit);
        bandwidth
    }

    /// Identifies this limit: clones have the same id.
    pub(crate) fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Returns the limit in bytes per second.
    pub fn limit(&self) -> Option<u64> {
        self.state().limit
    }

    /// Changes the limit, also for transfers that are waiting.
    pub fn set(&self, limit: Option<u64>) {
        let mut state = self.state();
        if state.limit != limit {
            state.pay(Instant::now());
            state.limit = limit;
            drop(state);
            self.0.changed.notify_waiters();
        }
    }

    /// Counts `bytes` as passed, then waits until the limit allows the next ones.
    pub async fn pass(&self, bytes: u64) {
        if !self.borrow(bytes) {
            return;
        }
        loop {
            // Registered before the debt is read, so that no change in between is missed.
            let changed = self.0.changed.notified();
            let Some(wait) = self.wait() else { return };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = changed => {}
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a piece is far below 2^52 bytes")]
    fn borrow(&self, bytes: u64) -> bool {
        let mut state = self.state();
        if state.limit.is_none() {
            return false;
        }
        state.pay(Instant::now());
        state.debt += bytes as f64;
        true
    }

    /// Returns how long it takes to pay the debt; `None` if there is none.
    fn wait(&self) -> Option<Duration> {
        let mut state = self.state();
        state.pay(Instant::now());
        let seconds = state.debt / state.rate()?;
        (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    #[expect(clippy::cast_precision_loss, reason = "a limit is not counted byte by byte")]
    fn rate(&self) -> Option<f64> {
        self.limit.map(|limit| limit.max(1) as f64)
    }

    fn pay(&mut self, now: Instant) {
        let elapsed = self.looked.map_or(Duration::ZERO, |looked| now.duration_since(looked));
        self.looked = Some(now);
        self.debt = match self.rate() {
            Some(rate) => (self.debt - elapsed.as_secs_f64() * rate).max(-BURST * rate),
            None => 0.0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn concurrent_transfers_share_one_limit() {
        let limit = Bandwidth::new(Some(1000));
        let start = Instant::now();
        let takers: Vec<_> = (0..10)
            .map(|_| {
                let limit = limit.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        limit.pass(100).await;
                    }
                })
            })
            .collect();
        for taker in takers {
            taker.await.unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        assert!((9.8..10.2).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn changing_the_limit_wakes_waiting_transfers() {
        let limit = Bandwidth::new(Some(1));
        let start = Instant::now();
        let waiting = tokio::spawn({
            let limit = limit.clone();
            async move { limit.pass(1_000_000).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        limit.set(Some(1_000_000));
        waiting.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(3));
        let waiting = tokio::spawn({
            let limit = limit.clone();
            async move { limit.pass(1 << 40).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        limit.set(None);
        waiting.await.unwrap();
        assert_eq!(limit.limit(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_idle_period_allows_only_a_short_burst() {
        let limit = Bandwidth::new(Some(1000));
        limit.pass(1).await;
        tokio::time::sleep(Duration::from_secs(1000)).await;
        let start = Instant::now();
        limit.pass(2000).await;
        assert!(start.elapsed() > Duration::from_millis(1800));
    }
}
