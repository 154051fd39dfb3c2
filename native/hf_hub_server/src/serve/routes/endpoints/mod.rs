//! Inference endpoints: what is asked for is stored, and states change as on the Hub. Nothing is
//! deployed: an administrator names the server of the models, if there is one.

mod catalog;
mod config;
mod hardware;
mod served;

use std::sync::Arc;

use axum::Router;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::response;
use super::{DELETE, GET, POST, PUT, on, owned};
use crate::store::{Endpoint, EndpointState as State, NewEndpoint, object_id};
use config::Sent;

const ALL: &str = "/v2/endpoint/{namespace}";
const ONE: &str = "/v2/endpoint/{namespace}/{name}";
const WHAT: &str = "inference endpoints";

/// The routes.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let below = |action: &str| format!("{ONE}/{action}");
    Router::new()
        .route(ALL, on(GET, list).merge(on(POST, create)))
        .route(ONE, on(GET, get).merge(on(PUT, update)).merge(on(DELETE, delete)))
        .route(&below("pause"), on(POST, |call| stop(call, State::Paused)))
        .route(&below("scale-to-zero"), on(POST, |call| stop(call, State::ScaledToZero)))
        .route(&below("resume"), on(POST, resume))
        .route("/v2/provider/{namespace}", on(GET, hardware::list))
        .merge(served::routes())
        .merge(catalog::routes())
}

/// Returns the endpoint of the route. Those of others do not exist.
fn of(call: &Call) -> Result<Endpoint, ApiError> {
    call.caller.user()?;
    let (namespace, name) = (call.param("namespace")?, call.param("name")?);
    let found = call.hub.store.endpoints().find(namespace, name)?;
    let found = found.filter(|found| call.caller.may_read_in(&found.namespace));
    found.ok_or_else(|| missing(name))
}

fn own(call: &Call) -> Result<Endpoint, ApiError> {
    let endpoint = of(call)?;
    owned::check_writer(call, &endpoint.namespace, WHAT)?;
    Ok(endpoint)
}

fn missing(name: &str) -> ApiError {
    ApiError::not_found(format!("Endpoint {name} not found"))
}

/// Handles `GET /v2/endpoint/{namespace}`.
fn list(call: &Call) -> Reply {
    let found = call.hub.store.endpoints().list(owned::reader(call, WHAT)?)?;
    let items = found.iter().map(|endpoint| shown(call, endpoint)).collect::<Vec<_>>();
    Ok(response::json(&json!({ "items": items })))
}

/// Handles `POST /v2/endpoint/{namespace}`.
fn create(call: &Call) -> Reply {
    let namespace = owned::writer(call, WHAT)?.to_owned();
    let endpoint = add(call, namespace, call.body.json::<Sent>()?)?;
    Ok(response::json(&shown(call, &endpoint)))
}

/// Creates an endpoint.
fn add(call: &Call, namespace: String, sent: Sent) -> Result<Endpoint, ApiError> {
    let (name, config) = sent.check()?;
    let creator = call.caller.user()?.name.clone();
    let new = NewEndpoint { namespace, name, creator, config };
    let usual = call.hub.options.endpoints.starting();
    let created = call.hub.store.endpoints().create(&new, usual, call.hub.clock.now())?;
    created.ok_or_else(|| {
        ApiError::conflict(format!("An endpoint with the name \"{}\" exists already", new.name))
    })
}

/// Handles `GET /v2/endpoint/{namespace}/{name}`.
fn get(call: &Call) -> Reply {
    Ok(response::json(&shown(call, &of(call)?)))
}

/// Handles `PUT /v2/endpoint/{namespace}/{name}`.
fn update(call: &Call) -> Reply {
    let endpoint = own(call)?;
    let config = config::changed(endpoint.config.clone(), call.body.json()?)?;
    change(call, &endpoint, |endpoint, state| {
        endpoint.config = config;
        if !matches!(state, State::Paused | State::ScaledToZero) {
            endpoint.go(call.hub.options.endpoints.updating(), call.hub.clock.now());
        }
    })
}

/// Handles `DELETE /v2/endpoint/{namespace}/{name}`.
fn delete(call: &Call) -> Reply {
    let Endpoint { namespace, name, .. } = own(call)?;
    call.hub.store.endpoints().delete(&namespace, &name)?;
    Ok(response::ok())
}

/// Handles `POST /v2/endpoint/{namespace}/{name}/pause` and `…/scale-to-zero`.
fn stop(call: &Call, stopped: State) -> Reply {
    change(call, &own(call)?, |endpoint, state| {
        // A paused endpoint is not started by a request.
        if state != State::Paused {
            endpoint.go(vec![(stopped, 0.0)], call.hub.clock.now());
        }
    })
}

/// Handles `POST /v2/endpoint/{namespace}/{name}/resume`.
fn resume(call: &Call) -> Reply {
    let endpoint = own(call)?;
    let state = endpoint.state(call.hub.clock.now());
    if !matches!(state, State::Paused | State::ScaledToZero | State::Failed | State::UpdateFailed) {
        // The Python client looks for these words.
        return Err(ApiError::bad_request("Bad Request: this endpoint is already running"));
    }
    change(call, &endpoint, |endpoint, _| {
        endpoint.start(call.hub.options.endpoints.starting(), call.hub.clock.now());
    })
}

fn change(call: &Call, endpoint: &Endpoint, change: impl FnOnce(&mut Endpoint, State)) -> Reply {
    let Endpoint { namespace, name, .. } = endpoint;
    let changed = call.hub.store.endpoints().update(namespace, name, |endpoint| {
        let state = endpoint.state(call.hub.clock.now());
        change(endpoint, state);
    })?;
    Ok(response::json(&shown(call, &changed.ok_or_else(|| missing(name))?)))
}

/// Returns an endpoint as the API shows it.
fn shown(call: &Call, endpoint: &Endpoint) -> Value {
    let state = endpoint.state(call.hub.clock.now());
    let wanted = config::replicas(&endpoint.config);
    let target = if matches!(state, State::Paused | State::ScaledToZero) { 0 } else { wanted };
    let has_url = matches!(state, State::Running | State::Updating | State::ScaledToZero);
    let creator = json!({ "id": object_id(&endpoint.creator), "name": endpoint.creator });
    let mut status = json!({
        "state": state,
        "message": message(state),
        "createdAt": response::date(endpoint.created_at),
        "createdBy": creator,
        "updatedAt": response::date(endpoint.updated_at),
        "updatedBy": creator,
        "readyReplica": if state == State::Running { target } else { 0 },
        "targetReplica": target,
    });
    if has_url {
        status["url"] = served::url(call, endpoint).into();
    }
    let more = json!({
        "name": endpoint.name,
        "healthRoute": call.hub.options.endpoints.health,
        "status": status,
    });
    let mut all: Map<String, Value> = endpoint.config.clone();
    all.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn message(state: State) -> &'static str {
    match state {
        State::Pending => "Endpoint is waiting to be scheduled",
        State::Initializing => "Endpoint is initializing",
        State::Updating => "Endpoint is being updated",
        State::Running => "Endpoint is ready",
        State::Paused => "Endpoint is paused",
        State::ScaledToZero => "Endpoint is scaled to zero",
        State::Failed => "Endpoint failed to start",
        State::UpdateFailed => "Endpoint failed to update",
    }
}
