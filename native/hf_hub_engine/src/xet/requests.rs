//! The requests of a download to a storage: plans, with the access token, and parts of objects by
//! the links in them, without it.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, HeaderValue, LOCATION, RANGE},
};
use tokio::sync::Mutex;

use super::{
    chunks::{BUFFER, Chunks, Unpacking},
    exchange::{Call, Exchange, header, invalid, not_moved, patiently},
    memory::{Room, Taken},
    plan::{self, Block, OTHER_SIZE, Piece},
};
use crate::{
    base::{
        buffers::Buffers,
        error::{Error, ErrorKind, Result},
    },
    transport::Response,
};

/// Free buffers that are kept for the next chunks.
const FREE: usize = 2;

/// Maximum number of redirects of a link.
const REDIRECTS: usize = 5;

/// Requests for one file.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) exchange: Exchange,
    /// How long the storage may take for a plan.
    pub(super) plan_timeout: Duration,
    pub(super) hash: String,
    /// What chunks are unpacked to.
    buffers: Buffers,
}

impl Requests {
    pub(super) fn new(exchange: Exchange, plan_timeout: Duration, hash: String) -> Self {
        Self { exchange, plan_timeout, hash, buffers: Buffers::keeping(FREE, BUFFER) }
    }

    /// Returns what to fetch for a range of the file, in the order of its first use; `None` if the
    /// plan is too large, which one of a smaller range may not be.
    pub(super) async fn plan(&self, range: &Range<u64>) -> Result<Option<Vec<Block>>> {
        let access = &self.exchange.access;
        let planned = tokio::time::timeout(self.plan_timeout, self.planned(range)).await;
        let body = planned.unwrap_or_else(|_| {
            let seconds = self.plan_timeout.as_secs();
            let message = format!("the storage has sent no plan of the file within {seconds} s");
            Err(access.failed(ErrorKind::Timeout, message))
        });
        let Some(body) = body? else { return Ok(None) };
        self.read(&body, range).map(Some).map_err(|why| self.wrong_plan(why))
    }

    /// Returns the error for a plan that cannot be followed.
    pub(super) fn wrong_plan(&self, why: &str) -> Error {
        let message = format!("the storage sent an invalid plan of the file: {why}");
        self.exchange.access.failed(ErrorKind::InvalidResponse, message)
    }

    /// Reads a plan, whose links must be as secure as the storage.
    fn read(
        &self,
        body: &[u8],
        range: &Range<u64>,
    ) -> std::result::Result<Vec<Block>, &'static str> {
        let blocks = plan::read(body, range)?;
        let are_secure = blocks.iter().all(|block| self.exchange.is_secure(&block.url));
        are_secure.then_some(blocks).ok_or("a link in it is plain http, which is not followed")
    }

    async fn planned(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        let most = usize::try_from(plan::most(range.end - range.start)).unwrap_or(usize::MAX);
        let range = header(&format!("bytes={}-{}", range.start, range.end - 1))?;
        let headers = HeaderMap::from_iter([(RANGE, range)]);
        for version in ["v2", "v1"] {
            let url = self.exchange.url(&format!("{version}/reconstructions/{}", self.hash))?;
            let call = Call::new(Method::GET, url).headers(headers.clone());
            let asked = patiently(|| async {
                not_moved(self.exchange.authorized(call.clone()).await?)?.bytes_within(most).await
            });
            match asked.await {
                Err(error) if version == "v2" && matches!(error.status(), Some(404 | 501)) => {}
                asked => return asked,
            }
        }
        Err(invalid("it knows no version of the protocol"))
    }

    /// Fetches and unpacks a part of an object in `room`, and calls `pass` with where its pieces begin
    /// in the file, their bytes and the memory of these, while they arrive. A part that breaks off is
    /// continued after what was passed on, and only attempts without any such bytes are counted.
    /// Returns how far the part was read: to the end of the wanted chunks.
    pub(super) async fn block<F: Future<Output = ()>>(
        &self,
        block: Block,
        room: &Room,
        pass: impl Fn(u64, Bytes, Arc<Taken>) -> F,
    ) -> Result<Reached> {
        let rest = Mutex::new(Rest::new(block));
        let attempt = || async {
            let rest = &mut *rest.lock().await;
            let before = rest.block.bytes.start;
            match self.fetch(rest, room, &pass).await {
                Err(error) if error.is_transient() && rest.block.bytes.start > before => Ok(false),
                fetched => fetched.map(|()| true),
            }
        };
        while !patiently(&attempt).await? {}
        let Block { bytes, chunks, .. } = rest.into_inner().block;
        Ok(Reached { bytes: bytes.start, chunk: chunks.start })
    }

    /// Fetches the rest of a part once.
    async fn fetch<F: Future<Output = ()>>(
        &self,
        rest: &mut Rest,
        room: &Room,
        pass: impl Fn(u64, Bytes, Arc<Taken>) -> F,
    ) -> Result<()> {
        let asked = rest.asked();
        let broken = |why: &str| broken(why).with_url(&asked.url);
        let mut response = self.open(&asked).await?;
        let mut batch = room.batch().await;
        let mut unpacking = Unpacking::new(&asked, &self.buffers);
        while let Some(arrived) = response.chunk().await? {
            let mut arrived = &arrived[..];
            while let Some(chunks) = unpacking.push(&mut arrived).map_err(broken)? {
                rest.pass(&chunks, batch, &pass).await.map_err(broken)?;
                if rest.is_complete() {
                    return Ok(()); // Only chunks that are not wanted follow.
                }
                batch = room.batch().await;
            }
        }
        let Some(last) = unpacking.finish() else {
            let message = "the connection to the storage broke";
            return Err(Error::new(ErrorKind::Transport, message).with_url(&asked.url));
        };
        rest.pass(&last, batch, &pass).await.map_err(broken)?;
        if rest.is_complete() { Ok(()) } else { Err(broken(OTHER_SIZE)) }
    }

    /// Requests a part of an object.
    async fn open(&self, block: &Block) -> Result<Response> {
        let range = header(&format!("bytes={}-{}", block.bytes.start, block.bytes.end - 1))?;
        let mut response = self.get(block.url.clone(), &range).await?;
        for _ in 0..REDIRECTS {
            let Some(location) = redirect(&response) else { break };
            let next =
                response.url().join(location).map_err(|_| invalid("a redirect is invalid"))?;
            if !self.exchange.is_secure(&next) {
                return Err(invalid("it redirects to plain http").with_url(response.url()));
            }
            response = self.get(next, &range).await?;
        }
        let response = not_moved(response)?;
        if is_within(&response, &block.bytes) {
            return Ok(response);
        }
        Err(invalid("it sent other bytes than those that were requested").with_url(response.url()))
    }

    async fn get(&self, url: Url, range: &HeaderValue) -> Result<Response> {
        let headers = HeaderMap::from_iter([(RANGE, range.clone())]);
        self.exchange.linked(Call::new(Method::GET, url).headers(headers)).await
    }
}

/// How far a part of an object was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) bytes: u64,
    pub(super) chunk: u32,
}

/// What has not been passed on of a part of an object.
struct Rest {
    /// The pieces are those whose chunks have not begun, the next one last.
    block: Block,
    /// Those of which some chunks may have arrived.
    begun: Vec<Piece>,
}

impl Rest {
    fn new(mut block: Block) -> Self {
        block.pieces.sort_by_key(|piece| std::cmp::Reverse((piece.chunks.start, piece.at)));
        Self { block, begun: Vec::new() }
    }

    /// Returns what to request.
    fn asked(&self) -> Block {
        let Block { url, bytes, chunks, wanted, unpacked, .. } = &self.block;
        let (bytes, chunks, wanted) = (bytes.clone(), chunks.clone(), wanted.clone());
        Block { url: url.clone(), bytes, chunks, wanted, unpacked: *unpacked, pieces: Vec::new() }
    }

    async fn pass<F: Future<Output = ()>>(
        &mut self,
        chunks: &Chunks,
        batch: Arc<Taken>,
        pass: impl Fn(u64, Bytes, Arc<Taken>) -> F,
    ) -> std::result::Result<(), &'static str> {
        let Block { bytes, chunks: left, unpacked, pieces, .. } = &mut self.block;
        bytes.start += chunks.packed();
        left.start = chunks.end();
        *unpacked = unpacked.saturating_sub(chunks.length());
        if bytes.is_empty() && left.start < left.end {
            return Err(OTHER_SIZE);
        }
        while pieces.last().is_some_and(|piece| piece.chunks.start < left.start) {
            self.begun.extend(pieces.pop());
        }
        for piece in &mut self.begun {
            let bytes = chunks.within(&piece.chunks);
            if let Some((at, bytes)) = piece.arrived(&bytes)? {
                pass(at, bytes, batch.clone()).await;
            }
        }
        let mut ended = self.begun.extract_if(.., |piece| piece.chunks.end <= left.start);
        if ended.all(|piece| piece.length == 0) { Ok(()) } else { Err(OTHER_SIZE) }
    }

    /// Whether all pieces are complete.
    fn is_complete(&self) -> bool {
        self.block.pieces.is_empty() && self.begun.is_empty()
    }
}

/// Whether a response begins with the first of these bytes, and has no others. Chunks have no
/// numbers, and are passed on before all have arrived: those of another part would be taken for
/// these.
fn is_within(response: &Response, bytes: &Range<u64>) -> bool {
    let length = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
    match response.status() {
        StatusCode::PARTIAL_CONTENT if response.header("content-range").is_some() => {
            response.content_range().is_some_and(|range| {
                range.first == bytes.start && range.last.is_some_and(|last| last < bytes.end)
            })
        }
        // As over HTTP, a range without a position is the requested one if it has its length.
        StatusCode::PARTIAL_CONTENT => length == Some(bytes.end - bytes.start),
        // All of the object is requested.
        StatusCode::OK => bytes.start == 0 && length == Some(bytes.end),
        _ => false,
    }
}

fn redirect(response: &Response) -> Option<&str> {
    response.header(LOCATION.as_str()).filter(|_| response.status().is_redirection())
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the storage sent an invalid object: {why}"))
}

#[cfg(test)]
mod tests;
