//! Content whose size and checksum match, on its way to its final name.

use std::{
    fs,
    io::{self, Seek, SeekFrom},
    path::Path,
};

use crate::{
    base::{
        error::{Error, Result},
        etag::Checksum,
        hash::{self, Verdict},
    },
    cache::partial::{Fate, Partial, mismatch},
};

/// A verified partial file that may not be on disk yet, so it cannot be published.
#[derive(Debug)]
pub struct Checked {
    pub(super) partial: Partial,
    pub(super) checksum: Option<Checksum>,
}

/// A verified partial file, flushed to disk and ready to be renamed.
#[derive(Debug)]
pub struct Verified {
    pub(super) partial: Partial,
    checksum: Option<Checksum>,
}

impl Checked {
    /// Flushes the content to disk.
    pub fn flush(mut self) -> Result<Verified> {
        let Partial { file, path, .. } = &self.partial;
        file.sync_data().map_err(|source| Error::io("flush", path, source))?;
        self.partial.fate = Fate::Verified;
        Ok(Verified { partial: self.partial, checksum: self.checksum })
    }
}

impl Verified {
    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.partial.present.prefix()
    }

    /// Returns the announced checksum that matches.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// Renames the content to `destination`, atomically replacing an existing file.
    ///
    /// Where locks have no effect, another process may have claimed this partial file as orphaned.
    /// Then the content it published is used, or the file is created again from the handle that is
    /// still open.
    pub fn publish(self, destination: &Path) -> Result<()> {
        // The content has been flushed, so a crash loses at most the new name.
        let path = &self.partial.path;
        match fs::rename(path, destination) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {}
            other => {
                return other
                    .map_err(|source| Error::io("move the download to", destination, source));
            }
        }
        if self.is_at(destination) {
            return Ok(());
        }
        match self.remake(destination) {
            // Claimed again, by a process that was faster.
            Err(_) if self.is_at(destination) => Ok(()),
            result => result,
        }
    }

    /// Whether the verified content is already there.
    fn is_at(&self, destination: &Path) -> bool {
        let found = hash::prove(destination, &self.partial.slot.etag, None);
        matches!(found, Ok(Verdict::Right(_)))
    }

    fn remake(&self, destination: &Path) -> Result<()> {
        let wrap = |source| Error::io("move the download to", destination, source);
        let Partial { slot, file, .. } = &self.partial;
        let (path, mut copy) = slot.create()?;
        let mut file = file;
        let whole = |copied| match copied {
            copied if copied == self.size() => Ok(()),
            _ => Err(io::Error::other("another process truncated it")),
        };
        let copied = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| io::copy(&mut io::Read::take(file, self.size()), &mut copy))
            .and_then(whole)
            .and_then(|()| copy.sync_data())
            .map_err(wrap)
            // The process that claimed the partial file may have written to it.
            .and_then(|()| hash::prove(&path, &slot.etag, None))
            .and_then(|verdict| match verdict {
                Verdict::Wrong(actual) => Err(mismatch(&slot.etag, &actual)),
                _ => fs::rename(&path, destination).map_err(wrap),
            });
        copied.inspect_err(|_| drop(fs::remove_file(&path)))
    }
}
