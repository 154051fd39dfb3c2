//! The requests of an upload to a storage: objects, lists of chunks, and what it has already.
//!
//! All responses are bounded, and nothing in them is trusted.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method, Url,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
    },
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Sent,
    exchange::{Call, Exchange, again, invalid, not_moved, patiently},
    packed::{self, Packed},
};
use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        limits::Flow,
        presence::Presence,
    },
    transport::{Body, Response},
};

/// Maximum size of a response, and of a line of a stream of events.
const ANSWER: usize = 128 << 10;

/// Maximum size of a list of chunks that the storage has.
const LIST: usize = 16 << 20;

/// Maximum size of all lists of an upload: each costs memory and disk.
const LISTS: u64 = 256 << 20;

/// Size of the pieces of a list that are sent, each of which shows that it moves.
const PIECE: usize = 64 << 10;

/// Status of an error among the events of a registration, whose response has 200.
const REFUSED: u16 = 400;

/// Number of grants for an object, which may expire.
const GRANTS: usize = 3;

/// What was sent; shared by all requests of an upload.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Bytes of files that are at the storage.
    pub(super) done: AtomicU64,
    has_lost: AtomicBool,
    transferred: AtomicU64,
    registered: AtomicU64,
    /// Objects that wait for memory.
    pub(super) waiting: Presence,
    /// Objects that have memory.
    pub(super) sending: Presence,
    /// Requests that wait for the bandwidth limit.
    limited: Presence,
}

impl Counts {
    pub(super) fn sent(&self) -> Sent {
        Sent {
            done: self.done.load(Relaxed),
            transferred: self.transferred.load(Relaxed),
            registered: self.registered.load(Relaxed),
            is_waiting: self.limited.is_any() || self.waiting.is_any() && !self.sending.is_any(),
            has_lost: self.has_lost.load(Relaxed),
        }
    }

    /// Counts bytes of chunks that are not sent because they are stored, or on their way.
    pub(super) fn knows(&self, bytes: u64) {
        self.done.fetch_add(bytes, Relaxed);
    }

    /// Notes that the storage does not have what it was known to have.
    pub(super) fn has_lost(&self) {
        self.has_lost.store(true, Relaxed);
    }
}

/// The requests of an upload.
#[derive(Debug)]
pub(super) struct Deposit {
    exchange: Exchange,
    flow: Flow,
    pub(super) counts: Arc<Counts>,
    /// Bytes of lists that were received.
    lists: AtomicU64,
    /// Whether the storage has said that it grants nothing.
    is_without_grants: AtomicBool,
}

/// Where to send an object.
#[derive(Deserialize)]
struct Grant {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
}

enum Granted {
    /// The storage has the object.
    Stored,
    To(Box<Grant>),
    /// Objects are sent to the storage itself.
    Nothing,
}

/// What a storage reports while it registers files.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Result,
    Error {
        message: String,
        #[serde(default)]
        retryable: bool,
    },
    #[serde(other)]
    Other,
}

impl Deposit {
    pub(super) fn new(exchange: Exchange, flow: Flow) -> Self {
        Self {
            exchange,
            flow,
            counts: Arc::default(),
            lists: AtomicU64::new(0),
            is_without_grants: AtomicBool::new(false),
        }
    }

    /// Returns a list of chunks that the storage has, with this one; `None` if there is none, or if
    /// the storage does not respond: then the chunks are sent.
    pub(super) async fn list(&self, chunk: &str) -> Option<Bytes> {
        if self.lists.load(Relaxed) >= LISTS {
            return None;
        }
        let url = self.exchange.url(&format!("v1/chunks/default/{chunk}")).ok()?;
        let response = self.exchange.authorized(Call::new(Method::GET, url)).await.ok()?;
        let list = not_moved(response).ok()?.bytes(LIST).await.ok()?;
        self.lists.fetch_add(list.len() as u64, Relaxed);
        Some(list)
    }

    /// Stores an object.
    pub(super) async fn object(&self, object: &Packed) -> Result<()> {
        self.store(object).await.map_err(failed)?;
        self.counts.done.fetch_add(object.unpacked, Relaxed);
        Ok(())
    }

    async fn store(&self, object: &Packed) -> Result<()> {
        for _ in 0..GRANTS {
            let grant = match self.grant(object).await? {
                Granted::Stored => return Ok(()),
                Granted::To(grant) => grant,
                Granted::Nothing => break,
            };
            match self.put(object, &grant).await {
                Ok(()) => {}
                Err(error) if error.status() == Some(412) => {}
                Err(error) if matches!(error.status(), Some(400 | 403 | 409)) => continue,
                // The place of the grant cannot be reached.
                Err(_) => break,
            }
            if self.commit(object, &grant).await? {
                return Ok(());
            }
        }
        self.post(object).await
    }

    async fn grant(&self, object: &Packed) -> Result<Granted> {
        if self.is_without_grants.load(Relaxed) {
            return Ok(Granted::Nothing);
        }
        let url = self.exchange.url(&format!("v1/xorb-grants/default/{}", object.hash()))?;
        let checksum = json!({ "algo": "crc64nvme", "value": object.checksum.to_string() });
        let asked = json!({ "length": object.length, "checksum": checksum });
        let asked = Bytes::from(asked.to_string());
        let body = again(&asked);
        let call = Call::new(Method::POST, url).json().body(&body);
        let granted = patiently(|| async {
            let response = not_moved(self.exchange.authorized(call.clone()).await?)?;
            match response.status().as_u16() {
                200 => return Ok(Granted::Stored),
                201 => {}
                _ => return Err(invalid("it neither has the object nor grants a place")),
            }
            let body = response.bytes(ANSWER).await?;
            let grant = serde_json::from_slice(&body);
            grant
                .map(|grant| Granted::To(Box::new(grant)))
                .map_err(|_| invalid("it is not a grant"))
        });
        match granted.await {
            Err(error) if error.status() == Some(404) => {
                self.is_without_grants.store(true, Relaxed);
                Ok(Granted::Nothing)
            }
            granted => granted,
        }
    }

    /// Sends an object to the place that was granted, which gets no token.
    async fn put(&self, object: &Packed, grant: &Grant) -> Result<()> {
        let url = Url::parse(&grant.url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && self.exchange.is_secure(url)
        });
        let url = url.ok_or_else(|| invalid("a link of a grant cannot be used"))?;
        let method = grant.method.parse().map_err(|_| invalid("a grant has no method"))?;
        let body = || self.body(object.pieces());
        let call = Call::new(method, url).headers(grant.headers()?).body(&body);
        patiently(|| async { not_moved(self.exchange.linked(call.clone()).await?).map(drop) }).await
    }

    /// Ends the upload of an object by a grant; returns whether it has arrived.
    async fn commit(&self, object: &Packed, grant: &Grant) -> Result<bool> {
        let id = utf8_percent_encode(&grant.id, NON_ALPHANUMERIC);
        if matches!(grant.id.as_str(), "" | "." | "..") {
            return Err(invalid("a grant has no id"));
        }
        let path = format!("v1/xorb-commits/default/{}/grant/{id}", object.hash());
        let call = Call::new(Method::POST, self.exchange.url(&path)?);
        let committed = patiently(|| async {
            not_moved(self.exchange.authorized(call.clone()).await?).map(drop)
        });
        match committed.await {
            Err(error) if error.status() == Some(404) => Ok(false),
            committed => committed.map(|()| true),
        }
    }

    /// Sends an object to the storage itself.
    async fn post(&self, object: &Packed) -> Result<()> {
        let url = self.exchange.url(&format!("v1/xorbs/default/{}", object.hash()))?;
        let body = || self.body(object.pieces());
        let call = Call::new(Method::POST, url).body(&body);
        patiently(|| async { not_moved(self.exchange.authorized(call.clone()).await?).map(drop) })
            .await
    }

    /// Returns a body that is counted, and limited, while it is sent.
    pub(super) fn body(&self, pieces: VecDeque<Bytes>) -> Body {
        let (counts, limited) = (self.counts.clone(), self.counts.limited.clone());
        packed::body(pieces, self.flow.clone(), limited, move |bytes| {
            counts.transferred.fetch_add(bytes, Relaxed);
        })
    }

    /// Registers the files of a list.
    pub(super) async fn files(&self, list: &Bytes) -> Result<()> {
        self.register(list).await.map_err(failed)
    }

    async fn register(&self, list: &Bytes) -> Result<()> {
        let body = || self.body(pieces(list));
        for version in ["v2", "v1"] {
            let url = self.exchange.url(&format!("{version}/shards"))?;
            let call = Call::new(Method::POST, url).body(&body);
            let registered = patiently(|| async {
                let response = not_moved(self.exchange.authorized(call.clone()).await?)?;
                if version == "v2" { self.follow(response).await } else { Ok(()) }
            });
            match registered.await {
                Err(error) if version == "v2" && matches!(error.status(), Some(404 | 501)) => {}
                registered => {
                    self.counts.registered.fetch_add(1, Relaxed);
                    return registered;
                }
            }
        }
        Err(invalid("it registers no files"))
    }

    /// Follows the events of a registration, one on each line, up to the last one.
    async fn follow(&self, mut response: Response) -> Result<()> {
        let mut line = BytesMut::new();
        while let Some(bytes) = response.chunk().await? {
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(piece);
                if line.len() > ANSWER {
                    return Err(invalid("an event is too long"));
                }
                if piece.ends_with(b"\n") && self.is_last(&line.split())? {
                    return Ok(());
                }
            }
        }
        if self.is_last(&line)? {
            Ok(())
        } else {
            Err(invalid("it did not say whether files are registered"))
        }
    }

    fn is_last(&self, line: &[u8]) -> Result<bool> {
        if line.trim_ascii().is_empty() {
            return Ok(false);
        }
        self.counts.registered.fetch_add(1, Relaxed);
        match serde_json::from_slice(line) {
            Ok(Event::Result) => Ok(true),
            Ok(Event::Other) => Ok(false),
            Ok(Event::Error { message, retryable }) => {
                let message: String = message.chars().take(1_000).collect();
                let (kind, status) = if retryable {
                    (ErrorKind::Server, 503)
                } else {
                    (ErrorKind::InvalidResponse, REFUSED)
                };
                let access = &self.exchange.access;
                let message = format!("the storage does not register the files: {message}");
                Err(access.failed(kind, access.hide(&message)).with_status(status))
            }
            Err(_) => Err(invalid("an event is not the expected JSON")),
        }
    }
}

/// Returns a list as it is sent.
fn pieces(list: &Bytes) -> VecDeque<Bytes> {
    let starts = (0..list.len()).step_by(PIECE);
    starts.map(|at| list.slice(at..list.len().min(at + PIECE))).collect()
}

fn failed(error: Error) -> Error {
    let message = format!("cannot upload to Xet storage: {}", error.message());
    error.with_message(message).from_a_store()
}

impl Grant {
    /// Returns the headers to send, but for those that the connection decides on.
    fn headers(&self) -> Result<HeaderMap> {
        let own = [AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];
        let pairs = self.headers.iter().map(|(name, value)| {
            let pair = (name.parse::<HeaderName>().ok()).zip(value.parse::<HeaderValue>().ok());
            pair.ok_or_else(|| invalid("a header of a grant cannot be sent"))
        });
        let mut headers = pairs.collect::<Result<HeaderMap>>()?;
        for name in own {
            headers.remove(name);
        }
        Ok(headers)
    }
}
