//! Buffers that are used again. Memory that one thread allocates and another one frees stays with the
//! first one for a while, so that a large file would take more of it than it needs.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Buffers of one size; clones share those that are free.
#[derive(Clone, Debug)]
pub struct Buffers {
    size: usize,
    /// Maximum number of free buffers.
    kept: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Buffers {
    /// Creates buffers of `size` bytes when they are needed.
    pub fn new(size: usize) -> Self {
        Self { size, kept: usize::MAX, free: Arc::default() }
    }

    /// Creates buffers of which at most `kept` stay in memory when they are free.
    pub fn keeping(kept: usize, size: usize) -> Self {
        Self { kept, ..Self::new(size) }
    }

    /// Returns a buffer of `length` bytes, which may have any value.
    pub(crate) fn filled(&self, length: usize) -> Buffer {
        let mut buffer = self.with_room(length);
        buffer.resize(length, 0);
        buffer
    }

    /// Returns a buffer with room for `length` bytes, which may have others. One of another size is
    /// not used again: bytes of a small file would hold the memory of a large buffer.
    pub(crate) fn with_room(&self, length: usize) -> Buffer {
        let home = (length == self.size).then(|| self.clone());
        let free = home.as_ref().and_then(|home| home.free().pop());
        let bytes = free.unwrap_or_else(|| Vec::with_capacity(length));
        Buffer { bytes, home }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer, which is free again when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Option<Buffers>,
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        Self::from_owner(buffer)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            let mut free = home.free();
            if free.len() < home.kept {
                free.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nothing_refers_to_its_bytes() {
        let buffers = Buffers::new(10);
        let mut buffer = buffers.filled(10);
        buffer.copy_from_slice(b"0123456789");
        let bytes = Bytes::from(buffer);
        let part = bytes.slice(3..5);
        drop(bytes);
        assert_eq!(**buffers.filled(10), [0; 10]);
        assert_eq!(part, b"34"[..]);
        drop(part);
        assert_eq!(**buffers.filled(10), *b"0123456789");
        // The two that were taken.
        assert_eq!(buffers.free().len(), 2);
        drop(buffers.filled(9));
        assert_eq!(buffers.free().len(), 2);
    }

    #[test]
    fn only_some_free_buffers_are_kept() {
        let buffers = Buffers::keeping(1, 10);
        drop([buffers.filled(10), buffers.filled(10)]);
        assert_eq!(buffers.free().len(), 1);
    }
}
