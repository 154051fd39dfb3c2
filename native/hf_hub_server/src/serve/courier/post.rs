//! One request to the receiver of a webhook.
//!
//! The name is resolved once, and the connection goes to an address that was checked: a name whose
//! address changes in between leads nowhere else. Redirects are not followed, and no proxy or
//! environment variable is used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::uri::Scheme;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::network::Network;

const SECRET: HeaderName = HeaderName::from_static("x-webhook-secret");
/// Maximum number of bytes of a response that are kept.
const MOST_SHOWN: usize = 1024;
/// Maximum size of the head of a response.
const MOST_HEAD: usize = 16 << 10;

/// Sends requests to the addresses that are allowed.
#[derive(Clone, Debug)]
pub(super) struct Post {
    networks: Vec<Network>,
    /// The listeners of this Hub, which get nothing.
    own: [SocketAddr; 2],
    timeout: Duration,
    tls: Arc<ClientConfig>,
}

/// A response.
#[derive(Debug)]
pub(super) struct Received {
    /// Its status.
    pub(super) status: StatusCode,
    /// The start of its body.
    pub(super) head: String,
}

impl Post {
    pub(super) fn new(
        networks: Vec<Network>,
        own: [SocketAddr; 2],
        timeout: Duration,
        roots: RootCertStore,
    ) -> anyhow::Result<Self> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { networks, own, timeout, tls: Arc::new(tls) })
    }

    /// Sends a payload; the error is the reason why there is no response.
    pub(super) async fn send(
        &self,
        url: &str,
        secret: Option<&str>,
        payload: String,
    ) -> Result<Received, String> {
        let exchange = self.exchange(url, secret, payload);
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(format!("no response within {} s", self.timeout.as_secs_f32())),
        }
    }

    async fn exchange(
        &self,
        url: &str,
        secret: Option<&str>,
        payload: String,
    ) -> Result<Received, String> {
        let url: Uri = url.parse().map_err(|err| format!("invalid URL: {err}"))?;
        let host = url.host().ok_or("the URL has no host")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_tls = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = self.connect(host, port).await?;
        let request = request(&url, secret, payload)?;
        if !is_tls {
            return talk(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|err| err.to_string())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await;
        talk(stream.map_err(|err| format!("TLS: {err}"))?, request).await
    }

    /// Connects to the first allowed address that responds.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let found = lookup_host((host, port)).await;
        let found = found.map_err(|err| format!("cannot resolve {host}: {err}"))?;
        let mut problem = format!("{host} has no address");
        for address in found {
            if let Err(reason) = self.check(address) {
                problem = reason;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) if self.is_own(&stream) => return Err(own(address)),
                Ok(stream) => return Ok(stream),
                Err(err) => problem = format!("cannot connect to {address}: {err}"),
            }
        }
        Err(problem)
    }

    /// Returns why nothing may be sent to an address.
    pub(super) fn check(&self, address: SocketAddr) -> Result<(), String> {
        let ip = address.ip();
        if !self.networks.iter().any(|network| network.contains(ip)) {
            let hint = "the administrator of this Hub allows others with --webhook-networks";
            return Err(format!("{ip} is not an allowed address for webhooks; {hint}"));
        }
        Ok(())
    }

    /// Whether a connection leads to this Hub: it trusts requests from its own machine.
    fn is_own(&self, stream: &TcpStream) -> bool {
        let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return true };
        let is_here = peer.ip().to_canonical().is_loopback() || local.ip() == peer.ip();
        is_here && self.own.iter().any(|own| own.port() == peer.port())
    }
}

fn own(address: SocketAddr) -> String {
    format!("{address} is this Hub itself")
}

fn request(url: &Uri, secret: Option<&str>, payload: String) -> Result<Request<String>, String> {
    let authority = url.authority().ok_or("the URL has no host")?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path)
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("hf_hub_server/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, payload.len());
    if let Some(secret) = secret {
        let mut value = HeaderValue::from_str(secret).map_err(|err| err.to_string())?;
        value.set_sensitive(true);
        request = request.header(SECRET, value);
    }
    request.body(payload).map_err(|err| err.to_string())
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<String>,
) -> Result<Received, String> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(MOST_HEAD);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|err| err.to_string())?;
    // Ends with this function, whether the response is complete or not.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(|err| err.to_string())?;
    let (head, body) = response.into_parts();
    Ok(Received { status: head.status, head: start_of(body).await })
}

/// Returns the first bytes of a body as text.
async fn start_of(body: hyper::body::Incoming) -> String {
    let mut frames = axum::body::Body::new(body).into_data_stream();
    let mut start = Vec::new();
    while start.len() < MOST_SHOWN
        && let Some(Ok(bytes)) = frames.next().await
    {
        start.extend_from_slice(&bytes[..bytes.len().min(MOST_SHOWN - start.len())]);
    }
    String::from_utf8_lossy(&start).into_owned()
}
