//! The requests of a download to a storage: plans, with the access token, and parts of objects by
//! the links in them, without it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, HeaderValue, LOCATION, RANGE},
};
use tokio::sync::Mutex;

use super::{
    chunks::{BUFFER, Chunks, Unpacking},
    exchange::{Call, Exchange, header, invalid, not_moved, patiently},
    plan::{self, Block, OTHER_SIZE},
};
use crate::{
    base::{
        buffers::Buffers,
        error::{Error, ErrorKind, Result},
    },
    transport::Response,
};

/// Maximum size of a plan.
const PLAN: usize = 16 << 20;

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
        Self { exchange, plan_timeout, hash, buffers: Buffers::new(BUFFER) }
    }

    /// Returns what to fetch for a range of the file, in the order of its first use.
    pub(super) async fn plan(&self, range: &Range<u64>) -> Result<Vec<Block>> {
        let access = &self.exchange.access;
        let planned = tokio::time::timeout(self.plan_timeout, self.planned(range)).await;
        let body = planned.unwrap_or_else(|_| {
            let seconds = self.plan_timeout.as_secs();
            let message = format!("the storage has sent no plan of the file within {seconds} s");
            Err(access.failed(ErrorKind::Timeout, message))
        });
        self.read(&body?, range).map_err(|why| {
            let message = format!("the storage sent an invalid plan of the file: {why}");
            access.failed(ErrorKind::InvalidResponse, message)
        })
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

    async fn planned(&self, range: &Range<u64>) -> Result<Bytes> {
        let range = header(&format!("bytes={}-{}", range.start, range.end - 1))?;
        let headers = HeaderMap::from_iter([(RANGE, range)]);
        for version in ["v2", "v1"] {
            let url = self.exchange.url(&format!("{version}/reconstructions/{}", self.hash))?;
            let call = Call::new(Method::GET, url).headers(headers.clone());
            let asked = patiently(|| async {
                not_moved(self.exchange.authorized(call.clone()).await?)?.bytes(PLAN).await
            });
            match asked.await {
                Err(error) if version == "v2" && matches!(error.status(), Some(404 | 501)) => {}
                asked => return asked,
            }
        }
        Err(invalid("it knows no version of the protocol"))
    }

    /// Fetches and unpacks a part of an object, and calls `pass` with the bytes of its pieces, and
    /// with where they begin in the file, while they arrive. A part that breaks off is continued
    /// after what was passed on, and only attempts without any such bytes are counted.
    pub(super) async fn block<F: Future<Output = ()>>(
        &self,
        block: Block,
        pass: impl Fn(u64, Bytes) -> F,
    ) -> Result<()> {
        let rest = Mutex::new(Rest(block));
        let attempt = || async {
            let rest = &mut *rest.lock().await;
            let before = rest.0.bytes.start;
            match self.fetch(rest, &pass).await {
                Err(error) if error.is_transient() && rest.0.bytes.start > before => Ok(false),
                fetched => fetched.map(|()| true),
            }
        };
        while !patiently(&attempt).await? {}
        Ok(())
    }

    /// Fetches the rest of a part once.
    async fn fetch<F: Future<Output = ()>>(
        &self,
        rest: &mut Rest,
        pass: impl Fn(u64, Bytes) -> F,
    ) -> Result<()> {
        let asked = rest.asked();
        let broken = |why: &str| broken(why).with_url(&asked.url);
        let mut response = self.open(&asked).await?;
        let mut unpacking = Unpacking::new(&asked, &self.buffers);
        while let Some(arrived) = response.chunk().await? {
            let mut arrived = &arrived[..];
            while let Some(chunks) = unpacking.push(&mut arrived).map_err(broken)? {
                rest.pass(&chunks, &pass).await.map_err(broken)?;
            }
        }
        let Some(last) = unpacking.finish() else {
            let message = "the connection to the storage broke";
            return Err(Error::new(ErrorKind::Transport, message).with_url(&asked.url));
        };
        rest.pass(&last, &pass).await.map_err(broken)?;
        rest.check().map_err(broken)
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

/// What has not been passed on of a part of an object.
struct Rest(Block);

impl Rest {
    /// Returns what to request.
    fn asked(&self) -> Block {
        let Block { url, bytes, chunks, wanted, unpacked, .. } = &self.0;
        let (bytes, chunks, wanted) = (bytes.clone(), chunks.clone(), wanted.clone());
        Block { url: url.clone(), bytes, chunks, wanted, unpacked: *unpacked, pieces: Vec::new() }
    }

    async fn pass<F: Future<Output = ()>>(
        &mut self,
        chunks: &Chunks,
        pass: impl Fn(u64, Bytes) -> F,
    ) -> std::result::Result<(), &'static str> {
        let Block { bytes, chunks: left, unpacked, pieces, .. } = &mut self.0;
        bytes.start += chunks.packed();
        left.start = chunks.end();
        *unpacked = unpacked.saturating_sub(chunks.length());
        if bytes.is_empty() && left.start < left.end {
            return Err(OTHER_SIZE);
        }
        for piece in pieces {
            let bytes = chunks.within(&piece.chunks);
            if let Some((at, bytes)) = piece.arrived(&bytes)? {
                pass(at, bytes).await;
            }
        }
        Ok(())
    }

    /// Checks that all pieces are complete.
    fn check(&self) -> std::result::Result<(), &'static str> {
        let is_complete = self.0.pieces.iter().all(|piece| piece.length == 0);
        is_complete.then_some(()).ok_or(OTHER_SIZE)
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
