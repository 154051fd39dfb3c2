//! Errors of exchanges without a response: the likely cause, and which setting helps.

use std::io;

use reqwest::Url;

use super::proxy::Proxy;
use crate::base::{
    error::{Error, ErrorKind, MORE_FILES, TOO_MANY_FILES},
    hint::Hint,
};

/// What the system reports without a network, for an endpoint that is an address.
const NO_WAY: [io::ErrorKind; 3] =
    [io::ErrorKind::NetworkUnreachable, io::ErrorKind::HostUnreachable, io::ErrorKind::NetworkDown];

/// Returns the error of an exchange that may have used `proxy`.
pub(super) fn error(url: &Url, error: reqwest::Error, proxy: Option<&Proxy>) -> Error {
    let connecting = error.is_connect();
    let error = error.without_url();
    let cause = io_cause(&error);
    let cause_kind = cause.map(io::Error::kind);
    let refused = cause_kind == Some(io::ErrorKind::ConnectionRefused);
    let no_way = cause_kind.is_some_and(|kind| NO_WAY.contains(&kind));
    let is_full = cause.is_some_and(|cause| cause.raw_os_error() == Some(TOO_MANY_FILES));
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Transport };
    let built = Error::new(kind, String::new()).with_source(error).with_url(url);
    let reason = built.reason().unwrap_or_default();
    // Retrying does not help with these.
    if let Some((message, hint)) = untrusted(url, &reason) {
        return built.restated(message, hint.into_iter().collect()).permanent();
    }
    let lasting = proxy_authentication(proxy, &reason).or_else(|| other_protocol(url, &reason));
    if let Some(message) = lasting {
        return built.with_message(message).permanent();
    }
    let place = place(url);
    let through =
        proxy.map(|proxy| format!(" through the proxy {}", proxy.shown())).unwrap_or_default();
    // hyper reports a failed name lookup only in its message.
    let unknown = reason.contains("dns error");
    let built = if refused || no_way || unknown { built.unreachable() } else { built };
    built.with_message(if unknown && proxy.is_none() {
        format!("cannot resolve the host name {}; check the network and the endpoint", host(url))
    } else if kind == ErrorKind::Timeout {
        format!("cannot connect to {place}{through} in time; check the network and the endpoint")
    } else if refused && proxy.is_none() {
        format!("connection refused by {place}; check the endpoint and that the Hub is running")
    } else if no_way && proxy.is_none() {
        format!("no route to {place}; check the network and the endpoint")
    } else if is_full {
        format!("cannot connect to {place}{MORE_FILES}")
    } else if connecting {
        format!("cannot connect to {place}{through}")
    } else {
        format!("the connection to {place}{through} broke")
    })
}

/// Returns the innermost error of the system in a chain of causes.
fn io_cause(error: &reqwest::Error) -> Option<&io::Error> {
    let mut found = None;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        found = error.downcast_ref::<io::Error>().or(found);
        // The source of an error in an `io::Error` skips that error itself.
        let inner = found.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref());
        found = inner.or(found);
        cause = error.source();
    }
    found
}

/// Returns the host of a URL, for messages: it may be that of a Hub, a mirror, a proxy or a store.
pub(crate) fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// Returns the error for a port that speaks another protocol than the endpoint's scheme. rustls and
/// hyper report this only in their messages.
fn other_protocol(url: &Url, reason: &str) -> Option<String> {
    let place = place(url);
    if url.scheme() == "https" && reason.contains("InvalidContentType") {
        return Some(format!("{place} speaks plain http, not TLS; use http:// in the endpoint"));
    }
    let garbled = ["invalid HTTP version", "InvalidVersion", "invalid HTTP status"];
    let is_other = url.scheme() == "http" && garbled.iter().any(|words| reason.contains(words));
    is_other.then(|| format!("{place} does not speak plain http; use https:// in the endpoint"))
}

/// Returns host and port of a URL.
pub(super) fn place(url: &Url) -> String {
    let host = host(url);
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the error for a TLS failure, by the messages of rustls.
fn untrusted(url: &Url, reason: &str) -> Option<(String, Option<Hint>)> {
    let host = place(url);
    if !reason.contains("certificate") && !reason.contains("UnknownIssuer") {
        return None;
    }
    let message = if reason.contains("not valid for name") || reason.contains("NotValidForName") {
        format!("TLS: the certificate of {host} is for another name; check the endpoint")
    } else if ["expired", "Expired", "not valid yet", "NotValidYet"]
        .iter()
        .any(|words| reason.contains(words))
    {
        format!("TLS: the certificate of {host} has expired, or the clock of this machine is wrong")
    } else {
        let message = format!(
            "TLS: the certificate of {host} is not trusted; if a proxy or a private Hub has its own CA, \
             name the CA's PEM file in SSL_CERT_FILE"
        );
        return Some((message, Some(Hint::CaFile)));
    };
    Some((message, None))
}

/// Returns the error for a proxy that requires authentication.
fn proxy_authentication(proxy: Option<&Proxy>, reason: &str) -> Option<String> {
    let asks =
        ["proxy authorization required", "user/pass authentication", "credentials not accepted"];
    let proxy = proxy.filter(|_| asks.iter().any(|words| reason.contains(words)))?;
    Some(format!(
        "the proxy {} requires authentication, or rejected the credentials; set them in its URL: \
         scheme://user:password@host:port",
        proxy.shown()
    ))
}
