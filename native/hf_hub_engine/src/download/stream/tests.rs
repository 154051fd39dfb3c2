//! Streams from a server whose second response differs from the first.

use super::*;
use crate::{
    base::ids::RepoType,
    testing::{Reply, Server, hub, reply},
};

const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const WORLD: &str = "cc628ccd10742baea8241c5924df992b5c019f71";

fn headers(etag: &str) -> String {
    format!("etag: \"{etag}\"\r\nx-repo-commit: {}\r\n", "c".repeat(40))
}

/// Half of the file, then the connection breaks.
fn cut() -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\nhel", headers(HELLO));
    Reply::Raw(head.into_bytes())
}

fn rest(range: &str, body: &[u8]) -> Reply {
    let headers = format!("{}content-range: bytes {range}\r\n", headers(HELLO));
    reply("206 Partial Content", &headers, body)
}

/// Reads all pieces.
async fn read(server: &Server) -> Result<Vec<u8>> {
    read_part(&hub(&server.url), Part::Whole).await
}

async fn read_part(hub: &Hub, part: Part) -> Result<Vec<u8>> {
    let spec = Spec {
        repo: Repo::new(RepoType::Model, "org/name").unwrap(),
        revision: Revision::parse("main").unwrap(),
        path: RepoPath::parse("f.txt").unwrap(),
        part,
    };
    let mut stream = FileStream::open(hub.clone(), spec, Progress::default()).await?;
    let mut content = Vec::new();
    while let Some(piece) = stream.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

#[tokio::test]
async fn continues_at_the_position_reached() {
    for answer in [rest("3-5/6", b"lo\n"), rest("1-5/6", b"ello\n"), rest("0-5/6", b"hello\n")] {
        let server = Server::start([cut(), answer]).await;
        assert_eq!(read(&server).await.unwrap(), b"hello\n");
        assert!(server.requests()[1].contains("range: bytes=3-"));
    }
}

#[tokio::test]
async fn rejects_another_range_or_another_file_as_the_rest() {
    let server = Server::answering(|_| rest("4-5/6", b"lo\n")).await;
    server.push(cut());
    let error = read(&server).await.unwrap_err();
    assert!(error.message().contains("sent another range"), "{error}");
    assert!(server.requests().iter().any(|request| !request.contains("range:")));
    let changed = reply("200 OK", &headers(WORLD), b"world\n");
    let server = Server::start([cut(), changed]).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::Conflict);
    let wrong = rest("3-5/6", b"lO\n");
    let server = Server::start([cut(), wrong]).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::ChecksumMismatch);
}

#[tokio::test]
async fn a_range_needs_neither_commit_nor_etag() {
    let (first, middle) =
        (ByteRange { first: 0, end: Some(3) }, ByteRange { first: 2, end: Some(5) });
    let server = Server::answering(|request| {
        if request.contains("range: bytes=2-4") {
            reply("206 Partial Content", "content-range: Bytes=2-4/6\r\n", b"llo")
        } else {
            reply("200 OK", "", b"hello\n")
        }
    })
    .await;
    let hub = hub(&server.url);
    assert_eq!(read_part(&hub, Part::Whole).await.unwrap(), b"hello\n");
    assert_eq!(read_part(&hub, Part::Range(first)).await.unwrap(), b"hel");
    assert_eq!(read_part(&hub, Part::Range(middle)).await.unwrap(), b"llo");
    assert_eq!(read_part(&hub, Part::Last(2)).await.unwrap(), b"o\n");
    assert!(server.requests().iter().all(|request| request.starts_with("get ")));
}

#[tokio::test]
async fn falls_back_to_one_plain_get_for_a_range() {
    let part = Part::Range(ByteRange { first: 2, end: Some(5) });
    for (headers, body) in [
        ("content-range: bytes 4-5/6\r\n", &b"o\n"[..]),
        ("content-type: multipart/byteranges; boundary=x\r\n", b"--x"),
        ("", b"hello"),
        ("content-range: nonsense\r\n", b"llo"),
    ] {
        let server = Server::answering(|_| reply("200 OK", "", b"hello\n")).await;
        server.push(reply("206 Partial Content", headers, body));
        assert_eq!(read_part(&hub(&server.url), part).await.unwrap(), b"llo", "{headers}");
        assert_eq!(server.requests().len(), 2);
    }
    // Without the header, the length is enough.
    let server = Server::start([reply("206 Partial Content", "", b"llo")]).await;
    assert_eq!(read_part(&hub(&server.url), part).await.unwrap(), b"llo");
}

#[tokio::test]
async fn rejects_a_login_page() {
    let page = || reply("200 OK", "content-type: text/html\r\netag: \"x\"\r\n", b"<html>");
    let server = Server::answering(move |_| page()).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::InvalidResponse);
    let portal = Server::answering(|_| reply("200 OK", "", b"sign in")).await;
    let away = format!("location: {}/login\r\n", portal.url);
    let server = Server::answering(move |_| reply("302 Found", &away, b"")).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::InvalidResponse);
    assert!(portal.requests().is_empty());
}

#[tokio::test]
async fn does_not_continue_without_an_etag() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhel".to_vec();
    let server = Server::answering(|_| reply("200 OK", "", b"HELLO\n")).await;
    server.push(Reply::Raw(head));
    let error = read(&server).await.unwrap_err();
    assert!(error.message().contains("without the ETag header"), "{error}");
}

#[tokio::test]
async fn limits_content_of_unannounced_length() {
    let body = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 3000]].concat();
    let server = Server::answering(move |_| Reply::Raw(body.clone())).await;
    let mut hub = hub(&server.url);
    assert_eq!(hub.flow.unannounced, 1 << 30);
    assert_eq!(read_part(&hub, Part::Whole).await.unwrap().len(), 3000);
    hub.flow.unannounced = 2999;
    for part in [Part::Whole, Part::Range(ByteRange::from(0))] {
        let error = read_part(&hub, part).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(error.message().contains("without a Content-Length header"), "{error}");
    }
}

#[tokio::test]
async fn verifies_a_stream_with_a_sha1() {
    let sha1 = "f572d396fae9206628714fb2ce00f72e94f2258f";
    let right = reply("200 OK", &headers(sha1), b"hello\n");
    let wrong = reply("200 OK", &headers(sha1), b"hellO\n");
    let server = Server::start([right, wrong]).await;
    assert_eq!(read(&server).await.unwrap(), b"hello\n");
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::ChecksumMismatch);
}
