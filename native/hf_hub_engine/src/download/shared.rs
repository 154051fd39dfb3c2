//! Transfers of one content that several callers wait for.

use std::path::PathBuf;

use crate::{
    base::{
        bandwidth::Bandwidth,
        error::Result,
        etag::Etag,
        permits::{Permit, Permits},
        progress::{FileProgress, Progress},
    },
    download::{report::Report, single_flight, stages::Turn},
    hub::{
        client::Hub,
        file_metadata::{Content, FileMetadata},
        token::Token,
    },
};

/// The downloads in progress; clones share them.
pub type Shared = single_flight::Tasks<Key, Option<Report>>;

/// What callers must have in common to share a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The destination.
    pub(crate) path: PathBuf,
    /// The content.
    pub(crate) etag: Etag,
    /// The endpoint it comes from.
    pub(crate) endpoint: String,
    /// The token of the caller.
    pub(crate) token: Option<Token>,
    /// Whether to download even if it is cached.
    pub(crate) force: bool,
    /// The bandwidth limits that apply.
    pub(crate) bandwidth: Vec<usize>,
}

impl Key {
    /// Creates the key of the content `metadata` from `hub`, stored at `path`.
    pub(crate) fn new(path: PathBuf, force: bool, hub: &Hub, metadata: &FileMetadata) -> Self {
        Self {
            path,
            force,
            bandwidth: hub.flow.bandwidth.iter().map(Bandwidth::id).collect(),
            etag: metadata.etag.clone(),
            endpoint: hub.endpoint.to_string(),
            token: hub.token.clone(),
        }
    }
}

/// An operation that joins the transfers of others.
pub trait Sharing {
    /// Sets the transfers that it may join.
    #[must_use]
    fn sharing(self, shared: Shared) -> Self;
}

/// What a transfer starts with.
#[derive(Default)]
pub(crate) struct Start {
    /// The response that the metadata came with.
    pub(crate) content: Option<Content>,
    /// The permit of the download.
    pub(crate) permit: Option<Permit>,
    /// The turn that the metadata was requested in.
    pub(crate) turn: Option<Turn>,
}

impl Start {
    /// Returns the response and its turn, and a permit for the duration of the transfer.
    pub(crate) async fn at(self, permits: &Permits) -> (Option<Content>, Option<Turn>, Permit) {
        let permit = match self.permit {
            Some(permit) => permit,
            None => permits.transfer().await,
        };
        (self.content, self.turn, permit)
    }
}

/// Joins the transfer of the same content, or starts it; also returns whether it was started.
pub(crate) async fn share<F>(
    shared: &Shared,
    file: FileProgress,
    key: Key,
    mut start: Start,
    progress: &Progress,
    begin: impl Fn(Start, Progress) -> F,
) -> Result<(Option<Report>, bool)>
where
    F: Future<Output = Result<Option<Report>>> + Send + 'static,
{
    let mut first = true;
    let (report, ours) = loop {
        let (task, ours) =
            shared.join(key.clone(), |progress| begin(std::mem::take(&mut start), progress));
        // An unread response would only keep its connection and permit from others.
        drop(std::mem::take(&mut start));
        match task.wait(&file).await {
            // The other caller may have had a smaller retry budget.
            Err(error) if !ours && first && error.is_transient() => file.restart(),
            result => break (result?, ours),
        }
        first = false;
    };
    match &report {
        Some(report) if !report.cached => file.finish(),
        Some(_) => {
            file.abandon();
            progress.skip_files(1);
        }
        None => file.abandon(),
    }
    Ok((report, ours))
}
