//! Decides when progress is reported to an observer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{Activity, Progress, Snapshot};

/// Minimum interval between two reports.
const TICK: Duration = Duration::from_millis(100);

/// Interval between two reports that the work waits; the first one about a lock comes after the same time.
const WAITING: Duration = Duration::from_secs(10);

/// How long the work waits for a rate limit before that is reported.
const PAUSE: Duration = Duration::from_millis(100);

/// Confirms that an observer has read a change; clones share it. The next change is only reported
/// then, so that reports do not pile up before a slow reader.
#[derive(Clone, Debug)]
pub struct Receipt(Arc<AtomicBool>);

impl Default for Receipt {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Receipt {
    /// Confirms the last change.
    pub fn confirm(&self) {
        self.0.store(true, Relaxed);
    }
}

/// What is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whether the work waits, for another process or for a rate limit.
    pub waits: bool,
    /// Whether the progress is reported.
    pub changed: bool,
    /// The progress.
    pub now: Snapshot,
}

/// Watches the progress of an operation for a reader.
#[derive(Debug)]
pub struct Observer {
    progress: Progress,
    closely: Option<bool>,
    receipt: Receipt,
    ticks: Interval,
    shown: Option<Snapshot>,
    waiting: Option<Instant>,
}

impl Observer {
    /// Creates an observer. `closely`: whether changes are reported, or only that the work waits;
    /// `None` for neither.
    pub fn new(progress: Progress, closely: Option<bool>, receipt: Receipt) -> Self {
        // Not `interval`, whose first tick comes at once.
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { progress, closely, receipt, ticks, shown: None, waiting: None }
    }

    /// Waits until there is something to report. Nothing is lost if this is dropped.
    pub async fn next(&mut self) -> News {
        loop {
            if self.closely.is_none() {
                std::future::pending::<()>().await;
            }
            self.ticks.tick().await;
            let news = self.news(false);
            if news.waits || news.changed {
                return news;
            }
        }
    }

    /// Returns what remains to be reported at the end, confirmed or not.
    pub fn last(&mut self) -> News {
        self.news(true)
    }

    fn news(&mut self, last: bool) -> News {
        let now = self.progress.snapshot();
        let waits = self.closely.is_some() && self.is_waiting(&now);
        let read = last || self.receipt.0.load(Relaxed);
        let changed = self.closely == Some(true) && read && self.shown.as_ref() != Some(&now);
        if changed {
            self.receipt.0.store(false, Relaxed);
            self.shown = Some(now.clone());
        }
        News { waits, changed, now }
    }

    fn is_waiting(&mut self, now: &Snapshot) -> bool {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reports_a_change_only_after_the_last_one_was_confirmed() {
        let (progress, receipt) = (Progress::default(), Receipt::default());
        let mut observer = Observer::new(progress.clone(), Some(true), receipt.clone());
        assert!(observer.next().await.changed);
        progress.add_files(1);
        let unread = tokio::time::timeout(100 * TICK, observer.next()).await;
        assert!(unread.is_err(), "{unread:?}");
        receipt.confirm();
        assert_eq!(observer.next().await.now.files_total, 1);
        receipt.confirm();
        assert!(!observer.last().changed, "nothing has changed since");
        progress.add_files(1);
        assert!(observer.last().changed);
        progress.add_files(1);
        assert!(observer.last().changed, "the last report needs no confirmation");
    }

    #[tokio::test(start_paused = true)]
    async fn reports_every_ten_seconds_that_the_work_waits() {
        let progress = Progress::default();
        let mut observer = Observer::new(progress.clone(), Some(false), Receipt::default());
        progress.set_activity(Activity::WaitingForLock, None);
        for _ in 0..2 {
            let start = Instant::now();
            let news = observer.next().await;
            assert!(news.waits && !news.changed);
            let took = start.elapsed();
            assert!((WAITING..=WAITING + TICK).contains(&took), "{took:?}");
        }
        progress.set_activity(Activity::RateLimited, None);
        assert!(observer.next().await.waits);
    }

    #[tokio::test(start_paused = true)]
    async fn reports_nothing_to_a_reader_that_wants_nothing() {
        let progress = Progress::default();
        progress.set_activity(Activity::WaitingForLock, None);
        let mut observer = Observer::new(progress, None, Receipt::default());
        assert!(tokio::time::timeout(100 * TICK, observer.next()).await.is_err());
        let last = observer.last();
        assert!(!last.waits && !last.changed);
    }
}
