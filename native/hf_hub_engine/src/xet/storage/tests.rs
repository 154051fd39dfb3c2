use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::*;
use crate::{
    base::{
        bandwidth::Bandwidth,
        error::{ErrorKind, Result},
        etag::Proof,
        hash::Hasher,
    },
    testing::{Reply, Server, reply},
    transport::{ClientConfig, ProxySetting},
    xet::{Mode, Order, Sent, Settings, Shared, Stored, Xet},
};

const SIZE: usize = 3 << 20;

fn tuning(dir: &Path) -> Tuning {
    Tuning {
        cache_dir: dir.join("cache"),
        buffer: 64 << 20,
        connections: 4,
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(10),
    }
}

fn xet(dir: &Path) -> Xet {
    xet_by(dir, transport::Client::new(ClientConfig::default()))
}

fn xet_by(dir: &Path, client: transport::Client) -> Xet {
    let Tuning { cache_dir, buffer, connections, connect, silence } = tuning(dir);
    let settings = Settings { mode: Mode::Auto, cache_dir, buffer };
    Xet::new(Some(settings), connections, connect, silence, client, Shared::default())
}

fn client(tuning: Tuning, http: transport::Client) -> Client {
    let budgets = Budgets::new(&tuning);
    Client::new(tuning, http, Tokens::default(), budgets)
}

fn access(storage: &str) -> Access {
    Access {
        storage: storage.parse().unwrap(),
        token: "secret".to_owned(),
        expires: u64::MAX,
        route: "http://127.0.0.1:9/".parse().unwrap(),
        headers: HeaderMap::new(),
    }
}

/// A storage that accepts everything, and has nothing.
fn accept(head: &str) -> Reply {
    let host = head.split("host: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    // A proxy is asked for whole addresses.
    let path = head.split(' ').nth(1).unwrap().trim_start_matches("http://cas.example");
    let grant = format!(
        r#"{{"id":"a/b","method":"PUT","url":"http://{host}/put","headers":{{"x-signed":"1","host":"other"}}}}"#
    );
    match path {
        _ if path.starts_with("/v1/xorb-grants/") => reply("201 Created", "", grant.as_bytes()),
        "/v2/shards" => {
            let events =
                "{\"type\":\"validating\",\"verified\":0,\"total\":1}\n\n{\"type\":\"result\"}\n";
            reply("200 OK", "", events.as_bytes())
        }
        "/put" => reply("200 OK", "", b""),
        _ if path.starts_with("/v1/xorb-commits/") => reply("200 OK", "", b"{}"),
        _ => reply("404 Not Found", "", b""),
    }
}

/// Responds otherwise to requests whose head contains `what`.
async fn accepting(
    what: &'static str,
    mut other: impl FnMut(&str) -> Reply + Send + 'static,
) -> Server {
    Server::answering(move |head| if head.contains(what) { other(head) } else { accept(head) })
        .await
}

/// Returns the number of requests that begin with `what`.
fn count(server: &Server, what: &str) -> usize {
    server.requests().iter().filter(|head| head.starts_with(what)).count()
}

fn content(seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(SIZE).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(Proof::Sha256, None).unwrap();
    hasher.update(bytes);
    hasher.finish()
}

/// The limits of a call with this bandwidth.
fn flow(limit: Option<u64>) -> Flow {
    Flow::new(1, vec![Bandwidth::new(limit)])
}

async fn upload(storage: &dyn Storage, access: &Access, bytes: &Bytes) -> Result<(Stored, Sent)> {
    let (stored, sent) = attempt(storage, access, bytes, &flow(None)).await;
    Ok((stored?, sent))
}

async fn attempt(
    storage: &dyn Storage,
    access: &Access,
    bytes: &Bytes,
    flow: &Flow,
) -> (Result<Stored>, Sent) {
    let upload = storage.upload(access, Wanted { sha256: true }, flow).await.unwrap();
    let storing = async {
        let mut file = upload.file();
        for at in (0..bytes.len()).step_by(1 << 20) {
            file.write(bytes.slice(at..bytes.len().min(at + (1 << 20)))).await?;
        }
        let stored = file.finish().await?;
        upload.finish().await?;
        Ok(stored)
    };
    let stored = storing.await;
    (stored, upload.sent())
}

async fn download(
    storage: &dyn Storage,
    access: &Access,
    hash: &str,
    range: Range<u64>,
) -> Result<Vec<u8>> {
    let file = File::new(hash, None).unwrap();
    let plan_timeout = Duration::from_mins(1);
    let part = Part { ranges: vec![range], order: Order::OfTheFile, plan_timeout };
    let mut stream = storage.download(access, &file, part).await?;
    let mut bytes = Vec::new();
    while let Some((_, piece)) = stream.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_file_is_hashed_and_only_new_chunks_are_sent() {
    let server = Server::answering(accept).await;
    let dir = tempfile::tempdir().unwrap();
    let (xet, access) = (xet(dir.path()), access(&server.url));
    let storage = xet.storage(None).unwrap();
    let first = content(1);
    let (stored, sent) = upload(&*storage, &access, &first).await.unwrap();
    assert_eq!((stored.sha256, stored.deduplicated), (Some(sha256(&first)), 0));
    assert_eq!(sent.done, SIZE as u64);
    assert!(sent.transferred >= SIZE as u64 && sent.registered > 0, "{sent:?}");

    let second = [&first[..1 << 20], b"inserted", &first[1 << 20..]].concat().into();
    let (stored, sent) = upload(&*storage, &access, &second).await.unwrap();
    assert_eq!(stored.sha256, Some(sha256(&second)));
    assert!(stored.deduplicated > 2 << 20, "{stored:?}");
    assert!(sent.done == second.len() as u64 && sent.transferred < 1 << 20, "{sent:?}");
    let puts = server.requests().into_iter().filter(|head| head.starts_with("put /put"));
    for head in puts {
        assert!(head.contains("x-signed: 1") && !head.contains("secret"), "{head}");
        assert!(!head.contains("host: other"), "{head}");
    }
}

#[tokio::test]
async fn objects_have_the_size_that_the_memory_allows() {
    let server = Server::answering(accept).await;
    let dir = tempfile::tempdir().unwrap();
    let storage = xet(dir.path()).storage(None).unwrap();
    let many: Bytes = (1..8).flat_map(content).collect();
    upload(&*storage, &access(&server.url), &many).await.unwrap();
    // 64 MiB allow for objects of 4.
    assert_eq!(count(&server, "put /put"), 6);
}

#[tokio::test]
async fn uploads_and_downloads_go_through_the_proxy_that_is_set() {
    let proxy = Server::answering(accept).await;
    let setting = ProxySetting { url: proxy.url.clone(), source: "a test".to_owned() };
    let config = ClientConfig { http_proxy: Some(setting), ..ClientConfig::default() };
    let dir = tempfile::tempdir().unwrap();
    let xet = xet_by(dir.path(), transport::Client::new(config));
    let (storage, access) = (xet.storage(None).unwrap(), access("http://cas.example"));
    upload(&*storage, &access, &Bytes::from_static(b"content")).await.unwrap();
    for request in ["get /v1/chunks/", "post /v1/xorb-grants/", "put /put", "post /v2/shards"] {
        let request = request.replace(" /", " http://cas.example/");
        assert_eq!(count(&proxy, &request), 1, "{request}");
    }
    download(&*storage, &access, &"ab".repeat(32), 0..10).await.unwrap_err();
    assert!(count(&proxy, "get http://cas.example/v2/reconstructions/") > 0);
}

#[tokio::test]
async fn the_storage_itself_takes_an_object_that_no_grant_stores() {
    type Script = fn(&str) -> Reply;
    let cases: [(&str, Script, [usize; 3]); 5] = [
        ("post /v1/xorb-grants/", |_| reply("404 Not Found", "", b""), [1, 0, 1]),
        ("put /put", |_| reply("403 Forbidden", "", b""), [3, 3, 1]),
        ("put /put", |_| Reply::Raw(Vec::new()), [1, 3, 1]),
        ("post /v1/xorb-commits/", |_| reply("404 Not Found", "", b""), [3, 3, 1]),
        // Stored already.
        ("put /put", |_| reply("412 Precondition Failed", "", b""), [1, 1, 0]),
    ];
    for (what, script, wanted) in cases {
        let server = Server::answering(move |head| match head {
            _ if head.starts_with(what) => script(head),
            _ if head.starts_with("post /v1/xorbs/") => reply("200 OK", "", b"{}"),
            _ => accept(head),
        });
        let server = server.await;
        let dir = tempfile::tempdir().unwrap();
        let storage = xet(dir.path()).storage(None).unwrap();
        upload(&*storage, &access(&server.url), &content(1)).await.unwrap();
        let paths = ["post /v1/xorb-grants/", "put /put", "post /v1/xorbs/"];
        assert_eq!(paths.map(|path| count(&server, path)), wanted, "{what}");
    }
}

#[tokio::test]
async fn an_upload_ends_in_an_error_if_the_storage_refuses_it() {
    type Script = Box<dyn Fn(&str) -> Reply + Send>;

    let event = |event: &str| reply("200 OK", "", format!("{event}\n").as_bytes());
    let cases: [(&'static str, Script, ErrorKind); 5] = [
        ("xorb", Box::new(|_| reply("500 Broken", "", b"")), ErrorKind::Server),
        (
            "/v2/shards",
            Box::new(move |_| event(r#"{"type":"error","message":"no"}"#)),
            ErrorKind::InvalidResponse,
        ),
        ("/v2/shards", Box::new(move |_| event("[]")), ErrorKind::InvalidResponse),
        ("/v2/shards", Box::new(move |_| event(r#"{"type":"new"}"#)), ErrorKind::InvalidResponse),
        // The token is refused, and there is no other one.
        ("", Box::new(|_| reply("401 Unauthorized", "", b"")), ErrorKind::Transport),
    ];
    for (what, script, kind) in cases {
        let server = accepting(what, script).await;
        let dir = tempfile::tempdir().unwrap();
        let storage = xet(dir.path()).storage(None).unwrap();
        let error = upload(&*storage, &access(&server.url), &content(1)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn only_the_expected_response_means_that_an_object_is_stored() {
    for (status, kind) in [
        ("200 OK", None),
        ("202 Accepted", Some(ErrorKind::InvalidResponse)),
        ("204 No Content", Some(ErrorKind::InvalidResponse)),
    ] {
        let server = accepting("/v1/xorb-grants/", move |_| reply(status, "", b"")).await;
        let dir = tempfile::tempdir().unwrap();
        let storage = xet(dir.path()).storage(None).unwrap();
        let uploaded = upload(&*storage, &access(&server.url), &content(1)).await;
        assert_eq!(uploaded.err().map(|error| error.kind()), kind, "{status}");
    }
}

#[tokio::test]
async fn what_a_storage_has_lost_is_sent_by_the_next_upload() {
    let event = "{\"type\":\"error\",\"message\":\"an object is missing\"}\n";
    let is_lost = Arc::new(AtomicBool::new(false));
    let lost = is_lost.clone();
    let server = accepting("/v2/shards", move |head| {
        if lost.load(Relaxed) { reply("200 OK", "", event.as_bytes()) } else { accept(head) }
    });
    let server = server.await;
    let dir = tempfile::tempdir().unwrap();
    let (storage, access) = (xet(dir.path()).storage(None).unwrap(), access(&server.url));
    for (is_lost_now, is_right, puts, has_lost) in [
        (false, true, 1, false),
        (true, false, 1, true),
        // It refuses them for another reason: all of them were sent, and are not sent again.
        (true, false, 2, false),
        (false, true, 2, false),
    ] {
        is_lost.store(is_lost_now, Relaxed);
        let (stored, sent) = attempt(&*storage, &access, &content(1), &flow(None)).await;
        assert_eq!((stored.is_ok(), sent.has_lost), (is_right, has_lost), "{stored:?}");
        assert_eq!(count(&server, "put /put"), puts);
    }
}

#[tokio::test]
async fn only_a_missing_object_makes_an_upload_forget_what_is_stored() {
    let missing = "{\"type\":\"error\",\"message\":\"an object is missing\"}\n";
    for (status, body, is_missing) in [
        ("400 Bad Request", "", true),
        ("404 Not Found", "", true),
        ("200 OK", missing, true),
        ("402 Payment Required", "", false),
        ("403 Forbidden", "", false),
        ("413 Payload Too Large", "", false),
        ("200 OK", "[]\n", false),
        ("200 OK", "{\"type\":\"new\"}\n", false),
    ] {
        let is_refused = Arc::new(AtomicBool::new(false));
        let refused = is_refused.clone();
        let server = accepting("/shards", move |head| {
            if refused.load(Relaxed) { reply(status, "", body.as_bytes()) } else { accept(head) }
        });
        let server = server.await;
        let dir = tempfile::tempdir().unwrap();
        let (storage, access) = (xet(dir.path()).storage(None).unwrap(), access(&server.url));
        upload(&*storage, &access, &content(1)).await.unwrap();
        is_refused.store(true, Relaxed);
        let (stored, sent) = attempt(&*storage, &access, &content(1), &flow(None)).await;
        assert_eq!((stored.is_err(), sent.has_lost), (true, is_missing), "{status} {body}");
        is_refused.store(false, Relaxed);
        upload(&*storage, &access, &content(1)).await.unwrap();
        assert_eq!(count(&server, "put /put"), 1 + usize::from(is_missing), "{status} {body}");
    }
}

#[tokio::test]
async fn chunks_that_files_of_an_upload_share_are_not_what_a_storage_has_lost() {
    let event = "{\"type\":\"error\",\"message\":\"no\"}\n";
    let server = accepting("/v2/shards", |_| reply("200 OK", "", event.as_bytes())).await;
    let dir = tempfile::tempdir().unwrap();
    let (storage, access) = (xet(dir.path()).storage(None).unwrap(), access(&server.url));
    // Some are repeated within an object, and some in another one, which 4 MiB are.
    let repeated = [content(1), content(1), content(2), content(1)].concat().into();
    let (stored, sent) = attempt(&*storage, &access, &repeated, &flow(None)).await;
    assert_eq!((stored.is_err(), sent.has_lost), (true, false));
    assert!(sent.transferred < 3 * SIZE as u64, "{sent:?}");
}

#[tokio::test]
async fn an_upload_that_waits_for_the_bandwidth_is_not_stalled() {
    let server = Server::answering(accept).await;
    let dir = tempfile::tempdir().unwrap();
    let silence = Duration::from_millis(200);
    let tuning = Tuning { silence, ..tuning(dir.path()) };
    let client = client(tuning, transport::Client::new(ClientConfig::default()));
    let (access, flow) = (access(&server.url), flow(Some(1)));
    let upload = client.upload(&access, Wanted { sha256: false }, &flow).await.unwrap();
    let storing = async {
        let mut file = upload.file();
        file.write(Bytes::from_static(b"content")).await?;
        file.finish().await?;
        upload.finish().await
    };
    let waiting = async {
        until(|| upload.sent().is_waiting).await;
        tokio::time::sleep(4 * silence).await;
        (upload.sent().is_waiting, count(&server, "put /put"))
    };
    tokio::select! {
        stored = storing => unreachable!("{stored:?}"),
        waited = waiting => assert_eq!(waited, (true, 1)),
    }
}

#[tokio::test]
async fn a_storage_that_takes_nothing_is_not_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let http = transport::Client::new(ClientConfig::default());
    let client = client(tuning(dir.path()), http);
    let deposit = Deposit::new(client.exchange(&access("http://cas.example")), flow(None));
    let body = deposit.body([Bytes::from_static(b"content")].into());
    assert!(!deposit.counts.sent().is_waiting);
    drop(body);
}

#[tokio::test]
async fn an_upload_keeps_the_bandwidth_limit() {
    let server = Server::answering(accept).await;
    let dir = tempfile::tempdir().unwrap();
    let (storage, access) = (xet(dir.path()).storage(None).unwrap(), access(&server.url));
    let began = std::time::Instant::now();
    let flow = flow(Some(2 * SIZE as u64));
    attempt(&*storage, &access, &content(1), &flow).await.0.unwrap();
    assert!(began.elapsed() > Duration::from_millis(350), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_list_of_an_upload_without_new_chunks_is_counted_while_it_is_sent() {
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = is_silent.clone();
    let server = accepting("/v2/shards", move |head| {
        if silent.load(Relaxed) { Reply::Stall(Vec::new()) } else { accept(head) }
    });
    let server = server.await;
    let dir = tempfile::tempdir().unwrap();
    let (storage, access) = (xet(dir.path()).storage(None).unwrap(), access(&server.url));
    upload(&*storage, &access, &content(1)).await.unwrap();
    is_silent.store(true, Relaxed);
    let again = storage.upload(&access, Wanted { sha256: true }, &flow(None)).await.unwrap();
    let mut file = again.file();
    file.write(content(1)).await.unwrap();
    file.finish().await.unwrap();
    assert_eq!(again.sent().transferred, 0);
    tokio::select! {
        finished = again.finish() => unreachable!("{finished:?}"),
        () = until(|| again.sent().transferred > 0) => {}
    }
}

#[tokio::test]
async fn an_upload_knows_that_others_have_the_memory() {
    // Objects stay on their way.
    let server = accepting("put /put", |_| Reply::Stall(Vec::new())).await;
    let dir = tempfile::tempdir().unwrap();
    // For two objects of 1 MiB.
    let tuning = Tuning { buffer: 8 << 20, ..tuning(dir.path()) };
    let http = transport::Client::new(ClientConfig::default());
    let client = client(tuning, http);
    let access = access(&server.url);
    let (wanted, flow) = (Wanted { sha256: false }, flow(None));
    let first = client.upload(&access, wanted, &flow).await.unwrap();
    let second = client.upload(&access, wanted, &flow).await.unwrap();
    let (mut one, mut other) = (first.file(), second.file());
    tokio::select! {
        _ = one.write([content(1), content(3)].concat().into()) => unreachable!("there is no memory for all of it"),
        () = until(|| count(&server, "put /put") == 2) => assert!(!first.sent().is_waiting),
    }
    tokio::select! {
        _ = other.write(content(2)) => unreachable!("there is no memory for it"),
        () = until(|| second.sent().is_waiting) => {}
    }
    assert!(!second.sent().is_waiting);
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_list_of_chunks_and_a_response_are_read_up_to_a_limit() {
    const MUCH: usize = 64 << 20;
    for what in ["get /v1/chunks/", "post /v1/xorb-grants/", "post /v2/shards"] {
        let endless = move |_: &str| {
            let status = if what.contains("grants") { "201 Created" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {MUCH}\r\n\r\n");
            Reply::Slowly(Duration::ZERO, [head.into_bytes(), vec![b' '; MUCH]].concat(), 1 << 20)
        };
        let server =
            Server::answering(
                move |head| {
                    if head.starts_with(what) { endless(head) } else { accept(head) }
                },
            );
        let server = server.await;
        let dir = tempfile::tempdir().unwrap();
        let storage = xet(dir.path()).storage(None).unwrap();
        let uploaded = upload(&*storage, &access(&server.url), &content(1)).await;
        // Without a list, all chunks are sent.
        let is_list = what.starts_with("get");
        assert_eq!(uploaded.is_ok(), is_list, "{what}: {uploaded:?}");
        if let Err(error) = uploaded {
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{what}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_storage_that_refuses_connections_fails_within_the_time_of_a_fallback() {
    let dir = tempfile::tempdir().unwrap();
    let access = access(&crate::testing::refusing().await);
    let storage = xet(dir.path()).storage(None).unwrap();
    let began = std::time::Instant::now();
    let error = download(&*storage, &access, &"ab".repeat(32), 0..10).await.unwrap_err();
    assert!(error.is_from_a_store(), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
