//! A download from a storage: the plan of the next bytes, the parts of objects that it names, and
//! the bytes, which are passed on while they arrive.
//!
//! Memory is bounded whatever a storage sends, by a budget of all downloads. Where bytes are wanted
//! in their order, those that are not next are kept, and a part is requested only if there is memory
//! for all of it; else a part takes what is on its way. None waits for another: a download that
//! cannot proceed otherwise fetches its next part without the budget, and keeps none of it. Only the
//! bytes that are next are fetched then, the others of the part later.

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
    memory::{self, FLEETING, Memory, Room, Taken},
    plan::{self, Block},
    read_ahead::ReadAhead,
    requests::{Reached, Requests},
};
use crate::base::{
    blocking,
    error::{Error, ErrorKind, Result},
    ranges::Ranges,
};

/// Bytes of the file for which a plan is requested, if there is memory for it, and otherwise.
const WINDOW: u64 = 128 << 20;
const SMALL_WINDOW: u64 = 8 << 20;

/// The smallest window, if plans are too large.
const LEAST_WINDOW: u64 = 1 << 20;

/// Bytes between two gaps of a file that are planned with them: another plan takes longer.
const BETWEEN: u64 = 1 << 20;

/// Batches of bytes that wait to be returned, of all parts.
const QUEUE: usize = 2;

/// Memory of each download for small parts, which the budget does not count.
const OWN: u64 = 1 << 20;

/// Bytes that may be fetched more than once for lack of memory, and how many more for each that is
/// returned.
const AGAIN: u64 = 256 << 20;
const AGAIN_EACH: u64 = 4;

/// A range of a file that is being downloaded.
pub(super) struct Reconstruction {
    requests: Arc<Requests>,
    memory: Memory,
    own: Memory,
    /// For the parts that are fetched without memory.
    fleeting: Room,
    ahead: ReadAhead,
    order: Order,
    /// Where the ranges end.
    end: u64,
    /// What was returned, with what is not wanted before the end.
    returned: Ranges,
    /// What no plan was requested for, in order.
    unplanned: VecDeque<Range<u64>>,
    is_planning: bool,
    window: u64,
    /// Of the last plan.
    planned: Option<OwnedSemaphorePermit>,
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
    /// Bytes that were fetched of parts that are fetched again.
    again: u64,
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
    taken: Arc<Taken>,
}

enum Event {
    Plan(Result<Planned>),
    /// Bytes, and where they begin in the file.
    Bytes(u64, Held),
    /// All bytes of a part have been passed on, but for those that are to be fetched again.
    Part(usize, Result<Option<Again>>),
}

/// What a plan has shown.
enum Planned {
    Blocks(Vec<Block>, Option<OwnedSemaphorePermit>),
    /// The plan of these ranges is too large.
    TooLarge(Vec<Range<u64>>),
}

/// What is left of a part, and the number of bytes that were fetched of it.
struct Again(Block, u64);

impl Reconstruction {
    pub(super) fn new(
        requests: Requests,
        memory: Memory,
        connections: usize,
        mut ranges: Vec<Range<u64>>,
        order: Order,
    ) -> Self {
        ranges.retain(|range| !range.is_empty());
        let (sender, events) = mpsc::channel(QUEUE);
        let end = ranges.last().map_or(0, |last| last.end);
        let unwanted = Ranges::outside_of(&ranges, end);
        Self {
            requests: Arc::new(requests),
            memory,
            own: Memory::new(OWN),
            fleeting: Room::fleeting(None),
            ahead: ReadAhead::new(connections),
            order,
            end,
            returned: unwanted.clone(),
            arrived: unwanted,
            unplanned: ranges.into(),
            is_planning: false,
            window: WINDOW,
            planned: None,
            waiting: VecDeque::new(),
            parts: 0,
            open: HashMap::new(),
            running: JoinSet::new(),
            sender,
            events,
            held: BTreeMap::new(),
            failure: None,
            relinked: None,
            again: 0,
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
            let room = self.room(block);
            if room.is_none() && !is_urgent {
                return;
            }
            if let Some(block) = self.waiting.pop_front() {
                self.fetch(block, room);
            }
        }
    }

    /// Returns room for a part, if there is memory for it.
    fn room(&self, block: &Block) -> Option<Room> {
        match self.order {
            Order::OfTheFile => {
                // Buffers are not filled to the last byte.
                let most = block.unpacked + block.unpacked / 4;
                self.memory.take(most).or_else(|| self.own.take(most)).map(Room::whole)
            }
            Order::OfArrival => {
                let permit = self.memory.take(block.unpacked.min(FLEETING));
                permit.map(|permit| Room::fleeting(Some(permit)))
            }
        }
    }

    /// Requests a plan of what is missing next.
    fn plan(&mut self) {
        let mut wanted = self.missing_within(self.window);
        let Some(end) = wanted.last().map(|last| last.end) else { return };
        let mut permit = self.memory.take(plan::reading(plan::most(end - wanted[0].start)));
        if permit.is_none() {
            wanted = self.missing_within(self.window.min(SMALL_WINDOW));
        }
        let range = wanted[0].start..wanted.last().map_or(0, |last| last.end);
        self.unplanned.retain_mut(|left| {
            left.start = left.start.max(range.end);
            left.start < left.end
        });
        self.is_planning = true;
        let (requests, sender) = (self.requests.clone(), self.sender.clone());
        self.running.spawn(async move {
            let planned = requests.plan(&range).await.map(|blocks| match blocks {
                Some(blocks) => {
                    let blocks = plan::limited(blocks, &wanted);
                    let permit =
                        permit.as_mut().and_then(|all| memory::part(all, plan::memory(&blocks)));
                    Planned::Blocks(blocks, permit)
                }
                None => Planned::TooLarge(wanted),
            });
            // The receiver goes with the tasks.
            let _ = sender.send(Event::Plan(planned)).await;
        });
    }

    /// Returns what is missing next within a window, and not far apart: a plan is of all between.
    fn missing_within(&self, window: u64) -> Vec<Range<u64>> {
        let mut wanted: Vec<Range<u64>> = Vec::new();
        let most = self.unplanned.front().map_or(0, |first| first.start.saturating_add(window));
        for next in &self.unplanned {
            let is_near = wanted.last().is_none_or(|last| next.start - last.end < BETWEEN);
            if next.start >= most || !is_near {
                break;
            }
            wanted.push(next.start..next.end.min(most));
        }
        wanted
    }

    /// Fetches a part: all of it if there is room, or else what is next of it.
    fn fetch(&mut self, mut block: Block, room: Option<Room>) {
        let part = self.parts;
        self.parts += 1;
        self.open.insert(part, Open::default());
        let is_next_only = room.is_none() && self.order == Order::OfTheFile;
        let rest = if is_next_only { block.split() } else { None };
        let room = room.unwrap_or_else(|| self.fleeting.clone());
        let (requests, sender) = (self.requests.clone(), self.sender.clone());
        self.running.spawn(async move {
            let pass = |at, bytes, taken| {
                let (sender, held) = (&sender, Held { part, bytes, taken });
                async move { drop(sender.send(Event::Bytes(at, held)).await) }
            };
            let start = block.bytes.start;
            let fetched = requests.block(block, &room, pass).await;
            let left = fetched.map(|Reached { bytes, chunk }| {
                let mut rest = rest?;
                rest.skip_to(bytes, chunk);
                Some(Again(rest, bytes - start))
            });
            let _ = sender.send(Event::Part(part, left)).await;
        });
    }

    /// Whether the next bytes are in a part.
    fn is_next(&self, block: &Block) -> bool {
        self.order == Order::OfTheFile && block.start() == Some(self.returned.prefix())
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
                let planned = planned.and_then(|planned| self.follow(planned));
                self.failure = self.failure.take().or(planned.err());
            }
            Event::Bytes(at, held) => {
                self.arrived.add(at..at + held.bytes.len() as u64);
                self.held.insert(at, held);
            }
            Event::Part(part, fetched) => {
                self.change(part, |part| part.has_arrived = true);
                let fetched =
                    fetched.and_then(|again| again.map_or(Ok(()), |again| self.resume(again)));
                // What was requested before is returned first.
                self.failure = self.failure.take().or(fetched.err());
            }
        }
    }

    /// Follows a plan, or requests one of less.
    fn follow(&mut self, planned: Planned) -> Result<()> {
        match planned {
            Planned::Blocks(blocks, permit) => {
                self.waiting.extend(blocks);
                self.planned = permit;
            }
            Planned::TooLarge(wanted) => {
                let span = wanted.last().map_or(0, |last| last.end) - wanted[0].start;
                if span <= LEAST_WINDOW {
                    return Err(self.requests.wrong_plan("it is too large"));
                }
                self.window = span / 2;
                let left = std::mem::take(&mut self.unplanned);
                self.unplanned = wanted.into_iter().chain(left).collect();
            }
        }
        Ok(())
    }

    /// Has what is left of a part fetched in its turn. A plan that leads to fetching the same bytes
    /// again and again is not followed.
    fn resume(&mut self, Again(block, fetched): Again) -> Result<()> {
        self.again += fetched;
        if self.again > AGAIN + AGAIN_EACH * self.ahead.total() {
            let why =
                "it leads to the same bytes again and again, which do not fit into `:xet_buffer`";
            return Err(self.requests.wrong_plan(why));
        }
        let place = self.waiting.partition_point(|waiting| waiting.start() < block.start());
        self.waiting.insert(place, block);
        Ok(())
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
        if self.order == Order::OfTheFile && *first.key() != self.returned.prefix() {
            return None;
        }
        let (at, Held { part, bytes, taken }) = first.remove_entry();
        let length = bytes.len() as u64;
        self.returned.add(at..at + length);
        self.ahead.returned(length);
        self.change(part, |part| part.is_used = true);
        Some(match self.order {
            // They may be collected, and must not have the next ones wait.
            Order::OfTheFile => (at, bytes),
            // They are written in any case.
            Order::OfArrival => (at, taken.by(bytes)),
        })
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
