//! Decodes byte arrays whose lengths are encoded as differences into plain ones, because the
//! decoders of the library trust the counts in them.

use ::parquet::basic::Encoding;
use bytes::Bytes;

use crate::formats::dataset::parquet::{
    codec::Leaf,
    thrift::{DATA, PageHeader},
};

/// Maximum size of a page that is decoded to plain values.
const MAX_PLAIN: usize = 256 << 20;
pub(super) const INVALID: &str = "a page has invalid differences or levels";

/// Returns the page with byte arrays as plain values, and its encoding; others as they are, with
/// their differences checked. `levels` is where values begin in a page of version 2.
pub(super) fn plain(
    header: &PageHeader,
    leaf: &Leaf,
    levels: usize,
    page: Bytes,
    encoding: Encoding,
) -> Result<(Bytes, Encoding), String> {
    if !matches!(
        encoding,
        Encoding::DELTA_BINARY_PACKED
            | Encoding::DELTA_LENGTH_BYTE_ARRAY
            | Encoding::DELTA_BYTE_ARRAY
    ) {
        return Ok((page, encoding));
    }
    let start = if header.kind == DATA { levels_of(&page, leaf)? } else { levels };
    let most = usize::try_from(header.values).unwrap_or(0);
    // A plain value has a length of 4 bytes, so more would not fit.
    let lengths_most = most.min(MAX_PLAIN / 4);
    let values = page.get(start..).ok_or(INVALID)?;
    let mut plain = Vec::new();
    match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            let (lengths, at) = differences(values, lengths_most)?;
            suffixes(&lengths, &values[at..])
                .try_for_each(|value| add(&mut plain, value?, leaf))?;
        }
        Encoding::DELTA_BYTE_ARRAY => {
            let (prefixes, at) = differences(values, lengths_most)?;
            let (lengths, next) = differences(&values[at..], lengths_most)?;
            if prefixes.len() != lengths.len() {
                return Err(INVALID.to_owned());
            }
            let mut last: Vec<u8> = Vec::new();
            for (prefix, suffix) in prefixes.iter().zip(suffixes(&lengths, &values[at + next..])) {
                let prefix = usize::try_from(*prefix).ok().filter(|length| *length <= last.len());
                last.truncate(prefix.ok_or(INVALID)?);
                last.extend_from_slice(suffix?);
                add(&mut plain, &last, leaf)?;
            }
        }
        _ => {
            header_of(values, most)?;
            return Ok((page, encoding));
        }
    }
    Ok(([&page[..start], &plain].concat().into(), Encoding::PLAIN))
}

fn add(plain: &mut Vec<u8>, value: &[u8], leaf: &Leaf) -> Result<(), String> {
    if plain.len() + value.len() > MAX_PLAIN {
        return Err(format!("a page has more than {MAX_PLAIN} bytes"));
    }
    match leaf.width {
        Some(width) if width != value.len() => return Err(INVALID.to_owned()),
        Some(_) => {}
        None => plain.extend(u32::try_from(value.len()).map_err(|_| INVALID)?.to_le_bytes()),
    }
    plain.extend_from_slice(value);
    Ok(())
}

/// Returns where values begin after the levels of a page of version 1, each after its length.
fn levels_of(page: &[u8], leaf: &Leaf) -> Result<usize, String> {
    let mut at = 0;
    for _ in 0..u8::from(leaf.has_definitions) + u8::from(leaf.has_repetitions) {
        let length = page.get(at..).and_then(|rest| rest.first_chunk()).ok_or(INVALID)?;
        at += 4 + usize::try_from(u32::from_le_bytes(*length)).map_err(|_| INVALID)?;
    }
    Ok(at)
}

fn suffixes<'a>(
    lengths: &'a [i32],
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<&'a [u8], String>> {
    let mut rest = bytes;
    lengths.iter().map(move |length| {
        let length = usize::try_from(*length).ok().filter(|length| *length <= rest.len());
        let (value, after) = rest.split_at(length.ok_or(INVALID)?);
        rest = after;
        Ok(value)
    })
}

/// A position in encoded numbers.
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(INVALID)?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(INVALID)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(INVALID.to_owned())
    }

    fn zigzag(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

/// Sizes of the blocks of differences, their number, and the first value.
struct Header {
    blocks: usize,
    block: usize,
    count: usize,
    first: i64,
    at: usize,
}

fn header_of(bytes: &[u8], most: usize) -> Result<Header, String> {
    let mut reader = Reader { bytes, at: 0 };
    let [size, blocks, count] = [reader.varint()?, reader.varint()?, reader.varint()?];
    let first = reader.zigzag()?;
    let number =
        |number: u64, most: usize| usize::try_from(number).ok().filter(|number| *number <= most);
    let size = number(size, 1 << 16).ok_or(INVALID)?;
    let blocks =
        number(blocks, 512).filter(|blocks| *blocks > 0 && size % *blocks == 0).ok_or(INVALID)?;
    let count = number(count, most).ok_or(INVALID)?;
    let block = size / blocks;
    if block == 0 || block % 32 != 0 {
        return Err(INVALID.to_owned());
    }
    Ok(Header { blocks, block, count, first, at: reader.at })
}

/// Decodes up to `most` numbers; also returns where they end.
fn differences(bytes: &[u8], most: usize) -> Result<(Vec<i32>, usize), String> {
    let Header { blocks, block, count, first, at } = header_of(bytes, most)?;
    let mut reader = Reader { bytes, at };
    let number = |value: i64| i32::try_from(value).map_err(|_| INVALID.to_owned());
    let mut last = first;
    let mut numbers = Vec::new();
    if count > 0 {
        numbers.push(number(first)?);
    }
    while numbers.len() < count {
        let lowest = reader.zigzag()?;
        let widths = bytes.get(reader.at..reader.at + blocks).ok_or(INVALID)?;
        reader.at += blocks;
        for width in widths {
            if numbers.len() == count {
                break;
            }
            let length = block * usize::from(*width) / 8;
            let packed =
                bytes.get(reader.at..reader.at + length).filter(|_| *width <= 64).ok_or(INVALID)?;
            reader.at += length;
            for at in 0..block.min(count - numbers.len()) {
                let difference = bits(packed, at * usize::from(*width), *width).cast_signed();
                last = last.wrapping_add(lowest).wrapping_add(difference);
                numbers.push(number(last)?);
            }
        }
    }
    Ok((numbers, reader.at))
}

/// Returns `width` bits from a position, the lowest first.
pub(super) fn bits(bytes: &[u8], at: usize, width: u8) -> u64 {
    let bit = |offset: usize| u64::from(bytes[(at + offset) / 8] >> ((at + offset) % 8) & 1);
    (0..usize::from(width)).fold(0, |value, offset| value | bit(offset) << offset)
}
