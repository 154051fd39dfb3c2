//! The chunks of an object as a storage packs them: each with a header of eight bytes, and stored,
//! compressed by LZ4, or so after its bytes were grouped by fours.

use std::ops::Range;

use bytes::Bytes;
use lz4_flex::block::decompress_into_with_dict;

use super::plan::{Block, CHUNK};
use crate::base::buffers::{Buffer, Buffers};

const HEADER: usize = 8;

/// Bytes of chunks that are passed on at once, at least, but for the last ones of a block.
const BATCH: usize = 512 << 10;

/// Room for a batch.
#[expect(clippy::cast_possible_truncation, reason = "a chunk has at most 128 KiB")]
pub(super) const BUFFER: usize = BATCH + CHUNK as usize;

/// Successive chunks of a block.
#[derive(Debug)]
pub(super) struct Chunks {
    /// The number of the first one in its object.
    first: u32,
    /// Where each of them begins, and where the last one ends. Chunks that are not wanted have no
    /// bytes.
    starts: Vec<usize>,
    bytes: Bytes,
    /// The number of bytes that they were unpacked from.
    packed: u64,
}

impl Chunks {
    /// Returns the number of bytes that they were unpacked from.
    pub(super) fn packed(&self) -> u64 {
        self.packed
    }

    /// Returns the number of bytes of those that are wanted.
    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns the number of the chunk after them.
    pub(super) fn end(&self) -> u32 {
        self.first + u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the bytes of those among them that are in a range.
    pub(super) fn within(&self, chunks: &Range<u32>) -> Bytes {
        let at =
            |chunk: u32| self.starts[(chunk.clamp(self.first, self.end()) - self.first) as usize];
        self.bytes.slice(at(chunks.start)..at(chunks.end))
    }
}

/// The chunks of a block while it arrives.
pub(super) struct Unpacking<'a> {
    block: &'a Block,
    next: u32,
    /// The number of wanted ranges that are behind.
    passed: usize,
    /// The first bytes of a chunk.
    held: Vec<u8>,
    /// Of the chunks that have not been returned.
    starts: Vec<usize>,
    bytes: Buffer,
    packed: usize,
    /// The number of bytes that were returned.
    returned: usize,
    buffers: &'a Buffers,
}

impl<'a> Unpacking<'a> {
    /// Unpacks the wanted chunks of a block, to buffers of [`BUFFER`] bytes.
    pub(super) fn new(block: &'a Block, buffers: &'a Buffers) -> Self {
        let (next, held) = (block.chunks.start, Vec::new());
        let (starts, bytes) = (vec![0], Buffer::default());
        Self { block, next, passed: 0, held, starts, bytes, packed: 0, returned: 0, buffers }
    }

    /// Takes the next bytes from `arrived`: all of them, or, if there are enough chunks, up to the
    /// end of those that it returns. An error names what is wrong with them.
    pub(super) fn push(&mut self, arrived: &mut &[u8]) -> Result<Option<Chunks>, &'static str> {
        while !arrived.is_empty() {
            if self.bytes.len() >= BATCH || self.is_over() {
                return Ok(Some(self.take()));
            }
            if self.next == self.block.chunks.end {
                return Err("it has more chunks than announced");
            }
            if self.held.is_empty() && missing(arrived)? == 0 {
                let header = Header::read(arrived)?;
                let (chunk, rest) = arrived.split_at(HEADER + header.packed);
                self.add(&header, &chunk[HEADER..])?;
                *arrived = rest;
                continue;
            }
            let taken = missing(&self.held)?.min(arrived.len());
            self.held.extend_from_slice(&arrived[..taken]);
            *arrived = &arrived[taken..];
            if missing(&self.held)? == 0 {
                let held = std::mem::take(&mut self.held);
                self.add(&Header::read(&held)?, &held[HEADER..])?;
            }
        }
        Ok(None)
    }

    /// Returns the last chunks if all have arrived.
    pub(super) fn finish(mut self) -> Option<Chunks> {
        let is_complete = self.next == self.block.chunks.end && self.held.is_empty();
        is_complete.then(|| self.take())
    }

    /// Whether only chunks that are not wanted follow.
    fn is_over(&self) -> bool {
        let end = self.block.wanted.last().map_or(self.next, |wanted| wanted.end);
        !self.bytes.is_empty() && end <= self.next && self.next < self.block.chunks.end
    }

    fn take(&mut self) -> Chunks {
        let starts = std::mem::replace(&mut self.starts, vec![0]);
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        self.returned += bytes.len();
        let first = self.next - u32::try_from(starts.len() - 1).unwrap_or(0);
        Chunks { first, starts, bytes, packed: std::mem::take(&mut self.packed) as u64 }
    }

    fn add(&mut self, header: &Header, data: &[u8]) -> Result<(), &'static str> {
        let wanted = &self.block.wanted;
        while wanted.get(self.passed).is_some_and(|wanted| wanted.end <= self.next) {
            self.passed += 1;
        }
        let is_wanted = wanted.get(self.passed).is_some_and(|wanted| wanted.start <= self.next);
        if is_wanted {
            let room = most(self.block) - self.returned - self.bytes.len();
            if header.length > room {
                return Err("its chunks are larger than announced");
            }
            if self.bytes.is_empty() {
                self.bytes = self.buffers.with_room(room.min(BUFFER));
                self.bytes.clear();
            }
            header.unpack(data, &mut self.bytes)?;
        }
        self.starts.push(self.bytes.len());
        self.packed += HEADER + data.len();
        self.next += 1;
        Ok(())
    }
}

fn most(block: &Block) -> usize {
    usize::try_from(block.unpacked).unwrap_or(usize::MAX)
}

/// Returns how many bytes are missing until a header, and then its chunk, are complete.
fn missing(bytes: &[u8]) -> Result<usize, &'static str> {
    if bytes.len() < HEADER {
        return Ok(HEADER - bytes.len());
    }
    Ok((HEADER + Header::read(bytes)?.packed).saturating_sub(bytes.len()))
}

struct Header {
    scheme: u8,
    packed: usize,
    length: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let number = |at: usize| {
            bytes[at..at + 3].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
        };
        let (packed, length) = (number(1), number(5));
        if bytes[0] != 0 || length as u64 > CHUNK || packed as u64 > 2 * CHUNK {
            return Err("it has an invalid chunk");
        }
        Ok(Self { scheme: bytes[4], packed, length })
    }

    fn unpack(&self, data: &[u8], bytes: &mut Vec<u8>) -> Result<(), &'static str> {
        let before = bytes.len();
        match self.scheme {
            0 => bytes.extend_from_slice(data),
            1 => self.decompress(data, bytes)?,
            2 => {
                let mut grouped = Vec::with_capacity(self.length);
                self.decompress(data, &mut grouped)?;
                ungroup(&grouped, bytes);
            }
            _ => return Err("it has a chunk of an unknown compression"),
        }
        if bytes.len() - before != self.length {
            return Err("it has an invalid chunk");
        }
        Ok(())
    }

    /// Decompresses at most as many bytes as announced.
    fn decompress(&self, data: &[u8], bytes: &mut Vec<u8>) -> Result<(), &'static str> {
        let before = bytes.len();
        bytes.resize(before + self.length, 0);
        let filled =
            decompress_frame(data, &mut bytes[before..]).ok_or("it has an invalid chunk")?;
        bytes.truncate(before + filled);
        Ok(())
    }
}

/// Decompresses an LZ4 frame into `bytes`, and returns how many it has.
///
/// Not by the decoder of the crate, which clears a buffer of the announced size of blocks for each
/// frame: clients in JavaScript announce 4 MiB, whatever the size of a chunk. Checksums are skipped:
/// all content is verified by its SHA-256.
fn decompress_frame(mut frame: &[u8], bytes: &mut [u8]) -> Option<usize> {
    const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
    const STORED: u32 = 1 << 31;
    let [flags, _size] = *frame.strip_prefix(&MAGIC)?.first_chunk::<2>()?;
    let has = |flag: u8| flags & flag != 0;
    if flags >> 6 != 1 || has(0x01) {
        return None; // Another version, or a dictionary.
    }
    let (length, checksum) = (if has(0x08) { 8 } else { 0 }, if has(0x10) { 4 } else { 0 });
    frame = frame.get(MAGIC.len() + 2 + length + 1..)?;
    let mut filled = 0;
    loop {
        let (size, rest) = frame.split_first_chunk()?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return Some(filled);
        }
        let (block, rest) = rest.split_at_checked((size & !STORED) as usize)?;
        // A block may refer to those before it.
        let (before, free) = bytes.split_at_mut(filled);
        if size & STORED == 0 {
            filled += decompress_into_with_dict(block, free, before).ok()?;
        } else {
            free.get_mut(..block.len())?.copy_from_slice(block);
            filled += block.len();
        }
        frame = rest.get(checksum..)?;
    }
}

/// Every fourth byte is in the same group; the first groups have one byte more if they do not have
/// the same length.
fn ungroup(grouped: &[u8], bytes: &mut Vec<u8>) {
    let (quarter, rest) = (grouped.len() / 4, grouped.len() % 4);
    let groups = [0, 1, 2, 3].map(|group| &grouped[group * quarter + group.min(rest)..]);
    for at in 0..quarter {
        bytes.extend_from_slice(&groups.map(|group| group[at]));
    }
    bytes.extend(groups.iter().take(rest).map(|group| group[quarter]));
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn lz4(bytes: &[u8]) -> Vec<u8> {
        lz4_as(FrameInfo::new(), bytes)
    }

    fn lz4_as(info: FrameInfo, bytes: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn group(bytes: &[u8]) -> Vec<u8> {
        (0..4).flat_map(|group| bytes.iter().skip(group).step_by(4).copied()).collect()
    }

    fn chunk(scheme: u8, data: &[u8], length: usize) -> Vec<u8> {
        let packed = &data.len().to_le_bytes()[..3];
        [&[0], packed, &[scheme], &length.to_le_bytes()[..3], data].concat()
    }

    fn block(chunks: Range<u32>, wanted: Vec<Range<u32>>, unpacked: u64) -> Block {
        let url = "https://cas/x".parse().unwrap();
        Block { url, bytes: 0..1, chunks, wanted, unpacked, pieces: Vec::new() }
    }

    /// Returns the batches of chunks.
    fn unpack<'a>(
        packed: impl IntoIterator<Item = &'a [u8]>,
        block: &Block,
    ) -> Result<Vec<Chunks>, &'static str> {
        let buffers = Buffers::new(BUFFER);
        let (mut unpacking, mut batches) = (Unpacking::new(block, &buffers), Vec::new());
        for mut bytes in packed {
            while let Some(batch) = unpacking.push(&mut bytes)? {
                batches.push(batch);
            }
        }
        batches.push(unpacking.finish().ok_or("incomplete")?);
        Ok(batches)
    }

    #[test]
    fn chunks_of_each_compression_are_unpacked_if_they_are_wanted() {
        let text = b"0123456789".repeat(30);
        let packed = [
            chunk(0, b"not wanted", 10),
            chunk(0, b"stored", 6),
            chunk(1, &lz4(&text), 300),
            chunk(7, b"not wanted, so never read!!", 10),
            chunk(2, &lz4(&group(&text[..299])), 299),
        ]
        .concat();
        let block = block(3..8, vec![4..6, 7..8], 605);
        for size in [1, 2, 7, 8, 9, 100, 10_000] {
            let [chunks] = &unpack(packed.chunks(size), &block).unwrap()[..] else { panic!() };
            assert_eq!(chunks.within(&(4..6)), [b"stored", &text[..]].concat());
            assert_eq!(chunks.within(&(7..8)), text[..299]);
            assert_eq!(chunks.within(&(0..9)).len(), 605);
            assert_eq!(chunks.within(&(0..4)).len() + chunks.within(&(8..20)).len(), 0);
            assert_eq!(chunks.packed(), packed.len() as u64);
        }
    }

    #[test]
    fn chunks_are_returned_in_batches_however_many_arrive_at_once() {
        // Little arrives, and much is unpacked.
        let zeros = chunk(1, &lz4(&vec![0; 100_000]), 100_000);
        let packed = zeros.repeat(13);
        let block = block(0..13, std::iter::once(0..13).collect(), 1_300_000);
        for size in [500, packed.len()] {
            let batches = unpack(packed.chunks(size), &block).unwrap();
            let ends: Vec<_> = batches.iter().map(Chunks::end).collect();
            assert_eq!(ends, [6, 12, 13]);
            let each = packed.len() as u64 / 13;
            let lengths: Vec<_> = batches.iter().map(Chunks::packed).collect();
            assert_eq!(lengths, [6 * each, 6 * each, each]);
            let lengths = batches.iter().map(|batch| batch.within(&(4..13)).len());
            assert_eq!(lengths.collect::<Vec<_>>(), [200_000, 600_000, 100_000]);
        }
        assert!(packed.len() < 10_000);
        // It may be more than is announced, all batches together.
        let less = Block { unpacked: 1_200_000, ..block };
        unpack([&packed[..]], &less).unwrap_err();
    }

    /// A block of one chunk of at most this length.
    fn one(length: u64) -> Block {
        block(0..1, std::iter::once(0..1).collect(), length)
    }

    #[test]
    fn frames_of_every_kind_are_decompressed() {
        let words: Vec<_> = (0..20_000).map(|n| format!("{} {n} ", n % 97)).collect();
        let text = &words.concat().into_bytes()[..80_000];
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(70_000).collect();
        let mut plain = vec![0; text.len()];
        for content in [text, &noise[..], b"x", b""] {
            for mode in [BlockMode::Independent, BlockMode::Linked] {
                // Clients in JavaScript announce blocks of 4 MiB.
                for size in [BlockSize::Auto, BlockSize::Max64KB, BlockSize::Max4MB] {
                    let info = FrameInfo::new().block_mode(mode).block_size(size);
                    let length = Some(content.len() as u64);
                    let full = info.clone().block_checksums(true).content_checksum(true);
                    for frame in [lz4_as(info, content), lz4_as(full.content_size(length), content)]
                    {
                        let filled = decompress_frame(&frame, &mut plain[..content.len()]);
                        assert_eq!(filled, Some(content.len()));
                        assert!(&plain[..content.len()] == content, "{mode:?} {size:?}");
                        for end in [3, 6, 9, frame.len() / 2] {
                            assert_eq!(decompress_frame(&frame[..end], &mut plain), None);
                        }
                    }
                }
            }
        }
        // The format of the first version, whose blocks have 8 MiB.
        let legacy = [&0x184C_2102_u32.to_le_bytes()[..], &lz4(text)[4..]].concat();
        assert_eq!(decompress_frame(&legacy, &mut plain), None);
    }

    #[test]
    fn every_length_is_ungrouped() {
        for length in 0..20 {
            let bytes: Vec<u8> = (0..length).collect();
            let mut ungrouped = Vec::new();
            ungroup(&group(&bytes), &mut ungrouped);
            assert_eq!(ungrouped, bytes);
        }
    }

    #[test]
    fn invalid_objects_are_refused_before_they_take_memory() {
        let zeros = lz4(&vec![0; 1 << 20]);
        let large = usize::try_from(CHUNK).unwrap() + 1;
        let cases = [
            (chunk(1, &zeros, 100), 100),
            (chunk(2, &zeros, 100), 100),
            (chunk(1, &zeros, large), 1 << 20),
            (chunk(0, b"12345", 6), 100),
            (chunk(0, b"1234567", 6), 100),
            (chunk(0, b"123456", 6), 5),
            (chunk(1, b"not LZ4", 6), 100),
            (chunk(3, b"123456", 6), 100),
            (chunk(0, b"123456", 6)[..13].to_vec(), 100),
            (chunk(0, b"123456", 6)[..7].to_vec(), 100),
            (Vec::new(), 100),
            ([chunk(0, b"123456", 6), chunk(0, b"123456", 6)].concat(), 100),
            ([vec![1], chunk(0, b"123456", 6)[1..].to_vec()].concat(), 100),
        ];
        for (packed, most) in cases {
            unpack([&packed[..]], &one(most)).unwrap_err();
        }
        unpack([&chunk(0, b"123456", 6)[..]], &one(6)).unwrap();
    }
}
