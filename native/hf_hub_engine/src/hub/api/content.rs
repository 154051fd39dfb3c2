//! The body of a call: bytes in memory, and files that are read while they are sent.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        input,
    },
    hub::streamed_body::Pieces,
};

/// Number of bytes read from a file at once.
const PIECE: usize = 256 << 10;

/// A part of a body.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Bytes in memory.
    Bytes(#[serde(deserialize_with = "input::bytes")] Bytes),
    /// The content of a file.
    File(#[serde(deserialize_with = "input::path")] PathBuf),
}

/// Returns the bytes of all segments, if none is a file.
pub(super) fn at_hand(segments: &[Segment]) -> Option<Bytes> {
    if let [Segment::Bytes(bytes)] = segments {
        return Some(bytes.clone());
    }
    let bytes = segments.iter().map(|segment| match segment {
        Segment::Bytes(bytes) => Some(bytes),
        Segment::File(_) => None,
    });
    bytes.collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().copied().collect())
}

/// Segments with open files. The length of a file is fixed when it is opened.
pub(super) struct Opened {
    length: u64,
    rest: std::vec::IntoIter<Part>,
    current: Option<Part>,
}

enum Part {
    Bytes(Bytes),
    File { file: File, path: PathBuf, left: u64 },
}

impl Opened {
    /// Opens the files. Blocks the thread.
    pub(super) fn new(segments: Vec<Segment>) -> Result<Self> {
        let parts = segments.into_iter().map(open).collect::<Result<Vec<_>>>()?;
        let length = parts.iter().map(Part::left).sum();
        Ok(Self { length, rest: parts.into_iter(), current: None })
    }
}

fn open(segment: Segment) -> Result<Part> {
    match segment {
        Segment::Bytes(bytes) => Ok(Part::Bytes(bytes)),
        Segment::File(path) => {
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
            let (metadata, file) = opened.map_err(|source| unreadable(&path, source))?;
            if !metadata.is_file() {
                return Err(unreadable(&path, io::Error::other("not a regular file")));
            }
            Ok(Part::File { file, path, left: metadata.len() })
        }
    }
}

impl Part {
    fn left(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { left, .. } => *left,
        }
    }
}

impl Pieces for Opened {
    fn length(&self) -> u64 {
        self.length
    }

    fn capacity(&self) -> usize {
        PIECE
    }

    fn next(&mut self, mut buffer: Vec<u8>) -> Result<Option<Bytes>> {
        loop {
            if self.current.as_ref().is_none_or(|part| part.left() == 0) {
                self.current = self.rest.next();
            }
            match &mut self.current {
                None => return Ok(None),
                Some(Part::Bytes(bytes)) => {
                    return Ok(Some(bytes.split_to(bytes.len().min(PIECE))));
                }
                Some(part) if part.left() == 0 => {}
                Some(Part::File { file, path, left }) => {
                    let wanted = (*left).min(PIECE as u64);
                    let read = file.take(wanted).read_to_end(&mut buffer);
                    let read = read.map_err(|source| unreadable(path, source))? as u64;
                    if read < wanted {
                        return Err(unreadable(
                            path,
                            io::Error::other("it was truncated while being sent"),
                        ));
                    }
                    *left -= read;
                    return Ok(Some(buffer.into()));
                }
            }
        }
    }
}

fn unreadable(path: &std::path::Path, source: io::Error) -> Error {
    let message = format!("cannot read `{}`: {source}", path.display());
    Error::new(ErrorKind::Io, message).with_source(source)
}
