//! Requests upload links from the large file store.

use std::collections::{HashMap, HashSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        sizes,
    },
    upload::{
        commit_response::shown,
        link::Link,
        oid::Oid,
        path::RepoPath,
        session::{LFS_JSON, Session},
    },
};

/// Maximum number of files in one request.
pub(super) const BATCH: usize = 256;

/// Content for the store, and one of its files.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) oid: Oid,
    pub(super) size: u64,
    pub(super) path: RepoPath,
}

/// How content is uploaded to the store.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) slot: Slot,
    /// The link to call after the upload.
    pub(super) verify: Option<Link>,
}

/// Where content is uploaded to.
#[derive(Debug)]
pub(super) enum Slot {
    /// To one link.
    Whole(Link),
    /// In parts of this size, each to one of these links; then `complete` is called.
    Parts { complete: Url, size: u64, links: Vec<Url> },
}

#[derive(Serialize)]
struct Question<'a> {
    operation: &'static str,
    transfers: [&'static str; 2],
    objects: Vec<ObjectId>,
    hash_algo: &'static str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Reference<'a>>,
}

/// Content as identified by the protocol (oid and size).
#[derive(Serialize)]
pub(super) struct ObjectId {
    pub(super) oid: Oid,
    pub(super) size: u64,
}

#[derive(Serialize)]
struct Reference<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
struct BatchResponse {
    objects: Vec<ObjectResponse>,
}

#[derive(Deserialize)]
struct ObjectResponse {
    oid: String,
    #[serde(default)]
    error: Option<ObjectError>,
    #[serde(default)]
    actions: Option<Actions>,
}

#[derive(Deserialize)]
struct ObjectError {
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: Option<Map<String, Value>>,
}

/// Requests links for up to [`BATCH`] contents; those that the store already has are not in the
/// result.
pub(super) async fn batch(session: &Session, objects: &[Object]) -> Result<HashMap<Oid, Plan>> {
    let target = &session.target;
    // Without a branch name, read access is enough, as for a pull request.
    let reference = (!target.create_pr).then(|| Reference { name: target.revision.as_str() });
    let question = Question {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects: objects
            .iter()
            .map(|object| ObjectId { oid: object.oid, size: object.size })
            .collect(),
        hash_algo: "sha256",
        reference,
    };
    let path = format!(
        "{}{}.git/info/lfs/objects/batch",
        target.repo.kind().url_prefix(),
        target.repo.id()
    );
    let answer: BatchResponse = session.ask_lfs(session.hub.url(&path), &question).await?;
    let known: HashMap<Oid, &Object> = objects.iter().map(|object| (object.oid, object)).collect();
    let mut plans = HashMap::new();
    let mut rejections = Vec::new();
    let mut answered = HashSet::new();
    for said in answer.objects {
        // Entries for other contents are ignored.
        let Ok(oid) = Oid::parse(&said.oid.to_ascii_lowercase()) else { continue };
        let Some(object) = known.get(&oid) else { continue };
        if !answered.insert(oid) {
            return Err(unanswered(object, "two"));
        }
        match (
            said.error,
            said.actions.and_then(|actions| actions.upload.map(|to| (to, actions.verify))),
        ) {
            (Some(rejection), _) => rejections.push((*object, rejection)),
            (None, Some((to, verify))) => {
                plans.insert(oid, plan(session, object, &to, verify)?);
            }
            (None, None) => {}
        }
    }
    if !rejections.is_empty() {
        return Err(refused(&rejections));
    }
    // Content without an entry is not in the store, and a commit would reference what is missing.
    match objects.iter().find(|object| !answered.contains(&object.oid)) {
        Some(object) => Err(unanswered(object, "none")),
        None => Ok(plans),
    }
}

fn unanswered(object: &Object, how: &str) -> Error {
    let message = format!(
        "invalid response about large files: expected one entry for the content of \"{}\" ({}), got {how}",
        object.path, object.oid
    );
    Error::new(ErrorKind::InvalidResponse, message).with_path(&object.path)
}

fn plan(session: &Session, object: &Object, to: &Action, verify: Option<Action>) -> Result<Plan> {
    let verify = verify.map(|to| session.action(&to.href, to.header.as_ref())).transpose()?;
    let header = to.header.as_ref();
    let Some(size) = header.and_then(|header| header.get("chunk_size")) else {
        return Ok(Plan { slot: Slot::Whole(session.action(&to.href, header)?), verify });
    };
    let complete = session.link(&to.href)?;
    let size = size.as_u64().or_else(|| size.as_str()?.parse().ok()).filter(|size| *size > 0);
    let mut links: Vec<(u64, &str)> = header
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|(name, link)| Some((name.parse().ok()?, link.as_str()?)))
        .collect();
    links.sort_unstable();
    let expected = size.map(|size| object.size.div_ceil(size));
    let (Some(size), true) = (size, expected == Some(links.len() as u64)) else {
        let message = format!(
            "the Hub sent {} for the parts of \"{}\", which do not match its {}",
            sizes::counted(links.len() as u64, "links"),
            object.path,
            sizes::counted(object.size, "bytes")
        );
        return Err(Error::new(ErrorKind::InvalidResponse, message).with_path(&object.path));
    };
    let links = links.into_iter().map(|(_, link)| session.link(link)).collect::<Result<_>>()?;
    Ok(Plan { slot: Slot::Parts { complete, size, links }, verify })
}

fn refused(rejections: &[(&Object, ObjectError)]) -> Error {
    let said = rejections
        .iter()
        .take(10)
        .map(|(object, rejection)| format!("\"{}\": {}", object.path, shown(&rejection.message)));
    let more = match rejections.len().saturating_sub(10) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("the Hub rejected {}{more}", said.collect::<Vec<_>>().join("; "));
    let error = Error::new(ErrorKind::BadRequest, message);
    match rejections {
        [(object, rejection), ..] => {
            let error = error.with_path(&object.path);
            rejection.code.map_or(error.clone(), |code| error.with_status(code))
        }
        [] => error,
    }
}

/// Reports that content has been uploaded.
pub(super) async fn verify(session: &Session, link: &Link, object: &Object) -> Result<()> {
    session.tell(link, &ObjectId { oid: object.oid, size: object.size }).await
}

/// Content type of the request that completes an upload in parts.
pub(super) const KIND: reqwest::header::HeaderValue = LFS_JSON;
