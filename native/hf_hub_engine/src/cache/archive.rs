//! Chosen repositories of a cache as one tar file, for machines without a network.
//!
//! The archive is a piece of a cache as it lies on disk, so `tar -x` in an empty cache
//! folder does for any client; before it comes a manifest with the hash of every
//! content. Importing believes the manifest's names only after checking them, and the
//! contents only after hashing them.

mod export;
mod import;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use export::run as export;
pub use import::run as import;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Etag, Proof},
        ids::{Commit, EntryPath, Repo, Revision},
    },
    cache::{delete::Commits, layout::CacheDir, scan::path},
};

/// The manifest in an archive: where other clients do not look, should it be unpacked with `tar`.
const MANIFEST: &str = ".locks/hf-hub-export.json";
const FORMAT_VERSION: u32 = 1;

/// What to put into an archive.
#[derive(Debug)]
pub struct Spec {
    /// Folders in the cache, and which revisions of them.
    pub targets: Vec<(OsString, Commits)>,
    /// The file to write.
    pub archive: PathBuf,
}

/// What an archive holds.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The file, or the cache it was imported to.
    #[serde(serialize_with = "path")]
    pub path: PathBuf,
    /// The repositories: `model/org/name`.
    pub repos: Vec<String>,
    /// How many revisions.
    pub revisions: usize,
    /// How many contents.
    pub files: usize,
    /// Bytes of the contents.
    pub bytes: u64,
}

/// What the archive says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format_version: u32,
    repos: Vec<RepoEntry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RepoEntry {
    repo_type: String,
    repo_id: String,
    refs: BTreeMap<String, String>,
    /// By their names.
    blobs: BTreeMap<String, Content>,
    /// By their commits.
    revisions: BTreeMap<String, RevisionEntry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RevisionEntry {
    /// Which blob each file shows.
    links: BTreeMap<String, String>,
    /// Files that are no links, as caches without symlinks have them.
    files: BTreeMap<String, Content>,
    /// Whether the commit's listing is in the archive.
    listed: bool,
}

/// What a content is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    size: u64,
    algorithm: Algorithm,
    hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Algorithm {
    Sha256,
    GitSha1,
    GitSha256,
    Sha1,
}

impl Algorithm {
    /// What a content's name tells of itself; SHA-256 where it tells nothing.
    fn of(proof: Proof) -> Self {
        match proof {
            Proof::Sha256 | Proof::None => Self::Sha256,
            Proof::GitSha1 => Self::GitSha1,
            Proof::GitSha256 => Self::GitSha256,
            Proof::Sha1 => Self::Sha1,
        }
    }

    fn proof(self) -> Proof {
        match self {
            Self::Sha256 => Proof::Sha256,
            Self::GitSha1 => Proof::GitSha1,
            Self::GitSha256 => Proof::GitSha256,
            Self::Sha1 => Proof::Sha1,
        }
    }
}

/// The etag that a blob of an archive is named by.
fn blob_name(name: &str) -> Result<Etag> {
    Etag::of_blob(name).ok_or_else(|| broken("a content has a name that no cache uses"))
}

/// A manifest's entry whose names have been checked.
struct Checked<'a> {
    repo: Repo,
    blobs: Vec<(Etag, &'a Content)>,
    revisions: Vec<CheckedRevision<'a>>,
}

struct CheckedRevision<'a> {
    commit: Commit,
    links: Vec<(EntryPath, Etag)>,
    files: Vec<(EntryPath, &'a Content)>,
    listed: bool,
}

impl RepoEntry {
    /// Checks every name.
    fn check(&self) -> Result<Checked<'_>> {
        self.names().map_err(|error| match error.kind() {
            ErrorKind::InvalidArchive => error,
            _ => broken(error.message()),
        })
    }

    fn names(&self) -> Result<Checked<'_>> {
        for (name, commit) in &self.refs {
            Revision::parse(name)?;
            if !self.revisions.contains_key(commit) {
                return Err(broken("a branch stands for a commit that is not listed"));
            }
        }
        let repo = Repo::new(self.repo_type.parse()?, &self.repo_id)?;
        let blobs = self.blobs.iter().map(|(name, content)| {
            let etag = blob_name(name)?;
            // Which algorithm makes these digits depends on the server; the content is compared with them in any case.
            let says = !etag.is_proof() || etag.as_str().eq_ignore_ascii_case(&content.hash);
            if says { Ok((etag, content)) } else { Err(broken("a content's hash is not its name")) }
        });
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        let revisions = self.revisions.iter().map(|(commit, entry)| {
            let link = |(path, name): (&String, &String)| {
                if !self.blobs.contains_key(name) {
                    return Err(broken("a file's content is not listed"));
                }
                Ok((EntryPath::parse(path)?, blob_name(name)?))
            };
            Ok(CheckedRevision {
                commit: Commit::parse(commit)?,
                links: entry.links.iter().map(link).collect::<Result<_>>()?,
                files: entry
                    .files
                    .iter()
                    .map(|(path, content)| Ok((EntryPath::parse(path)?, content)))
                    .collect::<Result<_>>()?,
                listed: entry.listed,
            })
        });
        Ok(Checked { repo, blobs, revisions: revisions.collect::<Result<_>>()? })
    }
}

impl Manifest {
    fn report(&self, path: PathBuf) -> Report {
        let contents = || {
            let files = |repo: &'_ RepoEntry| {
                repo.revisions
                    .values()
                    .flat_map(|revision| revision.files.values())
                    .map(|c| c.size)
                    .collect::<Vec<_>>()
            };
            self.repos
                .iter()
                .flat_map(move |repo| repo.blobs.values().map(|c| c.size).chain(files(repo)))
        };
        Report {
            path,
            repos: self
                .repos
                .iter()
                .map(|repo| format!("{}/{}", repo.repo_type, repo.repo_id))
                .collect(),
            revisions: self.repos.iter().map(|repo| repo.revisions.len()).sum(),
            files: contents().count(),
            bytes: contents().sum(),
        }
    }
}

/// Where things lie in an archive: as in a cache, from its root.
fn inside() -> CacheDir {
    CacheDir::new("")
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArchive, format!("the archive is not imported: {why}"))
}

fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "stopped")
}
