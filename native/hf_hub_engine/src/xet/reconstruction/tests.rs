//! Downloads from a scripted storage.

mod fragmented;
mod layout;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::{
    testing::{Reply, Server, reply},
    transport::{Client, ClientConfig, Timeouts},
    xet::{Access, Order, Shared, exchange::Exchange},
};

/// Time limits that no storage of these tests exceeds, on a busy machine, and that silent ones do.
const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(500);

/// The file: three parts of two objects, whose chunks have 100 bytes.
fn content() -> Vec<u8> {
    [chunk(0), chunk(1), chunk(9), chunk(1)].concat()
}

/// Where it is.
fn all() -> Vec<Range<u64>> {
    std::iter::once(0..400).collect()
}

fn chunk(number: u8) -> Vec<u8> {
    vec![b'a' + number; 100]
}

fn packed(numbers: Range<u8>) -> Vec<u8> {
    numbers
        .flat_map(|number| [&[0, 100, 0, 0, 0, 100, 0, 0][..], &chunk(number)].concat())
        .collect()
}

fn bounds(range: Range<u64>) -> Value {
    json!({ "start": range.start, "end": range.end })
}

/// The plan of the file, with links below `links`.
fn plan(links: &str, offset: u64) -> Value {
    let term = |hash, chunks: Range<u64>| {
        let length = 100 * (chunks.end - chunks.start);
        json!({ "hash": hash, "unpacked_length": length, "range": bounds(chunks) })
    };
    let part = |name, chunks: Range<u64>| {
        let length = 108 * (chunks.end - chunks.start);
        let ranges = json!([{ "chunks": bounds(chunks), "bytes": bounds(0..length - 1) }]);
        json!([{ "url": format!("{links}/{name}"), "ranges": ranges }])
    };
    json!({
        "offset_into_first_range": offset,
        "terms": [term("x", 0..2), term("y", 9..10), term("x", 1..2)],
        "xorbs": { "x": part("x", 0..2), "y": part("y", 9..10) },
    })
}

fn json_reply(body: &Value) -> Reply {
    reply("200 OK", "", body.to_string().as_bytes())
}

/// Responds as a storage does.
fn serve(head: &str) -> Reply {
    let path = head.split(' ').nth(1).unwrap();
    let host = head.split("host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    match path {
        "/x" => reply("206 Partial Content", "", &packed(0..2)),
        "/y" => reply("206 Partial Content", "", &packed(9..10)),
        "/token" => {
            let storage = format!("http://{host}");
            json_reply(&json!({ "accessToken": "second", "exp": u64::MAX, "casUrl": storage }))
        }
        path if path.starts_with("/v2/reconstructions/") => {
            json_reply(&plan(&format!("http://{host}"), 0))
        }
        _ => reply("404 Not Found", "", b""),
    }
}

/// Responds otherwise to requests that begin with `what`.
async fn serving(
    what: &'static str,
    mut other: impl FnMut(&str) -> Reply + Send + 'static,
) -> Server {
    Server::answering(move |head| if head.starts_with(what) { other(head) } else { serve(head) })
        .await
}

fn download(server: &Server, range: Range<u64>) -> Reconstruction {
    download_within(server, range, 1 << 20)
}

fn download_within(server: &Server, range: Range<u64>, memory: u64) -> Reconstruction {
    download_in(Order::OfTheFile, server, range, memory)
}

fn download_in(order: Order, server: &Server, range: Range<u64>, memory: u64) -> Reconstruction {
    Reconstruction::new(
        requests(server, &Shared::default()),
        Memory::new(memory),
        4,
        vec![range],
        order,
    )
}

/// Downloads the file from a storage that is silent for longer than is allowed.
fn impatient(server: &Server, plan_timeout: Duration) -> Reconstruction {
    let requests = requests_within(server, &Shared::default(), SHORT, plan_timeout);
    Reconstruction::new(requests, Memory::new(1 << 20), 4, all(), Order::OfTheFile)
}

fn requests(server: &Server, shared: &Shared) -> Requests {
    requests_within(server, shared, LONG, LONG)
}

fn requests_within(
    server: &Server,
    shared: &Shared,
    wait: Duration,
    plan_timeout: Duration,
) -> Requests {
    let access = Access {
        storage: server.url.parse().unwrap(),
        token: "first".to_owned(),
        expires: 0,
        route: format!("{}/token", server.url).parse().unwrap(),
        headers: [(AUTHORIZATION, HeaderValue::from_static("Bearer hub"))].into_iter().collect(),
    };
    let client = Client::new(ClientConfig::default());
    let timeouts = Timeouts { headers: wait, idle: wait };
    let exchange = Exchange::new(client, timeouts, access, shared.tokens());
    Requests::new(exchange, plan_timeout, "ab".repeat(32))
}

/// Returns the bytes, each of which has to arrive once, and in the order that is wanted.
async fn read(mut download: Reconstruction) -> Result<Vec<u8>> {
    let (start, end, order) = (download.returned.prefix(), download.end, download.order);
    let mut bytes = vec![None; usize::try_from(end - start).unwrap()];
    let mut next = start;
    while let Some((at, piece)) = download.next().await? {
        assert!(order == Order::OfArrival || at == next);
        next = at + piece.len() as u64;
        for (at, byte) in (at - start..).zip(piece) {
            assert_eq!(bytes[usize::try_from(at).unwrap()].replace(byte), None, "{at}");
        }
    }
    Ok(bytes.into_iter().map(Option::unwrap).collect())
}

fn sent(server: &Server, what: &str) -> Vec<String> {
    server.requests().into_iter().filter(|head| head.starts_with(&format!("get {what}"))).collect()
}

#[tokio::test]
async fn a_file_is_made_of_parts_of_objects_which_are_fetched_once() {
    let both = [Order::OfTheFile, Order::OfArrival];
    for (memory, order) in both.iter().flat_map(|order| [(1 << 20, *order), (0, *order)]) {
        let server = Server::answering(serve).await;
        let bytes = read(download_in(order, &server, 0..400, memory)).await.unwrap();
        assert_eq!(bytes, content());
        assert_eq!((sent(&server, "/x").len(), sent(&server, "/y").len()), (1, 1));
        assert!(sent(&server, "/x")[0].contains("range: bytes=0-215\r\n"));
        let plan = &sent(&server, "/v2/reconstructions/abab")[0];
        assert!(plan.contains("range: bytes=0-399\r\n") && plan.contains("bearer first\r\n"));
    }
}

#[tokio::test]
async fn a_range_may_begin_and_end_within_chunks() {
    let from_30 = |head: &str| json_reply(&plan(&format!("http://{}", host(head)), 30));
    let server = serving("get /v2", from_30).await;
    assert_eq!(read(download(&server, 30..350)).await.unwrap(), content()[30..350]);
}

fn host(head: &str) -> &str {
    head.split("host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap()
}

#[tokio::test]
async fn tokens_are_sent_to_the_storage_and_the_hub_only() {
    let third = Server::answering(serve).await;
    let target = format!("location: {}/y\r\n", third.url);
    let other = serving("get /y", move |_| reply("302 Found", &target, b"")).await;
    let links = other.url.clone();
    let server = serving("get /v2", move |head| {
        if head.contains("bearer second") {
            return json_reply(&plan(&links, 0));
        }
        reply("401 Unauthorized", "", b"")
    })
    .await;
    assert_eq!(read(download(&server, 0..400)).await.unwrap(), content());
    assert!(sent(&server, "/token")[0].contains("authorization: bearer hub\r\n"));
    let heads = [other.requests(), third.requests()].concat();
    assert_eq!(heads.len(), 3);
    assert!(heads.iter().all(|head| !head.contains("authorization")), "{heads:?}");

    // A storage that redirects would get the token elsewhere.
    let target = format!("location: {}/v2/reconstructions/x\r\n", other.url);
    let server = Server::answering(move |_| reply("307 Temporary", &target, b"")).await;
    let error = read(download(&server, 0..400)).await.unwrap_err();
    assert_eq!((error.kind(), other.requests().len()), (ErrorKind::InvalidResponse, 2));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let server = serving("get /v2", |_| reply("401 Unauthorized", "", b"")).await;
    let error = read(download(&server, 0..400)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(401)));
    assert!(error.is_from_a_store());
    assert_eq!(sent(&server, "/token").len(), 1);
    assert!(!format!("{error:?}").contains("second"));
}

#[tokio::test]
async fn a_token_for_another_storage_is_not_sent_to_this_one() {
    let server = Server::answering(|head| {
        if head.starts_with("get /v2") {
            return reply("401 Unauthorized", "", b"");
        }
        let storage = "http://other.example";
        json_reply(&json!({ "accessToken": "second", "exp": u64::MAX, "casUrl": storage }))
    })
    .await;
    let shared = Shared::default();
    let requests = requests(&server, &shared);
    let route = requests.exchange.access.route.clone();
    let error = requests.plan(&(0..400)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(sent(&server, "/v2").len(), 1);
    assert!(shared.access(&route, Some(&HeaderValue::from_static("Bearer hub"))).is_none());
}

#[tokio::test]
async fn links_that_have_expired_are_replaced_once() {
    for (refusals, is_right, order) in [
        (1, true, Order::OfTheFile),
        (1, true, Order::OfArrival),
        (9, false, Order::OfTheFile),
        (9, false, Order::OfArrival),
    ] {
        let left = Mutex::new(refusals);
        let server = Server::answering(move |head| {
            let mut left = left.lock().unwrap();
            if head.starts_with("get /y") && *left > 0 {
                *left -= 1;
                return reply("403 Forbidden", "", b"");
            }
            if head.contains("range: bytes=200-299\r\n") {
                let mut rest = plan(&format!("http://{}", host(head)), 0);
                rest["terms"] = json!([rest["terms"][1]]);
                return json_reply(&rest);
            }
            serve(head)
        })
        .await;
        let read = read(download_in(order, &server, 0..400, 1 << 20)).await;
        assert_eq!(read.is_ok_and(|bytes| bytes == content()), is_right);
        assert_eq!(sent(&server, "/v2").len(), 2);
        // What had arrived is not fetched again.
        assert!(sent(&server, "/v2")[1].contains("range: bytes=200-299\r\n"));
        assert_eq!(sent(&server, "/x").len(), 1);
    }
}

#[tokio::test]
async fn bytes_are_returned_while_the_rest_of_their_part_arrives() {
    let long = large_chunks(9);
    let (length, end) = (long.len(), 9 * 100_000);
    for (order, waits_for, at) in
        [(Order::OfTheFile, "/x", 600_000), (Order::OfArrival, "/x", end + 600_000)]
    {
        let begun = large_chunks(8);
        let server = Server::answering(move |head| match head.split(' ').nth(1).unwrap() {
            "/x" | "/y" => {
                let is_whole = order == Order::OfTheFile || head.starts_with("get /y");
                let head = format!("HTTP/1.1 206 Partial\r\ncontent-length: {length}\r\n\r\n");
                let body = if is_whole { &begun[..] } else { &[] };
                Reply::Stall([head.as_bytes(), body].concat())
            }
            _ => json_reply(&large_plan(&format!("http://{}", host(head)), length)),
        })
        .await;
        let mut download = download_in(order, &server, 0..2 * end, 8 << 20);
        let (first, bytes) = download.next().await.unwrap().unwrap();
        assert_eq!(first + bytes.len() as u64, at, "{waits_for}");
    }
}

/// Chunks of an object of 100,000 bytes each.
fn large_chunks(count: usize) -> Vec<u8> {
    let chunk = [&[0, 160, 134, 1, 0, 160, 134, 1][..], &vec![7; 100_000]].concat();
    chunk.repeat(count)
}

/// The plan of a file of two objects of nine such chunks.
fn large_plan(links: &str, length: usize) -> Value {
    let term = |hash| json!({ "hash": hash, "unpacked_length": 900_000, "range": bounds(0..9) });
    let part = |name| {
        let ranges = json!([{ "chunks": bounds(0..9), "bytes": bounds(0..length as u64 - 1) }]);
        json!([{ "url": format!("{links}/{name}"), "ranges": ranges }])
    };
    json!({
        "offset_into_first_range": 0,
        "terms": [term("x"), term("y")],
        "xorbs": { "x": part("x"), "y": part("y") },
    })
}

#[tokio::test]
async fn a_part_that_breaks_off_is_requested_again_for_what_is_missing() {
    let is_first = Mutex::new(true);
    let server = Server::answering(move |head| match head.split(' ').nth(1).unwrap() {
        "/x" | "/y" => {
            // The rest, if the first six chunks have arrived.
            let start = if head.contains("range: bytes=600048-") { 600_048 } else { 0 };
            let whole = large_chunks(9).split_off(start);
            let head = format!("HTTP/1.1 206 Partial\r\ncontent-length: {}\r\n\r\n", whole.len());
            let is_first = std::mem::take(&mut *is_first.lock().unwrap());
            let body = if is_first { &whole[..750_000] } else { &whole[..] };
            Reply::Raw([head.as_bytes(), body].concat())
        }
        _ => json_reply(&large_plan(&format!("http://{}", host(head)), large_chunks(9).len())),
    })
    .await;
    assert_eq!(read(download(&server, 0..1_800_000)).await.unwrap(), vec![7; 1_800_000]);
    assert_eq!(sent(&server, "/x").len() + sent(&server, "/y").len(), 3);
}

#[tokio::test]
async fn the_first_version_of_the_protocol_is_tried_if_there_is_no_second() {
    let server = serving("get /v", |head| {
        if head.starts_with("get /v2") {
            return reply("501 Not Implemented", "", b"");
        }
        let url = format!("http://{}/x", host(head));
        let fetch = json!([{ "url": url, "range": bounds(0..2), "url_range": bounds(0..215) }]);
        let term = json!({ "hash": "x", "unpacked_length": 200, "range": bounds(0..2) });
        let terms = json!([term]);
        let fetch_info = json!({ "x": fetch });
        json_reply(
            &json!({ "offset_into_first_range": 0, "terms": terms, "fetch_info": fetch_info }),
        )
    })
    .await;
    assert_eq!(read(download(&server, 0..200)).await.unwrap(), content()[..200]);
}

#[tokio::test]
async fn a_request_is_repeated_if_the_storage_fails_or_stalls() {
    let hit = Mutex::new(0);
    let server = Server::answering(move |head| {
        let mut hit = hit.lock().unwrap();
        *hit += 1;
        match *hit {
            1 => reply("503 Service Unavailable", "", b""),
            3 => Reply::Stall(b"HTTP/1.1 206 Partial\r\ncontent-length: 216\r\n\r\n\0".to_vec()),
            _ => serve(head),
        }
    })
    .await;
    assert_eq!(read(impatient(&server, LONG)).await.unwrap(), content());
}

/// Downloads with another response to the request that begins with `what`.
async fn hostile(what: &'static str, other: impl Fn(&str) -> Reply + Send + 'static) -> Error {
    let server = serving(what, other).await;
    let error = read(download(&server, 0..400)).await.unwrap_err();
    assert!(error.is_from_a_store(), "{error:?}");
    error
}

#[tokio::test]
async fn a_plan_that_is_too_large_or_has_no_end_is_refused() {
    let mut plan = plan("http://hub", 0);
    plan["more"] = "x".repeat(300 << 10).into();
    let error = hostile("get /v2", move |_| json_reply(&plan)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"terms\":[";
    let endless = [head.as_bytes(), &b" ".repeat(300 << 10)].concat();
    let error = hostile("get /v2", move |_| Reply::Raw(endless.clone())).await;
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn wrong_plans_and_objects_are_refused() {
    for (pointer, wrong) in [
        ("/terms/0/unpacked_length", json!(100)),
        ("/terms/0/unpacked_length", json!(u32::MAX)),
        ("/terms/1/unpacked_length", json!(200)),
        ("/terms/1/range/end", json!(11)),
        ("/xorbs/x/0/ranges/0/chunks/end", json!(3)),
        ("/xorbs/x/0/ranges/0/chunks/end", json!(1)),
        ("/offset_into_first_range", json!(250)),
    ] {
        let error = hostile("get /v2", move |head| {
            let mut plan = plan(&format!("http://{}", host(head)), 0);
            *plan.pointer_mut(pointer).unwrap() = wrong.clone();
            json_reply(&plan)
        })
        .await;
        let is_short = error.kind() == ErrorKind::Transport && pointer.contains("chunks/end");
        assert!(error.kind() == ErrorKind::InvalidResponse || is_short, "{pointer}: {error:?}");
    }
    let long = [packed(0..2), packed(2..3)].concat();
    let error = hostile("get /x", move |_| reply("200 OK", "", &long)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    let short = "content-range: bytes 0-107/*\r\n";
    let error = hostile("get /x", |_| reply("206 Partial", short, &packed(0..1))).await;
    assert_eq!(error.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn a_silent_storage_is_given_up() {
    for (what, plan_timeout, why) in
        [("get /v2", 2 * SHORT, "no plan"), ("get /x", LONG, "no response")]
    {
        let server = serving(what, |_| Reply::Stall(Vec::new())).await;
        let error = read(impatient(&server, plan_timeout)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_from_a_store() && error.message().contains(why), "{error:?}");
    }
}

#[tokio::test]
async fn an_object_may_take_longer_than_a_plan() {
    let server = serving("get /x", |_| {
        let Reply::Raw(bytes) = reply("206 Partial Content", "", &packed(0..2)) else {
            unreachable!()
        };
        Reply::Slowly(Duration::from_millis(200), bytes, 20)
    })
    .await;
    let began = Instant::now();
    let plan_timeout = Duration::from_secs(2);
    let requests = requests_within(&server, &Shared::default(), LONG, plan_timeout);
    let memory = Memory::new(1 << 20);
    let download = Reconstruction::new(requests, memory, 4, all(), Order::OfTheFile);
    assert_eq!(read(download).await.unwrap(), content());
    assert!(began.elapsed() > plan_timeout, "{:?}", began.elapsed());
    assert_eq!((sent(&server, "/v2").len(), sent(&server, "/x").len()), (1, 1));
}

#[tokio::test]
async fn objects_that_fit_into_the_memory_are_fetched_at_once() {
    let server = serving("get /x", |_| Reply::Stall(Vec::new())).await;
    let requested = async {
        while sent(&server, "/y").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        read = read(download_within(&server, 0..400, 2 << 10)) => unreachable!("{read:?}"),
        () = requested => {}
    }
}

#[tokio::test]
async fn only_redirects_are_followed() {
    let other = Server::answering(serve).await;
    let header = format!("location: {}/x\r\n", other.url);
    let server =
        serving("get /x", move |_| reply("206 Partial Content", &header, &packed(0..2))).await;
    assert_eq!(read(download(&server, 0..400)).await.unwrap(), content());
    assert_eq!(other.requests().len(), 0);
}
