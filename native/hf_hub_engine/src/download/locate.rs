//! Determines the metadata of a file, from the Hub or from a listing.

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Proof},
        hint::Hint,
        progress::Progress,
    },
    download::spec::Spec,
    hub::{
        client::{self, ByteRange, Hub},
        file_metadata::{self, Content, FileMetadata, Given, Located},
    },
};

/// Asks the Hub, unless a listing has provided the metadata. With a cached copy, there is only one
/// attempt.
pub(crate) async fn look_up(
    hub: &Hub,
    spec: &Spec,
    has_copy: bool,
    progress: &Progress,
) -> Result<(FileMetadata, Option<Content>)> {
    if let Some(known) = spec.known.as_ref().filter(|_| !spec.ask) {
        return Ok((known.clone(), None));
    }
    if spec.may_not_ask(hub) {
        return Err(client::offline());
    }
    let url = hub.file_url(&spec.repo, &spec.revision, &spec.path);
    let pinned = spec.revision.as_commit();
    let hub = if has_copy { Hub { retry: hub.retry.once(), ..hub.clone() } } else { hub.clone() };
    let given = Given { pinned: pinned.as_ref(), known: None };
    let located = hub
        .retrying(progress, || file_metadata::locate(&hub, &url, ByteRange::default(), given))
        .await?;
    let Located { mut metadata, content, .. } = located;
    if let Some(known) = &spec.known {
        metadata.etag = metadata.etag.or(known.etag.checksums().iter().cloned());
    }
    Ok((metadata, Some(content)))
}

/// Checks what the Hub announces before the first byte, so that a wrong file is not downloaded.
pub(crate) fn check_announced(spec: &Spec, metadata: &FileMetadata) -> Result<()> {
    file_metadata::check_size(metadata.size)?;
    let Some(expected) = &spec.sha256 else { return Ok(()) };
    let announced = metadata.etag.checksums().iter().filter(|sum| sum.proof() == Proof::Sha256);
    let mut announced = announced.map(Checksum::hex);
    match announced.next() {
        Some(first) if announced.all(|other| !other.eq_ignore_ascii_case(expected)) => {
            same_sha256(first, expected)
        }
        _ => Ok(()),
    }
}

/// Compares a checksum with the expected one.
pub(crate) fn same_sha256(actual: &str, expected: &str) -> Result<()> {
    if actual.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let message = format!("the content's SHA-256 is {actual}, expected {expected}");
    Err(Error::new(ErrorKind::ChecksumMismatch, message).with_hints([Hint::ExpectedSha256]))
}
