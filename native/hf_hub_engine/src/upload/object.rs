//! Uploads one content to the large file store: in one piece, or in concurrent parts.
//!
//! A failed part is sent again from disk. Expired links are requested again, and the token is never
//! sent to a link.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, header::ETAG};
use serde::Serialize;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        progress::{Activity, FileProgress},
    },
    hub::{
        hints,
        streamed_body::{self, Pieces},
    },
    transport::{self, Body, Response},
    upload::{
        Addition,
        digest::{BLOCK, Sums, index},
        lfs::{self, Object, Plan, Slot},
        link::Link,
        parts::{Taken, Unfinished},
        session::Session,
        source::Content,
    },
};

/// Maximum number of times that links are requested again.
const RENEWALS: u32 = 3;

/// Maximum size of a store's response.
const ANSWER: usize = 1 << 20;

/// Content to upload. Many wait at a time, so its file is not open.
#[derive(Clone, Debug)]
pub(super) struct Large {
    pub(super) object: Object,
    pub(super) file: Addition,
    /// `None` if an earlier run has hashed it.
    pub(super) sums: Option<Sums>,
}

/// Content that is being uploaded.
#[derive(Clone, Debug)]
struct Open {
    content: Content,
    sums: Option<Sums>,
}

#[derive(Serialize)]
struct Completion<'a> {
    oid: String,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    part_number: usize,
    etag: &'a str,
}

/// Uploads content by `plan`.
pub(super) async fn put(
    session: &Arc<Session>,
    unfinished: Option<&Arc<Unfinished>>,
    large: &Large,
    plan: Plan,
) -> Result<()> {
    let object = &large.object;
    let (mut plan, mut taken) = take_up(session, unfinished, object, plan).await;
    let file = session.progress.start_file(object.path.as_str(), Some(0));
    let addition = large.file.clone();
    let content = blocking::run(move || addition.open()).await?;
    let open = Open { content, sums: large.sums.clone() };
    for renewals in 0.. {
        let result = attempt(session, object, &open, &plan, &taken, &file).await;
        let error = match result {
            Ok(()) => {
                forget(taken).await;
                return Ok(());
            }
            Err(error) => error,
        };
        if renewals == RENEWALS || !may_be_stale(&error) {
            return Err(failed(object, error));
        }
        file.restart();
        forget(taken).await;
        let mut plans = lfs::batch(session, std::slice::from_ref(object)).await?;
        let Some(renewed) = plans.remove(&object.oid) else {
            session.progress.skip_bytes(object.size);
            return Ok(());
        };
        (plan, taken) = take_up(session, unfinished, object, renewed).await;
    }
    Ok(())
}

/// Continues an interrupted upload of an earlier run, which `plan` belongs to.
async fn take_up(
    session: &Arc<Session>,
    unfinished: Option<&Arc<Unfinished>>,
    object: &Object,
    plan: Plan,
) -> (Plan, Arc<Taken>) {
    let Some(unfinished) = unfinished.filter(|_| matches!(plan.slot, Slot::Parts { .. })) else {
        return (plan, Arc::default());
    };
    let (session, unfinished, object) = (session.clone(), unfinished.clone(), object.clone());
    let (plan, taken) = blocking::run(move || unfinished.take_up(&session, &object, plan)).await;
    (plan, Arc::new(taken))
}

/// A dropped attempt may still write to the record, but after this it is no longer read.
async fn forget(taken: Arc<Taken>) {
    blocking::run(move || taken.forget()).await;
}

/// Whether new links may help: stores report in many ways that a link has expired, that an upload
/// in parts is gone, or that its parts do not match.
fn may_be_stale(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 409 | 410 | 412))
}

fn failed(object: &Object, error: Error) -> Error {
    let next = if error.is_from_a_store() && may_be_stale(&error) { hints::NEW_LINKS } else { "" };
    let message = format!("cannot upload \"{}\": {}{next}", object.path, error.message());
    if error.kind() == ErrorKind::ChecksumMismatch { error } else { error.with_message(message) }
        .with_path(&object.path)
}

async fn attempt(
    session: &Session,
    object: &Object,
    open: &Open,
    plan: &Plan,
    taken: &Arc<Taken>,
    file: &FileProgress,
) -> Result<()> {
    let size = object.size;
    match &plan.slot {
        Slot::Whole(link) => drop(put_range(session, open, file, link, (0, size)).await?),
        Slot::Parts { complete, size: part, links } => {
            let ranges =
                (0..size).step_by(index(*part)).map(|first| (first, size.min(first + part)));
            let links = links.iter().cloned().map(Link::bare);
            let parts: Vec<_> = links.zip(ranges).collect();
            let etags: Vec<String> = stream::iter(parts.into_iter().enumerate())
                .map(|(part, (link, range))| async move {
                    if let Some(etag) = taken.etag(part) {
                        file.resumed(range.1 - range.0);
                        return Ok(etag);
                    }
                    let etag = put_part(session, open, file, &link, range).await?;
                    let (kept, name) = (taken.clone(), etag.clone());
                    blocking::run(move || kept.add(part, &name)).await;
                    Ok::<_, Error>(etag)
                })
                .buffered(session.tuning.connections.max(1))
                .try_collect()
                .await?;
            finish(session, object, &Link::bare(complete.clone()), &etags).await?;
        }
    }
    open.content.check()?;
    match &plan.verify {
        Some(link) => lfs::verify(session, link, object).await,
        None => Ok(()),
    }
}

async fn put_part(
    session: &Session,
    open: &Open,
    file: &FileProgress,
    link: &Link,
    range: (u64, u64),
) -> Result<String> {
    let response = put_range(session, open, file, link, range).await?;
    let etag = transport::text(response.headers(), ETAG.as_str()).filter(|etag| !etag.is_empty());
    etag.map(str::to_owned).ok_or_else(|| {
        let message = "the store sent no ETag for a part of the content";
        Error::new(ErrorKind::InvalidResponse, message).with_url(&link.url)
    })
}

/// Sends the bytes of `range` to a link, with retries.
async fn put_range(
    session: &Session,
    open: &Open,
    file: &FileProgress,
    link: &Link,
    (first, end): (u64, u64),
) -> Result<Response> {
    let attempt = || async {
        // The semaphore is never closed.
        let _connection = session.connections.acquire().await;
        session.progress.set_activity(Activity::Uploading, None);
        let range = Range { open: open.clone(), first, at: first, end };
        let request = session.signed(Method::PUT, link, session.tuning.silence);
        let mut sent = 0;
        let answer = streamed_body::send(&session.hub, request, range, |bytes| {
            sent += bytes;
            file.received(bytes);
        });
        let answer = answer.await.and_then(|response| unredirected(response, link));
        answer.inspect_err(|_| file.take_back(sent))
    };
    session.flowing().retrying(&session.progress, attempt).await
}

async fn finish(session: &Session, object: &Object, link: &Link, etags: &[String]) -> Result<()> {
    let parts = (1..).zip(etags).map(|(part_number, etag)| Part { part_number, etag }).collect();
    let completion = Completion { oid: object.oid.to_string(), parts };
    let body = Bytes::from(serde_json::to_vec(&completion).unwrap_or_default());
    let wait = session.patient().timeouts.headers;
    let attempt = || async {
        let mut request = session.signed(Method::POST, link, wait);
        request.headers.insert(reqwest::header::ACCEPT, lfs::KIND);
        request.body = Some(Body::from(body.clone()));
        let response = unredirected(session.hub.send(request).await?, link)?;
        response.bytes(ANSWER).await.map(drop)
    };
    session.flowing().retrying(&session.progress, attempt).await
}

fn unredirected(response: Response, link: &Link) -> Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let message = format!("the store redirected an upload ({})", response.status());
    Err(Error::new(ErrorKind::InvalidResponse, message).with_url(&link.url))
}

/// The bytes of a range, block by block, each checked against the hashed content.
struct Range {
    open: Open,
    first: u64,
    at: u64,
    end: u64,
}

impl Pieces for Range {
    fn length(&self) -> u64 {
        self.end - self.first
    }

    fn capacity(&self) -> usize {
        index(BLOCK.min(self.open.content.stamp().size))
    }

    fn next(&mut self, mut block: Vec<u8>) -> Result<Option<Bytes>> {
        let content = &self.open.content;
        if self.at >= self.end {
            content.check()?;
            return Ok(None);
        }
        let start = self.at / BLOCK * BLOCK;
        let stop = (start + BLOCK).min(content.stamp().size);
        block.resize(index(stop - start), 0);
        content.read(start, &mut block)?;
        if let Some(sums) = &self.open.sums {
            sums.check(content, start, &block)?;
        }
        let wanted = index(self.at - start)..index(self.end.min(stop) - start);
        self.at = stop;
        Ok(Some(Bytes::from(block).slice(wanted)))
    }
}
