//! The range of content that a response announces.

/// The range in a `Content-Range` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, if it is a number.
    pub last: Option<u64>,
    /// The size of the whole content, if it is known.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Parses `bytes 5-9/10`. The unit is case-insensitive, and some servers write `bytes=5-9/10`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let unit = text.get(..5).filter(|unit| unit.eq_ignore_ascii_case("bytes"))?;
        let rest = text[unit.len()..].strip_prefix([' ', '=', ':'])?;
        let (range, total) = rest.trim_start().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let first = first.trim().parse().ok()?;
        Some(Self { first, last: last.trim().parse().ok(), total: total.trim().parse().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_range_in_all_spellings() {
        let parse = ContentRange::parse;
        let range = ContentRange { first: 5, last: Some(9), total: Some(10) };
        for text in ["bytes 5-9/10", "bytes=5-9/10", "Bytes 5-9/10", " BYTES  5 - 9 / 10 "] {
            assert_eq!(parse(text), Some(range), "{text}");
        }
        assert_eq!(parse("bytes 5-9/*"), Some(ContentRange { total: None, ..range }));
        for text in ["", "bytes */10", "bytes 5-9", "bytes5-9/10", "items 5-9/10", "nonsense"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
