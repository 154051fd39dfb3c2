//! Asks the large file store where contents are to be put.

use std::collections::{HashMap, HashSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    base::error::{Error, ErrorKind, Result},
    upload::{
        answer::shown,
        link::Link,
        oid::Oid,
        path::RepoPath,
        session::{LFS_JSON, Session},
    },
};

/// Contents in one question.
pub(super) const BATCH: usize = 256;

/// A content for the store, and one of the files it is for.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) oid: Oid,
    pub(super) size: u64,
    pub(super) path: RepoPath,
}

/// How a content is put into the store.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) slot: Slot,
    /// Whom to tell afterwards.
    pub(super) verify: Option<Link>,
}

/// Where a content goes.
#[derive(Debug)]
pub(super) enum Slot {
    /// All of it to one link.
    Whole(Link),
    /// So many bytes to each of these links; then the first is told.
    Parts { complete: Url, size: u64, links: Vec<Url> },
}

#[derive(Serialize)]
struct Question<'a> {
    operation: &'static str,
    transfers: [&'static str; 2],
    objects: Vec<Pointer>,
    hash_algo: &'static str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Reference<'a>>,
}

/// What the protocol calls an object.
#[derive(Serialize)]
pub(super) struct Pointer {
    pub(super) oid: Oid,
    pub(super) size: u64,
}

#[derive(Serialize)]
struct Reference<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    objects: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    oid: String,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    actions: Option<Actions>,
}

#[derive(Deserialize)]
struct Refusal {
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

/// Asks about up to [`BATCH`] contents; those the store has already are not in the result.
pub(super) async fn batch(session: &Session, objects: &[Object]) -> Result<HashMap<Oid, Plan>> {
    let target = &session.target;
    // Without it, everybody who may read may open a pull request.
    let reference = (!target.create_pr).then(|| Reference { name: target.revision.as_str() });
    let question = Question {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects: objects
            .iter()
            .map(|object| Pointer { oid: object.oid, size: object.size })
            .collect(),
        hash_algo: "sha256",
        reference,
    };
    let path = format!(
        "{}{}.git/info/lfs/objects/batch",
        target.repo.kind().url_prefix(),
        target.repo.id()
    );
    let answer: Answer = session.ask_lfs(session.hub.url(&path), &question).await?;
    let known: HashMap<Oid, &Object> = objects.iter().map(|object| (object.oid, object)).collect();
    let mut plans = HashMap::new();
    let mut refusals = Vec::new();
    let mut answered = HashSet::new();
    for said in answer.objects {
        // Another content is nothing that was asked for.
        let Ok(oid) = Oid::parse(&said.oid.to_ascii_lowercase()) else { continue };
        let Some(object) = known.get(&oid) else { continue };
        if !answered.insert(oid) {
            return Err(unanswered(object, "two"));
        }
        match (
            said.error,
            said.actions.and_then(|actions| actions.upload.map(|to| (to, actions.verify))),
        ) {
            (Some(refusal), _) => refusals.push((*object, refusal)),
            (None, Some((to, verify))) => {
                plans.insert(oid, plan(session, object, &to, verify)?);
            }
            (None, None) => {}
        }
    }
    if !refusals.is_empty() {
        return Err(refused(&refusals));
    }
    // What is not in the answer is not in the store, and a commit would name a content that is nowhere.
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
            "the Hub sent {} links for the parts of \"{}\", which do not make up its {} bytes",
            links.len(),
            object.path,
            object.size
        );
        return Err(Error::new(ErrorKind::InvalidResponse, message).with_path(&object.path));
    };
    let links = links.into_iter().map(|(_, link)| session.link(link)).collect::<Result<_>>()?;
    Ok(Plan { slot: Slot::Parts { complete, size, links }, verify })
}

fn refused(refusals: &[(&Object, Refusal)]) -> Error {
    let said = refusals
        .iter()
        .take(10)
        .map(|(object, refusal)| format!("\"{}\": {}", object.path, shown(&refusal.message)));
    let more = match refusals.len().saturating_sub(10) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("the Hub does not take {}{more}", said.collect::<Vec<_>>().join("; "));
    let error = Error::new(ErrorKind::BadRequest, message);
    match refusals {
        [(object, refusal), ..] => {
            let error = error.with_path(&object.path);
            refusal.code.map_or(error.clone(), |code| error.with_status(code))
        }
        [] => error,
    }
}

/// Tells that a content has been put in place.
pub(super) async fn verify(session: &Session, link: &Link, object: &Object) -> Result<()> {
    session.tell(link, &Pointer { oid: object.oid, size: object.size }).await
}

/// The kind of body that completes an upload in parts.
pub(super) const KIND: reqwest::header::HeaderValue = LFS_JSON;
