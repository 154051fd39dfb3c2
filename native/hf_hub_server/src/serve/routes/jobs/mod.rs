//! Jobs: commands that run on the server's machine, if its administrator has allowed it.

mod spec;
mod streams;

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::jobs::Jobs;
use super::super::response;
use super::page::Page;
use super::whoami::object_id;
use super::{GET, POST, PUT, hardware, on};
use crate::store::{Job, JobSearch, NewJob};

const ALL: &str = "/api/jobs/{namespace}";
const ONE: &str = "/api/jobs/{namespace}/{id}";
/// Usual size of a page.
const USUAL: usize = 100;

/// The routes of jobs.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let below = |action: &str| format!("{ONE}/{action}");
    Router::new()
        .route("/api/jobs/hardware", on(GET, |call| runner(call).map(|_| hardware::of_jobs())))
        .route(ALL, on(GET, list).merge(on(POST, create)))
        .route(ONE, on(GET, get))
        .route(&below("cancel"), on(POST, cancel))
        .route(&below("duplicate"), on(POST, duplicate))
        .route(&below("labels"), on(PUT, set_labels))
        .route(&below("expose"), on(PUT, set_expose))
        .route(&below("logs"), on(GET, streams::logs))
        .route(&below("metrics"), on(GET, streams::metrics))
}

/// Returns what runs jobs.
fn runner(call: &Call) -> Result<&Arc<Jobs>, ApiError> {
    call.hub.jobs.as_ref().ok_or_else(ApiError::no_jobs)
}

/// Returns the namespace of the route, if the caller may see its jobs.
fn namespace(call: &Call) -> Result<&str, ApiError> {
    runner(call)?;
    call.caller.user()?;
    let namespace = call.param("namespace")?;
    if call.caller.may_read_in(namespace) {
        return Ok(namespace);
    }
    Err(ApiError::forbidden(format!("You have no access to the jobs of \"{namespace}\"")))
}

/// Returns the namespace of the route, if the caller may run jobs in it.
fn own_namespace(call: &Call) -> Result<&str, ApiError> {
    let namespace = namespace(call)?;
    call.caller.writer()?;
    if call.caller.may_write_in(namespace) {
        return Ok(namespace);
    }
    let message = format!("You have no rights to run jobs under the namespace \"{namespace}\"");
    Err(ApiError::forbidden(message))
}

/// Returns the job of the route. Jobs of others do not exist.
fn of(call: &Call) -> Result<Job, ApiError> {
    runner(call)?;
    call.caller.user()?;
    let (namespace, id) = (call.param("namespace")?, call.param("id")?);
    let found = call.hub.store.jobs().find(namespace, id)?;
    let found = found.filter(|job| call.caller.may_read_in(&job.namespace));
    found.ok_or_else(|| ApiError::not_found(format!("Job {id} not found")))
}

/// Returns the job of the route, if the caller may change it.
fn own(call: &Call) -> Result<Job, ApiError> {
    let job = of(call)?;
    call.caller.writer()?;
    if call.caller.may_write_in(&job.namespace) {
        return Ok(job);
    }
    Err(ApiError::forbidden("You have no rights to change this job"))
}

/// Handles `GET /api/jobs/{namespace}`.
fn list(call: &Call) -> Reply {
    let page = Page::usual(call, USUAL);
    let label = |text: &str| text.split_once('=').map(|(name, value)| (name.into(), value.into()));
    let labels = call.query.all("label").map(label).collect::<Option<Vec<_>>>();
    let search = JobSearch {
        namespace: namespace(call)?.to_owned(),
        stages: call.query.all("stage").map(str::to_owned).collect(),
        labels: labels.ok_or_else(|| ApiError::bad_request("\"label\" must be NAME=VALUE"))?,
        skip: page.start,
        limit: page.with_next(),
    };
    let found = call.hub.store.jobs().list(&search)?;
    Ok(page.respond(call, found, |job| shown(call, &job)))
}

/// Handles `POST /api/jobs/{namespace}`.
fn create(call: &Call) -> Reply {
    let namespace = own_namespace(call)?.to_owned();
    let jobs = runner(call)?;
    let (spec, secrets) = call.body.json::<spec::Sent>()?.check(jobs.timeout)?;
    let user = call.caller.user()?;
    let initiator = json!({ "type": "user", "id": object_id(&user.name), "name": user.name });
    start(call, NewJob { namespace, initiator, spec, secrets })
}

/// Handles `POST /api/jobs/{namespace}/{id}/duplicate`.
fn duplicate(call: &Call) -> Reply {
    let job = own(call)?;
    let secrets = call.hub.store.jobs().secrets(&job.id)?;
    let initiator = json!({ "type": "duplicated-job", "id": job.id });
    start(call, NewJob { namespace: job.namespace, initiator, spec: job.spec, secrets })
}

fn start(call: &Call, new: NewJob) -> Reply {
    let job = call.hub.store.jobs().create(new)?;
    runner(call)?.start(job.clone());
    Ok(response::json(&shown(call, &job)))
}

/// Handles `GET /api/jobs/{namespace}/{id}`.
fn get(call: &Call) -> Reply {
    Ok(response::json(&shown(call, &of(call)?)))
}

/// Handles `POST /api/jobs/{namespace}/{id}/cancel`.
fn cancel(call: &Call) -> Reply {
    let job = own(call)?;
    runner(call)?.cancel(&job)?;
    Ok(response::json(&shown(call, &of(call)?)))
}

/// Handles `PUT /api/jobs/{namespace}/{id}/labels`.
fn set_labels(call: &Call) -> Reply {
    #[derive(Deserialize)]
    struct Sent {
        labels: spec::Labels,
    }

    let job = own(call)?;
    let labels = spec::check_labels(call.body.json::<Sent>()?.labels)?;
    let job = call.hub.store.jobs().update(&job.id, |spec| spec.labels = labels)?;
    Ok(response::json(&shown(call, &job)))
}

/// Handles `PUT /api/jobs/{namespace}/{id}/expose`.
fn set_expose(call: &Call) -> Reply {
    let job = own(call)?;
    let expose = spec::check_expose(call.body.json()?)?;
    let job = call.hub.store.jobs().update(&job.id, |spec| spec.expose = expose)?;
    Ok(response::json(&shown(call, &job)))
}

/// Returns a job as the API shows it. The values of secrets are not part of it.
fn shown(call: &Call, job: &Job) -> Value {
    let mut json = json!(job.spec);
    let now = Timestamp::now();
    let end = job.finished_at.unwrap_or(now);
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs().max(0);
    let secrets = job.secret_names.iter().map(|name| (name.clone(), json!("encrypted")));
    let is_user = call.caller.name().is_some_and(|name| name.eq_ignore_ascii_case(&job.namespace));
    let more = json!({
        "id": job.id,
        "createdAt": response::date(job.created_at),
        "startedAt": job.started_at.map(response::date),
        "finishedAt": job.finished_at.map(response::date),
        "secrets": secrets.collect::<serde_json::Map<_, _>>(),
        "status": {
            "stage": job.stage, "message": job.message, "failureCount": job.failures,
            "exposeUrls": addresses(call, job),
        },
        "durations": {
            "schedulingSecs": job.started_at.map(|started| seconds(job.created_at, started)),
            "runningSecs": job.started_at.map(|started| seconds(started, end)),
            "totalSecs": seconds(job.created_at, end),
        },
        "owner": {
            "id": object_id(&job.namespace), "name": job.namespace,
            "type": if is_user { "user" } else { "org" },
        },
        "initiator": job.initiator,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut json, more) {
        all.extend(more);
    }
    json
}

/// Returns the addresses of the exposed ports: the job listens on this machine itself.
fn addresses(call: &Call, job: &Job) -> Option<Vec<String>> {
    let expose = job.spec.expose.as_ref()?;
    let host = call.hub.origins.host(&call.headers);
    Some(expose.ports.iter().map(|port| format!("http://{host}:{port}")).collect())
}
