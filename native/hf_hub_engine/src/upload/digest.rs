//! Hashes a file in one pass and computes a cheap checksum of every block, so that the bytes sent
//! later are known to be those that were hashed.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        hash::Hasher,
        progress::Progress,
    },
    upload::{
        oid::{self, Oid},
        source::Content,
    },
};

/// Number of bytes that are read, checksummed and sent at once.
pub(super) const BLOCK: u64 = 256 << 10;

/// The checksums of all blocks of a file; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Sums(Arc<[u32]>);

/// Returns the id of a large file, and the checksums of its blocks.
pub(super) async fn sha256(content: Content, progress: Progress) -> Result<(Oid, Sums)> {
    run(content, progress, oid::sha256_hasher()).await
}

/// Returns the id of a regular file.
pub(super) async fn git(content: Content, progress: Progress) -> Result<Oid> {
    let hasher = oid::git_hasher(content.stamp().size);
    Ok(run(content, progress, hasher).await?.0)
}

/// Hashes on a thread that may block, and stops when the caller has left.
async fn run(content: Content, progress: Progress, hasher: Hasher) -> Result<(Oid, Sums)> {
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    blocking::run(move || hash(&content, &progress, hasher, &stop)).await
}

fn hash(
    content: &Content,
    progress: &Progress,
    mut hasher: Hasher,
    stop: &CancellationToken,
) -> Result<(Oid, Sums)> {
    let size = content.stamp().size;
    let mut buffer = vec![0; index(size.min(BLOCK))];
    let mut sums = Vec::with_capacity(index(size.div_ceil(BLOCK)));
    for at in (0..size).step_by(index(BLOCK)) {
        if stop.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
        }
        let block = &mut buffer[..index((size - at).min(BLOCK))];
        content.read(at, block)?;
        hasher.update(block);
        sums.push(crc32fast::hash(block));
        progress.hashed(block.len() as u64);
    }
    content.check()?;
    Ok((Oid::finish(hasher), Sums(sums.into())))
}

impl Sums {
    /// Checks that the block at `at` is the one that was hashed.
    pub(super) fn check(&self, content: &Content, at: u64, block: &[u8]) -> Result<()> {
        let known = self.0.get(index(at / BLOCK));
        if known == Some(&crc32fast::hash(block)) { Ok(()) } else { Err(content.changed()) }
    }
}

/// Converts a number of bytes in memory, which always fits.
pub(super) fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
