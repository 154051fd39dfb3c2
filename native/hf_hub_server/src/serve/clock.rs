//! The time by which things happen here that take hours elsewhere: schedules of jobs, states of
//! inference endpoints. Tests set it forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// A clock that may be ahead of that of the machine.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Milliseconds.
    ahead: AtomicI64,
    changed: Notify,
}

impl Clock {
    /// Returns the time.
    pub(super) fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::Relaxed));
        Timestamp::now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    /// Sets the clock forward.
    pub(super) fn advance(&self, seconds: u32) {
        self.ahead.fetch_add(i64::from(seconds) * 1000, Ordering::Relaxed);
        self.wake();
    }

    /// Ends the sleep of those who wait for a time.
    pub(super) fn wake(&self) {
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Sleeps until a time, at most for `most`, or until the clock is set or [`Self::wake`] is called.
    pub(super) async fn sleep_until(&self, time: Option<Timestamp>, most: Duration) {
        let left = time.map(|time| time.duration_since(self.now()));
        let left = left.map_or(most, |left| Duration::try_from(left).unwrap_or_default().min(most));
        let _ = timeout(left, self.changed.notified()).await;
        // Not more often than a clock can tell.
        sleep(Duration::from_millis(1)).await;
    }
}
