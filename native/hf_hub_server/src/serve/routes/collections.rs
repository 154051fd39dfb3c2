//! Collections and their items.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::open;
use super::super::response;
use super::commits;
use super::page::Page;
use crate::store::{
    Collection, CollectionChange, CollectionOrder, CollectionSearch, Content, Followed, Gate, Item,
    ItemKey, Lookup, NewCollection, Repo, RepoKey, RepoKind, object_id,
};

const THEMES: [&str; 6] = ["orange", "blue", "green", "purple", "pink", "indigo"];
const TYPES: [&str; 5] = ["paper", "collection", "space", "model", "dataset"];
/// Number of collections on a page, unless the query has a limit.
const USUAL: usize = 10;
/// Number of items that lists show of each collection.
const SHOWN_ITEMS: usize = 4;
const LONGEST_TITLE: usize = 60;
const LONGEST_DESCRIPTION: usize = 150;
const LONGEST_NOTE: usize = 500;
/// Maximum number of owners and items to look for.
const MOST_TERMS: usize = 100;
/// Number of hex digits of an id.
const ID: usize = 24;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    title: String,
    namespace: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    resource_group_id: Option<String>,
    #[serde(default)]
    item: Option<Named>,
}

/// What an item is.
#[derive(Debug, Deserialize)]
struct Named {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct NewItem {
    item: Named,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Changes {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    private: Option<bool>,
    #[serde(default)]
    theme: Option<String>,
    #[serde(default)]
    position: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct ItemChanges {
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    position: Option<usize>,
}

/// Handles `GET /api/collections`.
pub(super) fn list(call: &Call) -> Reply {
    let all = |name: &str| call.query.all(name).map(str::to_owned).collect::<Vec<_>>();
    let (owners, items) = (all("owner"), all("item"));
    if owners.len() + items.len() > MOST_TERMS {
        let message = format!("At most {MOST_TERMS} values of owner and item");
        return Err(ApiError::bad_request(message));
    }
    let wanted = items.iter().map(|item| filter(call, item)).collect::<Result<Vec<_>, _>>()?;
    let wanted = wanted.into_iter().flatten().collect();
    let page = Page::usual(call, USUAL);
    let search = CollectionSearch {
        viewer: call.caller.viewer(),
        owners,
        items: (!items.is_empty()).then_some(wanted),
        text: call.query.get("q").map(str::to_owned),
        order: order(call.query.get("sort"))?,
        skip: page.start,
        limit: page.with_next(),
    };
    let found = call.hub.store.collections().list(&search)?;
    let shown = found.iter().map(|collection| summary(call, collection, SHOWN_ITEMS));
    let shown = shown.collect::<Result<Vec<_>, _>>()?;
    Ok(page.respond(call, shown, |collection| collection))
}

fn order(sort: Option<&str>) -> Result<CollectionOrder, ApiError> {
    match sort {
        None | Some("lastModified") => Ok(CollectionOrder::Modified),
        Some("upvotes") => Ok(CollectionOrder::Upvotes),
        Some("trending") => Ok(CollectionOrder::Trending),
        Some(_) => {
            Err(ApiError::bad_request("\"sort\" must be one of [lastModified, trending, upvotes]"))
        }
    }
}

/// Returns the item that `models/acme/r` or `papers/1706.03762` names, if the caller may see it.
fn filter(call: &Call, text: &str) -> Result<Option<ItemKey>, ApiError> {
    let Some((kinds, id)) = text.split_once('/') else { return Err(bad_filter(text)) };
    let kind = kinds.strip_suffix('s').filter(|kind| TYPES.contains(kind));
    let kind = kind.ok_or_else(|| bad_filter(text))?;
    item(call, &Named { id: id.to_owned(), kind: kind.to_owned() })
}

fn bad_filter(text: &str) -> ApiError {
    let kinds = TYPES.map(|kind| format!("{kind}s/")).join(", ");
    ApiError::bad_request(format!("\"item\" must begin with one of [{kinds}]: {text}"))
}

/// Returns the key of an item; `None` if the caller does not see it.
fn item(call: &Call, named: &Named) -> Result<Option<ItemKey>, ApiError> {
    let Named { id, kind } = named;
    match kind.as_str() {
        "paper" => Ok(call.hub.store.papers().get(id)?.map(|_| ItemKey::paper(id))),
        "collection" => Ok(visible(call, id)?.map(|found| ItemKey::collection(&found))),
        kind => {
            let kind = RepoKind::from_singular(kind).map_err(|_| bad_type())?;
            Ok(repo(call, kind, id)?.map(|repo| ItemKey::repo(&repo)))
        }
    }
}

fn bad_type() -> ApiError {
    ApiError::bad_request(format!("\"type\" must be one of [{}]", TYPES.join(", ")))
}

/// Returns a repository, also under its old name.
fn repo(call: &Call, kind: RepoKind, id: &str) -> Result<Option<Repo>, ApiError> {
    let Ok(id) = id.parse() else { return Ok(None) };
    match open(call, &RepoKey::new(kind, id))? {
        Lookup::Found(repo) => Ok(Some(*repo)),
        Lookup::Moved(id) => Ok(open(call, &RepoKey::new(kind, id))?.found()),
        Lookup::Missing => Ok(None),
    }
}

/// Returns the collection of a slug, if the caller may see it. The words of the title in the slug
/// do not matter: they change with the title.
fn visible(call: &Call, slug: &str) -> Result<Option<Collection>, ApiError> {
    let Some((namespace, words)) = slug.split_once('/') else { return Ok(None) };
    let id = words.len().checked_sub(ID).and_then(|start| words.get(start..));
    let Some(id) = id else { return Ok(None) };
    let found = call.hub.store.collections().find(id, call.caller.name())?;
    Ok(found.filter(|found| {
        let is_seen = !found.private || call.caller.may_read_in(namespace);
        found.namespace == namespace && is_seen
    }))
}

fn find(call: &Call) -> Result<Collection, ApiError> {
    let slug = format!("{}/{}", call.param("namespace")?, call.param("slug")?);
    visible(call, &slug)?.ok_or_else(|| ApiError::not_found("Collection not found"))
}

/// Returns a collection that the caller may change.
fn own(call: &Call) -> Result<Collection, ApiError> {
    call.caller.actor()?;
    let collection = find(call)?;
    if !call.caller.may_write_in(&collection.namespace) {
        let message = "Forbidden: you don't have the rights to change this collection.";
        return Err(ApiError::forbidden(message));
    }
    Ok(collection)
}

/// Handles `POST /api/collections`.
pub(super) fn create(call: &Call) -> Reply {
    call.caller.actor()?;
    let New { title, namespace, description, private, resource_group_id, item: first } =
        call.body.json()?;
    if !call.caller.may_write_in(&namespace) {
        let message = format!(
            "You don't have the rights to create a collection under the namespace \"{namespace}\""
        );
        return Err(ApiError::forbidden(message));
    }
    check_title(&title)?;
    check_length("description", description.as_deref(), LONGEST_DESCRIPTION)?;
    check_group(call, &namespace, resource_group_id.as_deref())?;
    let first = first.map(|first| existing(call, &first)).transpose()?;
    let resource_group = resource_group_id;
    let new = NewCollection { namespace, title, description, private, resource_group };
    let collections = call.hub.store.collections();
    match collections.create(&new)? {
        Ok(id) => {
            let created = by_id(call, &id)?;
            if let Some(first) = first {
                collections.add_item(&created, &first, None)?;
            }
            Ok(response::json(&shown(call, &created)?))
        }
        Err(id) => {
            let slug = by_id(call, &id)?.slug();
            Err(ApiError::conflict("This collection already exists").with("slug", slug))
        }
    }
}

/// Returns the collection with an id, as it is now.
fn by_id(call: &Call, id: &str) -> Result<Collection, ApiError> {
    let found = call.hub.store.collections().find(id, call.caller.name())?;
    found.ok_or_else(|| ApiError::not_found("Collection not found"))
}

/// Handles `GET /api/collections/{namespace}/{slug}`.
pub(super) fn get(call: &Call) -> Reply {
    Ok(response::json(&shown(call, &find(call)?)?))
}

/// Handles `PATCH /api/collections/{namespace}/{slug}`.
pub(super) fn update(call: &Call) -> Reply {
    let collection = own(call)?;
    let Changes { title, description, private, theme, position } = call.body.json()?;
    title.as_deref().map_or(Ok(()), check_title)?;
    check_length("description", description.as_deref(), LONGEST_DESCRIPTION)?;
    if theme.as_deref().is_some_and(|theme| !THEMES.contains(&theme)) {
        let message = format!("\"theme\" must be one of [{}]", THEMES.join(", "));
        return Err(ApiError::bad_request(message));
    }
    let change = CollectionChange { title, description, private, theme, position };
    if !call.hub.store.collections().update(&collection, &change)? {
        return Err(ApiError::conflict("Another collection has this title"));
    }
    let changed = by_id(call, &collection.id)?;
    Ok(response::json(&json!({ "data": shown(call, &changed)? })))
}

/// Handles `DELETE /api/collections/{namespace}/{slug}`.
pub(super) fn delete(call: &Call) -> Reply {
    call.hub.store.collections().delete(&own(call)?)?;
    Ok(response::json(&json!({})))
}

/// Handles `POST /api/collections/{namespace}/{slug}/resource-group`.
pub(super) fn set_resource_group(call: &Call) -> Reply {
    let collection = own(call)?;
    let body: Map<String, Value> = call.body.json()?;
    let group = match body.get("resourceGroupId") {
        Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id.as_str()),
        _ => return Err(ApiError::bad_request("\"resourceGroupId\" must be a string or null")),
    };
    check_group(call, &collection.namespace, group.or(Some("")))?;
    call.hub.store.collections().set_resource_group(&collection, group)?;
    Ok(response::json(&json!({})))
}

/// Checks a resource group of a namespace; `""` stands for none.
fn check_group(call: &Call, namespace: &str, group: Option<&str>) -> Result<(), ApiError> {
    let Some(group) = group else { return Ok(()) };
    if call.hub.store.organizations().get(namespace)?.is_none() {
        let message = "Only collections of organizations can have a resource group";
        return Err(ApiError::bad_request(message));
    }
    let is_id = group.len() == ID && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !group.is_empty() && !is_id {
        let message = format!("\"resourceGroupId\" must have {ID} hexadecimal digits");
        return Err(ApiError::bad_request(message));
    }
    Ok(())
}

/// Handles `POST /api/collections/{namespace}/{slug}/items`.
pub(super) fn add_item(call: &Call) -> Reply {
    let collection = own(call)?;
    let NewItem { item: named, note } = call.body.json()?;
    check_length("note", note.as_deref(), LONGEST_NOTE)?;
    let key = existing(call, &named)?;
    let is_itself = named.kind == "collection" && named.id.ends_with(&collection.id);
    if is_itself {
        return Err(ApiError::bad_request("A collection cannot contain itself"));
    }
    if !call.hub.store.collections().add_item(&collection, &key, note.as_deref())? {
        return Err(ApiError::conflict("This item is already in the collection"));
    }
    Ok(response::json(&shown(call, &by_id(call, &collection.id)?)?))
}

fn existing(call: &Call, named: &Named) -> Result<ItemKey, ApiError> {
    let Named { id, kind } = named;
    item(call, named)?.ok_or_else(|| ApiError::not_found(format!("There is no {kind} {id}")))
}

/// Handles `PATCH /api/collections/{namespace}/{slug}/items/{item}`.
pub(super) fn update_item(call: &Call) -> Reply {
    let collection = own(call)?;
    let ItemChanges { note, position } = call.body.json()?;
    check_length("note", note.as_deref(), LONGEST_NOTE)?;
    let collections = call.hub.store.collections();
    if !collections.update_item(&collection, call.param("item")?, note.as_deref(), position)? {
        return Err(no_item());
    }
    Ok(response::json(&json!({})))
}

/// Handles `DELETE /api/collections/{namespace}/{slug}/items/{item}`.
pub(super) fn delete_item(call: &Call) -> Reply {
    let collection = own(call)?;
    if !call.hub.store.collections().delete_item(&collection, call.param("item")?)? {
        return Err(no_item());
    }
    Ok(response::json(&json!({})))
}

fn no_item() -> ApiError {
    ApiError::not_found("There is no such item in this collection")
}

fn check_title(title: &str) -> Result<(), ApiError> {
    if title.trim().is_empty() {
        return Err(ApiError::bad_request("\"title\" must not be empty"));
    }
    check_length("title", Some(title), LONGEST_TITLE)
}

fn check_length(name: &str, text: Option<&str>, most: usize) -> Result<(), ApiError> {
    if text.is_some_and(|text| text.chars().count() > most) {
        return Err(ApiError::bad_request(format!(
            "\"{name}\" must have at most {most} characters"
        )));
    }
    Ok(())
}

/// Returns a collection with all its items.
fn shown(call: &Call, collection: &Collection) -> Result<Value, ApiError> {
    let mut json = summary(call, collection, usize::MAX)?;
    let base = call.hub.origins.hub(Some(&call.headers));
    json["position"] = collection.position.into();
    json["shareUrl"] = format!("{base}/collections/{}", collection.slug()).into();
    Ok(json)
}

/// Returns what lists show of a collection, with its first items.
fn summary(call: &Call, collection: &Collection, limit: usize) -> Result<Value, ApiError> {
    let items = call.hub.store.collections().items(collection, &call.caller.viewer(), limit)?;
    let items = items.iter().enumerate().map(|(position, item)| shown_item(item, position));
    let mut json = json!({
        "slug": collection.slug(),
        "title": collection.title,
        "lastUpdated": response::date(collection.updated_at),
        "gating": false,
        "owner": owner(call, &collection.namespace)?,
        "theme": collection.theme,
        "private": collection.private,
        "upvotes": collection.upvotes,
        "isUpvotedByUser": collection.is_upvoted,
        "items": items.collect::<Vec<_>>(),
    });
    if let Some(description) = &collection.description {
        json["description"] = description.as_str().into();
    }
    Ok(json)
}

fn owner(call: &Call, name: &str) -> Result<Value, ApiError> {
    let store = &call.hub.store;
    let user = store.users().get(name)?;
    let (kind, followed) = match &user {
        Some(_) => ("user", Followed::User(name)),
        None => ("org", Followed::Organization(name)),
    };
    let fullname = match user {
        Some(user) => user.fullname,
        None => store.organizations().get(name)?.and_then(|organization| organization.fullname),
    };
    Ok(json!({
        "_id": object_id(name), "name": name, "fullname": fullname.as_deref().unwrap_or(name),
        "type": kind, "avatarUrl": "", "isPro": false, "isHf": false, "isHfAdmin": false,
        "isMod": false, "followerCount": store.follows().count_followers(followed)?,
    }))
}

fn shown_item(item: &Item, position: usize) -> Value {
    let mut json = match &item.content {
        Content::Repo(repo) => {
            let kind = repo.key.kind.singular();
            json!({
                "type": kind, "repoType": kind, "id": repo.key.id.to_string(),
                "author": repo.key.id.namespace(), "likes": repo.likes, "downloads": 0,
                "private": repo.private, "lastModified": repo.modified_at.map(response::date),
                "gated": repo.gated.map_or(Value::Bool(false), gate),
            })
        }
        Content::Paper(paper) => {
            let names = ["id", "title", "upvotes", "publishedAt", "thumbnail"];
            let known = names.iter().filter_map(|name| Some((*name, paper.get(*name)?.clone())));
            let mut json: Map<_, _> = known.map(|(name, value)| (name.to_owned(), value)).collect();
            json.insert("type".into(), "paper".into());
            json.into()
        }
        Content::Collection(collection, items) => json!({
            "type": "collection", "id": collection.id, "slug": collection.slug(),
            "title": collection.title, "description": collection.description,
            "lastUpdated": response::date(collection.updated_at), "theme": collection.theme,
            "owner": { "name": collection.namespace }, "numberItems": items,
            "upvotes": collection.upvotes, "isUpvotedByUser": collection.is_upvoted,
        }),
    };
    json["_id"] = item.id.as_str().into();
    json["position"] = position.into();
    if let Some(note) = &item.note {
        json["note"] = json!({ "text": note, "html": commits::html(note) });
    }
    json
}

fn gate(gate: Gate) -> Value {
    json!(gate)
}
