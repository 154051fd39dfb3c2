//! Pushing: git's protocol over HTTP.
//!
//! Objects are received into a nameless file, unpacked beside the repository and checked before
//! any ref moves. A client that leaves early leaves nothing behind.

use std::fs::File;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use git2::Oid;

use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::events::{Event, RefChange};
use super::super::super::intake::{Sink, Spool};
use super::super::super::payload::Upload;
use super::NO_CACHE;
use super::commands::{CAPABILITIES, Commands, FLUSH, Features, Report, line};
use super::rules::{self, Tip};
use crate::store::{
    BrokenPush, CommitError, MAIN_REF, Moved, Quarantine, RefMove, Repo, branch_ref, tag_ref,
};

const ADVERTISEMENT: &str = "application/x-git-receive-pack-advertisement";
const RESULT: &str = "application/x-git-receive-pack-result";
/// Maximum size of the objects of one push; large files are not among them.
const MAX_PACK: u64 = 2 << 30;
/// What git shows for a ref that was rejected by the rules of the Hub.
const DECLINED: &str = "pre-receive hook declined";

/// Handles `GET /{id}/info/refs?service=git-receive-pack`.
pub(super) fn refs(call: &Call, repo: &Repo) -> Reply {
    check_author(call, repo)?;
    let mut body = line(b"# service=git-receive-pack\n");
    body.extend_from_slice(FLUSH);
    let mut refs = repo.git()?.targets()?;
    if refs.is_empty() {
        refs.push((b"capabilities^{}".to_vec(), Oid::ZERO_SHA1));
    }
    for (index, (name, oid)) in refs.iter().enumerate() {
        let mut text = format!("{oid} ").into_bytes();
        text.extend_from_slice(name);
        if index == 0 {
            text.push(0);
            text.extend_from_slice(CAPABILITIES.as_bytes());
        }
        text.push(b'\n');
        body.extend(line(&text));
    }
    body.extend_from_slice(FLUSH);
    Ok(respond(ADVERTISEMENT, body))
}

/// Handles `POST /{id}/git-receive-pack`.
pub(in super::super) fn receive(call: &Call, repo: &Repo) -> Reply {
    check_author(call, repo)?;
    if call.headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::bad_request("A push cannot be compressed as a whole"));
    }
    let (repo, commands, pack) = (repo.clone(), Commands::default(), call.hub.intake.spool());
    call.body.stream_to(Push { repo, commands, pack })
}

/// Rejects callers who may push to no ref of the repository.
fn check_author(call: &Call, repo: &Repo) -> Result<(), ApiError> {
    call.caller.check_files(repo)?;
    let user = call.caller.writer()?;
    match call.caller.writer_in(repo.key.id.namespace()) {
        Err(_) if call.hub.store.has_pull_request_by(repo, &user.name)? => Ok(()),
        Err(err) => Err(err),
        Ok(_) => Ok(()),
    }
}

/// A push that is being received.
struct Push {
    repo: Repo,
    commands: Commands,
    pack: Spool,
}

impl Push {
    fn add(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let pack = self.commands.take(bytes).map_err(ApiError::bad_request)?;
        if self.pack.size() + pack.len() as u64 > MAX_PACK {
            return Err(ApiError::too_large());
        }
        Ok(self.pack.write(pack)?)
    }
}

impl Sink for Push {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        self.add(bytes).map_err(|err| Box::new(err.into_response()))
    }
}

impl Upload for Push {
    fn finish(self: Box<Self>, call: &Call) -> Reply {
        let Self { repo, commands, pack } = *self;
        if !commands.is_complete() {
            return Err(ApiError::bad_request("The commands of the push are incomplete"));
        }
        // Git asks with an empty push whether its token is accepted.
        if commands.moves.is_empty() {
            return Ok(respond(RESULT, Vec::new()));
        }
        push(call, &repo, &commands, pack.into_file()?)
    }
}

fn push(call: &Call, repo: &Repo, commands: &Commands, pack: File) -> Reply {
    let (moves, features) = (&commands.moves, commands.features);
    for wanted in moves {
        if let Err(reason) = check_ref(call, repo, wanted) {
            return Ok(declined(moves, features, &format!("{reason}\n")));
        }
    }
    let tips = moves.iter().filter_map(|wanted| wanted.new).collect::<Vec<_>>();
    let objects = match call.hub.store.unpack(repo, pack, &tips) {
        Ok(objects) => objects,
        Err(BrokenPush::Other(err)) => return Err(err.into()),
        Err(BrokenPush::Incomplete) => {
            return Ok(rejected(moves, features, None, "missing necessary objects", ""));
        }
        Err(BrokenPush::Pack(messages)) => {
            let unpack = Some("index-pack abnormal exit");
            return Ok(rejected(moves, features, unpack, "unpacker error", &messages));
        }
    };
    let warnings = match inspect(call, repo, &objects, moves)? {
        Ok(warnings) => warnings,
        Err(message) => return Ok(declined(moves, features, &message)),
    };
    let author = &call.caller.writer()?.name;
    let results = call.hub.store.push(repo, &objects, moves, features.atomic, author);
    let results = results.map_err(|err| match err {
        CommitError::Other(err) => err.into(),
        _ => ApiError::repo_not_found(false),
    })?;
    let results = moves.iter().zip(results).collect::<Vec<_>>();
    notify(call, repo, &results);
    Ok(report(features, &Report { unpack: None, results: &results, messages: &warnings }))
}

/// Notifies webhooks of the refs that have moved.
fn notify(call: &Call, repo: &Repo, results: &[(&RefMove, Moved)]) {
    let moved = results.iter().filter(|(_, result)| *result == Moved::Done);
    let changes = moved.map(|(RefMove { name, old, new }, _)| match new {
        Some(new) => RefChange::set(name, *old, *new),
        None => RefChange::deleted(name, *old),
    });
    let changes = changes.collect::<Vec<_>>();
    if !changes.is_empty() {
        call.notify(Event::content(repo, changes));
    }
}

/// Returns why a caller may not move a ref, or why it cannot have this name.
fn check_ref(call: &Call, repo: &Repo, wanted: &RefMove) -> Result<(), String> {
    let name = wanted.name.as_str();
    if name.starts_with("refs/pr/") {
        return check_pull_request(call, repo, wanted);
    }
    let is_valid = match name.strip_prefix("refs/heads/") {
        Some(branch) => branch_ref(branch).as_deref() == Some(name),
        None => name.strip_prefix("refs/tags/").is_some_and(|tag| tag_ref(tag).is_some()),
    };
    // A name that is not valid can be deleted: another program may have created it.
    if !is_valid && (wanted.new.is_some() || !name.starts_with("refs/heads/")) {
        return Err(format!(
            "You cannot push to {name:?}: only to branches, tags and pull requests"
        ));
    }
    if call.caller.writer_in(repo.key.id.namespace()).is_err() {
        return Err(format!("You are not authorized to push to {name}."));
    }
    if name == MAIN_REF && wanted.new.is_none() {
        return Err(format!("Cannot delete {name}"));
    }
    Ok(())
}

fn check_pull_request(call: &Call, repo: &Repo, wanted: &RefMove) -> Result<(), String> {
    let name = wanted.name.as_str();
    let exists = repo.git().ok().and_then(|git| git.tip(name).ok().flatten()).is_some();
    if !exists {
        return Err(format!("{name} does not exist: open the pull request on the Hub first"));
    }
    if wanted.new.is_none() {
        return Err(format!("Cannot delete {name}: close the pull request on the Hub instead"));
    }
    if call.caller.writer_in(repo.key.id.namespace()).is_ok() {
        return Ok(());
    }
    let number = name.strip_prefix("refs/pr/").and_then(|number| number.parse().ok());
    let is_own = match (number, call.caller.user()) {
        (Some(number), Ok(user)) => {
            call.hub.store.is_pull_request_of(repo, number, &user.name).unwrap_or(false)
        }
        _ => false,
    };
    if is_own { Ok(()) } else { Err(format!("You are not authorized to push to {name}.")) }
}

/// Checks what was pushed; returns messages for its author, or why it is rejected.
fn inspect(
    call: &Call,
    repo: &Repo,
    objects: &Quarantine,
    moves: &[RefMove],
) -> Result<Result<String, String>, ApiError> {
    let git = &objects.git;
    let mut tips = Vec::new();
    for RefMove { name, old, new } in moves {
        let Some(new) = new else { continue };
        let commit = git.peel(*new)?;
        let is_fit = name.starts_with("refs/tags/") || git.is_commit(*new)?;
        let Some(commit) = commit.filter(|_| is_fit) else {
            return Ok(Err(format!("{name} can only point to a commit\n")));
        };
        let before = old.map(|old| git.peel(old)).transpose()?.flatten();
        tips.push(Tip { name, commit, before });
    }
    let findings = rules::check(&call.hub, repo, git, &tips)?;
    Ok(match findings.rejection {
        Some(message) => Err(message),
        None => Ok(findings.warnings),
    })
}

fn declined(moves: &[RefMove], features: Features, message: &str) -> Response {
    rejected(moves, features, None, DECLINED, message)
}

fn rejected(
    moves: &[RefMove],
    features: Features,
    unpack: Option<&str>,
    reason: &str,
    messages: &str,
) -> Response {
    let results = moves.iter().map(|wanted| (wanted, Moved::Rejected(reason.to_owned())));
    let results = results.collect::<Vec<_>>();
    report(features, &Report { unpack, results: &results, messages })
}

fn report(features: Features, report: &Report<'_>) -> Response {
    respond(RESULT, report.write(features))
}

fn respond(media_type: &'static str, body: Vec<u8>) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CACHE_CONTROL, NO_CACHE)];
    (headers, Bytes::from(body)).into_response()
}
