//! What is said when no answer came: whose fault it may be, and which setting helps.

use reqwest::Url;

use super::proxy::Proxy;
use crate::base::error::{Error, ErrorKind, MORE_FILES};

/// The error of an exchange that `proxy` may have had a part in.
pub(super) fn error(url: &Url, error: reqwest::Error, proxy: Option<&Proxy>) -> Error {
    let connecting = error.is_connect();
    let error = error.without_url();
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Transport };
    let built = Error::new(kind, String::new()).with_source(error).with_url(url);
    let reason = built.reason().unwrap_or_default();
    // Trying again changes nothing about these.
    let lasting = untrusted(url, &reason).or_else(|| unwelcome(proxy, &reason));
    if let Some(message) = lasting.or_else(|| other_protocol(url, &reason)) {
        return built.with_message(message).permanent();
    }
    let place = place(url);
    let through =
        proxy.map(|proxy| format!(" through the proxy {}", proxy.shown())).unwrap_or_default();
    let refused = reason.contains("Connection refused") || reason.contains("os error 111");
    let unknown = reason.contains("dns error");
    let built = if refused || unknown { built.unreachable() } else { built };
    built.with_message(if unknown && proxy.is_none() {
        format!("cannot find {}; is the network up and the endpoint right?", host(url))
    } else if kind == ErrorKind::Timeout {
        format!(
            "cannot connect to {place}{through} in time; is the network up and the endpoint right?"
        )
    } else if refused && proxy.is_none() {
        format!("nothing listens at {place}; is the endpoint right, and does the Hub run?")
    } else if reason.contains("os error 24") {
        format!("cannot connect to {place}: {MORE_FILES}")
    } else if connecting {
        format!("cannot connect to {place}{through}")
    } else {
        format!("the connection to {place} broke")
    })
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// A port that answers in another protocol than the endpoint says, by the words of rustls and hyper.
fn other_protocol(url: &Url, reason: &str) -> Option<String> {
    let place = place(url);
    if url.scheme() == "https" && reason.contains("InvalidContentType") {
        return Some(format!(
            "{place} speaks plain http, not TLS; does the endpoint begin with http://?"
        ));
    }
    let garbled = ["invalid HTTP version", "InvalidVersion", "invalid HTTP status"];
    let is_other = url.scheme() == "http" && garbled.iter().any(|words| reason.contains(words));
    is_other.then(|| {
        format!("{place} does not speak plain http; does the endpoint begin with https://?")
    })
}

/// Host and port of a URL, as people name them.
pub(super) fn place(url: &Url) -> String {
    let host = host(url);
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// TLS, by the words of rustls.
fn untrusted(url: &Url, reason: &str) -> Option<String> {
    let host = place(url);
    if !reason.contains("certificate") && !reason.contains("UnknownIssuer") {
        return None;
    }
    Some(if reason.contains("not valid for name") || reason.contains("NotValidForName") {
        format!("TLS: the certificate of {host} is for another name; is the endpoint right?")
    } else if ["expired", "Expired", "not valid yet", "NotValidYet"]
        .iter()
        .any(|words| reason.contains(words))
    {
        format!("TLS: the certificate of {host} has expired, or the clock of this machine is wrong")
    } else {
        format!(
            "TLS: the certificate of {host} is not trusted; if a proxy or a Hub of your own has a CA of its own, \
             name the CA's PEM file in SSL_CERT_FILE, or in config :hf_hub, ca_file: …"
        )
    })
}

/// A proxy that wants to know who is there.
fn unwelcome(proxy: Option<&Proxy>, reason: &str) -> Option<String> {
    let asks =
        ["proxy authorization required", "user/pass authentication", "credentials not accepted"];
    let proxy = proxy.filter(|_| asks.iter().any(|words| reason.contains(words)))?;
    Some(format!(
        "the proxy {} asks for a user and a password, or does not accept these; put them into its URL: \
         scheme://user:password@host:port",
        proxy.shown()
    ))
}
