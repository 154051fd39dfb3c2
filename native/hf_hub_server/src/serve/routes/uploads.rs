//! Large files and parts of them, put to signed links as to an object store.
//!
//! The bytes go to disk as they arrive. Content that is not what the link was made for leaves nothing behind.

use std::io::Read;

use anyhow::Result;
use axum::http::StatusCode;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};

use super::super::answer::header_value;
use super::super::content::quoted;
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::payload::Payload;
use super::super::slot::{Part, Slot};
use super::cdn;

/// Answers a PUT to a path whose signature is good.
pub(super) fn put(hub: &Hub, path: &str, body: &Payload) -> Response {
    let result = if let Some(slot) = Slot::parse(path) {
        put_whole(hub, &slot, body)
    } else if let Some(part) = Part::parse(path) {
        put_part(hub, &part, body)
    } else {
        Ok(cdn::no_such_key())
    };
    match result {
        Ok(response) => response,
        Err(_) if body.is_cut() => incomplete(),
        Err(err) => failure(err),
    }
}

fn put_whole(hub: &Hub, slot: &Slot, body: &Payload) -> Result<Response> {
    let expected = &slot.pointer;
    if body.length().is_some_and(|length| length != expected.size) {
        return Ok(wrong_size());
    }
    let Some(repo) = hub.store.follow(&slot.key)? else { return Ok(cdn::no_such_key()) };
    let lfs = hub.store.lfs();
    // One byte more tells a body that is too long from one that is right.
    let incoming = lfs.receive(body.take(expected.size.saturating_add(1)))?;
    if incoming.pointer.size != expected.size {
        return Ok(wrong_size());
    }
    if incoming.pointer.oid != expected.oid {
        let message = "The SHA-256 you specified did not match what we received.";
        return Ok(cdn::error(StatusCode::BAD_REQUEST, "BadDigest", message, ""));
    }
    lfs.keep(incoming)?;
    repo.hold(&lfs, &expected.oid)?;
    Ok(stored(&expected.oid[..32]))
}

fn put_part(hub: &Hub, part: &Part, body: &Payload) -> Result<Response> {
    if body.length().is_some_and(|length| length != part.size) {
        return Ok(wrong_size());
    }
    let etag = hub.store.lfs().put_part(&part.upload, part.number, part.size, body)?;
    Ok(etag.map_or_else(wrong_size, |etag| stored(&etag)))
}

fn stored(etag: &str) -> Response {
    [(ETAG, header_value(&quoted(etag)))].into_response()
}

fn wrong_size() -> Response {
    let message = "The body does not have the size this link was signed for.";
    cdn::error(StatusCode::BAD_REQUEST, "EntityTooLarge", message, "")
}

fn incomplete() -> Response {
    let message = "You did not provide the number of bytes specified by Content-Length.";
    cdn::error(StatusCode::BAD_REQUEST, "IncompleteBody", message, "")
}

/// Says no more than an object store would, but with the status and the cause the log needs.
fn failure(err: anyhow::Error) -> Response {
    ApiError::from(err).into_response()
}
