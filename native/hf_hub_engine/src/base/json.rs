//! Parses JSON as servers write it: with a byte order mark, with `NaN` and `Infinity`, with lone
//! surrogates, with duplicate keys.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    blocking::{self, Watch},
    error::{Error, ErrorKind, Result as Outcome},
};

/// UTF-8's byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// JavaScript and Python numbers that JSON does not have.
const NO_NUMBERS: [(&str, f64); 3] =
    [("-Infinity", f64::NEG_INFINITY), ("Infinity", f64::INFINITY), ("NaN", f64::NAN)];

/// Begins the text that stands for such a number. Unicode reserves this character for the use
/// inside of programs, so that other texts do not have it.
const NUMBER: char = '\u{fdd0}';

/// Parses JSON. `NaN` and the infinities become `null`; of duplicate keys, the last one counts.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let value = parse_repaired(body, &null);
    value.and_then(serde_json::from_value).map_err(|_| error)
}

/// Parses JSON as [`parse`] does, but keeps `NaN` and the infinities: each is a text, of which
/// [`number`] returns the value.
pub(crate) fn parse_all_numbers(body: &[u8]) -> serde_json::Result<Value> {
    let text = |name: &str| format!("\"{NUMBER}{name}\"");
    serde_json::from_slice(body).or_else(|error| parse_repaired(body, &text).map_err(|_| error))
}

/// Returns the number that a text stands for in the result of [`parse_all_numbers`].
pub(crate) fn number(text: &str) -> Option<f64> {
    let name = text.strip_prefix(NUMBER)?;
    NO_NUMBERS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

fn parse_repaired(body: &[u8], instead: &dyn Fn(&str) -> String) -> serde_json::Result<Value> {
    serde_json::from_slice(repaired(body, instead).as_deref().unwrap_or(body))
}

fn null(_name: &str) -> String {
    "null".to_owned()
}

/// Parses a text as [`parse`] does, on a thread that may block.
pub async fn read_text(text: String, _: Watch) -> Outcome<Value> {
    let parse = move || parse::<Value>(text.as_bytes());
    let invalid = |err| Error::new(ErrorKind::InvalidResponse, format!("invalid JSON: {err}"));
    blocking::run(parse).await.map_err(invalid)
}

/// Parses JSON as [`parse`] does, by another parser.
pub fn leniently<T, E>(text: &[u8], parser: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, E> {
    parser(text).or_else(|error| match repaired(text, &null) {
        Some(text) => parser(&text),
        None => Err(error),
    })
}

/// Returns the text in a form that a strict parser accepts, with `instead` of the numbers that JSON
/// does not have; `None` if it cannot be repaired.
fn repaired(text: &[u8], instead: &dyn Fn(&str) -> String) -> Option<Vec<u8>> {
    let unmarked = text.strip_prefix(MARK).unwrap_or(text);
    let whole = with_whole_characters(unmarked);
    let plain = without_numbers(whole.as_deref().unwrap_or(unmarked), instead);
    plain.or(whole).or_else(|| (unmarked.len() < text.len()).then(|| unmarked.to_vec()))
}

/// Whether a text is an HTML page.
pub fn is_page(body: &[u8]) -> bool {
    let text = body.strip_prefix(MARK).unwrap_or(body).trim_ascii_start();
    let begins =
        |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") || begins(b"<body")
}

/// Replaces lone surrogates. JavaScript writes them if a text was cut in the middle of an emoji;
/// one of them must not break a list of a thousand repositories.
fn with_whole_characters(text: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut repaired, mut at, mut copied) = (Vec::new(), 0, 0);
    while let Some(step) = text.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += step;
        let low = |at| unit(at).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        match unit(at) {
            Some(0xd800..0xdc00) if low(at + 6) => at += 12,
            Some(0xd800..0xe000) => {
                repaired.extend_from_slice(&text[copied..at]);
                repaired.extend_from_slice(b"\\ufffd");
                at += 6;
                copied = at;
            }
            // The character after a backslash does not begin another escape.
            _ => at += 2,
        }
    }
    repaired.extend_from_slice(&text[copied..]);
    (copied > 0).then_some(repaired)
}

/// Replaces `NaN` and the infinities.
fn without_numbers(text: &[u8], instead: &dyn Fn(&str) -> String) -> Option<Vec<u8>> {
    let (mut plain, mut copied, mut at, mut in_string) = (Vec::new(), 0, 0, false);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let is_next = |name: &str| !in_string && rest.starts_with(name.as_bytes());
        if let Some((name, _)) = NO_NUMBERS.iter().find(|(name, _)| is_next(name)) {
            plain.extend_from_slice(&text[copied..at]);
            plain.extend_from_slice(instead(name).as_bytes());
            at += name.len();
            copied = at;
            continue;
        }
        in_string ^= rest[0] == b'"';
        // A character after a backslash does not end the string.
        at += if in_string && rest[0] == b'\\' { 2 } else { 1 };
    }
    plain.extend_from_slice(&text[copied..]);
    (copied > 0).then_some(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn accepts_what_lenient_parsers_accept() {
        for (text, value) in [
            ("\u{feff}{\"a\": 1}", json!({ "a": 1 })),
            ("[NaN, -Infinity, Infinity, 1]", json!([null, null, null, 1])),
            (r#"{"NaN": NaN, "b": "NaN \" NaN \\"}"#, json!({ "NaN": null, "b": "NaN \" NaN \\" })),
            (r#"{"a": 1, "a": 2}"#, json!({ "a": 2 })),
            (r#"["\ud83d", "\ud83d\ude00", "\\ud83d"]"#, json!(["\u{fffd}", "😀", "\\ud83d"])),
            ("\u{feff}[NaN, \"\\ud83d\"]", json!([null, "\u{fffd}"])),
        ] {
            assert_eq!(parse::<Value>(text.as_bytes()).unwrap(), value, "{text}");
        }
        for text in ["", "NaNa", "{\"a\": NaN", "\"NaN", "\"\\", "nan", "<html>"] {
            assert!(parse::<Value>(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_that_json_does_not_have_can_be_kept() {
        let text = br#"["NaN", NaN, Infinity, -Infinity, null, 1, "\ud83d"]"#;
        let value = parse_all_numbers(text).unwrap();
        let items = value.as_array().unwrap().iter();
        let numbers: Vec<_> = items.map(|item| item.as_str().and_then(number)).collect();
        assert!(numbers[1].is_some_and(f64::is_nan));
        assert_eq!(numbers[2..4], [Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
        assert!(numbers[0].is_none() && numbers[4..].iter().all(Option::is_none));
        assert_eq!(parse_all_numbers(b"[1]").unwrap(), json!([1]));
        assert!(parse_all_numbers(b"[NaNa]").is_err());
    }

    #[test]
    fn the_last_duplicate_key_counts_in_structs_too() {
        #[derive(serde::Deserialize)]
        struct One {
            a: u8,
        }
        assert_eq!(parse::<One>(br#"{"a": 1, "a": 2}"#).unwrap().a, 2);
        let error = parse::<One>(br#"{"b": 1}"#).err().unwrap();
        assert!(error.to_string().contains("missing field `a`"));
    }

    #[test]
    fn distinguishes_html_pages_from_data() {
        for page in ["<!DOCTYPE html><html>", " \n<HTML lang=en>", "\u{feff}<!doctype HTML>"] {
            assert!(is_page(page.as_bytes()), "{page}");
        }
        for text in ["", "{}", "<Error/>", "\"<html>\"", "<!doc"] {
            assert!(!is_page(text.as_bytes()), "{text}");
        }
    }
}
