//! Decides when progress is reported to an observer.

use std::time::Duration;

use tokio::time::Instant;

use super::{Activity, Snapshot};

/// Interval between two reports that the work waits; the first one about a lock comes after the same time.
const WAITING: Duration = Duration::from_secs(10);

/// How long the work waits for a rate limit before that is reported.
const PAUSE: Duration = Duration::from_millis(100);

/// What was reported to an observer.
#[derive(Debug, Default)]
pub struct Observer {
    shown: Option<Snapshot>,
    waiting: Option<Instant>,
}

impl Observer {
    /// Returns whether to report now that the work waits, for another process or for a rate limit.
    pub fn is_waiting(&mut self, now: &Snapshot) -> bool {
        let delay = match now.activity {
            Activity::WaitingForLock => WAITING,
            Activity::RateLimited => PAUSE,
            _ => {
                self.waiting = None;
                return false;
            }
        };
        let due = *self.waiting.get_or_insert_with(|| Instant::now() + delay) <= Instant::now();
        if due {
            self.waiting = Some(Instant::now() + WAITING);
        }
        due
    }

    /// Returns whether something has changed since this last returned true.
    pub fn has_news(&mut self, now: &Snapshot) -> bool {
        let has_news = self.shown.as_ref() != Some(now);
        if has_news {
            self.shown = Some(now.clone());
        }
        has_news
    }
}
