//! A parsed request, and the blocking work that handles it.
//!
//! Handlers are plain functions that run off the async threads, because git and the disk block.
//! They run before the body is received, so a forbidden request is rejected before its body is
//! sent.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts as Head;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::access::Caller;
use super::error::ApiError;
use super::hub::Hub;
use super::intake::Broken;
use super::payload::{Payload, Want};
use super::query::Query;
use crate::store::RepoKey;

/// The input of a handler.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) hub: Arc<Hub>,
    pub(super) caller: Caller,
    pub(super) method: Method,
    /// The path as sent, still percent-encoded.
    pub(super) raw_path: String,
    /// What the path has for the `{names}` of its route.
    params: Vec<(String, String)>,
    pub(super) raw_query: Option<String>,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Payload,
    /// How to respond with a file.
    pub(super) manner: Manner,
}

/// Variants of file responses, as a request extension: they imitate other servers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// Sends a small file without redirecting to the resolve cache.
    pub(super) direct: bool,
    /// Sends a large file without redirecting to the content listener.
    pub(super) proxied: bool,
    /// Sends the SHA-1 of the content as its `ETag`, and headers with checksums.
    pub(super) checksums: bool,
}

/// The result of a handler.
pub(super) type Reply = Result<Response, ApiError>;

/// What a route does.
pub(super) type Handler = fn(&Call) -> Reply;

impl Call {
    /// Whether only the head of the response will be sent.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Returns the decoded part of the path that its route calls `name`.
    pub(super) fn param(&self, name: &str) -> Result<&str, ApiError> {
        let found = self.params.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).ok_or_else(ApiError::page_not_found)
    }

    /// Parses the body as JSON, for routes whose body is optional.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, ApiError> {
        let bytes = self.body.bytes()?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        let json = serde_json::from_slice(&bytes);
        json.map_err(|err| ApiError::bad_request(format!("Invalid body: {err}")))
    }

    /// Returns the absolute URL of a repository's page.
    pub(super) fn page_url(&self, key: &RepoKey) -> String {
        let base = self.hub.origins.hub(Some(&self.headers));
        format!("{base}/{}{}", key.kind.url_prefix(), key.id)
    }

    /// Returns the absolute URL of this route with one query key replaced.
    pub(super) fn url_with(&self, key: &str, value: &str) -> String {
        let base = self.hub.origins.hub(Some(&self.headers));
        format!("{base}{}?{}", self.raw_path, self.query.with(key, value))
    }
}

/// Parses a request and runs `handler`, which is run once more if it needs the whole body.
pub(super) async fn handle(hub: Arc<Hub>, request: Request, handler: Handler) -> Response {
    let (mut head, body) = request.into_parts();
    let params = params(&mut head).await;
    let payload = Payload::new(&body);
    let started = hub.clone();
    let first = off_thread(move || {
        let call = Call::new(started, head, params, payload)?;
        let answer = handler(&call);
        Ok((answer, call.body.wanted(), call))
    });
    let (call, want) = match first.await {
        Ok((_, Some(want), call)) => (call, want),
        Ok((answer, None, _)) => return answer.into_response(),
        Err(err) => return err.into_response(),
    };
    finish(&hub, call, want, body, handler).await.unwrap_or_else(IntoResponse::into_response)
}

/// Receives the body and responds.
async fn finish(
    hub: &Hub,
    call: Call,
    want: Want,
    body: Body,
    handler: Handler,
) -> Result<Response, Broken> {
    match want {
        Want::Whole => {
            let spool = hub.intake.whole(body).await?;
            let _room = hub.intake.room(&spool).await;
            let answer = off_thread(move || {
                call.body.fill(spool);
                handler(&call)
            });
            Ok(answer.await?)
        }
        Want::Stream(upload) => {
            let upload = hub.intake.feed(body, upload).await?;
            Ok(off_thread(move || upload.finish(&call)).await?)
        }
    }
}

/// Returns the parts of the path that the route names; none if they are not UTF-8.
async fn params(head: &mut Head) -> Vec<(String, String)> {
    let params = RawPathParams::from_request_parts(head, &()).await;
    params.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(panic.into()))
}

impl Call {
    /// Identifies the caller.
    fn new(
        hub: Arc<Hub>,
        head: Head,
        params: Vec<(String, String)>,
        body: Payload,
    ) -> Result<Self, ApiError> {
        let Head { method, uri, headers, extensions, .. } = head;
        let caller = Caller::identify(&hub.store, &method, &headers)?;
        let mut manner = extensions.get::<Manner>().copied().unwrap_or_default();
        manner.direct |= hub.options.direct;
        let (raw_path, raw_query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        let query = Query::parse(uri.query());
        Ok(Self { hub, caller, method, raw_path, params, raw_query, query, headers, body, manner })
    }
}
