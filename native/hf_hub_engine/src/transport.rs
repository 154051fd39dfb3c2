//! One HTTP exchange: sends a request and returns a 2xx or 3xx response, or an [`Error`].
//!
//! This is the only file that maps a status to an error kind. It follows no redirects and retries
//! nothing: both depend on what is being fetched.

mod anchors;
mod body;
mod content_range;
mod error_response;
mod proxy;
mod send_error;
mod setup;
mod stall_timeout;

pub use body::{Body, Moved};
pub use content_range::ContentRange;
pub use proxy::ProxySetting;
pub(crate) use send_error::host;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, RETRY_AFTER},
};

use tokio::sync::OnceCell;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        permits::Permit,
        repeated_timeout::RepeatedTimeout,
        sizes::human,
    },
    transport::{error_response::ErrorResponse, proxy::Proxies, stall_timeout::StallTimeout},
};

/// Maximum number of bytes read from the body of an error response.
const REFUSAL_LIMIT: usize = 64 << 10;

/// Message of the Hub if one account creates two repositories at once; nothing was created for this
/// request. There is no error code for it.
const BUSY: &str = "another conflicting operation is in progress";

const PROXY_LOGIN: &str = "the proxy requires authentication; add user and password to its URL";

/// The configuration of a connection pool. Pools with different configurations are separate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientConfig {
    /// Proxy for `http://` URLs.
    pub http_proxy: Option<ProxySetting>,
    /// Proxy for `https://` URLs.
    pub https_proxy: Option<ProxySetting>,
    /// Hosts that are reached without a proxy, in the syntax of `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// PEM files whose certificates replace the system's roots, with their modification times: a
    /// corrected file creates a new pool.
    pub ca_files: Vec<(PathBuf, Option<SystemTime>)>,
    /// Maximum time to establish a connection.
    pub connect_timeout: Option<Duration>,
    /// Maximum number of idle connections per host.
    pub idle: Option<usize>,
}

/// Timeouts of an exchange.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Maximum time from the request to the response headers.
    pub headers: Duration,
    /// Maximum time between two pieces of a body.
    pub idle: Duration,
}

/// A pool of connections, opened on the first request; clones share it.
#[derive(Clone, Debug)]
pub struct Client(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    config: ClientConfig,
    client: OnceCell<reqwest::Client>,
    /// For requests that need a connection of their own.
    alone: OnceCell<reqwest::Client>,
}

/// A request.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// All headers except `Host`.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Body>,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// Whether it needs a connection of its own instead of sharing one.
    pub alone: bool,
    /// What kind of server it is for.
    pub peer: Peer,
}

/// The kind of server, which decides what an error response is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A Hub, which knows repositories and tokens.
    Hub,
    /// A content host, which knows only the links that the Hub has created.
    Store,
}

/// A 2xx or 3xx response whose body has not been read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    stall: StallTimeout,
    idle: RepeatedTimeout,
    /// Bytes that were read but not returned yet.
    held: Option<Bytes>,
    /// Released together with the connection.
    _permit: Option<Permit>,
}

impl Client {
    /// Creates a pool with these proxies and certificates. Nothing is read or opened yet.
    pub fn new(config: ClientConfig) -> Self {
        Self(Arc::new(Pool { config, client: OnceCell::new(), alone: OnceCell::new() }))
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ClientConfig {
        &self.0.config
    }

    async fn opened(&self, alone: bool) -> Result<&reqwest::Client> {
        let config = self.0.config.clone();
        // Reads the system's certificates.
        let open =
            || async { crate::base::blocking::run(move || setup::open(&config, alone)).await };
        let pool = if alone { &self.0.alone } else { &self.0.client };
        pool.get_or_try_init(open).await
    }

    /// Sends `request`.
    pub async fn send(&self, request: Request) -> Result<Response> {
        let Request { method, url, headers, body, timeouts, alone, peer } = request;
        let head = method == Method::HEAD;
        let token = headers.get(AUTHORIZATION).cloned();
        let mut exchange = self.opened(alone).await?.request(method, url.clone()).headers(headers);
        let moved = body.as_ref().map(|body| body.moved.clone()).unwrap_or_default();
        if let Some(body) = body {
            exchange = exchange.body(body.inner);
        }
        let inner = match body::answered(exchange.send(), timeouts.headers, &moved).await {
            Some(Ok(inner)) => inner,
            Some(Err(error)) => {
                let proxies = Proxies::of(&self.0.config)?;
                return Err(send_error::error(&url, error, proxies.for_url(&url)));
            }
            None => {
                let place = send_error::place(&url);
                let message =
                    format!("no response from {place} within {} ms", timeouts.headers.as_millis());
                return Err(Error::new(ErrorKind::Timeout, message).with_url(&url));
            }
        };
        let stall = StallTimeout::new(timeouts.idle);
        let idle = RepeatedTimeout::new(timeouts.idle);
        let response = Response { inner, stall, idle, held: None, _permit: None };
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        let facts = ErrorResponse::read(response, head, token).await;
        Err(match peer {
            Peer::Hub => refused(&url, &facts),
            Peer::Store => refused_by_a_store(&url, &facts),
        })
    }
}

impl Response {
    /// Holds a permit as long as the connection.
    #[must_use]
    pub(crate) fn holding(self, permit: Option<Permit>) -> Self {
        Self { _permit: permit, ..self }
    }

    /// Returns the status: 2xx or 3xx.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Returns one header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(self.headers(), name)
    }

    /// Returns the range that it announces, if that can be read.
    pub fn content_range(&self) -> Option<ContentRange> {
        ContentRange::parse(self.header("content-range")?)
    }

    /// Returns the URL of the response.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// Returns the next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let (began, idle) = (Instant::now(), self.idle.limit());
        let message = match self.idle.wait(self.inner.chunk()).await {
            Some(Err(error)) => return Err(send_error::error(self.inner.url(), error, None)),
            Some(Ok(chunk)) => {
                let arrived = chunk.as_ref().map_or(0, Bytes::len);
                if chunk.is_none() || self.stall.record(began.elapsed(), arrived) {
                    return Ok(chunk);
                }
                format!(
                    "fewer than {} bytes arrived from {} in {} ms",
                    StallTimeout::LEAST,
                    send_error::place(self.inner.url()),
                    idle.saturating_mul(StallTimeout::WINDOW).as_millis()
                )
            }
            None => {
                let place = send_error::place(self.inner.url());
                format!("no byte arrived from {place} for {} ms", idle.as_millis())
            }
        };
        Err(Error::new(ErrorKind::Timeout, message).with_url(self.inner.url()))
    }

    /// Reads and discards up to `bytes` bytes of the body.
    pub async fn skip(&mut self, mut bytes: u64) -> Result<()> {
        while bytes > 0 {
            let Some(mut chunk) = self.chunk().await? else { return Ok(()) };
            let gone = chunk.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            bytes -= gone as u64;
            self.held = Some(chunk.split_off(gone)).filter(|rest| !rest.is_empty());
        }
        Ok(())
    }

    /// Returns the whole body. Fails if it exceeds `limit` bytes.
    pub async fn bytes(self, limit: usize) -> Result<Bytes> {
        let url = self.url().clone();
        self.bytes_within(limit).await?.ok_or_else(|| {
            let message = format!("the response is larger than {}", human(limit as u64));
            Error::new(ErrorKind::InvalidResponse, message).with_url(&url)
        })
    }

    /// Returns the whole body; `None` if it exceeds `limit` bytes.
    pub async fn bytes_within(mut self, limit: usize) -> Result<Option<Bytes>> {
        let announced = self.inner.content_length().and_then(|length| usize::try_from(length).ok());
        // Growing would copy, and hold the old and the new one.
        let mut body = BytesMut::with_capacity(announced.unwrap_or_default().min(limit));
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body.freeze()))
    }
}

/// Returns one header as text.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refused(url: &Url, rejection: &ErrorResponse) -> Error {
    let kind = kind_of(url, rejection);
    let words = rejection.words();
    let status = rejection.status;
    let host = url.host_str().unwrap_or_default();
    let message = match (&words, kind) {
        _ if status == 407 => PROXY_LOGIN.to_owned(),
        (_, ErrorKind::RateLimited) => format!("{host} responded with too many requests"),
        (Some(words), _) => words.clone(),
        (None, _) => format!("{host} responded with {status}"),
    };
    rejection
        .facts(Error::new(kind, message), url)
        .with_commit(rejection.header("x-repo-commit").map(str::to_owned))
        .busy(words.is_some_and(|words| words.contains(BUSY)))
}

/// Returns the error of a content host, which knows no repositories and no tokens: it rejects
/// links.
fn refused_by_a_store(url: &Url, rejection: &ErrorResponse) -> Error {
    let (status, place) = (rejection.status, send_error::place(url));
    let kind = match status.as_u16() {
        400 | 422 => ErrorKind::BadRequest,
        401 | 403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Http,
    };
    let link = if url.query().is_some() { "signed link" } else { "link" };
    let said = rejection.words().unwrap_or_else(|| status.to_string());
    let message = match kind {
        ErrorKind::RateLimited => format!("{place} responded with too many requests"),
        ErrorKind::Server => format!("the content host {place} failed: {said}"),
        _ if status == 407 => PROXY_LOGIN.to_owned(),
        _ => format!("the content host {place} rejected the Hub's {link}: {said}"),
    };
    rejection.facts(Error::new(kind, message), url).from_a_store()
}

/// Maps a response to an error kind; the first matching rule wins.
fn kind_of(url: &Url, rejection: &ErrorResponse) -> ErrorKind {
    let status = rejection.status.as_u16();
    let said = rejection.header("x-error-message").unwrap_or_default();
    match (rejection.header("x-error-code").unwrap_or_default(), status) {
        ("RevisionNotFound", _) => ErrorKind::RevisionNotFound,
        ("EntryNotFound", _) => ErrorKind::EntryNotFound,
        // The Hub sends the same code for both; only the message distinguishes them.
        ("GatedRepo", _) if said.contains("awaiting a review") => ErrorKind::GatedPending,
        ("GatedRepo", _) => ErrorKind::GatedRepo,
        _ if said == "Access to this resource is disabled." => ErrorKind::DisabledRepo,
        ("RepoNotFound", _) => ErrorKind::RepoNotFound,
        // The Hub hides private repositories behind a 401 without an error code.
        (_, 401) if said != "Invalid credentials in Authorization header" && is_repo_route(url) => {
            ErrorKind::RepoNotFound
        }
        (_, 400 | 422) => ErrorKind::BadRequest,
        (_, 401) if rejection.sent.is_none() => ErrorKind::NoToken,
        (_, 401) => ErrorKind::Unauthorized,
        (_, 403) => ErrorKind::Forbidden,
        (_, 404) => ErrorKind::NotFound,
        (_, 409) => ErrorKind::Conflict,
        (_, 412) => ErrorKind::Precondition,
        (_, 429) => ErrorKind::RateLimited,
        (_, 500..=599) => ErrorKind::Server,
        _ => ErrorKind::Http,
    }
}

/// Routes beside those of repositories.
const OF_NO_REPO: [&str; 4] = [
    "/api/spaces/hardware",
    "/api/spaces/semantic-search",
    "/api/spaces/templates",
    "/api/spaces/zero-gpu/quota",
];

fn is_repo_route(url: &Url) -> bool {
    let path = url.path();
    if OF_NO_REPO.iter().any(|route| path.ends_with(route)) {
        return false;
    }
    path.contains("/resolve/")
        || ["/api/models/", "/api/datasets/", "/api/spaces/"].iter().any(|api| path.contains(api))
}

/// Returns how long the server asks to wait: until the end of an exhausted `RateLimit` window, or
/// by `Retry-After`.
fn announced_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    // The announced seconds are rounded down, hence one more.
    let grace = Duration::from_secs(1);
    if let Some(limit) = text(headers, "ratelimit") {
        let value = |key: &str| {
            limit.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse::<u64>().ok())
        };
        if let (Some(0), Some(seconds)) = (value("r="), value("t=")) {
            return Some(Duration::from_secs(seconds).saturating_add(grace));
        }
    }
    let value = text(headers, RETRY_AFTER.as_str())?.trim();
    match value.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds).saturating_add(grace)),
        Err(_) => Some(
            httpdate::parse_http_date(value)
                .ok()?
                .duration_since(now)
                .unwrap_or_default()
                .saturating_add(grace),
        ),
    }
}

/// Returns a header name known at compile time.
pub const fn header_name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[cfg(test)]
mod tests;
