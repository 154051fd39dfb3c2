//! The changes of a bucket's files as server-sent events: those since a position, then each new one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use futures_util::Stream;
use jiff::Timestamp;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::super::super::access::Caller;
use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::follow::{self, Gate};
use super::super::super::hub::Hub;
use super::of;
use crate::store::{Bucket, BucketEvent, BucketPosition};

/// How often changes are looked for.
const POLL: Duration = Duration::from_millis(200);
const SILENCE: &str = ": keep-alive\n\n";

/// Handles `GET /api/buckets/{namespace}/{name}/events`.
pub(super) fn get(call: &Call) -> Reply {
    let bucket = of(call)?;
    let position = position(call, &bucket)?;
    let start = call.hub.store.buckets().follow(&bucket, position)?;
    let follower = Follower { hub: call.hub.clone(), headers: call.headers.clone(), bucket };
    Ok(follow::response(call, events(follower, start)))
}

fn position(call: &Call, bucket: &Bucket) -> Result<BucketPosition, ApiError> {
    match (call.query.get("cursor"), call.query.get("since")) {
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("\"cursor\" and \"since\" exclude each other"))
        }
        (Some(cursor), None) => {
            let id = cursor.strip_prefix(&bucket.object_id).and_then(|rest| rest.strip_prefix('-'));
            let id = id.and_then(|id| id.parse().ok());
            match id {
                Some(id) if call.hub.store.buckets().has_had(bucket, id)? => {
                    Ok(BucketPosition::After(id))
                }
                _ => Err(ApiError::bad_request("\"cursor\" is not one of this bucket")),
            }
        }
        (None, Some(since)) => match since.parse::<Timestamp>() {
            Ok(time) => Ok(BucketPosition::Since(time)),
            Err(_) => Err(ApiError::bad_request("\"since\" must be a time")),
        },
        (None, None) => Ok(BucketPosition::Now),
    }
}

/// A client, and the bucket that it follows.
#[derive(Clone)]
struct Follower {
    hub: Arc<Hub>,
    headers: HeaderMap,
    bucket: Bucket,
}

impl Follower {
    fn cursor(&self, id: i64) -> String {
        format!("{}-{id}", self.bucket.object_id)
    }

    /// Whether a new request would be the same: a stream can outlive a token.
    fn is_open(&self) -> Result<bool, ApiError> {
        let Bucket { namespace, name, object_id, .. } = &self.bucket;
        let caller = Caller::identify(&self.hub.store, &Method::GET, &self.headers)?;
        let found = self.hub.store.buckets().find(namespace, name)?;
        Ok(found.is_some_and(|found| {
            found.object_id == *object_id && (!found.private || caller.may_read_in(namespace))
        }))
    }

    async fn next(&self, after: i64) -> io::Result<Option<Vec<BucketEvent>>> {
        let asked = self.clone();
        let found = spawn_blocking(move || asked.hub.store.buckets().events(&asked.bucket, after));
        found.await?.map_err(io::Error::other)
    }
}

fn events(follower: Follower, start: Option<i64>) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        let mut at = start;
        let keep_alive = follower.hub.options.keep_alive;
        let (mut gate, mut is_ready, mut sent_at) = (Gate::new(keep_alive), false, Instant::now());
        while let Some(after) = at {
            let asked = follower.clone();
            if !gate.is_open(move || asked.is_open()).await? {
                break;
            }
            if sent_at.elapsed() >= keep_alive {
                sent_at = Instant::now();
                yield Bytes::from_static(SILENCE.as_bytes());
            }
            let Some(found) = follower.next(after).await? else {
                at = None;
                break;
            };
            for BucketEvent { id, changes } in &found {
                at = Some(*id);
                let data = format!("{{\"cursor\":\"{}\",\"changes\":{changes}}}", follower.cursor(*id));
                yield event("changes", &data);
            }
            if !found.is_empty() {
                sent_at = Instant::now();
                continue;
            }
            if !is_ready {
                is_ready = true;
                yield event("ready", &json!({ "cursor": follower.cursor(after) }).to_string());
            }
            sleep(POLL).await;
        }
        if at.is_none() {
            yield event("reset", &json!({ "reason": "older changes are not kept" }).to_string());
        }
    }
}

fn event(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
