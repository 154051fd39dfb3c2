//! What is said when no answer came: whose fault it may be, and which setting helps.

use reqwest::Url;

use crate::error::{Error, ErrorKind, redacted};

/// The error of an exchange that `proxy` may have had a part in.
pub(super) fn error(url: &Url, error: reqwest::Error, proxy: Option<&str>) -> Error {
    let connecting = error.is_connect();
    let error = error.without_url();
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Transport };
    let built = Error::new(kind, String::new()).with_source(error).with_url(url);
    let reason = built.reason().unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    // Trying again changes nothing about these.
    if let Some(message) = untrusted(host, &reason).or_else(|| unwelcome(proxy, &reason)) {
        return built.with_message(message).permanent();
    }
    let through = proxy
        .map(|proxy| format!(" through the proxy {}", without_password(proxy)))
        .unwrap_or_default();
    built.with_message(if reason.contains("dns error") && proxy.is_none() {
        format!("cannot find {host}; is the network up and the endpoint right?")
    } else if kind == ErrorKind::Timeout {
        format!("cannot connect to {host}{through} in time")
    } else if connecting {
        format!("cannot connect to {host}{through}")
    } else {
        format!("the connection to {host} broke")
    })
}

/// Host and port of a URL, as people name them.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// TLS, by the words of rustls.
fn untrusted(host: &str, reason: &str) -> Option<String> {
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
fn unwelcome(proxy: Option<&str>, reason: &str) -> Option<String> {
    let asks =
        ["proxy authorization required", "user/pass authentication", "credentials not accepted"];
    let proxy = proxy.filter(|_| asks.iter().any(|words| reason.contains(words)))?;
    Some(format!(
        "the proxy {} asks for a user and a password, or does not accept these; put them into its URL: \
         scheme://user:password@host:port",
        without_password(proxy)
    ))
}

/// A proxy's URL that may be shown.
pub(super) fn without_password(url: &str) -> String {
    // What stands before the first colon may be a user, not a scheme.
    let parsed = url.parse().ok().filter(reqwest::Url::has_host);
    let parsed = parsed.or_else(|| format!("http://{url}").parse().ok());
    parsed.map_or_else(|| "(which is no URL)".to_owned(), |url| redacted(&url))
}
