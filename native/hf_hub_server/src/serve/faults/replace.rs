//! Replaces text in requests and responses, so that the Hub behaves like other servers.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

/// Maximum size of a body whose text is replaced.
const MAX_BODY: usize = 64 << 20;

/// A regular expression; the replacement may refer to its groups as `${1}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Regex::new(&text).map(Self)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.as_str().to_owned()
    }
}

impl Pattern {
    fn replace(&self, text: &[u8], with: &str) -> Vec<u8> {
        self.0.replace_all(text, with.as_bytes()).into_owned()
    }
}

/// Changes the path and query of a request, unless the result is invalid.
pub(super) fn target(request: &mut Request, pattern: &Pattern, with: &str) {
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    if let Ok(uri) = Uri::try_from(pattern.replace(target.as_bytes(), with)) {
        *request.uri_mut() = uri;
    }
}

/// Changes the body of a request.
pub(super) async fn request(request: &mut Request, pattern: &Pattern, with: &str) {
    let body = std::mem::take(request.body_mut());
    let body = body_of(body, pattern, with, request.headers_mut()).await;
    *request.body_mut() = body;
}

/// Changes all values of a header.
pub(super) fn header(headers: &mut HeaderMap, name: &str, pattern: &Pattern, with: &str) {
    let Ok(name) = HeaderName::try_from(name) else { return };
    let values = headers.get_all(&name).iter();
    let values = values.map(|value| pattern.replace(value.as_bytes(), with)).collect::<Vec<_>>();
    headers.remove(&name);
    for value in values.into_iter().filter_map(|value| HeaderValue::try_from(value).ok()) {
        headers.append(&name, value);
    }
}

/// Changes the body of a response.
pub(super) async fn body(response: Response, pattern: &Pattern, with: &str) -> Response {
    let (mut head, body) = response.into_parts();
    let body = body_of(body, pattern, with, &mut head.headers).await;
    Response::from_parts(head, body)
}

async fn body_of(body: Body, pattern: &Pattern, with: &str, headers: &mut HeaderMap) -> Body {
    match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => {
            let bytes = pattern.replace(&bytes, with);
            if headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            Body::from(bytes)
        }
        Err(err) => Body::from_stream(futures_util::stream::iter([Err::<Vec<u8>, _>(err)])),
    }
}
