//! What a request names, as far as its caller may see it.

use git2::Oid;

use super::call::Call;
use super::error::ApiError;
#[cfg(feature = "xet")]
use crate::store::Bucket;
use crate::store::{Git, Lookup, Repo, RepoId, RepoKey, RepoKind};

/// Returns where a repository is for this caller: invisible repositories do not exist, even under
/// an old name. A different case of the letters counts as an old name.
pub(super) fn open(call: &Call, key: &RepoKey) -> Result<Lookup, ApiError> {
    let store = &call.hub.store;
    let spelled = store.spelled(key)?;
    let place = if spelled == *key { store.locate(key)? } else { Lookup::Moved(spelled.id) };
    let visible = match &place {
        Lookup::Found(repo) => call.caller.may_see(repo)?,
        Lookup::Moved(id) => match store.locate(&RepoKey::new(key.kind, id.clone()))?.found() {
            Some(target) => call.caller.may_see(&target)?,
            None => true,
        },
        Lookup::Missing => true,
    };
    Ok(if visible { place } else { Lookup::Missing })
}

/// Opens the git repository and finds a revision in it.
pub(super) fn checkout(repo: &Repo, revision: &str) -> Result<(Git, Oid), ApiError> {
    let git = repo.git()?;
    let commit = git.resolve(revision)?.ok_or_else(|| ApiError::revision_not_found(revision))?;
    Ok((git, commit))
}

/// Returns a bucket that the caller may see.
#[cfg(feature = "xet")]
pub(super) fn find_bucket(call: &Call, namespace: &str, name: &str) -> Result<Bucket, ApiError> {
    let found = call.hub.store.buckets().find(namespace, name)?;
    let found = found.filter(|found| !found.private || call.caller.may_read_in(&found.namespace));
    found.ok_or_else(|| ApiError::repo_not_found(call.caller.is_anonymous()))
}

/// Parses the kind of a repository; models by default.
pub(super) fn kind(name: Option<&str>) -> Result<RepoKind, ApiError> {
    let name = name.unwrap_or(RepoKind::Model.singular());
    let known = RepoKind::ALL.into_iter().find(|kind| kind.singular() == name);
    known.ok_or_else(|| ApiError::bad_request(format!("Invalid repo type: {name}")))
}

/// Parses the id of a repository.
pub(super) fn id(id: &str) -> Result<RepoId, ApiError> {
    id.parse().map_err(|err| ApiError::bad_request(format!("Invalid repo name: {err}")))
}
