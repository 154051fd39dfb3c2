//! Uploads of large files and parts to signed links, as to an object store.
//!
//! The bytes are written to disk as they arrive. Content that does not match its link is never
//! visible.

use std::sync::Arc;

use anyhow::Result;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use tokio::task::spawn_blocking;

use super::super::content::quoted;
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::intake::{Broken, Sink};
use super::super::response::header_value;
use super::super::slot::{Part, Slot};
use super::object_error;
use crate::store::{IncomingPart, PartPlace, Receiving, Repo};

/// Handles a PUT to a path with a valid signature.
pub(super) async fn put(hub: Arc<Hub>, path: String, body: Body) -> Response {
    let (store, length) = (hub.clone(), body.size_hint().exact());
    let begun = spawn_blocking(move || Upload::begin(&store, &path, length));
    let upload = match begun.await.unwrap_or_else(|panic| Err(panic.into())) {
        Ok(Ok(upload)) => upload,
        Ok(Err(answer)) => return *answer,
        Err(err) => return failure(err),
    };
    match hub.intake.feed(body, upload).await {
        Ok(upload) => {
            let kept = spawn_blocking(move || upload.end(&hub));
            kept.await.unwrap_or_else(|panic| Err(panic.into())).unwrap_or_else(failure)
        }
        Err(Broken::Cut) => incomplete(),
        Err(Broken::TimedOut) => timed_out(),
        Err(Broken::Answered(answer)) => *answer,
    }
}

/// The upload in progress.
struct Upload {
    size: u64,
    content: Content,
}

enum Content {
    Whole { slot: Slot, repo: Box<Repo>, receiving: Receiving },
    Part { part: Part, incoming: IncomingPart },
}

impl Upload {
    /// Parses the path; returns a response if there is nothing to receive.
    fn begin(hub: &Hub, path: &str, length: Option<u64>) -> Result<Result<Self, Box<Response>>> {
        let lfs = hub.store.lfs();
        let (slot, part) = (Slot::parse(path), Part::parse(path));
        let size = slot.as_ref().map(|slot| slot.pointer.size);
        let Some(size) = size.or(part.as_ref().map(|part| part.size)) else {
            return Ok(Err(Box::new(object_error::no_such_key())));
        };
        if length.is_some_and(|length| length != size) {
            return Ok(Err(Box::new(wrong_size())));
        }
        let content = if let Some(slot) = slot {
            let Some(repo) = hub.store.follow(&slot.key)? else {
                return Ok(Err(Box::new(object_error::no_such_key())));
            };
            Content::Whole { slot, repo: Box::new(repo), receiving: lfs.receive()? }
        } else if let Some(part) = part {
            let incoming = lfs.receive_part(place(&part))?;
            Content::Part { part, incoming }
        } else {
            return Ok(Err(Box::new(object_error::no_such_key())));
        };
        Ok(Ok(Self { size, content }))
    }

    fn received(&self) -> u64 {
        match &self.content {
            Content::Whole { receiving, .. } => receiving.size(),
            Content::Part { incoming, .. } => incoming.size(),
        }
    }

    fn end(self, hub: &Hub) -> Result<Response> {
        if self.received() != self.size {
            return Ok(wrong_size());
        }
        let lfs = hub.store.lfs();
        match self.content {
            Content::Whole { slot, repo, receiving } => {
                let (incoming, oid) = (receiving.end(), slot.pointer.oid);
                if incoming.pointer.oid != oid {
                    let message = "The SHA-256 you specified did not match what we received.";
                    return Ok(object_error::respond(
                        StatusCode::BAD_REQUEST,
                        "BadDigest",
                        message,
                        "",
                    ));
                }
                lfs.keep(incoming)?;
                repo.hold(&lfs, &oid)?;
                Ok(stored(&oid[..32]))
            }
            Content::Part { part, incoming } => {
                let etag = lfs.keep_part(place(&part), incoming)?;
                Ok(etag.map_or_else(wrong_size, |etag| stored(&etag)))
            }
        }
    }
}

impl Sink for Upload {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        // A body without an announced size may be too long.
        if self.received() + bytes.len() as u64 > self.size {
            return Err(Box::new(wrong_size()));
        }
        let taken = match &mut self.content {
            Content::Whole { receiving, .. } => receiving.take(bytes),
            Content::Part { incoming, .. } => incoming.take(bytes),
        };
        taken.map_err(|err| Box::new(failure(err.into())))
    }
}

fn place(part: &Part) -> PartPlace<'_> {
    let Part { upload, number, offset, size } = part;
    PartPlace { upload, number: *number, offset: *offset, size: *size }
}

fn stored(etag: &str) -> Response {
    [(ETAG, header_value(&quoted(etag)))].into_response()
}

fn wrong_size() -> Response {
    let message = "The body does not have the size this link was signed for.";
    object_error::respond(StatusCode::BAD_REQUEST, "EntityTooLarge", message, "")
}

fn incomplete() -> Response {
    let message = "You did not provide the number of bytes specified by Content-Length.";
    object_error::respond(StatusCode::BAD_REQUEST, "IncompleteBody", message, "")
}

fn timed_out() -> Response {
    let message = "Your socket connection to the server was not read from or written to within the timeout period.";
    object_error::respond(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", message, "")
}

/// Returns no more details than an object store would, but the status and the cause for the log.
fn failure(err: anyhow::Error) -> Response {
    ApiError::from(err).into_response()
}
