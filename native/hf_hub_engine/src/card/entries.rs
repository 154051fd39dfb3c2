//! The text of each entry of a mapping, where it can be told for sure.

use serde_json::{Map, Value};

/// Each name with the lines that are its entry and the remarks before it; together they are all of `source`.
/// `None` where entries depend on each other or are not one to some lines, such as in braces.
pub(super) fn split<'a>(
    source: &'a str,
    whole: &Map<String, Value>,
) -> Option<Vec<(String, &'a str)>> {
    let mut entries = Vec::new();
    for text in lines(source) {
        let one = super::read(text).ok()?;
        let (name, value) = one.into_iter().next()?;
        if whole.get(&name) != Some(&value) {
            return None;
        }
        entries.push((name, text));
    }
    let in_order = entries.iter().map(|(name, _)| name).eq(whole.keys());
    in_order.then_some(entries)
}

/// The comments and blank lines before an entry.
pub(super) fn remarks(entry: &str) -> &str {
    let length =
        entry.split_inclusive('\n').take_while(|line| is_remark(line)).map(str::len).sum::<usize>();
    &entry[..length]
}

/// Pieces that begin where a line is not indented.
fn lines(source: &str) -> Vec<&str> {
    let (mut starts, mut remarks, mut at) = (Vec::new(), None, 0);
    for line in source.split_inclusive('\n') {
        let is_key = !line.starts_with([' ', '\t', '-']);
        if is_remark(line) {
            remarks.get_or_insert(at);
        } else if is_key {
            starts.push(remarks.take().unwrap_or(at));
        } else {
            remarks = None;
        }
        at += line.len();
    }
    // What nobody claims belongs to the first entry, or the last.
    if let Some(first) = starts.first_mut() {
        *first = 0;
    }
    let ends = starts.iter().skip(1).copied().chain([source.len()]);
    starts.iter().zip(ends).map(|(start, end)| &source[*start..end]).collect()
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}
