//! The specification of a download: which file, where to, and how.

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;

use crate::{
    base::{
        ids::{EntryPath, Repo, Revision},
        input::RawPath,
    },
    cache::layout::{CacheDir, LocalDir},
    download::{
        shared::{Shared, Sharing},
        stages::{Stages, Turn},
    },
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// Which file, and where to.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The file.
    #[serde(rename = "filename")]
    pub path: EntryPath,
    /// The destination.
    pub destination: Destination,
    /// A file to replace instead of one in the destination, which still has the lock.
    pub file: Option<RawPath>,
    /// The mode.
    pub mode: Mode,
    /// The metadata, if a listing has provided it.
    #[serde(skip)]
    pub known: Option<FileMetadata>,
    /// Whether to request the file's own headers because they contradict the listing.
    #[serde(skip)]
    pub ask: bool,
    /// A SHA-256 that the content must have in addition to what the Hub announces.
    #[serde(rename = "expected_sha256")]
    pub sha256: Option<String>,
    /// Stems of existing partial files, if the folder was listed once for many files; `None` to
    /// list it.
    #[serde(skip)]
    pub partials: Option<Arc<HashSet<String>>>,
    /// The stages that the files of the same call pass.
    #[serde(skip)]
    pub stages: Stages,
    /// Transfers that this download may join.
    #[serde(skip)]
    pub shared: Shared,
}

impl Sharing for Spec {
    fn sharing(self, shared: Shared) -> Self {
        Self { shared, ..self }
    }
}

/// Where files are stored.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Into the shared cache.
    Cache(CacheDir),
    /// A folder with real files; the cache is searched for copies.
    Folder(LocalDir, CacheDir),
}

/// Switches of a download.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as users set them")]
pub struct Mode {
    /// Download the file even if it is cached.
    #[serde(rename = "force_download")]
    pub force: bool,
    /// Make no requests.
    pub local_files_only: bool,
    /// Only report what would be downloaded.
    pub dry_run: bool,
    /// Whether cached files are links to blobs.
    pub symlinks: bool,
    /// Whether blobs are shared with other repositories of the cache.
    pub shared_blobs: bool,
}

impl Spec {
    /// Waits for a turn if the Hub is asked, whose response may contain the file.
    pub(crate) async fn turn_to_ask(&self) -> Option<Turn> {
        match &self.known {
            Some(_) if !self.ask => None,
            _ => Some(self.stages.turn().await),
        }
    }

    pub(crate) fn may_not_ask(&self, hub: &Hub) -> bool {
        self.mode.local_files_only || hub.offline
    }
}
