//! Which revisions of which repositories an operation on a cache is for.

use std::{borrow::Cow, collections::BTreeSet, ffi::OsString};

use serde::{Deserialize, Deserializer};

use crate::{
    base::{error::Result, input::RawPath},
    cache::{layout::CacheDir, scan},
};

/// Which revisions of a repository to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commits {
    /// All revisions, and the repository's folder.
    All,
    /// These commits.
    These(BTreeSet<String>),
}

/// Folders in a cache, and which revisions of each; `None` for everything.
pub type Targets = Option<Vec<(OsString, Commits)>>;

/// Reads targets: a folder's name and its commits, `None` for all of them.
pub(crate) fn read<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<Targets, D::Error> {
    let targets = Option::<Vec<(RawPath, Option<BTreeSet<String>>)>>::deserialize(input)?;
    let target = |(folder, commits): (RawPath, Option<_>)| {
        (folder.0.into_os_string(), commits.map_or(Commits::All, Commits::These))
    };
    Ok(targets.map(|targets| targets.into_iter().map(target).collect()))
}

/// Returns the targets; where none are named, all repositories of the cache.
pub(crate) fn named<'a>(
    cache: &CacheDir,
    targets: &'a Targets,
) -> Result<Cow<'a, [(OsString, Commits)]>> {
    if let Some(targets) = targets {
        return Ok(Cow::Borrowed(targets));
    }
    let names = scan::entries(cache)?.into_iter();
    let repos = names.filter(|name| scan::identity(name).is_some());
    Ok(repos.map(|name| (name, Commits::All)).collect())
}
