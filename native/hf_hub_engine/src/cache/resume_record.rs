//! The resume record at the end of a partial file, with the received byte ranges.
//!
//! It is stored after the position of the file's last byte, on a page of its own: one rename moves
//! both, and a crashing process cannot leave it half written. A partial file without a record, or
//! with one for other content, is treated as a plain prefix. The record is never trusted alone: the
//! content is always verified.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize};

use crate::base::{etag::Etag, ranges::Ranges};

/// Records begin at a multiple of this, and are not longer.
const PAGE: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Record {
    etag: String,
    size: u64,
    ranges: Vec<(u64, u64)>,
}

/// Returns the position of the record of a file of `size` bytes.
pub fn position(size: u64) -> u64 {
    size.next_multiple_of(PAGE as u64)
}

/// Encodes the record. If there are more ranges than fit into one page, it has the longest of them.
/// `None` if the etag alone does not fit.
pub fn encode(etag: &Etag, size: u64, ranges: &Ranges) -> Option<Vec<u8>> {
    let mut text = line(etag, size, ranges)?;
    let mut count = ranges.count();
    while text.len() > PAGE {
        // About as many as fit, and fewer each time.
        count = (count * PAGE / text.len()).min(count.checked_sub(1)?);
        text = line(etag, size, &ranges.longest(count))?;
    }
    Some(text)
}

fn line(etag: &Etag, size: u64, ranges: &Ranges) -> Option<Vec<u8>> {
    let ranges = ranges.iter().map(|range| (range.start, range.end)).collect();
    let mut text = serde_json::to_vec(&Record { etag: etag.to_string(), size, ranges }).ok()?;
    // A shorter record does not overwrite the end of a longer one.
    text.push(b'\n');
    Some(text)
}

/// Returns the ranges of the content `etag` that the partial file holds, as far as they are
/// recorded.
pub fn read(file: &mut File, etag: &Etag, size: Option<u64>) -> io::Result<Ranges> {
    let length = file.metadata()?.len();
    let Some(size) = size else { return Ok(Ranges::prefix_of(length)) };
    if length <= size {
        return Ok(Ranges::prefix_of(length));
    }
    file.seek(SeekFrom::Start(position(size)))?;
    let mut text = Vec::new();
    file.take(PAGE as u64).read_to_end(&mut text)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let note = serde_json::from_slice::<Record>(line).ok();
    let note = note.filter(|note| note.etag == etag.as_str() && note.size == size);
    let mut ranges = Ranges::default();
    for (start, end) in note.into_iter().flat_map(|note| note.ranges) {
        if start < end && end <= size {
            ranges.add(start..end);
        }
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn partial(size: u64, note: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.seek(SeekFrom::Start(position(size))).unwrap();
        file.write_all(note).unwrap();
        file
    }

    fn etag() -> Etag {
        Etag::parse(HELLO).unwrap()
    }

    #[test]
    fn a_record_is_read_as_written() {
        let mut ranges = Ranges::default();
        ranges.add(0..10);
        ranges.add(20..5000);
        for size in [5000, 8192, 1 << 40] {
            let note = encode(&etag(), size, &ranges).unwrap();
            let mut file = partial(size, &[&note[..], b"rest of a longer one}\n"].concat());
            assert_eq!(read(&mut file, &etag(), Some(size)).unwrap(), ranges);
        }
    }

    #[test]
    fn ignores_a_record_of_other_content() {
        let other = Etag::parse(&"b".repeat(40)).unwrap();
        let whole = Ranges::prefix_of(5000);
        for note in [
            encode(&other, 5000, &whole).unwrap(),
            encode(&etag(), 4999, &whole).unwrap(),
            encode(&etag(), 5000, &Ranges::prefix_of(6000)).unwrap(),
            b"{\"etag\":".to_vec(),
            b"far too long".to_vec(),
        ] {
            let mut file = partial(5000, &note);
            assert_eq!(read(&mut file, &etag(), Some(5000)).unwrap(), Ranges::default());
        }
    }

    #[test]
    fn a_partial_file_without_a_record_is_a_prefix() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hel").unwrap();
        assert_eq!(read(&mut file, &etag(), Some(6)).unwrap(), Ranges::prefix_of(3));
        assert_eq!(read(&mut file, &etag(), None).unwrap(), Ranges::prefix_of(3));
    }

    #[test]
    fn a_record_of_more_ranges_than_fit_has_the_longest() {
        let mut ranges = Ranges::prefix_of(1 << 30);
        for n in 0..5_000 {
            ranges.add((2 << 30) + n * 1_000..(2 << 30) + n * 1_000 + 100 + n % 500);
        }
        let note = encode(&etag(), 1 << 40, &ranges).unwrap();
        assert!((PAGE * 9 / 10..=PAGE).contains(&note.len()), "{}", note.len());
        let kept = read(&mut partial(1 << 40, &note), &etag(), Some(1 << 40)).unwrap();
        assert_eq!(kept, ranges.longest(kept.count()));
        assert!(kept.count() > 100 && kept.prefix() == 1 << 30);
    }
}
