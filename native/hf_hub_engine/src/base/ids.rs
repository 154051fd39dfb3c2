//! The names that become parts of URLs and paths: repository, revision, commit, etag, file.
//!
//! Each is a type that only its parser can create, so no other file has to check whether a name is
//! safe. A name that could do harm on any system is refused on every system. A name that merely
//! cannot be written on some system is refused only when it is written, see [`path`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::base::{
    error::{Error, ErrorKind, Result},
    hex,
};

pub mod path;

pub use path::{EntryPath, RepoPath};

/// The type of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoType {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
    /// A Space.
    Space,
    /// A bucket: files without commits.
    Bucket,
}

impl RepoType {
    /// The singular name: `model`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
            Self::Bucket => "bucket",
        }
    }

    /// The prefix of the id in a file's URL: none for models.
    pub fn url_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
            Self::Bucket => "buckets/",
        }
    }
}

impl FromStr for RepoType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "model" => Ok(Self::Model),
            "dataset" => Ok(Self::Dataset),
            "space" => Ok(Self::Space),
            "bucket" => Ok(Self::Bucket),
            _ => Err(invalid("repo type", name, "use model, dataset or space")),
        }
    }
}

/// A repository as a caller names it.
#[derive(Debug, Deserialize)]
pub struct RepoName {
    repo_type: String,
    id: String,
}

/// Names as a caller gives them.
#[derive(Debug, Deserialize)]
pub struct Names {
    repo: RepoName,
    revision: String,
    /// A path that is only read in the repository.
    path: Option<String>,
    /// A file to be written to this machine.
    filename: Option<String>,
}

impl Names {
    /// Returns the error of the first name that is not valid.
    pub fn check(self) -> Result<()> {
        Repo::try_from(self.repo)?;
        Revision::parse(&self.revision)?;
        self.path.as_deref().map(RepoPath::parse).transpose()?;
        self.filename.as_deref().map(EntryPath::parse).transpose()?;
        Ok(())
    }
}

/// A revision of a repository.
#[derive(Clone, Debug, Deserialize)]
pub struct RepoRevision {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
}

/// A repository: type and id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "RepoName")]
pub struct Repo {
    kind: RepoType,
    id: String,
}

impl Repo {
    /// Parses the id: `name` or `namespace/name`, each of 1 to 96 ASCII letters, digits, `-`, `_`,
    /// `.`, beginning and ending with a letter, digit or `_`.
    pub fn new(kind: RepoType, id: &str) -> Result<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        if kind == RepoType::Bucket {
            // The Hub does not restrict the names of buckets as it does those of repositories.
            let ok = parts.len() == 2 && parts.iter().all(|part| is_bucket_name(part));
            let bucket = ok.then(|| Self { kind, id: id.to_owned() });
            return bucket.ok_or_else(|| invalid("bucket", id, "use \"namespace/name\""));
        }
        let ok = parts.len() <= 2
            && parts.iter().all(|part| is_repo_name(part))
            && !id.contains("--")
            && !id.contains("..")
            && id.rsplit_once('.').is_none_or(|(_, ending)| ending != "git");
        if !ok {
            return Err(invalid(
                "repository id",
                id,
                "use \"name\" or \"namespace/name\" as on the Hub",
            ));
        }
        Ok(Self { kind, id: id.to_owned() })
    }

    /// Returns the type.
    pub fn kind(&self) -> RepoType {
        self.kind
    }

    /// Returns the id: `namespace/name` or `name`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Names it in a message: `model repository "org/name"`, or `bucket "org/name"`.
    pub fn in_words(&self) -> String {
        let kind = self.kind.name();
        match self.kind {
            RepoType::Bucket => format!("{kind} \"{}\"", self.id),
            _ => format!("{kind} repository \"{}\"", self.id),
        }
    }

    /// Returns the name of this repository's folder in a cache: `models--namespace--name`.
    pub fn folder_name(&self) -> String {
        format!("{}s--{}", self.kind.name(), self.id.replace('/', "--"))
    }
}

impl TryFrom<RepoName> for Repo {
    type Error = Error;

    fn try_from(name: RepoName) -> Result<Self> {
        Self::new(name.repo_type.parse()?, &name.id)
    }
}

impl fmt::Display for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// A commit: the name of a snapshot. The Hub uses 40 hex digits; other servers use any name of a
/// state of the repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Commit(String);

impl Commit {
    /// Parses a commit: a valid folder name on every system.
    pub fn parse(text: &str) -> Result<Self> {
        const LONGEST: usize = 128;
        let safe = (1..=LONGEST).contains(&text.len())
            && !text.starts_with('.')
            && !text.ends_with('.')
            && text.bytes().all(|b| b.is_ascii_graphic() && !b"/\\:*?\"<>|".contains(&b));
        if safe {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid("commit", text, "it is not a valid folder name on every system"))
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a SHA-1 or SHA-256 hash, and so always stands for the same files.
    pub fn is_immutable(&self) -> bool {
        hex::is(&self.0, 40) || hex::is(&self.0, 64)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A revision: branch, tag, pull request ref or commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Revision(String);

impl Revision {
    /// Parses a revision, which has to be valid in a path: `refs/<revision>`.
    pub fn parse(text: &str) -> Result<Self> {
        path::check_harmless(text)
            .and_then(|()| text.split('/').try_for_each(|part| path::Platform::HERE.check(part)))
            .and_then(
                |()| if text.contains('\\') { Err("it contains a backslash") } else { Ok(()) },
            )
            .map_err(|why| invalid("revision", text, why))?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the commit if this revision is one, and so never moves.
    pub fn as_commit(&self) -> Option<Commit> {
        Commit::parse(&self.0).ok().filter(Commit::is_immutable)
    }
}

impl TryFrom<String> for Revision {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_bucket_name(part: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.+~-".contains(&b);
    !matches!(part, "" | "." | "..") && part.bytes().all(allowed)
}

fn is_repo_name(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = part.as_bytes();
    (1..=96).contains(&bytes.len())
        && bytes.iter().all(|&b| word(b) || b == b'-' || b == b'.')
        && bytes.first().is_some_and(|&b| word(b))
        && bytes.last().is_some_and(|&b| word(b))
}

fn invalid(what: &str, text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(200).collect();
    Error::new(ErrorKind::InvalidName, format!("invalid {what} {shown:?}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_repository_ids_of_the_hub() {
        for id in ["gpt2", "org/name", "a/b.c_d-e", "_x/y_", &format!("{}/x", "a".repeat(96))] {
            assert!(Repo::new(RepoType::Model, id).is_ok(), "{id}");
        }
        let long = format!("{}/x", "a".repeat(97));
        for id in [
            "", "/", "a/", "/b", "a/b/c", "a--b", "a..b", "x.git", "-a", "a-", "a b", "café/x",
            "a/b\n", &long, "../x",
        ] {
            assert!(Repo::new(RepoType::Model, id).is_err(), "{id}");
        }
    }

    #[test]
    fn accepts_ids_of_buckets() {
        for id in ["org/name", "a/b--c", "a../.b", "a+b/~c", "a/x.git"] {
            let bucket = Repo::new(RepoType::Bucket, id).unwrap();
            assert_eq!(bucket.kind().url_prefix(), "buckets/", "{id}");
        }
        for id in ["", "name", "a/b/c", "/b", "a/", "../x", "a/..", "a/b c", "a/b\n", "a/b@v1"] {
            assert!(Repo::new(RepoType::Bucket, id).is_err(), "{id}");
        }
    }

    #[test]
    fn revisions_may_contain_slashes_but_not_leave_the_folder() {
        for revision in ["main", "refs/pr/1", "feature/x", "v1.0", "refs/convert/parquet"] {
            assert!(Revision::parse(revision).is_ok(), "{revision}");
        }
        for revision in ["", "../../x", "refs/../x", "a\\b", "/x", "a\n"] {
            assert!(Revision::parse(revision).is_err(), "{revision}");
        }
        assert!(Revision::parse(&"a1".repeat(20)).unwrap().as_commit().is_some());
        assert!(Revision::parse(&"a1".repeat(32)).unwrap().as_commit().is_some());
        assert!(Revision::parse(&"A1".repeat(20)).unwrap().as_commit().is_none());
    }
    #[test]
    fn accepts_any_valid_folder_name_as_commit() {
        for commit in ["v1.0", "main", &"a1".repeat(20), &"a1".repeat(32), "~1"] {
            assert!(Commit::parse(commit).is_ok(), "{commit}");
        }
        let long = "a".repeat(129);
        for commit in
            ["", ".", "..", "../x", "a/b", "a\\b", "a:b", "a b", "a\n", "\u{fc}", ".x", &long]
        {
            assert!(Commit::parse(commit).is_err(), "{commit}");
        }
        assert!(Commit::parse(&"a1".repeat(32)).unwrap().is_immutable());
        assert!(!Commit::parse("v1.0").unwrap().is_immutable());
    }
}
