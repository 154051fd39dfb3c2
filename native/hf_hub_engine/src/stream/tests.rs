//! Streams from a server that answers a second request otherwise than the first.

use super::*;
use crate::{
    names::RepoType,
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

/// All pieces, or how it ended.
async fn read(server: &Server) -> Result<Vec<u8>> {
    let spec = Spec {
        repo: Repo::new(RepoType::Model, "org/name").unwrap(),
        revision: Revision::parse("main").unwrap(),
        path: EntryPath::parse("f.txt").unwrap(),
        part: Part::Whole,
    };
    let mut stream = FileStream::open(hub(&server.url), spec, Progress::default()).await?;
    let mut content = Vec::new();
    while let Some(piece) = stream.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

#[tokio::test]
async fn goes_on_from_the_byte_reached_whatever_is_sent_before_it() {
    for answer in [rest("3-5/6", b"lo\n"), rest("1-5/6", b"ello\n"), rest("0-5/6", b"hello\n")] {
        let server = Server::start([cut(), answer]).await;
        assert_eq!(read(&server).await.unwrap(), b"hello\n");
        assert!(server.requests()[1].contains("range: bytes=3-"));
    }
}

#[tokio::test]
async fn another_part_or_another_file_is_never_taken_for_the_rest() {
    let server = Server::answering(|_| rest("4-5/6", b"lo\n")).await;
    server.push(cut());
    let error = read(&server).await.unwrap_err();
    assert!(error.message().contains("sent another part"), "{error}");
    let changed = reply("200 OK", &headers(WORLD), b"world\n");
    let server = Server::start([cut(), changed]).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::Conflict);
    let wrong = rest("3-5/6", b"lO\n");
    let server = Server::start([cut(), wrong]).await;
    assert_eq!(read(&server).await.unwrap_err().kind(), ErrorKind::ChecksumMismatch);
}
