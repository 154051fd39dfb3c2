//! Faults in the head of a response.

use axum::http::header::ETAG;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::super::listener::Connection;
use super::replace;
use super::rule::Fault;

const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// Changes the head, or drops it.
pub(super) async fn apply(fault: Fault, response: &mut Response, connection: Option<&Connection>) {
    let headers = response.headers_mut();
    match fault {
        Fault::Etag { value } => {
            let Ok(value) = HeaderValue::try_from(value) else { return };
            for name in [ETAG, LINKED_ETAG] {
                if headers.contains_key(&name) {
                    headers.insert(name, value.clone());
                }
            }
        }
        Fault::Header { name, value } => {
            let Ok(name) = HeaderName::try_from(name) else { return };
            match value.map(HeaderValue::try_from) {
                Some(Ok(value)) => drop(headers.insert(name, value)),
                _ => drop(headers.remove(name)),
            }
        }
        Fault::ReplaceHeader { name, pattern, with } => {
            replace::header(headers, &name, &pattern, &with);
        }
        Fault::LoseAnswer => Connection::end(connection).await,
        _ => {}
    }
}
