//! Information about a repository at a revision.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::response;
use super::{checkout, facts};
use crate::card;
use crate::store::{Entry, EntryKind, Gate, Git, LfsStore, MAIN, Repo, RepoKind};
use git2::Oid;

/// All properties of a repository, by their JSON names.
pub(super) type Properties = Map<String, Value>;

/// The stored settings that everybody may see.
const PUBLIC: [&str; 2] = ["description", "discussionsDisabled"];

/// Handles `/api/{kind}/{id}[/revision/{revision}]`.
pub(super) fn get(call: &Call, repo: &Repo, revision: Option<&str>) -> Reply {
    let (git, commit) = checkout(repo, revision.unwrap_or(MAIN))?;
    let lfs = call.hub.store.lfs();
    let mut all = properties(repo, &git, &lfs, commit, call.query.flag("blobs"))?;
    let expand = call.query.all("expand").collect::<HashSet<_>>();
    if !expand.is_empty() {
        all.retain(|name, _| {
            matches!(name.as_str(), "_id" | "id") || expand.contains(name.as_str())
        });
    }
    Ok(response::json(&all))
}

/// Returns all properties that a client can request.
pub(super) fn properties(
    repo: &Repo,
    git: &Git,
    lfs: &LfsStore,
    commit: Oid,
    blobs: bool,
) -> Result<Properties, ApiError> {
    let entries = files(git, commit)?;
    let card = card_data(git, &entries)?;
    let settings = &repo.settings;
    let mut all = object(json!({
        "_id": settings.object_id,
        "id": repo.key.id.to_string(),
        "sha": commit.to_string(),
        "lastModified": response::date(git.commit_info(commit)?.date),
        "createdAt": response::date(settings.created_at),
        "private": settings.private,
        "gated": settings.gated.map_or(Value::Bool(false), gate),
        "disabled": settings.disabled,
        "likes": 0,
        "trendingScore": 0,
        "tags": card::tags(&card, repo.key.kind),
        "usedStorage": used_storage(&entries),
        "siblings": entries.iter().map(|entry| sibling(entry, blobs)).collect::<Vec<_>>(),
    }));
    if let Some(namespace) = repo.key.id.namespace() {
        all.insert("author".into(), namespace.into());
    }
    all.extend(of_kind(repo, &card));
    match repo.key.kind {
        RepoKind::Model => all.extend(facts::model(git, lfs, &entries, &card)?),
        RepoKind::Dataset => drop(all.insert("mainSize".into(), all["usedStorage"].clone())),
        RepoKind::Space => all.extend(facts::space(&card)),
    }
    let public = settings.more.iter().filter(|(name, _)| PUBLIC.contains(&name.as_str()));
    all.extend(public.map(|(name, value)| (name.clone(), value.clone())));
    if !card.is_empty() {
        all.insert("cardData".into(), card.into());
    }
    Ok(all)
}

fn of_kind(repo: &Repo, card: &Map<String, Value>) -> Properties {
    let id = repo.key.id.to_string();
    let mut all = match repo.key.kind {
        RepoKind::Model => {
            object(json!({ "modelId": id, "downloads": 0, "downloadsAllTime": 0, "spaces": [] }))
        }
        RepoKind::Dataset => object(json!({ "downloads": 0, "downloadsAllTime": 0 })),
        RepoKind::Space => {
            let subdomain = id.to_lowercase().replace(['/', '.', '_'], "-");
            object(json!({ "subdomain": subdomain }))
        }
    };
    let from_card: &[&str] = match repo.key.kind {
        RepoKind::Model => &["pipeline_tag", "library_name"],
        RepoKind::Dataset => &["paperswithcode_id"],
        RepoKind::Space => &["sdk"],
    };
    let known = from_card.iter().filter_map(|name| Some((*name, card.get(*name)?)));
    all.extend(known.map(|(name, value)| (name.to_owned(), value.clone())));
    all
}

fn files(git: &Git, commit: Oid) -> Result<Vec<Entry>, ApiError> {
    let listed = git.list(commit, "", true)?.unwrap_or_default();
    let files = listed.into_iter().filter(|listed| !listed.is_folder);
    Ok(files.map(|listed| git.describe(listed)).collect::<Result<_, _>>()?)
}

fn card_data(git: &Git, entries: &[Entry]) -> Result<Map<String, Value>, ApiError> {
    let readme = entries.iter().find(|entry| entry.path == "README.md");
    match readme {
        Some(entry) if entry.size() <= card::MAX_README => Ok(card::parse(&git.blob(entry.oid)?)),
        _ => Ok(Map::new()),
    }
}

/// Sums sizes; the same content counts once.
fn used_storage(entries: &[Entry]) -> u64 {
    let mut seen = HashSet::new();
    entries.iter().filter(|entry| seen.insert(entry.oid)).map(Entry::size).sum()
}

fn sibling(entry: &Entry, blobs: bool) -> Value {
    let mut json = json!({ "rfilename": entry.path });
    if blobs {
        json["size"] = entry.size().into();
        json["blobId"] = entry.oid.to_string().into();
        if let EntryKind::Lfs { pointer, pointer_size } = &entry.kind {
            json["lfs"] =
                json!({ "sha256": pointer.oid, "size": pointer.size, "pointerSize": pointer_size });
        }
    }
    json
}

fn gate(gate: Gate) -> Value {
    Value::from(match gate {
        Gate::Auto => "auto",
        Gate::Manual => "manual",
    })
}

fn object(value: Value) -> Properties {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
