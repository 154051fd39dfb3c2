//! What identifies a content on the Hub: its SHA-256 in the large file store, else git's object id.

use std::{fmt, io::Read};

use serde::{Deserialize, Serialize};

use crate::base::{
    error::{Error, ErrorKind, Result},
    etag::Proof,
    hash::{self, Hasher},
};

/// An identity of a content. Small: folders of a hundred thousand files keep one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Oid {
    /// Of a large file.
    Sha256([u8; 32]),
    /// Of any other file.
    Git([u8; 20]),
}

impl Oid {
    /// Reads 64 or 40 hex digits.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = decode(text);
        let oid = match bytes.as_deref() {
            Some(bytes) if bytes.len() == 32 => bytes.try_into().ok().map(Self::Sha256),
            Some(bytes) if bytes.len() == 20 => bytes.try_into().ok().map(Self::Git),
            _ => None,
        };
        oid.ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            Error::new(ErrorKind::InvalidResponse, format!("{shown:?} identifies no content"))
        })
    }

    /// Whether both are identities of the same kind, and so can be compared.
    pub(super) fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Sha256(_), Self::Sha256(_)) | (Self::Git(_), Self::Git(_)))
    }

    /// What a content of `size` bytes is for git.
    pub fn of_git(mut content: impl Read, size: u64) -> std::io::Result<Self> {
        let mut hasher = git_hasher(size);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(Self::finish(hasher)),
                read => hasher.update(&buffer[..read]),
            }
        }
    }

    /// Of a text: a name for what has no file name of its own.
    pub(super) fn of_text(text: &str) -> Self {
        let mut hasher = sha256_hasher();
        hasher.update(text.as_bytes());
        Self::finish(hasher)
    }

    /// Ends a hash.
    pub(super) fn finish(hasher: Hasher) -> Self {
        // A hasher's own digits are always an identity.
        Self::parse(&hasher.finish()).unwrap_or(Self::Git([0; 20]))
    }
}

/// Takes in the content of a regular file of `size` bytes.
pub(super) fn git_hasher(size: u64) -> Hasher {
    // With a size there always is one.
    Hasher::new(Proof::GitSha1, Some(size)).unwrap_or_else(sha256_hasher)
}

/// Takes in the content of a large file.
pub(super) fn sha256_hasher() -> Hasher {
    Hasher::Sha256(<sha2::Sha256 as sha2::Digest>::new())
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Sha256(bytes) => hash::hex(bytes),
            Self::Git(bytes) => hash::hex(bytes),
        })
    }
}

impl TryFrom<String> for Oid {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> Self {
        oid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_survive_being_written() {
        let git = Oid::of_git(&b"hello\n"[..], 6).unwrap();
        assert_eq!(git.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        for text in [sha256, "ce013625030ba8dba906f756967f9e9ca394464a"] {
            assert_eq!(Oid::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "abc", &"g".repeat(40), &"A".repeat(64), &"é".repeat(20)] {
            assert!(Oid::parse(text).is_err(), "{text}");
        }
    }
}
