//! What happens to repositories, as webhooks report it: payloads of version 3.
//!
//! A handler notifies when its change is made. That only adds rows to queues; [`super::deliver`]
//! sends them.

use serde_json::{Map, Value, json};

use super::access;
use super::call::Call;
use crate::console::complain;
use crate::store::{
    About, Domain, MAIN_REF, Repo, RepoKey, RepoKind, Store, User, Webhook, object_id,
};

/// What has happened to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    Delete,
    Move,
    Update,
}

/// A ref and the commits it pointed to before and after; none if it did not or does not exist.
#[derive(Clone, Debug)]
pub(super) struct RefChange {
    /// The full name.
    pub(super) name: String,
    /// The commit before.
    pub(super) old: Option<String>,
    /// The commit after.
    pub(super) new: Option<String>,
}

/// An event.
#[derive(Debug)]
pub(super) struct Event<'a> {
    scope: &'static str,
    change: Change,
    repo: &'a Repo,
    /// Where its files are now.
    place: &'a Repo,
    /// Further entries of the payload.
    more: Map<String, Value>,
}

impl<'a> Event<'a> {
    /// A repository was created or deleted, or changed in another way than the ones below.
    pub(super) fn repo(change: Change, repo: &'a Repo) -> Self {
        Self { scope: "repo", change, repo, place: repo, more: Map::new() }
    }

    /// A repository was renamed; the payload names it as before.
    fn moved(old: &'a Repo, new: &'a Repo) -> Self {
        let id = &new.key.id;
        let owner = json!({ "id": object_id(id.namespace().unwrap_or_default()) });
        let moved_to = json!({ "name": id.to_string(), "owner": owner });
        let event = Self { place: new, ..Self::repo(Change::Move, old) };
        event.with("movedTo", moved_to)
    }

    /// Refs were created, moved or deleted.
    pub(super) fn content(repo: &'a Repo, refs: impl IntoIterator<Item = RefChange>) -> Self {
        let refs = refs.into_iter().map(
            |change| json!({ "ref": change.name, "oldSha": change.old, "newSha": change.new }),
        );
        let event = Self { scope: "repo.content", ..Self::repo(Change::Update, repo) };
        event.with("updatedRefs", refs.collect())
    }

    /// Settings were changed. As on the Hub, only the visibility is reported.
    pub(super) fn config(repo: &'a Repo, private: Option<bool>) -> Self {
        let updated = private.map_or(Value::Null, |private| json!({ "private": private }));
        let event = Self { scope: "repo.config", ..Self::repo(Change::Update, repo) };
        event.with("updatedConfig", updated)
    }

    /// A discussion or pull request was created, changed or deleted; with the first comment of a
    /// new one.
    pub(super) fn discussion(
        change: Change,
        repo: &'a Repo,
        discussion: Value,
        comment: Option<Value>,
    ) -> Self {
        let event = Self { scope: "discussion", ..Self::repo(change, repo) };
        let event = event.with("discussion", discussion);
        match comment {
            Some(comment) => event.with("comment", comment),
            None => event,
        }
    }

    /// A comment was created, changed or hidden.
    pub(super) fn comment(
        change: Change,
        repo: &'a Repo,
        discussion: Value,
        comment: Value,
    ) -> Self {
        let event = Self::discussion(change, repo, discussion, Some(comment));
        Self { scope: "discussion.comment", ..event }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    fn domain(&self) -> Domain {
        if self.scope.starts_with("discussion") { Domain::Discussion } else { Domain::Repo }
    }

    fn payload(self, store: &Store, base: &str) -> anyhow::Result<Map<String, Value>> {
        let mut repo = describe(self.repo, base);
        if self.domain() == Domain::Repo && self.change != Change::Delete {
            repo["headSha"] = head(store, self.place)?.into();
        }
        let event = json!({ "action": self.change.word(), "scope": self.scope });
        let mut payload = Map::from_iter([("event".into(), event), ("repo".into(), repo)]);
        payload.extend(self.more);
        Ok(payload)
    }
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Move => "move",
            Self::Update => "update",
        }
    }
}

impl RefChange {
    /// A ref that was created, or moved from `old`.
    pub(super) fn set(name: &str, old: Option<git2::Oid>, new: git2::Oid) -> Self {
        let old = old.map(|old| old.to_string());
        Self { name: name.to_owned(), old, new: Some(new.to_string()) }
    }

    /// A ref that was deleted.
    pub(super) fn deleted(name: &str, old: Option<git2::Oid>) -> Self {
        Self { name: name.to_owned(), old: old.map(|old| old.to_string()), new: None }
    }
}

impl Call {
    /// Notifies the webhooks that watch the repository. The change is made already, so a failure is
    /// reported on standard error only.
    pub(super) fn notify(&self, event: Event<'_>) {
        if let Err(err) = self.start_space(&event) {
            complain(&err.context("cannot start a Space"));
        }
        if let Err(err) = self.try_notify(event) {
            complain(&err.context("cannot notify webhooks"));
        }
    }

    /// Starts a Space whose main branch has moved, however that was done.
    fn start_space(&self, event: &Event<'_>) -> anyhow::Result<()> {
        let key = &event.repo.key;
        let refs = event.more.get("updatedRefs").and_then(Value::as_array);
        let main = refs.and_then(|refs| refs.iter().find(|moved| moved["ref"] == MAIN_REF));
        match main.and_then(|main| main["newSha"].as_str()) {
            Some(commit) if key.kind == RepoKind::Space => {
                self.hub.store.spaces().committed(key, commit, self.query.flag("hot_reload"))
            }
            _ => Ok(()),
        }
    }

    /// Notifies the webhooks that watch a repository of its new name, which those that watch the
    /// repository itself watch from then on.
    pub(super) fn notify_of_move(&self, old: &Repo, to: &RepoKey) {
        if let Err(err) = self.try_notify_of_move(old, to) {
            complain(&err.context("cannot notify webhooks"));
        }
    }

    fn try_notify_of_move(&self, old: &Repo, to: &RepoKey) -> anyhow::Result<()> {
        let store = &self.hub.store;
        if let Some(new) = store.locate(to)?.found() {
            self.notify(Event::moved(old, &new));
        }
        store.webhooks().follow(&old.key, to)
    }

    fn try_notify(&self, event: Event<'_>) -> anyhow::Result<()> {
        let webhooks = self.hub.store.webhooks();
        let mut watching = Vec::new();
        for (webhook, owner) in webhooks.watching(&event.repo.key, event.domain())? {
            if access::user_may_see(&owner, event.repo)? {
                watching.push((webhook, owner));
            }
        }
        if watching.is_empty() {
            return Ok(());
        }
        let name = format!("{}:{}", event.scope, event.change.word());
        let repo = event.repo;
        // Not the host of this request: a client that causes an event would choose it.
        let base = self.hub.origins.hub(None);
        let payload = event.payload(&self.hub.store, &base)?;
        self.send_to(&watching, repo, &name, &payload)
    }

    /// Queues an event for webhooks.
    pub(super) fn send_to(
        &self,
        watching: &[(Webhook, User)],
        about: impl Into<About>,
        name: &str,
        payload: &Map<String, Value>,
    ) -> anyhow::Result<()> {
        if watching.is_empty() {
            return Ok(());
        }
        let payloads = watching.iter().map(|(webhook, _)| {
            let mut payload = payload.clone();
            payload.insert("webhook".into(), json!({ "id": webhook.object_id, "version": 3 }));
            (webhook, Value::Object(payload))
        });
        let payloads = payloads.collect::<Vec<_>>();
        self.hub.store.webhooks().enqueue(about, name, &payloads)?;
        self.hub.courier.wake();
        Ok(())
    }
}

fn describe(repo: &Repo, base: &str) -> Value {
    let RepoKey { kind, id } = &repo.key;
    let mut json = json!({
        "type": kind.singular(),
        "name": id.to_string(),
        "id": repo.settings.object_id,
        "private": repo.settings.private,
        "url": {
            "web": format!("{base}/{}{id}", kind.url_prefix()),
            "api": format!("{base}/api/{}/{id}", kind.plural()),
        },
        "owner": { "id": object_id(id.namespace().unwrap_or_default()) },
    });
    if *kind == RepoKind::Space {
        json["subdomain"] = id.subdomain().into();
    }
    json
}

/// Returns the commit of the main branch.
fn head(store: &Store, repo: &Repo) -> anyhow::Result<Option<String>> {
    if let Some((head, ..)) = store.first_facts(repo)? {
        return Ok(Some(head));
    }
    Ok(repo.git()?.tip(MAIN_REF)?.map(|head| head.to_string()))
}
