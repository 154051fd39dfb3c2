//! Transfers of one content that several callers wait for.

use std::path::PathBuf;

use crate::{
    base::{
        bandwidth::Bandwidth,
        error::Result,
        etag::Etag,
        places::{Place, Places},
        progress::{FileProgress, Progress},
    },
    download::{report::Report, single_flight},
    hub::{
        client::Hub,
        file_metadata::{Content, FileMetadata},
        token::Token,
    },
};

/// The downloads under way; clones share them.
pub type Shared = single_flight::Tasks<Key, Option<Report>>;

/// What two callers must have in common to share a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where the content goes.
    pub(crate) path: PathBuf,
    /// Which content it is.
    pub(crate) etag: Etag,
    /// Where it comes from.
    pub(crate) endpoint: String,
    /// Who is asking.
    pub(crate) token: Option<Token>,
    /// Whether what is here may do.
    pub(crate) force: bool,
    /// The limits on bytes a second it keeps.
    pub(crate) bandwidth: Vec<usize>,
}

impl Key {
    /// For the content `metadata` of `hub`, on its way to `path`.
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

/// What a transfer begins with.
#[derive(Default)]
pub(crate) struct Start {
    /// The response that the metadata came with.
    pub(crate) content: Option<Content>,
    /// The place of the download.
    pub(crate) place: Option<Place>,
}

impl Start {
    /// The response, and a place for as long as the transfer takes.
    pub(crate) async fn at(self, places: &Places) -> (Option<Content>, Place) {
        let place = match self.place {
            Some(place) => place,
            None => places.transfer().await,
        };
        (self.content, place)
    }
}

/// Joins the transfer of the same content, or begins it; also tells whether it was begun.
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
        // An answer that nobody reads would only keep its connection, and a place that of others.
        drop(std::mem::take(&mut start));
        match task.wait(&file).await {
            // Theirs may have given up sooner than we do.
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
