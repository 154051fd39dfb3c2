//! The body of a request, as its handler sees it.
//!
//! A handler checks what it can before it asks for the body, and then ends: it never waits for a
//! client. It is run again once the body has arrived, or leaves behind an [`Upload`] that receives
//! the body.

use std::cell::RefCell;

use axum::body::Body;
use http_body::Body as _;
use serde::de::DeserializeOwned;

use super::call::{Call, Reply};
use super::error::ApiError;
use super::intake::{MAX_WHOLE, Sink, Spool};

/// A body that may not have been received yet.
pub(super) struct Payload {
    /// The announced length.
    length: Option<u64>,
    state: RefCell<State>,
}

enum State {
    Unread,
    Wanted(Want),
    Here(Spool),
}

/// How a handler needs the body.
pub(super) enum Want {
    /// As a whole, before the handler is run again.
    Whole,
    /// Piece by piece.
    Stream(Box<dyn Upload>),
}

/// Receives a body as it arrives and responds to the request at its end.
pub(super) trait Upload: Sink {
    /// Responds. Runs off the async threads.
    fn finish(self: Box<Self>, call: &Call) -> Reply;
}

impl Payload {
    /// Creates the body of a request that has not been read yet.
    pub(super) fn new(body: &Body) -> Self {
        let state =
            if body.is_end_stream() { State::Here(Spool::default()) } else { State::Unread };
        Self { length: body.size_hint().exact(), state: RefCell::new(state) }
    }

    /// Returns the whole body. Ends the handler if it has not arrived yet.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, ApiError> {
        self.bytes_within(MAX_WHOLE)
    }

    /// Same as [`Self::bytes`], for bodies of at most `most` bytes.
    pub(super) fn bytes_within(&self, most: u64) -> Result<Vec<u8>, ApiError> {
        // Rejected before the client sends it all in vain.
        if self.length.is_some_and(|length| length > most) {
            return Err(ApiError::too_large());
        }
        match &mut *self.state.borrow_mut() {
            State::Here(spool) if spool.size() > most => Err(ApiError::too_large()),
            State::Here(spool) => Ok(spool.bytes()?),
            state => {
                *state = State::Wanted(Want::Whole);
                Err(ApiError::body_is_awaited())
            }
        }
    }

    /// Parses the whole body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let json = serde_json::from_slice(&self.bytes()?);
        json.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))
    }

    /// Ends the handler; `upload` handles the rest of the request.
    pub(super) fn stream_to(&self, upload: impl Upload + 'static) -> Reply {
        *self.state.borrow_mut() = State::Wanted(Want::Stream(Box::new(upload)));
        Err(ApiError::body_is_awaited())
    }

    /// Returns what the handler has asked for.
    pub(super) fn wanted(&self) -> Option<Want> {
        match self.state.replace(State::Unread) {
            State::Wanted(want) => Some(want),
            _ => None,
        }
    }

    /// Sets the received body.
    pub(super) fn fill(&self, spool: Spool) {
        self.state.replace(State::Here(spool));
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("length", &self.length).finish_non_exhaustive()
    }
}
