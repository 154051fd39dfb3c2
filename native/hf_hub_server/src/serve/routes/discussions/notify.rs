//! Where changes of discussions become known: the one place for what follows from them.

use anyhow::Result;
use git2::Oid;
use serde_json::{Value, json};

use super::super::super::call::Call;
use super::super::super::events::{self, Change, RefChange};
use super::json::references;
use crate::console::complain;
use crate::store::{Author, Discussion, Event, Happened, Repo, object_id};

/// What happened to a discussion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// It was opened.
    Created,
    /// A comment was written.
    Commented,
    /// A comment was edited.
    Edited,
    /// A comment was hidden.
    Hidden,
    /// The title was changed.
    Renamed,
    /// It was opened again or closed.
    StatusChanged,
    /// A pull request was merged.
    Merged,
    /// It was pinned, or no longer is.
    Pinned,
    /// It was removed.
    Removed,
}

/// Called after each change of a discussion but its removal, once it is stored.
pub(in super::super) fn notify(
    call: &Call,
    repo: &Repo,
    kind: Kind,
    num: u64,
    event: Option<&Event>,
) {
    match call.hub.store.discussions().get(repo, num) {
        Ok(discussion) => announce(call, repo, kind, &discussion, event),
        Err(err) => complain(&err.context(format!("cannot notify of discussion {num}"))),
    }
}

/// Same as [`notify`], for a discussion as it was before its removal.
pub(super) fn announce(
    call: &Call,
    repo: &Repo,
    kind: Kind,
    discussion: &Discussion,
    event: Option<&Event>,
) {
    let urls = Urls::new(call, repo, discussion);
    let about = describe(&urls, discussion);
    let comment = event.and_then(|event| comment(&urls, event));
    let change = match kind {
        Kind::Created => Change::Create,
        Kind::Removed => Change::Delete,
        Kind::Commented | Kind::Edited | Kind::Hidden => {
            let change = if kind == Kind::Commented { Change::Create } else { Change::Update };
            let comment = comment.unwrap_or_default();
            return call.notify(events::Event::comment(change, repo, about, comment));
        }
        Kind::Renamed | Kind::StatusChanged | Kind::Merged | Kind::Pinned => Change::Update,
    };
    let comment = match kind {
        Kind::Created => first_comment(call, &urls, discussion),
        _ => comment,
    };
    call.notify(events::Event::discussion(change, repo, about, comment));
}

/// Notifies of a ref that the merge of a pull request has moved.
pub(super) fn merged(call: &Call, repo: &Repo, num: u64, commit: Oid) {
    let change = || -> Result<Option<RefChange>> {
        let base = call.hub.store.discussions().get(repo, num)?.base;
        let before = repo.git()?.parent(commit)?;
        Ok(base.map(|base| RefChange::set(&base, before, commit)))
    };
    match change() {
        Ok(change) => call.notify(events::Event::content(repo, change)),
        Err(err) => complain(&err.context(format!("cannot notify of the merge of {num}"))),
    }
}

/// Returns the ref of a pull request and the commit it points to, before it is removed.
pub(super) fn head_of(repo: &Repo, num: u64) -> Result<(String, Option<Oid>)> {
    let name = format!("refs/pr/{num}");
    let head = repo.git()?.tip(&name)?;
    Ok((name, head))
}

/// Where a discussion is.
struct Urls {
    web: String,
    api: String,
}

impl Urls {
    fn new(call: &Call, repo: &Repo, discussion: &Discussion) -> Self {
        // Not the host of this request: a client that causes an event would choose it.
        let base = call.hub.origins.hub(None);
        let (kind, id, num) = (repo.key.kind, &repo.key.id, discussion.num);
        Self {
            web: format!("{base}/{}{id}/discussions/{num}", kind.url_prefix()),
            api: format!("{base}/api/{}/{id}/discussions/{num}", kind.plural()),
        }
    }
}

fn describe(urls: &Urls, discussion: &Discussion) -> Value {
    let mut json = json!({
        "id": discussion.object_id,
        "title": discussion.title,
        "url": { "web": urls.web, "api": urls.api },
        "status": discussion.status,
        "author": author(discussion.author.as_ref()),
        "num": discussion.num,
        "isPullRequest": discussion.base.is_some(),
        "pinned": discussion.pinned,
    });
    if discussion.base.is_some() {
        json["changes"] = references(discussion);
    }
    json
}

/// Receivers require an id, also that of a user who was removed.
fn author(author: Option<&Author>) -> Value {
    json!({ "id": object_id(author.map_or("deleted", |author| &author.name)) })
}

/// Returns the comment of an event; `None` for another event.
fn comment(urls: &Urls, event: &Event) -> Option<Value> {
    let Happened::Comment(comment) = &event.happened else { return None };
    let mut json = json!({
        "id": event.id,
        "author": author(event.author.as_ref()),
        "hidden": comment.hidden_by.is_some(),
        "url": { "web": format!("{}#{}", urls.web, event.id) },
    });
    // A hidden one has none.
    if let Some(latest) = comment.versions.last() {
        json["content"] = latest.content.as_str().into();
    }
    Some(json)
}

/// Returns the comment a discussion begins with.
fn first_comment(call: &Call, urls: &Urls, discussion: &Discussion) -> Option<Value> {
    let events = call.hub.store.discussions().events(discussion).ok()?;
    events.iter().find_map(|event| comment(urls, event))
}
