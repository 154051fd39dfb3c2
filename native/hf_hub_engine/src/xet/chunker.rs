//! Cuts a file into chunks at places that its content decides: equal parts of files become equal
//! chunks.

use bytes::Bytes;
use gearhash::Hasher;
use xet_core_structures::xorb_object::Chunk;

/// Bytes of a chunk, at least (but for the last one of a file) and at most.
#[expect(clippy::cast_possible_truncation, reason = "a chunk has at most 128 KiB")]
const SIZES: (usize, usize) = (8 << 10, super::plan::CHUNK as usize);

/// A chunk ends where these bits of the rolling hash are zero, on average after 64 KiB.
const MASK: u64 = 0xFFFF << 48;

/// Number of bytes that the rolling hash depends on.
const WINDOW: usize = 64;

/// The chunks of a file while it is read.
#[derive(Default)]
pub(super) struct Chunker {
    hash: Hasher<'static>,
    /// Bytes after the last chunk.
    held: Vec<u8>,
}

impl Chunker {
    /// Returns the chunks that end in these bytes. All but the first one share their memory.
    pub(super) fn push(&mut self, bytes: &Bytes) -> Vec<Chunk> {
        let (mut chunks, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let Some(length) = self.end(&bytes[at..]) else {
                self.held.extend_from_slice(&bytes[at..]);
                break;
            };
            let last = bytes.slice(at..at + length);
            let whole = if self.held.is_empty() {
                last
            } else {
                // Not appended, which would reserve room for twice as much.
                [&self.held[..], &last].concat().into()
            };
            self.held.clear();
            chunks.push(Chunk::new(whole));
            at += length;
        }
        chunks
    }

    /// Returns the last chunk of the file.
    pub(super) fn finish(&mut self) -> Option<Chunk> {
        let rest = std::mem::take(&mut self.held);
        (!rest.is_empty()).then(|| Chunk::new(rest.into()))
    }

    /// Returns where the current chunk ends in these bytes.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let (least, most) = SIZES;
        let before = self.held.len();
        let mut at = 0;
        if before + WINDOW < least {
            at = (least - before - WINDOW - 1).min(bytes.len());
        }
        let until = bytes.len().min(at + most - before);
        let mut ends = false;
        loop {
            let Some(matched) = self.hash.next_match(&bytes[at..until], MASK) else {
                at = until;
                break;
            };
            at += matched;
            // The hash has seen too little of this chunk yet.
            if at + before >= least {
                ends = true;
                break;
            }
        }
        if at + before >= most {
            (at, ends) = (most - before, true);
        }
        if ends {
            self.hash.set_hash(0);
        }
        ends.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(seed: u64, size: usize) -> Bytes {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.u8(..)).take(size).collect()
    }

    fn lengths(content: &Bytes, step: usize) -> Vec<usize> {
        let mut chunker = Chunker::default();
        let mut chunks = Vec::new();
        for at in (0..content.len()).step_by(step) {
            chunks.extend(chunker.push(&content.slice(at..content.len().min(at + step))));
        }
        chunks.extend(chunker.finish());
        assert_eq!(chunks.iter().flat_map(|chunk| chunk.data.clone()).collect::<Bytes>(), content);
        chunks.iter().map(|chunk| chunk.data.len()).collect()
    }

    #[test]
    fn chunks_do_not_depend_on_the_pieces_that_are_read() {
        let content = content(1, 3 << 20);
        let whole = lengths(&content, content.len());
        for step in [100, 4_096, 65_537, 1 << 20] {
            assert_eq!(lengths(&content, step), whole, "{step}");
        }
        let (last, others) = whole.split_last().unwrap();
        assert!(others.iter().all(|length| (SIZES.0..=SIZES.1).contains(length)), "{whole:?}");
        assert!(*last <= SIZES.1);
    }

    #[test]
    fn content_without_ends_is_cut_at_the_maximum() {
        assert_eq!(lengths(&vec![0; 300_000].into(), 4_096), [131_072, 131_072, 37_856]);
        assert_eq!(lengths(&Bytes::new(), 1), [0; 0]);
    }

    #[test]
    fn an_insertion_changes_the_chunks_around_it_only() {
        let first = content(2, 3 << 20);
        let second = [&first[..1 << 20], b"inserted", &first[1 << 20..]].concat().into();
        let hashes = |content: &Bytes| {
            let mut chunker = Chunker::default();
            let chunks = chunker.push(content).into_iter().chain(chunker.finish());
            chunks.map(|chunk| chunk.hash).collect::<Vec<_>>()
        };
        let (first, second) = (hashes(&first), hashes(&second));
        let new = second.iter().filter(|hash| !first.contains(hash)).count();
        assert!((1..=3).contains(&new), "{new}");
    }
}
