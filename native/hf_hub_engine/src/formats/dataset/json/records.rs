//! Splits a text into objects: lines, or the items of an array.

use std::io::BufRead;

use crate::formats::dataset::{Broken, ROW_BYTES};

/// Number of values that a list or an object counts for.
const NESTED: usize = 4;

/// The objects of a text, each with its number from 1.
pub(super) struct Records<R> {
    from: R,
    number: u64,
    form: Option<Form>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Lines,
    Array,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, number: 0, form: None }
    }

    /// Returns the text of the next object; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, Broken> {
        let text = match self.form()? {
            Form::Lines => self.line()?,
            Form::Array => self.item()?,
        };
        self.number += u64::from(text.is_some());
        Ok(text.map(|text| (self.number, text)))
    }

    /// Whether the objects are in an array.
    pub(super) fn is_array(&mut self) -> Result<bool, Broken> {
        Ok(self.form()? == Form::Array)
    }

    fn form(&mut self) -> Result<Form, Broken> {
        match self.form {
            Some(form) => Ok(form),
            None => self.begin(),
        }
    }

    /// Skips a byte order mark and white space; the first character decides what the text is.
    fn begin(&mut self) -> Result<Form, Broken> {
        let form = loop {
            match self.peek()? {
                Some(0xef | 0xbb | 0xbf) => self.from.consume(1),
                Some(byte) if byte.is_ascii_whitespace() => self.from.consume(1),
                Some(b'[') => {
                    self.from.consume(1);
                    break Form::Array;
                }
                _ => break Form::Lines,
            }
        };
        self.form = Some(form);
        Ok(form)
    }

    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        Ok(self.from.fill_buf()?.first().copied())
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            let mut line = Vec::new();
            let mut limited = std::io::Read::take(&mut self.from, ROW_BYTES as u64 + 1);
            if limited.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.check(&line)?;
            if !line.trim_ascii().is_empty() {
                self.complete(&mut line)?;
                return Ok(Some(line));
            }
        }
    }

    /// Reads the other lines of an object that does not end with its first one.
    fn complete(&mut self, text: &mut Vec<u8>) -> Result<(), Broken> {
        let first = text.trim_ascii();
        if !first.starts_with(b"{") || first.ends_with(b"}") {
            return Ok(());
        }
        let (mut inside, mut seen) = (Inside::default(), 0);
        while !text[seen..].iter().any(|byte| inside.ends(*byte)) {
            seen = text.len();
            let room = (ROW_BYTES + 1).saturating_sub(seen) as u64;
            let mut limited = std::io::Read::take(&mut self.from, room);
            if limited.read_until(b'\n', text)? == 0 {
                break;
            }
            self.check(text)?;
        }
        Ok(())
    }

    fn check(&self, text: &[u8]) -> Result<(), Broken> {
        if text.len() > ROW_BYTES {
            let number = self.number + 1;
            return Err(format!("row {number}: it has more than {ROW_BYTES} bytes").into());
        }
        Ok(())
    }

    fn item(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        loop {
            match self.peek()? {
                None => return Err("it is truncated".to_owned().into()),
                Some(b']') => return Ok(None),
                Some(byte) if byte == b',' || byte.is_ascii_whitespace() => self.from.consume(1),
                Some(_) => return self.object().map(Some),
            }
        }
    }

    /// Reads up to the end of an object; what is in it is parsed later.
    fn object(&mut self) -> Result<Vec<u8>, Broken> {
        let mut object = Vec::new();
        let mut inside = Inside::default();
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Err("it is truncated".to_owned().into());
            }
            let end = buffer.iter().position(|byte| inside.ends(*byte));
            let length = end.map_or(buffer.len(), |at| at + usize::from(inside.is_closed));
            object.extend_from_slice(&buffer[..length]);
            self.from.consume(length);
            self.check(&object)?;
            if end.is_some() {
                return Ok(object);
            }
        }
    }
}

/// Whether a text has more values than that. A list or an object takes as much memory as some
/// numbers, so it counts as [`NESTED`] of them.
pub(super) fn has_more(text: &[u8], most: usize) -> bool {
    if text.len() < most / NESTED {
        return false;
    }
    let (mut inside, mut count) = (Inside::default(), 0);
    text.iter().any(|byte| {
        if !inside.text {
            count += match byte {
                b',' => 1,
                b'{' | b'[' => NESTED,
                _ => 0,
            };
        }
        inside.ends(*byte);
        count > most
    })
}

/// Where in an object a text is.
#[derive(Default)]
struct Inside {
    depth: u64,
    text: bool,
    escaped: bool,
    /// Whether the character that ended the object is part of it.
    is_closed: bool,
}

impl Inside {
    fn ends(&mut self, byte: u8) -> bool {
        if self.text {
            self.text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return false;
        }
        match byte {
            b'"' => self.text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.is_closed = self.depth == 0;
                return self.is_closed;
            }
            // A value that is not an object ends where the next one begins.
            b',' | b']' => return self.depth == 0,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<String>, String> {
        // A buffer of one byte, so that every place is a boundary of two reads.
        let mut records = Records::new(std::io::BufReader::with_capacity(1, text.as_bytes()));
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some((_, text))) => {
                    found.push(String::from_utf8(text).unwrap().trim().to_owned());
                }
                Ok(None) => return Ok(found),
                Err(Broken::Content(why)) => return Err(why),
                Err(Broken::Other(error)) => return Err(error.to_string()),
            }
        }
    }

    #[test]
    fn values_are_counted_outside_of_texts() {
        assert!(!has_more(b"[1,2,3]", 6) && has_more(b"[1,2,3]", 5));
        assert!(!has_more(br#"{"a":"[{,,\",,"}"#, 4) && has_more(br#"{"a":[]}"#, 7));
        assert!(!has_more(br#"{"a":[]}"#, 8) && !has_more(b"", 0));
    }

    #[test]
    fn splits_lines_and_arrays() {
        assert_eq!(all("{\"a\":1}\n\n {\"a\":2}").unwrap(), ["{\"a\":1}", "{\"a\":2}"]);
        let tall = "{\n \"a\": {\n \"b\": \"}\"\n }\n}\n{\"a\":2}\n{\n\"a\":3}";
        let objects = ["{\n \"a\": {\n \"b\": \"}\"\n }\n}", "{\"a\":2}", "{\n\"a\":3}"];
        assert_eq!(all(tall).unwrap(), objects);
        assert_eq!(all("{\n\"a\":").unwrap(), ["{\n\"a\":"]);
        let array = "\u{feff} [ {\"a\":\"}\\\"]\"} ,\n{\"b\":[{}]}, 1, \"x\"]";
        let items = ["{\"a\":\"}\\\"]\"}", "{\"b\":[{}]}", "1", "\"x\""];
        assert_eq!(all(array).unwrap(), items);
        assert_eq!(all("[]").unwrap(), [""; 0]);
        assert_eq!(all("").unwrap(), [""; 0]);
        assert_eq!(all("[{\"a\":1}").unwrap_err(), "it is truncated");
        assert_eq!(all("[{\"a\":").unwrap_err(), "it is truncated");
    }
}
