//! The id of content on the Hub: its SHA-256 in the large file store, otherwise the git object
//! id.

use std::{fmt, io::Read};

use serde::{Deserialize, Serialize};

use crate::base::{
    error::{Error, ErrorKind, Result},
    etag::Proof,
    hash::Hasher,
    hex,
};

/// The id of content. Compact: an upload of a hundred thousand files holds one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Oid {
    /// The id of a large file.
    Sha256([u8; 32]),
    /// The id of any other file.
    Git([u8; 20]),
}

impl Oid {
    /// Parses 64 or 40 hex digits.
    pub fn parse(text: &str) -> Result<Self> {
        let bytes = decode(text);
        let oid = match bytes.as_deref() {
            Some(bytes) if bytes.len() == 32 => bytes.try_into().ok().map(Self::Sha256),
            Some(bytes) if bytes.len() == 20 => bytes.try_into().ok().map(Self::Git),
            _ => None,
        };
        oid.ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            Error::new(ErrorKind::InvalidResponse, format!("invalid content id {shown:?}"))
        })
    }

    /// Whether both ids are of the same kind, and so can be compared.
    pub(super) fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Sha256(_), Self::Sha256(_)) | (Self::Git(_), Self::Git(_)))
    }

    /// Returns the git object id of content of `size` bytes.
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

    /// Returns the id of a text, used as a name.
    pub(super) fn of_text(text: &str) -> Self {
        let mut hasher = sha256_hasher();
        hasher.update(text.as_bytes());
        Self::finish(hasher)
    }

    /// Returns the id of a finished hash.
    pub(super) fn finish(hasher: Hasher) -> Self {
        // The digits of a hasher always form a valid id.
        Self::parse(&hasher.finish()).unwrap_or(Self::Git([0; 20]))
    }
}

/// Creates the hasher for a regular file of `size` bytes.
pub(super) fn git_hasher(size: u64) -> Hasher {
    // With a size there always is a hasher.
    Hasher::new(Proof::GitSha1, Some(size)).unwrap_or_else(sha256_hasher)
}

/// Creates the hasher for a large file.
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
            Self::Sha256(bytes) => hex::encode(bytes),
            Self::Git(bytes) => hex::encode(bytes),
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
    fn ids_survive_serialization() {
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
