//! One HTTP exchange: a request out, a 2xx or 3xx answer back, anything else an [`Error`].
//!
//! This is the only file that turns a status into a kind. It follows no
//! redirect and repeats nothing: those need to know what is being fetched.

mod anchors;
mod body;
mod error_response;
mod proxy;
mod send_error;
mod setup;
mod stall_timeout;

pub use body::{Body, Moved};
pub use proxy::ProxySetting;

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
        places::Place,
        sizes::human,
    },
    transport::{error_response::Refusal, proxy::Proxies, stall_timeout::Pulse},
};

/// The largest body of a refusal that is looked at.
const REFUSAL_LIMIT: usize = 64 << 10;

/// What the Hub says when one account creates two repositories at once, and it has created none for this request.
const BUSY: &str = "another conflicting operation is in progress";

const PROXY_LOGIN: &str = "the proxy asks for a user and a password; put them into its URL";

/// What makes one connection pool differ from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClientConfig {
    /// Proxy for `http://` URLs.
    pub http_proxy: Option<ProxySetting>,
    /// Proxy for `https://` URLs.
    pub https_proxy: Option<ProxySetting>,
    /// Hosts that are reached without a proxy, as `NO_PROXY` writes them.
    pub no_proxy: Option<String>,
    /// PEM files whose certificates replace the system's roots, and when they were last
    /// changed: a file that was put right makes a new pool.
    pub ca_files: Vec<(PathBuf, Option<SystemTime>)>,
    /// How long to wait for a connection.
    pub connect_timeout: Option<Duration>,
    /// Connections to one host that are kept open for later.
    pub idle: Option<usize>,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the request to the headers of the answer.
    pub headers: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

/// A pool of connections, opened when the first request needs it; clones share it.
#[derive(Clone, Debug)]
pub struct Client(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    config: ClientConfig,
    client: OnceCell<reqwest::Client>,
    /// For requests that need a connection each.
    alone: OnceCell<reqwest::Client>,
}

/// What to ask.
#[derive(Debug)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// All headers but `Host`.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Body>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Whether it needs a connection of its own, instead of a share of one.
    pub alone: bool,
    /// Who is asked.
    pub peer: Peer,
}

/// Who answers, and so what a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A Hub, which knows repositories and tokens.
    Hub,
    /// A host that keeps content, and knows only the links that the Hub has made.
    Store,
}

/// A 2xx or 3xx answer whose body is still on the wire. Dropping it closes the connection.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    pulse: Pulse,
    /// What was read and not wanted yet.
    held: Option<Bytes>,
    /// What is given back when the connection is.
    _place: Option<Place>,
}

impl Client {
    /// A pool with these proxies and certificates. Nothing is read or opened yet.
    pub fn new(config: ClientConfig) -> Self {
        Self(Arc::new(Pool { config, client: OnceCell::new(), alone: OnceCell::new() }))
    }

    /// What the pool was made for.
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
                    format!("{place} did not answer within {} ms", timeouts.headers.as_millis());
                return Err(Error::new(ErrorKind::Timeout, message).with_url(&url));
            }
        };
        let pulse = Pulse::new(timeouts.idle);
        let response = Response { inner, pulse, held: None, _place: None };
        let status = response.status();
        if status.is_success() || status.is_redirection() {
            return Ok(response);
        }
        let facts = Refusal::read(response, head, token).await;
        Err(match peer {
            Peer::Hub => refused(&url, &facts),
            Peer::Store => refused_by_a_store(&url, &facts),
        })
    }
}

impl Response {
    /// Keeps a place as long as the connection.
    #[must_use]
    pub(crate) fn holding(self, place: Option<Place>) -> Self {
        Self { _place: place, ..self }
    }

    /// The status: 2xx or 3xx.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// One header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        text(self.headers(), name)
    }

    /// The URL that answered.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let (began, idle) = (Instant::now(), self.pulse.idle);
        let message = match tokio::time::timeout(idle, self.inner.chunk()).await {
            Ok(Err(error)) => return Err(send_error::error(self.inner.url(), error, None)),
            Ok(Ok(chunk)) => {
                let arrived = chunk.as_ref().map_or(0, Bytes::len);
                if chunk.is_none() || self.pulse.beat(began.elapsed(), arrived) {
                    return Ok(chunk);
                }
                format!(
                    "fewer than {} bytes arrived in {} ms",
                    Pulse::LEAST,
                    idle.saturating_mul(Pulse::WINDOW).as_millis()
                )
            }
            Err(_) => format!("no byte arrived for {} ms", idle.as_millis()),
        };
        Err(Error::new(ErrorKind::Timeout, message).with_url(self.inner.url()))
    }

    /// Reads and forgets so many bytes of the body, as far as there are any.
    pub async fn skip(&mut self, mut bytes: u64) -> Result<()> {
        while bytes > 0 {
            let Some(mut chunk) = self.chunk().await? else { return Ok(()) };
            let gone = chunk.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            bytes -= gone as u64;
            self.held = Some(chunk.split_off(gone)).filter(|rest| !rest.is_empty());
        }
        Ok(())
    }

    /// The whole body, which may not exceed `limit` bytes.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                let message = format!("the answer is larger than {}", human(limit as u64));
                return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(self.url()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// One header as text.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refused(url: &Url, refusal: &Refusal) -> Error {
    let kind = kind_of(url, refusal);
    let words = refusal.words();
    let status = refusal.status;
    let host = url.host_str().unwrap_or_default();
    let message = match (&words, kind) {
        _ if status == 407 => PROXY_LOGIN.to_owned(),
        (_, ErrorKind::RateLimited) => format!("{host} asks to slow down: too many requests"),
        (Some(words), _) => words.clone(),
        (None, _) => format!("{host} answered {status}"),
    };
    refusal
        .facts(Error::new(kind, message), url)
        .with_commit(refusal.header("x-repo-commit").map(str::to_owned))
        .busy(words.is_some_and(|words| words.contains(BUSY)))
}

/// A store knows no repository and no token: what it refuses is the link.
fn refused_by_a_store(url: &Url, refusal: &Refusal) -> Error {
    let (status, place) = (refusal.status, send_error::place(url));
    let kind = match status.as_u16() {
        400 | 422 => ErrorKind::BadRequest,
        401 | 403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Http,
    };
    let link = if url.query().is_some() { "signed link" } else { "link" };
    let said = refusal.words().unwrap_or_else(|| status.to_string());
    let message = match kind {
        ErrorKind::RateLimited => format!("{place} asks to slow down: too many requests"),
        ErrorKind::Server => format!("{place}, which keeps the content, failed: {said}"),
        _ if status == 407 => PROXY_LOGIN.to_owned(),
        _ => format!("{place}, which keeps the content, refused the Hub's {link}: {said}"),
    };
    refusal.facts(Error::new(kind, message), url).from_a_store()
}

/// THE map from an answer to a kind; the first rule that fits wins.
fn kind_of(url: &Url, refusal: &Refusal) -> ErrorKind {
    let status = refusal.status.as_u16();
    let said = refusal.header("x-error-message").unwrap_or_default();
    match (refusal.header("x-error-code").unwrap_or_default(), status) {
        ("RevisionNotFound", _) => ErrorKind::RevisionNotFound,
        ("EntryNotFound", _) => ErrorKind::EntryNotFound,
        // A header that only people read is all that tells these two apart.
        ("GatedRepo", _) if said.contains("awaiting a review") => ErrorKind::GatedPending,
        ("GatedRepo", _) => ErrorKind::GatedRepo,
        _ if said == "Access to this resource is disabled." => ErrorKind::DisabledRepo,
        ("RepoNotFound", _) => ErrorKind::RepoNotFound,
        // The Hub hides private repositories behind a 401 that says nothing.
        (_, 401) if said != "Invalid credentials in Authorization header" && is_repo_route(url) => {
            ErrorKind::RepoNotFound
        }
        (_, 400 | 422) => ErrorKind::BadRequest,
        (_, 401) if refusal.sent.is_none() => ErrorKind::NoToken,
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

fn is_repo_route(url: &Url) -> bool {
    let path = url.path();
    path.contains("/resolve/")
        || ["/api/models/", "/api/datasets/", "/api/spaces/"].iter().any(|api| path.contains(api))
}

/// How long the server asks to wait: an exhausted `RateLimit` window, else `Retry-After`.
fn announced_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    // The window ends somewhere within its last second, hence one more.
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

/// A header name known at compile time.
pub const fn header_name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

#[cfg(test)]
mod tests;
