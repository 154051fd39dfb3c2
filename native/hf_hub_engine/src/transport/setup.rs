//! Opens a connection pool: proxies, certificates, HTTP versions.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use reqwest::{Certificate, Url};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        hint::Hint,
    },
    transport::{ClientConfig, anchors, proxy::Proxies},
};

/// Opens the pool.
pub(super) fn open(config: &ClientConfig, alone: bool) -> Result<reqwest::Client> {
    // Fails only if a provider is already installed, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let named = read_certificates(&config.ca_files)?;
    if !named.is_empty() {
        let provider = CryptoProvider::get_default().cloned();
        let provider =
            provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
        let tls = anchors::config(named, provider, alone)?;
        return builder(config, alone)?.tls_backend_preconfigured(tls).build().map_err(setup);
    }
    // Without any system certificates (a minimal container) the builder fails; the bundled roots
    // are used.
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
        // A large window makes one HTTP/2 stream as fast as one HTTP/1 connection.
        .http2_initial_stream_window_size(4 << 20)
        .http2_initial_connection_window_size(16 << 20);
    if alone {
        // HTTP/2 would send all parts of a file over one connection.
        builder = builder.http1_only();
    }
    if let Some(timeout) = config.connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(idle) = config.idle {
        builder = builder.pool_max_idle_per_host(idle);
    }
    let proxies = Proxies::of(config)?;
    if !proxies.is_empty() {
        let choose = move |url: &Url| proxies.for_url(url).map(|proxy| proxy.url.clone());
        builder = builder.proxy(reqwest::Proxy::custom(choose));
    }
    Ok(builder)
}

/// Reads all certificates of all files; a folder may also contain other files.
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
        let message =
            format!("`{}` contains no PEM certificate (SSL_CERT_FILE or similar)", path.display());
        return Err(Error::new(ErrorKind::Transport, message));
    }
    Ok(certificates)
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    let message = format!(
        "cannot read the certificates in `{}`, which SSL_CERT_FILE or the like names",
        path.display()
    );
    Error::io("read", path, source).restated(message, vec![Hint::ExplainConfig])
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
