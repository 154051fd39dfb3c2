//! Cards: README files that begin with YAML between two lines of `---`.
//!
//! What nobody changed stays as its author wrote it: the text behind the metadata always, and of the
//! metadata every entry with the same value, comments and all. Knows YAML, but not what the entries mean.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

mod entries;

/// More than any card has; datasets with a thousand subsets come near.
const MAX_YAML: usize = 16 << 20;
/// Deeper nesting is meant to harm, not to inform.
const MAX_DEPTH: usize = 100;

/// A README taken apart: `head`, `yaml`, `tail` and `body` together are its text.
#[derive(Debug, PartialEq, Serialize)]
pub struct Card {
    /// The line that begins the metadata, and what blank there is before it.
    pub head: String,
    /// The metadata as its author wrote it.
    pub yaml: String,
    /// The line that ends the metadata.
    pub tail: String,
    /// The text.
    pub body: String,
    /// The metadata.
    pub data: Map<String, Value>,
    /// The names in the metadata, in their order.
    pub order: Vec<String>,
}

/// Takes a README apart. Without metadata all of it is body.
pub fn parse(text: &str) -> Result<Card> {
    let Some([head, yaml, tail, body]) = split(text) else {
        let (head, body) = text.split_at(text.len() - text.trim_start_matches('\u{feff}').len());
        let [head, body] = [head, body].map(str::to_owned);
        let (yaml, tail) = (String::new(), String::new());
        return Ok(Card { head, yaml, tail, body, data: Map::new(), order: Vec::new() });
    };
    let data = read(yaml)?;
    let order = data.keys().cloned().collect();
    let [head, yaml, tail, body] = [head, yaml, tail, body].map(str::to_owned);
    Ok(Card { head, yaml, tail, body, data, order })
}

/// The metadata as YAML. `source` is what it was made of; entries that say the same stay as they are there, and
/// nested ones keep their order.
pub fn render(data: &Map<String, Value>, source: &str) -> Result<String> {
    let Ok(original) = read(source) else { return write(data) };
    let is_same = |name: &String| original.get(name).unwrap_or(&Value::Null) == &data[name];
    let nothing_lost =
        original.iter().all(|(name, value)| value.is_null() || data.contains_key(name));
    if nothing_lost && data.keys().all(is_same) {
        return Ok(source.to_owned());
    }
    let newline = if source.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(entries) = entries::split(source, &original) else {
        let ordered = arranged(data.clone(), &original);
        return write(&ordered).map(|text| text.replace('\n', newline));
    };
    let mut lines = Vec::new();
    for (name, text) in entries {
        let old = &original[&name];
        match data.get(&name) {
            Some(new) if new != old => {
                let value = arrange(new.clone(), old);
                lines.push(entries::remarks(text).to_owned());
                lines.push(entry(&name, value)?.replace('\n', newline));
            }
            None if !old.is_null() => {}
            _ => lines.push(text.to_owned()),
        }
    }
    let new = data.iter().filter(|(name, _)| !original.contains_key(*name));
    for (name, value) in new {
        lines.push(entry(name, value.clone())?.replace('\n', newline));
    }
    Ok(joined(&lines, newline))
}

/// The parts of a README that has metadata, by the Hub's own rule.
fn split(text: &str) -> Option<[&str; 4]> {
    let blank = text.trim_start_matches('\u{feff}').trim_start();
    let start = text.len() - blank.len() + 3 + line_break(blank.strip_prefix("---")?)?;
    let yaml = &text[start..];
    for (at, _) in yaml.match_indices(['\r', '\n']) {
        let Some(length) = line_break(&yaml[at..]) else { continue };
        let Some(rest) = yaml[at + length..].strip_prefix("---") else { continue };
        let rest = rest.trim_start_matches([' ', '\t']);
        let last = if rest.is_empty() {
            Some(0)
        } else {
            line_break(rest).filter(|_| !rest.starts_with('\r') || rest.starts_with("\r\n"))
        };
        if let Some(last) = last {
            let end = yaml.len() - rest.len() + last;
            return Some([&text[..start], &yaml[..at], &yaml[at..end], &yaml[end..]]);
        }
    }
    None
}

fn line_break(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

fn read(yaml: &str) -> Result<Map<String, Value>> {
    if yaml.len() > MAX_YAML {
        return Err(invalid(&format!("it has more than {MAX_YAML} bytes")));
    }
    // The Hub reads YAML 1.2, in which the language code `no` is a word.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    };
    match serde_saphyr::from_str_with_options(yaml, options) {
        Ok(Value::Object(data)) => Ok(data),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(invalid("it is no mapping of names to values")),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidCard, format!("the card's metadata cannot be read: {what}"))
}

fn write(data: &Map<String, Value>) -> Result<String> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let text = serde_saphyr::to_string_with_options(data, options).map_err(|error| {
        Error::new(ErrorKind::InvalidCard, "the metadata cannot be written as YAML")
            .with_source(error)
    })?;
    Ok(text.trim_end_matches('\n').to_owned())
}

fn entry(name: &str, value: Value) -> Result<String> {
    write(&Map::from_iter([(name.to_owned(), value)]))
}

/// The same value with the names in the order they had.
fn arrange(value: Value, like: &Value) -> Value {
    match (value, like) {
        (Value::Object(new), Value::Object(old)) => Value::Object(arranged(new, old)),
        (Value::Array(new), Value::Array(old)) => {
            let old = old.iter().chain(std::iter::repeat(old.last().unwrap_or(&Value::Null)));
            Value::Array(new.into_iter().zip(old).map(|(new, old)| arrange(new, old)).collect())
        }
        (value, _) => value,
    }
}

fn arranged(mut new: Map<String, Value>, old: &Map<String, Value>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, like) in old {
        if let Some(value) = new.shift_remove(name) {
            map.insert(name.clone(), arrange(value, like));
        }
    }
    map.extend(new);
    map
}

/// Every part on lines of its own, without a line break at the end.
fn joined(parts: &[String], newline: &str) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(newline);
        }
        text.push_str(part);
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests;
