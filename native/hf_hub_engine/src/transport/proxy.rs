//! Decides which proxy a request uses, both for connecting and for error messages.

use std::net::IpAddr;

use reqwest::Url;

use crate::{
    base::error::{Error, ErrorKind, Result, redacted},
    transport::ClientConfig,
};

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A configured proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
pub struct ProxySetting {
    /// `scheme://user:password@host:port`; everything except the host is optional.
    pub url: String,
    /// The environment variable or option it comes from.
    pub source: String,
}

/// A valid proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) url: Url,
    source: String,
}

impl Proxy {
    fn parse(setting: &ProxySetting) -> Result<Self> {
        let ProxySetting { url: text, source } = setting;
        let has_scheme = text.contains("://");
        let url = if has_scheme { text.parse() } else { format!("http://{text}").parse() };
        let url = url.ok().filter(|url: &Url| SCHEMES.contains(&url.scheme()) && url.has_host());
        // The text may contain a password, so it is not shown.
        let url = url.ok_or_else(|| {
            let message = format!(
                "invalid proxy URL in {source}: expected scheme://host:port, with one of the schemes {}",
                SCHEMES.join(", ")
            );
            Error::new(ErrorKind::Transport, message).permanent()
        })?;
        Ok(Self { url, source: source.clone() })
    }

    /// Returns the proxy without its password, and the setting it comes from.
    pub(super) fn shown(&self) -> String {
        format!("{} (from {})", redacted(&self.url), self.source)
    }
}

/// The proxies of a pool, and the hosts that are reached without one.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<Direct>,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    Everything,
    /// A host and its subdomains.
    Domain(String),
    /// The addresses with this prefix.
    Network(IpAddr, u32),
}

impl Proxies {
    /// Returns the proxies of a configuration.
    pub(super) fn of(config: &ClientConfig) -> Result<Self> {
        let parse = |setting: &Option<ProxySetting>| setting.as_ref().map(Proxy::parse).transpose();
        let hosts = config.no_proxy.as_deref().unwrap_or_default();
        Ok(Self {
            http: parse(&config.http_proxy)?,
            https: parse(&config.https_proxy)?,
            direct: hosts.split(',').filter_map(Direct::parse).collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none()
    }

    /// Returns the proxy for `url`. Loopback addresses never use one: a proxy would see the token.
    pub(super) fn for_url(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        let near = address.map_or(host == "localhost", |address| address.is_loopback());
        let direct = near || self.direct.iter().any(|entry| entry.covers(host, address));
        proxy.as_ref().filter(|_| !direct)
    }
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        let entry = without_port(entry.trim());
        let (address, bits) = entry.split_once('/').unwrap_or((entry, "128"));
        if let (Ok(address), Ok(bits)) = (address.parse(), bits.parse()) {
            return Some(Self::Network(address, bits));
        }
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        match domain {
            "" => None,
            "*" => Some(Self::Everything),
            domain => Some(Self::Domain(domain.to_lowercase())),
        }
    }

    fn covers(&self, host: &str, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::Everything, _) => true,
            (Self::Domain(domain), None) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            (Self::Network(IpAddr::V4(net), bits), Some(IpAddr::V4(address))) => {
                let unused = 32u32.saturating_sub(*bits);
                let differ = net.to_bits() ^ address.to_bits();
                differ.checked_shr(unused).unwrap_or_default() == 0
            }
            (Self::Network(IpAddr::V6(net), bits), Some(IpAddr::V6(address))) => {
                let unused = 128u32.saturating_sub(*bits);
                let differ = net.to_bits() ^ address.to_bits();
                differ.checked_shr(unused).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

/// Removes ports in `NO_PROXY`, which are ignored.
fn without_port(entry: &str) -> &str {
    if let Some((address, _)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(url: &str) -> ProxySetting {
        ProxySetting { url: url.to_owned(), source: "HTTP_PROXY".to_owned() }
    }

    #[test]
    fn hosts_in_no_proxy_are_reached_directly() {
        let no_proxy = ".corp.example, other:80,*.wild.example,10.0.0.0/8,192.168.1.7,[fd00::7]:80,fd01::/16,UPPER.example";
        let config = ClientConfig {
            http_proxy: Some(setting("proxy:3128")),
            no_proxy: Some(no_proxy.to_owned()),
            ..ClientConfig::default()
        };
        let proxies = Proxies::of(&config).unwrap();
        for (url, asked) in [
            ("http://hub.example/x", true),
            ("http://127.0.0.1:8000/x", false),
            ("http://127.8.0.1/x", false),
            ("http://[::1]/x", false),
            ("http://localhost/x", false),
            ("http://hub.corp.example/x", false),
            ("http://corp.example/x", false),
            ("http://xcorp.example/x", true),
            ("http://a.wild.example/x", false),
            ("http://Upper.Example/x", false),
            ("http://other/x", false),
            ("http://10.1.2.3/x", false),
            ("http://11.1.2.3/x", true),
            ("http://192.168.1.7/x", false),
            ("http://192.168.1.70/x", true),
            ("http://[fd00::7]/x", false),
            ("http://[fd00::8]/x", true),
            ("http://[fd01:2::8]/x", false),
            ("https://hub.example/x", false),
        ] {
            assert_eq!(proxies.for_url(&url.parse().unwrap()).is_some(), asked, "{url}");
        }
        let all = ClientConfig { no_proxy: Some("x, *".to_owned()), ..config };
        assert!(Proxies::of(&all).unwrap().for_url(&"http://a.b".parse().unwrap()).is_none());
        let whole = Direct::parse("0.0.0.0/0").unwrap();
        assert!(whole.covers("1.2.3.4", "1.2.3.4".parse().ok()));
    }

    #[test]
    fn an_invalid_proxy_is_reported_with_its_setting() {
        for text in ["me:secret@proxy:3128", "http://me:secret@proxy:3128"] {
            let proxy = Proxy::parse(&setting(text)).unwrap();
            assert_eq!(proxy.shown(), "http://proxy:3128/ (from HTTP_PROXY)");
        }
        for text in ["::nonsense", "ftp://proxy", "http://", "me:secret@proxy:99999"] {
            let error = Proxy::parse(&setting(text)).unwrap_err();
            assert!(error.message().starts_with("invalid proxy URL in HTTP_PROXY"), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
