//! Files of tools and operating systems that are rarely meant to be published.

use serde::Deserialize;

use crate::base::fnmatch;

/// Patterns of names, in any folder: of folders if they end in `/`, else of files. A `*` may only
/// be their first or last character.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Unwanted(Vec<String>);

impl Unwanted {
    /// Whether `path` matches one of the patterns and no pattern of `allow` asks for it by name.
    pub(super) fn leaves_out(&self, path: &str, allow: &[String]) -> bool {
        let reasons: Vec<_> = self.0.iter().filter(|pattern| concerns(pattern, path)).collect();
        !reasons.is_empty()
            && !allow.iter().any(|allowed| {
                reasons.iter().any(|pattern| allowed.contains(name(pattern)))
                    && fnmatch::matches(allowed, path)
            })
    }
}

/// The part of a pattern that names something.
fn name(pattern: &str) -> &str {
    pattern.trim_matches(['*', '/'])
}

fn concerns(pattern: &str, path: &str) -> bool {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    match pattern.strip_suffix('/') {
        Some(pattern) => folders.split('/').any(|folder| fits(pattern, folder)),
        None => fits(pattern, file),
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    if let Some(end) = pattern.strip_prefix('*') {
        text.ends_with(end)
    } else if let Some(start) = pattern.strip_suffix('*') {
        text.starts_with(start)
    } else {
        text == pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(path: &str, allow: &[&str]) -> bool {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Unwanted(own(&["__pycache__/", "*.pyc", "._*", ".DS_Store"])).leaves_out(path, &own(allow))
    }

    #[test]
    fn leaves_out_names_in_any_folder() {
        for path in
            ["__pycache__/a", "a/__pycache__/b/c.txt", "a.pyc", "a/b.pyc", ".DS_Store", "a/._b"]
        {
            assert!(leaves_out(path, &[]), "{path}");
        }
        for path in ["__pycache__", "a/my__pycache__/b", "a.pyc/b", "a.pyc.txt", "DS_Store", "a._b"]
        {
            assert!(!leaves_out(path, &[]), "{path}");
        }
        assert!(!Unwanted::default().leaves_out(".DS_Store", &[]));
    }

    #[test]
    fn keeps_what_a_pattern_asks_for_by_name() {
        for (path, allow) in [
            ("a/.DS_Store", "a/.DS_Store"),
            ("a/.DS_Store", "*.DS_Store"),
            ("a/b.pyc", "*.pyc"),
            ("__pycache__/b.pyc", "*.pyc"),
            ("__pycache__/b.pyc", "__pycache__/"),
            ("a/._b", "a/._*"),
        ] {
            assert!(!leaves_out(path, &["*.json", allow]), "{path} {allow}");
        }
        for (path, allow) in [
            ("a/.DS_Store", "*"),
            ("a/.DS_Store", "a/"),
            ("a/b.pyc", "c.pyc"),
            ("a/b.pyc", "a/*.py?"),
        ] {
            assert!(leaves_out(path, &[allow]), "{path} {allow}");
        }
    }
}
