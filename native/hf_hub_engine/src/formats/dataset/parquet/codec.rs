//! Unpacks pages, never to more than they announce.

use std::io::{self, Read};

use ::parquet::basic::Compression;

/// The first bytes of a frame of LZ4.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// What the pages of a column have to fit.
#[derive(Clone, Copy)]
pub(super) struct Leaf {
    pub codec: Compression,
    pub has_definitions: bool,
    pub has_repetitions: bool,
    /// Number of bytes of each value; `None` where values have different lengths.
    pub width: Option<usize>,
}

/// Unpacks `packed` to exactly `length` bytes, which are added to `unpacked`.
pub(super) fn unpack(
    codec: Compression,
    packed: &[u8],
    length: usize,
    unpacked: &mut Vec<u8>,
) -> Result<(), String> {
    let before = unpacked.len();
    let failed = |error: io::Error| format!("a page cannot be unpacked: {error}");
    match codec {
        Compression::UNCOMPRESSED => unpacked.extend_from_slice(packed),
        Compression::GZIP(_) => {
            read(flate2::read::MultiGzDecoder::new(packed), length, unpacked).map_err(failed)?;
        }
        Compression::BROTLI(_) => {
            let reader = brotli_decompressor::Decompressor::new(packed, 4096);
            read(reader, length, unpacked).map_err(failed)?;
        }
        Compression::LZ4 if packed.starts_with(&LZ4_FRAME) => {
            read(lz4_flex::frame::FrameDecoder::new(packed), length, unpacked).map_err(failed)?;
        }
        _ => {
            unpacked.resize(before + length, 0);
            let written = block(codec, packed, &mut unpacked[before..])?;
            unpacked.truncate(before + written);
        }
    }
    if unpacked.len() - before == length {
        return Ok(());
    }
    Err("a page has another size than it announces".to_owned())
}

/// One byte more shows that the page lies.
fn read(reader: impl Read, length: usize, unpacked: &mut Vec<u8>) -> io::Result<()> {
    reader.take(length as u64 + 1).read_to_end(unpacked).map(drop)
}

/// Unpacks a format that needs the place for its output; returns the number of bytes written.
fn block(codec: Compression, packed: &[u8], unpacked: &mut [u8]) -> Result<usize, String> {
    let written =
        match codec {
            Compression::SNAPPY => snap::raw::Decoder::new()
                .decompress(packed, unpacked)
                .map_err(|error| error.to_string()),
            Compression::ZSTD(_) => zstd::bulk::decompress_to_buffer(packed, unpacked)
                .map_err(|error| error.to_string()),
            Compression::LZ4 => hadoop(packed, unpacked)
                .or_else(|| lz4_flex::block::decompress_into(packed, unpacked).ok())
                .ok_or_else(|| "invalid LZ4".to_owned()),
            Compression::LZ4_RAW => lz4_flex::block::decompress_into(packed, unpacked)
                .map_err(|error| error.to_string()),
            other => return Err(format!("its compression {other} is not supported")),
        };
    written.map_err(|error| format!("a page cannot be unpacked: {error}"))
}

/// Unpacks LZ4 as Hadoop writes it: blocks, each after its two sizes.
fn hadoop(mut packed: &[u8], unpacked: &mut [u8]) -> Option<usize> {
    let mut written = 0usize;
    while !packed.is_empty() {
        let (size, rest) = packed.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
        let block = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let place = unpacked.get_mut(written..written.checked_add(size)?)?;
        if lz4_flex::block::decompress_into(block, place).ok()? != size {
            return None;
        }
        written += size;
        packed = &rest[block.len()..];
    }
    Some(written)
}
