//! Uploads large files to the store, several at a time, and requests links in batches.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
    },
    upload::{
        lfs::{self, Plan},
        object::{self, Large},
        oid::Oid,
        outcome::{Fate, Outcome},
        parts::Unfinished,
        payload::Change,
        session::Session,
    },
};

/// Number of hashed bytes that justify a request for links when nothing else is in progress.
const WORTH_ASKING: u64 = 256 << 20;

/// A large file that has been hashed.
#[derive(Debug)]
pub(super) struct LargeFile {
    pub(super) place: usize,
    pub(super) large: Large,
}

/// The state of all large files of an upload.
struct Store {
    session: Arc<Session>,
    unfinished: Option<Arc<Unfinished>>,
    outcomes: mpsc::Sender<Outcome>,
    /// Hashed, without links.
    waiting: Vec<Large>,
    /// With links.
    queue: VecDeque<(Large, Plan)>,
    running: JoinSet<(Oid, Result<()>)>,
    /// Files whose content is being uploaded.
    owed: HashMap<Oid, Vec<Outcome>>,
    here: HashSet<Oid>,
}

/// Uploads large files until no more arrive.
pub(super) async fn run(
    session: Arc<Session>,
    unfinished: Option<Arc<Unfinished>>,
    mut arrivals: mpsc::Receiver<LargeFile>,
    outcomes: mpsc::Sender<Outcome>,
) -> Result<()> {
    let mut store = Store {
        session,
        unfinished,
        outcomes,
        waiting: Vec::new(),
        queue: VecDeque::new(),
        running: JoinSet::new(),
        owed: HashMap::new(),
        here: HashSet::new(),
    };
    let mut ended = false;
    loop {
        store.start();
        if store.should_ask(ended) {
            store.ask().await?;
            continue;
        }
        if ended && store.is_idle() {
            return Ok(());
        }
        tokio::select! {
            arrival = arrivals.recv(), if !ended && store.has_room() => match arrival {
                Some(arrival) => store.take(arrival).await?,
                None => ended = true,
            },
            Some(done) = store.running.join_next() => store.settle(done).await?,
        }
    }
}

impl Store {
    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty()
    }

    /// Waiting files are open, so their number is limited.
    fn has_room(&self) -> bool {
        self.waiting.len() < lfs::BATCH && self.queue.len() < 2 * lfs::BATCH
    }

    /// Whether to request links: when the batch is full, when no more files will arrive, or when
    /// the network is idle.
    fn should_ask(&self, ended: bool) -> bool {
        let worth =
            || self.waiting.iter().map(|large| large.object.size).sum::<u64>() >= WORTH_ASKING;
        let full = self.waiting.len() >= lfs::BATCH;
        !self.waiting.is_empty() && (full || ended || (self.is_idle() && worth()))
    }

    fn start(&mut self) {
        while self.running.len() < self.session.tuning.workers.max(1) {
            let Some((large, plan)) = self.queue.pop_front() else { return };
            let (session, unfinished) = (self.session.clone(), self.unfinished.clone());
            self.running.spawn(async move {
                let result = object::put(&session, unfinished.as_ref(), &large, plan).await;
                (large.object.oid, result)
            });
        }
    }

    async fn take(&mut self, arrival: LargeFile) -> Result<()> {
        let LargeFile { place, large } = arrival;
        let lfs::Object { oid, size, path } = large.object.clone();
        let change = Change::Lfs { path, oid, size: Some(size) };
        let outcome = Outcome { place, fate: Fate::Commit(change) };
        if self.here.contains(&oid) {
            self.session.progress.skip_bytes(size);
            return self.tell(outcome).await;
        }
        if let Some(owed) = self.owed.get_mut(&oid) {
            // The same content under another name is sent once.
            self.session.progress.skip_bytes(size);
            owed.push(outcome);
        } else {
            self.owed.insert(oid, vec![outcome]);
            self.waiting.push(large);
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<()> {
        let some = std::mem::take(&mut self.waiting);
        let objects: Vec<_> = some.iter().map(|large| large.object.clone()).collect();
        let mut plans = lfs::batch(&self.session, &objects).await?;
        if let Some(unfinished) = self.unfinished.clone() {
            let is_here = |object: &lfs::Object| !plans.contains_key(&object.oid);
            let here: Vec<_> = objects.into_iter().filter(is_here).collect();
            blocking::run(move || unfinished.forget(&here)).await;
        }
        for large in some {
            if let Some(plan) = plans.remove(&large.object.oid) {
                self.queue.push_back((large, plan));
            } else {
                self.session.progress.skip_bytes(large.object.size);
                self.arrived(large.object.oid).await?;
            }
        }
        Ok(())
    }

    async fn settle(
        &mut self,
        done: std::result::Result<(Oid, Result<()>), JoinError>,
    ) -> Result<()> {
        let (oid, result) = blocking::join(done);
        result?;
        self.arrived(oid).await
    }

    async fn arrived(&mut self, oid: Oid) -> Result<()> {
        self.here.insert(oid);
        for outcome in self.owed.remove(&oid).unwrap_or_default() {
            self.tell(outcome).await?;
        }
        Ok(())
    }

    async fn tell(&self, outcome: Outcome) -> Result<()> {
        let gone = self.outcomes.send(outcome).await.is_err();
        if gone { Err(Error::new(ErrorKind::Cancelled, "cancelled")) } else { Ok(()) }
    }
}
