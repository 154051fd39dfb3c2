//! The logs of a Space as server-sent events: all lines so far, then each new one. The stream ends
//! when the client leaves, the Space is deleted or renamed, the reader loses access, or the server stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::super::super::access::Caller;
use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use crate::store::{LogKind, Piece, Repo, RepoKey, Tail};

/// How often a log is read.
const POLL: Duration = Duration::from_millis(200);
/// What the Hub sends to keep a connection open: an event without data.
const NO_EVENT: Bytes = Bytes::from_static(b"data:\n\n");

/// Handles `/api/spaces/{id}/logs/{kind}`.
pub(super) fn follow(call: &Call, repo: &Repo, kind: LogKind) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    let tail = call.hub.store.spaces().logs(&repo.settings.object_id).tail(kind);
    let place = Place {
        hub: call.hub.clone(),
        headers: call.headers.clone(),
        key: repo.key.clone(),
        object_id: repo.settings.object_id.clone(),
    };
    let body = if call.is_head() { Body::empty() } else { Body::from_stream(events(tail, place)) };
    Ok(response(body))
}

fn response(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
    ];
    (headers, body).into_response()
}

/// The Space that a log belongs to, and its reader.
#[derive(Clone)]
struct Place {
    hub: Arc<Hub>,
    headers: HeaderMap,
    key: RepoKey,
    object_id: String,
}

impl Place {
    /// Whether a new request for the log would be the same: a stream can outlive a token.
    fn is_open(&self) -> Result<bool, ApiError> {
        let Some(repo) = self.hub.store.locate(&self.key)?.found() else { return Ok(false) };
        let caller = Caller::identify(&self.hub.store, &Method::GET, &self.headers)?;
        caller.writer_in(self.key.id.namespace())?;
        Ok(repo.settings.object_id == self.object_id && !repo.settings.disabled)
    }
}

fn events(mut tail: Tail, place: Place) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let mut sent_at = Instant::now();
        loop {
            let read = spawn_blocking(move || tail.read().map(|piece| (piece, tail)));
            let (piece, rest) = read.await??;
            tail = rest;
            if let Piece::Lines(lines) = piece {
                sent_at = Instant::now();
                let text = lines.iter().flat_map(|line| ["data: ".into(), line.to_string(), "\n\n".into()]).collect::<String>();
                yield Bytes::from(text);
                continue;
            }
            sleep(POLL).await;
            if sent_at.elapsed() >= place.hub.options.keep_alive {
                sent_at = Instant::now();
                let place = place.clone();
                if !spawn_blocking(move || place.is_open().unwrap_or(false)).await? {
                    break;
                }
                yield NO_EVENT;
            }
        }
    }
}
