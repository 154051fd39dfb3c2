//! Cards: README files that begin with YAML between two lines of `---`.
//!
//! Unchanged parts stay as their author wrote them: the text after the metadata always, and every
//! metadata entry with the same value, including comments. This module knows YAML, but not the
//! meaning of the entries.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::base::{
    blocking::{self, Watch},
    error::{Error, ErrorKind, Result},
};

mod entries;
mod read;
mod scalar;
mod value;
mod write;

use read::{Document, Entry, read};
pub use value::{Map, NotFinite, Value};
use write::write;

/// Maximum size of the metadata; datasets with a thousand subsets come close.
const MAX_YAML: usize = 16 << 20;
/// Maximum depth of nesting.
pub const MAX_DEPTH: usize = 100;

/// A parsed README: `head`, `yaml`, `tail` and `body` together are its text.
#[derive(Debug, PartialEq, Serialize)]
pub struct Card {
    /// The line that begins the metadata, and blank lines before it.
    pub head: String,
    /// The metadata as its author wrote it.
    pub yaml: String,
    /// The line that ends the metadata.
    pub tail: String,
    /// The text after the metadata.
    pub body: String,
    /// The metadata.
    pub data: Map,
    /// The names in the metadata, in order.
    pub order: Vec<String>,
}

/// Parses a README as [`parse`] does, on a thread that may block.
pub async fn read_text(text: String, _: Watch) -> Result<Card> {
    blocking::run(move || parse(&text)).await
}

/// Renders metadata as [`render`] does, on a thread that may block.
pub async fn write_text(draft: Draft, _: Watch) -> Result<String> {
    blocking::run(move || render(&draft.data, &draft.source)).await
}

/// Parses a README. Without metadata, everything is body.
pub fn parse(text: &str) -> Result<Card> {
    let Some([head, yaml, tail, body]) = split(text) else {
        let (head, body) = text.split_at(text.len() - text.trim_start_matches('\u{feff}').len());
        let [head, body] = [head, body].map(str::to_owned);
        let (yaml, tail) = (String::new(), String::new());
        return Ok(Card { head, yaml, tail, body, data: Map::new(), order: Vec::new() });
    };
    let Document { data, .. } = read(yaml, head.lines().count())?;
    let order = data.keys().cloned().collect();
    let [head, yaml, tail, body] = [head, yaml, tail, body].map(str::to_owned);
    Ok(Card { head, yaml, tail, body, data, order })
}

/// Metadata to write, and the YAML that it was made of.
#[derive(Debug, Deserialize)]
pub struct Draft {
    /// The metadata.
    pub data: Map,
    /// The YAML.
    pub source: String,
}

/// Renders the metadata as YAML. `source` is the original; entries with the same value stay
/// unchanged, and nested ones keep their order.
pub fn render(data: &Map, source: &str) -> Result<String> {
    let Ok(original) = read(source, 0) else { return write(data) };
    if is_same(data, &original.data) {
        return Ok(source.to_owned());
    }
    let newline = if source.contains("\r\n") { "\r\n" } else { "\n" };
    if let Some(text) = edited(data, source, &original, newline)? {
        // If a line that looks like a comment is part of a text, entries cannot be separated.
        if read(&text, 0).is_ok_and(|again| is_same(data, &again.data)) {
            return Ok(text);
        }
    }
    write(&arranged(data.clone(), &original.data)).map(|text| text.replace('\n', newline))
}

/// Whether both have the same entries; null counts as missing.
fn is_same(one: &Map, other: &Map) -> bool {
    let within = |one: &Map, other: &Map| {
        one.iter().all(|(name, value)| other.get(name).unwrap_or(&Value::Null) == value)
    };
    within(one, other) && within(other, one)
}

/// Returns the source with the changed entries written again.
fn edited(data: &Map, source: &str, original: &Document, newline: &str) -> Result<Option<String>> {
    let Some(found) = &original.entries else { return Ok(None) };
    let (mut lines, mut kept) = (Vec::new(), HashSet::new());
    for (found, text) in found.iter().zip(entries::texts(source, found)) {
        let changed: Vec<&String> = found
            .names
            .iter()
            .filter(|name| data.get(*name).unwrap_or(&Value::Null) != &original.data[*name])
            .collect();
        let is_whole =
            found.aliases.iter().all(|id| kept.contains(id) || found.anchors.contains(id));
        let stays = if found.is_merge {
            // An explicit entry overrides a merged one, but cannot remove it.
            changed.iter().all(|name| data.contains_key(*name))
        } else {
            changed.is_empty()
        };
        let written = if stays && is_whole {
            kept.extend(found.anchors.iter().copied());
            lines.push(text.to_owned());
            changed
        } else {
            lines.push(remarks_of(found, text, data).to_owned());
            found.names.iter().collect()
        };
        for name in written {
            if let Some(value) = data.get(name) {
                let value = arrange(value.clone(), &original.data[name]);
                lines.push(entry(name, value)?.replace('\n', newline));
            }
        }
    }
    for (name, value) in data.iter().filter(|(name, _)| !original.data.contains_key(*name)) {
        lines.push(entry(name, value.clone())?.replace('\n', newline));
    }
    Ok(Some(joined(&lines, newline)))
}

/// Returns the comments before an entry that is written again; those of a removed one are removed
/// as well.
fn remarks_of<'a>(entry: &Entry, text: &'a str, data: &Map) -> &'a str {
    let remains = entry.names.iter().any(|name| data.contains_key(name));
    if remains { entries::remarks(text) } else { "" }
}

/// Splits a README that has metadata, by the Hub's own rule.
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

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidCard, format!("invalid card metadata: {what}"))
}

fn entry(name: &str, value: Value) -> Result<String> {
    write(&Map::from_iter([(name.to_owned(), value)]))
}

/// Returns the value with its names in the original order.
fn arrange(value: Value, like: &Value) -> Value {
    match (value, like) {
        (Value::Map(new), Value::Map(old)) => Value::Map(arranged(new, old)),
        (Value::List(new), Value::List(old)) => {
            let old = old.iter().chain(std::iter::repeat(old.last().unwrap_or(&Value::Null)));
            Value::List(new.into_iter().zip(old).map(|(new, old)| arrange(new, old)).collect())
        }
        (value, _) => value,
    }
}

fn arranged(mut new: Map, old: &Map) -> Map {
    let mut map = Map::new();
    for (name, like) in old {
        if let Some(value) = new.shift_remove(name) {
            map.insert(name.clone(), arrange(value, like));
        }
    }
    map.extend(new);
    map
}

/// Joins parts, each on lines of its own, without a line break at the end.
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
