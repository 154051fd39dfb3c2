//! The `/_test` routes: tests read the request log and plant faults.
//!
//! Only available with `--test-control`; not recorded, and not subject to faults.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clock::Clock;
use super::faults::{self, Faults, Rule};
use super::journal::Journal;
use super::listener::Gauge;
use super::query::Query;

/// What the routes control.
#[derive(Clone)]
pub(super) struct Control {
    /// The request log.
    pub(super) journal: Arc<Journal>,
    /// The faults.
    pub(super) faults: Arc<Faults>,
    /// The time of schedules and states.
    pub(super) clock: Arc<Clock>,
    /// The connections of the hub and of the content listener.
    pub(super) gauges: [Arc<Gauge>; 2],
}

/// The routes.
pub(super) fn routes(control: Control) -> Router {
    Router::new()
        .route("/_test/requests", get(requests).delete(clear_requests))
        .route("/_test/connections", get(connections))
        .route("/_test/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_test/dialects", get(dialects).post(speak))
        .route("/_test/clock", post(advance))
        .with_state(control)
}

/// Returns the requests whose path contains `?path=`, or all of them.
async fn requests(State(control): State<Control>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    Json(control.journal.records(query.get("path").unwrap_or_default())).into_response()
}

async fn clear_requests(State(control): State<Control>) -> StatusCode {
    control.journal.clear();
    StatusCode::NO_CONTENT
}

async fn connections(State(control): State<Control>) -> Json<Value> {
    let [hub, cdn] = &control.gauges;
    Json(json!({
        "hub": { "open": hub.open(), "accepted": hub.accepted() },
        "cdn": {
            "open": cdn.open(),
            "accepted": cdn.accepted(),
            "authorization_refused": control.journal.cdn_authorizations(),
        },
    }))
}

async fn faults(State(control): State<Control>) -> Response {
    Json(control.faults.list()).into_response()
}

async fn add_fault(State(control): State<Control>, body: axum::body::Bytes) -> Response {
    let added = serde_json::from_slice::<Rule>(&body).map_err(anyhow::Error::from);
    match added.and_then(|rule| control.faults.add(rule)) {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(err) => refused(&err),
    }
}

/// Returns the available dialects.
async fn dialects() -> Response {
    match faults::dialects() {
        Ok(dialects) => Json(dialects).into_response(),
        Err(err) => refused(&err),
    }
}

/// Makes a repository use a dialect, and returns the path prefix of its endpoint.
async fn speak(State(control): State<Control>, body: axum::body::Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        dialect: String,
        repo: String,
    }
    let wanted = serde_json::from_slice::<Wanted>(&body).map_err(anyhow::Error::from);
    let planted = wanted.and_then(|Wanted { dialect, repo }| {
        let (rules, prefix) = faults::rules(&dialect, &repo)?;
        rules.into_iter().try_for_each(|rule| control.faults.add(rule))?;
        Ok(prefix)
    });
    match planted {
        Ok(prefix) => (StatusCode::CREATED, Json(json!({ "prefix": prefix }))).into_response(),
        Err(err) => refused(&err),
    }
}

/// Sets the clock forward by `{"seconds": 60}`.
async fn advance(State(control): State<Control>, body: axum::body::Bytes) -> Response {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        seconds: u32,
    }
    match serde_json::from_slice::<Wanted>(&body) {
        Ok(Wanted { seconds }) => {
            control.clock.advance(seconds);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(err) => refused(&err.into()),
    }
}

fn refused(err: &anyhow::Error) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": format!("{err:#}") }))).into_response()
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.faults.clear();
    StatusCode::NO_CONTENT
}
