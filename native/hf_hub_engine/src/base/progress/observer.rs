//! When an observer of progress is told of it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Activity, Snapshot};

/// Between two messages that the work waits; the first about another process's lock comes after as long.
const WAITING: Duration = Duration::from_secs(10);

/// How long the Hub's limit on requests may hold the work up before that is worth a message.
const PAUSE: Duration = Duration::from_millis(100);

/// What an observer has been told.
#[derive(Debug, Default)]
pub struct Observer {
    shown: Option<Snapshot>,
    waiting: Option<Instant>,
}

impl Observer {
    /// Whether to say now that the work waits: for another process, or until the Hub takes more requests.
    pub fn is_waiting(&mut self, now: &Snapshot) -> bool {
        let patience = match now.activity {
            Activity::WaitingForLock => WAITING,
            Activity::RateLimited => PAUSE,
            _ => {
                self.waiting = None;
                return false;
            }
        };
        let due = *self.waiting.get_or_insert_with(|| Instant::now() + patience) <= Instant::now();
        if due {
            self.waiting = Some(Instant::now() + WAITING);
        }
        due
    }

    /// Whether something has changed since this was last true.
    pub fn has_news(&mut self, now: &Snapshot) -> bool {
        let has_news = self.shown.as_ref() != Some(now);
        if has_news {
            self.shown = Some(now.clone());
        }
        has_news
    }
}
