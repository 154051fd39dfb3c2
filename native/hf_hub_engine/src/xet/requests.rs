//! The requests of a download to a storage: plans, with the access token, and parts of objects by
//! the links in them, without it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, Url,
    header::{HeaderMap, HeaderValue, LOCATION, RANGE},
};
use tokio::sync::Mutex;

use super::{
    chunks::{BUFFER, Chunks, Unpacking},
    exchange::{Call, Exchange, header, invalid, not_moved, patiently},
    plan::{self, Block, OTHER_SIZE, Piece},
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
    /// with where they begin in the file, while they arrive.
    pub(super) async fn block<F: Future<Output = ()>>(
        &self,
        mut block: Block,
        pass: impl Fn(u64, Bytes) -> F,
    ) -> Result<()> {
        // A repeated request passes on what comes after that.
        let (next, pieces) = (block.chunks.start, std::mem::take(&mut block.pieces));
        let passing = Mutex::new(Passing { next, pieces });
        patiently(|| async {
            let passing = &mut *passing.lock().await;
            let mut response = self.open(&block).await?;
            let broken = |why: &str| broken(why).with_url(&block.url);
            let mut unpacking = Unpacking::new(&block, passing.next, &self.buffers);
            while let Some(arrived) = response.chunk().await? {
                let mut arrived = &arrived[..];
                while let Some(chunks) = unpacking.push(&mut arrived).map_err(broken)? {
                    passing.pass(&chunks, &pass).await.map_err(broken)?;
                }
            }
            let Some(last) = unpacking.finish() else {
                let message = "the connection to the storage broke";
                return Err(Error::new(ErrorKind::Transport, message).with_url(&block.url));
            };
            passing.pass(&last, &pass).await.map_err(broken)?;
            passing.check().map_err(broken)
        })
        .await
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
        not_moved(response)
    }

    async fn get(&self, url: Url, range: &HeaderValue) -> Result<Response> {
        let headers = HeaderMap::from_iter([(RANGE, range.clone())]);
        self.exchange.linked(Call::new(Method::GET, url).headers(headers)).await
    }
}

/// A part of an object that is being passed on.
struct Passing {
    /// The next chunk.
    next: u32,
    pieces: Vec<Piece>,
}

impl Passing {
    async fn pass<F: Future<Output = ()>>(
        &mut self,
        chunks: &Chunks,
        pass: impl Fn(u64, Bytes) -> F,
    ) -> std::result::Result<(), &'static str> {
        self.next = chunks.end();
        for piece in &mut self.pieces {
            let bytes = chunks.within(&piece.chunks);
            if let Some((at, bytes)) = piece.arrived(&bytes)? {
                pass(at, bytes).await;
            }
        }
        Ok(())
    }

    /// Checks that all pieces are complete.
    fn check(&self) -> std::result::Result<(), &'static str> {
        let is_complete = self.pieces.iter().all(|piece| piece.length == 0);
        is_complete.then_some(()).ok_or(OTHER_SIZE)
    }
}

fn redirect(response: &Response) -> Option<&str> {
    response.header(LOCATION.as_str()).filter(|_| response.status().is_redirection())
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the storage sent an invalid object: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        transport::{Client, ClientConfig, Timeouts},
        xet::{Access, access::Tokens},
    };

    #[test]
    fn links_of_a_secure_storage_must_be_secure() {
        for (storage, link, is_right) in [
            ("http", "http", true),
            ("http", "https", true),
            ("https", "https", true),
            ("https", "http", false),
        ] {
            let url: Url = format!("{storage}://cas.example").parse().unwrap();
            let wait = Duration::from_secs(1);
            let access = Access {
                storage: url.clone(),
                token: "secret".to_owned(),
                expires: 0,
                route: url,
                headers: HeaderMap::new(),
            };
            let client = Client::new(ClientConfig::default());
            let timeouts = Timeouts { headers: wait, idle: wait };
            let exchange = Exchange::new(client, timeouts, access, Tokens::default());
            let requests = Requests::new(exchange, wait, "ab".repeat(32));
            let bounds = json!({ "start": 0, "end": 1 });
            let ranges = json!([{ "chunks": bounds, "bytes": bounds }]);
            let plan = json!({
                "offset_into_first_range": 0,
                "terms": [{ "hash": "x", "unpacked_length": 9, "range": bounds }],
                "xorbs": { "x": [{ "url": format!("{link}://cas.example/x"), "ranges": ranges }] },
            });
            let read = requests.read(plan.to_string().as_bytes(), &(0..9));
            assert_eq!(read.is_ok(), is_right, "{storage} {link}");
        }
    }
}
