//! The etag of a file's content: the name of its blob, and the checksums that verify it.
//!
//! An etag of the Hub is a checksum of the content. Other servers send a checksum of another kind,
//! or an opaque text, and announce the checksum in a separate header. Content is valid if any
//! announced checksum matches.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use sha2::{Digest, Sha256};

use crate::base::{
    error::{Error, ErrorKind, Result},
    hex,
    ids::Commit,
};

/// Maximum length of an etag that is used as the blob's name unchanged.
const LONGEST: usize = 128;

/// Extensions that are reserved for files beside the blobs.
const RESERVED: [&str; 5] = [".incomplete", ".link", ".lock", ".shared", ".tmp"];

/// An etag. Two etags with the same text are equal, whatever checksums are known in addition.
#[derive(Clone, Debug)]
pub struct Etag {
    text: String,
    checksums: Vec<Checksum>,
}

/// The kind of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// SHA-256 of the content (LFS and Xet files).
    Sha256,
    /// Git object id of the content (all other files).
    GitSha1,
    /// Git object id in a repository whose object format is SHA-256.
    GitSha256,
    /// SHA-1 of the content.
    Sha1,
    /// No checksum: an opaque etag.
    None,
}

/// A checksum of a file's content that a server announced.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checksum {
    proof: Proof,
    hex: String,
}

impl Proof {
    /// Returns its name in reports; `None` for no checksum.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Sha256 => Some("sha256"),
            Self::GitSha1 => Some("git-sha1"),
            Self::GitSha256 => Some("git-sha256"),
            Self::Sha1 => Some("sha1"),
            Self::None => None,
        }
    }
}

impl Checksum {
    /// Reads hex digits of either case; `None` if their number does not match `proof`.
    pub fn parse(proof: Proof, hex: &str) -> Option<Self> {
        let digits = match proof {
            Proof::Sha256 | Proof::GitSha256 => 64,
            Proof::GitSha1 | Proof::Sha1 => 40,
            Proof::None => return None,
        };
        let hex = hex.trim().to_ascii_lowercase();
        hex::is(&hex, digits).then_some(Self { proof, hex })
    }

    /// Returns its kind.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// Returns the digits, in lower case.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl Etag {
    /// Reads an `ETag` header. The text is normalized as in the Python client; a text that is too
    /// long, or is not a valid file name on every system, is replaced by its hash.
    pub fn parse(header: &str) -> Result<Self> {
        let text = header.trim().trim_start_matches(['W', '/']).trim_matches('"');
        if text.is_empty() {
            let message = "the server sent an empty ETag header";
            return Err(Error::new(ErrorKind::InvalidResponse, message));
        }
        Ok(Self::of_blob(text).unwrap_or_else(|| {
            let hash = hex::encode(&Sha256::digest(text));
            Self { text: format!("etag-{hash}"), checksums: checksums_in(text) }
        }))
    }

    /// Returns the etag of a blob in a cache, by its file name; `None` if the name cannot be an
    /// etag.
    pub fn of_blob(name: &str) -> Option<Self> {
        let safe = (1..=LONGEST).contains(&name.len())
            && !name.starts_with(['.', ' '])
            && !name.ends_with(['.', ' '])
            && !RESERVED.iter().any(|ending| name.ends_with(ending))
            && name.bytes().all(|b| matches!(b, b' '..=b'~') && !b"/\\:*?\"<>|".contains(&b));
        safe.then(|| Self { text: name.to_owned(), checksums: checksums_in(name) })
    }

    /// Adds checksums that were announced in addition to the etag.
    #[must_use]
    pub fn or(mut self, others: impl IntoIterator<Item = Checksum>) -> Self {
        for other in others {
            if !self.checksums.contains(&other) {
                self.checksums.push(other);
            }
        }
        self
    }

    /// Returns the same etag in a repository at this commit: where commits have 64 digits, so have
    /// git's object ids.
    #[must_use]
    pub fn at(self, commit: &Commit) -> Self {
        let object = Checksum::parse(Proof::GitSha256, &self.text);
        let is_long = commit.is_immutable() && commit.as_str().len() == 64;
        self.or(object.filter(|_| is_long))
    }

    /// Returns the text, which is the blob's file name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the kind of the first checksum.
    pub fn proof(&self) -> Proof {
        self.checksums.first().map_or(Proof::None, Checksum::proof)
    }

    /// Returns all announced checksums, of which one has to match; none if the content cannot be
    /// verified.
    pub fn checksums(&self) -> &[Checksum] {
        &self.checksums
    }

    /// Whether the content can be verified.
    pub fn is_proof(&self) -> bool {
        !self.checksums.is_empty()
    }
}

/// Returns the checksums that a text of this length can be: 40 digits from Artifactory are the
/// SHA-1 of the content.
fn checksums_in(text: &str) -> Vec<Checksum> {
    let kinds = [Proof::Sha256, Proof::GitSha1, Proof::Sha1];
    kinds.into_iter().filter_map(|proof| Checksum::parse(proof, text)).collect()
}

impl PartialEq for Etag {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Etag {}

impl Hash for Etag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_etags_are_checksums() {
        let proof = |header: &str| Etag::parse(header).unwrap().proof();
        assert_eq!(proof(&format!("\"{}\"", "a".repeat(64))), Proof::Sha256);
        assert_eq!(proof(&format!("W/\"{}\"", "b".repeat(40))), Proof::GitSha1);
        assert_eq!(proof(&format!("\"{}\"", "AB".repeat(20))), Proof::GitSha1);
        assert_eq!(proof("\"mirror-1\""), Proof::None);
        assert_eq!(proof(&format!("\"{{SHA1{{{}}}}}\"", "c".repeat(40))), Proof::None);
        assert_eq!(proof(&"d".repeat(32)), Proof::None);
        let either = Etag::parse(&"b".repeat(40)).unwrap();
        assert_eq!(either.checksums()[1].proof(), Proof::Sha1);
        let commit = Commit::parse(&"c".repeat(64)).unwrap();
        let long = Etag::parse(&"a".repeat(64)).unwrap().at(&commit);
        assert_eq!(long.checksums()[1].proof(), Proof::GitSha256);
    }

    #[test]
    fn safe_etags_name_the_blob_as_in_the_python_client() {
        for (header, name) in [
            ("\"5f-61a\"", "5f-61a"),
            ("W/\"a+b=c, d\"", "a+b=c, d"),
            ("\"{SHA1{0a}}\"", "{SHA1{0a}}"),
            ("Wabc", "abc"),
        ] {
            assert_eq!(Etag::parse(header).unwrap().as_str(), name, "{header}");
            assert!(Etag::of_blob(name).is_some(), "{name}");
        }
    }

    #[test]
    fn unsafe_etags_name_the_blob_by_their_hash() {
        let long = "x".repeat(5000);
        for header in [
            "../blob",
            "a/b",
            "a\\b",
            ".hidden",
            "a:b",
            "\u{fc}",
            "a\tb",
            "x.lock",
            "x.0123abcd.incomplete",
            "end.",
            &long,
        ] {
            let etag = Etag::parse(header).unwrap();
            assert!(etag.as_str().starts_with("etag-") && etag.as_str().len() == 69, "{etag}");
            assert!(!etag.is_proof() && Etag::of_blob(header).is_none());
            assert_eq!(Etag::of_blob(etag.as_str()), Some(etag));
        }
        assert_ne!(Etag::parse("a/b").unwrap(), Etag::parse("a/c").unwrap());
        for empty in ["", "\"\"", " W/\"\" "] {
            assert_eq!(Etag::parse(empty).unwrap_err().kind(), ErrorKind::InvalidResponse);
        }
    }
}
