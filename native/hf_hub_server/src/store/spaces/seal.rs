//! Encrypts the secrets of Spaces, jobs and webhooks, so that neither the database nor a backup of it shows them.

use std::fmt;

use anyhow::{Result, bail};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

/// The key is used for nothing else.
const PURPOSE: &[u8] = b"secrets of Spaces, ChaCha20-Poly1305";

/// Encrypts and decrypts with the key of the root.
pub(crate) struct Sealer {
    key: LessSafeKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Derives the key from that of the root.
    pub(crate) fn new(root_key: &[u8]) -> Result<Self> {
        let key = Hmac::<Sha256>::new_from_slice(root_key)?.chain_update(PURPOSE).finalize();
        match UnboundKey::new(&CHACHA20_POLY1305, &key.into_bytes()) {
            Ok(key) => Ok(Self { key: LessSafeKey::new(key) }),
            Err(_) => bail!("cannot make the key of the secrets"),
        }
    }

    /// Encrypts a value; `place` must be the same when it is decrypted.
    pub(crate) fn seal(&self, place: &str, value: &str) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let mut text = value.as_bytes().to_vec();
        let aad = Aad::from(place.as_bytes());
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        if self.key.seal_in_place_append_tag(nonce_once, aad, &mut text).is_err() {
            bail!("cannot encrypt a secret");
        }
        Ok([nonce.as_slice(), &text].concat())
    }

    /// Decrypts a value.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<String> {
        let Some((nonce, text)) = sealed.split_at_checked(NONCE_LEN) else {
            bail!("a secret is cut off");
        };
        let (nonce, mut text) = (Nonce::try_assume_unique_for_key(nonce), text.to_vec());
        let aad = Aad::from(place.as_bytes());
        let opened = nonce.and_then(|nonce| self.key.open_in_place(nonce, aad, &mut text));
        match opened {
            Ok(text) => Ok(String::from_utf8(text.to_vec())?),
            Err(_) => bail!("a secret was encrypted with another key than that of this root"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_has_sealed_at_the_same_place_only() {
        let sealer = Sealer::new(b"key").unwrap();
        let text = sealer.seal("1 A", "hunter2").unwrap();
        assert_eq!(sealer.open("1 A", &text).unwrap(), "hunter2");
        assert_ne!(text, sealer.seal("1 A", "hunter2").unwrap());
        assert!(sealer.open("1 B", &text).is_err());
        assert!(Sealer::new(b"other").unwrap().open("1 A", &text).is_err());
        assert!(sealer.open("1 A", &text[..5]).is_err());
        assert!(!text.windows(7).any(|window| window == b"hunter2"));
    }
}
