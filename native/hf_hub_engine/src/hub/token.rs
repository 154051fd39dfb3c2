//! A token that is never shown.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::base::error::{Error, ErrorKind, Result};

/// A secret that cannot be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(HeaderValue);

impl Token {
    /// Creates the `Authorization` header from a token.
    pub fn new(token: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            Error::new(ErrorKind::Unauthorized, "the token contains invalid characters")
        })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Returns the value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether these bytes contain the token.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let value = self.0.as_bytes();
        let token = value.strip_prefix(b"Bearer ").unwrap_or(value);
        !token.is_empty() && bytes.windows(token.len()).any(|part| part == token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
