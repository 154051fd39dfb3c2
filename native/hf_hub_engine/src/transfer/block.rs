//! Bytes that arrived one after another and are written together.
//!
//! File systems store a large write at an aligned position in large units, which takes about half
//! the processor time of many small ones, and each write wakes two threads.

use bytes::Bytes;

/// Size and alignment of a full block in bytes.
const SIZE: u64 = 256 << 10;

/// The received pieces of a file from one offset on, up to the next multiple of [`SIZE`].
#[derive(Debug, Default)]
pub(crate) struct Block {
    offset: u64,
    length: u64,
    pieces: Vec<Bytes>,
}

impl Block {
    /// Creates an empty block at `offset`.
    pub(crate) fn at(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// Returns where it begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// Returns its number of bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns its bytes, in order.
    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Returns how many more bytes belong to it.
    pub(crate) fn room(&self) -> u64 {
        (self.offset / SIZE + 1) * SIZE - self.end()
    }

    /// Appends bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len() as u64;
        self.pieces.push(bytes);
    }

    /// Returns the block, and leaves an empty one that begins at its end.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self::at(self.end());
        std::mem::replace(self, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_an_aligned_position() {
        let mut block = Block::at(SIZE + 10);
        assert_eq!(block.room(), SIZE - 10);
        block.push(Bytes::from_static(b"hello"));
        block.push(Bytes::from(vec![0; 100]));
        assert_eq!((block.offset(), block.length(), block.room()), (SIZE + 10, 105, SIZE - 115));
        block.push(Bytes::from(vec![0; 256 * 1024 - 115]));
        let full = block.take();
        assert_eq!((full.room(), full.end(), full.pieces().len()), (0, 2 * SIZE, 3));
        assert_eq!((block.offset(), block.length(), block.room()), (2 * SIZE, 0, SIZE));
    }
}
