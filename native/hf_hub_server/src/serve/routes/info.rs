//! Information about a repository at a revision.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::response;
use super::spaces::runtime_state;
use crate::store::{
    Entry, EntryKind, Gate, MAIN, Popularity, Properties, Repo, RepoKey, RepoKind, Settings, facts,
};

/// The stored settings that everybody may see.
const PUBLIC: [&str; 2] = ["description", "discussionsDisabled"];

/// Handles `/api/{kind}/{id}[/revision/{revision}]`.
pub(super) fn get(call: &Call, repo: &Repo, revision: Option<&str>) -> Reply {
    let (revision, with_blobs) = (revision.unwrap_or(MAIN), call.query.flag("blobs"));
    let (head, modified_at, facts) = if revision == MAIN && !with_blobs {
        of_main(call, repo)?
    } else {
        read(call, repo, revision, with_blobs)?
    };
    let popularity = call.hub.store.popularity(repo)?;
    let (key, settings) = (&repo.key, &repo.settings);
    let state = State { key, settings, head: &head, modified_at, popularity };
    let mut all = state.properties(facts);
    if repo.key.kind == RepoKind::Space {
        let runtime = runtime_state::json(&call.hub.store, &repo.key, &head, &all)?;
        all.insert("runtime".into(), runtime);
    }
    let expand = call.query.all("expand").collect::<HashSet<_>>();
    if !expand.is_empty() {
        all.retain(|name, _| {
            matches!(name.as_str(), "_id" | "id") || expand.contains(name.as_str())
        });
    }
    Ok(response::json(&all))
}

/// Returns the head of the main branch, when it was committed, and what its files say.
pub(super) fn of_main(
    call: &Call,
    repo: &Repo,
) -> Result<(String, Timestamp, Properties), ApiError> {
    // The files of an unused repository need not be written: what they say is in the database.
    match call.hub.store.first_facts(repo)? {
        Some(known) => Ok(known),
        None => read(call, repo, MAIN, false),
    }
}

fn read(
    call: &Call,
    repo: &Repo,
    revision: &str,
    with_blobs: bool,
) -> Result<(String, Timestamp, Properties), ApiError> {
    let (git, commit) = checkout(repo, revision)?;
    let mut facts = facts(repo.key.kind, &git, &call.hub.store.lfs(), commit)?;
    if with_blobs {
        let siblings = facts.files.iter().map(sibling).collect();
        facts.properties.insert("siblings".into(), siblings);
    }
    Ok((commit.to_string(), facts.modified_at, facts.properties))
}

/// What is known of a repository besides the facts of its files.
pub(super) struct State<'a> {
    pub(super) key: &'a RepoKey,
    pub(super) settings: &'a Settings,
    pub(super) head: &'a str,
    pub(super) modified_at: Timestamp,
    pub(super) popularity: Popularity,
}

impl State<'_> {
    /// Returns all properties that a client can request.
    pub(super) fn properties(&self, facts: Properties) -> Properties {
        let Self { key, settings, .. } = self;
        let mut all = facts;
        let mut add = |name: &str, value: Value| drop(all.insert(name.to_owned(), value));
        add("_id", settings.object_id.as_str().into());
        add("id", key.id.to_string().into());
        add("sha", self.head.into());
        add("lastModified", response::date(self.modified_at).into());
        add("createdAt", response::date(settings.created_at).into());
        add("private", settings.private.into());
        add("gated", settings.gated.map_or(Value::Bool(false), gate));
        add("disabled", settings.disabled.into());
        add("likes", self.popularity.likes.into());
        add("trendingScore", self.popularity.trend.into());
        if let Some(namespace) = key.id.namespace() {
            add("author", namespace.into());
        }
        match key.kind {
            RepoKind::Model => {
                add("modelId", key.id.to_string().into());
                add("spaces", Value::Array(Vec::new()));
            }
            RepoKind::Dataset => {}
            RepoKind::Space => {
                add("subdomain", key.id.subdomain().into());
            }
        }
        if key.kind != RepoKind::Space {
            add("downloads", 0.into());
            add("downloadsAllTime", 0.into());
        }
        for name in PUBLIC {
            settings.more.get(name).into_iter().for_each(|value| add(name, value.clone()));
        }
        all
    }
}

fn sibling(entry: &Entry) -> Value {
    let mut json = json!({
        "rfilename": entry.path, "size": entry.size(), "blobId": entry.oid.to_string(),
    });
    if let EntryKind::Lfs { pointer, pointer_size } = &entry.kind {
        json["lfs"] =
            json!({ "sha256": pointer.oid, "size": pointer.size, "pointerSize": pointer_size });
    }
    json
}

fn gate(gate: Gate) -> Value {
    Value::from(match gate {
        Gate::Auto => "auto",
        Gate::Manual => "manual",
    })
}
