//! One file's bytes from the network into a verified partial, however often the connection breaks.
//!
//! The network side runs on the async runtime; a blocking task beside it hashes
//! and writes. A short bounded channel lies between them, so a slow disk slows
//! the socket down instead of filling memory.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{StatusCode, Url};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    blocking::join,
    cache::{
        lock::Lock,
        partial::{Partial, Slot, Verified},
    },
    error::{Error, ErrorKind, Result},
    hub::{self, Hub},
    metadata::{self, Content, FileMetadata, Located},
    names::{Commit, Proof},
    progress::{Activity, FileProgress},
    retry,
    transport::Response,
};

/// Pieces that may wait for the disk. A piece is at most a few hundred KiB.
const QUEUE: usize = 16;

/// What to transfer.
pub(crate) struct Transfer<'a> {
    /// The Hub.
    pub(crate) hub: &'a Hub,
    /// The file's URL on the Hub, to ask again when a signed one has expired.
    pub(crate) url: &'a Url,
    /// The commit, where it is known.
    pub(crate) pinned: Option<&'a Commit>,
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
    Complete(Verified),
    /// The file on the Hub is another one by now.
    Changed,
}

/// Where the next bytes come from.
enum Source {
    Open(Response),
    At(Url),
    Unknown,
}

impl Transfer<'_> {
    /// Transfers, beginning with an answer that is already there, if one is.
    pub(crate) async fn run(
        &self,
        content: Option<Content>,
        progress: &mut FileProgress,
    ) -> Result<Outcome> {
        let mut source = match content {
            Some(Content::Here(response)) => Source::Open(response),
            Some(Content::There(url)) => Source::At(url),
            None => Source::Unknown,
        };
        let mut writer = Writer::start(self.slot.clone(), self.resume, self.lock.clone()).await?;
        progress.resumed(writer.offset);
        let (mut failures, mut furthest, mut renewed) = (0, writer.offset, false);
        while self.metadata.size.is_none_or(|size| writer.offset < size) {
            let error = match self.attempt(&mut source, &mut writer, progress).await {
                Ok(Step::Complete) => break,
                Ok(Step::Changed) => return Ok(Outcome::Changed),
                Err(error) => error,
            };
            // New bytes are a sign of life: the patience starts anew. Bytes we have had before are not.
            failures = if writer.offset > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(writer.offset);
            if is_expired(&error, &source) {
                source = Source::Unknown;
                if !renewed || failures <= self.hub.retry.retries {
                    renewed = true;
                    continue;
                }
            }
            let Some(wait) = retry::decide(self.hub.retry, failures, &error) else {
                return Err(at(hub::tried(error, failures), writer.offset, self.metadata.size));
            };
            hub::pause(progress.operation(), &error, wait).await;
        }
        Ok(Outcome::Complete(writer.finish().await?))
    }

    async fn attempt(
        &self,
        source: &mut Source,
        writer: &mut Writer,
        progress: &mut FileProgress,
    ) -> Result<Step> {
        let response = match self.open(source, writer.offset).await {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(Step::Changed),
            Err(error) if error.status() == Some(416) && writer.offset > 0 => {
                // The server knows nothing beyond what we have: start over.
                writer.restart().await?;
                progress.restart();
                return Err(error.with_kind(ErrorKind::Transport));
            }
            Err(error) => return Err(error),
        };
        if !continues_at(&response, writer.offset)? {
            writer.restart().await?;
            progress.restart();
        }
        progress.operation().set_activity(Activity::Downloading, None);
        self.receive(response, writer, progress).await
    }

    /// Opens the body at `offset`; `None` if the file has changed meanwhile.
    async fn open(&self, source: &mut Source, offset: u64) -> Result<Option<Response>> {
        match std::mem::replace(source, Source::Unknown) {
            // The first answer begins at zero; beyond that it cannot serve.
            Source::Open(response)
                if offset == 0 || response.status() == StatusCode::PARTIAL_CONTENT =>
            {
                return Ok(Some(response));
            }
            Source::At(url) => {
                *source = Source::At(url.clone());
                return metadata::open_content(self.hub, &url, offset).await.map(Some);
            }
            Source::Open(_) | Source::Unknown => {}
        }
        let known = Some(self.metadata).filter(|known| known.etag.proof() != Proof::None);
        let Located { metadata, content } =
            metadata::locate(self.hub, self.url, offset, self.pinned, known).await?;
        // An etag of another sort says nothing where the content has to prove itself anyway.
        let comparable = metadata.etag.proof() == self.metadata.etag.proof();
        if comparable && metadata.etag != self.metadata.etag {
            return Ok(None);
        }
        match content {
            Content::Here(response) => Ok(Some(response)),
            Content::There(url) => {
                *source = Source::At(url.clone());
                metadata::open_content(self.hub, &url, offset).await.map(Some)
            }
        }
    }

    async fn receive(
        &self,
        mut response: Response,
        writer: &mut Writer,
        progress: &mut FileProgress,
    ) -> Result<Step> {
        while let Some(chunk) = response.chunk().await? {
            let length = chunk.len() as u64;
            writer.write(chunk).await?;
            progress.received(length);
        }
        match self.metadata.size {
            Some(size) if writer.offset < size => {
                Err(Error::new(ErrorKind::Transport, "the connection ended before the file did")
                    .with_url(response.url()))
            }
            _ => Ok(Step::Complete),
        }
    }
}

enum Step {
    Complete,
    Changed,
}

/// Whether the body continues at `offset`: a 200 begins at zero, whatever was asked.
fn continues_at(response: &Response, offset: u64) -> Result<bool> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(offset == 0);
    }
    match metadata::content_range(response) {
        Some((first, _)) if first == offset => Ok(true),
        _ => {
            let message = format!("byte {offset} was asked for and the server sent another part");
            Err(Error::new(ErrorKind::Transport, message).with_url(response.url()))
        }
    }
}

/// A signed URL that is refused has expired; the Hub makes another.
fn is_expired(error: &Error, source: &Source) -> bool {
    matches!(source, Source::At(_)) && matches!(error.status(), Some(400 | 401 | 403 | 404 | 410))
}

fn at(error: Error, offset: u64, size: Option<u64>) -> Error {
    if offset == 0 || error.kind() == ErrorKind::ChecksumMismatch {
        return error;
    }
    let message = match size {
        Some(size) => format!(
            "{} (at byte {offset} of {size}; the part that arrived is kept)",
            error.message()
        ),
        None => format!("{} (at byte {offset})", error.message()),
    };
    error.with_message(message)
}

enum Command {
    Write(Bytes),
    Restart,
    Finish,
}

/// The writing side: a blocking task that owns the partial.
struct Writer {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<Result<Option<Verified>>>,
    offset: u64,
}

impl Writer {
    async fn start(slot: Slot, resume: bool, lock: Arc<Lock>) -> Result<Self> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (opened, offset) = oneshot::channel();
        let task = tokio::task::spawn_blocking(move || {
            // Nobody sends any more: the network side is gone.
            let stop = || queue.is_closed();
            let partial = if resume {
                Partial::resume(slot, lock.excludes(), &stop)
            } else {
                Partial::create(slot)
            };
            let result = partial.and_then(|partial| {
                // A receiver that is gone closes the queue as well.
                let _ = opened.send(partial.written());
                write_all(partial, queue)
            });
            // Not before: whoever gets the lock may claim what we leave behind.
            drop(lock);
            result
        });
        let Ok(offset) = offset.await else {
            let ended = join(task.await)?;
            debug_assert!(ended.is_none());
            return Err(Error::new(ErrorKind::Internal, "the writer ended early"));
        };
        Ok(Self { commands, task, offset })
    }

    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        self.command(Command::Write(bytes)).await?;
        self.offset += length;
        Ok(())
    }

    async fn restart(&mut self) -> Result<()> {
        self.command(Command::Restart).await?;
        self.offset = 0;
        Ok(())
    }

    async fn finish(self) -> Result<Verified> {
        let _ = self.commands.send(Command::Finish).await; // A task that failed says so below.
        let verified = join(self.task.await)?;
        verified.ok_or_else(|| Error::new(ErrorKind::Internal, "the writer ended early"))
    }

    async fn command(&mut self, command: Command) -> Result<()> {
        if self.commands.send(command).await.is_ok() {
            return Ok(());
        }
        match join((&mut self.task).await) {
            Ok(_) => Err(Error::new(ErrorKind::Internal, "the writer ended early")),
            Err(error) => Err(error),
        }
    }
}

/// Runs until the file is finished, or until the network side goes away: then
/// everything that was queued is still written, for the next attempt.
fn write_all(mut partial: Partial, mut queue: mpsc::Receiver<Command>) -> Result<Option<Verified>> {
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Write(bytes) => partial.write(&bytes)?,
            Command::Restart => partial.restart()?,
            Command::Finish => return partial.finish().map(Some),
        }
    }
    Ok(None)
}
