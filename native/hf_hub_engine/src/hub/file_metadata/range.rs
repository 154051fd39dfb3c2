//! The range of a file that a response contains.

use reqwest::StatusCode;

use crate::{hub::client::ByteRange, transport::Response};

/// Returns the size of the whole file that a response announces; `None` if it does not.
pub fn body_size(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => content_range(response)?.1,
        _ => response.header("content-length")?.parse().ok(),
    }
}

/// Returns the first byte and the total size from `Content-Range`.
pub fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    response.content_range().map(|range| (range.first, range.total))
}

/// Returns the first byte and the total size of the range in a 206 response. Without
/// `Content-Range`, it is the requested range if the length matches.
pub fn part_of(
    response: &Response,
    asked: ByteRange,
    size: Option<u64>,
) -> Option<(u64, Option<u64>)> {
    if response.header("content-range").is_some() {
        return content_range(response);
    }
    let end = match (asked.end, size) {
        (Some(end), Some(size)) => end.min(size),
        (end, size) => end.or(size)?,
    };
    // A body with several ranges has headers between them.
    let several = response
        .header("content-type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/"));
    let length: u64 = response.header("content-length")?.parse().ok()?;
    let fits = asked.first.checked_add(length) == Some(end);
    (fits && !several).then_some((asked.first, size))
}
