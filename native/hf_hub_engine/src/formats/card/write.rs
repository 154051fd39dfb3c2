//! Writes values as YAML that readers of 1.1 and 1.2 parse alike.

use serde::Serialize;

use super::{
    scalar,
    value::{Map, Value},
};
use crate::base::error::{Error, ErrorKind, Result};

/// Returns the metadata as YAML, without a line break at the end.
pub(super) fn write(data: &Map) -> Result<String> {
    if data.is_empty() {
        return Ok("{}".to_owned());
    }
    let mut text = String::new();
    mapping(&mut text, data, 0, false)?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// Writes the entries of a mapping, each with its line break; the first one on the current line if
/// `inline`.
fn mapping(out: &mut String, map: &Map, indent: usize, inline: bool) -> Result<()> {
    for (at, (name, value)) in map.iter().enumerate() {
        if at > 0 || !inline {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(&key(name)?);
        out.push(':');
        match value {
            Value::Map(map) if !map.is_empty() => {
                out.push('\n');
                mapping(out, map, indent + 2, false)?;
            }
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent, false)?;
            }
            value => leaf(out, value, indent)?,
        }
    }
    Ok(())
}

fn sequence(out: &mut String, items: &[Value], indent: usize, inline: bool) -> Result<()> {
    for (at, item) in items.iter().enumerate() {
        if at > 0 || !inline {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push('-');
        match item {
            Value::Map(map) if !map.is_empty() => {
                out.push(' ');
                mapping(out, map, indent + 2, true)?;
            }
            Value::List(items) if !items.is_empty() => {
                out.push(' ');
                sequence(out, items, indent + 2, true)?;
            }
            item => leaf(out, item, indent)?,
        }
    }
    Ok(())
}

/// Writes a value on the rest of the line; further lines of a text are indented.
fn leaf(out: &mut String, value: &Value, indent: usize) -> Result<()> {
    out.push(' ');
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(scalar_of(number)?.trim_end()),
        Value::NotFinite(number) => out.push_str(number.as_yaml()),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
        Value::Text(text) => {
            let written = quoted(text)?;
            for (at, line) in written.split('\n').enumerate() {
                if at > 0 {
                    out.push('\n');
                    if !line.is_empty() {
                        out.extend(std::iter::repeat_n(' ', indent));
                    }
                }
                out.push_str(line);
            }
        }
    }
    out.push('\n');
    Ok(())
}

fn key(name: &str) -> Result<String> {
    if name.contains('\n') || name == "<<" { in_quotes(name) } else { quoted(name) }
}

/// Returns a text as it is written after `name: ` in a mapping without indentation, without the
/// last line break.
fn quoted(text: &str) -> Result<String> {
    // Quotes texts that other readers take for numbers, such as hashes that look like floats.
    let like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && (scalar::number(text).is_some()
            || text.matches('.').count() < 2
                && text.bytes().all(|b| b.is_ascii_digit() || b"eE+-._".contains(&b)));
    let in_block = text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.ends_with("\n\n")
        && !text.chars().any(|c| c.is_control() && c != '\n')
        && !text.split('\n').any(|line| line.trim_start().is_empty() && !line.is_empty());
    if like_a_number || (text.contains('\n') && !in_block) {
        return in_quotes(text);
    }
    if in_block {
        let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let head = if text.ends_with('\n') { "|" } else { "|-" };
        return Ok(lines.fold(head.to_owned(), |block, line| {
            block + if line.is_empty() { "\n" } else { "\n  " } + line
        }));
    }
    scalar_of(&text).map(|text| text.trim_end_matches('\n').to_owned())
}

fn in_quotes(text: &str) -> Result<String> {
    let options = serde_saphyr::ser_options! { quote_all: true };
    let text = serde_saphyr::to_string_with_options(&text, options).map_err(cannot)?;
    Ok(text.trim_end_matches('\n').to_owned())
}

fn scalar_of(value: &impl Serialize) -> Result<String> {
    let options =
        serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX, prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).map_err(cannot)
}

fn cannot(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidCard, "the metadata cannot be written as YAML").with_source(error)
}
