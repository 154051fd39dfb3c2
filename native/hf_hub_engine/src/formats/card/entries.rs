//! Splits the text of the outermost mapping into entries.

use super::read::Entry;

/// Returns each entry's lines including the comments before it; together they are `source`.
pub(super) fn texts<'a>(source: &'a str, entries: &[Entry]) -> Vec<&'a str> {
    let lines = lines(source);
    let mut starts = vec![0];
    for pair in entries.windows(2) {
        let (above, mut line) = (pair[0].line, pair[1].line - 1);
        while line > above && is_remark(lines[line - 1].1) {
            line -= 1;
        }
        starts.push(lines[line].0);
    }
    let ends = starts.iter().skip(1).copied().chain([source.len()]);
    starts.iter().zip(ends).map(|(start, end)| &source[*start..end]).collect()
}

/// Returns the comments and blank lines before an entry.
pub(super) fn remarks(entry: &str) -> &str {
    let (line, _) =
        lines(entry).into_iter().find(|(_, line)| !is_remark(line)).unwrap_or((entry.len(), ""));
    &entry[..line]
}

/// Returns each line, without its break, and its position.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let (mut lines, mut start) = (Vec::new(), 0);
    for (at, _) in text.match_indices(['\r', '\n']) {
        if let Some(length) = super::line_break(&text[at..]).filter(|_| at >= start) {
            lines.push((start, &text[start..at]));
            start = at + length;
        }
    }
    lines.push((start, &text[start..]));
    lines
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}
