//! Shows the progress of an upload to Xet storage, and notices when there is none.

use std::time::Duration;

use tokio::time::{Instant, Interval, interval};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        progress::FileProgress,
    },
    xet::{Sent, Upload},
};

/// Interval of looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// Factor by which a request, and the end of a session, in which the storage verifies all files, may
/// take longer than the idle timeout.
pub(super) const WORKING: u32 = 10;

/// The progress of a session.
pub(super) struct Watch {
    counts: FileProgress,
    silence: Duration,
    /// How long the storage may accept nothing at first.
    start: Duration,
    ticks: Interval,
    seen: (Sent, u64),
    moved: Instant,
}

impl Watch {
    pub(super) fn new(counts: FileProgress, silence: Duration, start: Duration) -> Self {
        let seen = (Sent::default(), 0);
        Self { counts, silence, start, ticks: interval(TICK), seen, moved: Instant::now() }
    }

    pub(super) async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// Counts what was sent since the last look; an error after `factor` times the idle timeout
    /// without any.
    pub(super) fn look(&mut self, sent: Sent, factor: u32) -> Result<()> {
        let read = self.counts.operation().snapshot().bytes_hashed;
        let before = self.seen.0;
        self.counts.sent(
            sent.transferred.saturating_sub(before.transferred),
            sent.done.saturating_sub(before.done),
        );
        if sent.is_waiting || self.seen != (sent, read) {
            (self.seen, self.moved) = ((sent, read), Instant::now());
        }
        let working = self.silence.saturating_mul(factor);
        let limit = if self.has_accepted() { working } else { working.min(self.start) };
        if self.moved.elapsed() < limit {
            return Ok(());
        }
        let message = format!("the storage has accepted nothing for {} s", limit.as_secs());
        Err(Error::new(ErrorKind::Timeout, message).from_a_store())
    }

    /// Whether the storage has taken, or reported, anything.
    pub(super) fn has_accepted(&self) -> bool {
        self.seen.0.transferred > 0 || self.seen.0.registered > 0
    }

    /// Ends the session: the storage registers its files.
    pub(super) async fn finish(&mut self, upload: &dyn Upload) -> Result<()> {
        let mut finishing = upload.finish();
        self.moved = Instant::now();
        loop {
            tokio::select! {
                finished = &mut finishing => {
                    let looked = self.look(upload.sent(), WORKING);
                    return finished.and(looked);
                }
                () = self.tick() => self.look(upload.sent(), WORKING)?,
            }
        }
    }

    /// Counts from the start again: the session has failed.
    pub(super) fn restart(&self) {
        self.counts.restart();
    }

    /// Counts the rest of the files: what the storage had is reported late, or not at all.
    pub(super) fn end(&self, bytes: u64) {
        self.counts.sent(0, bytes.saturating_sub(self.seen.0.done));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::progress::Progress,
        xet::{Running, Writing},
    };

    /// An upload without any response of the storage, which may have accepted something before.
    struct Silent(Sent);

    impl Upload for Silent {
        fn file(&self) -> Box<dyn Writing> {
            unreachable!("no file is read")
        }

        fn finish(&self) -> Running<'_, ()> {
            Box::pin(std::future::pending())
        }

        fn sent(&self) -> Sent {
            self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_waits_for_others_is_not_stalled() {
        let silence = Duration::from_secs(1);
        let counts = Progress::default().start_file("f", Some(0));
        let mut watch = Watch::new(counts, silence, silence);
        let waiting = Sent { is_waiting: true, ..Sent::default() };
        for (sent, is_right) in
            [(waiting, true), (waiting, true), (Sent::default(), true), (Sent::default(), false)]
        {
            tokio::time::advance(2 * silence).await;
            assert_eq!(watch.look(sent, 1).is_ok(), is_right, "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_accepts_nothing_is_given_up_before_15_seconds() {
        let accepted = Sent { transferred: 1, ..Sent::default() };
        for (sent, start, limits) in [
            (Sent::default(), Duration::from_secs(10), 9..15),
            (Sent::default(), Duration::MAX, 599..602),
            (accepted, Duration::from_secs(10), 599..602),
        ] {
            let silence = Duration::from_mins(1);
            let counts = Progress::default().start_file("f", Some(0));
            let mut watch = Watch::new(counts, silence, start);
            let began = Instant::now();
            let error = watch.finish(&Silent(sent)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(limits.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        }
    }
}
