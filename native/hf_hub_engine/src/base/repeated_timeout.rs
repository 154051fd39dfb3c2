//! A timeout for many waits in a row, of which few last long.
//!
//! A timer for each wait would take the lock of the runtime's timers twice for each piece of a body,
//! and wake the thread that waits for the next timer. Here one timer serves all waits: it is moved
//! only when it has fired too early.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Limits the time of each of many waits.
#[derive(Debug)]
pub(crate) struct RepeatedTimeout {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl RepeatedTimeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Returns the maximum time of a wait.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for `work`; `None` if it takes longer than the limit.
    pub(crate) async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut end) = (pin!(work), None);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let end = *end.get_or_insert_with(|| Instant::now() + self.limit);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
            while timer.as_mut().poll(context).is_ready() {
                if timer.deadline() >= end {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(end);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_the_whole_limit() {
        let mut timeout = RepeatedTimeout::new(Duration::from_millis(100));
        for _ in 0..50 {
            assert!(timeout.wait(sleep(Duration::from_millis(70))).await.is_some());
            sleep(Duration::from_millis(40)).await;
        }
        let began = Instant::now();
        assert!(timeout.wait(std::future::pending::<()>()).await.is_none());
        assert_eq!(began.elapsed().as_millis(), 100);
        assert!(timeout.wait(async { "after it" }).await.is_some());
        assert!(timeout.wait(sleep(Duration::from_millis(99))).await.is_some());
        assert!(timeout.wait(sleep(Duration::from_millis(101))).await.is_none());
    }
}
