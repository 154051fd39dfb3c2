//! Fault injection, so that tests can observe how a client reacts.
//!
//! A layer around the routes, which modifies their correct responses. A fault fires only where it
//! can have an effect (a cut body needs a body, a wrong range a range), and only then counts as
//! fired.

mod body;
mod dialect;
mod replace;
mod request;
mod response;
mod rule;

pub(super) use dialect::{dialects, rules};
pub(super) use rule::{Faults, Rule};

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use http_body::Body as _;
use percent_encoding::percent_decode_str;

use super::listener::Connection;
use super::origins::Origin;
use rule::{Exchange, Stage};

/// Applies the faults to an app's requests and responses.
pub(super) fn layer(app: Router, faults: &Arc<Faults>, origin: Origin) -> Router {
    let faults = faults.clone();
    // A fault may change the path, so routing happens after this layer.
    Router::new().fallback_service(app).layer(middleware::from_fn(move |request, next| {
        interfere(faults.clone(), origin, request, next)
    }))
}

async fn interfere(
    faults: Arc<Faults>,
    origin: Origin,
    mut request: Request,
    next: Next,
) -> Response {
    let exchange = Exchange {
        origin,
        method: request.method().clone(),
        path: percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned(),
        headers: request.headers().clone(),
        has_body: !request.body().is_end_stream(),
    };
    let connection =
        request.extensions().get::<ConnectInfo<Connection>>().map(|info| info.0.clone());
    let mut made_up = None;
    for fault in faults.fire(&exchange, Stage::Request) {
        if let Some(response) = request::apply(fault, &mut request, connection.as_ref()).await {
            made_up = Some(response);
        }
    }
    let mut response = match made_up {
        Some(response) => response,
        None => next.run(request).await,
    };
    for fault in faults.fire(&exchange, Stage::Head) {
        response::apply(fault, &mut response, connection.as_ref()).await;
    }
    if exchange.method != Method::HEAD && response.status().is_success() {
        for fault in faults.fire(&exchange, Stage::Body) {
            response = body::apply(fault, response).await;
        }
    }
    response
}
