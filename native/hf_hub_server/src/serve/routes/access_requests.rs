//! Access to gated repositories: requests of users, decisions of owners.

use std::collections::BTreeMap;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::query::{Query, is_true};
use super::super::response;
use super::page::Page;
use super::users;
use crate::store::{
    AccessRequest, AccessState, Account, Decided, MAIN, Repo, Requested, Requester, facts,
    object_id,
};

/// Maximum length of a reason for a rejection.
const LONGEST_REASON: usize = 200;
/// Maximum length of a value in a form.
const LONGEST_VALUE: usize = 1000;

/// A route of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The requests in a state.
    List(AccessState),
    /// A decision about a request.
    Handle,
    /// Access without a request.
    Grant,
    /// The end of the caller's own request.
    Cancel,
    /// A new request.
    Ask,
}

impl Route {
    /// Parses the segments after the repository's id, below `/api`.
    pub(crate) fn parse(segments: &[&str]) -> Option<Self> {
        match segments {
            ["user-access-request", "handle"] => Some(Self::Handle),
            ["user-access-request", "grant"] => Some(Self::Grant),
            ["user-access-request", "cancel"] => Some(Self::Cancel),
            ["user-access-request", state] => AccessState::parse(state).map(Self::List),
            _ => None,
        }
    }

    /// Whether the route supports the method.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        match self {
            Self::List(_) => method == Method::GET || method == Method::HEAD,
            _ => method == Method::POST,
        }
    }
}

/// Handles the routes of a repository.
pub(super) fn act(call: &Call, repo: &Repo, route: &Route) -> Reply {
    match route {
        Route::List(state) => list(call, repo, *state),
        Route::Handle => handle(call, repo),
        Route::Grant => grant(call, repo),
        Route::Cancel => cancel(call, repo),
        Route::Ask => ask(call, repo),
    }
}

/// The user or the request that a body names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    #[serde(flatten)]
    named: Named,
    status: AccessState,
    #[serde(default)]
    rejection_reason: Option<String>,
}

impl Named {
    /// Returns an existing user, or the id of a request.
    fn requester(self, call: &Call) -> Result<Requester, ApiError> {
        match (self.user, self.user_id, self.request_id) {
            (Some(name), None, None) => Ok(Requester::User(users::find(call, &name)?.name)),
            (None, Some(id), None) => Ok(Requester::User(user_of(call, &id)?)),
            (None, None, Some(id)) => Ok(Requester::Id(id)),
            _ => {
                Err(ApiError::bad_request("Exactly one of user, userId and requestId is required"))
            }
        }
    }
}

fn user_of(call: &Call, id: &str) -> Result<String, ApiError> {
    let users = call.hub.store.users().list()?;
    let user = users.into_iter().find(|user| object_id(&user.name) == id);
    user.map(|user| user.name).ok_or_else(|| ApiError::user_not_found(id))
}

/// Returns an error unless the caller decides about a gated repository.
fn check_owner<'a>(call: &'a Call, repo: &Repo) -> Result<&'a str, ApiError> {
    let owner = call.caller.writer_in(repo.key.id.namespace())?;
    if repo.settings.gated.is_none() { Err(not_gated()) } else { Ok(&owner.name) }
}

fn not_gated() -> ApiError {
    ApiError::bad_request("This repository is not gated")
}

fn list(call: &Call, repo: &Repo, state: AccessState) -> Reply {
    check_owner(call, repo)?;
    let page = Page::of(call);
    let wanted = Requested {
        state,
        after: time(call, "after")?,
        before: time(call, "before")?,
        skip: page.start,
        limit: page.with_next(),
    };
    let found = call.hub.store.access_requests(repo, &wanted)?;
    Ok(page.respond(call, found, |request| shown(call, &request)))
}

fn time(call: &Call, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let time = call.query.get(name).map(str::parse).transpose();
    time.map_err(|_| ApiError::bad_request(format!("\"{name}\" must be a valid date")))
}

fn shown(call: &Call, request: &AccessRequest) -> Value {
    let AccessRequest { user, fullname, .. } = request;
    let account = |name: &str, fullname: Option<String>| {
        users::shown(call, &Account { name: name.to_owned(), fullname, is_followed: false })
    };
    let mut json = json!({
        "requestId": request.id,
        "user": account(user, fullname.clone()),
        "status": request.state,
        "timestamp": response::date(request.at),
    });
    // The form shares the address; who was granted access without it has shared none.
    match &request.granted_by {
        Some(owner) => json["grantedBy"] = account(owner, None),
        None => json["user"]["email"] = format!("{user}@localhost").into(),
    }
    if let Some(fields) = &request.fields {
        json["fields"] = fields.clone().into();
    }
    if let Some(reason) = &request.reason {
        json["rejectionReason"] = reason.as_str().into();
    }
    json
}

fn handle(call: &Call, repo: &Repo) -> Reply {
    check_owner(call, repo)?;
    let Decision { named, status, rejection_reason: reason } = call.body.json()?;
    if reason.is_some() && status != AccessState::Rejected {
        return Err(ApiError::bad_request("\"rejectionReason\" requires the status \"rejected\""));
    }
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        let message = format!("\"rejectionReason\" must have at most {LONGEST_REASON} characters");
        return Err(ApiError::bad_request(message));
    }
    let requester = named.requester(call)?;
    let (Requester::User(name) | Requester::Id(name)) = &requester;
    match call.hub.store.decide_access(repo, &requester, status, reason.as_deref())? {
        Decided::Done => Ok(response::json(&json!({}))),
        Decided::Missing => {
            Err(ApiError::not_found(format!("There is no access request of {name}")))
        }
        Decided::Already => Err(ApiError::not_found(format!(
            "The access request of {name} is already in the {} list",
            status.word()
        ))),
    }
}

fn grant(call: &Call, repo: &Repo) -> Reply {
    let owner = check_owner(call, repo)?;
    let named: Named = call.body.json()?;
    let Requester::User(user) = named.requester(call)? else {
        return Err(ApiError::bad_request("Access is granted to a user, not to a request"));
    };
    let belongs = call.hub.store.users().get(&user)?.is_some_and(|user| {
        repo.key.id.namespace().is_some_and(|namespace| user.belongs_to(namespace))
    });
    if belongs || !call.hub.store.grant_access(repo, &user, owner)? {
        return Err(ApiError::bad_request(format!("{user} already has access to this repository")));
    }
    Ok(response::json(&json!({})))
}

/// Ends the caller's own request, as long as it is pending.
fn cancel(call: &Call, repo: &Repo) -> Reply {
    let user = call.caller.actor()?;
    if repo.settings.gated.is_none() {
        return Err(not_gated());
    }
    if !call.hub.store.withdraw_request(repo, &user.name)? {
        return Err(ApiError::not_found("You have no pending access request for this repository"));
    }
    Ok(response::json(&json!({})))
}

fn ask(call: &Call, repo: &Repo) -> Reply {
    let user = call.caller.actor()?;
    if repo.settings.gated.is_none() {
        return Err(not_gated());
    }
    let fields = fields(call)?;
    let form = form(call, repo)?;
    check(&form, &fields)?;
    match call.hub.store.request_access(repo, &user.name, &fields)? {
        None => Err(not_gated()),
        Some(AccessState::Rejected) => Err(ApiError::gated_rejected(&repo.key)),
        Some(_) => Ok(response::redirect(StatusCode::SEE_OTHER, &call.page_url(&repo.key))),
    }
}

/// Reads the fields of the body: a JSON object, or a form.
fn fields(call: &Call) -> Result<Map<String, Value>, ApiError> {
    let bytes = call.body.bytes()?;
    let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        let fields = Query::parse_form(&bytes).into_pairs();
        return Ok(fields.into_iter().map(|(name, value)| (name, value.into())).collect());
    }
    call.json_or_default()
}

/// Returns the fields that the card asks for, with the specification of each.
fn form(call: &Call, repo: &Repo) -> Result<BTreeMap<String, Value>, ApiError> {
    let (git, commit) = checkout(repo, MAIN)?;
    let facts = facts(repo.key.kind, &git, &call.hub.store.lfs(), commit)?;
    let fields = facts.properties.get("cardData").and_then(|card| card.get("extra_gated_fields"));
    let fields = fields.and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(fields.into_iter().collect())
}

fn check(form: &BTreeMap<String, Value>, fields: &Map<String, Value>) -> Result<(), ApiError> {
    if let Some(name) = fields.keys().find(|name| !form.contains_key(*name)) {
        let known = form.keys().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        let message = format!("\"{name}\" is not a field of the form; its fields: {known}");
        return Err(ApiError::bad_request(message));
    }
    for (name, wanted) in form {
        let problem = problem(wanted, fields.get(name).unwrap_or(&Value::Null));
        if let Some(problem) = problem {
            return Err(ApiError::bad_request(format!("\"{name}\" {problem}")));
        }
    }
    Ok(())
}

/// Returns why a value does not fit into a field of the form.
fn problem(wanted: &Value, value: &Value) -> Option<String> {
    let kind = wanted.as_str().or_else(|| wanted["type"].as_str()).unwrap_or("text");
    if kind == "checkbox" {
        let is_checked =
            *value == true || value.as_str().is_some_and(|text| is_true(text) || text == "on");
        return (!is_checked).then(|| "must be checked".to_owned());
    }
    let Some(text) = value.as_str().filter(|text| !text.trim().is_empty()) else {
        return Some("is required".to_owned());
    };
    if text.chars().count() > LONGEST_VALUE {
        return Some(format!("must have at most {LONGEST_VALUE} characters"));
    }
    let options = wanted["options"].as_array()?;
    let options = options.iter().filter_map(|option| option.as_str().or(option["value"].as_str()));
    let options = options.collect::<Vec<_>>();
    (!options.contains(&text)).then(|| format!("must be one of [{}]", options.join(", ")))
}
