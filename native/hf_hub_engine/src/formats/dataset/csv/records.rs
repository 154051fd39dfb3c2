//! Splits a table into rows. A row takes no more memory than it is given: a few megabytes of
//! delimiters would be millions of values, and an open quote takes in the whole file.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::{
    base::sizes,
    formats::dataset::{Broken, ROW_BYTES},
};

/// Size of the reads of a file.
const BUFFER: usize = 64 << 10;
/// Size from which on the place for a row grows.
const FIRST: usize = 1 << 10;

/// Maximum number of values of a row.
#[derive(Clone, Copy)]
pub(super) enum Most {
    /// Of the header: columns.
    Columns(usize),
    /// Of another row: the names in the header.
    Names(usize),
}

impl Most {
    fn number(self) -> usize {
        let (Self::Columns(number) | Self::Names(number)) = self;
        number
    }

    fn exceeded(self) -> String {
        match self {
            Self::Columns(most) => format!("it has more than {most} columns"),
            Self::Names(names) => {
                let names = sizes::counted(names as u64, "names");
                format!("it has more values than the header, which has {names}")
            }
        }
    }
}

/// A row.
#[derive(Default)]
pub(super) struct Row {
    /// The line on which it begins.
    pub line: u64,
    /// The values without their quotes, one after the other, and where each of them ends. There
    /// may be place for more.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Row {
    /// Returns the value at a position; rows may be shorter than the header.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends[..self.count].get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    /// Returns the values.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).filter_map(|at| self.get(at))
    }

    /// Whether it is a line of white space, which is not a row.
    fn is_blank(&self) -> bool {
        self.count == 1 && self.get(0).is_some_and(|value| value.trim_ascii().is_empty())
    }

    /// Number of bytes that its values and their ends take.
    pub(super) fn size(&self) -> usize {
        self.length() + self.count * size_of::<usize>()
    }

    /// Gives back the place that it does not need.
    pub(super) fn shrink(&mut self) {
        self.bytes.truncate(self.length());
        self.bytes.shrink_to_fit();
        self.ends.truncate(self.count);
        self.ends.shrink_to_fit();
    }

    fn length(&self) -> usize {
        self.count.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// The rows of a table.
pub(super) struct Records {
    from: BufReader<Box<dyn Read + Send>>,
    parser: Reader,
    /// Whether all of the text was parsed.
    is_over: bool,
}

impl Records {
    pub(super) fn new(from: Box<dyn Read + Send>, delimiter: u8) -> Self {
        let parser = ReaderBuilder::new().delimiter(delimiter).build();
        Self { from: BufReader::with_capacity(BUFFER, from), parser, is_over: false }
    }

    /// Reads the next row; returns whether there is one.
    pub(super) fn read(&mut self, row: &mut Row, most: Most) -> Result<bool, Broken> {
        // Lines of white space are no rows.
        loop {
            let Some(is_quoted) = self.read_line(row, most)? else { return Ok(false) };
            if is_quoted || !row.is_blank() {
                return Ok(true);
            }
        }
    }

    /// Reads the next line that is not empty; returns whether its only value is in quotes. `None`
    /// at the end.
    fn read_line(&mut self, row: &mut Row, most: Most) -> Result<Option<bool>, Broken> {
        let line = self.parser.line();
        (row.line, row.count) = (line, 0);
        let (mut length, mut is_quoted) = (0, false);
        loop {
            let input = self.from.fill_buf()?;
            // A line break ends the last row, unless a quote is open.
            let is_end = input.is_empty() && !self.is_over;
            let input = if is_end { &b"\n"[..] } else { input };
            let (bytes, ends) = (&mut row.bytes[length..], &mut row.ends[row.count..]);
            let (result, read, written, ended) = self.parser.read_record(input, bytes, ends);
            is_quoted |= row.count + ended < 2 && input[..read].contains(&b'"');
            if is_end {
                self.is_over = read > 0;
            } else {
                self.from.consume(read);
            }
            length += written;
            row.count += ended;
            let error = match result {
                ReadRecordResult::InputEmpty if is_end && written > 0 => {
                    "a quote is not closed".to_owned()
                }
                ReadRecordResult::InputEmpty => continue,
                ReadRecordResult::OutputFull if grow(&mut row.bytes, ROW_BYTES) => continue,
                ReadRecordResult::OutputEndsFull if grow(&mut row.ends, most.number()) => continue,
                ReadRecordResult::OutputFull => {
                    format!("it has more than {ROW_BYTES} bytes; a quote may not be closed")
                }
                ReadRecordResult::OutputEndsFull => most.exceeded(),
                ReadRecordResult::Record => return Ok(Some(is_quoted)),
                ReadRecordResult::End => return Ok(None),
            };
            return Err(format!("line {line}: {error}").into());
        }
    }
}

/// Makes place for twice as much, up to a limit; returns whether there is more of it now.
fn grow<T: Clone + Default>(place: &mut Vec<T>, most: usize) -> bool {
    let more = place.len().saturating_mul(2).clamp(FIRST.min(most), most);
    let grows = more > place.len();
    if grows {
        place.resize(more, T::default());
    }
    grows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8], values: usize) -> Result<Vec<(u64, Vec<String>)>, String> {
        let mut records = Records::new(Box::new(std::io::Cursor::new(text.to_vec())), b',');
        let (mut row, mut rows) = (Row::default(), Vec::new());
        loop {
            match records.read(&mut row, Most::Names(values)) {
                Ok(false) => return Ok(rows),
                Ok(true) => {
                    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
                    rows.push((row.line, row.values().map(text).collect()));
                }
                Err(Broken::Content(why)) => return Err(why),
                Err(Broken::Other(error)) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn values_are_those_between_delimiters_and_quotes() {
        let text = b"a,\"b\"\"\n,\"\r\n\n,\n1,2,3\n\"x\"\n \t\n\" \"\n  ";
        let row = |line, values: &[&str]| (line, values.iter().map(|v| (*v).to_owned()).collect());
        let expected = [row(1, &["a", "b\"\n,"]), row(2, &["", ""]), row(5, &["1", "2", "3"])];
        let rows = rows(text, 3).unwrap();
        assert_eq!(rows[..3], expected);
        assert_eq!(rows[3].1, ["x"]);
        // A line of white space is no row; a text of it is one.
        assert_eq!(rows[4].1, [" "]);
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn a_quote_that_is_not_closed_is_refused() {
        for text in ["1,2\n\"", "1,2\n1,\"", "1,2\n\"x\n2,y\n", "1,2\n1,\"x\"\"\n"] {
            let error = rows(text.as_bytes(), 2).unwrap_err();
            assert_eq!(error, "line 2: a quote is not closed", "{text:?}");
        }
        for text in ["1,\"x\"", "1,x\"", "\"\"", "1,"] {
            assert_eq!(rows(text.as_bytes(), 2).unwrap().len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_row_with_more_values_is_refused_whether_or_not_the_file_ends_there() {
        for text in ["1,2\n1,2,3\n", "1,2\n1,2,3", "1,2\n1,2,", "1,2\n1,2,\n"] {
            let error = rows(text.as_bytes(), 2).unwrap_err();
            assert_eq!(error, "line 2: it has more values than the header, which has 2 names");
            assert!(rows(text.as_bytes(), 3).is_ok());
        }
    }

    #[test]
    fn a_row_of_delimiters_takes_no_more_memory_than_its_values_may() {
        let mut records = Records::new(Box::new(std::io::repeat(b',')), b',');
        let mut row = Row::default();
        assert!(records.read(&mut row, Most::Columns(100_000)).is_err());
        assert!(row.ends.capacity() <= 2 * 100_000 && row.bytes.capacity() <= 2 * FIRST);
    }

    #[test]
    fn a_row_without_its_excess_place_has_the_same_values() {
        let mut records = Records::new(Box::new(std::io::Cursor::new(b"ab,c\n".to_vec())), b',');
        let mut row = Row::default();
        assert!(records.read(&mut row, Most::Names(100)).is_ok_and(|is_read| is_read));
        row.shrink();
        assert_eq!((row.get(0), row.get(1), row.get(2)), (Some(&b"ab"[..]), Some(&b"c"[..]), None));
        assert_eq!((row.bytes.capacity(), row.ends.capacity()), (3, 2));
        assert_eq!(row.size(), 3 + 2 * size_of::<usize>());
    }
}
