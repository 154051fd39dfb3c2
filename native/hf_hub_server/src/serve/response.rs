//! What all responses have in common: request id, JSON, links to the next page, header values.

use std::convert::Infallible;

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LINK, VARY};
use axum::http::{HeaderName, HeaderValue, Response as HttpResponse, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde::Serialize;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::Predicate;

/// The content type of JSON, as the Hub writes it.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The commit that a response is based on.
pub(super) const REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

/// Characters that are not encoded in keys and values of a query.
pub(super) const QUERY_SET: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Characters that are not encoded in a path.
pub(super) const PATH_SET: &AsciiSet = &QUERY_SET.remove(b'/');

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const EXPOSED: HeaderName = HeaderName::from_static("access-control-expose-headers");
const EXPOSED_NAMES: HeaderValue = HeaderValue::from_static(
    "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,\
     X-Linked-Size,X-Linked-ETag",
);

/// Returns JSON with status 200.
pub(super) fn json(value: &impl Serialize) -> Response {
    ([(CONTENT_TYPE, JSON)], Json(value)).into_response()
}

/// Returns the Hub's response to a successful request without a result.
pub(super) fn ok() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], "OK").into_response()
}

/// Returns JSON with a link to the next page, if there is one.
pub(super) fn page(value: &impl Serialize, next: Option<String>) -> Response {
    let mut response = json(value);
    if let Some(next) = next {
        response.headers_mut().insert(LINK, header_value(&format!("<{next}>; rel=\"next\"")));
    }
    response
}

/// Returns a redirect, with a body for people.
pub(super) fn redirect(status: StatusCode, location: &str) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let text = format!("{reason}. Redirecting to {location}");
    let headers = [
        (axum::http::header::LOCATION, header_value(location)),
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
    ];
    (status, headers, text).into_response()
}

/// Converts text to a header value; invalid characters become `?`.
pub(super) fn header_value(text: &str) -> HeaderValue {
    let bytes = text.bytes().map(|byte| if byte.is_ascii_control() { b'?' } else { byte });
    let bytes = bytes.collect::<Vec<_>>();
    HeaderValue::from_bytes(&bytes).unwrap_or(HeaderValue::from_static("?"))
}

/// Formats a time as the Hub does.
pub(super) fn date(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Adds the headers of every response of a listener.
pub(super) fn layer(app: Router) -> Router {
    app.layer(CompressionLayer::new().gzip(true).compress_when(OnlyJson))
        .layer(middleware::from_fn(stamp))
}

/// File bodies are never compressed: sizes and ranges would no longer match.
#[derive(Clone, Copy)]
struct OnlyJson;

impl Predicate for OnlyJson {
    fn should_compress<B>(&self, response: &HttpResponse<B>) -> bool
    where
        B: http_body::Body,
    {
        let is_json = response.headers().get(CONTENT_TYPE) == Some(&JSON);
        is_json && response.body().size_hint().lower() > 1024
    }
}

async fn stamp(request: Request, next: Next) -> Result<Response, Infallible> {
    let trace = request.headers().get(TRACE_ID).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id(trace.as_ref()));
    headers.insert(EXPOSED, EXPOSED_NAMES);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

fn request_id(trace: Option<&HeaderValue>) -> HeaderValue {
    let mut random = [0; 12];
    // A repeated id is better than no response.
    let _ = getrandom::fill(&mut random);
    let own = format!("Root=1-{:08x}-{}", Timestamp::now().as_second(), hex::encode(random));
    match trace.and_then(|trace| trace.to_str().ok()) {
        Some(trace) => header_value(&format!("{own};{trace}")),
        None => header_value(&own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_with_milliseconds() {
        assert_eq!(
            date(Timestamp::from_second(1_700_000_000).unwrap()),
            "2023-11-14T22:13:20.000Z"
        );
    }

    #[test]
    fn removes_line_breaks_from_header_values() {
        assert_eq!(header_value("a\r\nSet-Cookie: x"), "a??Set-Cookie: x");
        assert_eq!(header_value("é").as_bytes(), "é".as_bytes());
    }
}
