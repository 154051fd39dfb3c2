//! Links that expire.
//!
//! The signature covers path and time; a link grants access without a token. This module does not
//! know what is behind the path.

use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::query::Query;

/// Signs and checks links.
#[derive(Clone)]
pub(super) struct Signer {
    mac: Hmac<Sha256>,
}

/// Why a link is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// It has expired.
    Expired(Timestamp),
    /// Its signature is invalid.
    Forged,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired(_) => "This link has expired",
            Self::Forged => "The signature of this link is not valid",
        })
    }
}

impl Signer {
    /// Creates a signer with this key.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub(super) fn new(key: &[u8]) -> Self {
        Self { mac: Hmac::new_from_slice(key).expect("any length is a key") }
    }

    /// Returns the query that makes `path` a valid link until `expires`.
    pub(super) fn query(&self, path: &str, expires: Timestamp) -> String {
        let expires = expires.as_second();
        let signature = self.mac(path, &expires.to_string()).finalize().into_bytes();
        format!("Expires={expires}&Signature={}", hex::encode(signature))
    }

    /// Checks a link at a point in time.
    pub(super) fn check(&self, path: &str, query: &Query, now: Timestamp) -> Result<(), Rejection> {
        let expires = query.get("Expires").ok_or(Rejection::Forged)?;
        let signature = query
            .get("Signature")
            .and_then(|text| hex::decode(text).ok())
            .ok_or(Rejection::Forged)?;
        self.mac(path, expires).verify_slice(&signature).map_err(|_| Rejection::Forged)?;
        let expires = expires
            .parse()
            .ok()
            .and_then(|s| Timestamp::from_second(s).ok())
            .ok_or(Rejection::Forged)?;
        if now < expires { Ok(()) } else { Err(Rejection::Expired(expires)) }
    }

    fn mac(&self, path: &str, expires: &str) -> Hmac<Sha256> {
        let mut text = String::new();
        let _ = write!(text, "{path}\n{expires}");
        self.mac.clone().chain_update(text)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_its_own_links_until_they_expire() {
        let signer = Signer::new(b"key");
        let time = |second| Timestamp::from_second(second).unwrap();
        let query = Query::parse(Some(&signer.query("/lfs/x", time(100))));

        assert_eq!(signer.check("/lfs/x", &query, time(99)), Ok(()));
        assert_eq!(signer.check("/lfs/x", &query, time(100)), Err(Rejection::Expired(time(100))));
        assert_eq!(signer.check("/lfs/y", &query, time(99)), Err(Rejection::Forged));
        assert_eq!(Signer::new(b"other").check("/lfs/x", &query, time(99)), Err(Rejection::Forged));
    }

    #[test]
    fn rejects_a_link_with_a_changed_expiry() {
        let signer = Signer::new(b"key");
        let query =
            signer.query("/x", Timestamp::from_second(100).unwrap()).replace("=100", "=9999999999");
        let now = Timestamp::from_second(200).unwrap();
        assert_eq!(signer.check("/x", &Query::parse(Some(&query)), now), Err(Rejection::Forged));
        assert_eq!(signer.check("/x", &Query::parse(None), now), Err(Rejection::Forged));
    }
}
