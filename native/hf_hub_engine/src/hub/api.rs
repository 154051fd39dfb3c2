//! Requests to a Hub's API routes: JSON in, JSON out, page by page.
//!
//! Redirects are followed within the endpoint; those of read requests also to the public Hub,
//! without the token. The caller interprets the response.

mod content;
pub mod pages;
pub mod request;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

pub use content::Segment;

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};

use serde::{Serialize, Serializer};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        progress::Progress,
    },
    hub::{
        api::{content::Opened, pages::Next},
        client::{self, COUNTER, Hub, MAX_HOPS},
        streamed_body,
    },
    transport::{Request, Response, host},
};

/// Maximum size of a response that is read into memory.
const PAGE_LIMIT: usize = 64 << 20;

/// A request to a route.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The URL; the token is sent only to the endpoint's origin.
    pub url: Url,
    /// Content type and content of the body.
    pub body: Option<(HeaderValue, Vec<Segment>)>,
    /// Whether the request may be repeated if the response to the first one was lost. GET, HEAD,
    /// PUT and DELETE always may.
    pub repeatable: bool,
    /// Whether it belongs to a download, which the Hub counts.
    pub counted: bool,
    /// Whether the body contains a secret.
    pub secret: bool,
    /// Additional headers, which replace default headers of the same names; sent only to the origin
    /// of `url`.
    pub headers: HeaderMap,
}

/// The response to a [`Call`]: 2xx, or a 3xx that leads away from the Hub.
#[derive(Debug, Serialize)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// The headers.
    #[serde(serialize_with = "joined")]
    pub headers: HeaderMap,
    /// The body.
    #[serde(skip)]
    pub body: Bytes,
    /// The next page of a list.
    #[serde(rename = "more", serialize_with = "is_some")]
    pub next: Option<Next>,
    /// Whether the body is JSON whatever its content type.
    #[serde(skip)]
    parse: bool,
}

impl ApiResponse {
    /// The response to a DELETE of something that an earlier attempt has already deleted.
    fn gone() -> Self {
        Self {
            status: 204,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            next: None,
            parse: false,
        }
    }

    /// Returns the body if it is JSON.
    pub fn json(&self) -> Option<&[u8]> {
        let kinds = self.headers.get_all(CONTENT_TYPE);
        let mut kinds = kinds.iter().map(|kind| String::from_utf8_lossy(kind.as_bytes()));
        let is_json = self.parse || kinds.any(|kind| kind.contains("json"));
        (is_json && !self.body.is_empty()).then_some(&self.body)
    }
}

/// Returns the headers as text, by lower-case name; the values of a repeated header are joined.
fn joined_headers(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let values = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
    headers.keys().map(|name| (name.as_str(), values(name).join(", "))).collect()
}

fn joined<S: Serializer>(headers: &HeaderMap, output: S) -> std::result::Result<S::Ok, S::Error> {
    joined_headers(headers).serialize(output)
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn is_some<S: Serializer>(next: &Option<Next>, output: S) -> std::result::Result<S::Ok, S::Error> {
    output.serialize_bool(next.is_some())
}

impl Call {
    /// Creates a GET request.
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            repeatable: false,
            counted: false,
            secret: false,
            headers: HeaderMap::new(),
        }
    }

    fn is_harmless(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    fn may_be_repeated(&self) -> bool {
        self.is_harmless() || self.repeatable || matches!(self.method, Method::PUT | Method::DELETE)
    }
}

impl Hub {
    /// Fetches one page of a listing that is part of a download, with retries.
    pub async fn page(&self, url: &Url, progress: &Progress) -> Result<(Bytes, Option<Url>)> {
        let call = Call { counted: true, ..Call::get(url.clone()) };
        let answer = self.retrying(progress, || self.exchange_once(&call)).await?;
        Ok((answer.body, answer.next.map(|next| next.home)))
    }

    /// Sends a request, with retries if repeating it is harmless: because it changes nothing, or
    /// because the Hub reports that nothing was changed.
    pub async fn exchange(&self, call: &Call, progress: &Progress) -> Result<ApiResponse> {
        self.within_deadline(progress, self.repeated(call, progress)).await
    }

    async fn repeated(&self, call: &Call, progress: &Progress) -> Result<ApiResponse> {
        // Whether an earlier attempt may have been executed although its response was lost.
        let unsure = AtomicBool::new(false);
        let attempt = || async {
            let error = match self.exchange_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if unsure.load(Relaxed) && call.method == Method::DELETE && error.status() == Some(404)
            {
                return Ok(ApiResponse::gone());
            }
            if !call.may_be_repeated() && !error.is_busy() {
                return Err(error.permanent());
            }
            unsure.fetch_or(!error.is_unreachable() && error.is_transient(), Relaxed);
            Err(error)
        };
        self.retrying(progress, attempt).await
    }

    pub(crate) async fn exchange_once(&self, call: &Call) -> Result<ApiResponse> {
        self.answer(self.open(call).await?).await
    }

    /// Sends a request without retries, and returns once the response headers have arrived.
    pub(crate) async fn open(&self, call: &Call) -> Result<Response> {
        let mut url = call.url.clone();
        for _ in 0..=MAX_HOPS {
            if call.secret && !self.may_see_secrets(&url) {
                return Err(client::eavesdropped(&url));
            }
            let response = self.send_call(call, &url).await?;
            // "See other": a changing request was executed, and the link only shows its result.
            let is_done = response.status() == StatusCode::SEE_OTHER && !call.is_harmless();
            if is_done || !response.status().is_redirection() {
                return Ok(response);
            }
            let target = client::redirect_target(&response)?;
            if self.owns(&target) || (call.is_harmless() && client::is_public(&target)) {
                url = target;
            } else if call.method == Method::HEAD {
                // For a HEAD request, a redirect is a result: the resource exists.
                return Ok(response);
            } else {
                let (here, host) = (host(&url), host(&target));
                let message =
                    format!("{here} redirects an API request to {host}, which is not followed");
                return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(&url));
            }
        }
        Err(client::too_many_redirects(&url))
    }

    async fn send_call(&self, call: &Call, url: &Url) -> Result<Response> {
        let mut request = self.request(call, url);
        let Some((_, segments)) = &call.body else { return self.send(request).await };
        if let Some(bytes) = content::at_hand(segments) {
            request.body = Some(bytes.into());
            return self.send(request).await;
        }
        let segments = segments.clone();
        let opened = blocking::run(move || Opened::new(segments)).await?;
        // Boxed: few calls need it, and all would carry its state.
        Box::pin(streamed_body::send(self, request, opened, |_| ())).await
    }

    fn request(&self, call: &Call, url: &Url) -> Request {
        let mut headers = self.headers(url);
        if call.counted {
            headers.insert(COUNTER, HeaderValue::from_static("1"));
        }
        if let Some((kind, _)) = &call.body {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        if url.origin() == call.url.origin() {
            headers.extend(call.headers.clone());
        }
        let (method, url, timeouts) = (call.method.clone(), url.clone(), self.timeouts);
        Request { method, peer: self.peer(&url), url, headers, body: None, timeouts, alone: false }
    }

    async fn answer(&self, response: Response) -> Result<ApiResponse> {
        let next = self.next_page(response.headers(), response.url());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(ApiResponse {
            status,
            headers,
            body: response.bytes(PAGE_LIMIT).await?,
            next,
            parse: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Server, reply};

    #[tokio::test]
    async fn follows_redirects_within_the_hub() {
        let away = reply("302 Found", "location: https://elsewhere.example/\r\n", b"");
        let moved = || reply("307 Moved", "location: /api/new\r\n", b"");
        let done = || reply("200 OK", "", b"{}");
        let server = Server::start([moved(), done(), away]).await;
        let hub = testing::hub(&server.url);
        let mut call = Call::get(hub.url("api/old"));
        call.method = Method::POST;
        call.body = Some((
            HeaderValue::from_static("application/json"),
            vec![Segment::Bytes(Bytes::from_static(b"[1]"))],
        ));
        assert_eq!(hub.exchange(&call, &Progress::default()).await.unwrap().status, 200);
        assert!(server.requests()[1].starts_with("post /api/new "));
        let error = hub.exchange(&Call::get(hub.url("x")), &Progress::default()).await.unwrap_err();
        assert!(error.message().contains("elsewhere.example, which is not followed"));
    }

    #[tokio::test]
    async fn a_link_to_the_result_of_a_change_is_not_followed() {
        let done = reply("303 See Other", "location: /result\r\n", b"See Other");
        let server = Server::start([done]).await;
        let hub = testing::hub(&server.url);
        let call = Call { method: Method::POST, ..Call::get(hub.url("form")) };
        let answer = hub.exchange(&call, &Progress::default()).await.unwrap();
        assert_eq!((answer.status, answer.headers["location"].as_bytes()), (303, &b"/result"[..]));
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn sends_a_changing_request_only_once() {
        let server = Server::start([reply("503 Busy", "", b""), reply("200 OK", "", b"{}")]).await;
        let hub = testing::hub(&server.url);
        let call = Call { method: Method::POST, ..Call::get(hub.url("api/x")) };
        assert_eq!(
            hub.exchange(&call, &Progress::default()).await.unwrap_err().kind(),
            ErrorKind::Server
        );
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn retries_when_the_hub_reports_a_conflicting_operation() {
        let words =
            br#"{"error": "Cannot create repo: another conflicting operation is in progress"}"#;
        let taken = br#"{"error": "You already created this model repo", "url": "http://x/a/b"}"#;
        let busy = || reply("409 Conflict", "", words);
        let server = Server::start([busy(), busy(), reply("409 Conflict", "", taken)]).await;
        let hub = testing::hub(&server.url);
        let call = Call { method: Method::POST, ..Call::get(hub.url("api/repos/create")) };
        let error = hub.exchange(&call, &Progress::default()).await.unwrap_err();
        assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Conflict, 3));
        assert_eq!(error.details().unwrap()["url"], "http://x/a/b");
    }
}
