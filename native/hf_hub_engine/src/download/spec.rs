//! Which file of the Hub a download is for, where it goes, and how.

use std::{collections::HashSet, sync::Arc};

use crate::{
    base::ids::{EntryPath, Repo, Revision},
    cache::layout::{CacheDir, LocalDir},
    download::shared::Shared,
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// Which file, and where to.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The file.
    pub path: EntryPath,
    /// Where it goes.
    pub destination: Destination,
    /// How.
    pub mode: Mode,
    /// What the file is, where a listing has told already.
    pub known: Option<FileMetadata>,
    /// Whether the file's own headers are asked for all the same, since they contradict the listing.
    pub ask: bool,
    /// A SHA-256 the content must have besides what the Hub announces.
    pub sha256: Option<String>,
    /// Of which contents earlier attempts have left something, where one look at the
    /// folder has told for many files; `None` to look.
    pub partials: Option<Arc<HashSet<String>>>,
    /// Transfers that this one may join, or others this one.
    pub shared: Shared,
}

/// Where files go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Into the shared cache.
    Cache(CacheDir),
    /// Into a folder with real files; the cache is looked into for copies.
    Folder(LocalDir, CacheDir),
}

/// Switches of a download.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as users set them")]
pub struct Mode {
    /// Download even what is here already.
    pub force: bool,
    /// Do not use the network.
    pub local_files_only: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Whether cached files are links to blobs.
    pub symlinks: bool,
}

impl Spec {
    pub(crate) fn may_not_ask(&self, hub: &Hub) -> bool {
        self.mode.local_files_only || hub.offline
    }
}
