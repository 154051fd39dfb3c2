//! One request to the Hub, taken apart, and the blocking work that answers it.
//!
//! Handlers are plain functions that run off the async threads, because git and the disk block.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::access::Caller;
use super::error::ApiError;
use super::hub::Hub;
use super::payload::Payload;
use super::query::Query;
use crate::store::RepoKey;

/// What a handler gets.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) hub: Arc<Hub>,
    pub(super) caller: Caller,
    pub(super) method: Method,
    /// The path as sent, still encoded.
    pub(super) raw_path: String,
    pub(super) raw_query: Option<String>,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
    /// How to answer for a file.
    pub(super) manner: Manner,
}

/// How a file is answered for, as a request extension: other servers do it in other ways.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// A small file without the detour over the resolve cache.
    pub(super) direct: bool,
    /// A large file without the detour over the content listener.
    pub(super) proxied: bool,
    /// The SHA-1 of the content as its `ETag`, and headers with checksums.
    pub(super) checksums: bool,
}

/// What a handler returns.
pub(super) type Answer = Result<Response, ApiError>;

impl Ask {
    /// Whether only the head of the answer will be sent.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// The body as JSON, for routes whose body may be left out.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, ApiError> {
        let bytes = self.body.bytes()?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        let json = serde_json::from_slice(&bytes);
        json.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))
    }

    /// The absolute URL of a repository's page.
    pub(super) fn page_url(&self, key: &RepoKey) -> String {
        let base = self.hub.origins.hub(Some(&self.headers));
        format!("{base}/{}{}", key.kind.url_prefix(), key.id)
    }

    /// The absolute URL of this route with one query key replaced.
    pub(super) fn url_with(&self, key: &str, value: &str) -> String {
        let base = self.hub.origins.hub(Some(&self.headers));
        format!("{base}{}?{}", self.raw_path, self.query.with(key, value))
    }
}

/// Reads a request and answers it with `handler`.
pub(super) async fn answer(
    hub: Arc<Hub>,
    request: Request,
    handler: fn(&Ask) -> Answer,
) -> Response {
    let (head, body) = request.into_parts();
    let mut manner = head.extensions.get::<Manner>().copied().unwrap_or_default();
    manner.direct |= hub.options.direct;
    let body = Payload::new(body);
    let parts =
        Parts { hub, method: head.method, uri: head.uri, headers: head.headers, body, manner };
    let result = tokio::task::spawn_blocking(move || parts.answer(handler)).await;
    result.unwrap_or_else(|panic| Err(panic.into())).into_response()
}

/// An [`Ask`] whose caller is not known yet.
struct Parts {
    hub: Arc<Hub>,
    method: Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Payload,
    manner: Manner,
}

impl Parts {
    fn answer(self, handler: fn(&Ask) -> Answer) -> Answer {
        let caller = Caller::identify(&self.hub.store, &self.headers)?;
        let ask = self.into_ask(caller);
        let answer = handler(&ask);
        if answer.is_err() && ask.body.is_cut() {
            return Err(ApiError::cut_body());
        }
        answer
    }

    fn into_ask(self, caller: Caller) -> Ask {
        let Self { hub, method, uri, headers, body, manner } = self;
        let raw_query = uri.query().map(str::to_owned);
        let query = Query::parse(uri.query());
        Ask {
            hub,
            caller,
            method,
            raw_path: uri.path().to_owned(),
            raw_query,
            query,
            headers,
            body,
            manner,
        }
    }
}
