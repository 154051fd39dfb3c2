//! What may be a path in a repository that a commit touches.
//!
//! Stricter than [`EntryPath`], which only has to keep downloads below their folder: the Hub
//! refuses bookkeeping folders, and says so only after everything has been uploaded.

use crate::{
    error::{Error, ErrorKind, Result},
    names::EntryPath,
};

/// Folders that no commit may touch.
pub(super) const FORBIDDEN: [&str; 2] = [".git", ".cache"];

/// Checks a path in a repository. One `/` or `./` in front is forgiven.
pub fn parse(text: &str) -> Result<EntryPath> {
    let path = text.strip_prefix('/').unwrap_or(text);
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = EntryPath::parse(path)?;
    let forbidden = path.segments().find(|part| FORBIDDEN.contains(part)).map(str::to_owned);
    match forbidden {
        Some(part) => {
            let message =
                format!("{text:?} cannot be committed: the Hub takes nothing below \"{part}\"");
            Err(Error::new(ErrorKind::InvalidName, message).with_path(text))
        }
        None => Ok(path),
    }
}

/// Checks the path of a folder, which may end in `/`.
pub fn parse_folder(text: &str) -> Result<EntryPath> {
    parse(text.strip_suffix('/').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_that_the_hub_takes() {
        for (text, path) in [
            ("a/b.bin", "a/b.bin"),
            ("/a", "a"),
            ("./a", "a"),
            ("run[1]/model..bin", "run[1]/model..bin"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), path);
        }
        for text in
            ["", "/", ".", "..", "../a", "a/../b", "a//b", "a/", ".git/config", "a/.cache/x", "//a"]
        {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::InvalidName, "{text}");
        }
        assert_eq!(parse_folder("a/b/").unwrap().as_str(), "a/b");
    }
}
