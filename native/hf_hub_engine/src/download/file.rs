//! Downloads one file into a cache, or into a plain folder.
//!
//! This file decides; [`crate::transfer`] transfers bytes, [`crate::cache`] accesses the disk.

use std::borrow::Cow;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        etag::Proof,
        hash,
        progress::Progress,
    },
    download::{
        errors, locate,
        report::Report,
        spec::{Destination, Mode, Spec},
        to_cache, to_file, to_folder,
    },
    hub::client::Hub,
};

/// Maximum number of times that a file may change on the Hub during its download.
const CHANGES: u32 = 3;

/// Downloads a file unless it is cached.
pub async fn run(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    progress.add_files(1);
    hub.within_deadline(progress, Box::pin(download(hub, spec, progress)))
        .await
        .map_err(|error| errors::file(hub, spec, error))
}

/// Downloads a file like [`run`], for callers that handle progress and deadline themselves.
pub(crate) async fn download(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    let report = attempts(hub, spec, progress).await?;
    match check_sha256(spec, &report).await {
        Ok(()) => Ok(report),
        // The copy may be damaged: after another download, it may match.
        Err(error) if !report.cached || report.stale.is_some() || spec.may_not_ask(hub) => {
            Err(error)
        }
        Err(_) => {
            let again = Spec { mode: Mode { force: true, ..spec.mode }, ..spec.clone() };
            let report = attempts(hub, &again, progress).await?;
            check_sha256(spec, &report).await?;
            Ok(report)
        }
    }
}

async fn attempts(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    let mut spec = Cow::Borrowed(spec);
    for _ in 0..CHANGES {
        let report = match (&spec.file, &spec.destination) {
            (Some(path), Destination::Cache(cache) | Destination::Folder(_, cache)) => {
                to_file::to_file(hub, &spec, &path.0, cache, progress).await?
            }
            (None, Destination::Cache(cache)) => {
                to_cache::to_cache(hub, &spec, cache, progress).await?
            }
            (None, Destination::Folder(folder, cache)) => {
                to_folder::to_folder(hub, &spec, folder, cache, progress).await?
            }
        };
        if let Some(report) = report {
            return Ok(report);
        }
        // The listing would return the same metadata again.
        spec.to_mut().ask = true;
    }
    let message =
        format!("the file kept changing on the Hub while it was downloaded ({CHANGES} times)");
    Err(Error::new(ErrorKind::Conflict, message))
}

async fn check_sha256(spec: &Spec, report: &Report) -> Result<()> {
    let Some(expected) = spec.sha256.as_ref().filter(|_| !spec.mode.dry_run) else { return Ok(()) };
    let actual = if let Some(proved) = &report.sha256 {
        proved.clone()
    } else {
        let path = report.path.clone();
        blocking::run(move || hash::file(&path, Proof::Sha256)).await?.unwrap_or_default()
    };
    locate::same_sha256(&actual, expected)
}
