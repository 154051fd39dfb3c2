//! Streams of server-sent events about something that goes on: a log that grows, samples of a job.

use std::io;
use std::time::Duration;

use async_stream::try_stream;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::call::Call;
use super::error::ApiError;
use crate::store::{Piece, Tail};

/// How often a log is read.
const POLL: Duration = Duration::from_millis(200);

/// What a log belongs to, and its reader.
pub(super) trait Source: Clone + Send + Sync + 'static {
    /// What is sent to keep a silent connection open.
    const SILENCE: &'static str;

    /// Whether a new request for the log would be the same: a stream can outlive a token. Blocks.
    fn is_open(&self) -> Result<bool, ApiError>;

    /// Whether nothing will be added to the log. Blocks.
    fn is_complete(&self) -> Result<bool, ApiError>;
}

/// Responds with all lines of a log from `tail` on, then each new one.
pub(super) fn log<S: Source>(call: &Call, tail: Tail, source: S) -> Response {
    response(call, lines(tail, source, call.hub.options.keep_alive))
}

/// Responds with a stream of events.
pub(super) fn response(
    call: &Call,
    events: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response {
    let body = if call.is_head() { Body::empty() } else { Body::from_stream(events) };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
    ];
    (headers, body).into_response()
}

/// Checks at intervals, whatever is sent meanwhile, that a stream may go on.
pub(super) struct Gate {
    interval: Duration,
    asked_at: Instant,
}

impl Gate {
    /// Returns one for a stream that begins now.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, asked_at: Instant::now() }
    }

    /// Returns the last result of `is_open`, which is called again when it is time.
    pub(super) async fn is_open(
        &mut self,
        is_open: impl FnOnce() -> Result<bool, ApiError> + Send + 'static,
    ) -> io::Result<bool> {
        if self.asked_at.elapsed() < self.interval {
            return Ok(true);
        }
        self.asked_at = Instant::now();
        Ok(spawn_blocking(move || is_open().unwrap_or(false)).await?)
    }
}

fn lines<S: Source>(
    mut tail: Tail,
    source: S,
    keep_alive: Duration,
) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let (mut gate, mut sent_at) = (Gate::new(keep_alive), Instant::now());
        loop {
            let asked = source.clone();
            if !gate.is_open(move || asked.is_open()).await? {
                break;
            }
            if sent_at.elapsed() >= keep_alive {
                sent_at = Instant::now();
                yield Bytes::from_static(S::SILENCE.as_bytes());
            }
            let asked = source.clone();
            let read = spawn_blocking(move || {
                // Asked first: what is read then is all there is.
                let is_complete = asked.is_complete().unwrap_or(true);
                tail.read().map(|piece| (piece, tail, is_complete))
            });
            let (piece, rest, is_complete) = read.await??;
            tail = rest;
            if let Piece::Lines(lines) = piece {
                sent_at = Instant::now();
                let text = lines.iter().flat_map(|line| ["data: ".into(), line.to_string(), "\n\n".into()]).collect::<String>();
                if !text.is_empty() {
                    yield Bytes::from(text);
                }
                continue;
            }
            if is_complete {
                break;
            }
            sleep(POLL).await;
        }
    }
}
