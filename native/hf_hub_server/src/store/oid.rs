//! Ids of large files: their SHA-256.

/// Whether `text` is a valid id of content: 64 lower-case hex digits.
pub(crate) fn is_oid(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
