//! The page of a user or an organization: their repositories.

use maud::{Markup, html};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::layout;
use super::lists::newest;

/// Handles `/{name}`.
pub(super) fn get(call: &Call, name: &str) -> Reply {
    let store = &call.hub.store;
    let user = store.users().get(name)?;
    let organization = if user.is_none() { store.organizations().get(name)? } else { None };
    let (fullname, details, orgs) = match (&user, &organization) {
        (Some(user), _) => (&user.fullname, &user.details, user.orgs.as_slice()),
        (None, Some(found)) => (&found.fullname, &found.details, [].as_slice()),
        (None, None) => return Err(ApiError::page_not_found()),
    };
    let main = html! {
        h1 { (fullname.as_deref().unwrap_or(name)) }
        p.lead { @if user.is_some() { "User " } @else { "Organization " } code { (name) } }
        @if let Some(details) = details { p { (details) } }
        @if !orgs.is_empty() {
            p { "Member of " @for org in orgs { a href=(format!("/{org}")) { (org) } " " } }
        }
        (newest(call, Some(name))?)
        (buckets(call, name)?)
    };
    Ok(layout::page(call, name, &main))
}

#[cfg(feature = "xet")]
fn buckets(call: &Call, name: &str) -> Result<Markup, ApiError> {
    if call.hub.options.xet { super::buckets::of_owner(call, name) } else { Ok(html! {}) }
}

#[cfg(not(feature = "xet"))]
#[expect(clippy::unnecessary_wraps, reason = "it is needed with the feature")]
fn buckets(_: &Call, _: &str) -> Result<Markup, ApiError> {
    Ok(html! {})
}
