//! Reads the pages of a column chunk. A page announces its own size, before and after it is
//! unpacked, so both are limited before anything is allocated for it.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use ::parquet::{
    basic::{Compression, Encoding},
    column::page::{Page, PageMetadata, PageReader},
    data_type::ByteArray,
    errors::{ParquetError, Result},
};
use bytes::Bytes;

use crate::{
    base::sizes,
    formats::dataset::{
        Broken,
        parquet::{
            codec::{self, Leaf},
            delta,
            repetition::Repetition,
            thrift::{DATA, DATA_2, DICTIONARY, PageHeader, Wrong},
        },
        source::Source,
    },
};

/// Number of bytes in which a header is looked for first, and at most.
const HEADER: u64 = 64 << 10;
const MAX_HEADER: u64 = 16 << 20;
/// Maximum size of an unpacked page, and the size up to which no ratio is asked for.
const MAX_PAGE: u64 = 1 << 30;
const SMALL_PAGE: u64 = 64 << 20;
const MAX_RATIO: u64 = 256;
/// Maximum size of the pages of all columns that are unpacked at the same time.
const MAX_PAGES: u64 = 2 << 30;
/// Size of the reads of all chunks together that are not read at once, and limits of each of them:
/// a file may have any number of columns, all of which are read at the same time.
const WINDOWS: u64 = 128 << 20;
const MIN_WINDOW: u64 = 4 << 10;
const MAX_WINDOW: u64 = 1 << 20;
/// Maximum size of what is read at once from a Hub: chunks of a row group, or windows of them.
const AT_ONCE: u64 = 32 << 20;
/// Maximum distance of chunks that are read together.
const GAP: u64 = 16 << 10;

/// The bytes of the chunks of a row group.
pub(super) struct Group {
    source: Arc<Source>,
    /// What was read at once.
    fetched: Vec<(u64, Bytes)>,
    window: u64,
    /// Size of the unpacked pages.
    unpacked: AtomicU64,
}

impl Group {
    pub(super) fn open(
        source: &Arc<Source>,
        chunks: &[Range<u64>],
    ) -> std::result::Result<Self, Broken> {
        let total = chunks.iter().map(|chunk| chunk.end - chunk.start).fold(0, u64::saturating_add);
        let count = chunks.len().max(1) as u64;
        let mut fetched = Vec::new();
        if source.is_remote() && total <= AT_ONCE {
            let ranges = merged(chunks.to_vec(), GAP.min(AT_ONCE / count));
            let parts = source.read_all(&ranges)?;
            fetched = ranges.iter().map(|range| range.start).zip(parts).collect();
        }
        let share = (WINDOWS / count).clamp(MIN_WINDOW, MAX_WINDOW);
        let window = if source.is_remote() { share.max(AT_ONCE / count) } else { share };
        Ok(Self { source: source.clone(), fetched, window, unpacked: AtomicU64::new(0) })
    }
}

/// Returns ranges in order, of which those that are close to each other are one.
fn merged(mut ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end + gap => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The pages of a column chunk.
pub(super) struct Pages {
    group: Arc<Group>,
    leaf: Leaf,
    at: u64,
    end: u64,
    window: (u64, Bytes),
    /// The header of the next page, if it was looked at, and its length.
    next: Option<(PageHeader, u64)>,
    /// Sizes of the unpacked dictionary and page.
    dictionary: u64,
    page: u64,
    rows: Repetition,
}

fn failed(why: impl Into<String>) -> ParquetError {
    ParquetError::General(why.into())
}

impl Pages {
    pub(super) fn new(group: &Arc<Group>, chunk: Range<u64>, leaf: Leaf, rows: Repetition) -> Self {
        let (group, window) = (group.clone(), (0, Bytes::new()));
        let Range { start: at, end } = chunk;
        Self { group, leaf, at, end, window, next: None, dictionary: 0, page: 0, rows }
    }

    /// Returns bytes from a position; more are read ahead.
    fn bytes(&mut self, from: u64, length: u64) -> Result<Bytes> {
        for (start, bytes) in self.group.fetched.iter().chain([&self.window]) {
            let offset = from.checked_sub(*start).and_then(|offset| usize::try_from(offset).ok());
            let end = offset.and_then(|offset| offset.checked_add(usize::try_from(length).ok()?));
            if let (Some(offset), Some(end)) = (offset, end)
                && end <= bytes.len()
            {
                return Ok(bytes.slice(offset..end));
            }
        }
        // What is there of it already is not read again.
        let held = from.checked_sub(self.window.0).and_then(|offset| usize::try_from(offset).ok());
        let held = held.filter(|offset| *offset < self.window.1.len());
        let held = held.map_or_else(Bytes::new, |offset| self.window.1.slice(offset..));
        let end = (from + length.max(self.group.window)).min(self.end);
        let rest =
            self.group.source.read(from + held.len() as u64..end).map_err(
                |broken| match broken {
                    Broken::Content(why) => failed(why),
                    Broken::Other(error) => ParquetError::External(Box::new(error)),
                },
            )?;
        let bytes = if held.is_empty() { rest } else { [held, rest].concat().into() };
        let wanted = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
        let wanted = wanted.ok_or_else(|| failed("a page extends beyond its column"))?;
        self.window = (from, bytes.clone());
        Ok(bytes.slice(..wanted))
    }

    /// Reads the header of the next page, if there is one.
    fn peek(&mut self) -> Result<Option<&PageHeader>> {
        if self.next.is_none() && self.at < self.end {
            let left = self.end - self.at;
            let mut length = HEADER.min(self.group.window).min(left);
            let (header, length) = loop {
                match PageHeader::read(&self.bytes(self.at, length)?) {
                    Ok(read) => break read,
                    Err(Wrong::Short) if length < left.min(MAX_HEADER) => {
                        length = (length * 16).min(left).min(MAX_HEADER);
                    }
                    Err(Wrong::Short) => return Err(failed("the header of a page is truncated")),
                    Err(Wrong::Invalid(why)) => {
                        return Err(failed(format!("invalid header of a page: {why}")));
                    }
                }
            };
            self.next = Some((header, length as u64));
        }
        Ok(self.next.as_ref().map(|(header, _)| header))
    }

    fn read(&mut self) -> Result<Option<Page>> {
        loop {
            self.peek()?;
            let Some((header, length)) = self.next.take() else { return Ok(None) };
            let start = self.at + length;
            let packed = size(header.packed)?;
            if packed > self.end.saturating_sub(start) {
                return Err(failed("a page extends beyond its column"));
            }
            self.at = start + packed;
            if matches!(header.kind, DATA | DATA_2 | DICTIONARY) {
                self.count(&header, packed)?;
                let body = self.bytes(start, packed)?;
                return self.page(&header, &body).map(Some);
            }
        }
    }

    /// Counts what a page needs before it is read and unpacked.
    fn count(&mut self, header: &PageHeader, packed: u64) -> Result<()> {
        let unpacked = size(header.unpacked)?;
        let values = size(header.values)?;
        if unpacked > MAX_PAGE || unpacked > SMALL_PAGE.max(packed.saturating_mul(MAX_RATIO)) {
            let packed = sizes::counted(packed, "bytes");
            return Err(failed(format!("a page of {packed} announces {unpacked} bytes")));
        }
        let held = if self.is_packed(header) { packed + unpacked } else { packed };
        if header.kind == DICTIONARY {
            // A length is 4 bytes.
            let width = self.leaf.width.unwrap_or(4).max(1) as u64;
            if values > unpacked / width {
                return Err(failed(format!(
                    "a dictionary of {} announces {}",
                    sizes::counted(unpacked, "bytes"),
                    sizes::counted(values, "values")
                )));
            }
            // Each value is decoded, also an empty one.
            let decoded = values * size_of::<ByteArray>() as u64;
            return self.reserve(DICTIONARY, held + decoded);
        }
        self.reserve(header.kind, held)
    }

    /// Counts the memory of the dictionary or of the page, instead of that of the last one.
    fn reserve(&mut self, kind: i32, bytes: u64) -> Result<()> {
        let share = if kind == DICTIONARY { &mut self.dictionary } else { &mut self.page };
        let before = std::mem::replace(share, bytes);
        self.group.unpacked.fetch_sub(before, Relaxed);
        if self.group.unpacked.fetch_add(bytes, Relaxed) + bytes > MAX_PAGES {
            return Err(failed(format!(
                "its pages need more than {MAX_PAGES} bytes at the same time"
            )));
        }
        Ok(())
    }

    fn page(&mut self, header: &PageHeader, body: &Bytes) -> Result<Page> {
        let values = u32::try_from(header.values).map_err(|_| failed("a negative count"))?;
        // What is not packed in a page of version 2.
        let levels = match header.kind {
            DATA_2 => size(header.definition_bytes)?.saturating_add(size(header.repetition_bytes)?),
            _ => 0,
        };
        let levels = usize::try_from(levels).ok().filter(|levels| *levels <= body.len());
        let levels = levels.ok_or_else(|| failed("the levels of a page extend beyond it"))?;
        let buf = self.unpacked(header, body, levels)?;
        if header.kind == DICTIONARY {
            let encoding = encoding(header.encoding)?;
            return Ok(Page::DictionaryPage {
                buf,
                num_values: values,
                encoding,
                is_sorted: false,
            });
        }
        let encoded = encoding(header.encoding)?;
        self.count_rows(header, &buf)?;
        let (buf, encoding) =
            delta::plain(header, &self.leaf, levels, buf, encoded).map_err(failed)?;
        self.reserve(header.kind, self.page.max(buf.len() as u64))?;
        if header.kind == DATA {
            return Ok(Page::DataPage {
                buf,
                num_values: values,
                encoding,
                def_level_encoding: self::encoding(header.definition_encoding)?,
                rep_level_encoding: self::encoding(header.repetition_encoding)?,
                statistics: None,
            });
        }
        let count = |count| u32::try_from(count).map_err(|_| failed("a negative count"));
        Ok(Page::DataPageV2 {
            buf,
            num_values: values,
            encoding,
            num_nulls: count(header.nulls)?,
            num_rows: count(header.rows)?,
            def_levels_byte_len: count(header.definition_bytes)?,
            rep_levels_byte_len: count(header.repetition_bytes)?,
            is_compressed: header.is_packed,
            statistics: None,
        })
    }

    fn count_rows(&mut self, header: &PageHeader, page: &[u8]) -> Result<()> {
        let values = usize::try_from(header.values).map_err(|_| failed("a negative count"))?;
        let (length, encoding) = match header.kind {
            DATA => (None, encoding(header.repetition_encoding)?),
            _ => (usize::try_from(header.repetition_bytes).ok(), Encoding::RLE),
        };
        self.rows.count(page, length, encoding, values).map_err(failed)
    }

    fn is_packed(&self, header: &PageHeader) -> bool {
        let is_packed = header.kind != DATA_2 || header.is_packed;
        is_packed && self.leaf.codec != Compression::UNCOMPRESSED
    }

    fn unpacked(&self, header: &PageHeader, body: &Bytes, levels: usize) -> Result<Bytes> {
        let length =
            usize::try_from(size(header.unpacked)?).map_err(|_| failed("a page is too large"))?;
        if !self.is_packed(header) {
            return Ok(body.clone());
        }
        let values = length.checked_sub(levels);
        let values = values.ok_or_else(|| failed("the levels of a page extend beyond it"))?;
        let mut unpacked = Vec::with_capacity(length);
        unpacked.extend_from_slice(&body[..levels]);
        // A page without values may have nothing to unpack.
        if values > 0 {
            codec::unpack(self.leaf.codec, &body[levels..], values, &mut unpacked)
                .map_err(failed)?;
        }
        Ok(unpacked.into())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.group.unpacked.fetch_sub(self.dictionary + self.page, Relaxed);
    }
}

fn size(announced: i32) -> Result<u64> {
    u64::try_from(announced).map_err(|_| failed("a page announces a negative size"))
}

fn encoding(number: i32) -> Result<Encoding> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "older files have it")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => return Err(failed(format!("encoding {other} is not supported"))),
    })
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.read()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        // Used to find out whether the next page begins a row: only those of version 2 do.
        Ok(self.peek()?.map(|header| PageMetadata {
            num_rows: usize::try_from(header.rows).ok().filter(|_| header.kind == DATA_2),
            num_levels: None,
            is_dict: header.kind == DICTIONARY,
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(failed("pages are not skipped"))
    }
}
