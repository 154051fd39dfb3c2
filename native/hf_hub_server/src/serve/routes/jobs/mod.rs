//! Jobs: commands that run on the server's machine, if its administrator has allowed it.

mod scheduled;
mod spec;
mod streams;

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::jobs::Jobs;
use super::super::response;
use super::page::Page;
use super::{GET, POST, PUT, hardware, on, owned};
use crate::store::{Job, JobSearch, MOST_UNFINISHED, NewJob, object_id};

const ALL: &str = "/api/jobs/{namespace}";
const ONE: &str = "/api/jobs/{namespace}/{id}";
const WHAT: &str = "jobs";
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
        .merge(scheduled::routes())
}

/// Returns what runs jobs.
fn runner(call: &Call) -> Result<&Arc<Jobs>, ApiError> {
    call.hub.jobs.as_ref().ok_or_else(ApiError::no_jobs)
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
    owned::check_writer(call, &job.namespace, WHAT)?;
    Ok(job)
}

/// Returns the labels that listed jobs must have.
fn labels(call: &Call) -> Result<Vec<(String, String)>, ApiError> {
    let label = |text: &str| text.split_once('=').map(|(name, value)| (name.into(), value.into()));
    let labels = call.query.all("label").map(label).collect::<Option<Vec<_>>>();
    labels.ok_or_else(|| ApiError::bad_request("\"label\" must be NAME=VALUE"))
}

/// Handles `GET /api/jobs/{namespace}`.
fn list(call: &Call) -> Reply {
    runner(call)?;
    let page = Page::usual(call, USUAL);
    let search = JobSearch {
        namespace: owned::reader(call, WHAT)?.to_owned(),
        stages: call.query.all("stage").map(str::to_owned).collect(),
        labels: labels(call)?,
        skip: page.start,
        limit: page.with_next(),
    };
    let found = call.hub.store.jobs().list(&search)?;
    Ok(page.respond(call, found, |job| shown(call, &job)))
}

/// Handles `POST /api/jobs/{namespace}`.
fn create(call: &Call) -> Reply {
    let jobs = runner(call)?;
    let namespace = owned::writer(call, WHAT)?.to_owned();
    let (spec, secrets) = call.body.json::<spec::Sent>()?.check(jobs.timeout)?;
    start(call, &NewJob { namespace, initiator: user(call)?, spec, secrets })
}

/// Returns the caller, as the cause of a job.
fn user(call: &Call) -> Result<Value, ApiError> {
    let user = call.caller.user()?;
    Ok(json!({ "type": "user", "id": object_id(&user.name), "name": user.name }))
}

/// Handles `POST /api/jobs/{namespace}/{id}/duplicate`.
fn duplicate(call: &Call) -> Reply {
    let job = own(call)?;
    let secrets = call.hub.store.jobs().secrets(&job.id)?;
    let initiator = json!({ "type": "duplicated-job", "id": job.id });
    start(call, &NewJob { namespace: job.namespace, initiator, spec: job.spec, secrets })
}

fn start(call: &Call, new: &NewJob) -> Reply {
    let job = call.hub.store.jobs().create(new)?;
    let job = job.ok_or_else(|| {
        ApiError::conflict(format!(
            "\"{}\" has {MOST_UNFINISHED} unfinished jobs: cancel some, or wait for their end",
            new.namespace
        ))
    })?;
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
    let job = own(call)?;
    let labels = spec::sent_labels(call)?;
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
    let more = json!({
        "id": job.id,
        "createdAt": response::date(job.created_at),
        "startedAt": job.started_at.map(response::date),
        "finishedAt": job.finished_at.map(response::date),
        "secrets": secrets(&job.secret_names),
        "status": {
            "stage": job.stage, "message": job.message, "failureCount": job.failures,
            "exposeUrls": addresses(call, job),
        },
        "durations": {
            "schedulingSecs": job.started_at.map(|started| seconds(job.created_at, started)),
            "runningSecs": job.started_at.map(|started| seconds(started, end)),
            "totalSecs": seconds(job.created_at, end),
        },
        "owner": owner(call, &job.namespace),
        "initiator": job.initiator,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut json, more) {
        all.extend(more);
    }
    json
}

/// Returns secrets as the API shows them: their values are not part of it.
fn secrets(names: &[String]) -> Map<String, Value> {
    names.iter().map(|name| (name.clone(), json!("encrypted"))).collect()
}

/// Returns the owner of a job. Only members see the jobs of an organization, only a user its own.
fn owner(call: &Call, namespace: &str) -> Value {
    let is_user = call.caller.name().is_some_and(|name| name.eq_ignore_ascii_case(namespace));
    let kind = if is_user { "user" } else { "org" };
    json!({ "id": object_id(namespace), "name": namespace, "type": kind })
}

/// Returns the addresses of the exposed ports: the job listens on this machine itself.
fn addresses(call: &Call, job: &Job) -> Option<Vec<String>> {
    let expose = job.spec.expose.as_ref()?;
    let host = call.hub.origins.host(&call.headers);
    Some(expose.ports.iter().map(|port| format!("http://{host}:{port}")).collect())
}
