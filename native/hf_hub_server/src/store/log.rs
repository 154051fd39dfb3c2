//! Logs: files that only grow, and readers that follow them.
//!
//! A line is a JSON object with `timestamp` and `data`, or the plain text that another program has
//! written.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::disk;

/// Maximum number of bytes to read at a time.
const PIECE: u64 = 64 << 10;
/// A longer line of a program is written as several.
const MAX_LINE: usize = 32 << 10;
/// A longer line of the file is read as several: one of a program is up to twice as long as
/// [`MAX_LINE`], and up to six times longer in JSON.
const MAX_READ: usize = 16 * MAX_LINE;

/// A log, which may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Appends a line.
    pub(crate) fn append(&self, data: &str) -> Result<()> {
        let mut file = self.open()?;
        // One write: lines of several programs do not mix.
        file.write_all(line(data).as_bytes()).with_context(|| self.failed())
    }

    /// Returns a writer that keeps at most `most` bytes.
    pub(crate) fn writer(&self, most: u64) -> Result<Writer> {
        let file = self.open()?;
        let written = file.metadata()?.len();
        Ok(Writer { file, most, left: most.saturating_sub(written) })
    }

    /// Returns a reader from the beginning.
    pub(crate) fn tail(&self) -> Tail {
        Tail { path: self.path.clone(), offset: 0, rest: Vec::new() }
    }

    /// Returns a reader from the last `lines` lines.
    pub(crate) fn last(&self, lines: usize) -> Result<Tail> {
        let mut tail = self.tail();
        let content = match fs::read(&self.path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(tail),
            content => content.with_context(|| format!("cannot read {}", self.path.display()))?,
        };
        let ends = content.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        // The last line has an end, too, unless it is being written.
        let before = ends.skip(usize::from(content.ends_with(b"\n"))).nth(lines.max(1) - 1);
        tail.offset = before.map_or(0, |(end, _)| end as u64 + 1);
        Ok(tail)
    }

    /// Removes the log if it exists.
    pub(super) fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
            done => done.with_context(|| format!("cannot remove {}", self.path.display())),
        }
    }

    fn open(&self) -> Result<File> {
        disk::create_parent(&self.path)?;
        let file = File::options().create(true).append(true).open(&self.path);
        file.with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        format!("cannot write to {}", self.path.display())
    }
}

/// Returns a line of the file.
fn line(data: &str) -> String {
    format!("{}\n", json!({ "timestamp": format!("{:.3}", Timestamp::now()), "data": data }))
}

/// Writes a log up to a size.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    most: u64,
    left: u64,
}

impl Writer {
    /// Writes everything that a program prints, line by line. What exceeds the size is read and
    /// dropped, so that the program is not stopped.
    pub(crate) fn copy(&mut self, mut from: impl Read) -> io::Result<()> {
        let mut rest = Vec::new();
        let mut piece = vec![0; MAX_LINE];
        loop {
            let read = match from.read(&mut piece) {
                Err(err) if err.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            rest.extend_from_slice(&piece[..read]);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.drain(..=end).collect::<Vec<_>>();
                self.bytes(&line[..end])?;
            }
            let is_end = read == 0;
            if rest.len() >= MAX_LINE || is_end && !rest.is_empty() {
                self.bytes(&std::mem::take(&mut rest))?;
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn bytes(&mut self, line: &[u8]) -> io::Result<()> {
        self.append(String::from_utf8_lossy(line).trim_end_matches('\r'))
    }

    /// Writes a line.
    pub(crate) fn append(&mut self, data: &str) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        let text = line(data);
        if text.len() as u64 > self.left {
            self.left = 0;
            let note = format!("[a log has at most {} bytes; the rest was dropped]", self.most);
            return self.file.write_all(line(&note).as_bytes());
        }
        self.left -= text.len() as u64;
        self.file.write_all(text.as_bytes())
    }
}

/// What was found at the end of a log.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// New lines.
    Lines(Vec<Value>),
    /// Nothing new.
    Nothing,
}

/// Reads a log, whose end moves.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    offset: u64,
    rest: Vec<u8>,
}

impl Tail {
    /// Returns the lines since the last call.
    pub(crate) fn read(&mut self) -> io::Result<Piece> {
        let mut file = match File::open(&self.path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Piece::Nothing),
            file => file?,
        };
        let about = file.metadata()?;
        if about.len() < self.offset {
            // It was replaced by a new log.
            (self.offset, self.rest) = (0, Vec::new());
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let read = file.take(PIECE).read_to_end(&mut self.rest)?;
        self.offset += read as u64;
        if read == 0 {
            return Ok(Piece::Nothing);
        }
        let written_at = about.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        let lines = self.lines();
        let time = written_at.unwrap_or_else(Timestamp::now);
        Ok(Piece::Lines(lines.iter().map(|line| event(line, time)).collect()))
    }

    /// Takes the complete lines; the rest stays until it ends.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let complete = self.rest.drain(..end).collect::<Vec<_>>();
        let mut lines =
            complete.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
        if self.rest.len() > MAX_READ {
            lines.push(std::mem::take(&mut self.rest));
        }
        lines
    }
}

/// Returns a line as the API sends it.
fn event(line: &[u8], written_at: Timestamp) -> Value {
    match serde_json::from_slice(line) {
        Ok(Value::Object(event)) if event.get("data").is_some_and(Value::is_string) => event.into(),
        _ => json!({
            "timestamp": format!("{written_at:.3}"),
            "data": String::from_utf8_lossy(line),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(piece: Piece) -> Vec<String> {
        let Piece::Lines(lines) = piece else { return Vec::new() };
        lines.iter().map(|line| line["data"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn follows_a_file_that_grows_line_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("logs/run.log"));
        let mut tail = log.tail();
        assert_eq!(tail.read().unwrap(), Piece::Nothing);
        log.append("one\n").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["one\n"]);
        let mut file = File::options().append(true).open(&log.path).unwrap();
        file.write_all(b"plain \xff\nha").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["plain \u{fffd}\n"]);
        file.write_all(b"lf\n").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["half\n"]);
        assert_eq!(tail.read().unwrap(), Piece::Nothing);
        fs::write(&log.path, "new\n").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["new\n"]);
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("run.log"));
        fs::write(&log.path, "x".repeat(9 * (64 << 10))).unwrap();
        let mut tail = log.tail();
        let sizes = std::iter::from_fn(|| {
            Some(tail.read().unwrap()).filter(|read| *read != Piece::Nothing)
        })
        .map(|read| data(read).concat().len());
        assert_eq!(sizes.sum::<usize>(), 9 * (64 << 10));
        assert!(tail.rest.is_empty());
    }

    #[test]
    fn a_line_that_is_longer_in_the_file_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("run.log"));
        let text = ["\"", "\0"].map(|letter| letter.repeat(60 << 10));
        let mut writer = log.writer(1 << 20).unwrap();
        for text in &text {
            writer.append(text).unwrap();
        }
        let mut tail = log.tail();
        let mut lines = Vec::new();
        while let read @ Piece::Lines(_) = tail.read().unwrap() {
            lines.extend(data(read));
        }
        assert!(lines == text);
    }

    #[test]
    fn begins_with_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("run.log"));
        assert_eq!(log.last(2).unwrap().read().unwrap(), Piece::Nothing);
        for line in ["one", "two", "three"] {
            log.append(line).unwrap();
        }
        let last = |lines| data(log.last(lines).unwrap().read().unwrap());
        assert_eq!(last(1), ["three"]);
        assert_eq!(last(2), ["two", "three"]);
        assert_eq!(last(9), ["one", "two", "three"]);
    }

    #[test]
    fn a_writer_keeps_lines_up_to_its_size_and_reads_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("run.log"));
        let mut writer = log.writer(1000).unwrap();
        writer.copy(&b"one\r\ntwo\n\nhalf"[..]).unwrap();
        writer.copy(io::repeat(b'x').take(100_000)).unwrap();
        writer.copy(&b"late\n"[..]).unwrap();
        let lines = data(log.tail().read().unwrap());
        assert_eq!(lines[..4], ["one", "two", "", "half"]);
        assert_eq!(lines[4..], ["[a log has at most 1000 bytes; the rest was dropped]"]);
    }
}
