//! Whose token it is.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::access::Caller;
use super::super::answer;
use super::super::ask::{Answer, Ask};
use super::super::error::ApiError;

/// Answers `/api/whoami-v2`.
pub(super) fn get(ask: &Ask) -> Answer {
    let Caller::User(user, token) = &ask.caller else { return Err(ApiError::token_required()) };
    let orgs = user.orgs.iter().map(|org| {
        json!({
            "type": "org", "id": object_id(org), "name": org, "fullname": org, "email": null, "canPay": false,
            "periodEnd": null, "avatarUrl": "", "roleInOrg": "write", "isEnterprise": false,
        })
    });
    Ok(answer::json(&json!({
        "type": "user",
        "id": object_id(&user.name),
        "name": user.name,
        "fullname": user.name,
        "email": format!("{}@localhost", user.name),
        "emailVerified": true,
        "canPay": false,
        "billingMode": "prepaid",
        "periodEnd": null,
        "isPro": false,
        "avatarUrl": "",
        "orgs": orgs.collect::<Vec<_>>(),
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": "local",
                "role": token.role,
                "createdAt": answer::date(token.created_at),
            },
        },
    })))
}

/// An id that is always the same for the same name, in the Hub's form.
fn object_id(name: &str) -> String {
    hex::encode(&Sha256::digest(name)[..12])
}
