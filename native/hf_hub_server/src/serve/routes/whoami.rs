//! Information about a token and its user.

use serde_json::{Value, json};

use super::super::access::Caller;
use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::users;
use crate::store::{Role, Token, User, object_id};

/// Handles `/api/whoami-v2`.
pub(super) fn get(call: &Call) -> Reply {
    let Caller::User(user, token) = &call.caller else { return Err(ApiError::token_required()) };
    let orgs = user.orgs.iter().map(|org| {
        let mut organization = users::organization(call, org)?;
        let more = json!({
            "type": "org", "email": null, "canPay": false, "periodEnd": null,
            "roleInOrg": user.role_in(org), "isEnterprise": false,
        });
        organization.extend(more.as_object().cloned().unwrap_or_default());
        Ok::<_, ApiError>(organization)
    });
    Ok(response::json(&json!({
        "type": "user",
        "id": object_id(&user.name),
        "name": user.name,
        "fullname": user.fullname.as_ref().unwrap_or(&user.name),
        "email": format!("{}@localhost", user.name),
        "emailVerified": true,
        "canPay": false,
        "billingMode": "prepaid",
        "periodEnd": null,
        "isPro": false,
        "avatarUrl": "",
        "orgs": orgs.collect::<Result<Vec<_>, _>>()?,
        "auth": auth(user, token),
    })))
}

/// Returns information about the token: that of an app, or that of the user with its permissions.
fn auth(user: &User, token: &Token) -> Value {
    if token.refresh.is_some() {
        return json!({ "type": "oauth", "expiresAt": token.expires_at.map(response::date) });
    }
    let mut about = json!({
        "displayName": token.name,
        "role": token.role,
        "createdAt": response::date(token.created_at),
    });
    if token.role == Role::FineGrained {
        let scoped = token.grants.scoped.iter().map(|scope| {
            let entity = json!({
                "_id": object_id(&scope.entity),
                "type": entity_type(user, &scope.entity),
                "name": scope.entity,
            });
            json!({ "entity": entity, "permissions": scope.permissions })
        });
        about["fineGrained"] = json!({
            "canReadGatedRepos": token.grants.can_read_gated_repos,
            "global": token.grants.global,
            "scoped": scoped.collect::<Vec<_>>(),
        });
    }
    json!({ "type": "access_token", "accessToken": about })
}

fn entity_type(user: &User, entity: &str) -> &'static str {
    match entity {
        _ if entity.contains('/') => "model",
        _ if entity == user.name => "user",
        _ => "org",
    }
}
