//! Tokens for Xet storage, and how files announce that they are in it.
//!
//! A token is a signed path that expires, encoded for a header: it names a repository and whether
//! to read or to write. It is the only credential of a request to Xet storage.

use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::lookup::checkout;
use super::super::super::query::Query;
use super::super::super::response::{self, QUERY_SET, header_value};
use super::super::super::sign::Rejection;
use super::super::check_commit_rights;
use super::holder::Holder;
use crate::store::{Repo, RepoKey, RepoKind};

const CAS_URL: HeaderName = HeaderName::from_static("x-xet-cas-url");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-xet-access-token");
const EXPIRATION: HeaderName = HeaderName::from_static("x-xet-token-expiration");
const HASH: HeaderName = HeaderName::from_static("x-xet-hash");
const REFRESH_ROUTE: HeaderName = HeaderName::from_static("x-xet-refresh-route");
/// The type of the description of a file in Xet storage.
const DESCRIPTION: &str = "application/vnd.xet-fileinfo+json";
const PREFIX: &str = "xet_";
const PATH: &str = "/xet-token/";
const BUCKETS: &str = "buckets";

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

/// A token for a repository or a bucket.
struct Issued {
    token: String,
    cas_url: String,
    /// When it expires, in seconds since 1970.
    exp: i64,
}

/// Handles `/api/{kind}/{id}/xet-{read,write}-token/{revision}`.
pub(in super::super) fn get(call: &Call, repo: &Repo, write: bool, revision: &str) -> Reply {
    let right = if write {
        check_commit_rights(call, repo, revision)?;
        Right::Write
    } else {
        call.caller.check_files(repo)?;
        checkout(repo, revision)?;
        Right::Read
    };
    Ok(shown(issue(call, &place(repo), right)?))
}

/// Handles `/api/buckets/{id}/xet-{read,write}-token`, whose caller has that right.
pub(in super::super) fn of_bucket(call: &Call, id: &str, write: bool) -> Reply {
    let right = if write { Right::Write } else { Right::Read };
    Ok(shown(issue(call, &format!("{BUCKETS}/{id}"), right)?))
}

fn shown(Issued { token, cas_url, exp }: Issued) -> Response {
    let body = json!({ "accessToken": token, "casUrl": cas_url, "exp": exp });
    let mut response = response::json(&body);
    let headers = response.headers_mut();
    headers.insert(CAS_URL, header_value(&cas_url));
    headers.insert(ACCESS_TOKEN, header_value(&token));
    headers.insert(EXPIRATION, HeaderValue::from(exp));
    response
}

/// Returns how a client of LFS that knows Xet uploads objects to a branch, or for a pull request.
pub(in super::super) fn upload_action(
    call: &Call,
    repo: &Repo,
    branch: Option<&str>,
) -> Result<Value, ApiError> {
    let Issued { token, cas_url, exp } = issue(call, &place(repo), Right::Write)?;
    let hub = call.hub.origins.hub(Some(&call.headers));
    let (kind, id) = (repo.key.kind.plural(), &repo.key.id);
    let revision = match branch {
        Some(branch) => utf8_percent_encode(branch, QUERY_SET).to_string(),
        None => "main?create_pr=1".to_owned(),
    };
    Ok(json!({
        "href": format!("{hub}/api/{kind}/{id}/xet-write-token/{revision}"),
        "header": {
            "X-Xet-Cas-Url": cas_url,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": exp.to_string(),
        },
        "expires_in": call.hub.options.link_ttl.as_secs(),
    }))
}

/// The part of a token's path that names what it is for.
fn place(repo: &Repo) -> String {
    format!("{}/{}", repo.key.kind.plural(), repo.key.id)
}

fn issue(call: &Call, place: &str, right: Right) -> Result<Issued, ApiError> {
    let right = if right == Right::Write { "write" } else { "read" };
    let path = format!("{PATH}{right}/{place}");
    let expires = Timestamp::now().saturating_add(call.hub.options.link_ttl)?;
    let query = call.hub.signer.query(&path, expires);
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(format!("{path}?{query}")));
    let cas_url = call.hub.origins.cdn(Some(&call.headers));
    Ok(Issued { token, cas_url, exp: expires.as_second() })
}

/// Adds the headers by which a client finds the file in Xet storage. A client that accepts a
/// description gets it instead of the redirect.
pub(in super::super) fn announce(
    call: &Call,
    repo: &Repo,
    commit: &str,
    hash: &str,
    redirect: Response,
) -> Response {
    let (kind, id) = (repo.key.kind.plural(), &repo.key.id);
    announce_at(call, &format!("/api/{kind}/{id}/xet-read-token/{commit}"), hash, redirect)
}

/// Same as [`announce`], for a file in a bucket.
pub(in super::super) fn announce_in_bucket(
    call: &Call,
    id: &str,
    hash: &str,
    redirect: Response,
) -> Response {
    announce_at(call, &format!("/api/{BUCKETS}/{id}/xet-read-token"), hash, redirect)
}

fn announce_at(call: &Call, route: &str, hash: &str, redirect: Response) -> Response {
    let hub = call.hub.origins.hub(Some(&call.headers));
    let refresh = format!("{hub}{route}");
    let cas = call.hub.origins.cdn(Some(&call.headers));
    let reconstruction = format!("{cas}/v1/reconstructions/{hash}");
    let link = format!(
        "<{refresh}>; rel=\"xet-auth\", <{reconstruction}>; rel=\"xet-reconstruction-info\""
    );
    let mut response = if accepts_description(&call.headers) {
        let body =
            json!({ "hash": hash, "refreshUrl": refresh, "reconstructionUrl": reconstruction });
        ([(CONTENT_TYPE, HeaderValue::from_static(DESCRIPTION))], body.to_string()).into_response()
    } else {
        redirect
    };
    let headers = response.headers_mut();
    headers.insert(HASH, header_value(hash));
    headers.insert(REFRESH_ROUTE, header_value(&refresh));
    headers.append(LINK, header_value(&link));
    response
}

fn accepts_description(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains(DESCRIPTION))
}

/// Returns the repository or the bucket that the token of a request is for.
pub(super) fn check(hub: &Hub, headers: &HeaderMap, right: Right) -> Result<Holder, ApiError> {
    let signed = bearer(headers).and_then(decode).ok_or_else(ApiError::bad_xet_token)?;
    let (path, query) = signed.split_once('?').ok_or_else(ApiError::bad_xet_token)?;
    let checked = hub.signer.check(path, &Query::parse(Some(query)), Timestamp::now());
    checked.map_err(|rejection| match rejection {
        Rejection::Expired(_) => ApiError::expired_xet_token(),
        Rejection::Forged => ApiError::bad_xet_token(),
    })?;
    let (granted, place) = parse(path).ok_or_else(ApiError::bad_xet_token)?;
    if right == Right::Write && granted == Right::Read {
        return Err(ApiError::forbidden("This Xet token is for reading only"));
    }
    let holder = match place {
        Place::Repo(key) => {
            let repo = hub.store.follow(&key)?.filter(|repo| !repo.settings.disabled);
            repo.map(|repo| Holder::Repo(Box::new(repo)))
        }
        Place::Bucket(namespace, name) => {
            hub.store.buckets().find(&namespace, &name)?.map(Holder::Bucket)
        }
    };
    holder.ok_or_else(|| ApiError::repo_not_found(false))
}

/// What a token is for.
enum Place {
    Repo(RepoKey),
    Bucket(String, String),
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn decode(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?).ok()
}

fn parse(path: &str) -> Option<(Right, Place)> {
    let (right, rest) = path.strip_prefix(PATH)?.split_once('/')?;
    let (kind, id) = rest.split_once('/')?;
    let right = if right == "write" { Right::Write } else { Right::Read };
    let place = if kind == BUCKETS {
        let (namespace, name) = id.split_once('/')?;
        Place::Bucket(namespace.to_owned(), name.to_owned())
    } else {
        Place::Repo(RepoKey::new(RepoKind::from_plural(kind)?, id.parse().ok()?))
    };
    Some((right, place))
}
