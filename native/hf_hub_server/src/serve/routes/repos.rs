//! Creates, deletes and renames repositories.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::access::Caller;
use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::events::{Change, Event};
use super::super::lookup::{self, open};
use super::super::response;
#[cfg(feature = "xet")]
use super::buckets;
use super::commit;
use super::settings::{self, Visibility};
use super::{info, spaces};
use crate::store::{Lookup, Repo, RepoKey, RepoKind, Settings, default_gitattributes};

const SDKS: [&str; 4] = ["gradio", "streamlit", "docker", "static"];

/// The name of a repository in a body.
#[derive(Debug, Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Create {
    #[serde(flatten)]
    named: Named,
    #[serde(flatten)]
    visibility: Visibility,
    #[serde(default)]
    sdk: Option<String>,
    #[serde(default)]
    template: Option<String>,
    #[serde(flatten)]
    space: spaces::Wanted,
    #[serde(default)]
    files: Vec<NewFile>,
}

/// A file of the first commit.
#[derive(Debug, Deserialize)]
struct NewFile {
    path: String,
    content: String,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Move {
    from_repo: String,
    to_repo: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// Handles `POST /api/repos/create`.
pub(super) fn create(call: &Call) -> Reply {
    call.caller.writer()?;
    let wanted: Create = call.body.json()?;
    let key = wanted.named.key(&call.caller)?;
    let author = call.caller.creator(&key)?;
    let files = first_files(&key, wanted.sdk.as_deref(), wanted.files)?;
    let space = wanted.space.check(call, &key, wanted.sdk.as_deref())?;
    let mut settings = Settings::new(&key);
    if let Some(private) = wanted.visibility.is_private(key.kind)? {
        settings.private = private;
    }
    let files = files.iter().map(|(path, content)| (path.as_str(), &**content)).collect::<Vec<_>>();
    let template = wanted.template.filter(|_| space.is_some());
    let template = template.map(|id| spaces::of_template(call, &id)).transpose()?;
    let (store, author) = (&call.hub.store, &author.name);
    let created = match (template, &space) {
        (Some(source), _) => store.duplicate(&source.key, &key, settings, space.as_ref())?,
        (None, Some(space)) => store.create_space(&key, settings, &files, author, space)?,
        (None, None) => store.create_repo(&key, settings, &files, author)?,
    };
    match created {
        Some(repo) => {
            call.notify(Event::repo(Change::Create, &repo));
            let (url, id) = (call.page_url(&key), repo.settings.object_id);
            Ok(response::json(&json!({ "url": url, "name": key.id.to_string(), "id": id })))
        }
        None => Err(taken(call, &key)?),
    }
}

/// Handles `DELETE /api/repos/delete`.
pub(super) fn delete(call: &Call) -> Reply {
    call.caller.writer()?;
    let named: Named = call.body.json()?;
    let key = call.hub.store.spelled(&named.key(&call.caller)?)?;
    let Lookup::Found(repo) = open(call, &key)? else {
        return Err(ApiError::repo_not_found(call.caller.is_anonymous()));
    };
    call.caller.writer_in(repo.key.id.namespace())?;
    if !call.hub.store.remove(&key)? {
        return Err(ApiError::repo_not_found(false));
    }
    call.notify(Event::repo(Change::Delete, &repo));
    Ok(response::ok())
}

/// Handles `POST /api/repos/move`.
pub(super) fn rename(call: &Call) -> Reply {
    call.caller.writer()?;
    let wanted: Move = call.body.json()?;
    #[cfg(feature = "xet")]
    if wanted.kind.as_deref() == Some("bucket") && call.hub.options.xet {
        return buckets::rename(call, &wanted.from_repo, &wanted.to_repo);
    }
    let kind = lookup::kind(wanted.kind.as_deref())?;
    let old = call.hub.store.spelled(&RepoKey::new(kind, lookup::id(&wanted.from_repo)?))?;
    let new = RepoKey::new(kind, lookup::id(&wanted.to_repo)?);
    let Lookup::Found(repo) = open(call, &old)? else {
        return Err(ApiError::repo_not_found(call.caller.is_anonymous()));
    };
    call.caller.writer_in(repo.key.id.namespace())?;
    call.caller.creator(&new)?;
    if !call.hub.store.try_rename(&old, &new)? {
        let taken = call.hub.store.spelled(&new)?;
        let message =
            format!("A {} repository called {} already exists", kind.singular(), taken.id);
        return Err(ApiError::conflict(message).with("url", call.page_url(&taken)));
    }
    call.notify_of_move(&repo, &new);
    Ok(response::ok())
}

/// Handles `POST /api/{kind}/{id}/duplicate`.
pub(super) fn duplicate(call: &Call, source: &Repo) -> Reply {
    #[derive(Deserialize)]
    struct Wanted {
        repository: String,
        #[serde(flatten)]
        visibility: Visibility,
        #[serde(flatten)]
        space: spaces::Wanted,
    }

    call.caller.writer()?;
    call.caller.check_files(source)?;
    let wanted: Wanted = call.body.json()?;
    let key = RepoKey::new(source.key.kind, lookup::id(&wanted.repository)?);
    call.caller.creator(&key)?;
    let mut settings = Settings::new(&key);
    settings.private = wanted.visibility.is_private(key.kind)?.unwrap_or(source.settings.private);
    let sdk = match key.kind {
        RepoKind::Space => info::of_main(call, source)?.2.remove("sdk"),
        _ => None,
    };
    let space = wanted.space.check(call, &key, sdk.as_ref().and_then(Value::as_str))?;
    match call.hub.store.duplicate(&source.key, &key, settings, space.as_ref())? {
        Some(copy) => {
            call.notify(Event::repo(Change::Create, &copy));
            Ok(response::json(&json!({ "url": call.page_url(&key), "filesCopyPending": false })))
        }
        None => Err(taken(call, &key)?),
    }
}

/// Returns the error for an existing name, with the URL of that repository.
fn taken(call: &Call, key: &RepoKey) -> Result<ApiError, ApiError> {
    let url = call.page_url(&call.hub.store.spelled(key)?);
    let message = format!("You already created this {} repo", key.kind.singular());
    Ok(ApiError::conflict(message).with("url", url))
}

impl Named {
    /// Returns the key; the namespace defaults to the caller's.
    fn key(&self, caller: &Caller) -> Result<RepoKey, ApiError> {
        let id = match &self.organization {
            Some(organization) => format!("{organization}/{}", self.name),
            None if self.name.contains('/') => self.name.clone(),
            None => format!("{}/{}", caller.user()?.name, self.name),
        };
        Ok(RepoKey::new(lookup::kind(self.kind.as_deref())?, lookup::id(&id)?))
    }
}

/// Returns the files of the first commit: the default ones, and those of the request.
fn first_files(
    key: &RepoKey,
    sdk: Option<&str>,
    sent: Vec<NewFile>,
) -> Result<BTreeMap<String, Vec<u8>>, ApiError> {
    let attributes = default_gitattributes(key.kind).as_bytes().to_vec();
    let mut files = BTreeMap::from([(".gitattributes".to_owned(), attributes)]);
    if let Some(readme) = first_readme(key, sdk)? {
        files.insert("README.md".to_owned(), readme.into_bytes());
    }
    for NewFile { path, content, encoding } in sent {
        let content = commit::content(key.kind, &path, content.into(), encoding.as_deref())?;
        // A repository that does not exist yet has no uploaded large files.
        if commit::pointer(&content).is_some() {
            return Err(commit::points_nowhere(&path));
        }
        files.insert(path, content);
    }
    let folders =
        files.keys().flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
    match folders.into_iter().find(|folder| files.contains_key(*folder)) {
        Some(path) => Err(ApiError::bad_request(format!("{path} cannot be a file and a folder"))),
        None => Ok(files),
    }
}

/// Returns the README of a Space, which names its SDK.
fn first_readme(key: &RepoKey, sdk: Option<&str>) -> Result<Option<String>, ApiError> {
    if key.kind != RepoKind::Space {
        return Ok(None);
    }
    let sdk = sdk.ok_or_else(|| ApiError::bad_request("\"sdk\" is required"))?;
    if !SDKS.contains(&sdk) {
        let message = format!("\"sdk\" must be one of [{}]", SDKS.join(", "));
        return Err(ApiError::bad_request(message));
    }
    let title = settings::title(key.id.name());
    Ok(Some(format!("---\ntitle: {title}\nsdk: {sdk}\npinned: false\n---\n\n# {title}\n")))
}
