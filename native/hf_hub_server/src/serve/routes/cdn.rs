//! Large file contents behind signed links, as in an object store.
//!
//! Real stores reject requests that are both signed and authorized, and so does this one, which
//! reveals clients that leak their token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::super::content::{self, Content, Source};
use super::super::hub::Hub;
use super::super::query::Query;
use super::super::sign::Rejection;
use super::super::slot;
use super::object_error::{self, no_such_key};
use super::uploads;
use crate::store::is_oid;

/// Handles all requests to the content listener.
pub(super) async fn serve(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(response) = check(&hub, &head) {
        return *response;
    }
    if head.method == Method::PUT {
        return uploads::put(hub, head.uri.path().to_owned(), body).await;
    }
    let answered = tokio::task::spawn_blocking(move || send(&hub, &head));
    answered.await.unwrap_or_else(|_| failure())
}

/// The response to an expired link.
pub(in super::super) fn expired(at: Timestamp) -> Response {
    let detail = format!("<Expires>{at}</Expires><ServerTime>{}</ServerTime>", Timestamp::now());
    object_error::respond(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired", &detail)
}

fn check(hub: &Hub, request: &Parts) -> Result<(), Box<Response>> {
    let fail =
        |status, code, message| Err(Box::new(object_error::respond(status, code, message, "")));
    if request.headers.contains_key(AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; this link is signed, do not send an Authorization header";
        return fail(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    let path = request.uri.path();
    let is_upload = path.starts_with(slot::UPLOAD) || path.starts_with(slot::PART);
    let is_content = path.strip_prefix("/lfs/").is_some_and(|rest| rest.contains('/'));
    if !is_upload && !is_content {
        return Err(Box::new(no_such_key()));
    }
    // A link is for one method: it cannot be used to replace what it may fetch.
    let is_put = request.method == Method::PUT;
    let is_read = request.method == Method::GET || request.method == Method::HEAD;
    if !(is_upload && is_put || is_content && is_read) {
        let message = "The method is not allowed";
        return fail(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    }
    check_link(hub, request)
}

/// Checks that a request has a valid signature, and no token.
pub(super) fn check_link(hub: &Hub, request: &Parts) -> Result<(), Box<Response>> {
    let fail =
        |status, code, message| Err(Box::new(object_error::respond(status, code, message, "")));
    if request.headers.contains_key(AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; this link is signed, do not send an Authorization header";
        return fail(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    let path = request.uri.path();
    match hub.signer.check(path, &Query::parse(request.uri.query()), Timestamp::now()) {
        Ok(()) => Ok(()),
        Err(Rejection::Expired(at)) => Err(Box::new(expired(at))),
        Err(Rejection::Forged) => {
            let message = "The signature does not match.";
            fail(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
        }
    }
}

fn send(hub: &Hub, request: &Parts) -> Response {
    let path = request.uri.path();
    let Some((oid, name)) = path.strip_prefix("/lfs/").and_then(|rest| rest.split_once('/')) else {
        return no_such_key();
    };
    if !is_oid(oid) {
        return no_such_key();
    }
    let name = percent_decode_str(name.rsplit('/').next().unwrap_or(name));
    let source = match hub.store.lfs().find(oid) {
        Ok(Some(found)) => Source::from(found),
        Ok(None) => return no_such_key(),
        Err(_) => return failure(),
    };
    let content = Content {
        etag: oid.to_owned(),
        file_name: name.decode_utf8_lossy().into_owned(),
        media_type: "binary/octet-stream",
        source,
    };
    let sent = content::send(content, request.method == Method::HEAD, &request.headers);
    sent.unwrap_or_else(|_| failure())
}

fn failure() -> Response {
    object_error::respond(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "We encountered an internal error.",
        "",
    )
}
