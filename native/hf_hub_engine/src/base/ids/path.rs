//! Paths of files: in a repository, and on this machine.
//!
//! There are three checks, each applied where it matters:
//!
//! * Can a repository contain the path? [`RepoPath`], for files that are listed, read, copied or
//!   deleted.
//! * Is it harmless, on whatever system the files end up? It has no `..`, is not absolute on any
//!   system, has no control characters, and is not part of a `.git` folder.
//! * Can the local file system hold it? [`Platform`].
//!
//! A path that is written on this machine, an [`EntryPath`], passes all three.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, ErrorKind, Result};

type Verdict = std::result::Result<(), &'static str>;

/// Maximum length of a file or folder name on common file systems.
const MAX_PART: usize = 255;

/// The naming rules of a family of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Any character but the separator and NUL.
    Posix,
    /// No reserved characters or device names, and no dot or space at the end.
    Windows,
}

impl Platform {
    /// The rules of this machine.
    pub const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Posix };

    /// Checks one name of a path.
    pub fn check(self, part: &str) -> Verdict {
        let length = match self {
            Self::Posix => part.len(),
            Self::Windows => part.encode_utf16().count(),
        };
        if length > MAX_PART {
            return Err(match self {
                Self::Posix => "one of its parts is longer than 255 bytes",
                Self::Windows => "one of its parts is longer than 255 characters",
            });
        }
        if self == Self::Posix {
            return Ok(());
        }
        if part.contains(['<', '>', ':', '"', '|', '?', '*', '\\']) {
            return Err("it contains a character that Windows reserves");
        }
        if part.ends_with(['.', ' ']) {
            return Err("a part of it ends in a dot or a space, which Windows removes");
        }
        if is_device(part) {
            Err("a part of it is the name of a device on Windows")
        } else {
            Ok(())
        }
    }
}

/// Whether Windows treats a name as a device, such as `NUL.txt`.
fn is_device(part: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = part.split('.').next().unwrap_or(part).trim_end().to_uppercase();
    let numbered = ["COM", "LPT"].into_iter().find_map(|port| stem.strip_prefix(port));
    let is_port = numbered.is_some_and(|number| {
        let mut digits = number.chars();
        let digit = digits.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c));
        digit && digits.next().is_none()
    });
    is_port || DEVICES.contains(&stem.as_str())
}

/// A file to be written on this machine: a relative path with `/` as separator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct EntryPath(String);

impl EntryPath {
    /// Parses a path that stays below any folder it is joined to, on POSIX and on Windows, does not
    /// lead into a `.git` folder, and can be written on this machine.
    pub fn parse(text: &str) -> Result<Self> {
        check(text, Platform::HERE).map_err(|why| invalid("file name", text, why))?;
        Ok(Self(text.to_owned()))
    }

    /// Parses a path like [`Self::parse`], for a name in an archive, which may contain a git
    /// repository.
    pub fn parse_member(text: &str) -> Result<Self> {
        check_harmless(text)
            .and_then(|()| text.split('/').try_for_each(|part| Platform::HERE.check(part)))
            .map_err(|why| invalid("file name", text, why))?;
        Ok(Self(text.to_owned()))
    }

    /// Returns the path as the Hub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the parts, from the root down.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }
}

/// Checks whether a path can be written on a system.
pub fn check(text: &str, platform: Platform) -> Verdict {
    check_harmless(text)?;
    if text.split('/').any(is_git_folder) {
        return Err("it leads into a \".git\" folder");
    }
    text.split('/').try_for_each(|part| platform.check(part))
}

/// Checks that a path is harmless on every system, with either `/` or `\` as separator.
pub(super) fn check_harmless(text: &str) -> Verdict {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 4096 {
        return Err("it is longer than 4096 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("it contains a control character");
    }
    text.split('/').try_for_each(|part| {
        if part.starts_with('\\') || part.is_empty() {
            return Err("a part of it is empty, or begins with a backslash");
        }
        let bytes = part.as_bytes();
        if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
            return Err("it names a drive");
        }
        if part.split('\\').any(|part| part == ".." || part == ".") {
            return Err("a part of it is \".\" or \"..\"");
        }
        Ok(())
    })
}

/// Whether a file system treats a name as `.git`, whose configuration can name programs to run.
/// Windows ignores dots and spaces at the end and has short names; HFS+ ignores invisible
/// characters.
fn is_git_folder(part: &str) -> bool {
    let is_unseen = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    part.split('\\').any(|part| {
        let seen: String = part.chars().filter(|c| !is_unseen(*c)).collect();
        let name = seen.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
        name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
    })
}

impl TryFrom<String> for EntryPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl AsRef<str> for EntryPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path in a repository, with `/` as separator. It never becomes a path on this machine, so files
/// that cannot be written here can still be listed, read, copied and deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RepoPath(String);

impl RepoPath {
    /// Parses a path that a git tree can hold.
    pub fn parse(text: &str) -> Result<Self> {
        if text.split('/').any(|part| part == ".git") {
            return Err(invalid("path in the repository", text, "a part of it is \".git\""));
        }
        Self::parse_listed(text)
    }

    /// Parses a path like [`Self::parse`], for what a Hub lists: a Hub that is not built on git may
    /// list a `.git` folder.
    pub fn parse_listed(text: &str) -> Result<Self> {
        let why = if text.contains('\0') {
            "it contains a NUL character"
        } else if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            "a part of it is empty, \".\" or \"..\""
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(invalid("path in the repository", text, why))
    }

    /// Returns the path as the Hub writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RepoPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn invalid(what: &str, text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(200).collect();
    let message = format!("invalid {what} {shown:?}: {why}");
    Error::new(ErrorKind::InvalidName, message).with_path(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARMFUL: [&str; 24] = [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "a/./b",
        ".",
        "..",
        "a//b",
        "a/",
        "C:\\x",
        "C:x",
        "d/D:foo",
        "Q: what.txt",
        "x:stream",
        "\\\\host\\share",
        "\\x",
        "a\\..\\b",
        "..\\x",
        "a\0b",
        "a\nb",
        "a\tb",
        "a\u{85}b",
        "a\u{7f}b",
    ];

    #[test]
    fn refuses_harmful_paths_on_every_system() {
        let (long, deep) = ("x".repeat(5000), "y/".repeat(3000));
        for text in HARMFUL.into_iter().chain([long.as_str(), &deep]) {
            for platform in [Platform::Posix, Platform::Windows] {
                assert!(check(text, platform).is_err(), "{text:?} on {platform:?}");
            }
            assert!(EntryPath::parse(text).is_err(), "{text:?}");
            assert!(EntryPath::parse_member(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn refuses_paths_into_a_git_folder_on_every_system() {
        for text in [
            ".git/config",
            ".git",
            "a/.git/hooks/post-checkout",
            ".GIT/config",
            ".git./config",
            ".git /x",
            "git~1/config",
            "GIT~1/config",
            ".g\u{200c}it/config",
            ".git::$INDEX_ALLOCATION/config",
            "a\\.git\\config",
        ] {
            for platform in [Platform::Posix, Platform::Windows] {
                assert!(check(text, platform).is_err(), "{text:?} on {platform:?}");
            }
        }
        for text in
            [".gitattributes", ".gitignore", ".github/x", "a.git/config", "git/config", ".git2"]
        {
            assert!(check(text, Platform::Posix).is_ok(), "{text}");
            assert!(check(text, Platform::Windows).is_ok(), "{text}");
        }
        assert!(EntryPath::parse_member("src/.git/config").is_ok());
    }

    #[test]
    fn refuses_names_that_windows_cannot_hold_only_on_windows() {
        let bytes = "ü".repeat(200);
        for text in [
            "CON",
            "con",
            "a/NUL",
            "aux.json",
            "PRN .txt",
            "COM1",
            "com9.log",
            "LPT3",
            "COM¹",
            "CONIN$",
            "dir./x",
            "dir /x",
            "trailing.",
            "trailing ",
            "<x>",
            "*",
            "what?",
            "a|b",
            "say \"hi\"",
            "model:stream",
            "a\\b",
            "...",
        ] {
            assert_eq!(check(text, Platform::Posix), Ok(()), "{text}");
            assert!(check(text, Platform::Windows).is_err(), "{text}");
        }
        for text in [
            "config.json",
            "COM",
            "COM10",
            "CONSOLE",
            "aux_loss.json",
            "a b.txt",
            "ü/文件",
            "run[1]",
            "a..b",
        ] {
            assert_eq!(check(text, Platform::Posix), Ok(()), "{text}");
            assert_eq!(check(text, Platform::Windows), Ok(()), "{text}");
        }
        assert!(check(&bytes, Platform::Posix).is_err());
        assert!(check(&bytes, Platform::Windows).is_ok());
        assert!(check(&"x".repeat(256), Platform::Windows).is_err());
        assert!(check(&"x".repeat(255), Platform::Posix).is_ok());
    }

    #[test]
    fn repo_path_accepts_paths_that_cannot_be_written_here() {
        for text in ["a\nb.txt", "Q: what.txt", "\\lead.txt", "a\\..\\b", "CON", &"x".repeat(300)] {
            assert_eq!(RepoPath::parse(text).unwrap().as_str(), text);
            assert!(RepoPath::parse_listed(text).is_ok());
        }
        for text in ["", "/", ".", "..", "../a", "a/../b", "a//b", "a/", "//a", "a\0b"] {
            assert_eq!(RepoPath::parse_listed(text).unwrap_err().kind(), ErrorKind::InvalidName);
            assert!(RepoPath::parse(text).is_err(), "{text}");
        }
        assert!(RepoPath::parse(".git/x").is_err());
        assert!(RepoPath::parse_listed(".git/x").is_ok());
    }
}
