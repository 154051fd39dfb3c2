//! The two base URLs that clients see: the Hub's and that of the large files.
//!
//! Links must use the address by which the client came, which on a machine with several addresses
//! is only known from the request's `Host`.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use serde::{Deserialize, Serialize};

/// The listener that a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// The API and file routes.
    Hub,
    /// The large files.
    Cdn,
}

/// Builds absolute URLs.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    scheme: &'static str,
    public_url: Option<String>,
    cdn_url: Option<String>,
    hub: SocketAddr,
    cdn: SocketAddr,
}

impl Origins {
    /// Creates the URLs from fixed ones, if there are any, and from the listeners' addresses, with
    /// or without TLS.
    pub(super) fn new(
        is_tls: bool,
        public_url: Option<String>,
        cdn_url: Option<String>,
        (hub, cdn): (SocketAddr, SocketAddr),
    ) -> Self {
        let scheme = if is_tls { "https" } else { "http" };
        Self { scheme, public_url, cdn_url, hub: reachable(hub), cdn: reachable(cdn) }
    }

    /// Returns the Hub's URL without a trailing slash, for the response to these request headers.
    pub(super) fn hub(&self, headers: Option<&HeaderMap>) -> String {
        let from_host = || match asked_host(headers) {
            Some(host) => format!("{}://{host}", self.scheme),
            None => format!("{}://{}", self.scheme, self.hub),
        };
        self.public_url.clone().unwrap_or_else(from_host)
    }

    /// Returns the host of this machine, without a port, for the response to these request headers.
    pub(super) fn host(&self, headers: &HeaderMap) -> String {
        let asked = asked_host(Some(headers)).map(|host| host.host().to_owned());
        asked.unwrap_or_else(|| self.hub.ip().to_string())
    }

    /// Returns the URL of the large files, without a trailing slash.
    pub(super) fn cdn(&self, headers: Option<&HeaderMap>) -> String {
        let from_host = || match asked_host(headers) {
            Some(host) => format!("{}://{}:{}", self.scheme, host.host(), self.cdn.port()),
            None => format!("{}://{}", self.scheme, self.cdn),
        };
        self.cdn_url.clone().unwrap_or_else(from_host)
    }
}

fn asked_host(headers: Option<&HeaderMap>) -> Option<Authority> {
    let host: Authority = headers?.get(HOST)?.to_str().ok()?.parse().ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

/// Replaces `0.0.0.0`, which clients cannot connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        address.set_ip(loopback);
    }
    address
}

/// Parses the base URL of an option.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let url: axum::http::Uri = text.parse().map_err(|err| format!("{err}"))?;
    match url.scheme_str() {
        Some("http" | "https") => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("must begin with http:// or https://".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new(
            false,
            None,
            None,
            ("0.0.0.0:81".parse().unwrap(), "0.0.0.0:82".parse().unwrap()),
        )
    }

    #[test]
    fn uses_the_address_by_which_the_client_came() {
        let headers = |host: &'static str| HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
        assert_eq!(origins().hub(Some(&headers("box.lan:81"))), "http://box.lan:81");
        assert_eq!(origins().cdn(Some(&headers("box.lan:81"))), "http://box.lan:82");
        assert_eq!(origins().cdn(Some(&headers("[::1]:81"))), "http://[::1]:82");
    }

    #[test]
    fn falls_back_to_its_own_address() {
        let hostile = HeaderMap::from_iter([(HOST, "a@b/c".parse().unwrap())]);
        assert_eq!(origins().hub(Some(&hostile)), "http://127.0.0.1:81");
        assert_eq!(origins().hub(None), "http://127.0.0.1:81");
        let secure = Origins { scheme: "https", ..origins() };
        assert_eq!(secure.hub(None), "https://127.0.0.1:81");
        assert_eq!(secure.cdn(None), "https://127.0.0.1:82");
    }
}
