//! Transfers one file from the network into a verified partial file, resuming when connections
//! break.
//!
//! This module manages the connections: how many there are, which part each fetches, and what
//! happens when one fails. [`connection`] receives the bytes and [`writer`] stores them.

mod block;
mod concurrency;
mod connection;
mod digest;
mod flusher;
mod from_xet;
mod meter;
mod plan;
mod retry_budget;
mod way;
mod writer;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use reqwest::Url;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Commit, Repo},
        lock::Lock,
        presence::Presence,
        progress::FileProgress,
        ranges::Ranges,
        sizes::human,
    },
    cache::{
        partial::{Slot, Verified},
        storage::Storage,
    },
    hub::{
        client::{self, Hub},
        file_metadata::{Content, FileMetadata},
        hints,
    },
    transfer::{
        concurrency::Concurrency,
        connection::Stop,
        meter::{Meter, Reading, TICK},
        plan::Plan,
        writer::Writer,
    },
    transport::Response,
};

pub(crate) use retry_budget::RetryBudget;
pub(crate) use way::{LONG_PLAN_TIMEOUT, PLAN_TIMEOUT, Way, may_succeed_otherwise};

/// What to transfer.
pub(crate) struct Transfer<'a> {
    /// The Hub to download from.
    pub(crate) hub: &'a Hub,
    /// The repository.
    pub(crate) repo: &'a Repo,
    /// The file's URL on the Hub, requested again when a signed URL has expired.
    pub(crate) url: &'a Url,
    /// The commit, if known.
    pub(crate) pinned: Option<&'a Commit>,
    /// Whether the metadata comes from a listing, which the file's own headers correct.
    pub(crate) listed: bool,
    /// The expected content.
    pub(crate) metadata: &'a FileMetadata,
    /// Where to write it.
    pub(crate) slot: Slot,
    /// Whether to resume from a partial file of an interrupted attempt.
    pub(crate) resume: bool,
    /// Held until the last byte is written.
    pub(crate) lock: Arc<Lock>,
    /// How a small file gets to disk.
    pub(crate) storage: &'a Storage,
}

/// How a transfer ended.
pub(crate) enum Outcome {
    /// The content is complete and verified.
    Complete(Box<Verified>),
    /// The file changed on the Hub.
    Changed,
}

/// Where the bytes come from.
enum Source {
    /// The resolved content URL.
    At(Url),
    /// The Hub has to be asked.
    Unknown,
}

/// The state that the connections of one transfer share.
struct Connections<'a> {
    transfer: &'a Transfer<'a>,
    writer: &'a Writer,
    progress: &'a FileProgress,
    source: &'a tokio::sync::Mutex<Source>,
    retry_budget: &'a Mutex<RetryBudget>,
    plan: Mutex<Plan>,
    /// Whether each request is limited to its part.
    bounded: bool,
    present: AtomicU64,
    working: Presence,
    /// Number of connections that have received bytes of their part.
    flowing: Presence,
    wanted: AtomicUsize,
    /// Number of connections that receive the whole file in one response.
    whole: Presence,
    /// Whether to use only one connection.
    alone: AtomicBool,
}

impl Transfer<'_> {
    /// Fetches everything that is missing over HTTP. Drops `network` when all bytes have been
    /// received.
    async fn by_http<T>(
        &self,
        content: Option<Content>,
        network: &mut Option<T>,
        progress: &FileProgress,
    ) -> Result<Outcome> {
        let (mut opened, source) = match content {
            Some(Content::Here(response)) => (Some(response), Source::Unknown),
            Some(Content::There(url)) => (None, Source::At(url)),
            Some(Content::InXet) | None => (None, Source::Unknown),
        };
        let (writer, mut present) = self.writer(self.hub.flow.island).await?;
        let size = self.metadata.size.unwrap_or(u64::MAX);
        progress.resumed(present.total());
        let source = tokio::sync::Mutex::new(source);
        let retry_budget = Mutex::new(RetryBudget::new(self.hub.retry, present.total()));
        // Without a checksum, mixed parts of two different contents would go unnoticed.
        let is_proved = self.metadata.etag.is_proof();
        let mut most = if is_proved { self.hub.flow.connections(self.metadata.size) } else { 1 };
        loop {
            let smallest = self.hub.flow.smallest_part;
            let shared = Connections {
                transfer: self,
                writer: &writer,
                progress,
                source: &source,
                retry_budget: &retry_budget,
                plan: Mutex::new(Plan::new(&present, size, most, smallest)),
                bounded: most > 1,
                present: AtomicU64::new(present.total()),
                working: Presence::default(),
                flowing: Presence::default(),
                wanted: AtomicUsize::new(1),
                whole: Presence::default(),
                alone: AtomicBool::new(false),
            };
            match shared.run(opened.take(), most).await? {
                Stop::Done => {
                    drop(network.take());
                    return writer.finish().await.map(Box::new).map(Outcome::Complete);
                }
                Stop::Changed => return Ok(Outcome::Changed),
                // The server supports no ranges, or not the requested ones.
                Stop::StartOver => {
                    writer.restart().await?;
                    progress.restart();
                    (present, most) = (Ranges::default(), 1);
                }
            }
        }
    }

    async fn writer(&self, island: u64) -> Result<(Writer, Ranges)> {
        if self.metadata.size.is_some_and(|size| size <= self.hub.flow.in_memory) {
            return Ok((
                Writer::in_memory(self.slot.clone(), self.storage.clone()),
                Ranges::default(),
            ));
        }
        Writer::on_disk(self.slot.clone(), self.resume, island, self.lock.clone()).await
    }
}

impl Connections<'_> {
    /// Fetches all that is missing, with at most `most` concurrent connections.
    async fn run(&self, opened: Option<Response>, most: usize) -> Result<Stop> {
        let mut concurrency = Concurrency::new(most);
        let mut connections = FuturesUnordered::new();
        let mut permits = Vec::new();
        let mut opened = Some(opened);
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        let mut meter = Meter::default();
        loop {
            let wanted = if self.alone.load(Relaxed) { 1 } else { concurrency.connections() };
            self.wanted.store(wanted, Relaxed);
            permits.truncate(connections.len().saturating_sub(1));
            while self.has_room(connections.len(), wanted) {
                if !connections.is_empty() {
                    let Some(permit) = self.transfer.hub.one_more() else { break };
                    permits.push(permit);
                }
                connections.push(self.connection(opened.take().flatten()));
            }
            // A connection that sleeps after a failure may have nothing left to do.
            if connections.is_empty() || self.is_complete() {
                return Ok(Stop::Done);
            }
            tokio::select! {
                biased;
                Some(stop) = connections.next() => match stop? {
                    connection::End::Idle => {}
                    connection::End::Refused => concurrency.refused(connections.len() + 1),
                    connection::End::Stop(stop) => return Ok(stop),
                },
                _ = tick.tick(), if most > 1 => {
                    if let Some(measurement) = meter.tick(self.reading(connections.len())) {
                        concurrency.measured(measurement);
                        self.plan().set_enough(concurrency.is_one_enough());
                    }
                }
            }
        }
    }

    fn reading(&self, connections: usize) -> Reading {
        Reading {
            now: Instant::now(),
            connections,
            flowing: self.flowing.count(),
            file: self.present.load(Relaxed),
            call: self.transfer.hub.flow.received(),
        }
    }

    fn has_room(&self, connections: usize, wanted: usize) -> bool {
        connections < wanted && !self.plan().is_exhausted()
    }

    fn is_complete(&self) -> bool {
        self.size().is_some_and(|size| self.present.load(Relaxed) >= size)
    }

    fn retry_budget(&self) -> MutexGuard<'_, RetryBudget> {
        self.retry_budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the size of the file, if the Hub announced it.
    fn size(&self) -> Option<u64> {
        self.transfer.metadata.size
    }

    /// Whether wrong content would be detected.
    fn is_proved(&self) -> bool {
        self.transfer.metadata.etag.is_proof()
    }

    /// Returns the final error: what was attempted, and how far it got.
    fn give_up(&self, error: Error) -> Error {
        let present = self.present.load(Relaxed);
        let error = client::tried(error, self.retry_budget().failures());
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
        let kept = if is_kept { "; the received part is kept for the next attempt" } else { "" };
        let message = format!("{} (at {}{of}{kept})", error.message(), human(present));
        error.with_message(message)
    }
}

#[cfg(test)]
mod tests;
