//! A download from a storage: the plan of the next bytes, the parts of objects that it names, and
//! the bytes, which are passed on while they arrive.
//!
//! Memory is bounded whatever a storage sends: a plan by its size, and what has arrived by a budget
//! of all downloads. Where bytes are wanted in their order, those that are not next are kept, and a
//! part is requested only if there is memory for all of it; else a part takes what is on its way.
//! A download that is fetching nothing needs no room for its next part, so none waits for another.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};

use super::{
    Download, Order, Running,
    memory::Memory,
    plan::{self, Block},
    read_ahead::ReadAhead,
    requests::Requests,
};
use crate::base::{
    blocking,
    error::{Error, ErrorKind, Result},
    ranges::Ranges,
};

/// Bytes of the file for which a plan is requested.
const WINDOW: u64 = 128 << 20;

/// Batches of bytes that wait to be returned, of all parts.
const QUEUE: usize = 2;

/// Memory of a part whose bytes are returned as they arrive: a batch, and what it is made of.
const ON_ITS_WAY: u64 = 1 << 20;

/// A range of a file that is being downloaded.
pub(super) struct Reconstruction {
    requests: Arc<Requests>,
    memory: Memory,
    ahead: ReadAhead,
    order: Order,
    /// Where the range ends.
    end: u64,
    /// Where the next bytes begin, if they are wanted in their order.
    next: u64,
    /// What no plan was requested for, in order.
    unplanned: VecDeque<Range<u64>>,
    is_planning: bool,
    /// Parts of objects that are not being fetched yet, in the order of their first use.
    waiting: VecDeque<Block>,
    /// The number of parts so far.
    parts: usize,
    /// Those that are being fetched, or of which nothing was returned.
    open: HashMap<usize, Open>,
    running: JoinSet<()>,
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    arrived: Ranges,
    /// What was not returned, by where it begins in the file.
    held: BTreeMap<u64, Held>,
    failure: Option<Error>,
    /// How much had arrived when links that had expired were replaced.
    relinked: Option<u64>,
}

/// A part that is being fetched, or of which nothing was returned.
#[derive(Default)]
struct Open {
    has_arrived: bool,
    is_used: bool,
}

/// Bytes of a part.
struct Held {
    part: usize,
    bytes: Bytes,
    _memory: Arc<Option<OwnedSemaphorePermit>>,
}

enum Event {
    Plan(Result<Vec<Block>>),
    /// Bytes, and where they begin in the file.
    Bytes(u64, Held),
    /// All bytes of a part have been passed on.
    Part(usize, Result<()>),
}

impl Reconstruction {
    pub(super) fn new(
        requests: Requests,
        memory: Memory,
        connections: usize,
        range: Range<u64>,
        order: Order,
    ) -> Self {
        let (sender, events) = mpsc::channel(QUEUE);
        Self {
            requests: Arc::new(requests),
            memory,
            ahead: ReadAhead::new(connections),
            order,
            end: range.end,
            next: range.start,
            arrived: Ranges::prefix_of(range.start),
            unplanned: VecDeque::from([range]),
            is_planning: false,
            waiting: VecDeque::new(),
            parts: 0,
            open: HashMap::new(),
            running: JoinSet::new(),
            sender,
            events,
            held: BTreeMap::new(),
            failure: None,
            relinked: None,
        }
    }

    async fn proceed(&mut self) -> Result<Option<(u64, Bytes)>> {
        loop {
            self.start();
            if let Some(next) = self.take() {
                return Ok(Some(next));
            }
            if self.arrived.prefix() >= self.end {
                return Ok(None);
            }
            if !self.is_planning && !self.is_fetching() {
                self.recover()?;
                continue;
            }
            let began = Instant::now();
            let event = self.event().await;
            self.ahead.waited(began.elapsed());
            self.collect(event);
        }
    }

    /// Starts as many requests as there is room for.
    fn start(&mut self) {
        if self.failure.is_some() {
            return;
        }
        if !self.is_planning && self.waiting.is_empty() {
            self.plan();
        }
        while let Some(block) = self.waiting.front() {
            let is_urgent = self.is_next(block) || !self.is_fetching();
            if self.open.len() >= self.ahead.limit() && !is_urgent {
                return;
            }
            let permit = self.memory.take(match self.order {
                Order::OfTheFile => block.unpacked,
                Order::OfArrival => block.unpacked.min(ON_ITS_WAY),
            });
            if permit.is_none() && !is_urgent {
                return;
            }
            if let Some(block) = self.waiting.pop_front() {
                self.fetch(block, permit);
            }
        }
    }

    /// Requests a plan of what is missing next.
    fn plan(&mut self) {
        let Some(first) = self.unplanned.front() else { return };
        let (start, most) = (first.start, first.start.saturating_add(WINDOW));
        let mut wanted = Vec::new();
        while let Some(next) = self.unplanned.front_mut().filter(|next| next.start < most) {
            wanted.push(next.start..next.end.min(most));
            next.start = next.end.min(most);
            if next.is_empty() {
                self.unplanned.pop_front();
            }
        }
        let end = wanted.last().map_or(start, |last| last.end);
        self.is_planning = true;
        let (requests, sender) = (self.requests.clone(), self.sender.clone());
        self.running.spawn(async move {
            let blocks = requests.plan(&(start..end)).await;
            let blocks = blocks.map(|blocks| plan::limited(blocks, &wanted));
            // The receiver goes with the tasks.
            let _ = sender.send(Event::Plan(blocks)).await;
        });
    }

    fn fetch(&mut self, block: Block, permit: Option<OwnedSemaphorePermit>) {
        let part = self.parts;
        self.parts += 1;
        self.open.insert(part, Open::default());
        let (requests, sender, memory) =
            (self.requests.clone(), self.sender.clone(), Arc::new(permit));
        self.running.spawn(async move {
            let pass = |at, bytes| {
                let (sender, held) = (&sender, Held { part, bytes, _memory: memory.clone() });
                async move { drop(sender.send(Event::Bytes(at, held)).await) }
            };
            let fetched = requests.block(block, pass).await;
            let _ = sender.send(Event::Part(part, fetched)).await;
        });
    }

    /// Whether the next bytes are in a part.
    fn is_next(&self, block: &Block) -> bool {
        let first = block.pieces.first().map(|piece| piece.at);
        self.order == Order::OfTheFile && first == Some(self.next)
    }

    fn is_fetching(&self) -> bool {
        self.open.values().any(|part| !part.has_arrived)
    }

    /// Waits for the next event.
    async fn event(&mut self) -> Event {
        loop {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return event,
                // A task that has panicked sends none.
                Some(ended) = self.running.join_next() => blocking::join(ended),
            }
        }
    }

    fn collect(&mut self, event: Event) {
        match event {
            Event::Plan(planned) => {
                self.is_planning = false;
                match planned {
                    Ok(blocks) => self.waiting.extend(blocks),
                    Err(error) => drop(self.failure.get_or_insert(error)),
                }
            }
            Event::Bytes(at, held) => {
                self.arrived.add(at..at + held.bytes.len() as u64);
                self.held.insert(at, held);
            }
            Event::Part(part, fetched) => {
                self.change(part, |part| part.has_arrived = true);
                // What was requested before is returned first.
                if let Err(error) = fetched {
                    self.failure.get_or_insert(error);
                }
            }
        }
    }

    fn change(&mut self, part: usize, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.open.get_mut(&part) {
            change(open);
            if open.has_arrived && open.is_used {
                self.open.remove(&part);
            }
        }
    }

    /// Returns the next bytes if they have arrived.
    fn take(&mut self) -> Option<(u64, Bytes)> {
        let first = self.held.first_entry()?;
        if self.order == Order::OfTheFile && *first.key() != self.next {
            return None;
        }
        let (at, Held { part, bytes, .. }) = first.remove_entry();
        let length = bytes.len() as u64;
        self.next = at + length;
        self.ahead.returned(length);
        self.change(part, |part| part.is_used = true);
        Some((at, bytes))
    }

    /// Requests new links if some have expired; else, and if that did not help, returns the error.
    fn recover(&mut self) -> Result<()> {
        let error = self.failure.take().unwrap_or_else(|| {
            let message = "nothing is left to fetch".to_owned();
            self.requests.exchange.access.failed(ErrorKind::Internal, message)
        });
        let is_expired = matches!(error.status(), Some(401 | 403));
        let is_link = error.kind() == ErrorKind::Forbidden;
        let arrived = self.arrived.total();
        if !is_expired || !is_link || self.relinked == Some(arrived) {
            let message = format!("cannot download from Xet storage: {}", error.message());
            return Err(error.with_message(message).from_a_store());
        }
        self.relinked = Some(arrived);
        self.waiting.clear();
        // Nothing was returned of a part that failed at once.
        self.open.clear();
        self.unplanned = self.arrived.missing(self.end).into();
        Ok(())
    }
}

impl Download for Reconstruction {
    fn next(&mut self) -> Running<'_, Option<(u64, Bytes)>> {
        Box::pin(self.proceed())
    }
}

#[cfg(test)]
mod tests;
