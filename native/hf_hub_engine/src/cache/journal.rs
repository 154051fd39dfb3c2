//! The note at the end of a partial that says which of its bytes have arrived.
//!
//! It lies behind the place of the file's last byte, on a page of its own: one rename
//! moves both, and no crash of a process can tear it. A partial without a note, or with
//! one about another content, is taken for a plain prefix. A note is never believed to
//! the end: the content has to prove itself all the same.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize};

use crate::{base::etag::Etag, cache::ranges::Ranges};

/// Notes begin at a multiple of this, and are not longer.
const PAGE: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Note {
    etag: String,
    size: u64,
    ranges: Vec<(u64, u64)>,
}

/// Where the note about a file of `size` bytes begins.
pub fn position(size: u64) -> u64 {
    size.div_ceil(PAGE) * PAGE
}

/// The note as it is written; `None` if there are more ranges than one page can name.
pub fn encode(etag: &Etag, size: u64, ranges: &Ranges) -> Option<Vec<u8>> {
    let ranges = ranges.iter().map(|range| (range.start, range.end)).collect();
    let note = Note { etag: etag.to_string(), size, ranges };
    let mut text = serde_json::to_vec(&note).ok()?;
    // A shorter note leaves the end of a longer one behind itself.
    text.push(b'\n');
    (text.len() as u64 <= PAGE).then_some(text)
}

/// Which bytes of the content `etag` the partial holds, as far as it can say.
pub fn read(file: &mut File, etag: &Etag, size: Option<u64>) -> io::Result<Ranges> {
    let length = file.metadata()?.len();
    let Some(size) = size else { return Ok(Ranges::prefix_of(length)) };
    if length <= size {
        return Ok(Ranges::prefix_of(length));
    }
    file.seek(SeekFrom::Start(position(size)))?;
    let mut text = Vec::new();
    file.take(PAGE).read_to_end(&mut text)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let note = serde_json::from_slice::<Note>(line).ok();
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
    fn a_note_is_read_as_it_was_written() {
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
    fn a_note_about_something_else_is_worth_nothing() {
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
    fn without_a_note_a_partial_is_a_prefix() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"hel").unwrap();
        assert_eq!(read(&mut file, &etag(), Some(6)).unwrap(), Ranges::prefix_of(3));
        assert_eq!(read(&mut file, &etag(), None).unwrap(), Ranges::prefix_of(3));
    }

    #[test]
    fn a_note_fits_its_page_or_is_none() {
        let mut ranges = Ranges::default();
        for n in 0..1000 {
            ranges.add(n * 10..n * 10 + 5);
        }
        assert_eq!(encode(&etag(), 1 << 40, &ranges), None);
    }
}
