//! Compresses chunks one after another, with the same memory for all of them.

use std::io::Write;

use bytes::Bytes;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use xet_core_structures::xorb_object::CompressionScheme;

/// Sizes of the blocks of frames: a chunk is in one block of the smallest size.
const BLOCKS: [(usize, BlockSize); 2] =
    [(64 << 10, BlockSize::Max64KB), (256 << 10, BlockSize::Max256KB)];

/// Compresses chunks.
pub(super) struct Compressor {
    encoders: [FrameEncoder<Vec<u8>>; 2],
    grouped: Vec<u8>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let encoder = |(_, size)| {
            FrameEncoder::with_frame_info(FrameInfo::new().block_size(size), Vec::new())
        };
        Self { encoders: BLOCKS.map(encoder), grouped: Vec::new() }
    }

    /// Returns a chunk as it is stored, and how: compressed in this way where that makes it smaller.
    pub(super) fn compress(
        &mut self,
        chunk: &Bytes,
        scheme: CompressionScheme,
    ) -> (CompressionScheme, Bytes) {
        let bytes = match scheme {
            CompressionScheme::LZ4 => &chunk[..],
            CompressionScheme::ByteGrouping4LZ4 => {
                group(chunk, &mut self.grouped);
                &self.grouped
            }
            CompressionScheme::None | CompressionScheme::Auto => return stored(chunk),
        };
        let large = usize::from(bytes.len() > BLOCKS[0].0);
        let encoder = &mut self.encoders[large];
        encoder.get_mut().clear();
        let written = encoder.write_all(bytes).is_ok() && encoder.try_finish().is_ok();
        let packed = encoder.get_ref();
        if written && packed.len() < chunk.len() {
            (scheme, Bytes::copy_from_slice(packed))
        } else {
            stored(chunk)
        }
    }
}

/// Returns a chunk as it is.
fn stored(chunk: &Bytes) -> (CompressionScheme, Bytes) {
    (CompressionScheme::None, chunk.clone())
}

/// Groups every fourth byte; the first groups have one byte more if they do not have the same
/// length.
fn group(bytes: &[u8], grouped: &mut Vec<u8>) {
    grouped.resize(bytes.len(), 0);
    let length = |group: usize| (bytes.len() + 3 - group) / 4;
    let (first, rest) = grouped.split_at_mut(length(0));
    let (second, rest) = rest.split_at_mut(length(1));
    let (third, fourth) = rest.split_at_mut(length(2));
    for (at, group) in [first, second, third, fourth].into_iter().enumerate() {
        let bytes = bytes.iter().skip(at).step_by(4);
        group.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_compressed_as_by_the_crate_of_xet() {
        let mut compressor = Compressor::new();
        let words: Vec<_> = (0..30_000).map(|n| format!("{} {n} ", n % 97)).collect();
        let text = words.concat().into_bytes();
        for length in [1, 2, 3, 5, 100, 8 << 10, 64 << 10, (64 << 10) + 1, 128 << 10, 200] {
            let chunk = Bytes::copy_from_slice(&text[..length]);
            for scheme in [CompressionScheme::LZ4, CompressionScheme::ByteGrouping4LZ4] {
                let theirs = scheme.compress_from_slice(&chunk).unwrap();
                let (kept, ours) = compressor.compress(&chunk, scheme);
                if theirs.len() < length {
                    assert_eq!((kept as u8, &ours[..]), (scheme as u8, &theirs[..]), "{length}");
                } else {
                    assert_eq!((kept as u8, ours), (0, chunk.clone()), "{length}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_get_smaller_is_stored_as_it_is() {
        let noise: Bytes = std::iter::repeat_with(|| fastrand::u8(..)).take(100_000).collect();
        let mut compressor = Compressor::new();
        for scheme in [CompressionScheme::LZ4, CompressionScheme::ByteGrouping4LZ4] {
            let (kept, packed) = compressor.compress(&noise, scheme);
            assert_eq!((kept as u8, packed.as_ptr()), (0, noise.as_ptr()));
        }
    }
}
