//! Device login (RFC 8628), token refresh, and token exchange for CI jobs (RFC 8693).
//!
//! The Local Hub has no login pages: logins are approved or denied on its command line. It contacts
//! no CI provider either: the identity of a job is a token of a user.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::query::Query;
use super::super::response;
use crate::store::{LoginAnswer, Role, Token, random_token};

/// How long a user has to confirm a code.
const CODE_LIFETIME: Duration = Duration::from_mins(15);
/// Lifetime of the resulting token.
const LIFETIME: Duration = Duration::from_hours(30 * 24);
/// Polling interval in seconds.
const INTERVAL: u64 = 1;

/// Lifetime of a CI job's token.
const JOB: Duration = Duration::from_hours(1);

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Handles `POST /oauth/device`.
pub(super) fn device(call: &Call) -> Reply {
    let form = form(call)?;
    if form.get("client_id").is_none_or(str::is_empty) {
        return Err(ApiError::oauth("invalid_client", "client_id is missing"));
    }
    let codes = call.hub.store.devices().begin(CODE_LIFETIME)?;
    let page = format!("{}/oauth/device", call.hub.origins.hub(Some(&call.headers)));
    Ok(response::json(&json!({
        "device_code": codes.device,
        "user_code": codes.user,
        "verification_uri_complete": format!("{page}?user_code={}", codes.user),
        "verification_uri": page,
        "expires_in": CODE_LIFETIME.as_secs(),
        "interval": INTERVAL,
    })))
}

/// Handles `POST /oauth/token`.
pub(super) fn token(call: &Call) -> Reply {
    let body = call.body.bytes()?;
    if let Ok(exchange) = serde_json::from_slice::<Exchange>(&body) {
        return exchanged(call, &exchange);
    }
    let form = Query::parse_form(&body);
    let sent = |name: &str| form.get(name).unwrap_or_default();
    match sent("grant_type") {
        DEVICE_CODE => begun(call, sent("device_code")),
        "refresh_token" => refreshed(call, sent("refresh_token")),
        _ => Err(ApiError::oauth("unsupported_grant_type", "this grant_type is not known")),
    }
}

/// The token exchange request of a CI job.
#[derive(Debug, Deserialize)]
struct Exchange {
    grant_type: String,
    subject_token: String,
    resource: String,
}

fn exchanged(call: &Call, exchange: &Exchange) -> Reply {
    if exchange.grant_type != EXCHANGE || exchange.resource.is_empty() {
        return Err(ApiError::oauth("invalid_request", "grant_type or resource is wrong"));
    }
    let users = call.hub.store.users();
    let Some((user, _)) = users.by_token(&exchange.subject_token)? else {
        return Err(ApiError::oauth("invalid_grant", "this identity is not trusted"));
    };
    let text = random_token()?.replace("hf_", "hf_jwt_");
    let until = Timestamp::now().checked_add(JOB)?;
    let token = Token { expires_at: Some(until), ..Token::new(&text, Role::Write)? };
    users.grant(&user.name, &token)?;
    Ok(response::json(&json!({
        "access_token": text,
        "token_type": "bearer",
        "expires_in": JOB.as_secs(),
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    })))
}

fn begun(call: &Call, device_code: &str) -> Reply {
    match call.hub.store.devices().ask(device_code)? {
        None => Err(ApiError::oauth("expired_token", "this code is unknown or has expired")),
        Some(LoginAnswer::Pending) => {
            Err(ApiError::oauth("authorization_pending", "the user has not decided yet"))
        }
        Some(LoginAnswer::Denied) => {
            Err(ApiError::oauth("access_denied", "the user denied access"))
        }
        Some(LoginAnswer::Approved(user)) => {
            let pair = Pair::new()?;
            call.hub.store.users().grant(&user, &pair.token()?)?;
            Ok(pair.reply())
        }
    }
}

fn refreshed(call: &Call, refresh: &str) -> Reply {
    let pair = Pair::new()?;
    if call.hub.store.users().renew(refresh, &pair.token()?)? {
        Ok(pair.reply())
    } else {
        Err(ApiError::oauth("invalid_grant", "this refresh token is unknown or has expired"))
    }
}

/// A new token, and its refresh token.
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    fn new() -> Result<Self, ApiError> {
        let access = random_token()?.replace("hf_", "hf_oauth_");
        Ok(Self { access, refresh: random_token()?.replace("hf_", "hf_refresh_") })
    }

    fn token(&self) -> Result<Token, ApiError> {
        let until = Timestamp::now().checked_add(LIFETIME)?;
        Ok(Token::for_app(&self.access, &self.refresh, until))
    }

    fn reply(&self) -> axum::response::Response {
        response::json(&json!({
            "access_token": self.access,
            "refresh_token": self.refresh,
            "token_type": "bearer",
            "expires_in": LIFETIME.as_secs(),
            "scope": "openid profile read-repos write-repos",
        }))
    }
}

fn form(call: &Call) -> Result<Query, ApiError> {
    Ok(Query::parse_form(&call.body.bytes()?))
}
