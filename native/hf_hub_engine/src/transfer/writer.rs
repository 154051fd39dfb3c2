//! Writes the received bytes to disk.
//!
//! A small file is collected in memory and written at once. A larger one has a blocking task that
//! writes and a thread that hashes. They are connected by short bounded queues, so a slow disk slows
//! the sockets down instead of filling memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    base::{
        blocking::join,
        error::{Error, ErrorKind, Result},
        hash::Hasher,
        lock::Lock,
    },
    cache::{
        partial::{Checked, Partial, Slot, Verified, too_long},
        ranges::Ranges,
        storage::Storage,
    },
    transfer::{block::Block, digest::Digest, flusher::Flusher},
};

/// Maximum number of blocks that wait for the disk.
const QUEUE: usize = 4;

/// Receives a file's bytes, from several connections at a time.
pub(crate) enum Writer {
    /// Keeps them in memory until the end.
    Memory(Memory),
    /// Writes them to disk as they arrive.
    Disk(Disk),
}

/// A file that is collected in memory.
pub(crate) struct Memory {
    slot: Slot,
    held: Mutex<BytesMut>,
    storage: Storage,
}

/// The network side of the writing task.
pub(crate) struct Disk {
    commands: mpsc::Sender<Command>,
    task: tokio::sync::Mutex<Task>,
}

enum Task {
    Running(JoinHandle<Result<Option<Verified>>>),
    Failed(Error),
}

enum Command {
    Write(Block),
    Restart,
    Finish,
}

impl Writer {
    /// Creates a writer for a file that is small enough for memory.
    pub(crate) fn in_memory(slot: Slot, storage: Storage) -> Self {
        Self::Memory(Memory { slot, held: Mutex::default(), storage })
    }

    /// Creates a writer that resumes from a partial file, if allowed. Also returns what is in
    /// place.
    pub(crate) async fn on_disk(
        slot: Slot,
        resume: bool,
        lock: Arc<Lock>,
    ) -> Result<(Self, Ranges)> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (opened, present) = oneshot::channel();
        let task = tokio::task::spawn_blocking(move || {
            // The sender is dropped: the network side is gone.
            let stop = || queue.is_closed();
            let partial = if resume {
                Partial::resume(slot, lock.excludes(), &stop)
            } else {
                Partial::create(slot)
            };
            let result = partial.and_then(|partial| {
                // If the receiver is gone, the queue is closed as well.
                let _ = opened.send(partial.present().clone());
                work(partial, queue)
            });
            // Not earlier: the next holder of the lock may claim the partial file.
            drop(lock);
            result
        });
        let Ok(present) = present.await else {
            return Err(join(task.await).err().unwrap_or_else(ended_early));
        };
        let task = tokio::sync::Mutex::new(Task::Running(task));
        Ok((Self::Disk(Disk { commands, task }), present))
    }

    /// Writes a block.
    pub(crate) async fn write(&self, block: Block) -> Result<()> {
        match self {
            Self::Disk(disk) => disk.command(Command::Write(block)).await,
            Self::Memory(Memory { slot, held, .. }) => {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                debug_assert_eq!(held.len() as u64, block.offset(), "one connection, in order");
                block.pieces().iter().for_each(|piece| held.extend_from_slice(piece));
                let size = slot.size.filter(|size| held.len() as u64 > *size);
                size.map_or(Ok(()), |size| Err(too_long(size)))
            }
        }
    }

    /// Discards all bytes.
    pub(crate) async fn restart(&self) -> Result<()> {
        match self {
            Self::Disk(disk) => disk.command(Command::Restart).await,
            Self::Memory(Memory { held, .. }) => {
                held.lock().unwrap_or_else(PoisonError::into_inner).clear();
                Ok(())
            }
        }
    }

    /// Stops after everything that was passed to it is written, so that another attempt can resume
    /// from there.
    pub(crate) async fn close(self) {
        if let Self::Disk(Disk { commands, task }) = self {
            drop(commands);
            if let Task::Running(task) = task.into_inner() {
                // Its error, if any, is that of the write that was reported.
                let _ = task.await;
            }
        }
    }

    /// Verifies the content and flushes it to disk.
    pub(crate) async fn finish(self) -> Result<Verified> {
        match self {
            Self::Disk(disk) => disk.finish().await,
            Self::Memory(Memory { slot, held, storage }) => {
                let bytes = held.into_inner().unwrap_or_else(PoisonError::into_inner);
                let checked = storage.lane.run(move || write_at_once(slot, &bytes)).await?;
                storage.flushes.flush(checked).await
            }
        }
    }
}

impl Disk {
    async fn finish(self) -> Result<Verified> {
        self.command(Command::Finish).await?;
        // The queue stays open until the end: closing it stops the task.
        let Self { commands: _open, task } = self;
        match task.into_inner() {
            Task::Running(task) => join(task.await)?.ok_or_else(ended_early),
            Task::Failed(error) => Err(error),
        }
    }

    async fn command(&self, command: Command) -> Result<()> {
        if self.commands.send(command).await.is_ok() {
            return Ok(());
        }
        let mut task = self.task.lock().await;
        let error = match &mut *task {
            Task::Running(running) => join(running.await).err().unwrap_or_else(ended_early),
            Task::Failed(error) => error.clone(),
        };
        *task = Task::Failed(error.clone());
        Err(error)
    }
}

/// Runs until the file is finished, or until the network side is gone: then everything in the queue
/// is still written, for the next attempt.
fn work(mut partial: Partial, mut queue: mpsc::Receiver<Command>) -> Result<Option<Verified>> {
    let mut digest = Digest::start(&partial)?;
    let mut flusher = Flusher::default();
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Write(block) => {
                partial.write_pieces(block.offset(), block.pieces())?;
                flusher.wrote(block.offset()..block.end(), &partial)?;
                if let Some(digest) = &mut digest {
                    digest.feed(block, &partial);
                }
            }
            Command::Restart => {
                partial.restart()?;
                digest = Digest::start(&partial)?;
            }
            Command::Finish => {
                let stop = || queue.is_closed();
                let hex = match digest {
                    None => None,
                    Some(digest) => match digest.finish(&partial, &stop)? {
                        None => return Ok(None),
                        hex => hex,
                    },
                };
                flusher.join()?;
                return partial.finish(hex).map(Some);
            }
        }
    }
    Ok(None)
}

fn write_at_once(slot: Slot, bytes: &[u8]) -> Result<Checked> {
    let hasher = Hasher::new(slot.etag.proof(), Some(bytes.len() as u64));
    let hex = hasher.map(|mut hasher| {
        hasher.update(bytes);
        hasher.finish()
    });
    let mut partial = Partial::create(slot)?;
    partial.write(0, bytes)?;
    partial.check(hex)
}

fn ended_early() -> Error {
    Error::new(ErrorKind::Internal, "the writer ended early")
}
