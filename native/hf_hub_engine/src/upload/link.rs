//! Upload links from a Hub, with the headers that its response asks to send.
//!
//! The headers are controlled by the server: only some are sent, and the Hub's token is never sent
//! to another host this way.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Map, Value};

use crate::{
    base::error::{Error, ErrorKind, Result},
    hub::client::Hub,
};

/// Maximum number of headers, far more than needed.
const MOST: usize = 64;
const LONGEST: usize = 32 << 10;

/// Headers of the connection, or derived from the body.
const OWN: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "http2-settings",
    "proxy-authorization",
    "proxy-connection",
];

/// A link and its headers.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl Link {
    /// Creates a link without headers.
    pub(super) fn bare(url: Url) -> Self {
        Self { url, headers: HeaderMap::new() }
    }

    /// Creates a link from the Hub, with the headers of its action.
    pub(super) fn new(hub: &Hub, url: Url, header: Option<&Map<String, Value>>) -> Result<Self> {
        let mut headers = HeaderMap::new();
        let mut size = 0;
        for (name, value) in header.into_iter().flatten() {
            size += name.len() + value.as_str().map_or(0, str::len);
            if headers.len() == MOST || size > LONGEST {
                return Err(invalid(&url, "it has too many headers"));
            }
            if let Some((name, value)) = header_of(&url, name, value)? {
                headers.insert(name, value);
            }
        }
        let leaks = |value: &HeaderValue| {
            hub.token.as_ref().is_some_and(|token| {
                token.is_in(value.as_bytes()) || basic(value).is_some_and(|text| token.is_in(&text))
            })
        };
        if !hub.owns(&url) && headers.values().any(leaks) {
            return Err(invalid(
                &url,
                "it asks for the Hub's token, which is not sent to other hosts",
            ));
        }
        Ok(Self { url, headers })
    }
}

/// Returns `None` for headers that a server may not set.
fn header_of(url: &Url, name: &str, value: &Value) -> Result<Option<(HeaderName, HeaderValue)>> {
    let shown = || name.chars().take(100).collect::<String>();
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null => return Ok(None),
        _ => return Err(invalid(url, &format!("its header {:?} is not text", shown()))),
    };
    let name = HeaderName::from_bytes(name.as_bytes());
    let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(&value)) else {
        return Err(invalid(url, &format!("its header {:?} cannot be sent", shown())));
    };
    value.set_sensitive(true);
    Ok((!OWN.contains(&name.as_str())).then_some((name, value)))
}

/// Returns user and password of a basic authentication header.
fn basic(value: &HeaderValue) -> Option<Vec<u8>> {
    let (_, encoded) = value.to_str().ok()?.split_once(' ')?;
    STANDARD.decode(encoded.trim()).ok()
}

fn invalid(url: &Url, why: &str) -> Error {
    let host = url.host_str().unwrap_or_default();
    let message = format!("invalid link to upload to {host}: {why}");
    Error::new(ErrorKind::InvalidResponse, message).with_url(url)
}
