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
    parse(response.header("content-range")?)
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

/// Parses `bytes 5-9/10`. The unit is case-insensitive, and some servers write `bytes=5-9/10`.
fn parse(text: &str) -> Option<(u64, Option<u64>)> {
    let text = text.trim();
    let unit = text.get(..5).filter(|unit| unit.eq_ignore_ascii_case("bytes"))?;
    let rest = text[unit.len()..].strip_prefix([' ', '=', ':'])?;
    let (range, total) = rest.trim_start().split_once('/')?;
    let (first, _last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_range_in_all_spellings() {
        for text in ["bytes 5-9/10", "bytes=5-9/10", "Bytes 5-9/10", " BYTES  5 - 9 / 10 "] {
            assert_eq!(parse(text), Some((5, Some(10))), "{text}");
        }
        assert_eq!(parse("bytes 5-9/*"), Some((5, None)));
        for text in ["", "bytes */10", "bytes 5-9", "bytes5-9/10", "items 5-9/10", "nonsense"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
