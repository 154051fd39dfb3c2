//! Paths in a repository, as used in commits.
//!
//! Any path that a git tree can hold is a [`RepoPath`]. Added files also have to satisfy the rules
//! of [`EntryPath`], and must not be in a folder that the Hub rejects.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::base::{
    error::{Error, ErrorKind, Result},
    ids::EntryPath,
};

pub use crate::base::ids::RepoPath;

/// Folders that commits must not add to.
pub(super) const FORBIDDEN: [&str; 2] = [".git", ".cache"];

/// Parses the path of an added file. A leading `/` or `./` is ignored.
pub fn parse_addition(text: &str) -> Result<RepoPath> {
    let path = EntryPath::parse_member(without_prefix(text))?;
    let forbidden = path.segments().find(|part| FORBIDDEN.contains(part)).map(str::to_owned);
    match forbidden {
        Some(part) => {
            let message =
                format!("{text:?} cannot be committed: the Hub accepts no files below \"{part}\"");
            Err(Error::new(ErrorKind::InvalidName, message).with_path(text))
        }
        None => RepoPath::parse(path.as_str()),
    }
}

/// Parses the path of an existing file in a repository. A leading `/` or `./` is ignored.
pub fn parse(text: &str) -> Result<RepoPath> {
    RepoPath::parse(without_prefix(text))
}

/// Parses the path of an existing folder in a repository, which may end in `/`.
pub fn parse_folder(text: &str) -> Result<RepoPath> {
    parse(text.strip_suffix('/').unwrap_or(text))
}

/// Reads what [`parse`] checks.
pub(super) fn read<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<RepoPath, D::Error> {
    parse(&String::deserialize(input)?).map_err(D::Error::custom)
}

/// Reads what [`parse_addition`] checks.
pub(super) fn read_addition<'de, D: Deserializer<'de>>(
    input: D,
) -> std::result::Result<RepoPath, D::Error> {
    parse_addition(&String::deserialize(input)?).map_err(D::Error::custom)
}

/// Reads what [`parse_folder`] checks.
pub(super) fn read_folder<'de, D: Deserializer<'de>>(
    input: D,
) -> std::result::Result<RepoPath, D::Error> {
    parse_folder(&String::deserialize(input)?).map_err(D::Error::custom)
}

fn without_prefix(text: &str) -> &str {
    let path = text.strip_prefix('/').unwrap_or(text);
    path.strip_prefix("./").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_paths_that_the_hub_accepts() {
        for (text, path) in [
            ("a/b.bin", "a/b.bin"),
            ("/a", "a"),
            ("./a", "a"),
            ("run[1]/model..bin", "run[1]/model..bin"),
        ] {
            assert_eq!(parse_addition(text).unwrap().as_str(), path);
            assert_eq!(parse(text).unwrap().as_str(), path);
        }
        for text in
            ["", "/", ".", "..", "../a", "a/../b", "a//b", "a/", ".git/config", "a/.cache/x", "//a"]
        {
            assert_eq!(parse_addition(text).unwrap_err().kind(), ErrorKind::InvalidName, "{text}");
        }
        assert_eq!(parse_folder("a/b/").unwrap().as_str(), "a/b");
    }

    #[test]
    fn accepts_existing_files_that_cannot_be_written_here() {
        let long = "x".repeat(300);
        for text in [
            "a\nb.txt",
            "a\tb",
            "a\u{85}b",
            "a\u{7f}b",
            "Q: what.txt",
            "sub/A:b.txt",
            "\\lead.txt",
            "a\\..\\b",
            ".cache/x",
            "CON",
            &long,
        ] {
            assert_eq!(parse(text).unwrap().as_str(), text);
        }
        for text in ["", "/", ".", "..", "../a", "a/../b", "a//b", "a/", ".git/x", "//a", "a\0b"] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::InvalidName, "{text}");
        }
    }
}
