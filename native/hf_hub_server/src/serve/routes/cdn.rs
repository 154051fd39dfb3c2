//! Large file content behind signed links, as an object store would serve it.
//!
//! A token has no business here: real stores refuse requests that are both signed and authorised, so this one
//! does too, which brings to light clients that leak their token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::super::content::{self, Content, Source};
use super::super::hub::Hub;
use super::super::query::Query;
use super::super::sign::Refusal;
use crate::store::is_oid;

/// Answers everything on the content listener.
pub(super) async fn serve(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let (head, _body) = request.into_parts();
    let answered = tokio::task::spawn_blocking(move || match check(&hub, &head) {
        Ok((oid, file_name)) => send(&hub, &oid, file_name, &head),
        Err(response) => *response,
    });
    answered.await.unwrap_or_else(|_| failure())
}

/// The answer to a link that has run out.
pub(in super::super) fn expired(at: Timestamp) -> Response {
    let detail = format!("<Expires>{at}</Expires><ServerTime>{}</ServerTime>", Timestamp::now());
    error(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired", &detail)
}

fn check(hub: &Hub, request: &Parts) -> Result<(String, String), Box<Response>> {
    let fail = |status, code, message| Err(Box::new(error(status, code, message, "")));
    if request.headers.contains_key(AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; this link is signed, do not send an Authorization header";
        return fail(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return fail(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The method is not allowed",
        );
    }
    let path = request.uri.path();
    let Some((oid, name)) = path.strip_prefix("/lfs/").and_then(|rest| rest.split_once('/')) else {
        return fail(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    };
    let query = Query::parse(request.uri.query());
    match hub.signer.check(path, &query, Timestamp::now()) {
        Ok(()) if is_oid(oid) => {}
        Err(Refusal::Expired(at)) => return Err(Box::new(expired(at))),
        _ => {
            return fail(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The signature does not match.",
            );
        }
    }
    let name = name.rsplit('/').next().unwrap_or(name);
    Ok((oid.to_owned(), percent_decode_str(name).decode_utf8_lossy().into_owned()))
}

fn send(hub: &Hub, oid: &str, file_name: String, request: &Parts) -> Response {
    let path = hub.store.lfs().path(oid);
    let Ok(metadata) = std::fs::metadata(&path) else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.", "");
    };
    let content = Content {
        etag: oid.to_owned(),
        file_name,
        media_type: "binary/octet-stream",
        source: Source::File(path, metadata.len()),
    };
    let sent = content::send(content, request.method == Method::HEAD, &request.headers);
    sent.unwrap_or_else(|_| failure())
}

fn failure() -> Response {
    error(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "We encountered an internal error.",
        "",
    )
}

fn error(status: StatusCode, code: &str, message: &str, detail: &str) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Error><Code>{code}</Code><Message>{message}</Message>{detail}</Error>"
    );
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/xml"))];
    (status, headers, Body::from(text)).into_response()
}
