//! The name of a repository: its kind and its id.
//!
//! A parsed id is safe to use as a path below the root; nothing else in the crate checks ids. It
//! does not check whether the repository exists.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, bail};
use serde::{Deserialize, Serialize};

/// The three kinds of git repositories on the Hub.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    clap::ValueEnum,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RepoKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
}

impl RepoKind {
    /// All kinds, in listing order.
    pub(crate) const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// The name used in API routes and in the folder layout.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// The name used in messages.
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// The prefix of the id in page and file URLs; models have none.
    pub(crate) fn url_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    /// Returns the kind with this singular name, which is also the one in the database.
    pub(crate) fn from_singular(name: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|kind| kind.singular() == name);
        known.with_context(|| format!("`{name}` is no kind of repository"))
    }

    /// Returns the kind with this plural name.
    pub(crate) fn from_plural(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == name)
    }
}

/// `namespace/name`, or only `name` for the canonical repositories such as `gpt2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RepoId {
    namespace: Option<String>,
    name: String,
}

impl RepoId {
    /// Returns the user or organisation that owns it.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Returns the last part of the id.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of the host that serves it, if it is a Space.
    pub(crate) fn subdomain(&self) -> String {
        self.to_string().to_lowercase().replace(['/', '.', '_'], "-")
    }
}

impl FromStr for RepoId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        let (namespace, name) = match id.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, id),
        };
        for part in namespace.into_iter().chain([name]) {
            check_name(part)?;
        }
        Ok(Self { namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Kind and id together identify one repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RepoKey {
    /// Model, dataset or Space.
    pub(crate) kind: RepoKind,
    /// The id within that kind.
    pub(crate) id: RepoId,
}

impl RepoKey {
    /// Combines kind and id.
    pub(crate) fn new(kind: RepoKind, id: RepoId) -> Self {
        Self { kind, id }
    }
}

impl fmt::Display for RepoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.singular(), self.id)
    }
}

/// Checks one part of an id, or the name of a user or an organisation.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let allowed = |c: char| is_word(c) || c == '-' || c == '.';
    if name.is_empty() || name.len() > 96 {
        bail!("`{name}` must have 1 to 96 characters");
    }
    if !name.chars().all(allowed) || !name.starts_with(is_word) || !name.ends_with(is_word) {
        bail!(
            "`{name}` may hold letters, digits, `-`, `_`, `.` and must begin and end with a letter or digit"
        );
    }
    if name.contains("--") || name.contains("..") {
        bail!("`{name}` may not contain `--` or `..`");
    }
    // `X.git` and `X.git.lock` are the files of repository X on disk; `X.git.json` was one.
    if format!("{}.", name.to_ascii_lowercase()).contains(".git.") {
        bail!("`{name}` may not contain `.git`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_ids_of_the_hub() {
        for id in ["gpt2", "acme/tiny", "a/b.c-d_e", "0/1", "acme/x.github"] {
            assert_eq!(id.parse::<RepoId>().unwrap().to_string(), id);
        }
    }

    #[test]
    fn rejects_ids_that_leave_the_root_or_collide() {
        let long = "x".repeat(97);
        for id in [
            "",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "..",
            "a/..",
            "../b",
            "a--b",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a b",
            "a\0b",
            "a.git",
            "a.git/b",
            "a.git.json",
            "é",
            "a\\b",
            "a%2fb",
            &long,
        ] {
            assert!(id.parse::<RepoId>().is_err(), "{id:?}");
        }
    }
}
