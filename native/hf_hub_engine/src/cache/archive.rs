//! Exports and imports selected repositories of a cache as one tar file, for air-gapped machines.
//!
//! The archive contains files in the layout of a cache, so `tar -x` in an empty cache folder works
//! for any client. Before them comes a manifest with the hash of every blob. Importing trusts the
//! manifest's names only after checking them, and the contents only after hashing them.

mod export;
mod import;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use export::run as export;
pub use import::run as import;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Etag, Proof},
        ids::{Commit, EntryPath, Repo, Revision},
        input, output,
    },
    cache::{
        delete::{self, Targets},
        layout::CacheDir,
    },
};

/// Path of the manifest in an archive: a place that other clients ignore, in case the archive is
/// unpacked with `tar`.
const MANIFEST: &str = ".locks/hf-hub-export.json";
const FORMAT_VERSION: u32 = 1;

/// What to export.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// Folders in the cache, and which revisions of each; `None` for everything.
    #[serde(deserialize_with = "delete::targets::read")]
    pub targets: Targets,
    /// The archive file to write.
    #[serde(deserialize_with = "input::path")]
    pub archive: PathBuf,
}

/// What to import.
#[derive(Debug, Deserialize)]
pub struct Import {
    /// The archive file.
    #[serde(deserialize_with = "input::path")]
    pub archive: PathBuf,
    /// Whether cached files are links to blobs.
    pub symlinks: bool,
}

/// What an archive contains.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The archive file, or the cache it was imported into.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// The repositories, each as `model/org/name`.
    pub repos: Vec<String>,
    /// Number of revisions.
    pub revisions: usize,
    /// Number of blobs.
    pub files: usize,
    /// Total size of the blobs, in bytes.
    pub bytes: u64,
}

/// The manifest of an archive.
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
    /// By blob name.
    blobs: BTreeMap<String, Content>,
    /// By commit.
    revisions: BTreeMap<String, RevisionEntry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct RevisionEntry {
    /// The blob that each file links to.
    links: BTreeMap<String, String>,
    /// Files that are not links, as in caches without symlinks.
    files: BTreeMap<String, Content>,
    /// Whether the archive contains the commit's listing.
    listed: bool,
}

/// Size and hash of a blob.
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
    /// The hash algorithm that a blob's name implies; SHA-256 if it implies none.
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

/// Returns the etag that names a blob in an archive.
fn blob_name(name: &str) -> Result<Etag> {
    Etag::of_blob(name).ok_or_else(|| broken("a blob has a name that no cache uses"))
}

/// An entry of a manifest whose names have been checked.
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
                return Err(broken("a ref names a commit that is not listed"));
            }
        }
        let repo = Repo::new(self.repo_type.parse()?, &self.repo_id)?;
        let blobs = self.blobs.iter().map(|(name, content)| {
            let etag = blob_name(name)?;
            // Which algorithm produces these digits depends on the server; the content is compared
            // with them in any case.
            let says = !etag.is_proof() || etag.as_str().eq_ignore_ascii_case(&content.hash);
            if says {
                Ok((etag, content))
            } else {
                Err(broken("a blob's hash does not match its name"))
            }
        });
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        let revisions = self.revisions.iter().map(|(commit, entry)| {
            let link = |(path, name): (&String, &String)| {
                if !self.blobs.contains_key(name) {
                    return Err(broken("a file's blob is not listed"));
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

/// The layout of an archive: that of a cache, relative to its root.
fn inside() -> CacheDir {
    CacheDir::new("")
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArchive, format!("the archive is not imported: {why}"))
}

fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "stopped")
}
