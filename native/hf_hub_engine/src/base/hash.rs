//! SHA-256 and git object ids, of bytes as they arrive or of files.

use std::{io::Read, path::Path};

use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::base::{
    blocking::{self, Watch},
    disk::open_regular,
    error::{Error, Result},
    etag::{Checksum, Etag, Proof},
    hex,
    input::RawPath,
};

/// An incremental hash.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256, of the content or of a git object.
    Sha256(Sha256),
    /// SHA-1, of the content or of a git object.
    Sha1(Sha1),
}

/// The result of comparing a file with the checksums of its etag.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A checksum matches.
    Right(Checksum),
    /// No checksum matches; holds the actual hash of the first one's kind.
    Wrong(String),
    /// There is no checksum.
    Unknown,
}

impl Hasher {
    /// Creates the hasher for checksums of this kind. The input of a git object id begins with the
    /// length, so without `size` there is no hasher until the file is complete.
    pub fn new(proof: Proof, size: Option<u64>) -> Option<Self> {
        let mut hasher = match proof {
            Proof::Sha256 | Proof::GitSha256 => Self::Sha256(Sha256::new()),
            Proof::Sha1 | Proof::GitSha1 => Self::Sha1(Sha1::new()),
            Proof::None => return None,
        };
        if matches!(proof, Proof::GitSha1 | Proof::GitSha256) {
            hasher.update(format!("blob {}\0", size?).as_bytes());
        }
        Some(hasher)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the hash in lower-case hex.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex::encode(&hasher.finalize()),
            Self::Sha1(hasher) => hex::encode(&hasher.finalize()),
        }
    }
}

/// A file to hash.
#[derive(Debug, Deserialize)]
pub struct Spec {
    path: RawPath,
    algorithm: Proof,
}

/// Hashes a file; returns hex digits.
pub async fn run(spec: Spec, _: Watch) -> Result<String> {
    let hex = blocking::run(move || file(&spec.path.0, spec.algorithm)).await?;
    Ok(hex.unwrap_or_default())
}

/// Hashes a whole file; `None` if there is no checksum to compare with.
pub fn file(path: &Path, proof: Proof) -> Result<Option<String>> {
    file_until(path, proof, &|| false)
}

/// Hashes a file like [`file`], as long as `stop`, which is polled, is false; then the hash is that
/// of what was read.
pub fn file_until(path: &Path, proof: Proof, stop: &dyn Fn() -> bool) -> Result<Option<String>> {
    let wrap = |source| Error::io("read", path, source);
    let mut file = open_regular(path).map_err(wrap)?;
    let size = file.metadata().map_err(wrap)?.len();
    let Some(mut hasher) = Hasher::new(proof, Some(size)) else { return Ok(None) };
    let mut buffer = vec![0; 1 << 20];
    while !stop() {
        match file.read(&mut buffer).map_err(wrap)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(Some(hasher.finish()))
}

/// Compares a file with the checksums of its etag. `first` is its hash of the first one's kind, if
/// already known.
pub fn prove(path: &Path, etag: &Etag, first: Option<String>) -> Result<Verdict> {
    let (mut known, mut wrong) = (first, None);
    for sum in etag.checksums() {
        let actual = match known.take() {
            Some(actual) => actual,
            None => file(path, sum.proof())?.unwrap_or_default(),
        };
        if actual == sum.hex() {
            return Ok(Verdict::Right(sum.clone()));
        }
        wrong.get_or_insert(actual);
    }
    Ok(wrong.map_or(Verdict::Unknown, Verdict::Wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_git_and_sha256sum() {
        let mut git = Hasher::new(Proof::GitSha1, Some(6)).unwrap();
        git.update(b"hel");
        git.update(b"lo\n");
        assert_eq!(git.finish(), "ce013625030ba8dba906f756967f9e9ca394464a");

        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&path, b"hello\n").unwrap();
        let sha256 = file(path.path(), Proof::Sha256).unwrap().unwrap();
        assert_eq!(sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(file(path.path(), Proof::None).unwrap(), None);
    }
}
