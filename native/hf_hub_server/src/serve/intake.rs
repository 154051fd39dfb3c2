//! Receives request bodies: no thread waits for a client, and memory holds little of what has
//! arrived or will be sent.
//!
//! The bytes are processed off the async threads, for a few bodies at a time: hashing and
//! compressing must not block other requests. This module does not know what the bytes mean.

use std::fs::File;
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

/// Maximum size of bodies that are needed as a whole.
pub(super) const MAX_WHOLE: u64 = 10 << 20;
/// How much of an incomplete body, or of a line in it, is kept in memory.
const IN_MEMORY: usize = 64 << 10;
/// How much is handed on at a time.
const CHUNK: usize = 1 << 20;
/// Maximum number of bytes of whole bodies, and of files to be sent, in memory at a time.
const WHOLE_IN_MEMORY: usize = 128 << 20;

/// Receives a body piece by piece. Runs off the async threads.
pub(super) trait Sink: Send {
    /// Processes a piece, or responds to the request early.
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
    /// The response was sent before the body ended.
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

/// The shared state of all bodies.
#[derive(Debug)]
pub(super) struct Intake {
    /// The folder for bodies that do not stay in memory.
    folder: PathBuf,
    workers: Semaphore,
    memory: Semaphore,
}

impl Intake {
    /// Stores large bodies in unnamed files in `folder`. The number of bodies processed at a time
    /// matches the number of processors.
    pub(super) fn new(folder: PathBuf) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Semaphore::new((2 * processors).clamp(4, 16));
        Self { folder, workers, memory: Semaphore::new(WHOLE_IN_MEMORY) }
    }

    /// Creates a buffer for arriving bytes.
    pub(super) fn spool(&self) -> Spool {
        Spool::new(&self.folder)
    }

    /// Passes a body to `sink` as it arrives.
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
                    // Its files are removed before the response is sent.
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

    /// Receives a whole body: in memory if it is small, otherwise on disk.
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

    /// Waits until a whole body may be in memory. Handlers never wait for a client, so this is
    /// short.
    pub(super) async fn room(&self, spool: &Spool) -> Option<SemaphorePermit<'_>> {
        self.room_for(spool.size).await
    }

    /// Waits like [`Self::room`] for content to be sent. For threads that may block.
    pub(super) fn room_for_read(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        Handle::current().block_on(self.room_for(size))
    }

    async fn room_for(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        // Waiting for more than the maximum would never end.
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(WHOLE_IN_MEMORY);
        self.memory.acquire_many(u32::try_from(size).unwrap_or(u32::MAX)).await.ok()
    }

    /// Stores bytes while a client receives them: on disk if they are many, because the client may
    /// be slow.
    pub(super) fn put_down(&self, bytes: &[u8]) -> io::Result<Source> {
        if bytes.len() <= IN_MEMORY {
            return Ok(Source::Memory(Bytes::copy_from_slice(bytes)));
        }
        let mut file = tempfile::tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        Ok(Source::Nameless(file, bytes.len() as u64))
    }
}

/// Returns the bytes that have arrived, waiting only for the first one; `None` at the end.
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

/// Collects a body that is needed as a whole.
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

/// Bytes that are kept in memory while they are few, otherwise in an unnamed file.
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
    /// Creates an empty buffer; its file will be in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { file: spooled_tempfile_in(IN_MEMORY, folder), size: 0 }
    }

    /// Returns the number of bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Returns a file without a name that holds the bytes.
    pub(super) fn into_file(self) -> io::Result<File> {
        self.file.into_file()
    }

    /// Returns all bytes; may be called repeatedly.
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
    fn a_spool_returns_what_was_written_in_memory_and_on_disk() {
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
    async fn whole_bodies_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let intake = Intake::new(folder.path().to_owned());
        let most = usize::try_from(MAX_WHOLE).unwrap();
        let body = |size: usize| Body::from(vec![1; size]);
        assert_eq!(intake.whole(body(most)).await.ok().map(|spool| spool.size()), Some(MAX_WHOLE));
        assert!(matches!(intake.whole(body(most + 1)).await, Err(Broken::Answered(_))));
    }
}
