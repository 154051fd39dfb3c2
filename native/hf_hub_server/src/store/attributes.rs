//! Which paths `.gitattributes` assigns to git-lfs.
//!
//! Only the file at the root of the repository counts, as on the Hub; macros are not expanded.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::repo_id::RepoKind;

/// Returns the Hub's default for a new repository; datasets often contain media, so theirs lists
/// more.
pub(crate) fn default_for(kind: RepoKind) -> &'static str {
    match kind {
        RepoKind::Dataset => include_str!("default_gitattributes_dataset"),
        RepoKind::Model | RepoKind::Space => include_str!("default_gitattributes"),
    }
}

/// The patterns of one `.gitattributes` file.
#[derive(Debug)]
pub(crate) struct Attributes {
    matcher: Gitignore,
}

impl Attributes {
    /// Parses the patterns; invalid lines match nothing.
    pub(crate) fn parse(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let mut builder = GitignoreBuilder::new("");
        // The patterns have gitignore's syntax and its "last match wins" rule; a line that removes
        // the filter corresponds to a negated pattern.
        for (pattern, lfs) in text.lines().filter_map(parse_line) {
            let sign = if lfs { "" } else { "!" };
            let _ = builder.add_line(None, &format!("{sign}{pattern}"));
        }
        Self { matcher: builder.build().unwrap_or_else(|_| Gitignore::empty()) }
    }

    /// Whether this path belongs in the large file store.
    pub(crate) fn is_lfs(&self, path: &str) -> bool {
        self.matcher.matched(path, false).is_ignore()
    }
}

/// Returns the line that assigns this path to git-lfs.
pub(crate) fn lfs_line(path: &str) -> String {
    let mut pattern = String::new();
    // A pattern that begins like this would be a comment, a negation or a quoted one.
    if path.starts_with(['#', '!', '"', '[']) {
        pattern.push('/');
    }
    for c in path.chars() {
        match c {
            '*' | '?' | '[' | '\\' => pattern.extend(['\\', c]),
            c if c.is_whitespace() => pattern.push_str("[[:space:]]"),
            c => pattern.push(c),
        }
    }
    format!("{pattern} filter=lfs diff=lfs merge=lfs -text\n")
}

/// Returns the pattern of a line and whether it sets or removes `filter=lfs`; `None` if neither.
fn parse_line(line: &str) -> Option<(String, bool)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '!', '[']) {
        return None;
    }
    let (pattern, attributes) = match line.strip_prefix('"') {
        Some(rest) => rest.split_once('"')?,
        None => line.split_once(char::is_whitespace)?,
    };
    let mut words = attributes.split_whitespace();
    let filter = words.rfind(|word| word.trim_start_matches(['-', '!']).starts_with("filter"))?;
    // git-lfs writes a space in a name this way; the matcher does not support character classes.
    Some((pattern.replace("[[:space:]]", "[ ]"), filter == "filter=lfs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_default_patterns_of_the_hub() {
        let attributes = Attributes::parse(default_for(RepoKind::Model).as_bytes());
        for path in [
            "model.safetensors",
            "sub/dir/x.bin",
            "a.tar.gz",
            "saved_model/a/b",
            "run/events.out.tfevents.1",
            "x.zip",
        ] {
            assert!(attributes.is_lfs(path), "{path}");
        }
        for path in ["config.json", "README.md", "bin", "x.bin.d/readme", "saved_model.txt"] {
            assert!(!attributes.is_lfs(path), "{path}");
        }
        let of_datasets = Attributes::parse(default_for(RepoKind::Dataset).as_bytes());
        assert!(of_datasets.is_lfs("a/b.png") && !attributes.is_lfs("a/b.png"));
    }

    #[test]
    fn the_last_line_with_the_filter_counts() {
        let text = "*.bin filter=lfs -text\nsmall.bin -filter\n/top.txt filter=lfs\n\"a b.txt\" filter=lfs\n\
                    c[[:space:]]d.txt filter=lfs\n*.txt text\n# *.md filter=lfs\n";
        let attributes = Attributes::parse(text.as_bytes());
        for (path, lfs) in [
            ("x.bin", true),
            ("small.bin", false),
            ("top.txt", true),
            ("sub/top.txt", false),
            ("a b.txt", true),
            ("c d.txt", true),
            ("x.md", false),
        ] {
            assert_eq!(attributes.is_lfs(path), lfs, "{path}");
        }
    }

    #[test]
    fn writes_lines_that_match_only_their_path() {
        for path in
            ["x.dat", "a b/c d.dat", "#x", "!x", "w[1]*?.dat", "\"q\".dat", "[x].dat", "é/ü.dat"]
        {
            let attributes = Attributes::parse(lfs_line(path).as_bytes());
            assert!(attributes.is_lfs(path), "{path}");
            assert!(!attributes.is_lfs("other.dat") && !attributes.is_lfs("w1xx.dat"), "{path}");
        }
    }
}
