//! The logs of a Space: files that only grow, and readers that follow them.
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
/// A longer line is read as several.
const MAX_LINE: usize = 32 << 10;

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogKind {
    /// That of the build.
    Build,
    /// That of the app.
    Run,
}

/// The logs of one Space.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    folder: PathBuf,
}

impl Logs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, kind: LogKind) -> PathBuf {
        self.folder.join(match kind {
            LogKind::Build => "build.log",
            LogKind::Run => "run.log",
        })
    }

    /// Appends a line.
    pub(crate) fn append(&self, kind: LogKind, text: &str) -> Result<()> {
        let path = self.path(kind);
        let context = || format!("cannot write to {}", path.display());
        disk::create_parent(&path)?;
        let line =
            json!({ "timestamp": format!("{:.3}", Timestamp::now()), "data": format!("{text}\n") });
        let mut file =
            File::options().create(true).append(true).open(&path).with_context(context)?;
        // One write: lines of several programs do not mix.
        file.write_all(format!("{line}\n").as_bytes()).with_context(context)
    }

    /// Returns a reader from the beginning of a log, which may not exist yet.
    pub(crate) fn tail(&self, kind: LogKind) -> Tail {
        Tail { path: self.path(kind), offset: 0, rest: Vec::new() }
    }

    /// Removes the logs.
    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
            done => done.with_context(|| format!("cannot remove {}", self.folder.display())),
        }
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
        if self.rest.len() > MAX_LINE {
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
        let logs = Logs::new(dir.path().join("logs"));
        let mut tail = logs.tail(LogKind::Run);
        assert_eq!(tail.read().unwrap(), Piece::Nothing);
        logs.append(LogKind::Run, "one").unwrap();
        logs.append(LogKind::Build, "other").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["one\n"]);
        let mut file = File::options().append(true).open(logs.path(LogKind::Run)).unwrap();
        file.write_all(b"plain \xff\nha").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["plain \u{fffd}\n"]);
        file.write_all(b"lf\n").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["half\n"]);
        assert_eq!(tail.read().unwrap(), Piece::Nothing);
        fs::write(logs.path(LogKind::Run), "new\n").unwrap();
        assert_eq!(data(tail.read().unwrap()), ["new\n"]);
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::new(dir.path().to_owned());
        fs::write(logs.path(LogKind::Run), "x".repeat(3 * (64 << 10))).unwrap();
        let mut tail = logs.tail(LogKind::Run);
        let sizes =
            std::iter::from_fn(|| Some(data(tail.read().unwrap())).filter(|d| !d.is_empty()))
                .map(|lines| lines.concat().len());
        assert_eq!(sizes.sum::<usize>(), 3 * (64 << 10));
        assert!(tail.rest.is_empty());
    }
}
