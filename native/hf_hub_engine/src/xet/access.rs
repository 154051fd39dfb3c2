//! Access to a storage: its address, and a token that is good for some minutes.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde::Deserialize;

use crate::base::error::{Error, ErrorKind};

/// Access kept.
const KEPT: usize = 256;

/// Seconds that a kept token has to be valid for.
const LEFT: u64 = 60;

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

/// Access that was granted; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Arc<Mutex<Vec<Access>>>);

impl Tokens {
    pub(super) fn find(&self, route: &Url, authorization: Option<&HeaderValue>) -> Option<Access> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut kept = self.kept();
        kept.retain(|access| access.expires > now + LEFT);
        let is_wanted = |access: &&Access| {
            access.route == *route && access.headers.get(AUTHORIZATION) == authorization
        };
        kept.iter().find(is_wanted).cloned()
    }

    pub(super) fn keep(&self, access: Access) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(access);
    }

    /// Forgets access with this token.
    pub(super) fn forget(&self, token: &str) {
        self.kept().retain(|access| access.token != token);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Access>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn access_is_kept_by_route_and_token_until_it_expires() {
        let tokens = Tokens::default();
        let (route, other): (Url, Url) =
            ("https://hub/a".parse().unwrap(), "https://hub/b".parse().unwrap());
        let token = HeaderValue::from_static("Bearer one");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let access = Access {
            storage: other.clone(),
            token: "xet".to_owned(),
            expires: now + 600,
            route: route.clone(),
            headers: [(AUTHORIZATION, token.clone())].into_iter().collect(),
        };
        tokens.keep(access.clone());
        assert!(tokens.find(&route, Some(&token)).is_some());
        assert!(tokens.find(&route, None).is_none());
        assert!(tokens.find(&other, Some(&token)).is_none());
        tokens.forget(&access.token);
        assert!(tokens.find(&route, Some(&token)).is_none());
        tokens.keep(Access { expires: now + LEFT - 1, ..access });
        assert!(tokens.find(&route, Some(&token)).is_none());
    }
}
