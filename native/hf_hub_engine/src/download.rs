//! Downloads from a Hub: a file, a whole snapshot, or a stream of bytes.

pub mod adopt;
pub(crate) mod blob_store;
pub mod bucket;
pub(crate) mod errors;
pub mod file;
pub(crate) mod listing;
pub(crate) mod locate;
pub(crate) mod receive;
pub mod report;
pub mod resolve;
pub mod shared;
pub(crate) mod single_flight;
pub mod snapshot;
pub mod spec;
pub(crate) mod stages;
pub mod stream;
pub(crate) mod to_cache;
pub(crate) mod to_file;
pub(crate) mod to_folder;
pub(crate) mod work;

use crate::{
    base::{error::Result, ids::RepoRevision, progress::Progress},
    hub::{client::Hub, hints},
};

/// Downloads a file; an error names what was meant, where the Hub knows that.
pub async fn file(hub: &Hub, spec: spec::Spec, progress: &Progress) -> Result<report::Report> {
    let report = file::run(hub, &spec, progress).await;
    hints::or_meant(hub, &RepoRevision { repo: spec.repo, revision: spec.revision }, report).await
}

/// Downloads the missing files of a snapshot; an error names what was meant.
pub async fn files(
    hub: &Hub,
    spec: snapshot::Spec,
    progress: &Progress,
) -> Result<snapshot::Snapshot> {
    let report = Box::pin(snapshot::run(hub, &spec, progress)).await;
    hints::or_meant(hub, &RepoRevision { repo: spec.repo, revision: spec.revision }, report).await
}

/// Opens a file; an error names what was meant.
pub async fn open(
    hub: &Hub,
    spec: stream::Spec,
    progress: &Progress,
) -> Result<stream::FileStream> {
    let place = RepoRevision { repo: spec.repo.clone(), revision: spec.revision.clone() };
    let file = stream::FileStream::open(hub.clone(), spec, progress.clone()).await;
    hints::or_meant(hub, &place, file).await
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod from_xet;
#[cfg(test)]
mod tests;
