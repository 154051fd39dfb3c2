//! An upload to a storage: files are cut into chunks, and those that the storage does not have are
//! sent in objects.
//!
//! Memory is bounded: each file that is being read has an object in the making, the ends of all
//! files share one, and those that are being sent share a common budget.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::{
    sync::Mutex,
    task::{JoinError, JoinSet},
};
use xet_core_structures::{
    metadata_shard::file_structs::Sha256,
    xorb_object::{Chunk, RawXorbData},
};

use super::{
    Running, Sent, Stored, Upload, Wanted, Writing,
    chunker::Chunker,
    deposit::Deposit,
    draft::{Closed, Draft, Hits, Open},
    known::Known,
    memory::Memory,
    packed::Packed,
};
use crate::base::{
    blocking,
    error::{Error, ErrorKind, Result},
    etag::Proof,
    hash::Hasher,
};

/// An upload.
pub(super) struct Session(Arc<Inner>);

struct Inner {
    known: Arc<Known>,
    deposit: Arc<Deposit>,
    memory: Memory,
    /// Maximum number of bytes of the chunks of an object.
    size: usize,
    wanted: Wanted,
    /// The ends of files.
    rest: std::sync::Mutex<Open>,
    sending: Mutex<JoinSet<Result<()>>>,
}

impl Session {
    pub(super) fn new(
        known: Known,
        deposit: Deposit,
        memory: Memory,
        size: usize,
        wanted: Wanted,
    ) -> Self {
        Self(Arc::new(Inner {
            known: Arc::new(known),
            deposit: Arc::new(deposit),
            memory,
            size,
            wanted,
            rest: std::sync::Mutex::default(),
            sending: Mutex::default(),
        }))
    }
}

impl Upload for Session {
    fn file(&self) -> Box<dyn Writing> {
        let hasher = self.0.wanted.sha256.then(|| Hasher::new(Proof::Sha256, None)).flatten();
        let draft = Draft::new(self.0.size);
        Box::new(Item { inner: self.0.clone(), chunker: Chunker::default(), draft, hasher })
    }

    fn finish(&self) -> Running<'_, ()> {
        Box::pin(self.0.finish())
    }

    fn sent(&self) -> Sent {
        self.0.deposit.counts.sent()
    }
}

impl Inner {
    /// Takes what is complete, and sends its chunks.
    async fn take(&self, closed: Closed) -> Result<()> {
        for file in closed.files {
            self.known.add_file(file).await?;
        }
        match closed.object {
            Some(object) => self.send(object).await,
            None => Ok(()),
        }
    }

    /// Sends an object in the background, as soon as there is memory for it.
    async fn send(&self, object: RawXorbData) -> Result<()> {
        let info = Arc::new(object.xorb_info.clone());
        // Other files may refer to it: nothing counts before all objects are stored.
        self.known.add_object(info.clone()).await?;
        let (known, deposit) = (self.known.clone(), self.deposit.clone());
        let waiting = deposit.counts.waiting.enter();
        let permit = self.memory.wait(object.num_bytes() as u64).await;
        let held = (permit, deposit.counts.sending.enter());
        drop(waiting);
        let mut sending = self.sending.lock().await;
        while let Some(sent) = sending.try_join_next() {
            joined(sent)?;
        }
        sending.spawn(async move {
            let packed = blocking::run(move || Packed::new(object)).await;
            deposit.object(&packed).await?;
            drop((packed, held));
            known.keep(info).await
        });
        Ok(())
    }

    async fn finish(&self) -> Result<()> {
        let rest = std::mem::take(&mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner));
        self.take(rest.close()).await?;
        let mut sending = self.sending.lock().await;
        while let Some(sent) = sending.join_next().await {
            joined(sent)?;
        }
        for list in self.known.lists().await? {
            let registered = self.deposit.files(&Known::packed(&list).await?).await;
            if registered.as_ref().is_err_and(may_miss_objects) && self.known.is_relied_on() {
                // The next upload sends all of it.
                self.known.forget().await;
                self.deposit.counts.has_lost();
            }
            registered?;
            self.known.registered(list).await?;
        }
        self.known.finish().await;
        Ok(())
    }

    /// Returns which of the next chunks of a file are stored.
    async fn find(&self, chunks: &Arc<[Chunk]>, draft: &mut Draft) -> Result<Hits> {
        let mut hits = self.look(chunks, vec![None; chunks.len()]).await?;
        let questions = draft.questions(chunks, &hits);
        let lists = questions.iter().map(|chunk| self.ask(chunk.hex()));
        if join_all(lists).await.contains(&true) {
            hits = self.look(chunks, hits).await?;
        }
        Ok(hits)
    }

    async fn look(&self, chunks: &Arc<[Chunk]>, mut hits: Hits) -> Result<Hits> {
        let (known, chunks) = (self.known.clone(), chunks.clone());
        // It reads files.
        blocking::run(move || {
            let found = tokio::runtime::Handle::current().block_on(known.find(&chunks, &mut hits));
            found.map(|()| hits)
        })
        .await
    }

    /// Asks the storage what it has; returns whether anything was learned.
    async fn ask(&self, chunk: String) -> bool {
        match self.deposit.list(&chunk).await {
            Some(list) => self.known.import(list).await,
            None => false,
        }
    }
}

/// Whether a storage may refuse files because it does not have an object of them. It may also
/// refuse their size, or their number: then it has what it had.
fn may_miss_objects(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 404))
}

/// Returns the result of a task of this upload. None is cancelled before the upload is dropped.
fn joined(sent: std::result::Result<Result<()>, JoinError>) -> Result<()> {
    blocking::join(sent)
}

/// A file that is being uploaded.
struct Item {
    inner: Arc<Inner>,
    chunker: Chunker,
    draft: Draft,
    hasher: Option<Hasher>,
}

impl Item {
    async fn add(&mut self, bytes: Bytes) -> Result<()> {
        let mut chunker = std::mem::take(&mut self.chunker);
        let hasher = self.hasher.take();
        let shared = bytes.clone();
        let chunks = blocking::run(move || (Arc::from(chunker.push(&shared)), chunker));
        let hashing = blocking::run(move || {
            hasher.map(|mut hasher| {
                hasher.update(&bytes);
                hasher
            })
        });
        let ((chunks, chunker), hasher) = tokio::join!(chunks, hashing);
        (self.chunker, self.hasher) = (chunker, hasher);
        self.append(chunks).await
    }

    async fn append(&mut self, chunks: Arc<[Chunk]>) -> Result<()> {
        let before = self.draft.deduplicated();
        let hits = self.inner.find(&chunks, &mut self.draft).await?;
        let closed = self.draft.add(&chunks, hits);
        let known = self.draft.deduplicated() - before;
        self.inner.deposit.counts.knows(known);
        drop(chunks);
        for closed in closed {
            self.inner.take(closed).await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<Stored> {
        if let Some(last) = self.chunker.finish() {
            self.append(Arc::from([last])).await?;
        }
        let sha256 = self.hasher.take().map(Hasher::finish);
        let hash = sha256.as_deref().map(Sha256::from_hex).transpose().map_err(|_| {
            Error::new(ErrorKind::Internal, "a SHA-256 is no hash of Xet").from_a_store()
        })?;
        let deduplicated = self.draft.deduplicated();
        let draft = std::mem::replace(&mut self.draft, Draft::new(0));
        let (name, open) = draft.finish(hash);
        if let Some(full) = self.inner.merge(open) {
            self.inner.take(full.close()).await?;
        }
        Ok(Stored { sha256, hash: name.hex(), deduplicated })
    }
}

impl Inner {
    /// Adds the end of a file to those of the others; returns the larger one if both have no room
    /// in one object.
    fn merge(&self, open: Open) -> Option<Open> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.has_room(&open, self.size) {
            rest.merge(open);
            return None;
        }
        if rest.bytes() < open.bytes() {
            return Some(open);
        }
        Some(std::mem::replace(&mut rest, open))
    }
}

impl Writing for Item {
    fn write(&mut self, bytes: Bytes) -> Running<'_, ()> {
        Box::pin(self.add(bytes))
    }

    fn finish(&mut self) -> Running<'_, Stored> {
        Box::pin(self.end())
    }
}
