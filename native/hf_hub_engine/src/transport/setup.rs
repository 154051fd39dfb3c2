//! Opens a pool of connections: proxies, certificates, HTTP versions.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use reqwest::{Certificate, NoProxy, Proxy};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{
    error::{Error, ErrorKind, Result},
    transport::{ClientConfig, anchors},
};

/// Opens the pool.
pub(super) fn open(config: &ClientConfig, alone: bool) -> Result<reqwest::Client> {
    // Fails only where a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let named = read_certificates(&config.ca_files)?;
    if !named.is_empty() {
        let provider = CryptoProvider::get_default().cloned();
        let provider =
            provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let tls = anchors::config(named, provider, alone)?;
        return builder(config, alone)?.tls_backend_preconfigured(tls).build().map_err(setup);
    }
    // Without any system store (a bare container) the builder fails; bundled roots serve.
    let system = builder(config, alone)?.build();
    system.or_else(|_| {
        builder(config, alone)?.tls_certs_only(bundled_certificates()).build().map_err(setup)
    })
}

fn builder(config: &ClientConfig, alone: bool) -> Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        // A large window keeps one HTTP/2 stream as fast as one HTTP/1 connection.
        .http2_initial_stream_window_size(4 << 20)
        .http2_initial_connection_window_size(16 << 20);
    if alone {
        // HTTP/2 would send all parts of a file through one connection.
        builder = builder.http1_only();
    }
    if let Some(timeout) = config.connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    if config.avoids_all_proxies() {
        return Ok(builder);
    }
    // This machine is never asked through another one, which would see the token.
    let hosts = without_ports(config.no_proxy.as_deref().unwrap_or_default());
    let no_proxy = NoProxy::from_string(&format!("{hosts},localhost,127.0.0.0/8,::1"));
    let proxies = [(&config.http_proxy, true), (&config.https_proxy, false)];
    for (url, plain) in proxies {
        let Some(url) = url else { continue };
        let proxy = if plain { Proxy::http(url) } else { Proxy::https(url) };
        let proxy = proxy.map_err(|_| {
            Error::new(
                ErrorKind::Transport,
                "the proxy URL cannot be used; expected scheme://host:port",
            )
        })?;
        builder = builder.proxy(proxy.no_proxy(no_proxy.clone()));
    }
    Ok(builder)
}

/// `NO_PROXY` may name ports, which the HTTP library does not know.
pub(super) fn without_ports(hosts: &str) -> String {
    let host = |entry: &str| match entry.trim().rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host.to_owned()
        }
        _ => entry.trim().to_owned(),
    };
    hosts.split(',').map(host).collect::<Vec<_>>().join(",")
}

/// All certificates of all files; a folder of them may also hold other files.
fn read_certificates(
    files: &[(PathBuf, Option<SystemTime>)],
) -> Result<Vec<CertificateDer<'static>>> {
    let mut certificates = Vec::new();
    for (path, _) in files {
        let pem = std::fs::read(path).map_err(|source| unreadable(path, source))?;
        certificates
            .extend(CertificateDer::pem_slice_iter(&pem).filter_map(std::result::Result::ok));
    }
    if let (Some((path, _)), true) = (files.first(), certificates.is_empty()) {
        let message = format!(
            "`{}` holds no certificate in PEM form (SSL_CERT_FILE and the like)",
            path.display()
        );
        return Err(Error::new(ErrorKind::Transport, message));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    let message = format!(
        "cannot read the certificates in `{}`, which SSL_CERT_FILE or the like names; HfHub.Config.explain() says what",
        path.display()
    );
    Error::io("read", path, source).with_message(message)
}

fn bundled_certificates() -> Vec<Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect()
}

fn setup(error: reqwest::Error) -> Error {
    Error::new(ErrorKind::Transport, "cannot set up TLS and proxies").with_source(error)
}
