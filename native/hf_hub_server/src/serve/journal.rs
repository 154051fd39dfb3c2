//! The request log: one record per request, for tests and for the console.
//!
//! `bytes_sent` counts what was handed to the connection, which may not have reached a client that
//! left. `bytes_received` counts what was read of the request body.

use std::collections::BTreeMap;
use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RANGE, USER_AGENT};
use axum::http::{HeaderMap, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use super::error::Cause;
use super::origins::Origin;

/// A server that runs for weeks with `--test-control` must not fill the memory.
const MAX_RECORDS: usize = 100_000;

/// Maximum size of recorded bodies; older ones are dropped.
const MAX_BODY: usize = 256 << 10;
const BODIES: u64 = 500;

/// One request. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    n: u64,
    origin: Origin,
    method: String,
    path: String,
    query: Option<String>,
    status: Option<u16>,
    range: Option<String>,
    authorization: bool,
    /// The form of the authorization: the first word of the header.
    scheme: Option<String>,
    content_type: Option<String>,
    bill_to: Option<String>,
    user_agent: Option<String>,
    counter: Option<String>,
    /// The body: JSON, an array of JSON lines, or the text of a form.
    body: Option<Value>,
    bytes_received: u64,
    bytes_sent: u64,
    finished: bool,
    aborted: bool,
    started_ms: i64,
    ended_ms: Option<i64>,
}

/// All records.
#[derive(Debug)]
pub(super) struct Journal {
    keep: bool,
    print: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    records: BTreeMap<u64, Record>,
    cdn_authorizations: u64,
}

/// Whether requests to a path of the content listener have a token for Xet storage.
fn is_xet(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v2/")
}

impl Journal {
    /// Keeps records for tests, prints them, or neither.
    pub(super) fn new(keep: bool, print: bool) -> Self {
        Self { keep, print, state: Mutex::default() }
    }

    /// Returns the records of paths that contain `needle`, in the order in which the requests
    /// arrived.
    pub(super) fn records(&self, needle: &str) -> Vec<Record> {
        let state = self.lock();
        let wanted = state.records.values().filter(|record| record.path.contains(needle));
        wanted.cloned().collect()
    }

    /// Drops all records, including those of running requests.
    pub(super) fn clear(&self) {
        self.lock().records.clear();
    }

    /// Returns how many requests sent a token to the content listener, where none is allowed.
    pub(super) fn cdn_authorizations(&self) -> u64 {
        self.lock().cdn_authorizations
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, origin: Origin, request: &Request) -> Exchange {
        let mut state = self.lock();
        let record = Record::new(state.next, origin, request);
        state.next += 1;
        if origin == Origin::Cdn && record.authorization && !is_xet(request.uri().path()) {
            state.cdn_authorizations += 1;
        }
        if self.keep {
            state.records.insert(record.n, record.clone());
            if let Some(old) = record.n.checked_sub(BODIES).and_then(|n| state.records.get_mut(&n))
            {
                old.body = None;
            }
            while state.records.len() > MAX_RECORDS {
                state.records.pop_first();
            }
        }
        drop(state);
        let format = Format::of(request.headers()).filter(|_| self.keep);
        let received = Arc::new(Received::new(format));
        Exchange { journal: self.clone(), record, received, is_over: false }
    }
}

impl Record {
    fn new(n: u64, origin: Origin, request: &Request) -> Self {
        let headers = request.headers();
        Self {
            n,
            origin,
            method: request.method().to_string(),
            path: percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned(),
            query: request.uri().query().map(str::to_owned),
            status: None,
            range: text(headers, RANGE.as_str()),
            authorization: headers.contains_key(AUTHORIZATION),
            scheme: text(headers, AUTHORIZATION.as_str())
                .and_then(|value| Some(value.split_once(' ')?.0.to_owned())),
            content_type: text(headers, CONTENT_TYPE.as_str()),
            bill_to: text(headers, "x-hf-bill-to"),
            user_agent: text(headers, USER_AGENT.as_str()),
            counter: text(headers, "x-hf-download-counter"),
            body: None,
            bytes_received: 0,
            bytes_sent: 0,
            finished: false,
            aborted: false,
            started_ms: now(),
            ended_ms: None,
        }
    }
}

/// Records all requests of an app.
pub(super) fn layer(app: Router, journal: &Arc<Journal>, origin: Origin) -> Router {
    let journal = journal.clone();
    app.layer(middleware::from_fn(move |request, next| {
        observe(journal.clone(), origin, request, next)
    }))
}

async fn observe(journal: Arc<Journal>, origin: Origin, request: Request, next: Next) -> Response {
    if !journal.keep && !journal.print {
        return next.run(request).await;
    }
    let is_head = request.method() == Method::HEAD;
    let mut exchange = journal.begin(origin, &request);
    let received = exchange.received.clone();
    let request = request.map(|inner| Body::new(Counted { inner, received }));
    let response = next.run(request).await;
    exchange.record.status = Some(response.status().as_u16());
    exchange.save();
    if let Some(Cause(cause)) = response.extensions().get() {
        exchange.print(cause);
    }
    let announced = response.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let announced = announced.or_else(|| response.body().size_hint().exact());
    let expected = if is_head { Some(0) } else { announced };
    if is_head || response.body().is_end_stream() {
        exchange.end(true);
    }
    response.map(|inner| Body::new(Watched { inner, exchange, expected }))
}

/// A running request; its record is complete when this is dropped.
struct Exchange {
    journal: Arc<Journal>,
    record: Record,
    received: Arc<Received>,
    is_over: bool,
}

impl Exchange {
    fn end(&mut self, finished: bool) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.record.finished = finished;
        self.record.ended_ms = Some(now());
        self.save();
        if self.journal.print {
            let Record { origin, method, path, status, bytes_sent, aborted, .. } = &self.record;
            let status = status.map_or("-".into(), |status| status.to_string());
            let note = if *aborted { " aborted" } else { "" };
            self.print(&format!("{origin:?} {method} {path} {status} {bytes_sent}{note}"));
        }
    }

    fn save(&mut self) {
        self.record.bytes_received = self.received.bytes.load(Ordering::Relaxed);
        if self.record.body.is_none() {
            self.record.body = self.received.said();
        }
        if let Some(record) = self.journal.lock().records.get_mut(&self.record.n) {
            record.clone_from(&self.record);
        }
    }

    fn print(&self, line: &str) {
        if self.journal.print {
            let line = line.replace(char::is_control, "?");
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            self.record.aborted = true;
            self.end(false);
        }
    }
}

/// The recorded body of a request.
#[derive(Default)]
struct Received {
    bytes: AtomicU64,
    kept: Option<(Format, Mutex<Vec<u8>>)>,
}

/// The format of a body that can be shown.
#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Lines,
    Form,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = text(headers, CONTENT_TYPE.as_str())?;
        [("ndjson", Self::Lines), ("json", Self::Json), ("form-urlencoded", Self::Form)]
            .into_iter()
            .find_map(|(name, format)| kind.contains(name).then_some(format))
    }

    fn read(self, body: &[u8]) -> Option<Value> {
        match self {
            Self::Json => serde_json::from_slice(body).ok(),
            Self::Lines => {
                let lines = serde_json::Deserializer::from_slice(body).into_iter();
                lines.collect::<Result<Vec<_>, _>>().ok().map(Value::Array)
            }
            Self::Form => Some(String::from_utf8_lossy(body).into()),
        }
    }
}

/// Reads a body that the log shows, as a server does that looks at what it is sent.
pub(super) async fn read_shown(request: &mut Request) {
    if Format::of(request.headers()).is_some() {
        let body = std::mem::take(request.body_mut());
        // What is not read is not shown.
        let _ = axum::body::to_bytes(body, MAX_BODY).await;
    }
}

impl Received {
    fn new(format: Option<Format>) -> Self {
        Self { bytes: AtomicU64::default(), kept: format.map(|format| (format, Mutex::default())) }
    }

    fn add(&self, data: &Bytes) {
        self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        if let Some((_, mut kept)) = self.kept() {
            // One extra byte shows that the body is truncated.
            let room = (MAX_BODY + 1).saturating_sub(kept.len());
            kept.extend_from_slice(&data[..room.min(data.len())]);
        }
    }

    fn said(&self) -> Option<Value> {
        let (format, kept) = self.kept()?;
        let whole = !kept.is_empty() && kept.len() <= MAX_BODY;
        whole.then(|| format.read(&kept))?
    }

    fn kept(&self) -> Option<(Format, MutexGuard<'_, Vec<u8>>)> {
        let (format, kept) = self.kept.as_ref()?;
        Some((*format, kept.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A request body whose bytes are counted.
struct Counted {
    inner: Body,
    received: Arc<Received>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            frame.data_ref().into_iter().for_each(|data| self.received.add(data));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response body whose progress is recorded.
struct Watched {
    inner: Body,
    exchange: Exchange,
    expected: Option<u64>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                this.exchange.record.bytes_sent += frame.data_ref().map_or(0, Bytes::len) as u64;
                this.exchange.save();
                // The connection reads no further once it has the announced bytes.
                if this.expected.is_some_and(|expected| this.exchange.record.bytes_sent >= expected)
                {
                    this.exchange.end(true);
                }
            }
            Some(Err(_)) => this.exchange.end(false),
            None => {
                let sent = this.exchange.record.bytes_sent;
                this.exchange.end(this.expected.is_none_or(|expected| sent >= expected));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
