//! Numbers, dates and addresses as people read them.

use jiff::Timestamp;
use maud::{Markup, html};
use percent_encoding::utf8_percent_encode;

use super::super::response::{PATH_SET, QUERY_SET};
use crate::store::RepoKey;

/// Returns a size, in the units of the Hub.
pub(super) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut number = bytes as f64 / 1000.0;
    let mut unit = 0;
    // What would be rounded to 1000 is the next unit's 1.
    while number >= 999.5 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    if number < 9.995 {
        format!("{number:.2} {}", units[unit])
    } else if number < 99.95 {
        format!("{number:.1} {}", units[unit])
    } else {
        format!("{number:.0} {}", units[unit])
    }
}

/// Shows a date; the time of day is in its title.
pub(super) fn date(time: Timestamp) -> Markup {
    html! {
        time datetime=(format!("{time:.0}")) title=(time.strftime("%Y-%m-%d %H:%M UTC")) {
            (time.strftime("%-d %b %Y"))
        }
    }
}

/// Returns a number with its noun.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Returns the path of a repository's page.
pub(super) fn page(key: &RepoKey) -> String {
    format!("/{}{}", key.kind.url_prefix(), key.id)
}

/// Encodes a revision as one segment of a path.
pub(super) fn revision(revision: &str) -> String {
    utf8_percent_encode(revision, QUERY_SET).to_string()
}

/// Encodes a path in a repository.
pub(super) fn path(path: &str) -> String {
    utf8_percent_encode(path, PATH_SET).to_string()
}

/// Shows the path of a file or folder below `root`, each part with a link.
pub(super) fn crumbs(root: &str, path: &str, url: impl Fn(&str) -> String) -> Markup {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let mut start = 0;
    let mut parts = Vec::new();
    for end in ends {
        parts.push((&path[start..end], &path[..end]));
        start = end + 1;
    }
    let last = parts.len() - 1;
    html! {
        span.crumbs {
            a href=(url("")) { (root) }
            @for (index, (name, whole)) in parts.iter().enumerate() {
                "/" wbr;
                @if index == last { bdi { (name) } } @else { a href=(url(whole)) { bdi { (name) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_999, "1.00 MB"),
            (1_500_000_000, "1.50 GB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
