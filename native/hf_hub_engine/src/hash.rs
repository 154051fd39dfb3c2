//! SHA-256 and git object ids, over bytes as they arrive or over files.

use std::{fs::File, io::Read, path::Path};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, Result},
    names::Proof,
};

/// A hash of the kind an etag names.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256 of the content.
    Sha256(Sha256),
    /// SHA-1 of `blob <length>\0` and the content.
    GitSha1(Sha1),
}

impl Hasher {
    /// The hasher that can check `proof`. A git object id begins with the
    /// length, so without one there is none until the file is complete.
    pub fn new(proof: Proof, size: Option<u64>) -> Option<Self> {
        match (proof, size) {
            (Proof::Sha256, _) => Some(Self::Sha256(Sha256::new())),
            (Proof::GitSha1, Some(size)) => {
                let mut sha1 = Sha1::new();
                sha1.update(format!("blob {size}\0"));
                Some(Self::GitSha1(sha1))
            }
            (Proof::GitSha1, None) | (Proof::None, _) => None,
        }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitSha1(hasher) => hasher.update(bytes),
        }
    }

    /// The hash in lower-case hex.
    pub fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::GitSha1(hasher) => hex(&hasher.finalize()),
        }
    }
}

/// Hashes a whole file; `None` where the etag proves nothing.
pub fn file(path: &Path, proof: Proof) -> Result<Option<String>> {
    let wrap = |source| Error::io("read", path, source);
    let mut file = File::open(path).map_err(wrap)?;
    let size = file.metadata().map_err(wrap)?.len();
    let Some(mut hasher) = Hasher::new(proof, Some(size)) else { return Ok(None) };
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(wrap)? {
            0 => return Ok(Some(hasher.finish())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_git_and_sha256sum_say() {
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
