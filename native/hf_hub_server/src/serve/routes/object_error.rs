//! Errors in the format of object stores.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// The response for missing content.
pub(super) fn no_such_key() -> Response {
    respond(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.", "")
}

/// Responds with an error; `detail` is XML.
pub(super) fn respond(status: StatusCode, code: &str, message: &str, detail: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{message}</Message>{detail}</Error>"
    );
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/xml"))];
    (status, headers, Body::from(text)).into_response()
}
