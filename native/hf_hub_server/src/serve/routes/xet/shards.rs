//! Uploads of shards: the files that xorbs make up.
//!
//! Verifying reads the whole content of new files. Meanwhile, the second version of the route sends
//! lines of JSON, so that clients do not give up; the first lets them wait.

use std::io::{BufReader, Seek};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::intake::{Broken, Sink, Spool};
use super::super::super::response;
use super::super::limits;
use super::holder::Holder;
use super::token::Right;
use super::{Asked, failure, finish};
use crate::store::{MAX_SHARD, Pointer, Shard, Verified, XetStore};

/// How often a client hears that its shard is being verified.
const PULSE: Duration = Duration::from_secs(1);
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Handles `POST /v1/shards`.
pub(super) async fn v1(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let received = match receive(hub, &params, request).await {
        Ok(received) => received,
        Err(response) => return *response,
    };
    let work = move || {
        received.process(&mut |_| Ok(()))?;
        Ok(response::json(&json!({ "result": 1 })))
    };
    finish(spawn_blocking(work).await)
}

/// Handles `POST /v2/shards`. Errors are lines, too: the status is sent before the work is done.
pub(super) async fn v2(
    State(hub): State<Arc<Hub>>,
    params: RawPathParams,
    request: Request,
) -> Response {
    let received = match receive(hub, &params, request).await {
        Ok(received) => received,
        Err(response) => return *response,
    };
    let (sender, mut lines) = mpsc::channel::<Value>(16);
    let work = spawn_blocking(move || {
        let mut tell = |line| sender.blocking_send(line).map_err(anyhow::Error::from);
        let done = received.process(&mut tell);
        let last = done.map_or_else(
            |err| json!({ "type": "error", "message": err.message(), "retryable": err.is_internal() }),
            |()| json!({ "type": "result" }),
        );
        let _ = sender.blocking_send(last);
    });
    let body = async_stream::stream! {
        while let Some(line) = lines.recv().await {
            yield Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n")));
        }
        // A panic ends the lines without a result, which clients report.
        let _ = work.await;
    };
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(body.boxed())).into_response()
}

/// A shard that has arrived.
struct Received {
    hub: Arc<Hub>,
    holder: Holder,
    spool: Spool,
}

async fn receive(
    hub: Arc<Hub>,
    params: &RawPathParams,
    request: Request,
) -> Result<Received, Box<Response>> {
    let (head, body) = request.into_parts();
    let asked = Asked::new(hub.clone(), head, params);
    let begun = spawn_blocking(move || asked.holder(Right::Write)).await;
    let holder = begun.unwrap_or_else(|panic| Err(panic.into()));
    let holder = holder.map_err(|err| Box::new(err.into_response()))?;
    let body = hub.intake.feed(body, Arriving(hub.intake.spool())).await;
    let spool = body.map_err(|broken: Broken| Box::new(broken.into_response()))?.0;
    Ok(Received { hub, holder, spool })
}

struct Arriving(Spool);

impl Sink for Arriving {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        let taken = if self.0.size() + bytes.len() as u64 > MAX_SHARD {
            Err(ApiError::too_large())
        } else {
            self.0.write(bytes).map_err(ApiError::from)
        };
        taken.map_err(|err| Box::new(err.into_response()))
    }
}

impl Received {
    /// Verifies the shard and records its files. `tell` sends lines about the progress; it fails if
    /// the client has left, which ends the work.
    fn process(self, tell: &mut dyn FnMut(Value) -> anyhow::Result<()>) -> Result<(), ApiError> {
        let Self { hub, holder, spool } = self;
        let size = spool.size();
        let mut file = spool.into_file()?;
        file.rewind()?;
        let shard = Shard::parse(BufReader::new(file), size).map_err(failure)?;
        check_limits(&hub, &holder, &shard)?;
        let files = verify(&hub.store.xet(), &shard, tell).map_err(failure)?;
        tell(json!({ "type": "committing", "stage": "uploading" }))?;
        let unknown = hold(&hub, &holder, files)?;
        tell(json!({ "type": "committing", "stage": "syncing" }))?;
        hub.store.xet().register(&unknown).map_err(failure)
    }
}

/// Rejects what the owner of the repository may not store, before the long work.
fn check_limits(hub: &Hub, holder: &Holder, shard: &Shard) -> Result<(), ApiError> {
    let mut objects = Vec::new();
    for (oid, size) in XetStore::claims(shard) {
        let object = Pointer { oid: oid.unwrap_or_default(), size };
        if let Some(message) = limits::too_large(hub, &object) {
            return Err(ApiError::unprocessable(message));
        }
        objects.push(object);
    }
    holder.check_storage(hub, &objects)
}

fn verify(
    store: &XetStore,
    shard: &Shard,
    tell: &mut dyn FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Verified>> {
    let total = shard.count();
    let line = |verified| json!({ "type": "validating", "verified": verified, "total": total });
    tell(line(0))?;
    let mut told = Instant::now();
    let files = store.verify(shard, &mut |verified| {
        if told.elapsed() >= PULSE {
            told = Instant::now();
            tell(line(verified))?;
        }
        Ok(())
    })?;
    tell(line(total))?;
    Ok(files)
}

/// Adds the files to their holder, and returns those that are not stored otherwise.
fn hold(hub: &Hub, holder: &Holder, files: Vec<Verified>) -> Result<Vec<Verified>, ApiError> {
    let mut unknown = Vec::new();
    for file in files {
        if !holder.hold(hub, &file.oid)? {
            unknown.push(file);
        }
    }
    Ok(unknown)
}
