//! Writes the received bytes to disk.
//!
//! A small file is collected in memory and written at once. A larger one has a blocking task that
//! writes and a thread that hashes. They are connected by short bounded queues, so a slow disk slows
//! the sockets down instead of filling memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::BytesMut;
use tokio::{
    sync::{
        mpsc::{self, error::TryRecvError},
        oneshot,
    },
    task::JoinHandle,
};

use crate::{
    base::{
        blocking::join,
        error::{Error, ErrorKind, Result},
        hash::Hasher,
        lock::Lock,
        ranges::Ranges,
    },
    cache::{
        partial::{Checked, Orphans, Partial, Slot, Verified, too_long},
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

/// The writing task's side of the commands. It takes all that wait: after each one, the network
/// side would be woken.
struct Commands {
    queue: mpsc::Receiver<Command>,
    taken: VecDeque<Command>,
}

impl Commands {
    fn new(queue: mpsc::Receiver<Command>) -> Self {
        Self { queue, taken: VecDeque::with_capacity(QUEUE) }
    }

    /// Returns the next command if there is one.
    fn try_next(&mut self) -> std::result::Result<Command, TryRecvError> {
        if let Some(command) = self.taken.pop_front() {
            return Ok(command);
        }
        let first = self.queue.try_recv()?;
        while self.taken.len() + 1 < QUEUE
            && let Ok(command) = self.queue.try_recv()
        {
            self.taken.push_back(command);
        }
        Ok(first)
    }
}

impl Writer {
    /// Creates a writer for a file that is small enough for memory.
    pub(crate) fn in_memory(slot: Slot, storage: Storage) -> Self {
        Self::Memory(Memory { slot, held: Mutex::default(), storage })
    }

    /// Creates a writer that resumes from partial files, if allowed. Also returns what is taken from
    /// them: nothing between two gaps that is shorter than `island`.
    pub(crate) async fn on_disk(
        slot: Slot,
        resume: bool,
        island: u64,
        lock: Arc<Lock>,
    ) -> Result<(Self, Ranges)> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (opened, present) = oneshot::channel();
        let task = tokio::task::spawn_blocking(move || {
            let partial = if resume {
                Partial::resume(slot, lock.excludes())
            } else {
                Partial::create(slot).map(|partial| (partial, Orphans::default()))
            };
            let result = partial.and_then(|(partial, mut orphans)| {
                orphans.drop_islands(island);
                let present = orphans.present().clone();
                let mut output = Output::new(partial, orphans)?;
                output.copy_without_record()?;
                // If the receiver is gone, the queue is closed as well.
                let _ = opened.send(present);
                output.work(queue)
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

    /// Whether blocks have to be written in the file's order.
    pub(crate) fn is_ordered(&self) -> bool {
        matches!(self, Self::Memory(_))
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

/// What the writing task works on.
struct Output {
    partial: Partial,
    /// What is copied from earlier attempts.
    orphans: Orphans,
    digest: Option<Digest>,
    flusher: Flusher,
    /// Whether anything was received.
    received: bool,
}

impl Output {
    fn new(partial: Partial, orphans: Orphans) -> Result<Self> {
        let digest = Digest::start(&partial)?;
        Ok(Self { partial, orphans, digest, flusher: Flusher::default(), received: false })
    }

    /// Runs until the file is finished, or until the network side is gone: then everything in the
    /// queue is still written, for the next attempt.
    fn work(mut self, queue: mpsc::Receiver<Command>) -> Result<Option<Verified>> {
        let mut commands = Commands::new(queue);
        while let Some(command) = self.next_command(&mut commands)? {
            match command {
                Command::Write(block) => {
                    self.received = true;
                    self.write(block)?;
                }
                Command::Restart => self.restart()?,
                Command::Finish => return self.finish(&|| commands.queue.is_closed()),
            }
        }
        if !self.orphans.is_empty() && !self.received {
            // The orphans have all that it has.
            self.partial.discard();
        }
        Ok(None)
    }

    /// Returns the next command, and copies from earlier attempts meanwhile: between two commands
    /// what comes next in the file, so that the hash can follow, and the rest until there is a
    /// command.
    fn next_command(&mut self, commands: &mut Commands) -> Result<Option<Command>> {
        loop {
            let next = self.partial.present().prefix();
            let is_next = self.orphans.next_offset() == Some(next) && self.copy_piece()?;
            match commands.try_next() {
                Ok(command) => return Ok(Some(command)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) if is_next || self.copy_piece()? => {}
                Err(TryRecvError::Empty) => return Ok(commands.queue.blocking_recv()),
            }
        }
    }

    /// Copies all of earlier attempts if the size is unknown: such a file has no resume record, so a
    /// gap that is left by a crash would count as received.
    fn copy_without_record(&mut self) -> Result<()> {
        let is_recorded = self.partial.slot().size.is_some();
        while !is_recorded && self.copy_piece()? {}
        Ok(())
    }

    /// Copies the next piece from earlier attempts; false if there is none.
    fn copy_piece(&mut self) -> Result<bool> {
        let Some((offset, bytes)) = self.orphans.next_piece().map_err(lost)? else {
            return Ok(false);
        };
        self.partial.write(offset, bytes)?;
        self.flusher.wrote(offset..offset + bytes.len() as u64, &self.partial)?;
        if let Some(digest) = &mut self.digest {
            digest.catch_up(&self.partial);
        }
        Ok(true)
    }

    fn write(&mut self, block: Block) -> Result<()> {
        self.partial.write_pieces(block.offset(), block.pieces())?;
        self.flusher.wrote(block.offset()..block.end(), &self.partial)?;
        if let Some(digest) = &mut self.digest {
            digest.feed(block, &self.partial);
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.orphans.discard();
        self.partial.restart()?;
        self.digest = Digest::start(&self.partial)?;
        Ok(())
    }

    fn finish(mut self, stop: &dyn Fn() -> bool) -> Result<Option<Verified>> {
        while self.copy_piece()? {
            if stop() {
                return Ok(None);
            }
        }
        let hex = match self.digest {
            None => None,
            Some(digest) => match digest.finish(&self.partial, stop)? {
                None => return Ok(None),
                hex => hex,
            },
        };
        self.flusher.join()?;
        self.partial.finish(hex).map(Some)
    }
}

/// Returns the error for the partial file of an earlier attempt that cannot be copied: it is wrong,
/// so the transfer begins again without it.
fn lost(source: std::io::Error) -> Error {
    let message = "the partial file of an earlier attempt cannot be read";
    Error::new(ErrorKind::ChecksumMismatch, message).with_source(source)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::etag::{Etag, Proof};

    const MIB: usize = 1 << 20;
    const SIZE: usize = 5 * MIB;
    /// What an earlier attempt has received.
    const EARLIER: usize = 3 * MIB + 10;

    fn content() -> Vec<u8> {
        let mut content = vec![0; SIZE];
        fastrand::Rng::with_seed(3).fill(&mut content);
        content
    }

    fn slot(dir: &Path) -> Slot {
        let mut hasher = Hasher::new(Proof::Sha256, None).unwrap();
        hasher.update(&content());
        let etag = Etag::parse(&hasher.finish()).unwrap();
        Slot { dir: dir.to_owned(), stem: etag.to_string(), etag, size: Some(SIZE as u64) }
    }

    fn block(offset: usize, bytes: &[u8]) -> Command {
        let mut block = Block::at(offset as u64);
        block.push(bytes::Bytes::copy_from_slice(bytes));
        Command::Write(block)
    }

    /// A partial file of an interrupted attempt.
    fn interrupted(dir: &Path) -> Partial {
        let mut partial = Partial::create(slot(dir)).unwrap();
        partial.write(0, &content()[..EARLIER]).unwrap();
        partial
    }

    fn resumed(dir: &Path) -> Output {
        let (partial, orphans) = Partial::resume(slot(dir), true).unwrap();
        Output::new(partial, orphans).unwrap()
    }

    fn run(output: Output, commands: Vec<Command>) -> Result<Option<Verified>> {
        let (sender, queue) = mpsc::channel(commands.len() + 1);
        let last = matches!(commands.last(), Some(Command::Finish)).then(|| sender.clone());
        for command in commands {
            assert!(sender.try_send(command).is_ok());
        }
        drop(sender);
        let result = output.work(queue);
        drop(last);
        result
    }

    fn files(dir: &Path) -> usize {
        std::fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn copies_an_earlier_attempt_while_the_rest_arrives() {
        let dir = tempfile::tempdir().unwrap();
        drop(interrupted(dir.path()));
        let content = content();
        let (first, second) = content[EARLIER..].split_at(MIB);
        let commands = vec![block(EARLIER + MIB, second), block(EARLIER, first), Command::Finish];
        let verified = run(resumed(dir.path()), commands).unwrap().unwrap();
        assert_eq!(files(dir.path()), 1);
        verified.publish(&dir.path().join("blob")).unwrap();
        assert!(std::fs::read(dir.path().join("blob")).unwrap() == content);
    }

    #[test]
    fn an_earlier_attempt_of_unknown_size_is_copied_before_anything_arrives() {
        let dir = tempfile::tempdir().unwrap();
        drop(interrupted(dir.path()));
        let slot = Slot { size: None, ..slot(dir.path()) };
        let (partial, orphans) = Partial::resume(slot.clone(), true).unwrap();
        let mut output = Output::new(partial, orphans).unwrap();
        output.copy_without_record().unwrap();
        assert_eq!(output.partial.present(), &Ranges::prefix_of(EARLIER as u64));
        assert!(output.orphans.is_empty());
        // Otherwise the copy goes on while bytes arrive.
        drop(output);
        let mut output = resumed(dir.path());
        output.copy_without_record().unwrap();
        assert!(!output.orphans.is_empty());
    }

    #[test]
    fn what_is_received_again_is_not_replaced_by_that_of_an_earlier_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let mut partial = interrupted(dir.path());
        // Wrong, as after a power cut: copied after the right bytes were hashed, it would stay.
        partial.write(4 << 20, &[0; 100]).unwrap();
        drop(partial);
        let (partial, mut orphans) = Partial::resume(slot(dir.path()), true).unwrap();
        orphans.drop_islands(101);
        assert_eq!(orphans.present(), &Ranges::prefix_of(EARLIER as u64));
        let output = Output::new(partial, orphans).unwrap();
        let commands = vec![block(EARLIER, &content()[EARLIER..]), Command::Finish];
        let verified = run(output, commands).unwrap().unwrap();
        verified.publish(&dir.path().join("blob")).unwrap();
        assert!(std::fs::read(dir.path().join("blob")).unwrap() == content());
        assert_eq!(files(dir.path()), 1);
    }

    #[test]
    fn a_restart_forgets_earlier_attempts() {
        let dir = tempfile::tempdir().unwrap();
        drop(interrupted(dir.path()));
        let commands = vec![Command::Restart, block(0, &content()), Command::Finish];
        let verified = run(resumed(dir.path()), commands).unwrap();
        assert!(verified.is_some());
        assert_eq!(files(dir.path()), 1);
    }

    #[test]
    fn leaves_everything_to_the_next_attempt_when_the_network_side_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        drop(interrupted(dir.path()));
        assert!(run(resumed(dir.path()), Vec::new()).unwrap().is_none());
        assert_eq!(files(dir.path()), 1, "it has received nothing, so only the orphan stays");
        let rest = block(EARLIER, &content()[EARLIER..]);
        assert!(run(resumed(dir.path()), vec![rest]).unwrap().is_none());
        // Nothing has to be received again.
        assert!(run(resumed(dir.path()), vec![Command::Finish]).unwrap().is_some());
    }

    #[test]
    fn an_earlier_attempt_that_cannot_be_read_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let mut alive = interrupted(dir.path());
        let output = resumed(dir.path());
        alive.restart().unwrap();
        let error = run(output, vec![Command::Finish]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    }
}
