//! Faults in the body of a response, each a stream around the previous one.

use std::time::Duration;

use async_compression::tokio::bufread::GzipEncoder;
use async_stream::stream;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http_body::Body as HttpBody;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::io::{ReaderStream, StreamReader};

use super::replace;
use super::rule::Fault;

/// Time for buffered bytes to be sent before the connection ends.
const FLUSH: Duration = Duration::from_millis(50);
const BOUNDARY: &str = "THIS_SEPARATES";
const MULTIPART: HeaderValue =
    HeaderValue::from_static("multipart/byteranges; boundary=THIS_SEPARATES");
const TICKS_PER_SECOND: u64 = 50;
/// How far a throttled body may fall behind and still catch up; a timer is up to a millisecond late
/// each time.
const CATCH_UP: Duration = Duration::from_millis(50);

/// Modifies the body, and the headers that announce it.
pub(super) async fn apply(fault: Fault, response: Response) -> Response {
    if let Fault::ReplaceBody { pattern, with } = &fault {
        return replace::body(response, pattern, with).await;
    }
    let (mut head, body) = response.into_parts();
    // A wrapped body no longer knows its size, so the header is set.
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let length = length.or_else(|| body.size_hint().exact());
    announce(&mut head.headers, length);
    let bytes = body.into_data_stream();
    let body = match fault {
        Fault::Drop { after } => Body::from_stream(cut(bytes, after)),
        Fault::Short { by } => {
            Body::from_stream(cut(bytes, length.unwrap_or_default().saturating_sub(by)))
        }
        Fault::Stall { after } => Body::from_stream(stall(bytes, after)),
        Fault::Dribble { bytes: size, every_ms, after } => {
            Body::from_stream(dribble(bytes, size, Duration::from_millis(every_ms), after))
        }
        Fault::Throttle { bytes_per_second } => {
            Body::from_stream(throttle(bytes, bytes_per_second))
        }
        other => change(other, bytes, length, &mut head.headers),
    };
    Response::from_parts(head, body)
}

/// Applies faults that also change headers.
fn change(
    fault: Fault,
    bytes: BodyDataStream,
    length: Option<u64>,
    headers: &mut HeaderMap,
) -> Body {
    match fault {
        Fault::Long { by } => {
            announce(headers, length.map(|length| length.saturating_add(by)));
            Body::from_stream(bytes.chain(padding(by)))
        }
        Fault::Chunked => {
            announce(headers, None);
            Body::from_stream(bytes)
        }
        Fault::Corrupt { at } => {
            let first = headers.get(CONTENT_RANGE).and_then(first_byte).unwrap_or(0);
            Body::from_stream(corrupt(bytes, first, at))
        }
        Fault::Gzip => {
            announce(headers, None);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            let reader = StreamReader::new(bytes.map_err(std::io::Error::other));
            Body::from_stream(ReaderStream::new(GzipEncoder::new(reader)))
        }
        Fault::MultipartRange => wrap(bytes, length, headers),
        Fault::Body { text } => {
            announce(headers, Some(text.len() as u64));
            headers.remove(CONTENT_ENCODING);
            Body::from(text)
        }
        _ => Body::from_stream(bytes),
    }
}

/// Wraps a range in a `multipart/byteranges` body; other bodies are unchanged.
fn wrap(bytes: BodyDataStream, length: Option<u64>, headers: &mut HeaderMap) -> Body {
    let Some(range) = headers.remove(CONTENT_RANGE) else { return Body::from_stream(bytes) };
    let media_type = headers.insert(CONTENT_TYPE, MULTIPART);
    let header = |name, value: Option<&HeaderValue>| {
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        format!("{name}: {value}\r\n")
    };
    let head = format!(
        "--{BOUNDARY}\r\n{}{}\r\n",
        header("Content-Type", media_type.as_ref()),
        header("Content-Range", Some(&range))
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    announce(headers, length.map(|length| length + (head.len() + tail.len()) as u64));
    let [head, tail] = [head, tail].map(|text| futures_util::stream::iter([Ok(Bytes::from(text))]));
    Body::from_stream(head.chain(bytes).chain(tail))
}

fn announce(headers: &mut HeaderMap, length: Option<u64>) {
    match length {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}

type Chunk = Result<Bytes, axum::Error>;

/// Returns at most `limit` bytes of a stream, and whether there was more.
fn limited(mut bytes: impl Stream<Item = Chunk> + Unpin, limit: u64) -> impl Stream<Item = Chunk> {
    stream! {
        let mut left = limit;
        while left > 0 && let Some(chunk) = bytes.next().await {
            let chunk = chunk.map(|mut chunk| {
                chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                left -= chunk.len() as u64;
                chunk
            });
            yield chunk;
        }
    }
}

fn cut(bytes: impl Stream<Item = Chunk> + Unpin, after: u64) -> impl Stream<Item = Chunk> {
    limited(bytes, after).chain(stream! {
        sleep(FLUSH).await;
        yield Err(axum::Error::new("cut on purpose"));
    })
}

fn stall(bytes: impl Stream<Item = Chunk> + Unpin, after: u64) -> impl Stream<Item = Chunk> {
    limited(bytes, after).chain(futures_util::stream::pending())
}

fn dribble(
    mut bytes: impl Stream<Item = Chunk> + Unpin,
    size: usize,
    pause: Duration,
    after: u64,
) -> impl Stream<Item = Chunk> {
    stream! {
        let mut free = after;
        while let Some(chunk) = bytes.next().await {
            let Ok(mut chunk) = chunk else {
                yield chunk;
                return;
            };
            if free > 0 {
                let at_once = chunk.split_to(usize::try_from(free).unwrap_or(usize::MAX).min(chunk.len()));
                free -= at_once.len() as u64;
                yield Ok(at_once);
            }
            while !chunk.is_empty() {
                sleep(pause).await;
                yield Ok(chunk.split_to(size.min(chunk.len())));
            }
        }
    }
}

/// Delays each piece until its last byte is due, so neither its size nor a late timer changes the
/// speed.
pub(super) fn throttle(
    mut bytes: impl Stream<Item = Chunk> + Unpin,
    bytes_per_second: u64,
) -> impl Stream<Item = Chunk> {
    let size = usize::try_from((bytes_per_second / TICKS_PER_SECOND).max(1)).unwrap_or(usize::MAX);
    stream! {
        let mut due = Instant::now();
        while let Some(chunk) = bytes.next().await {
            let Ok(mut chunk) = chunk else {
                yield chunk;
                return;
            };
            while !chunk.is_empty() {
                let piece = chunk.split_to(size.min(chunk.len()));
                let nanos = (piece.len() as u64).saturating_mul(1_000_000_000) / bytes_per_second;
                // `Instant` starts with the system, whose uptime may be shorter than what is
                // subtracted.
                let earliest = Instant::now().checked_sub(CATCH_UP).unwrap_or(due);
                due = due.max(earliest) + Duration::from_nanos(nanos);
                sleep_until(due).await;
                yield Ok(piece);
            }
        }
    }
}

fn padding(by: u64) -> impl Stream<Item = Chunk> {
    const PIECE: usize = 64 << 10;
    stream! {
        let mut left = by;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            left -= size as u64;
            yield Ok(Bytes::from(vec![b'x'; size]));
        }
    }
}

/// Flips a bit of the byte at `at` of the whole content; the stream begins at `first`.
fn corrupt(bytes: impl Stream<Item = Chunk>, first: u64, at: u64) -> impl Stream<Item = Chunk> {
    let mut position = first;
    bytes.map_ok(move |chunk| {
        let here = at.checked_sub(position).and_then(|offset| usize::try_from(offset).ok());
        position += chunk.len() as u64;
        match here {
            Some(offset) if offset < chunk.len() => {
                let mut chunk = chunk.to_vec();
                chunk[offset] ^= 1;
                chunk.into()
            }
            _ => chunk,
        }
    })
}

fn first_byte(content_range: &HeaderValue) -> Option<u64> {
    content_range.to_str().ok()?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_throttled_body_keeps_its_speed_whatever_the_size_of_its_pieces() {
        for (piece, bytes_per_second) in
            [(64 << 10, 200_000_000), (1 << 20, 1_000_000), (100, 1_000)]
        {
            let pieces = (0..20).map(|_| Ok(Bytes::from(vec![0; piece])));
            let started = Instant::now();
            let body = throttle(futures_util::stream::iter(pieces), bytes_per_second);
            let read =
                Box::pin(body).fold(0, async |read, piece| read + piece.unwrap().len() as u64);
            let read = read.await;
            assert_eq!(read, 20 * piece as u64);
            let expected = Duration::from_nanos(read * 1_000_000_000 / bytes_per_second);
            let elapsed = started.elapsed();
            assert!(
                elapsed >= expected && elapsed < expected + CATCH_UP,
                "{elapsed:?} {expected:?}"
            );
        }
    }
}
