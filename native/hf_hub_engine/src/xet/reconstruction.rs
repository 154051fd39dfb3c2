//! A download from a storage: the plan of the next bytes, the parts of objects that it names, and
//! the bytes in their order.
//!
//! Memory is bounded whatever a storage sends: a plan by its size, a part of an object by what its
//! pieces may contain, and all downloads by a common budget. A download whose next bytes do not fit
//! fetches them nevertheless, so none waits for another one.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};

use super::{
    Download, Running,
    chunks::Chunks,
    memory::Memory,
    plan::{Block, Piece, Plan},
    read_ahead::ReadAhead,
    requests::Requests,
};
use crate::base::{
    blocking,
    error::{Error, ErrorKind, Result},
};

/// Bytes of the file for which a plan is requested.
const WINDOW: u64 = 128 << 20;

/// A range of a file that is being downloaded.
pub(super) struct Reconstruction {
    requests: Arc<Requests>,
    memory: Memory,
    ahead: ReadAhead,
    /// What has not been returned yet.
    left: Range<u64>,
    /// Up to where plans were requested.
    planned: u64,
    is_planning: bool,
    pieces: VecDeque<Piece>,
    /// Parts of objects that are not being fetched yet, in the order of their first use.
    waiting: VecDeque<(usize, Block)>,
    /// The number of parts so far.
    blocks: usize,
    /// How often each part is still needed.
    uses: HashMap<usize, usize>,
    ready: HashMap<usize, Ready>,
    /// The number of parts that have arrived, and of which nothing was returned.
    fresh: usize,
    running: JoinSet<Done>,
    failure: Option<Error>,
    /// Where links that had expired were replaced.
    relinked: Option<u64>,
}

/// A part of an object that has arrived.
struct Ready {
    chunks: Chunks,
    is_fresh: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

enum Done {
    Plan(Result<Plan>),
    Block(usize, Result<Ready>),
}

impl Reconstruction {
    pub(super) fn new(
        requests: Requests,
        memory: Memory,
        connections: usize,
        range: Range<u64>,
    ) -> Self {
        Self {
            requests: Arc::new(requests),
            memory,
            ahead: ReadAhead::new(connections),
            planned: range.start,
            left: range,
            is_planning: false,
            pieces: VecDeque::new(),
            waiting: VecDeque::new(),
            blocks: 0,
            uses: HashMap::new(),
            ready: HashMap::new(),
            fresh: 0,
            running: JoinSet::new(),
            failure: None,
            relinked: None,
        }
    }

    async fn proceed(&mut self) -> Result<Option<Bytes>> {
        while self.left.start < self.left.end {
            self.start();
            if let Some(bytes) = self.cut()? {
                return Ok(Some(bytes));
            }
            let began = Instant::now();
            let done = self.running.join_next().await;
            self.ahead.waited(began.elapsed());
            match done {
                Some(done) => self.collect(blocking::join(done)),
                None => self.recover()?,
            }
        }
        Ok(None)
    }

    /// Starts as many requests as there is room for.
    fn start(&mut self) {
        if self.failure.is_some() {
            return;
        }
        if self.planned < self.left.end && !self.is_planning && self.waiting.is_empty() {
            let range = self.planned..self.left.end.min(self.planned + WINDOW);
            (self.planned, self.is_planning) = (range.end, true);
            let requests = self.requests.clone();
            self.running.spawn(async move { Done::Plan(requests.plan(range).await) });
        }
        while let Some((id, block)) = self.waiting.front() {
            let is_next = self.pieces.front().is_some_and(|piece| piece.block == *id);
            let planning = usize::from(self.is_planning);
            let ahead = self.running.len().saturating_sub(planning) + self.fresh;
            if ahead >= self.ahead.limit() && !is_next {
                return;
            }
            // The packed chunk that each connection holds is not counted: the default would have
            // no room for two whole objects.
            let permit = self.memory.take(block.unpacked);
            if permit.is_none() && !is_next {
                return;
            }
            if let Some((id, block)) = self.waiting.pop_front() {
                let requests = self.requests.clone();
                self.running.spawn(async move {
                    let chunks = requests.block(&block).await;
                    let ready = |chunks| Ready { chunks, is_fresh: true, _permit: permit };
                    Done::Block(id, chunks.map(ready))
                });
            }
        }
    }

    /// Returns the next bytes if they have arrived.
    fn cut(&mut self) -> Result<Option<Bytes>> {
        let Some(piece) = self.pieces.front() else { return Ok(None) };
        let Some(ready) = self.ready.get_mut(&piece.block) else { return Ok(None) };
        self.fresh -= usize::from(std::mem::take(&mut ready.is_fresh));
        let bytes = ready.chunks.cut(piece).map_err(|why| {
            let message = format!("the storage sent an invalid object: {why}");
            self.failed(ErrorKind::InvalidResponse, message)
        })?;
        self.ahead.returned(piece.take);
        let block = piece.block;
        self.left.start += piece.take;
        self.pieces.pop_front();
        if let Some(uses) = self.uses.get_mut(&block) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&block);
                self.ready.remove(&block);
            }
        }
        Ok(Some(bytes))
    }

    fn collect(&mut self, done: Done) {
        match done {
            Done::Plan(Ok(plan)) => {
                self.is_planning = false;
                self.add(plan);
            }
            Done::Block(id, Ok(block)) => {
                self.fresh += 1;
                self.ready.insert(id, block);
            }
            // What was requested before it is returned first.
            Done::Plan(Err(error)) | Done::Block(_, Err(error)) => {
                self.failure.get_or_insert(error);
            }
        }
    }

    fn add(&mut self, plan: Plan) {
        let first = self.blocks;
        self.blocks += plan.blocks.len();
        for (id, block) in (first..).zip(plan.blocks) {
            self.uses.insert(id, block.uses);
            self.waiting.push_back((id, block));
        }
        let pieces = plan.pieces.into_iter();
        self.pieces.extend(pieces.map(|piece| Piece { block: first + piece.block, ..piece }));
    }

    /// Requests new links if some have expired; else, and if that did not help, returns the error.
    fn recover(&mut self) -> Result<()> {
        let error = self.failure.take().unwrap_or_else(|| {
            self.failed(ErrorKind::Internal, "nothing is left to fetch".to_owned())
        });
        let is_expired = matches!(error.status(), Some(401 | 403));
        let is_link = error.kind() == ErrorKind::Forbidden;
        if !is_expired || !is_link || self.relinked == Some(self.left.start) {
            let message = format!("cannot download from Xet storage: {}", error.message());
            return Err(error.with_message(message).from_a_store());
        }
        self.relinked = Some(self.left.start);
        self.pieces.clear();
        self.waiting.clear();
        self.uses.clear();
        self.ready.clear();
        self.fresh = 0;
        (self.planned, self.is_planning) = (self.left.start, false);
        Ok(())
    }

    fn failed(&self, kind: ErrorKind, message: String) -> Error {
        Error::new(kind, message).with_url(&self.requests.exchange.access.storage).from_a_store()
    }
}

impl Download for Reconstruction {
    fn next(&mut self) -> Running<'_, Option<Bytes>> {
        Box::pin(self.proceed())
    }
}

#[cfg(test)]
mod tests;
