//! The webhooks of a user.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{self, Call, Reply};
use super::super::deliver::{self, Replay};
use super::super::error::ApiError;
use super::super::hub::Hub;
use super::super::response;
use super::{DELETE, GET, POST, on};
use crate::store::{Domain, Outgoing, Watched, WatchedKind, Webhook, WebhookSpec, WebhookState};

/// Maximum number of webhooks of a user.
const MOST: u64 = 100;
const MOST_WATCHED: usize = 100;
const LONGEST_URL: usize = 2048;
const LONGEST_SECRET: usize = 1024;
const LONGEST_NAME: usize = 200;

/// The routes.
pub(super) fn routes() -> Router<Arc<Hub>> {
    Router::new()
        .route("/api/settings/webhooks", on(GET, list).merge(on(POST, create)))
        .route(
            "/api/settings/webhooks/{id}",
            on(GET, get).merge(on(POST, update)).merge(on(DELETE, delete)),
        )
        .route("/api/settings/webhooks/{id}/{action}", on(POST, switch))
        .route("/api/settings/webhooks/{id}/replay/{log}", axum::routing::post(replay))
}

/// The body of `create` and `update`. All but `watched` stay as they are if an update lacks them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    watched: Vec<Value>,
    url: Option<String>,
    job: Option<Value>,
    job_source_id: Option<String>,
    domains: Option<Vec<String>>,
    secret: Option<String>,
}

fn list(call: &Call) -> Reply {
    let webhooks = call.hub.store.webhooks().list(Some(&call.caller.webhook_owner(false)?.name))?;
    let described = webhooks.iter().map(|webhook| describe(call, webhook));
    Ok(response::json(&described.collect::<Vec<_>>()))
}

fn get(call: &Call) -> Reply {
    call.caller.webhook_owner(false)?;
    Ok(envelope(call, &find(call)?))
}

fn create(call: &Call) -> Reply {
    let owner = &call.caller.webhook_owner(true)?.name;
    let wanted: Wanted = call.body.json()?;
    wanted.check_target()?;
    let url = wanted.url.as_deref().ok_or_else(no_jobs)?;
    let spec = WebhookSpec {
        url: check_url(call, url)?,
        watched: watched(&wanted.watched)?,
        domains: domains(wanted.domains.as_deref())?,
        secret: wanted.secret.as_deref().map(check_secret).transpose()?.flatten(),
    };
    let webhooks = call.hub.store.webhooks();
    if webhooks.count(owner)? >= MOST {
        return Err(ApiError::forbidden(format!("You can have at most {MOST} webhooks")));
    }
    Ok(envelope(call, &webhooks.create(owner, &spec)?))
}

fn update(call: &Call) -> Reply {
    call.caller.webhook_owner(true)?;
    let webhook = find(call)?;
    let wanted: Wanted = call.body.json()?;
    if wanted.url.is_some() || wanted.job.is_some() || wanted.job_source_id.is_some() {
        wanted.check_target()?;
    }
    let spec = WebhookSpec {
        url: match wanted.url.as_deref() {
            Some(url) => check_url(call, url)?,
            None if wanted.job.is_some() || wanted.job_source_id.is_some() => return Err(no_jobs()),
            None => webhook.spec.url.clone(),
        },
        watched: watched(&wanted.watched)?,
        domains: match &wanted.domains {
            Some(names) => domains(Some(names))?,
            None => webhook.spec.domains.clone(),
        },
        secret: match wanted.secret.as_deref() {
            Some(secret) => check_secret(secret)?,
            None => webhook.spec.secret.clone(),
        },
    };
    call.hub.store.webhooks().update(&webhook, &spec)?;
    Ok(envelope(call, &find(call)?))
}

fn delete(call: &Call) -> Reply {
    call.caller.webhook_owner(true)?;
    call.hub.store.webhooks().delete(&find(call)?)?;
    Ok(response::json(&json!({})))
}

fn switch(call: &Call) -> Reply {
    let is_enabled = match call.param("action")? {
        "enable" => true,
        "disable" => false,
        _ => return Err(ApiError::page_not_found()),
    };
    call.caller.webhook_owner(true)?;
    call.hub.store.webhooks().set_enabled(&find(call)?, is_enabled)?;
    Ok(envelope(call, &find(call)?))
}

/// Sends a logged delivery again. Handlers do not wait for the network, so the last step is here.
async fn replay(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let mut response = call::handle(hub.clone(), request, prepare_replay).await;
    let Some(Logged(outgoing)) = response.extensions_mut().remove() else { return response };
    match deliver::replay(&hub, &outgoing).await {
        Replay::Status(status) => response::json(&json!({ "status": status })),
        Replay::Failed(reason) => {
            ApiError::unprocessable(format!("Cannot deliver: {reason}")).into_response()
        }
        Replay::Busy => ApiError::too_many_requests().into_response(),
    }
}

/// A delivery that is to be sent again, as an extension of a response.
#[derive(Clone, Debug)]
struct Logged(Arc<Outgoing>);

fn prepare_replay(call: &Call) -> Reply {
    call.caller.webhook_owner(true)?;
    let webhook = find(call)?;
    let outgoing = call.hub.store.logged(&webhook, call.param("log")?)?;
    let outgoing = outgoing.ok_or_else(|| ApiError::not_found("Webhook log not found"))?;
    let mut response = response::ok();
    response.extensions_mut().insert(Logged(Arc::new(outgoing)));
    Ok(response)
}

/// Returns the webhook of the URL, which others than its owner cannot see.
fn find(call: &Call) -> Result<Webhook, ApiError> {
    let owner = &call.caller.user()?.name;
    let found = call.hub.store.webhooks().get(owner, call.param("id")?)?;
    found.ok_or_else(|| ApiError::not_found("Webhook not found"))
}

fn envelope(call: &Call, webhook: &Webhook) -> Response {
    response::json(&json!({ "webhook": describe(call, webhook) }))
}

/// The secret is for tokens that may change it.
fn describe(call: &Call, webhook: &Webhook) -> Value {
    let Webhook { spec, state, .. } = webhook;
    let mut json = json!({
        "id": webhook.object_id,
        "url": spec.url,
        "watched": spec.watched,
        "domains": spec.domains,
        "disabled": match state {
            WebhookState::Enabled => Value::Bool(false),
            WebhookState::Disabled => Value::Bool(true),
            WebhookState::Suspended => "suspended-after-failure".into(),
        },
    });
    let may_change = call.caller.webhook_owner(true).is_ok();
    if let Some(secret) = spec.secret.as_ref().filter(|_| may_change) {
        json["secret"] = secret.as_str().into();
    }
    if let Some(time) = webhook.triggered_at {
        json["lastTriggerAt"] = response::date(time).into();
    }
    json
}

impl Wanted {
    fn check_target(&self) -> Result<(), ApiError> {
        let given = [self.url.is_some(), self.job.is_some(), self.job_source_id.is_some()];
        if given.into_iter().filter(|is_given| *is_given).count() == 1 {
            return Ok(());
        }
        Err(ApiError::bad_request(
            "Exactly one of \"url\", \"job\" and \"jobSourceId\" must be given",
        ))
    }
}

fn no_jobs() -> ApiError {
    ApiError::unprocessable("This is a Local Hub, which runs no Jobs: give a \"url\"")
}

fn check_url(call: &Call, text: &str) -> Result<String, ApiError> {
    let invalid = |why: &str| ApiError::bad_request(format!("\"url\" {why}"));
    if text.len() > LONGEST_URL {
        return Err(invalid(&format!("may have at most {LONGEST_URL} bytes")));
    }
    let url: Uri = text.parse().map_err(|_| invalid("must be a URL"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(invalid("must begin with http:// or https://"));
    }
    let authority = url.authority().ok_or_else(|| invalid("must have a host"))?;
    if authority.as_str().contains('@') {
        return Err(invalid("must not contain a password: use \"secret\""));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(invalid("must have a host"));
    }
    // Names are checked when they are resolved; an address never becomes another one.
    if let Ok(ip) = host.parse::<IpAddr>() {
        call.hub
            .courier
            .check((ip, 0).into())
            .map_err(|why| invalid(&format!("is refused: {why}")))?;
    }
    Ok(text.to_owned())
}

fn check_secret(secret: &str) -> Result<Option<String>, ApiError> {
    if secret.len() > LONGEST_SECRET || !secret.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        let most = format!("at most {LONGEST_SECRET} visible ASCII characters and spaces");
        return Err(ApiError::bad_request(format!("\"secret\" consists of {most}")));
    }
    Ok((!secret.is_empty()).then(|| secret.to_owned()))
}

fn domains(names: Option<&[String]>) -> Result<Vec<Domain>, ApiError> {
    let Some(names) = names else { return Ok(vec![Domain::Repo, Domain::Discussion]) };
    let mut domains = Vec::new();
    for name in names {
        let domain = match name.as_str() {
            "repo" => Domain::Repo,
            "discussion" => Domain::Discussion,
            _ => {
                let message = format!("\"domains\" must be some of [repo, discussion], not {name}");
                return Err(ApiError::bad_request(message));
            }
        };
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    if domains.is_empty() {
        return Err(ApiError::bad_request(
            "\"domains\" must have at least one of [repo, discussion]",
        ));
    }
    Ok(domains)
}

fn watched(items: &[Value]) -> Result<Vec<Watched>, ApiError> {
    if items.len() > MOST_WATCHED {
        let message = format!("\"watched\" may have at most {MOST_WATCHED} items");
        return Err(ApiError::bad_request(message));
    }
    items.iter().map(watched_item).collect()
}

fn watched_item(item: &Value) -> Result<Watched, ApiError> {
    let watched: Watched = serde_json::from_value(item.clone()).map_err(|_| {
        ApiError::bad_request(
            "\"watched\" items must have a \"type\", one of [dataset, model, space, bucket, user, org], and a \"name\"",
        )
    })?;
    let is_account = matches!(watched.kind, WatchedKind::Org | WatchedKind::User);
    let name = &watched.name;
    let is_valid = name.len() <= LONGEST_NAME
        && !(is_account && name.contains('/'))
        && name.parse::<crate::store::RepoId>().is_ok();
    if is_valid {
        return Ok(watched);
    }
    Err(ApiError::bad_request(format!("\"watched\" has an invalid name: {name}")))
}
