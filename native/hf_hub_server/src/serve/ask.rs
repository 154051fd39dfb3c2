//! One request to the Hub, taken apart, and the blocking work that answers it.
//!
//! Handlers are plain functions that run off the async threads, because git and the disk block.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use http_body::Body as _;

use super::access::Caller;
use super::error::ApiError;
use super::hub::Hub;
use super::query::Query;

const MAX_BODY: usize = 10 << 20;

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
    pub(super) body: Bytes,
    /// Answer small files without a detour, this time.
    pub(super) direct: bool,
}

/// A request extension: answer this file without the detour over the resolve cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct;

/// What a handler returns.
pub(super) type Answer = Result<Response, ApiError>;

impl Ask {
    /// Whether this is GET or HEAD.
    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Whether only the head of the answer will be sent.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
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
    match read(hub, request).await {
        Ok(parts) => run(parts, handler).await,
        Err(err) => err.into_response(),
    }
}

async fn run(parts: Parts, handler: fn(&Ask) -> Answer) -> Response {
    let work = move || {
        let caller = Caller::identify(&parts.hub.store, &parts.headers)?;
        handler(&parts.into_ask(caller))
    };
    let result = tokio::task::spawn_blocking(work).await;
    result.unwrap_or_else(|panic| Err(panic.into())).into_response()
}

/// An [`Ask`] whose caller is not known yet.
struct Parts {
    hub: Arc<Hub>,
    method: Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
    direct: bool,
}

impl Parts {
    fn into_ask(self, caller: Caller) -> Ask {
        let Self { hub, method, uri, headers, body, direct } = self;
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
            direct,
        }
    }
}

async fn read(hub: Arc<Hub>, request: Request) -> Result<Parts, ApiError> {
    let (head, body) = request.into_parts();
    let body = read_body(&head.method, body).await?;
    let direct = hub.options.direct || head.extensions.get::<Direct>().is_some();
    Ok(Parts { hub, method: head.method, uri: head.uri, headers: head.headers, body, direct })
}

async fn read_body(method: &Method, body: Body) -> Result<Bytes, ApiError> {
    if method != Method::POST {
        return Ok(Bytes::new());
    }
    // Said before the client has sent it all in vain.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(ApiError::too_large());
    }
    axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| ApiError::too_large())
}
