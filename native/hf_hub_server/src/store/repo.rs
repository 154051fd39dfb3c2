//! One repository: its name, its settings, its git repository.

use std::path::PathBuf;

use super::git::Git;
use super::repo_id::{RepoId, RepoKey};
use super::settings::Settings;

/// An existing repository.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    /// Its name.
    pub(crate) key: RepoKey,
    /// The bare repository.
    pub(crate) git_dir: PathBuf,
    /// Its settings.
    pub(crate) settings: Settings,
}

impl Repo {
    /// Opens the git repository.
    pub(crate) fn git(&self) -> Result<Git, git2::Error> {
        Git::open(&self.git_dir)
    }
}

/// The repository that a name leads to.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// A repository.
    Found(Box<Repo>),
    /// A repository that now has this name.
    Moved(RepoId),
    /// Nothing.
    Missing,
}

impl Lookup {
    /// Returns the repository, if the name leads directly to it.
    pub(crate) fn found(self) -> Option<Repo> {
        match self {
            Self::Found(repo) => Some(*repo),
            _ => None,
        }
    }
}
