//! An object as it is sent: its chunks, each with a header of eight bytes, and compressed where that
//! makes it smaller.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use http_body::{Frame, SizeHint};
use xet_core_structures::{
    metadata_shard::xorb_structs::MDBXorbInfo,
    xorb_object::{CompressionScheme, RawXorbData},
};

use super::compress::Compressor;
use crate::{
    base::{limits::Flow, presence::Presence},
    transport::{Body, Moved},
};

/// Number of chunks that are compressed in the same way: choosing takes time.
const ALIKE: usize = 32;

/// An object as it is sent.
pub(super) struct Packed {
    pub(super) info: Arc<MDBXorbInfo>,
    /// Headers and chunks.
    pieces: Vec<Bytes>,
    pub(super) length: u64,
    /// The number of bytes of its chunks.
    pub(super) unpacked: u64,
    pub(super) checksum: u64,
}

impl Packed {
    /// Compresses the chunks.
    pub(super) fn new(raw: RawXorbData) -> Self {
        let unpacked = raw.num_bytes() as u64;
        let mut pieces = Vec::with_capacity(2 * raw.data.len());
        let mut compressor = Compressor::new();
        let mut scheme = CompressionScheme::None;
        let mut chosen = 0;
        let mut starts = raw.file_boundaries.iter().copied().peekable();
        for (index, chunk) in raw.data.into_iter().enumerate() {
            let begins = starts.next_if_eq(&index).is_some();
            if begins || index - chosen == ALIKE {
                (scheme, chosen) = (CompressionScheme::choose_from_data(&chunk), index);
            }
            let (scheme, packed) = compressor.compress(&chunk, scheme);
            pieces.push(header(scheme, packed.len(), chunk.len()));
            pieces.push(packed);
        }
        let mut checksum = Digest::new(CrcAlgorithm::Crc64Nvme);
        for piece in &pieces {
            checksum.update(piece);
        }
        Self {
            info: Arc::new(raw.xorb_info),
            length: pieces.iter().map(|piece| piece.len() as u64).sum(),
            pieces,
            unpacked,
            checksum: checksum.finalize(),
        }
    }

    pub(super) fn hash(&self) -> String {
        self.info.metadata.xorb_hash.hex()
    }

    /// Returns what is sent.
    pub(super) fn pieces(&self) -> VecDeque<Bytes> {
        self.pieces.iter().cloned().collect()
    }
}

/// Returns the body of a request, which waits for `flow`, is in `limited` while it does, and calls
/// `sent` for each piece of it.
pub(super) fn body(
    pieces: VecDeque<Bytes>,
    flow: Flow,
    limited: Presence,
    sent: impl Fn(u64) + Send + Sync + 'static,
) -> Body {
    let moved = Moved::default();
    let left = pieces.iter().map(|piece| piece.len() as u64).sum();
    let sent = Box::new(sent);
    let sending =
        Sending { pieces, left, moved: moved.clone(), flow, limited, waiting: None, sent };
    Body::new(reqwest::Body::wrap(sending), moved)
}

fn header(scheme: CompressionScheme, packed: usize, length: usize) -> Bytes {
    let ([p0, p1, p2, ..], [l0, l1, l2, ..]) = (packed.to_le_bytes(), length.to_le_bytes());
    Bytes::copy_from_slice(&[0, p0, p1, p2, scheme as u8, l0, l1, l2])
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A body that is being sent.
struct Sending {
    pieces: VecDeque<Bytes>,
    left: u64,
    moved: Moved,
    flow: Flow,
    limited: Presence,
    /// Ends when the next piece may be sent.
    waiting: Option<Waiting>,
    sent: Box<dyn Fn(u64) + Send + Sync>,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(piece) = this.pieces.front() else { return Poll::Ready(None) };
        let length = piece.len();
        let waiting = this.waiting.get_or_insert_with(|| {
            let (flow, waits) = (this.flow.clone(), (this.moved.waits(), this.limited.enter()));
            Box::pin(async move {
                flow.pass(length).await;
                drop(waits);
            })
        });
        ready!(waiting.as_mut().poll(context));
        this.waiting = None;
        this.moved.add(length);
        (this.sent)(length as u64);
        this.left -= length as u64;
        Poll::Ready(this.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
