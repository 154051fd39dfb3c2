//! Access to a storage: its address, and a token that is good for some minutes.

use std::fmt;

use reqwest::{Url, header::HeaderMap};
use serde::Deserialize;

use crate::base::error::{Error, ErrorKind};

/// Access to the storage of one repository.
#[derive(Clone)]
pub struct Access {
    /// The storage.
    pub storage: Url,
    /// The token, which is never shown.
    pub token: String,
    /// When the token expires, in seconds since 1970.
    pub expires: u64,
    /// Where to request the next one.
    pub route: Url,
    /// The headers of that request.
    pub headers: HeaderMap,
}

impl Access {
    /// Returns a text without the token.
    pub fn hide(&self, text: &str) -> String {
        if self.token.is_empty() { text.to_owned() } else { text.replace(&self.token, "…") }
    }

    /// Returns an error of the storage.
    pub(crate) fn failed(&self, kind: ErrorKind, message: String) -> Error {
        Error::new(kind, message).with_url(&self.storage).from_a_store()
    }
}

/// What a Hub responds to a request for access.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted {
    pub(crate) access_token: String,
    pub(crate) exp: u64,
    pub(crate) cas_url: String,
}

impl Granted {
    /// Maximum length of a response.
    pub(crate) const LONGEST: usize = 128 << 10;

    /// Reads a response whose token can be sent.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let granted: Self = serde_json::from_slice(body).ok()?;
        let token = &granted.access_token;
        let visible = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && body.len() <= Self::LONGEST).then_some(granted)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storage = self.storage.origin().ascii_serialization();
        f.debug_struct("Access").field("storage", &storage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_not_shown() {
        let url: Url = "https://cas.example/?secret-token".parse().unwrap();
        let access = Access {
            storage: url.clone(),
            token: "secret-token".to_owned(),
            expires: 1,
            route: url,
            headers: HeaderMap::from_iter([(
                reqwest::header::AUTHORIZATION,
                "Bearer secret-token".parse().unwrap(),
            )]),
        };
        assert!(!format!("{access:?}").contains("secret-token"));
        assert_eq!(access.hide("refused secret-token!"), "refused …!");
    }
}
