//! The Local Hub over HTTPS, with a real TLS client.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use common::{Root, stderr};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const TOKEN: &str = "hf_ann";
const LARGE: &[u8] = &[7; 100_000];

/// A server with a user, and its first line of output.
struct Hub {
    ready: Value,
    process: std::process::Child,
    root: Root,
}

impl Hub {
    fn start(options: &[&str]) -> Self {
        let root = Root::new();
        root.run(&["user", "add", "ann", "--token", TOKEN]);
        let mut command = root.command(&[&["serve", "--stop-on-stdin-close"], options].concat());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        Self { ready: serde_json::from_str(&line).unwrap(), process, root }
    }

    fn said(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    fn client(&self) -> Client {
        Client::trusting(Path::new(self.said("certificate")))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    /// Creates a client that trusts one certificate and nothing else.
    fn trusting(certificate: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    /// Connects to a server by a host name.
    async fn connect(&self, url: &str, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let address = url.strip_prefix("https://").unwrap();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(self.config.clone()).connect(name, stream).await
    }

    /// Sends a request and returns everything received.
    async fn ask(&self, url: &str, request: &str, body: &[u8]) -> String {
        let mut stream = self.connect(url, "127.0.0.1").await.unwrap();
        let (host, length) = (url.strip_prefix("https://").unwrap(), body.len());
        // Signed links reject requests with a token.
        let token = if request.contains("ignature=") {
            String::new()
        } else {
            format!("Authorization: Bearer {TOKEN}\r\n")
        };
        let head = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\n{token}Connection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        rest(&mut stream).await
    }

    /// Sends and receives JSON.
    async fn json(&self, url: &str, request: &str, body: Value) -> Value {
        let answer = self.ask(url, request, body.to_string().as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

async fn rest(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    read.expect("the connection must end").expect("the end must be announced");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn both_listeners_use_tls_and_return_https_links() {
    let hub = Hub::start(&["--tls-self-signed"]);
    let (client, endpoint, cdn) = (hub.client(), hub.said("endpoint"), hub.said("cdn"));
    assert!(endpoint.starts_with("https://") && cdn.starts_with("https://"), "{}", hub.ready);
    let created = client.json(endpoint, "POST /api/repos/create", json!({ "name": "r" })).await;
    assert_eq!(created["url"], format!("{endpoint}/ann/r"));

    let oid = hex::encode(Sha256::digest(LARGE));
    let objects = json!([{ "oid": oid, "size": LARGE.len() }]);
    let batch = json!({ "operation": "upload", "transfers": ["basic"], "objects": objects });
    let batch = client.json(endpoint, "POST /ann/r.git/info/lfs/objects/batch", batch).await;
    let actions = &batch["objects"][0]["actions"];
    let link = actions["upload"]["href"].as_str().unwrap();
    let path = link.strip_prefix(cdn).unwrap_or_else(|| panic!("{link}"));
    let verify = actions["verify"]["href"].as_str().unwrap();
    assert!(verify.starts_with(endpoint), "{verify}");
    let answer = client.ask(cdn, &format!("PUT {path}"), LARGE).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let lines = [
        json!({ "key": "header", "value": { "summary": "x" } }),
        json!({ "key": "lfsFile", "value": { "path": "m.bin", "algo": "sha256", "oid": oid, "size": LARGE.len() } }),
    ];
    let lines = lines.map(|line| format!("{line}\n")).concat();
    let answer = client.ask(endpoint, "POST /api/models/ann/r/commit/main", lines.as_bytes()).await;
    assert!(answer.contains(&format!("\"commitUrl\":\"{endpoint}/ann/r/commit/")), "{answer}");
    let answer = client.ask(endpoint, "GET /ann/r/resolve/main/m.bin", b"").await;
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
    let link = location.strip_prefix(cdn).unwrap_or_else(|| panic!("{location}"));
    let answer = client.ask(cdn, &format!("GET {link}"), b"").await;
    assert!(answer.ends_with(std::str::from_utf8(&[7; 1000]).unwrap()), "{answer}");
}

#[tokio::test]
async fn the_first_line_contains_what_clients_need() {
    let hub = Hub::start(&["--tls-self-signed", "--tls-name", "hub.lan"]);
    let (client, endpoint, certificate) =
        (hub.client(), hub.said("endpoint"), hub.said("certificate"));
    let variables = format!(
        "HF_ENDPOINT={endpoint} SSL_CERT_FILE='{certificate}' \
         REQUESTS_CA_BUNDLE='{certificate}'"
    );
    assert_eq!(hub.said("client"), variables);
    assert!(Path::new(certificate).is_absolute());
    for (url, name) in [
        (endpoint, "127.0.0.1"),
        (endpoint, "::1"),
        (hub.said("cdn"), "localhost"),
        (endpoint, "hub.lan"),
    ] {
        let stream = client.connect(url, name).await.unwrap();
        let shown = &stream.get_ref().1.peer_certificates().unwrap()[0];
        let digits = Sha256::digest(shown).map(|byte| format!("{byte:02X}"));
        assert_eq!(hub.said("fingerprint"), digits.join(":"));
    }
}

#[tokio::test]
async fn a_client_with_another_certificate_or_name_rejects_the_server() {
    let [one, other] = [(); 2].map(|()| Hub::start(&["--tls-self-signed"]));
    let refused = other.client().connect(one.said("endpoint"), "localhost").await.unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
    let refused = one.client().connect(one.said("endpoint"), "evil.lan").await.unwrap_err();
    assert!(refused.to_string().contains("not valid for name"), "{refused}");
    assert!(one.client().connect(one.said("endpoint"), "localhost").await.is_ok());
}

#[tokio::test]
async fn stalled_tls_requests_are_aborted() {
    let hub = Hub::start(&["--tls-self-signed", "--idle-timeout", "1"]);
    let (client, endpoint) = (hub.client(), hub.said("endpoint"));
    let mut head = client.connect(endpoint, "localhost").await.unwrap();
    head.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut body = client.connect(endpoint, "localhost").await.unwrap();
    let begun = b"POST /api/validate-yaml HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
    body.write_all(begun).await.unwrap();
    let mut silent = client.connect(endpoint, "localhost").await.unwrap();
    // A handshake that has started, and one that has not.
    for begun in [&b"\x16\x03\x01"[..], b""] {
        let mut plain =
            TcpStream::connect(endpoint.strip_prefix("https://").unwrap()).await.unwrap();
        plain.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(20), plain.read_to_end(&mut answer)).await;
        assert_eq!(read.expect("the connection must end").unwrap_or(0), 0);
    }
    for stream in [&mut head, &mut silent] {
        // Whether the end is announced does not matter.
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        assert_eq!(read.expect("the connection must end").unwrap_or(0), 0);
    }
    let answer = rest(&mut body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_plain_http_client_gets_no_response_and_disturbs_no_others() {
    let hub = Hub::start(&["--tls-self-signed"]);
    let (client, endpoint) = (hub.client(), hub.said("endpoint"));
    let plain = endpoint.replace("https:", "http:");
    assert!(!common::raw(&plain, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP"));
    assert!(client.ask(endpoint, "GET /api/models", b"").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn uses_the_configured_certificate_and_key() {
    let other = Hub::start(&["--tls-self-signed"]);
    let tls = other.root.path().join("tls");
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| tls.join(name));
    let options = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let hub = Hub::start(&options);
    assert_eq!(hub.said("fingerprint"), other.said("fingerprint"));
    // Clients trust its authority already, or know the file of the certificate.
    assert!(
        hub.ready.get("certificate").is_none() && !hub.said("client").contains("SSL_CERT_FILE")
    );
    let client = Client::trusting(&certificate);
    let answer = client.ask(hub.said("endpoint"), "GET /api/models", b"").await;
    assert!(answer.starts_with("HTTP/1.1 200"));
}

fn refused(options: &[&str]) -> String {
    let root = Root::new();
    let mut command = root.command(&[&["serve"], options].concat());
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{options:?}");
    stderr(&output)
}

#[test]
fn does_not_start_without_a_usable_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for name in ["a", "b"] {
        let arguments =
            ["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=hub", "-newkey", "ec"];
        let more =
            ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", "subjectAltName=DNS:localhost"];
        let mut openssl = Command::new("openssl");
        openssl.args(arguments).args(more).args(["-keyout", &path(&format!("{name}.key"))]);
        let output = openssl.args(["-out", &path(&format!("{name}.pem"))]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    fs::write(path("empty"), "").unwrap();
    let with = |certificate: &str, key: &str| {
        refused(&["--tls-cert", &path(certificate), "--tls-key", &path(key)])
    };
    for (certificate, key, reason) in [
        ("a.pem", "b.key", "b.key is not the private key of the certificate in"),
        ("none", "a.key", "none: No such file"),
        ("a.pem", "none", "none: No such file"),
        ("empty", "a.key", "empty contains no PEM certificate"),
        ("a.pem", "a.pem", "a.pem contains no PEM private key"),
    ] {
        let said = with(certificate, key);
        assert!(said.contains(reason), "{certificate} {key}: {said}");
    }
    assert!(refused(&["--tls-cert", &path("a.pem")]).contains("--tls-key"));
    assert!(refused(&["--tls-key", &path("a.key")]).contains("--tls-cert"));
    assert!(refused(&["--tls-name", "hub.lan"]).contains("--tls-self-signed"));
    let both = ["--tls-self-signed", "--tls-cert", &path("a.pem"), "--tls-key", &path("a.key")];
    assert!(refused(&both).contains("cannot be used with"));
    assert!(
        refused(&["--tls-self-signed", "--tls-name", "hüb"])
            .contains("cannot generate a certificate")
    );
}
