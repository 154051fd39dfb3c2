//! Creates one commit, exactly once.
//!
//! A commit whose response was lost may have been created. So it is never just sent again: the
//! branch is read first, and the second request names the head that was seen, so that the Hub
//! rejects it if the first one arrives after all.

use std::sync::Arc;

use reqwest::{Method, header::HeaderValue};
use serde::{Deserialize, Serialize};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Commit, Revision},
        progress::Activity,
    },
    hub::{
        client::{self, MAX_HOPS, tried},
        retry, streamed_body,
    },
    transport::{Peer, Request},
    upload::{
        commit_response::{self, CommitResponse},
        payload::{Draft, Lines},
        remote_entries,
        session::{self, Session},
    },
};

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Maximum size of the response to a commit.
const ANSWER: usize = 1 << 20;

/// Number of commits and pull requests to search for our own.
const LOOK: usize = 20;
const LOOK_PULL_REQUESTS: usize = 3;

/// A created commit, or the head of the branch if nothing was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// The URL of its page.
    pub commit_url: String,
    /// The first line of its message.
    pub commit_message: String,
    /// The rest of the message.
    pub commit_description: String,
    /// Its id.
    pub oid: String,
    /// The URL of the pull request that was opened.
    pub pr_url: Option<String>,
    /// Whether this call created the commit.
    pub committed: bool,
}

#[derive(Deserialize)]
struct Past {
    id: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refs {
    #[serde(default)]
    pull_requests: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    name: String,
}

/// What happened to a commit whose response was lost.
enum Fate {
    Made(Info),
    /// Holds the head of the branch, if known.
    NotMade(Option<Commit>),
}

/// Creates the commit. `head` is the previous head of the branch, if known; `unanswered` is set if
/// an earlier run may have sent the same commit.
pub(super) async fn make(
    session: &Session,
    draft: Draft,
    mut head: Option<Commit>,
    mut unanswered: bool,
) -> Result<(Info, Arc<Draft>)> {
    let mut draft = Arc::new(draft);
    // A pull request has no head that could be named as parent.
    let is_guarded = draft.parent.is_none() && !session.target.create_pr;
    if unanswered {
        guard(&mut draft, is_guarded, head.as_ref());
        if session.target.create_pr
            && let Fate::Made(info) = fate(session, &draft, head.as_ref()).await?
        {
            return Ok((info, draft));
        }
    }
    for failures in 1.. {
        session.progress.set_activity(Activity::Committing, None);
        let error = match send(session, &draft).await {
            Ok(answer) => return Ok((info(session, &draft, answer), draft)),
            Err(error) => error,
        };
        let uncertain_yet = is_ambiguous(&error) || (unanswered && is_stale(&error));
        if !uncertain_yet && error.kind() != ErrorKind::RateLimited {
            return Err(error);
        }
        if uncertain_yet {
            unanswered = true;
            match fate(session, &draft, head.as_ref()).await {
                Ok(Fate::Made(info)) => return Ok((info, draft)),
                Ok(Fate::NotMade(now)) => head = now.or(head),
                Err(_) => return Err(uncertain(error)),
            }
        }
        let transient =
            if is_stale(&error) && is_guarded { as_transient(&error) } else { error.clone() };
        let Some(wait) = retry::decide(session.hub.retry, failures, &transient) else {
            return Err(tried(error, failures));
        };
        client::pause(&session.progress, &error, wait).await?;
        guard(&mut draft, is_guarded && unanswered, head.as_ref());
    }
    Err(Error::new(ErrorKind::Internal, "a commit ended without a result"))
}

/// Makes the Hub reject the commit if the branch has moved since it was read.
fn guard(draft: &mut Arc<Draft>, is_guarded: bool, head: Option<&Commit>) {
    if is_guarded {
        Arc::make_mut(draft).parent = head.map(ToString::to_string);
    }
}

/// Whether the Hub may have executed the request.
fn is_ambiguous(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout
        | ErrorKind::Transport
        | ErrorKind::Server
        | ErrorKind::InvalidResponse => true,
        ErrorKind::Http => error.status() == Some(408),
        _ => false,
    }
}

/// Whether the branch is not at the commit's parent.
fn is_stale(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Precondition | ErrorKind::Conflict)
}

fn as_transient(error: &Error) -> Error {
    Error::new(ErrorKind::Transport, error.message())
}

fn uncertain(error: Error) -> Error {
    let message = format!(
        "{}; it is unknown whether the commit was created, because the Hub cannot be reached: upload again, \
         existing files are not committed twice",
        error.message()
    );
    error.with_message(message)
}

async fn send(session: &Session, draft: &Arc<Draft>) -> Result<CommitResponse> {
    let hub = session.patient();
    let mut url = session.route(session::COMMIT);
    for _ in 0..=MAX_HOPS {
        let mut headers = hub.headers(&url);
        headers.insert(reqwest::header::CONTENT_TYPE, NDJSON);
        let request = Request {
            method: Method::POST,
            url: url.clone(),
            headers,
            body: None,
            timeouts: hub.timeouts,
            alone: false,
            peer: Peer::Hub,
        };
        let lines = Lines::new(draft.clone());
        let response = streamed_body::send(&hub, request, lines, |_| ()).await?;
        if !response.status().is_redirection() {
            let url = response.url().clone();
            return commit_response::read(&response.bytes(ANSWER).await?, &url);
        }
        let target = client::redirect_target(&response)?;
        if !hub.owns(&target) {
            let message = "the Hub redirected a commit to another host, which is not followed";
            return Err(Error::new(ErrorKind::BadRequest, message).with_url(&url));
        }
        url = target;
    }
    Err(client::too_many_redirects(&url))
}

fn info(session: &Session, draft: &Draft, answer: CommitResponse) -> Info {
    let commit_url = answer.url.unwrap_or_else(|| commit_url(session, &answer.oid));
    Info {
        commit_url,
        commit_message: draft.summary.clone(),
        commit_description: draft.description.clone(),
        oid: answer.oid,
        pr_url: answer.pr_url,
        committed: true,
    }
}

fn page(session: &Session) -> String {
    let repo = &session.target.repo;
    session.hub.url(&format!("{}{}", repo.kind().url_prefix(), repo.id())).into()
}

fn commit_url(session: &Session, oid: &str) -> String {
    format!("{}/commit/{oid}", page(session))
}

/// Returns the head of the branch as the result if nothing was committed.
pub(super) async fn unchanged(
    session: &Session,
    summary: &str,
    description: &str,
    head: Option<Commit>,
) -> Result<Info> {
    #[derive(Deserialize)]
    struct About {
        sha: String,
    }
    let oid = if let Some(head) = head {
        head.to_string()
    } else {
        let revision = client::encode(session.target.revision.as_str());
        let url = session.hub.api_url(&session.target.repo, &format!("revision/{revision}"));
        commit_response::commit(&session.get::<About>(url.clone()).await?.sha, &url)?
    };
    Ok(Info {
        commit_url: commit_url(session, &oid),
        commit_message: summary.to_owned(),
        commit_description: description.to_owned(),
        oid,
        pr_url: None,
        committed: false,
    })
}

/// Finds out whether the commit was created.
async fn fate(session: &Session, draft: &Draft, before: Option<&Commit>) -> Result<Fate> {
    if session.target.create_pr {
        return pull_request(session, draft).await;
    }
    let past = history(session, &session.target.revision).await?;
    let head = past.first().and_then(|commit| Commit::parse(&commit.id).ok());
    // Otherwise an older commit with the same message could match, which was reverted since.
    if before.is_none() && !shows(session, head.as_ref(), draft).await? {
        return Ok(Fate::NotMade(head));
    }
    let newer =
        past.iter().take_while(|commit| before.is_none_or(|before| before.as_str() != commit.id));
    for commit in newer.take(LOOK) {
        if is_ours(session, draft, commit).await? {
            let answer = CommitResponse { oid: commit.id.clone(), url: None, pr_url: None };
            return Ok(Fate::Made(info(session, draft, answer)));
        }
    }
    Ok(Fate::NotMade(head))
}

/// Whether the repository at `head` matches the draft.
async fn shows(session: &Session, head: Option<&Commit>, draft: &Draft) -> Result<bool> {
    let Some(head) = head else { return Ok(false) };
    let revision = Revision::parse(head.as_str())?;
    Ok(remote_entries::difference(session, &revision, draft).await?.is_none())
}

async fn pull_request(session: &Session, draft: &Draft) -> Result<Fate> {
    let repo = session.hub.api_url(&session.target.repo, "");
    let url = repo.join("refs?include_prs=1").unwrap_or(repo);
    let refs: Refs = session.get(url).await?;
    let number =
        |reference: &Reference| reference.name.strip_prefix("refs/pr/")?.parse::<u64>().ok();
    let mut numbers: Vec<u64> = refs.pull_requests.iter().filter_map(number).collect();
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    for number in numbers.into_iter().take(LOOK_PULL_REQUESTS) {
        let revision = Revision::parse(&format!("refs/pr/{number}"))?;
        let Some(commit) = history(session, &revision).await?.into_iter().next() else { continue };
        if is_ours(session, draft, &commit).await? {
            let url = format!("{}/discussions/{number}", page(session));
            let answer = CommitResponse { oid: commit.id, url: None, pr_url: Some(url) };
            return Ok(Fate::Made(info(session, draft, answer)));
        }
    }
    Ok(Fate::NotMade(None))
}

async fn history(session: &Session, revision: &Revision) -> Result<Vec<Past>> {
    let revision = client::encode(revision.as_str());
    session.get(session.hub.api_url(&session.target.repo, &format!("commits/{revision}"))).await
}

/// Whether a commit has the message and contents of the draft.
async fn is_ours(session: &Session, draft: &Draft, commit: &Past) -> Result<bool> {
    let title = draft.summary.lines().next().unwrap_or_default();
    if commit.title.trim() != title.trim() {
        return Ok(false);
    }
    let commit = Commit::parse(&commit.id)?;
    shows(session, Some(&commit), draft).await
}
