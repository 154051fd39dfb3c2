//! Servers that never end, against the limits of what is read, followed and decompressed.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};

use crate::{
    base::{
        error::{ErrorKind, Result},
        fnmatch::Filter,
        ids::Revision,
        progress::Progress,
    },
    download::{file::run, snapshot},
    hub::{client::Hub, retry::Policy, token::Token},
    testing::{self, Reply, Server, hub, reply},
    transport::{Client, ClientConfig},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn file_headers() -> String {
    format!("etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\nx-linked-size: 6\r\n")
}

/// Downloads a file, without retries.
async fn get(server: &Server) -> Result<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub { retry: hub(&server.url).retry.once(), ..hub(&server.url) };
    let report = run(&hub, &testing::spec(dir.path(), "f.txt"), &Progress::default())
        .await
        .inspect_err(|_| assert!(!dir.path().join("models--org--name/snapshots").exists()))?;
    Ok(std::fs::read(report.path).unwrap())
}

/// Downloads all files of a commit.
async fn get_all(hub: &Hub) -> Result<snapshot::Snapshot> {
    let dir = tempfile::tempdir().unwrap();
    let of = testing::spec(dir.path(), "f.txt");
    let spec = snapshot::Spec {
        repo: of.repo,
        revision: Revision::parse(COMMIT).unwrap(),
        destination: of.destination,
        mode: of.mode,
        filter: Filter::default(),
        max_workers: 2,
        shared: of.shared,
    };
    snapshot::run(hub, &spec, &Progress::default()).await
}

#[tokio::test]
async fn stops_at_a_redirect_loop() {
    let server =
        Server::answering(|_| reply("302 Found", "location: /org/name/again\r\n", b"")).await;
    let error = get(&server).await.unwrap_err();
    assert!(error.message().contains("more than 20 redirects"), "{error}");
    assert_eq!(server.requests().len(), 21);

    let cdn = Server::answering(|_| reply("302 Found", "location: /round\r\n", b"")).await;
    let linked = format!("location: {}/f\r\n{}", cdn.url, file_headers());
    let front = Server::answering(move |_| reply("302 Found", &linked, b"")).await;
    let error = get(&front).await.unwrap_err();
    assert!(error.message().contains("more than 20 redirects"), "{error}");
    assert_eq!(cdn.requests().len(), 21);
}

#[tokio::test]
async fn does_not_follow_a_content_host_back_to_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::start([]).await;
    let linked = format!("location: {}/f\r\n{}", cdn.url, file_headers());
    let front = Server::start([reply("302 Found", &linked, b"")]).await;
    cdn.push(reply("302 Found", &format!("location: {}/api/whoami\r\n", front.url), b""));
    let hub = Hub { token: Some(Token::new("hf_CANARY").unwrap()), ..hub(&front.url) };
    let error = run(&hub, &testing::spec(dir.path(), "f.txt"), &Progress::default()).await;
    assert!(error.unwrap_err().message().contains("back to the Hub"));
    assert_eq!(front.requests().len(), 1);
}

#[tokio::test]
async fn stops_reading_endless_headers() {
    let many = format!("{}\r\n", "x: y\r\n".repeat(100_000));
    let long = format!("x: {}\r\n", "y".repeat(10 << 20));
    for headers in [many, long] {
        let head = format!("HTTP/1.1 200 OK\r\n{headers}");
        let server = Server::start([Reply::Raw(head.into_bytes())]).await;
        assert_eq!(get(&server).await.unwrap_err().kind(), ErrorKind::Transport);
    }
}

#[tokio::test]
async fn reads_only_the_beginning_of_an_error_response() {
    let body = vec![b'x'; 8 << 20];
    let server = Server::start([reply("500 Oops", "", &body)]).await;
    let error = get(&server).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(500)));
    assert!(error.message().len() < 200);
    let words = format!("{{\"error\":\"a\\nb\\u001b[2J{}\"}}", "x".repeat(5000));
    let server = Server::start([reply("403 No", "", words.as_bytes())]).await;
    let error = get(&server).await.unwrap_err();
    assert!(error.message().contains("a b [2Jx") && error.message().len() < 1400, "{error}");
}

#[tokio::test]
async fn reads_a_page_up_to_its_limit_compressed_or_not() {
    let huge = vec![b' '; (64 << 20) + 1];
    for (headers, body) in [("", huge.clone()), ("content-encoding: gzip\r\n", gzip(&huge))] {
        let server = Server::start([reply("200 OK", headers, &body)]).await;
        let error = get_all(&hub(&server.url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(error.message().contains("larger than"), "{error}");
    }
}

#[tokio::test]
async fn stops_at_a_cycle_of_pages() {
    let page = |request: &str| {
        let next = if request.contains("cursor=1") { 2 } else { 1 };
        let link = format!("link: </api/models/x?cursor={next}>; rel=\"next\"\r\n");
        reply("200 OK", &link, b"[]")
    };
    let server = Server::answering(page).await;
    let error = get_all(&hub(&server.url)).await.unwrap_err();
    assert!(error.message().contains("does not end"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_next_page_is_requested_from_the_endpoint_whatever_host_it_names() {
    let elsewhere = Server::start([]).await;
    let link = format!("link: <{}/next>; rel=\"next\"\r\n", elsewhere.url);
    let server = Server::start([reply("200 OK", &link, b"[]"), reply("200 OK", "", b"[]")]).await;
    let hub = Hub { token: Some(Token::new("hf_CANARY").unwrap()), ..hub(&server.url) };
    get_all(&hub).await.unwrap();
    assert_eq!((elsewhere.requests().len(), server.requests().len()), (0, 2));
    assert!(server.requests()[1].starts_with("get /next "));
}

#[tokio::test]
async fn decompresses_a_file_up_to_its_size() {
    let headers = format!("content-encoding: gzip\r\n{}", file_headers());
    let server = Server::start([reply("200 OK", &headers, &gzip(b"hello\n"))]).await;
    assert_eq!(get(&server).await.unwrap(), b"hello\n");

    let bomb = gzip(&vec![0; 256 << 20]);
    let server = Server::start([reply("200 OK", &headers, &bomb)]).await;
    let error = get(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(error.message().contains("more than the 6 bytes"), "{error}");
}

#[tokio::test]
async fn hides_a_token_that_a_server_quotes() {
    let words = "x-error-message: hf_CANARY is no token\r\n";
    let server = Server::start([reply("400 Bad", words, b"")]).await;
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub { token: Some(Token::new("hf_CANARY").unwrap()), ..hub(&server.url) };
    let error = run(&hub, &testing::spec(dir.path(), "f.txt"), &Progress::default()).await;
    assert_eq!(error.unwrap_err().message(), "(the token) is no token");
}

#[tokio::test]
async fn gives_up_on_a_host_that_accepts_no_connections() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nothing accepts connections, and waiting ones fill the backlog.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let call = tokio::net::TcpStream::connect(address);
        waiting.push(tokio::time::timeout(Duration::from_millis(100), call).await);
    }
    let connect_timeout = Some(Duration::from_millis(100));
    let client = Client::new(ClientConfig { connect_timeout, ..ClientConfig::default() });
    let retry = Policy::STANDARD.once();
    let hub = Hub { client, retry, ..hub(&format!("http://{address}")) };
    let dir = tempfile::tempdir().unwrap();
    let error = run(&hub, &testing::spec(dir.path(), "f.txt"), &Progress::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains(&format!("cannot connect to {address} in time")), "{error}");
}
