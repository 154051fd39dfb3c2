//! Hashes a file while it arrives, on a thread of its own.
//!
//! Bytes that arrive in order are hashed directly, and wait if the hash is behind. Bytes that arrive
//! early are read back from the partial file, usually from the page cache, as soon as the gap
//! before them is closed. So the hash is ready when the last byte is.

use std::{
    fs::File,
    io,
    iter::once,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use crate::{
    base::{
        disk::read_exact_at,
        error::{Error, ErrorKind, Result},
        hash::Hasher,
    },
    cache::partial::Partial,
    transfer::block::Block,
};

/// Maximum number of blocks that wait to be hashed.
const QUEUE: usize = 4;

/// Maximum number of bytes read back from the file at a time. Small, because bytes that arrive in
/// order wait until there is room in the queue.
const READ_BACK: u64 = 8 << 20;

/// Size of the reads.
const READ: usize = 1 << 20;

/// A running hash. Dropping it stops it.
pub(crate) struct Digest {
    pieces: Option<SyncSender<Piece>>,
    thread: Option<JoinHandle<io::Result<String>>>,
    stop: Arc<AtomicBool>,
    /// Position at which the next piece has to begin.
    fed: u64,
}

enum Piece {
    Here(Block),
    /// This many bytes, to be read from the file.
    There(u64),
}

impl Digest {
    /// Starts with the bytes that `partial` already holds. `None` if there is no checksum to
    /// verify.
    pub(crate) fn start(partial: &Partial) -> Result<Option<Self>> {
        let slot = partial.slot();
        let Some(hasher) = Hasher::new(slot.etag.proof(), slot.size) else { return Ok(None) };
        let (pieces, queue) = sync_channel(QUEUE);
        let (file, stop) = (partial.reader()?, Arc::new(AtomicBool::new(false)));
        let hashing = Hashing { hasher, file, stop: stop.clone(), at: 0, buffer: Vec::new() };
        let thread = std::thread::Builder::new()
            .name("hf_hub_hash".to_owned())
            .spawn(move || hashing.run(&queue))
            .map_err(|source| {
                Error::new(ErrorKind::Io, "cannot start a thread").with_source(source)
            })?;
        let mut digest = Self { pieces: Some(pieces), thread: Some(thread), stop, fed: 0 };
        digest.catch_up(partial);
        Ok(Some(digest))
    }

    /// Adds bytes that were just written. Waits for the hash only if they are next: reading them
    /// back later would take more of the processor than waiting.
    pub(crate) fn feed(&mut self, block: Block, partial: &Partial) {
        if block.offset() == self.fed {
            let end = block.end();
            // If the thread has failed, `finish` returns the error.
            if self.pieces.as_ref().is_some_and(|pieces| pieces.send(Piece::Here(block)).is_ok()) {
                self.fed = end;
            }
        }
        self.catch_up(partial);
    }

    /// Returns the hash in hex; `None` if `stop` returns true before it is ready.
    pub(crate) fn finish(
        mut self,
        partial: &Partial,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>> {
        let prefix = partial.present().prefix();
        while let Some(pieces) = self.pieces.as_ref().filter(|_| self.fed < prefix) {
            if stop() {
                return Ok(None);
            }
            let length = (prefix - self.fed).min(READ_BACK);
            // If the thread has failed, the error is returned below.
            let _ = pieces.send(Piece::There(length));
            self.fed += length;
        }
        self.pieces = None;
        let Some(thread) = self.thread.take() else { return Ok(None) };
        match thread.join() {
            Ok(Ok(hex)) => Ok(Some(hex)),
            Ok(Err(source)) => {
                Err(Error::new(ErrorKind::Io, "cannot read what was downloaded")
                    .with_source(source))
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Has the hash read what is in place, unless it is behind.
    pub(crate) fn catch_up(&mut self, partial: &Partial) {
        let prefix = partial.present().prefix();
        while self.fed < prefix {
            let length = (prefix - self.fed).min(READ_BACK);
            let piece = Piece::There(length);
            if self.pieces.as_ref().is_none_or(|pieces| pieces.try_send(piece).is_err()) {
                return;
            }
            self.fed += length;
        }
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

/// The hashing thread.
struct Hashing {
    hasher: Hasher,
    file: File,
    stop: Arc<AtomicBool>,
    /// How many bytes are hashed.
    at: u64,
    buffer: Vec<u8>,
}

impl Hashing {
    fn run(mut self, queue: &Receiver<Piece>) -> io::Result<String> {
        // Takes all that wait: after each one, the writing thread would be woken.
        while let Ok(first) = queue.recv() {
            let waiting: Vec<_> = queue.try_iter().take(QUEUE - 1).collect();
            for piece in once(first).chain(waiting) {
                self.add(piece)?;
            }
        }
        Ok(self.hasher.finish())
    }

    fn add(&mut self, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Here(block) => {
                block.pieces().iter().for_each(|piece| self.hasher.update(piece));
                self.at = block.end();
            }
            Piece::There(mut length) => {
                self.buffer.resize(READ, 0);
                while length > 0 && !self.stop.load(Relaxed) {
                    let room = usize::try_from(length).unwrap_or(usize::MAX);
                    let read = &mut self.buffer[..room.min(READ)];
                    read_exact_at(&self.file, read, self.at)?;
                    self.hasher.update(read);
                    self.at += read.len() as u64;
                    length -= read.len() as u64;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::etag::{Etag, Proof},
        cache::partial::Slot,
    };

    fn partial(dir: &std::path::Path, size: usize) -> Partial {
        let etag = Etag::parse(&"a".repeat(64)).unwrap();
        assert_eq!(etag.proof(), Proof::Sha256);
        let size = Some(size as u64);
        Partial::create(Slot { dir: dir.to_owned(), stem: etag.to_string(), etag, size }).unwrap()
    }

    fn block(offset: u64, bytes: &[u8]) -> Block {
        let mut block = Block::at(offset);
        block.push(bytes::Bytes::copy_from_slice(bytes));
        block
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let mut random = fastrand::Rng::with_seed(1);
        let content: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(3 << 20).collect();
        let mut expected = Hasher::new(Proof::Sha256, None).unwrap();
        expected.update(&content);
        let expected = expected.finish();
        for seed in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let mut partial = partial(dir.path(), content.len());
            let mut pieces: Vec<_> = content.chunks(100_000).enumerate().collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut pieces);
            let mut pieces = pieces.into_iter();
            // Some are there before the hash starts, as after a resume.
            for (n, piece) in pieces.by_ref().take(usize::try_from(seed).unwrap()) {
                partial.write(n as u64 * 100_000, piece).unwrap();
            }
            let mut digest = Digest::start(&partial).unwrap().unwrap();
            for (n, piece) in pieces {
                partial.write(n as u64 * 100_000, piece).unwrap();
                digest.feed(block(n as u64 * 100_000, piece), &partial);
            }
            assert_eq!(
                digest.finish(&partial, &|| false).unwrap().as_deref(),
                Some(expected.as_str())
            );
        }
    }
}
