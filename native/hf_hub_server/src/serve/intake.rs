//! Receives the bodies of requests: no thread waits for a client, and memory holds little of what has arrived or is
//! to be sent.
//!
//! What is to be done with the bytes is done off the async threads, by a few bodies at a time: hashing and
//! compressing must not keep other requests waiting. It does not know what the bytes mean.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, StreamExt};
use tempfile::{SpooledTempFile, spooled_tempfile_in};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;

use super::content::Source;
use super::error::ApiError;
use super::idle;

/// Bodies that are needed whole are no larger.
pub(super) const MAX_WHOLE: u64 = 10 << 20;
/// So much of a body, or of a line in it, is kept in memory while the rest is still to come.
const IN_MEMORY: usize = 64 << 10;
/// So much is handed on at a time.
const CHUNK: usize = 1 << 20;
/// So many bytes of whole bodies, and of files that are to be sent, are in memory at a time.
const WHOLE_IN_MEMORY: usize = 128 << 20;

/// Takes a body piece by piece. Runs off the async threads.
pub(super) trait Sink: Send {
    /// Takes what has arrived, or answers the request early.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>>;
}

impl<T: Sink + ?Sized> Sink for Box<T> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        (**self).take(bytes)
    }
}

/// Why a body did not arrive.
#[derive(Debug)]
pub(super) enum Broken {
    /// The client left before it had sent everything.
    Cut,
    /// The client stopped sending.
    TimedOut,
    /// The request was answered before its end.
    Answered(Box<Response>),
}

impl Broken {
    fn reading(err: &axum::Error) -> Self {
        if idle::is_timeout(err) { Self::TimedOut } else { Self::Cut }
    }
}

impl From<ApiError> for Broken {
    fn from(err: ApiError) -> Self {
        Self::Answered(Box::new(err.into_response()))
    }
}

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        match self {
            Self::Cut => ApiError::cut_body().into_response(),
            Self::TimedOut => ApiError::body_timed_out().into_response(),
            Self::Answered(response) => *response,
        }
    }
}

/// What all bodies share.
#[derive(Debug)]
pub(super) struct Intake {
    /// Where bodies lie that do not stay in memory.
    folder: PathBuf,
    workers: Semaphore,
    memory: Semaphore,
}

impl Intake {
    /// Keeps what does not stay in memory in files without a name in `folder`. As many bodies are worked on at a
    /// time as keep the processors busy.
    pub(super) fn new(folder: PathBuf) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Semaphore::new((2 * processors).clamp(4, 16));
        Self { folder, workers, memory: Semaphore::new(WHOLE_IN_MEMORY) }
    }

    /// A place for bytes that arrive.
    pub(super) fn spool(&self) -> Spool {
        Spool::new(&self.folder)
    }

    /// Hands a body on to `sink` as it arrives.
    pub(super) async fn feed<S: Sink + 'static>(&self, body: Body, sink: S) -> Result<S, Broken> {
        self.feed_stream(body.into_data_stream(), sink).await
    }

    async fn feed_stream<S: Sink + 'static>(
        &self,
        mut stream: BodyDataStream,
        mut sink: S,
    ) -> Result<S, Broken> {
        loop {
            let pieces = match next_pieces(&mut stream).await {
                Ok(Some(pieces)) => pieces,
                Ok(None) => return Ok(sink),
                Err(broken) => {
                    // What it has written so far is removed before the request is answered.
                    spawn_blocking(move || drop(sink)).await.map_err(ApiError::from)?;
                    return Err(broken);
                }
            };
            let _worker = self.workers.acquire().await;
            let taken = spawn_blocking(move || {
                let taken = pieces.iter().try_for_each(|piece| sink.take(piece));
                taken.map(|()| sink)
            });
            sink = taken.await.map_err(ApiError::from)?.map_err(Broken::Answered)?;
        }
    }

    /// Receives a whole body: in memory if it is small, else on disk.
    pub(super) async fn whole(&self, body: Body) -> Result<Spool, Broken> {
        let mut stream = body.into_data_stream();
        let mut spool = self.spool();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|err| Broken::reading(&err))?;
            if spool.size + piece.len() as u64 > IN_MEMORY as u64 {
                let mut sink = Whole { spool };
                sink = spawn_blocking(move || sink.take(&piece).map(|()| sink))
                    .await
                    .map_err(ApiError::from)?
                    .map_err(Broken::Answered)?;
                return Ok(self.feed_stream(stream, sink).await?.spool);
            }
            spool.write(&piece).map_err(ApiError::from)?;
        }
        Ok(spool)
    }

    /// Waits until a whole body may be in memory. Handlers wait for no client, so there is room soon.
    pub(super) async fn room(&self, spool: &Spool) -> Option<SemaphorePermit<'_>> {
        self.room_for(spool.size).await
    }

    /// The same for content that is to be sent. For threads that may block.
    pub(super) fn room_for_read(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        Handle::current().block_on(self.room_for(size))
    }

    async fn room_for(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        // More than there is would be waited for in vain.
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(WHOLE_IN_MEMORY);
        self.memory.acquire_many(u32::try_from(size).unwrap_or(u32::MAX)).await.ok()
    }

    /// Where bytes are while a client takes them: on disk if they are many, for the client may be slow.
    pub(super) fn put_down(&self, bytes: &[u8]) -> io::Result<Source> {
        if bytes.len() <= IN_MEMORY {
            return Ok(Source::Memory(Bytes::copy_from_slice(bytes)));
        }
        let mut file = tempfile::tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        Ok(Source::Nameless(file, bytes.len() as u64))
    }
}

/// What has arrived, waiting for nothing but its first byte; `None` at the end.
async fn next_pieces(stream: &mut BodyDataStream) -> Result<Option<Vec<Bytes>>, Broken> {
    let (mut pieces, mut size) = (Vec::new(), 0);
    let mut next = stream.next().await;
    while let Some(piece) = next {
        let piece = piece.map_err(|err| Broken::reading(&err))?;
        size += piece.len();
        pieces.push(piece);
        if size >= CHUNK {
            break;
        }
        next = match stream.next().now_or_never() {
            Some(next) => next,
            None => break,
        };
    }
    Ok((!pieces.is_empty()).then_some(pieces))
}

/// Collects a body that is needed whole.
struct Whole {
    spool: Spool,
}

impl Sink for Whole {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        let taken = if self.spool.size + bytes.len() as u64 > MAX_WHOLE {
            Err(ApiError::too_large())
        } else {
            self.spool.write(bytes).map_err(ApiError::from)
        };
        taken.map_err(|err| Box::new(err.into_response()))
    }
}

/// Bytes that are in memory while they are few, else in a file without a name.
pub(super) struct Spool {
    file: SpooledTempFile,
    size: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { file: SpooledTempFile::new(IN_MEMORY), size: 0 }
    }
}

impl Spool {
    /// No bytes yet; the file will lie in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { file: spooled_tempfile_in(IN_MEMORY, folder), size: 0 }
    }

    /// How many bytes there are.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes at the end.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// All bytes, as often as they are asked for.
    pub(super) fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_returns_what_was_written_from_memory_and_from_disk() {
        for size in [0, 1, IN_MEMORY, IN_MEMORY + 1, 3 * IN_MEMORY] {
            let content = (0..=u8::MAX).cycle().take(size).collect::<Vec<_>>();
            let mut spool = Spool::default();
            content.chunks(1000).for_each(|piece| spool.write(piece).unwrap());
            assert_eq!(spool.size(), size as u64);
            assert_eq!(spool.bytes().unwrap(), content);
            assert_eq!(spool.bytes().unwrap(), content);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_needed_whole_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let intake = Intake::new(folder.path().to_owned());
        let most = usize::try_from(MAX_WHOLE).unwrap();
        let body = |size: usize| Body::from(vec![1; size]);
        assert_eq!(intake.whole(body(most)).await.ok().map(|spool| spool.size()), Some(MAX_WHOLE));
        assert!(matches!(intake.whole(body(most + 1)).await, Err(Broken::Answered(_))));
    }
}
