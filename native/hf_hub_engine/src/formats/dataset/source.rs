//! The bytes of a file on this machine or on a Hub, for readers that block.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        disk,
        error::{Error, ErrorKind, Result},
        progress::Progress,
        random_access::{self, State},
        sizes,
    },
    download::{
        self,
        stream::{FileStream, Part, Spec},
    },
    formats::dataset::{Broken, DataFile},
    hub::client::{ByteRange, Hub},
};

/// Size of the reads of a text file on this machine.
const BUFFER: usize = 256 << 10;
/// Number of parts that are requested at the same time.
const AT_ONCE: usize = 4;

/// Runs requests for a thread that may block, until the job is cancelled.
#[derive(Clone)]
pub(super) struct Waiter {
    runtime: Handle,
    stop: CancellationToken,
}

impl Waiter {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { runtime: Handle::current(), stop }
    }

    /// Fails once the job is cancelled.
    pub(super) fn check(&self) -> Result<()> {
        if self.stop.is_cancelled() { Err(stopped()) } else { Ok(()) }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(stopped()),
                result = work => result,
            }
        })
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "cancelled")
}

/// An open file.
pub(super) struct Source {
    from: From,
    size: u64,
}

enum From {
    Disk(Local),
    Hub(Box<Remote>),
}

/// A file that is written to meanwhile is an error: rows may be of before and after.
struct Local {
    file: File,
    path: PathBuf,
    state: State,
}

impl Local {
    fn open(path: &Path) -> Result<Self> {
        let (file, state) = random_access::open(path)?;
        Ok(Self { file, path: path.to_owned(), state })
    }

    fn checked<T>(&self, read: io::Result<T>) -> io::Result<T> {
        // After the read, so that what was written before or while it was read is seen.
        if random_access::state(&self.file)? == self.state {
            return read;
        }
        Err(io::Error::other(random_access::changed(&self.path)))
    }
}

impl Read for Local {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        self.checked(read)
    }
}

struct Remote {
    hub: Hub,
    spec: Spec,
    waiter: Waiter,
}

impl Remote {
    async fn open(&self, part: Part) -> Result<FileStream> {
        let spec = Spec { part, ..self.spec.clone() };
        download::open(&self.hub, spec, &Progress::default()).await
    }

    async fn part(&self, range: &Range<u64>, length: usize) -> Result<Bytes> {
        let part = Part::Range(ByteRange { first: range.start, end: Some(range.end) });
        self.open(part).await?.collect(length).await
    }
}

impl Source {
    pub(super) fn open(hub: &Hub, file: &DataFile, waiter: &Waiter) -> Result<Self> {
        if let Some(path) = &file.path {
            return Self::on_disk(&path.0);
        }
        let (Some(place), Some(size)) = (&file.place, file.size) else {
            return Err(Error::new(ErrorKind::Internal, "a file without a place"));
        };
        let spec = Spec {
            repo: place.repo.clone(),
            revision: place.revision.clone(),
            path: file.name.clone(),
            part: Part::Whole,
        };
        let remote = Remote { hub: hub.clone(), spec, waiter: waiter.clone() };
        Ok(Self { from: From::Hub(Box::new(remote)), size })
    }

    pub(super) fn on_disk(path: &Path) -> Result<Self> {
        let file = Local::open(path)?;
        Ok(Self { size: file.state.0, from: From::Disk(file) })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether reading takes a request.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.from, From::Hub(_))
    }

    /// Reads these bytes, which have to exist.
    pub(super) fn read(&self, range: Range<u64>) -> std::result::Result<Bytes, Broken> {
        match &self.from {
            From::Disk(local) => {
                let mut buffer = vec![0; self.length(&range)?];
                local.checked(disk::read_exact_at(&local.file, &mut buffer, range.start))?;
                Ok(buffer.into())
            }
            From::Hub(_) => self.read_all(&[range]).map(|mut all| all.remove(0)),
        }
    }

    /// Reads several parts, which come at the same time from a Hub.
    pub(super) fn read_all(
        &self,
        ranges: &[Range<u64>],
    ) -> std::result::Result<Vec<Bytes>, Broken> {
        let From::Hub(remote) = &self.from else {
            return ranges.iter().map(|range| self.read(range.clone())).collect();
        };
        let lengths = ranges
            .iter()
            .map(|range| self.length(range))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let requests =
            ranges.iter().zip(&lengths).map(|(range, length)| remote.part(range, *length));
        let parts = futures_util::stream::iter(requests).buffered(AT_ONCE).try_collect();
        let parts: Vec<Bytes> = remote.waiter.wait(parts)?;
        match parts.iter().zip(lengths).find(|(part, length)| part.len() != *length) {
            None => Ok(parts),
            Some((part, length)) => Err(Broken::Content(format!(
                "the Hub sent {} instead of {length}",
                sizes::counted(part.len() as u64, "bytes")
            ))),
        }
    }

    fn length(&self, range: &Range<u64>) -> std::result::Result<usize, Broken> {
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.size);
        let length = length.ok_or_else(|| "it is truncated".to_owned())?;
        Ok(usize::try_from(length).map_err(|_| "it is too large".to_owned())?)
    }

    /// Reads the file from its beginning, unpacked.
    pub(super) fn text(self, gzip: bool) -> Result<Box<dyn Read + Send>> {
        let bytes: Box<dyn Read + Send> = match self.from {
            From::Disk(local) => Box::new(BufReader::with_capacity(BUFFER, local)),
            From::Hub(remote) => {
                let stream = remote.waiter.wait(remote.open(Part::Whole))?;
                Box::new(Pieces {
                    stream: Some(stream),
                    waiter: remote.waiter,
                    piece: Bytes::new(),
                })
            }
        };
        Ok(if gzip { Box::new(MultiGzDecoder::new(bytes)) } else { bytes })
    }
}

/// The pieces of a stream, one after the other. At its end it is dropped, and not asked again.
struct Pieces {
    stream: Option<FileStream>,
    waiter: Waiter,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(stream) = &mut self.stream else { return Ok(0) };
            match self.waiter.wait(stream.next()).map_err(io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => self.stream = None,
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

/// Returns what a reader failed with: the error of a request, or wrong content.
pub(super) fn broken(error: io::Error) -> Broken {
    match error.downcast::<Error>() {
        Ok(error) => Broken::Other(error),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Broken::Content("it is truncated".to_owned())
        }
        Err(error) => Broken::Content(error.to_string()),
    }
}
