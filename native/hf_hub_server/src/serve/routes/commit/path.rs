//! Which paths a commit may touch.
//!
//! Stricter than git: a path that some client's file system treats as another path is rejected.

use super::super::super::error::ApiError;

/// Maximum length of a path in bytes.
pub(in super::super) const MAX_PATH: usize = 1024;
const MAX_SEGMENT: usize = 255;

/// Rejects what is not a valid path of a file in a repository.
pub(in super::super) fn check(path: &str) -> Result<(), ApiError> {
    let is_good = path.len() <= MAX_PATH && path.split('/').all(is_name);
    if is_good { Ok(()) } else { Err(rejection(path)) }
}

/// The error for a rejected path.
pub(super) fn rejection(path: &str) -> ApiError {
    let shown = path.chars().take(MAX_SEGMENT).collect::<String>();
    ApiError::unprocessable(format!("Invalid path in repo: {shown:?}"))
}

fn is_name(segment: &str) -> bool {
    let is_special = matches!(segment, "" | "." | "..") || is_git_dir(segment);
    let is_plain = |c: char| !c.is_control() && c != '\\';
    !is_special && segment.len() <= MAX_SEGMENT && segment.chars().all(is_plain)
}

/// Whether some file system treats this name as `.git`: Windows ignores trailing dots, spaces and
/// streams and has short names, macOS ignores some characters.
fn is_git_dir(segment: &str) -> bool {
    let is_unseen = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let seen = segment.chars().filter(|c| !is_unseen(*c)).collect::<String>().to_lowercase();
    let name = seen.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name == ".git" || name == "git~1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_paths_from_what_only_looks_like_one() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(600) + "x";
        for path in ["a", "a/b c/é.txt", ".gitattributes", "a..b", "..a", ".github/x", "git/x"] {
            assert!(check(path).is_ok(), "{path}");
        }
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "./a",
            ".git/config",
            ".GIT/config",
            "a/.git",
            ".git.",
            ".git ",
            ".git::$INDEX_ALLOCATION/x",
            "GIT~1/x",
            ".g\u{200c}it/x",
            "a\\b",
            "a\0b",
            "a\nb",
            &long,
            &deep,
        ] {
            assert!(check(path).is_err(), "{path:?}");
        }
    }
}
