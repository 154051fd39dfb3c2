//! Access to Xet, the Hub's storage of large files: it stores chunks, each of them once, whatever
//! files contain it.
//!
//! The engine uses the traits of this module only. [`storage`] implements them if the Cargo feature
//! `xet` is on: an upload is a [`session`], a download a [`reconstruction`]. The formats of lists of
//! chunks are those of the crate `xet-core-structures`. Without the feature, there is no [`Storage`].

mod access;
#[cfg(feature = "xet")]
mod chunker;
#[cfg(feature = "xet")]
mod chunks;
#[cfg(feature = "xet")]
mod compress;
#[cfg(feature = "xet")]
mod deposit;
#[cfg(feature = "xet")]
mod draft;
#[cfg(feature = "xet")]
mod exchange;
mod file;
#[cfg(feature = "xet")]
mod known;
#[cfg(feature = "xet")]
mod memory;
#[cfg(feature = "xet")]
mod packed;
#[cfg(feature = "xet")]
mod plan;
#[cfg(feature = "xet")]
mod read_ahead;
#[cfg(feature = "xet")]
mod reconstruction;
#[cfg(feature = "xet")]
mod requests;
#[cfg(feature = "xet")]
mod session;
mod shared;
#[cfg(feature = "xet")]
mod storage;

pub use access::Access;
pub(crate) use access::Granted;
pub use file::{File, related};
pub use shared::Shared;

use std::{ops::Range, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        input,
        limits::Flow,
    },
    transport::{Client, ClientConfig},
};

/// Work of a storage. Dropping it stops it.
pub type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A Xet storage.
pub trait Storage: std::fmt::Debug + Send + Sync {
    /// Begins an upload within the bandwidth limits of `flow`.
    fn upload<'a>(
        &'a self,
        access: &'a Access,
        wanted: Wanted,
        flow: &'a Flow,
    ) -> Running<'a, Box<dyn Upload>>;

    /// Begins a download of a part of a file. The content is not verified.
    fn download<'a>(
        &'a self,
        access: &'a Access,
        file: &'a File,
        part: Part,
    ) -> Running<'a, Box<dyn Download>>;
}

/// The part of a file to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its bytes, in order.
    pub ranges: Vec<Range<u64>>,
    /// The order in which they are returned.
    pub order: Order,
    /// How long the storage may take to say where they are.
    pub plan_timeout: Duration,
}

/// The order of the bytes of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// That of the file: bytes that arrive early are kept in memory.
    OfTheFile,
    /// That in which they arrive.
    OfArrival,
}

/// An upload of any number of files. Dropping it stops it.
pub trait Upload: Send + Sync {
    /// Begins a file.
    fn file(&self) -> Box<dyn Writing>;

    /// Stores all files, which must be finished. Only then a commit may name them.
    fn finish(&self) -> Running<'_, ()>;

    /// Returns how much is done.
    fn sent(&self) -> Sent;
}

/// A file that is being uploaded.
pub trait Writing: Send {
    /// Adds bytes.
    fn write(&mut self, bytes: Bytes) -> Running<'_, ()>;

    /// Ends the file. It is stored once the upload is finished.
    fn finish(&mut self) -> Running<'_, Stored>;
}

/// A range of a file that is being downloaded. Dropping it stops it.
pub trait Download: Send {
    /// Returns the next bytes, and where they begin in the file; `None` after all of them.
    fn next(&mut self) -> Running<'_, Option<(u64, Bytes)>>;
}

/// The progress of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of files that are at the storage.
    pub done: u64,
    /// Bytes that were sent for that.
    pub transferred: u64,
    /// What the storage has said while it registered files: grows as long as it does.
    pub registered: u64,
    /// Whether it waits for memory that other uploads have, or for the bandwidth limit.
    pub is_waiting: bool,
    /// Whether the storage does not have what it was known to have, so that another upload of the
    /// files, which sends all of them, may succeed.
    pub has_lost: bool,
}

/// What an upload is to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The SHA-256 of each file: commits name files by it, buckets do not.
    pub sha256: bool,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The SHA-256 of the bytes that were read, in hex, if it was wanted.
    pub sha256: Option<String>,
    /// The hash by which it can be downloaded.
    pub hash: String,
    /// Number of bytes that the storage had before.
    pub deduplicated: u64,
}

/// When Xet is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For uploads where the Hub offers it, and for downloads that fail without it.
    Auto,
    /// For downloads, too, wherever the Hub offers it.
    Always,
    /// Never.
    #[default]
    Never,
}

/// The settings of a call.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Settings {
    pub(crate) mode: Mode,
    #[serde(deserialize_with = "input::path")]
    pub(crate) cache_dir: PathBuf,
    pub(crate) buffer: u64,
}

/// What a storage is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// The folder of what is known about the storage's chunks.
    pub cache_dir: PathBuf,
    /// Maximum number of bytes in memory.
    pub buffer: u64,
    /// Maximum number of connections.
    pub connections: usize,
    /// Timeout for connections.
    pub connect: Duration,
    /// Timeout for the response to a request, and between two reads of it.
    pub silence: Duration,
}

/// Shares of an upload's memory, in sixteenths: an object, those that are being sent, and those of the
/// files that are being read. The rest is for the ends of files and what is read and compressed.
const OBJECT: u64 = 1;
#[cfg(feature = "xet")]
const SENDING: u64 = 4;
const READING: u64 = 4;

/// Bytes of an object, at least and at most. Smaller ones cost a request each.
const OBJECTS: (u64, u64) = (1 << 20, 64 << 20);

impl Tuning {
    /// Maximum number of bytes of the chunks of an object that is uploaded.
    #[cfg(feature = "xet")]
    fn object(&self) -> usize {
        usize::try_from(object(self.buffer)).unwrap_or(usize::MAX)
    }

    /// Bytes of objects that are being sent.
    #[cfg(feature = "xet")]
    fn sending(&self) -> u64 {
        self.buffer / 16 * SENDING
    }
}

fn object(buffer: u64) -> u64 {
    (buffer / 16 * OBJECT).clamp(OBJECTS.0, OBJECTS.1)
}

/// How a call may use Xet.
#[derive(Clone, Debug)]
pub struct Xet {
    /// When it is used.
    pub mode: Mode,
    tuning: Arc<Tuning>,
    /// Sends the requests of downloads.
    client: Client,
    /// Why it cannot be used.
    obstacle: Option<&'static str>,
    /// What all calls share.
    pub shared: Shared,
}

impl Xet {
    /// Creates the handle of a call.
    pub fn new(
        settings: Option<Settings>,
        connections: usize,
        connect: Duration,
        silence: Duration,
        client: Client,
        shared: Shared,
    ) -> Self {
        let Settings { mode, cache_dir, buffer } = settings.unwrap_or_default();
        let tuning = Arc::new(Tuning { cache_dir, buffer, connections, connect, silence });
        Self { mode, tuning, client, obstacle: shared::missing(), shared }
    }

    /// Creates a handle that never uses Xet.
    pub fn off() -> Self {
        let client = Client::new(ClientConfig::default());
        Self::new(None, 1, Duration::ZERO, Duration::ZERO, client, Shared::default())
    }

    /// Creates a handle that works without the Cargo feature, too.
    #[cfg(test)]
    pub(crate) fn scripted(settings: Settings, wait: Duration, shared: Shared) -> Self {
        let client = Client::new(ClientConfig::default());
        let xet = Self::new(Some(settings), 1, wait, wait, client, shared);
        Self { obstacle: None, ..xet }
    }

    /// Returns the storage, where it takes at most `silence` to respond.
    pub fn storage(&self, silence: Option<Duration>) -> Result<Arc<dyn Storage>> {
        if let Some(why) = self.obstacle() {
            let message = format!("Xet cannot be used: {why}");
            return Err(Error::new(ErrorKind::Transport, message).permanent());
        }
        let silence = silence.unwrap_or(self.tuning.silence);
        self.shared.storage(&Tuning { silence, ..(*self.tuning).clone() }, &self.client)
    }

    /// Returns the memory for files that are being read, and what one of `size` bytes takes, of which
    /// a block is read at a time.
    pub fn reading(&self, size: u64, block: u64) -> (u64, u64) {
        let buffer = self.tuning.buffer;
        (buffer / 16 * READING, size.min(block + object(buffer)))
    }

    /// Returns why Xet cannot be used at all.
    pub fn obstacle(&self) -> Option<&'static str> {
        if self.mode == Mode::Never { Some("it is turned off") } else { self.obstacle }
    }

    /// Whether Xet can be used at all.
    pub fn is_usable(&self) -> bool {
        self.obstacle().is_none()
    }
}
