use std::sync::Mutex;

use serde_json::json;

use super::*;
use crate::{
    testing::{Reply, Server, reply},
    transport::{Client, ClientConfig, Timeouts},
    xet::{Access, access::Tokens, plan::Piece},
};

/// Number of bytes of a chunk, and with its header.
const CHUNK: usize = 100_000;
const PACKED: usize = CHUNK + 8;

fn requests(storage: &str) -> Requests {
    let storage: Url = storage.parse().unwrap();
    let wait = Duration::from_secs(5);
    let access = Access {
        storage: storage.clone(),
        token: "secret".to_owned(),
        expires: 0,
        route: storage,
        headers: HeaderMap::new(),
    };
    let client = Client::new(ClientConfig::default());
    let timeouts = Timeouts { headers: wait, idle: wait };
    let exchange = Exchange::new(client, timeouts, access, Tokens::default());
    Requests::new(exchange, wait, "ab".repeat(32))
}

#[test]
fn links_of_a_secure_storage_must_be_secure() {
    for (storage, link, is_right) in [
        ("http", "http", true),
        ("http", "https", true),
        ("https", "https", true),
        ("https", "http", false),
    ] {
        let requests = requests(&format!("{storage}://cas.example"));
        let bounds = json!({ "start": 0, "end": 1 });
        let ranges = json!([{ "chunks": bounds, "bytes": bounds }]);
        let plan = json!({
            "offset_into_first_range": 0,
            "terms": [{ "hash": "x", "unpacked_length": 9, "range": bounds }],
            "xorbs": { "x": [{ "url": format!("{link}://cas.example/x"), "ranges": ranges }] },
        });
        let read = requests.read(plan.to_string().as_bytes(), &(0..9));
        assert_eq!(read.is_ok(), is_right, "{storage} {link}");
    }
}

/// An object, each of whose chunks repeats its number.
fn object(chunks: u8) -> Vec<u8> {
    let header = [0, 160, 134, 1, 0, 160, 134, 1];
    (0..chunks).flat_map(|chunk| [&header[..], &vec![chunk; CHUNK]].concat()).collect()
}

/// What some chunks contain.
fn content(chunks: Range<u32>) -> Vec<u8> {
    chunks.flat_map(|chunk| vec![u8::try_from(chunk).unwrap(); CHUNK]).collect()
}

/// Fetches chunks of an object; returns all bytes that were passed on, too.
async fn fetch(server: &Server, chunks: Range<u32>) -> (Result<Reached>, Vec<u8>) {
    let bytes = u64::from(chunks.start) * PACKED as u64..u64::from(chunks.end) * PACKED as u64;
    let unpacked = chunks.len() as u64 * CHUNK as u64;
    let piece = Piece { at: 0, chunks: chunks.clone(), length: unpacked, skip: 0, take: unpacked };
    let (wanted, pieces) = (vec![chunks.clone()], vec![piece]);
    let url = server.url.parse().unwrap();
    let block = Block { url, bytes, chunks, wanted, unpacked, pieces };
    let passed = Mutex::new(Vec::new());
    let pass = |at, bytes: Bytes, _| {
        let mut passed = passed.lock().unwrap();
        assert_eq!(at, passed.len() as u64);
        passed.extend_from_slice(&bytes);
        std::future::ready(())
    };
    let fetched = requests(&server.url).block(block, &Room::fleeting(None), pass).await;
    (fetched, passed.into_inner().unwrap())
}

/// Returns the bytes that a request is for.
fn asked(head: &str) -> Range<usize> {
    let range = head.split("range: bytes=").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let (first, last) = range.split_once('-').unwrap();
    first.parse().unwrap()..last.parse::<usize>().unwrap() + 1
}

fn position(bytes: &Range<usize>) -> String {
    format!("content-range: bytes {}-{}/*\r\n", bytes.start, bytes.end - 1)
}

#[tokio::test]
async fn nothing_is_passed_on_of_a_response_with_other_bytes_than_requested() {
    let all = 0..20 * PACKED;
    let (part, earlier) = (9 * PACKED..18 * PACKED, 8 * PACKED..17 * PACKED);
    let (partial, ok) = ("206 Partial Content", "200 OK");
    for (chunks, status, headers, sent, is_right) in [
        // It has no ranges.
        (9..18, ok, String::new(), &all, false),
        (0..18, ok, String::new(), &all, false),
        (0..20, ok, String::new(), &all, true),
        (9..18, ok, position(&part), &part, false),
        (9..18, partial, String::new(), &all, false),
        (9..18, partial, position(&all), &all, false),
        (9..18, partial, position(&earlier), &earlier, false),
        (9..18, partial, "content-range: chunks 9-17/20\r\n".to_owned(), &part, false),
        (9..18, partial, position(&(part.start..all.end)), &part, false),
        (9..18, partial, position(&part), &part, true),
        (9..18, partial, String::new(), &part, true),
    ] {
        let body = object(20)[sent.clone()].to_vec();
        let case = format!("{chunks:?} {status} {headers}");
        let server = Server::answering(move |_| reply(status, &headers, &body)).await;
        let (fetched, passed) = fetch(&server, chunks.clone()).await;
        if is_right {
            fetched.unwrap();
            assert!(passed == content(chunks), "{case}");
        } else {
            assert_eq!(fetched.unwrap_err().kind(), ErrorKind::InvalidResponse, "{case}");
            assert_eq!(passed.len(), 0, "{case}");
        }
    }
}

#[tokio::test]
async fn a_part_is_continued_where_it_broke_off_as_long_as_bytes_arrive() {
    let object = object(32);
    let server = Server::answering(move |head| {
        let asked = asked(head);
        let head = format!(
            "HTTP/1.1 206 Partial\r\ncontent-length: {}\r\n{}\r\n",
            asked.len(),
            position(&asked)
        );
        // It sends 7 chunks, of which 6 are a batch.
        let body = &object[asked.start..asked.end.min(asked.start + 7 * PACKED + 100)];
        Reply::Raw([head.as_bytes(), body].concat())
    })
    .await;
    let (fetched, passed) = fetch(&server, 2..32).await;
    fetched.unwrap();
    assert!(passed == content(2..32));
    let starts: Vec<_> = server.requests().iter().map(|head| asked(head).start).collect();
    assert_eq!(starts, [2, 8, 14, 20, 26].map(|chunk| chunk * PACKED));
}

#[tokio::test]
async fn chunks_that_are_larger_than_their_part_are_refused() {
    let body = object(12);
    let head = "HTTP/1.1 206 Partial\r\ncontent-range: bytes 0-600047/*\r\n\r\n";
    let server = Server::answering(move |_| Reply::Raw([head.as_bytes(), &body].concat())).await;
    let url = server.url.parse().unwrap();
    let (bytes, chunks, unpacked) = (0..6 * PACKED as u64, 0..12, 12 * CHUNK as u64);
    let wanted = vec![chunks.clone()];
    let block = Block { url, bytes, chunks, wanted, unpacked, pieces: Vec::new() };
    let fetched = requests(&server.url)
        .block(block, &Room::fleeting(None), |_, _, _| std::future::ready(()))
        .await;
    assert_eq!(fetched.unwrap_err().kind(), ErrorKind::InvalidResponse);
}
