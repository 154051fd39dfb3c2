//! The body of a request, read as it arrives by whoever asks for it.
//!
//! Handlers run off the async threads and may block on it; nobody who does not ask waits for it. It does not
//! know what the bytes mean.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::pin::Pin;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::stream::{MapErr, TryStreamExt};
use http_body::Body as _;
use serde::de::DeserializeOwned;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::error::ApiError;

/// Bodies that are read whole are no larger.
pub(super) const MAX_WHOLE: u64 = 10 << 20;

type Stream = MapErr<BodyDataStream, fn(axum::Error) -> io::Error>;
type Reader = SyncIoBridge<Pin<Box<StreamReader<Stream, Bytes>>>>;

/// A body that has not been read yet.
pub(super) struct Payload {
    reader: RefCell<Reader>,
    /// What the head announced.
    length: Option<u64>,
    is_cut: Cell<bool>,
}

impl Payload {
    /// Wraps a body. Must be called inside the runtime.
    pub(super) fn new(body: Body) -> Self {
        let length = body.size_hint().exact();
        let stream: Stream = body.into_data_stream().map_err(io::Error::other);
        let reader = RefCell::new(SyncIoBridge::new(Box::pin(StreamReader::new(stream))));
        Self { reader, length, is_cut: Cell::new(false) }
    }

    /// The announced size; `None` when the body comes in chunks.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the client left before it had sent everything.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// The whole body.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, ApiError> {
        // Said before the client has sent it all in vain.
        if self.length.is_some_and(|length| length > MAX_WHOLE) {
            return Err(ApiError::too_large());
        }
        let mut bytes = Vec::new();
        let mut reader = self;
        Read::by_ref(&mut reader).take(MAX_WHOLE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_WHOLE {
            return Err(ApiError::too_large());
        }
        Ok(bytes)
    }

    /// The whole body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let json = serde_json::from_slice(&self.bytes()?);
        json.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))
    }
}

impl Read for &Payload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.borrow_mut().read(buffer);
        if read.is_err() {
            self.is_cut.set(true);
        }
        read
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("length", &self.length).finish_non_exhaustive()
    }
}
