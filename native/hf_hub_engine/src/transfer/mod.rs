//! One file's bytes from the network into a verified partial, however often connections break.
//!
//! Looks after the connections: how many there are, which part each fetches, what
//! becomes of the transfer when one fails. [`connection`] moves the bytes and
//! [`writer`] takes them.

mod concurrency;
mod connection;
mod digest;
mod plan;
mod retry_budget;
mod writer;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use reqwest::Url;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::Commit,
        lock::Lock,
        progress::FileProgress,
        sizes::human,
    },
    cache::{
        partial::{Slot, Verified},
        ranges::Ranges,
    },
    hub::{
        client::{self, Hub},
        file_metadata::{Content, FileMetadata},
        hints,
    },
    transfer::{concurrency::Pace, connection::Stop, plan::Plan, writer::Writer},
    transport::Response,
};

pub(crate) use retry_budget::Patience;

/// Between two measurements of the speed, of which every other one counts: the first
/// after a change is not fair.
const TICK: Duration = Duration::from_millis(100);

/// What to transfer.
pub(crate) struct Transfer<'a> {
    /// The Hub.
    pub(crate) hub: &'a Hub,
    /// The file's URL on the Hub, to ask again when a signed one has expired.
    pub(crate) url: &'a Url,
    /// The commit, where it is known.
    pub(crate) pinned: Option<&'a Commit>,
    /// Whether the metadata is that of a listing, which the file's own headers correct.
    pub(crate) listed: bool,
    /// What the content must be.
    pub(crate) metadata: &'a FileMetadata,
    /// Where it is written.
    pub(crate) slot: Slot,
    /// Whether to take over what a dead attempt left behind.
    pub(crate) resume: bool,
    /// Held until the last byte is written.
    pub(crate) lock: Arc<Lock>,
}

/// How a transfer ended.
pub(crate) enum Outcome {
    /// The content is complete and proved.
    Complete(Box<Verified>),
    /// The file on the Hub is another one by now.
    Changed,
}

/// Where the bytes come from.
enum Source {
    /// From here.
    At(Url),
    /// The Hub has to be asked.
    Unknown,
}

/// What the connections of one transfer share.
struct Crew<'a> {
    transfer: &'a Transfer<'a>,
    writer: &'a Writer,
    progress: &'a FileProgress,
    source: &'a tokio::sync::Mutex<Source>,
    patience: &'a Mutex<Patience>,
    plan: Mutex<Plan>,
    /// Whether each request asks for no more than its part.
    bounded: bool,
    present: AtomicU64,
    working: AtomicUsize,
    wanted: AtomicUsize,
    /// Connections that receive the whole file in one answer.
    whole: AtomicUsize,
    /// Whether more than one connection is of no use.
    alone: AtomicBool,
}

impl Transfer<'_> {
    /// Transfers, beginning with an answer that is already there, if one is.
    pub(crate) async fn run(
        &self,
        content: Option<Content>,
        progress: &FileProgress,
    ) -> Result<Outcome> {
        let (mut opened, source) = match content {
            Some(Content::Here(response)) => (Some(response), Source::Unknown),
            Some(Content::There(url)) => (None, Source::At(url)),
            None => (None, Source::Unknown),
        };
        let (writer, mut present) = self.writer().await?;
        progress.resumed(present.total());
        let source = tokio::sync::Mutex::new(source);
        let patience = Mutex::new(Patience::new(self.hub.retry, present.total()));
        // Without a proof, parts of two contents could not be told from one.
        let is_proved = self.metadata.etag.is_proof();
        let mut most = if is_proved { self.hub.flow.connections(self.metadata.size) } else { 1 };
        loop {
            let smallest = self.hub.flow.smallest_part;
            let size = self.metadata.size.unwrap_or(u64::MAX);
            let crew = Crew {
                transfer: self,
                writer: &writer,
                progress,
                source: &source,
                patience: &patience,
                plan: Mutex::new(Plan::new(&present, size, most, smallest)),
                bounded: most > 1,
                present: AtomicU64::new(present.total()),
                working: AtomicUsize::new(0),
                wanted: AtomicUsize::new(1),
                whole: AtomicUsize::new(0),
                alone: AtomicBool::new(false),
            };
            match crew.run(opened.take(), most).await? {
                Stop::Done => return writer.finish().await.map(Box::new).map(Outcome::Complete),
                Stop::Changed => return Ok(Outcome::Changed),
                // The server knows no ranges, or nothing of those it was asked for.
                Stop::StartOver => {
                    writer.restart().await?;
                    progress.restart();
                    (present, most) = (Ranges::default(), 1);
                }
            }
        }
    }

    async fn writer(&self) -> Result<(Writer, Ranges)> {
        if self.metadata.size.is_some_and(|size| size <= self.hub.flow.in_memory) {
            return Ok((Writer::in_memory(self.slot.clone()), Ranges::default()));
        }
        Writer::on_disk(self.slot.clone(), self.resume, self.lock.clone()).await
    }
}

impl Crew<'_> {
    /// Fetches all that is missing, with at most `most` connections at a time.
    async fn run(&self, opened: Option<Response>, most: usize) -> Result<Stop> {
        let mut pace = Pace::new(most);
        let mut connections = FuturesUnordered::new();
        let mut permits = Vec::new();
        let mut opened = Some(opened);
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        let (mut fair, mut before) = (false, self.present.load(Relaxed));
        loop {
            let wanted = if self.alone.load(Relaxed) { 1 } else { pace.connections() };
            self.wanted.store(wanted, Relaxed);
            permits.truncate(connections.len().saturating_sub(1));
            while self.has_room(connections.len(), wanted) {
                if !connections.is_empty() {
                    let Some(permit) = self.transfer.hub.one_more() else { break };
                    permits.push(permit);
                }
                connections.push(self.connection(opened.take().flatten()));
            }
            // One that sleeps after a failure may have nothing left to do.
            if connections.is_empty() || self.is_complete() {
                return Ok(Stop::Done);
            }
            tokio::select! {
                biased;
                Some(stop) = connections.next() => match stop? {
                    connection::End::Idle => {}
                    connection::End::Refused => pace.refused(connections.len() + 1),
                    connection::End::Stop(stop) => return Ok(stop),
                },
                _ = tick.tick(), if most > 1 => {
                    let now = self.present.load(Relaxed);
                    if fair {
                        pace.measured(now - before);
                    }
                    (fair, before) = (!fair, now);
                }
            }
        }
    }

    fn has_room(&self, connections: usize, wanted: usize) -> bool {
        connections < wanted && !self.plan().is_exhausted()
    }

    fn is_complete(&self) -> bool {
        self.size().is_some_and(|size| self.present.load(Relaxed) >= size)
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the file is, where the Hub tells.
    fn size(&self) -> Option<u64> {
        self.transfer.metadata.size
    }

    /// Whether a wrong content would be noticed.
    fn is_proved(&self) -> bool {
        self.transfer.metadata.etag.is_proof()
    }

    /// The final error: what was tried, and how far it got.
    fn give_up(&self, error: Error) -> Error {
        let present = self.present.load(Relaxed);
        let error = client::tried(error, self.patience().failures());
        let error = if error.is_from_a_store() && connection::may_have_expired(&error) {
            let message = format!("{}{}", error.message(), hints::NEW_LINKS);
            error.with_message(message)
        } else {
            error
        };
        if present == 0 || error.kind() == ErrorKind::ChecksumMismatch {
            return error;
        }
        let of = self.size().map_or_else(String::new, |size| format!(" of {}", human(size)));
        let is_kept = self.is_proved() && matches!(self.writer, Writer::Disk(_));
        let kept = if is_kept { "; the part that arrived is kept" } else { "" };
        let message = format!("{} (at {}{of}{kept})", error.message(), human(present));
        error.with_message(message)
    }
}

#[cfg(test)]
mod tests;
