//! One repository: its name, its settings, its git side.

use std::path::PathBuf;

use super::git::Git;
use super::repo_id::{RepoId, RepoKey};
use super::settings::Settings;

/// A repository that exists.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    /// Its name.
    pub(crate) key: RepoKey,
    /// The bare repository.
    pub(crate) git_dir: PathBuf,
    /// What was set for it.
    pub(crate) settings: Settings,
}

impl Repo {
    /// Opens the git side.
    pub(crate) fn git(&self) -> Result<Git, git2::Error> {
        Git::open(&self.git_dir)
    }
}

/// Where a name leads.
#[derive(Debug)]
pub(crate) enum Place {
    /// To a repository.
    Here(Box<Repo>),
    /// To a repository that is called this now.
    Moved(RepoId),
    /// To nothing.
    Nowhere,
}

impl Place {
    /// The repository, if the name leads straight to it.
    pub(crate) fn here(self) -> Option<Repo> {
        match self {
            Self::Here(repo) => Some(*repo),
            _ => None,
        }
    }
}
