//! The result of a download.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    base::{
        etag::Proof,
        ids::{Commit, EntryPath},
        output,
        scrub::{Scrub, Shown},
    },
    cache::partial::Verified,
    hub::file_metadata::FileMetadata,
    transfer::Way,
};

/// What was, or would be, downloaded.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the file is.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// The path in the repository.
    pub filename: EntryPath,
    /// The commit it belongs to, if known.
    pub commit: Option<Commit>,
    /// Size in bytes, if known.
    pub size: Option<u64>,
    /// Whether it was already cached.
    pub cached: bool,
    /// Whether a dry run would have downloaded it.
    pub will_download: bool,
    /// The content's SHA-256, if this call has verified it.
    #[serde(skip)]
    pub sha256: Option<String>,
    /// Why the Hub could not be asked, if a cached copy was used instead.
    pub stale: Option<String>,
    /// `http` or `xet`, if it was transferred.
    pub transfer: Option<&'static str>,
    /// Why the other of them has failed, if it was tried first.
    pub fallback: Option<String>,
}

impl Report {
    /// Adds how the content has arrived.
    #[must_use]
    pub(crate) fn arrived(self, way: Way) -> Self {
        let transfer = Some(if way.by_xet { "xet" } else { "http" });
        Self { transfer, fallback: way.detour, ..self }
    }

    /// Returns the report for a file that is already cached.
    pub(crate) fn here(
        path: PathBuf,
        filename: &EntryPath,
        commit: Option<Commit>,
        size: Option<u64>,
    ) -> Self {
        let filename = filename.clone();
        Self {
            path,
            filename,
            commit,
            size,
            cached: true,
            will_download: false,
            sha256: None,
            stale: None,
            transfer: None,
            fallback: None,
        }
    }
}

impl Shown for Report {
    fn shown(mut self, scrub: &Scrub) -> Self {
        for why in [&mut self.stale, &mut self.fallback].into_iter().flatten() {
            *why = scrub.text(why).into_owned();
        }
        self
    }
}

/// Facts about content that was just received.
#[derive(Clone)]
pub(crate) struct Arrived {
    size: u64,
    sha256: Option<String>,
}

impl From<&Verified> for Arrived {
    fn from(verified: &Verified) -> Self {
        let sha256 = verified.checksum().filter(|sum| sum.proof() == Proof::Sha256);
        Self { size: verified.size(), sha256: sha256.map(|sum| sum.hex().to_owned()) }
    }
}

/// Returns the report for a file that was just received.
pub(crate) fn fresh_report(
    filename: &EntryPath,
    metadata: &FileMetadata,
    path: PathBuf,
    content: &Arrived,
) -> Report {
    let Arrived { size, sha256 } = content.clone();
    let commit = Some(metadata.commit.clone());
    Report {
        path,
        filename: filename.clone(),
        commit,
        size: Some(size),
        cached: false,
        will_download: false,
        sha256,
        stale: None,
        transfer: None,
        fallback: None,
    }
}
