//! Jobs that start at set times.

use std::sync::Arc;

use axum::Router;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::jobs::Cron;
use super::super::super::response;
use super::super::{DELETE, GET, POST, PUT, on, owned};
use super::{WHAT, owner, runner, secrets, spec, user};
use crate::store::{MOST_UNFINISHED, NewJob, NewScheduled, Scheduled};

const ALL: &str = "/api/scheduled-jobs/{namespace}";
const ONE: &str = "/api/scheduled-jobs/{namespace}/{id}";

/// The routes.
pub(super) fn routes() -> Router<Arc<Hub>> {
    let below = |action: &str| format!("{ONE}/{action}");
    Router::new()
        .route(ALL, on(GET, list).merge(on(POST, create)))
        .route(ONE, on(GET, get).merge(on(DELETE, delete)))
        .route(&below("suspend"), on(POST, suspend))
        .route(&below("resume"), on(POST, resume))
        .route(&below("run"), on(POST, run))
        .route(&below("labels"), on(PUT, set_labels))
        .route(&below("schedule"), on(POST, set_schedule))
}

/// Returns the scheduled job of the route. Those of others do not exist.
fn of(call: &Call) -> Result<Scheduled, ApiError> {
    runner(call)?;
    call.caller.user()?;
    let (namespace, id) = (call.param("namespace")?, call.param("id")?);
    let found = call.hub.store.scheduled_jobs().find(namespace, id)?;
    let found = found.filter(|found| call.caller.may_read_in(&found.namespace));
    found.ok_or_else(|| missing(id))
}

fn own(call: &Call) -> Result<Scheduled, ApiError> {
    let found = of(call)?;
    owned::check_writer(call, &found.namespace, WHAT)?;
    Ok(found)
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("Scheduled job {id} not found"))
}

/// Handles `GET /api/scheduled-jobs/{namespace}`.
fn list(call: &Call) -> Reply {
    runner(call)?;
    let namespace = owned::reader(call, WHAT)?;
    let labels = super::labels(call)?;
    let mut found = call.hub.store.scheduled_jobs().list(namespace)?;
    found.retain(|scheduled| {
        labels.iter().all(|(name, value)| scheduled.spec.labels.get(name) == Some(value))
    });
    let shown = found.iter().map(|scheduled| shown(call, scheduled));
    Ok(response::json(&shown.collect::<Result<Vec<_>, _>>()?))
}

/// Handles `POST /api/scheduled-jobs/{namespace}`.
fn create(call: &Call) -> Reply {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sent {
        job_spec: spec::Sent,
        schedule: String,
        #[serde(default)]
        suspend: Option<bool>,
        #[serde(default)]
        concurrency: Option<bool>,
    }

    let jobs = runner(call)?;
    let namespace = owned::writer(call, WHAT)?.to_owned();
    let sent: Sent = call.body.json()?;
    let cron = parse(&sent.schedule)?;
    let (spec, secrets) = sent.job_spec.check(jobs.timeout)?;
    let scheduled = call.hub.store.scheduled_jobs().create(&NewScheduled {
        job: NewJob { namespace, initiator: user(call)?, spec, secrets },
        schedule: sent.schedule,
        suspended: sent.suspend.unwrap_or(false),
        concurrency: sent.concurrency.unwrap_or(false),
        next_at: cron.next(call.hub.clock.now()),
    })?;
    call.hub.clock.wake();
    Ok(response::json(&shown(call, &scheduled)?))
}

fn parse(schedule: &str) -> Result<Cron, ApiError> {
    Cron::parse(schedule).ok_or_else(|| {
        ApiError::bad_request(
            "Invalid schedule: expected a cron expression of five fields, such as \"0 9 * * 1\", \
             or a name, such as \"@daily\"",
        )
    })
}

/// Handles `GET /api/scheduled-jobs/{namespace}/{id}`.
fn get(call: &Call) -> Reply {
    Ok(response::json(&shown(call, &of(call)?)?))
}

/// Handles `DELETE /api/scheduled-jobs/{namespace}/{id}`.
fn delete(call: &Call) -> Reply {
    call.hub.store.scheduled_jobs().delete(&own(call)?.id)?;
    Ok(response::ok())
}

/// Handles `POST /api/scheduled-jobs/{namespace}/{id}/suspend`.
fn suspend(call: &Call) -> Reply {
    change(call, &own(call)?, |scheduled| scheduled.suspended = true)
}

/// Handles `POST /api/scheduled-jobs/{namespace}/{id}/resume`.
fn resume(call: &Call) -> Reply {
    change(call, &own(call)?, |scheduled| scheduled.suspended = false)
}

/// Handles `PUT /api/scheduled-jobs/{namespace}/{id}/labels`.
fn set_labels(call: &Call) -> Reply {
    let found = own(call)?;
    let labels = spec::sent_labels(call)?;
    change(call, &found, |scheduled| scheduled.spec.labels = labels)
}

/// Handles `POST /api/scheduled-jobs/{namespace}/{id}/schedule`.
fn set_schedule(call: &Call) -> Reply {
    #[derive(Deserialize)]
    struct Sent {
        schedule: String,
    }

    let found = own(call)?;
    let Sent { schedule } = call.body.json()?;
    parse(&schedule)?;
    change(call, &found, |scheduled| scheduled.schedule = schedule)
}

/// Changes a scheduled job, whose next time is computed again.
fn change(call: &Call, found: &Scheduled, change: impl FnOnce(&mut Scheduled)) -> Reply {
    let now = call.hub.clock.now();
    let changed = call.hub.store.scheduled_jobs().update(&found.id, |scheduled| {
        change(scheduled);
        scheduled.next_at = Cron::parse(&scheduled.schedule).and_then(|cron| cron.next(now));
    })?;
    call.hub.clock.wake();
    let changed = changed.ok_or_else(|| missing(&found.id))?;
    Ok(response::json(&shown(call, &changed)?))
}

/// Handles `POST /api/scheduled-jobs/{namespace}/{id}/run`.
fn run(call: &Call) -> Reply {
    let found = own(call)?;
    let job = runner(call)?.start_scheduled(&found)?;
    let job = job.ok_or_else(|| {
        ApiError::conflict(format!(
            "A job of this scheduled job is running, or its owner has {MOST_UNFINISHED} unfinished jobs"
        ))
    })?;
    Ok(response::json(&super::shown(call, &job)))
}

fn shown(call: &Call, scheduled: &Scheduled) -> Result<Value, ApiError> {
    let mut spec = json!(scheduled.spec);
    spec["secrets"] = secrets(&scheduled.secret_names).into();
    let mut status = Map::new();
    if let Some((id, at)) = &scheduled.last {
        status.insert("lastJob".into(), json!({ "id": id, "at": response::date(*at) }));
    }
    if let Some(next) = scheduled.next_at.filter(|_| !scheduled.suspended) {
        status.insert("nextJobRunAt".into(), response::date(next).into());
    }
    if call.hub.store.jobs().is_full(&scheduled.namespace)? {
        let owner = &scheduled.namespace;
        let message =
            format!("no job starts while \"{owner}\" has {MOST_UNFINISHED} unfinished jobs");
        status.insert("message".into(), message.into());
    }
    Ok(json!({
        "id": scheduled.id,
        "createdAt": response::date(scheduled.created_at),
        "jobSpec": spec,
        "schedule": scheduled.schedule,
        "suspend": scheduled.suspended,
        "concurrency": scheduled.concurrency,
        "status": status,
        "owner": owner(call, &scheduled.namespace),
        "initiator": scheduled.initiator,
    }))
}
