//! Responses with file contents: ranges, conditions, streaming.
//!
//! Small files from git and large ones from disk follow the same rules. This module does not know
//! where the bytes come from or who may read them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use async_stream::try_stream;
use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use percent_encoding::utf8_percent_encode;
use tokio::task::spawn_blocking;

use super::response::{PATH_SET, header_value};
use crate::store::Stored;
#[cfg(feature = "xet")]
use crate::store::{XetContent, XetFile, XetStore};

// Large enough that reading costs more than switching threads, small enough that little is read
// ahead for a client that leaves early.
const CHUNK: usize = 256 << 10;

/// Content that can be sent.
#[derive(Debug)]
pub(super) struct Content {
    /// The `ETag`, without quotes.
    pub(super) etag: String,
    /// The last part of the path.
    pub(super) file_name: String,
    /// The media type.
    pub(super) media_type: &'static str,
    /// The bytes.
    pub(super) source: Source,
}

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Source {
    /// In memory.
    Memory(Bytes),
    /// In a file of this size.
    File(PathBuf, u64),
    /// In an unnamed file of this size.
    Nameless(File, u64),
    /// In Xet storage.
    #[cfg(feature = "xet")]
    Xet(XetStore, XetFile),
}

impl From<Stored> for Source {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::File(path, size) => Self::File(path, size),
            #[cfg(feature = "xet")]
            Stored::Xet(store, file) => Self::Xet(store, file),
        }
    }
}

impl Source {
    fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, size) | Self::Nameless(_, size) => *size,
            #[cfg(feature = "xet")]
            Self::Xet(_, file) => file.size,
        }
    }

    fn open(self, range: Range<u64>) -> io::Result<Body> {
        match self {
            Self::Memory(bytes) => {
                let narrow = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                Ok(Body::from(bytes.slice(narrow(range.start)..narrow(range.end))))
            }
            Self::File(path, _) => stream(File::open(path)?, range),
            Self::Nameless(file, _) => stream(file, range),
            #[cfg(feature = "xet")]
            Self::Xet(store, file) => Ok(Body::from_stream(unpacked(store.content(&file, range)))),
        }
    }
}

fn stream(mut file: File, range: Range<u64>) -> io::Result<Body> {
    file.seek(SeekFrom::Start(range.start))?;
    Ok(Body::from_stream(pieces(file, range.end - range.start)))
}

/// Reads a piece once the previous one was taken: a client that reads nothing costs one piece.
fn pieces(mut file: File, mut left: u64) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        while left > 0 {
            let (piece, rest) = spawn_blocking(move || read_piece(file, left)).await??;
            file = rest;
            left -= piece.len() as u64;
            yield piece;
        }
    }
}

/// Unpacks a piece once the previous one was taken.
#[cfg(feature = "xet")]
fn unpacked(mut content: XetContent) -> impl Stream<Item = io::Result<Bytes>> {
    try_stream! {
        loop {
            let (piece, rest) = spawn_blocking(move || unpack_piece(content)).await??;
            content = rest;
            if piece.is_empty() {
                break;
            }
            yield piece;
        }
    }
}

#[cfg(feature = "xet")]
fn unpack_piece(content: XetContent) -> io::Result<(Bytes, XetContent)> {
    let mut piece = Vec::with_capacity(CHUNK);
    let mut content = content.take(CHUNK as u64);
    content.read_to_end(&mut piece)?;
    Ok((piece.into(), content.into_inner()))
}

fn read_piece(mut file: File, left: u64) -> io::Result<(Bytes, File)> {
    let mut piece = Vec::with_capacity(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK));
    file.by_ref().take(left.min(CHUNK as u64)).read_to_end(&mut piece)?;
    if piece.is_empty() {
        // Another program truncated the file.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((piece.into(), file))
}

/// Responds to a GET or HEAD request for content. Blocks while it opens a file.
pub(super) fn send(content: Content, is_head: bool, request: &HeaderMap) -> io::Result<Response> {
    let etag = quoted(&content.etag);
    let mut headers = HeaderMap::new();
    headers.insert(ETAG, header_value(&etag));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_DISPOSITION, disposition(&content.file_name));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content.media_type));
    if is_known(request, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let size = content.source.size();
    let (status, range) = match wanted(request, &etag, size) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => {
            let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(CONTENT_RANGE, header_value(&value));
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Nothing => {
            headers.insert(CONTENT_RANGE, header_value(&format!("bytes */{size}")));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    let body = if is_head { Body::empty() } else { content.source.open(range)? };
    Ok((status, headers, body).into_response())
}

/// Formats an `ETag` as in headers.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Whether the client already has this content.
pub(super) fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Returns the `Content-Disposition` of a file, as on the Hub.
pub(super) fn disposition(file_name: &str) -> HeaderValue {
    let encoded = utf8_percent_encode(file_name, PATH_SET);
    let plain = file_name.replace(['"', '\\'], "_").replace(|c: char| !c.is_ascii(), "?");
    header_value(&format!("inline; filename*=UTF-8''{encoded}; filename=\"{plain}\";"))
}

/// What a request wants of content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Nothing,
}

fn wanted(request: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let Some(range) = request.get(RANGE).and_then(|value| value.to_str().ok()) else {
        return Wanted::All;
    };
    // A condition that does not hold turns the request into one for the whole file.
    if request.get(IF_RANGE).is_some_and(|condition| condition.as_bytes() != etag.as_bytes()) {
        return Wanted::All;
    }
    parse_range(range, size).unwrap_or(Wanted::All)
}

/// Parses a range; `None` for several ranges or an invalid one, which are ignored.
pub(super) fn parse_range(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let range = if first.is_empty() {
        size.saturating_sub(parse_position(last)?)..size
    } else {
        let first = parse_position(first)?;
        let last = if last.is_empty() { u64::MAX } else { parse_position(last)? };
        if last < first {
            return None;
        }
        first..last.saturating_add(1).min(size)
    };
    Some(if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) })
}

fn parse_position(text: &str) -> Option<u64> {
    // `parse` alone would accept a leading `+`.
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_ranges_as_in_the_rfc() {
        for (range, size, expected) in [
            ("bytes=0-4", 10, Some(Wanted::Part(0..5))),
            ("bytes=4-", 10, Some(Wanted::Part(4..10))),
            ("bytes=-3", 10, Some(Wanted::Part(7..10))),
            ("bytes=-30", 10, Some(Wanted::Part(0..10))),
            ("bytes=4-400", 10, Some(Wanted::Part(4..10))),
            ("bytes=9-9", 10, Some(Wanted::Part(9..10))),
            ("bytes=10-", 10, Some(Wanted::Nothing)),
            ("bytes=-0", 10, Some(Wanted::Nothing)),
            ("bytes=0-", 0, Some(Wanted::Nothing)),
            ("bytes=99999999999999999999-", 10, Some(Wanted::Nothing)),
            ("bytes=5-4", 10, None),
            ("bytes=0-1,3-4", 10, None),
            ("bytes=-", 10, None),
            ("bytes=+1-2", 10, None),
            ("lines=1-2", 10, None),
        ] {
            assert_eq!(parse_range(range, size), expected, "{range} of {size}");
        }
    }

    #[test]
    fn respects_conditions() {
        let headers = |name, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        assert!(is_known(&headers(IF_NONE_MATCH, "\"x\", W/\"a\""), "\"a\""));
        assert!(is_known(&headers(IF_NONE_MATCH, "*"), "\"a\""));
        assert!(!is_known(&headers(IF_NONE_MATCH, "\"b\""), "\"a\""));

        let mut request = headers(RANGE, "bytes=1-2");
        request.insert(IF_RANGE, "\"b\"".parse().unwrap());
        assert_eq!(wanted(&request, "\"a\"", 10), Wanted::All);
        assert_eq!(wanted(&request, "\"b\"", 10), Wanted::Part(1..3));
    }
}
