//! The SHA-256 of a file that is written in parts, computed while they arrive in any order.
//!
//! What has been hashed is only used for the parts that it was computed from: an upload may be
//! removed, and begun again under the same name, by another process.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::disk;

/// How much is read at once; it stays in the processor's cache until it is hashed.
const CHUNK: u64 = 128 << 10;
/// Maximum number of bytes to catch up with when a piece arrives.
const AHEAD: u64 = 4 << 20;
/// Number of uploads above which the state of idle ones is dropped. Their content is then hashed
/// when it is complete.
const MOST: usize = 256;

/// The hashes of all uploads of this process.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningHashes(Arc<Mutex<HashMap<String, Arc<RunningHash>>>>);

/// The hash of one upload.
#[derive(Debug, Default)]
pub(super) struct RunningHash {
    parts: Mutex<BTreeMap<u64, Written>>,
    prefix: Mutex<Prefix>,
}

/// The bytes of a part, by its offset.
#[derive(Debug)]
struct Written {
    end: u64,
    /// Set when the part is complete.
    etag: Option<String>,
}

/// The bytes that have been hashed: all before `size`.
#[derive(Clone, Debug, Default)]
struct Prefix {
    hash: Sha256,
    size: u64,
}

impl RunningHashes {
    /// Returns the hash of an upload.
    pub(super) fn of(&self, upload: &str) -> Arc<RunningHash> {
        let mut all = lock(&self.0);
        if let Some(hash) = all.get(upload) {
            return hash.clone();
        }
        if all.len() >= MOST {
            all.retain(|_, hash| Arc::strong_count(hash) > 1);
        }
        all.entry(upload.to_owned()).or_default().clone()
    }

    /// Drops the hash of an upload.
    pub(super) fn forget(&self, upload: &str) {
        lock(&self.0).remove(upload);
    }
}

impl RunningHash {
    /// Records that `bytes` were written at `at`, in the part at `offset`, and hashes what can be
    /// hashed by now. Only one thread hashes; the others do not wait for it.
    pub(super) fn wrote(&self, file: &File, offset: u64, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = at + bytes.len() as u64;
        lock(&self.parts).insert(offset, Written { end, etag: None });
        let Ok(mut prefix) = self.prefix.try_lock() else { return Ok(()) };
        if prefix.size == at {
            prefix.update(bytes);
        }
        let end = self.written_after(prefix.size);
        let end = end.min(prefix.size + AHEAD);
        prefix.read(file, end)
    }

    /// Records that the part at `offset` is complete.
    pub(super) fn completed(&self, offset: u64, etag: &str) {
        if let Some(part) = lock(&self.parts).get_mut(&offset) {
            part.etag = Some(etag.to_owned());
        }
    }

    /// Returns the SHA-256 of a file that consists of these parts, given as offset and etag, and
    /// has this size.
    pub(super) fn finish(
        &self,
        file: &File,
        parts: &[(u64, &str)],
        size: u64,
    ) -> io::Result<String> {
        let mut prefix = lock(&self.prefix);
        if !self.is_of(&prefix, parts) {
            *prefix = Prefix::default();
        }
        prefix.read(file, size)?;
        Ok(hex::encode(prefix.hash.clone().finalize()))
    }

    /// Whether the prefix was computed from these parts.
    fn is_of(&self, prefix: &Prefix, parts: &[(u64, &str)]) -> bool {
        let written = lock(&self.parts);
        let mut hashed = parts.iter().take_while(|(offset, _)| *offset < prefix.size);
        hashed.all(|(offset, etag)| {
            written.get(offset).is_some_and(|part| part.etag.as_deref() == Some(etag))
        })
    }

    /// Returns the end of the bytes without a gap that follow `size` bytes.
    fn written_after(&self, size: u64) -> u64 {
        let parts = lock(&self.parts);
        let mut end = size;
        while let Some((_, part)) = parts.range(..=end).next_back()
            && part.end > end
        {
            end = part.end;
        }
        end
    }
}

impl Prefix {
    fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Hashes the file up to `end`.
    fn read(&mut self, file: &File, end: u64) -> io::Result<()> {
        if self.size >= end {
            return Ok(());
        }
        let mut chunk = vec![0; usize::try_from(CHUNK.min(end - self.size)).unwrap_or_default()];
        while self.size < end {
            let some = chunk.len().min(usize::try_from(end - self.size).unwrap_or(usize::MAX));
            disk::read_at(file, &mut chunk[..some], self.size)?;
            self.update(&chunk[..some]);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        file: File,
        hash: RunningHash,
    }

    impl Fixture {
        fn new() -> Self {
            Self { file: tempfile::tempfile().unwrap(), hash: RunningHash::default() }
        }

        fn put(&self, offset: u64, at: u64, text: &str) {
            disk::write_at(&self.file, text.as_bytes(), at).unwrap();
            self.hash.wrote(&self.file, offset, at, text.as_bytes()).unwrap();
        }

        fn hashed(&self) -> u64 {
            lock(&self.hash.prefix).size
        }
    }

    fn sha256(text: &str) -> String {
        hex::encode(Sha256::digest(text))
    }

    #[test]
    fn hashes_what_follows_without_a_gap() {
        let it = Fixture::new();
        it.put(5, 5, "fgh");
        assert_eq!(it.hashed(), 0);
        it.put(0, 0, "abc");
        assert_eq!(it.hashed(), 3);
        it.put(0, 3, "de");
        assert_eq!(it.hashed(), 8);
        it.put(5, 8, "ij");
        assert_eq!(it.hashed(), 10);
        it.hash.completed(0, "one");
        it.hash.completed(5, "two");
        let finish = || it.hash.finish(&it.file, &[(0, "one"), (5, "two")], 10).unwrap();
        assert_eq!(finish(), sha256("abcdefghij"));
        assert_eq!(finish(), sha256("abcdefghij"));
    }

    #[test]
    fn hashes_again_what_was_computed_from_other_parts() {
        for etag in [Some("old"), None] {
            let it = Fixture::new();
            it.put(0, 0, "abc");
            if let Some(etag) = etag {
                it.hash.completed(0, etag);
            }
            disk::write_at(&it.file, b"ABCDE", 0).unwrap();
            let parts = [(0, "new"), (3, "two")];
            assert_eq!(it.hash.finish(&it.file, &parts, 5).unwrap(), sha256("ABCDE"), "{etag:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_short_has_no_hash() {
        let it = Fixture::new();
        it.put(0, 0, "abc");
        it.hash.completed(0, "one");
        assert!(it.hash.finish(&it.file, &[(0, "one")], 4).is_err());
    }

    #[test]
    fn the_states_of_idle_uploads_are_limited() {
        let hashes = RunningHashes::default();
        let used = hashes.of("used");
        used.wrote(&tempfile::tempfile().unwrap(), 0, 0, b"abc").unwrap();
        (0..2 * MOST).for_each(|n| drop(hashes.of(&n.to_string())));
        assert!(lock(&hashes.0).len() <= MOST);
        assert!(Arc::ptr_eq(&used, &hashes.of("used")));
        hashes.forget("used");
        assert!(!Arc::ptr_eq(&used, &hashes.of("used")));
    }
}
