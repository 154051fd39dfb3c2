//! Blobs that repositories share: when a download takes one from the store, and adds one to it.
//!
//! As in the Python client, these are the files that the Hub has in Xet storage, whatever way their
//! bytes arrive. Their content is verified with a SHA-256 before it is added, and again before
//! another repository links it.

use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        blocking,
        error::Result,
        etag::{Checksum, Proof},
        progress::{Activity, Progress},
    },
    cache::{
        layout::{CacheDir, RepoDir},
        store::{Shareable, Store},
    },
    download::spec::{Mode, Spec},
    hub::{client::Hub, file_metadata::FileMetadata},
};

/// Whether the store has a file, as far as its hash and size show.
pub(crate) fn has(cache: &CacheDir, mode: Mode, metadata: &FileMetadata) -> bool {
    shareable(mode, metadata).is_some_and(|(hash, size)| {
        Store::open(cache).is_some_and(|store| store.find(hash, size).is_some())
    })
}

/// Links the blob of a file that the store has. Failures cost a download, nothing more.
pub(crate) async fn link(
    cache: &CacheDir,
    repo: &RepoDir,
    spec: &Spec,
    metadata: &FileMetadata,
    progress: &Progress,
) -> bool {
    if spec.mode.force || shareable(spec.mode, metadata).is_none() {
        return false;
    }
    // If this future is dropped, the work ends, too.
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    let (cache, blob, mode) = (cache.clone(), repo.blob(&metadata.etag), spec.mode);
    let (metadata, progress) = (metadata.clone(), progress.clone());
    blocking::run(move || {
        let Some((hash, size)) = shareable(mode, &metadata) else { return false };
        let Some(store) = Store::open(&cache) else { return false };
        if store.find(hash, size).is_none() {
            return false;
        }
        progress.set_activity(Activity::Hashing, None);
        let file = Shareable { blob: &blob, hash, etag: &metadata.etag, size };
        store.reuse(file, &|| stop.is_cancelled())
    })
    .await
}

/// Moves a verified blob into the store, if this call shares its blobs. Returns whether the blob is
/// now a link.
pub(crate) fn share(
    hub: &Hub,
    cache: &CacheDir,
    repo: &RepoDir,
    mode: Mode,
    metadata: &FileMetadata,
) -> Result<bool> {
    let Some((hash, size)) = shareable(mode, metadata).filter(|_| hub.xet.is_usable()) else {
        return Ok(false);
    };
    let Some(store) = Store::create(cache) else { return Ok(false) };
    let blob = repo.blob(&metadata.etag);
    store.share(Shareable { blob: &blob, hash, etag: &metadata.etag, size }, mode.force)
}

/// Returns the Xet hash and the size of a file that may be in the store.
fn shareable(mode: Mode, metadata: &FileMetadata) -> Option<(&str, u64)> {
    let sums = metadata.etag.checksums();
    let is_verifiable = sums.iter().map(Checksum::proof).any(|proof| proof == Proof::Sha256);
    let xet =
        metadata.xet.as_ref().filter(|_| mode.shared_blobs && mode.symlinks && is_verifiable)?;
    Some((xet.hash(), metadata.size?))
}
