//! Requests access to Xet storage from a Hub.
//!
//! The token for the Hub is sent to the endpoint's own routes only, and the storage's token only
//! where others cannot read it.

use reqwest::{Url, header::AUTHORIZATION};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Commit, Repo},
        progress::Progress,
    },
    hub::{
        api::Call,
        client::{self, Hub},
    },
    xet::{Access, File, Granted},
};

/// Returns access for reading a file.
pub(crate) async fn to_read(
    hub: &Hub,
    repo: &Repo,
    commit: &Commit,
    file: &File,
    progress: &Progress,
) -> Result<Access> {
    let usual =
        || hub.api_url(repo, &format!("xet-read-token/{}", client::encode(commit.as_str())));
    let route = file.route.clone().filter(|route| hub.owns(route)).unwrap_or_else(usual);
    request(hub, route, progress).await
}

/// Returns access by a route of the endpoint.
pub(crate) async fn request(hub: &Hub, route: Url, progress: &Progress) -> Result<Access> {
    let headers = hub.headers(&route);
    if let Some(access) = hub.xet.shared.access(&route, headers.get(AUTHORIZATION)) {
        return Ok(access);
    }
    let call = Call { counted: true, ..Call::get(route.clone()) };
    let answer = hub.retrying(progress, || hub.exchange_once(&call)).await?;
    let granted = Granted::read(&answer.body)
        .ok_or_else(|| invalid(&route, "it has no accessToken, exp and casUrl"))?;
    let Granted { access_token: token, exp: expires, cas_url } = granted;
    let storage = Url::parse(&cas_url).ok().filter(|url| {
        let secure = url.scheme() == "https" || hub.endpoint.scheme() == "http";
        matches!(url.scheme(), "http" | "https") && url.has_host() && secure
    });
    let storage =
        storage.ok_or_else(|| invalid(&route, "its casUrl is no address of a storage"))?;
    if !hub.may_see_secrets(&storage) {
        return Err(client::eavesdropped(&storage));
    }
    let access = Access { storage, token, expires, route, headers };
    hub.xet.shared.keep(access.clone());
    Ok(access)
}

fn invalid(route: &Url, why: &str) -> Error {
    let message = format!("invalid response about access to Xet storage: {why}");
    Error::new(ErrorKind::InvalidResponse, message).with_url(route)
}
