//! A Hub as one call sees it: endpoint, token, timeouts and retries.
//!
//! Decides which hosts may receive the token, and retries what may be repeated. It knows nothing of
//! files, caches or commits; [`crate::hub::api`] handles API routes.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use reqwest::{
    Method, Url,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE,
        USER_AGENT,
    },
};

use tokio::sync::OwnedSemaphorePermit;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        hint::Hint,
        ids::{Repo, RepoType, Revision},
        limits::Flow,
        permits::{Permit, Permits},
        progress::{Activity, Progress},
    },
    hub::{
        rate_limit::{RateLimiter, Scope, Ticket},
        retry::{self, Policy},
        token::Token,
    },
    transport::{self, Client, Peer, Request, Response, Timeouts, host},
    xet::Xet,
};

/// Keeps RFC 3986 unreserved characters and encodes everything else, including `/`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes bytes that are never valid in a URL and keeps all others, including `%`.
const RAW: &AsciiSet = &percent_encoding::CONTROLS.add(b' ');

/// The origins of the public Hub. Redirects and links to them are followed, without the token if
/// another endpoint is configured.
const PUBLIC: [&str; 3] =
    ["https://huggingface.co", "https://hf.co", "https://hub-ci.huggingface.co"];

/// Whether a URL is one of the public Hub.
pub(crate) fn is_public(url: &Url) -> bool {
    PUBLIC.contains(&url.origin().ascii_serialization().as_str())
}

/// A Hub and how to talk to it.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The connection pool.
    pub client: Client,
    /// The base URL, which may have a path.
    pub endpoint: Url,
    /// The token, sent only to the endpoint's own origin.
    pub token: Option<Token>,
    /// Where the token was found, for error messages.
    pub token_source: Option<String>,
    /// Origins that may receive the token over plain http.
    pub http_origins: Vec<String>,
    /// The `User-Agent`.
    pub user_agent: HeaderValue,
    /// The timeouts of an exchange.
    pub timeouts: Timeouts,
    /// The retry policy; [`Hub::policy`] is the one that applies at a moment.
    pub retry: Policy,
    /// Whether a server has responded to this call.
    pub answered: Arc<AtomicBool>,
    /// Maximum duration of the whole operation.
    pub deadline: Option<Duration>,
    /// Offline mode: no network requests are made.
    pub offline: bool,
    /// Limits of bandwidth and connections.
    pub flow: Flow,
    /// The rate limits, shared by all calls.
    pub rate_limiter: RateLimiter,
    /// The limit of open connections and files, shared by all calls.
    pub permits: Permits,
    /// The progress that shows when this call waits for a rate limit.
    pub watch: Progress,
    /// How this call may use Xet.
    pub xet: Xet,
}

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub first: u64,
    /// The end, exclusive; `None` for the end of the file.
    pub end: Option<u64>,
}

impl ByteRange {
    /// Returns the range from `first` to the end of the file.
    pub fn from(first: u64) -> Self {
        Self { first, end: None }
    }

    fn header(self) -> Option<HeaderValue> {
        let range = match (self.first, self.end) {
            (0, None) => return None,
            // An empty range cannot be requested.
            (first, Some(end)) if end <= first => return None,
            (first, None) => format!("bytes={first}-"),
            (first, Some(end)) => format!("bytes={first}-{}", end.saturating_sub(1)),
        };
        // Digits are always a valid header value.
        HeaderValue::try_from(range).ok()
    }
}

impl Hub {
    /// Parses an endpoint, which has to be an absolute http(s) URL.
    pub fn parse_endpoint(text: &str) -> Result<Url> {
        let url = Url::parse(text.trim_end_matches('/')).ok();
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(
            || {
                // The text may contain a password.
                let shown = if text.contains('@') {
                    "the given URL".to_owned()
                } else {
                    format!("{text:?}")
                };
                let message = format!(
                    "invalid endpoint {shown}: expected a URL such as https://huggingface.co"
                );
                Error::new(ErrorKind::InvalidName, message)
            },
        )
    }

    /// Parses origins such as `http://hub.lan:8080`.
    pub fn parse_origins(texts: &[String]) -> Result<Vec<String>> {
        let origin = |text: &String| {
            let url = Url::parse(text).ok().filter(|url| {
                let is_bare = url.path() == "/" && url.query().is_none() && url.username() == "";
                matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare
            });
            url.map(|url| url.origin().ascii_serialization()).ok_or_else(|| {
                let message =
                    format!("invalid origin {text:?}: expected something like http://hub.lan:8080");
                Error::new(ErrorKind::InvalidName, message).with_hints([Hint::HttpOrigins])
            })
        };
        texts.iter().map(origin).collect()
    }

    /// Returns the URL of a file: `<endpoint>/<prefix><id>/resolve/<revision>/<path>`. A bucket has
    /// no revisions.
    pub fn file_url(&self, repo: &Repo, revision: &Revision, path: impl AsRef<str>) -> Url {
        let revision = match repo.kind() {
            RepoType::Bucket => String::new(),
            _ => format!("{}/", encode(revision.as_str())),
        };
        let path: Vec<_> = path.as_ref().split('/').map(encode).collect();
        self.url(&format!(
            "{}{}/resolve/{revision}{}",
            repo.kind().url_prefix(),
            repo.id(),
            path.join("/")
        ))
    }

    /// Whether `url` is that of a file in a bucket.
    pub fn is_in_bucket(&self, url: &Url) -> bool {
        self.owns(url) && url.path().starts_with(self.url("buckets/").path())
    }

    /// Returns the URL of an API route of a repository: `<endpoint>/api/<type>s/<id>/<rest>`.
    pub fn api_url(&self, repo: &Repo, rest: &str) -> Url {
        self.url(&format!("api/{}s/{}/{rest}", repo.kind().name(), repo.id()))
    }

    /// Whether `url` belongs to the endpoint, and so may receive the token.
    pub fn owns(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// Sends one GET without retries. The token is sent only to the endpoint's origin.
    pub async fn get(&self, url: Url, range: ByteRange) -> Result<Response> {
        self.fetch(Method::GET, url, range).await
    }

    /// Sends one GET or HEAD for a file, without retries.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        url: Url,
        range: ByteRange,
    ) -> Result<Response> {
        let mut headers = self.headers(&url);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(COUNTER, HeaderValue::from_static("1"));
        headers.extend(range.header().map(|range| (RANGE, range)));
        self.send(Request {
            method,
            peer: self.peer(&url),
            url,
            headers,
            body: None,
            timeouts: self.timeouts,
            alone: range.end.is_some(),
        })
        .await
    }

    /// Whether a server has responded to this call, with whatever status.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Returns the retry policy at this moment.
    pub(crate) fn policy(&self) -> Policy {
        if self.has_answered() { self.retry.once_answered() } else { self.retry }
    }

    /// Retries `attempt` according to the policy, and shows each pause in `progress`.
    pub async fn retrying<T, F>(
        &self,
        progress: &Progress,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failures = 0;
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failures += 1;
            let Some(wait) = retry::decide(self.policy(), failures, &error) else {
                return Err(tried(error, failures));
            };
            pause(progress, &error, wait).await?;
        }
    }

    /// Runs `work` until the deadline. `progress` provides the activity for the error.
    pub async fn within_deadline<T>(
        &self,
        progress: &Progress,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(deadline) = self.deadline else { return work.await };
        progress.set_deadline(deadline);
        tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| Err(too_late(self, progress)))
    }

    /// Every request passes through here: none is sent in offline mode, and none exposes the token
    /// to eavesdroppers.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        if self.offline {
            return Err(offline());
        }
        let withheld = self.withholds_token(&request.url);
        if withheld && !only_reads(&request) {
            return Err(eavesdropped(&request.url));
        }
        let scope = Scope::of(&request.url, self.token_for(&request.url));
        let ticket = self.wait_for(&scope).await?;
        let permit = self.permits.connection().await;
        let answer = self.client.send(request).await.map(|response| response.holding(permit));
        let answer = answer.map_err(|error| if withheld { error.token_withheld() } else { error });
        let status = answer.as_ref().map_or_else(Error::status, |_| Some(200));
        self.answered.fetch_or(status.is_some(), Relaxed);
        let started = ticket.answered();
        match &answer {
            Ok(response) => self.rate_limiter.learn(&scope, started, response.headers()),
            Err(error) => self.rate_limiter.failed(&scope, error),
        }
        answer
    }

    /// Waits until a download may start, if it `asks` for anything. Returns the hub for its
    /// requests, and its permit.
    pub(crate) async fn for_download(&self, asks: bool) -> (Self, Option<Permit>) {
        let permit = if asks { Some(self.permits.transfer().await) } else { None };
        (Self { permits: self.permits.granted(), ..self.clone() }, permit)
    }

    /// Waits for a permit, then runs `work`, which transfers files and whose requests need no
    /// further permit.
    pub(crate) async fn with_permit<T>(&self, work: impl Future<Output = T>) -> T {
        let _permit = self.permits.transfer().await;
        work.await
    }

    /// Returns a permit for one more connection of a download.
    pub(crate) fn one_more(&self) -> Option<(OwnedSemaphorePermit, Permit)> {
        Some((self.flow.one_more()?, self.permits.one_more()?))
    }

    async fn wait_for<'a>(&'a self, scope: &'a Scope) -> Result<Ticket<'a>> {
        loop {
            let wait = match self.rate_limiter.admit(scope) {
                Ok(ticket) => return Ok(ticket),
                Err(wait) => wait,
            };
            let message = "the Hub's rate limit is exhausted";
            let error = Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(wait));
            if wait > self.retry.max_asked {
                return Err(error);
            }
            pause(&self.watch, &error, wait).await?;
        }
    }

    /// Returns the URL of a route, by its encoded path below the endpoint.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }

    /// Returns the headers of every request to `url`; the token is included only for the endpoint.
    pub(crate) fn headers(&self, url: &Url) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, self.user_agent.clone());
        if let Some(token) = self.token_for(url) {
            headers.insert(AUTHORIZATION, token.header());
        }
        headers
    }

    /// Returns what kind of server `url` belongs to.
    pub(crate) fn peer(&self, url: &Url) -> Peer {
        if self.owns(url) || is_public(url) { Peer::Hub } else { Peer::Store }
    }

    fn token_for(&self, url: &Url) -> Option<&Token> {
        self.token.as_ref().filter(|_| self.owns(url) && self.may_see_secrets(url))
    }

    /// Whether there is a token for `url` that is not sent because it could be read in transit.
    pub fn withholds_token(&self, url: &Url) -> bool {
        self.token.is_some() && self.owns(url) && !self.may_see_secrets(url)
    }

    /// Whether secrets may be sent to `url`.
    pub fn may_see_secrets(&self, url: &Url) -> bool {
        is_private(url) || self.http_origins.contains(&url.origin().ascii_serialization())
    }
}

/// Marks requests that are part of a download.
pub(crate) const COUNTER: HeaderName = transport::header_name("x-hf-download-counter");

/// Maximum number of redirects.
pub const MAX_HOPS: u32 = 20;

/// Waits before the next attempt, and shows this in the progress. Returns the error at once if a
/// pause that a Hub asks for exceeds the deadline.
pub async fn pause(progress: &Progress, error: &Error, wait: Duration) -> Result<()> {
    let limited = error.kind() == ErrorKind::RateLimited;
    if limited && progress.time_left().is_some_and(|left| left < wait) {
        return Err(too_long_a_pause(error.clone(), wait));
    }
    let activity = if limited { Activity::RateLimited } else { Activity::Retrying };
    progress.set_activity(activity, Some(wait));
    progress.set_trouble(error.message());
    tokio::time::sleep(wait).await;
    progress.set_activity(Activity::Resolving, None);
    Ok(())
}

/// Returns the error of a pause that exceeds the deadline.
pub(crate) fn too_long_a_pause(error: Error, wait: Duration) -> Error {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let message =
        format!("{}; the requested pause of {seconds} s exceeds the timeout", error.message());
    error.with_message(message).with_retry_after(Some(wait)).permanent()
}

/// Returns the target of a 3xx response.
pub fn redirect_target(response: &Response) -> Result<Url> {
    // Some servers send a path unencoded, in UTF-8 or an older encoding: a URL requires
    // percent-encoding.
    let location = response.headers().get(LOCATION);
    let location = location.map(|value| percent_encode(value.as_bytes(), RAW).to_string());
    target_of(response.url(), location.as_deref())
}

fn target_of(here: &Url, location: Option<&str>) -> Result<Url> {
    let target = location.and_then(|location| here.join(location).ok());
    let target = target
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| {
            let message = format!(
                "invalid redirect of {}: the Location header is missing or invalid",
                host(here)
            );
            Error::new(ErrorKind::InvalidResponse, message).with_url(here)
        })?;
    if here.scheme() == "https" && target.scheme() == "http" {
        let message = format!(
            "{} redirects from https to plain http at {}, which is not followed",
            host(here),
            host(&target)
        );
        return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(here));
    }
    Ok(target)
}

/// Returns the error for a redirect loop.
pub fn too_many_redirects(url: &Url) -> Error {
    let message = format!("more than {MAX_HOPS} redirects, the last of them by {}", host(url));
    Error::new(ErrorKind::InvalidResponse, message).with_url(url)
}

/// Returns the error of an operation that exceeded its deadline: how far it got, and what delayed
/// it.
pub fn too_late(hub: &Hub, progress: &Progress) -> Error {
    let limit = hub.deadline.unwrap_or_default().as_millis();
    let so_far = progress.snapshot().in_words();
    let message = format!("not finished within the timeout of {limit} ms: {so_far}");
    Error::new(ErrorKind::Timeout, message)
}

/// Returns the error of every request in offline mode.
pub fn offline() -> Error {
    Error::new(ErrorKind::Offline, "offline mode is on").with_hints([Hint::GoOnline])
}

/// Whether nothing in transit can be read by others.
fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let loopback = address.map_or_else(
        |_| host == "localhost" || host.ends_with(".localhost"),
        |address| address.is_loopback(),
    );
    url.scheme() == "https" || loopback
}

/// Whether a request changes nothing, and so may be sent without the token.
fn only_reads(request: &Request) -> bool {
    let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    // A read that is sent as a POST because its parameters are long.
    reads || request.url.path().contains("/paths-info/")
}

/// Returns the error of a request that requires a secret, to a host that must not receive one.
pub(crate) fn eavesdropped(url: &Url) -> Error {
    let (why, hint) = withheld(url);
    let message = format!("cannot send this request: {why}");
    Error::new(ErrorKind::Unauthorized, message).with_url(url).permanent().with_hints([hint])
}

/// Returns the origin of this endpoint if a token is not sent to it; `None` if it is sent, or if the
/// endpoint is invalid.
pub fn withheld_from(endpoint: &str, allowed: &[String]) -> Option<String> {
    let (url, allowed) = (Hub::parse_endpoint(endpoint).ok()?, Hub::parse_origins(allowed).ok()?);
    let origin = url.origin().ascii_serialization();
    (!is_private(&url) && !allowed.contains(&origin)).then_some(origin)
}

/// Returns why a token is not sent, and which setting changes that.
pub(crate) fn withheld(url: &Url) -> (String, Hint) {
    let origin = url.origin().ascii_serialization();
    let message = format!(
        "the token is not sent to {origin} over plain http, where it could be read in transit"
    );
    (message, Hint::AllowHttpToken { origin })
}

/// Percent-encodes one path segment.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// Adds the number of attempts, if there was more than one.
pub fn tried(error: Error, attempts: u32) -> Error {
    if attempts < 2 {
        return error;
    }
    let message = format!("{}; gave up after {attempts} attempts", error.message());
    error.with_message(message)
}

#[cfg(test)]
mod tests;
