//! The addresses of endpoints, for Hubs without a server of models.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::{GET, POST, on};
use super::missing;
use crate::store::{Endpoint, EndpointState as State};

/// The routes.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let answer = || on(GET, answer).merge(on(POST, answer));
    Router::new()
        .route("/v2/served/{namespace}/{name}", answer())
        .route("/v2/served/{namespace}/{name}/{*path}", answer())
}

/// Returns the address of an endpoint.
pub(super) fn url(call: &Call, endpoint: &Endpoint) -> String {
    if let Some(url) = &call.hub.options.endpoints.url {
        return url.clone();
    }
    let base = call.hub.origins.hub(Some(&call.headers));
    format!("{base}/v2/served/{}/{}", endpoint.namespace, endpoint.name)
}

/// Handles requests to an endpoint. Those to one that is scaled to zero start it.
fn answer(call: &Call) -> Reply {
    let (namespace, name) = (call.param("namespace")?, call.param("name")?);
    let endpoints = call.hub.store.endpoints();
    let endpoint = endpoints.find(namespace, name)?.filter(|endpoint| {
        let is_public = endpoint.config.get("type").is_some_and(|kind| kind == "public");
        is_public || call.caller.may_read_in(&endpoint.namespace)
    });
    let Some(endpoint) = endpoint else {
        call.caller.user()?;
        return Err(missing(name));
    };
    let now = call.hub.clock.now();
    let state = endpoint.state(now);
    if state == State::ScaledToZero {
        let usual = call.hub.options.endpoints.starting();
        endpoints.update(namespace, name, |endpoint| endpoint.start(usual, now))?;
    }
    if !matches!(state, State::Running | State::Updating) {
        return Err(ApiError::unavailable("This endpoint does not run"));
    }
    let path = call.param("path").unwrap_or_default();
    if path == call.hub.options.endpoints.health.trim_start_matches('/') {
        return Ok("OK".into_response());
    }
    Err(ApiError::no_model_server())
}
