//! Uploads of xorbs, and links to ranges of them.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::RANGE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;

use super::super::super::call::Reply;
use super::super::super::content::{self, Content, Source};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::intake::Sink;
use super::super::super::response;
use super::super::{cdn, object_error};
use super::token::Right;
use super::{Asked, answer, failure, finish};
use crate::store::{IncomingXorb, MAX_XORB, XetHash};

/// The announcement of a xorb. Its checksum is not needed: the hash covers all bytes.
#[derive(Debug, Deserialize)]
struct Announced {
    length: u64,
}

/// Handles `POST /v1/xorb-grants/{prefix}/{hash}`: where to send a xorb, unless it is stored.
pub(super) async fn grant(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let asked = Asked::new(hub.clone(), head, &params);
    let mut spool = match hub.intake.whole(body).await {
        Ok(spool) => spool,
        Err(broken) => return broken.into_response(),
    };
    let work = move || {
        asked.holder(Right::Write)?;
        let announced: Announced = serde_json::from_slice(&spool.bytes()?)
            .map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))?;
        offer(&asked, &announced)
    };
    finish(spawn_blocking(work).await)
}

fn offer(asked: &Asked, announced: &Announced) -> Reply {
    let hash = asked.hash()?;
    if announced.length > MAX_XORB {
        return Err(ApiError::too_large());
    }
    if asked.hub.store.xet().renew(&hash)? {
        return Ok(response::json(&json!({ "was_inserted": false })));
    }
    let path = format!("/xet/grants/{}/{}", hash.hex(), announced.length);
    let cdn = asked.hub.origins.cdn(Some(asked.headers()));
    let url = format!("{cdn}{path}?{}", asked.hub.sign(&path));
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let grant = json!({ "id": hex::encode(id), "method": "PUT", "url": url, "headers": {} });
    Ok((StatusCode::CREATED, response::json(&grant)).into_response())
}

/// Handles `POST /v1/xorb-commits/{prefix}/{hash}/grant/{id}`: the xorb was stored when it had
/// arrived, so this only looks.
pub(super) async fn commit(
    state: State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let look = |asked: &Asked| {
        asked.holder(Right::Write)?;
        if !asked.hub.store.xet().renew(&asked.hash()?)? {
            return Err(ApiError::not_found("Nothing was uploaded for this grant"));
        }
        Ok(response::json(&json!({ "was_inserted": true })))
    };
    answer(state, params, request, look).await
}

/// Handles `HEAD /v1/xorbs/{prefix}/{hash}`.
pub(super) async fn head(
    state: State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let look = |asked: &Asked| {
        asked.holder(Right::Write)?;
        let is_here = asked.hub.store.xet().renew(&asked.hash()?)?;
        Ok(if is_here { StatusCode::OK } else { StatusCode::NOT_FOUND }.into_response())
    };
    answer(state, params, request, look).await
}

/// Handles `POST /v1/xorbs/{prefix}/{hash}`.
pub(super) async fn post(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let asked = Asked::new(hub, head, &params);
    receive(asked, body, |asked| {
        asked.holder(Right::Write)?;
        Ok(None)
    })
    .await
}

/// Handles `PUT /xet/grants/{hash}/{size}`, whose link is signed.
pub(super) async fn put(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if let Err(rejected) = cdn::check_link(&hub, &head) {
        return *rejected;
    }
    let asked = Asked::new(hub, head, &params);
    receive(asked, body, |asked| {
        let size = asked.param("size").parse();
        Ok(Some(size.map_err(|_| ApiError::bad_request("Invalid size"))?))
    })
    .await
}

/// Receives a xorb, of exactly the size that `expected` returns.
async fn receive(
    asked: Asked,
    body: Body,
    expected: fn(&Asked) -> Result<Option<u64>, ApiError>,
) -> Response {
    let upload = spawn_blocking(move || {
        let size = expected(&asked)?;
        let hash = asked.hash()?;
        let incoming = asked.hub.store.xet().receive_xorb()?;
        Ok((asked.hub, Upload { hash, size, incoming }))
    });
    let (hub, upload) = match upload.await.unwrap_or_else(|panic| Err(ApiError::from(panic))) {
        Ok(started) => started,
        Err(err) => return err.into_response(),
    };
    match hub.intake.feed(body, upload).await {
        Ok(upload) => finish(spawn_blocking(move || upload.end(&hub)).await),
        Err(broken) => broken.into_response(),
    }
}

struct Upload {
    hash: XetHash,
    size: Option<u64>,
    incoming: IncomingXorb,
}

impl Upload {
    fn end(self, hub: &Hub) -> Reply {
        if self.size.is_some_and(|size| size != self.incoming.size()) {
            return Err(ApiError::bad_request("The xorb does not have the announced size"));
        }
        let is_new = hub.store.xet().keep_xorb(&self.hash, self.incoming).map_err(failure)?;
        Ok(response::json(&json!({ "was_inserted": is_new })))
    }
}

impl Sink for Upload {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        let most = self.size.unwrap_or(MAX_XORB).min(MAX_XORB);
        let taken = if self.incoming.size() + bytes.len() as u64 > most {
            Err(ApiError::too_large())
        } else {
            self.incoming.take(bytes).map_err(ApiError::from)
        };
        taken.map_err(|err| Box::new(err.into_response()))
    }
}

/// Returns a link to bytes of a xorb.
pub(super) fn link(asked: &Asked, xorb: &XetHash, bytes: &Range<u64>) -> String {
    let path = format!("/xet/xorbs/{}/{}-{}", xorb.hex(), bytes.start, bytes.end);
    let cdn = asked.hub.origins.cdn(Some(asked.headers()));
    format!("{cdn}{path}?{}", asked.hub.sign(&path))
}

/// Handles `GET /xet/xorbs/{hash}/{start}-{end}`, whose link is signed: the response to a range
/// within these bytes.
pub(super) async fn fetch(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    if let Err(rejected) = cdn::check_link(&hub, &head) {
        return *rejected;
    }
    let asked = Asked::new(hub, head, &params);
    finish(spawn_blocking(move || send(&asked)).await)
}

fn send(asked: &Asked) -> Reply {
    let hash = asked.hash()?;
    let allowed = parse_bytes(asked.param("range"));
    let allowed = allowed.ok_or_else(|| ApiError::bad_request("Invalid range"))?;
    let Some((file, index)) = asked.hub.store.xet().xorb(&hash)? else {
        return Ok(object_error::no_such_key());
    };
    let size = index.packed_size();
    let wanted = asked.headers().get(RANGE).and_then(|value| value.to_str().ok());
    match wanted.and_then(|range| content::parse_range(range, size)) {
        Some(content::Wanted::Part(wanted))
            if allowed.start <= wanted.start && wanted.end <= allowed.end => {}
        _ => {
            let message = "The link is for a range, which the request has to name";
            let (status, code) = (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
            return Ok(object_error::respond(status, code, message, ""));
        }
    }
    let content = Content {
        etag: hash.hex(),
        file_name: hash.hex(),
        media_type: "application/octet-stream",
        source: Source::Nameless(file, size),
    };
    let is_head = asked.head.method == Method::HEAD;
    // `If-Range` would send all of it.
    let headers = asked.headers().get(RANGE).map(|range| (RANGE, range.clone()));
    Ok(content::send(content, is_head, &headers.into_iter().collect())?)
}

fn parse_bytes(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once('-')?;
    Some(start.parse().ok()?..end.parse().ok()?)
}
