//! Attachments of discussions: pictures, videos and sounds that comments show by their URL.
//!
//! They are stored by their hash. Their URL is all that is needed to see them, as on the Hub.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

use super::super::call::{Call, Reply};
use super::super::content::{self, Content, Source};
use super::super::error::ApiError;
use super::super::intake::Sink;
use super::super::payload::Upload;
use crate::store::{Receiving, is_oid};

const PREFIX: &str = "/uploads/";
/// Maximum size of a picture or sound.
const MOST: u64 = 10 << 20;
/// Maximum size of a video.
const MOST_OF_VIDEO: u64 = 50 << 20;
/// Number of bytes from which a format is recognized.
const START: usize = 12;

/// A format: its content type, the extension in URLs, the maximum size, and how a file begins.
struct Format {
    media_type: &'static str,
    extension: &'static str,
    most: u64,
    begins: fn(&[u8]) -> bool,
}

const FORMATS: [Format; 9] = [
    format("image/png", "png", MOST, |start| start.starts_with(b"\x89PNG\r\n\x1a\n")),
    format("image/jpeg", "jpeg", MOST, |start| start.starts_with(b"\xff\xd8\xff")),
    format("image/gif", "gif", MOST, |start| start.starts_with(b"GIF8")),
    format("image/webp", "webp", MOST, |start| is_riff(start, b"WEBP")),
    format("video/mp4", "mp4", MOST_OF_VIDEO, is_movie),
    format("video/quicktime", "mov", MOST_OF_VIDEO, is_movie),
    format("video/webm", "webm", MOST_OF_VIDEO, |start| start.starts_with(b"\x1a\x45\xdf\xa3")),
    format("audio/mpeg", "mp3", MOST, is_mp3),
    format("audio/wav", "wav", MOST, |start| is_riff(start, b"WAVE")),
];

const fn format(
    media_type: &'static str,
    extension: &'static str,
    most: u64,
    begins: fn(&[u8]) -> bool,
) -> Format {
    Format { media_type, extension, most, begins }
}

fn is_riff(start: &[u8], kind: &[u8]) -> bool {
    start.starts_with(b"RIFF") && start.get(8..12) == Some(kind)
}

fn is_movie(start: &[u8]) -> bool {
    let first = start.get(4..8).unwrap_or_default();
    [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"].iter().any(|atom| first == *atom)
}

fn is_mp3(start: &[u8]) -> bool {
    start.starts_with(b"ID3") || matches!(start, [0xff, second, ..] if second & 0xe0 == 0xe0)
}

/// Handles `POST /uploads`.
pub(super) fn post(call: &Call) -> Reply {
    call.caller.writer()?;
    let sent = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = FORMATS.iter().find(|format| Some(format.media_type) == sent);
    let format = format.ok_or_else(|| {
        let known = FORMATS.map(|format| format.media_type).join(", ");
        ApiError::bad_request(format!("The content type must be one of [{known}]"))
    })?;
    let receiving = call.hub.store.attachments().receive()?;
    call.body.stream_to(Attachment { format, receiving, start: Vec::new() })
}

/// An attachment that is being received.
struct Attachment {
    format: &'static Format,
    receiving: Receiving,
    start: Vec<u8>,
}

impl Attachment {
    fn add(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        if self.receiving.size() + bytes.len() as u64 > self.format.most {
            return Err(ApiError::too_large());
        }
        self.start.extend(bytes.iter().take(START - self.start.len().min(START)));
        Ok(self.receiving.take(bytes)?)
    }
}

impl Sink for Attachment {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Box<Response>> {
        self.add(bytes).map_err(|err| Box::new(err.into_response()))
    }
}

impl Upload for Attachment {
    fn finish(self: Box<Self>, call: &Call) -> Reply {
        let Self { format, receiving, start } = *self;
        if !(format.begins)(&start) {
            let message = format!("The file is not {}", format.media_type);
            return Err(ApiError::bad_request(message));
        }
        let oid = call.hub.store.attachments().keep(receiving.end())?.oid;
        let base = call.hub.origins.hub(Some(&call.headers));
        let url = format!("{base}{PREFIX}{oid}.{}", format.extension);
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        Ok(([(CONTENT_TYPE, plain)], url).into_response())
    }
}

/// Handles `GET /uploads/{name}`.
pub(super) fn get(call: &Call) -> Reply {
    let name = call.param("name")?;
    let found = name.split_once('.').filter(|(oid, _)| is_oid(oid));
    let (oid, extension) = found.ok_or_else(ApiError::page_not_found)?;
    let format = FORMATS.iter().find(|format| format.extension == extension);
    let store = call.hub.store.attachments();
    let (Some(format), Some(found)) = (format, store.find(oid)?) else {
        return Err(ApiError::page_not_found());
    };
    let content = Content {
        etag: name.to_owned(),
        file_name: name.to_owned(),
        media_type: format.media_type,
        source: Source::from(found),
    };
    let mut response = content::send(content, call.is_head(), &call.headers)?;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
