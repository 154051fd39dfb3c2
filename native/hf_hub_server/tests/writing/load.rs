//! Slow clients and unfinished bodies beside honest ones.

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::{Root, connect};
use crate::hub::{ANN, BOB, Hub, READER, body, file, hub, hub_with, lfs_file};

const VALIDATE: &str = "/api/validate-yaml";
const COMMIT: &str = "/api/models/acme/r/commit/main";

fn head(path: &str, token: &str, length: usize) -> String {
    let token =
        if token.is_empty() { token.into() } else { format!("Authorization: Bearer {token}\r\n") };
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Length: {length}\r\n\r\n")
}

/// Returns the response to a request that stops here, without closing its connection.
fn answer(url: &str, begun: &[u8]) -> String {
    let mut stream = connect(url);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(begun).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Returns the upload link of one object, without its origin.
async fn upload_path(hub: &Hub, content: &[u8]) -> String {
    let object = hub.batch("acme/r", content).await;
    let link = object["actions"]["upload"]["href"].as_str().unwrap();
    link.strip_prefix(&hub.server.cdn).unwrap().to_owned()
}

#[tokio::test]
async fn stalled_heads_and_bodies_are_aborted() {
    let hub = hub_with(&["--idle-timeout", "1"]).await;
    let before = hub.head("acme/r");
    let put = head(&upload_path(&hub, b"hello").await, "", 5).replace("POST", "PUT") + "hel";
    assert_eq!(answer(&hub.server.endpoint, b"GET / HTTP/1.1\r\nHost:"), "");
    let commit = body(&json!({ "summary": "x" }), &[file("a", "1")]);
    for (path, token, begun) in [(VALIDATE, "", "{"), (COMMIT, ANN, &*commit), (COMMIT, ANN, "")] {
        let begun = head(path, token, commit.len() + 1) + begun;
        let answer = answer(&hub.server.endpoint, begun.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
    }
    let answer = answer(&hub.server.cdn, put.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("RequestTimeout"), "{answer}");
    assert_eq!((hub.head("acme/r"), hub.leftovers()), (before, 0));
}

#[test]
fn a_stalled_handshake_is_aborted() {
    let root = Root::new();
    let server = root.serve(&["--idle-timeout", "1", "--tls-self-signed"]);
    assert!(server.endpoint.starts_with("https://") && server.cdn.starts_with("https://"));
    for url in [&server.endpoint, &server.cdn] {
        let url = url.replace("https:", "http:");
        // The beginning of a TLS record, and a client that uses plain HTTP on the port.
        assert_eq!(answer(&url, b"\x16\x03\x01"), "");
        let refused = answer(&url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(!refused.starts_with("HTTP"), "{refused}");
    }
}

#[tokio::test]
async fn does_not_wait_for_a_body_that_is_not_allowed() {
    let hub = hub().await;
    for (path, token, status) in [
        (COMMIT, "", 401),
        (COMMIT, "hf_wrong", 401),
        (COMMIT, READER, 403),
        (COMMIT, BOB, 403),
        ("/api/models/acme/r/preupload/main", BOB, 403),
        ("/api/models/acme/r/branch/x", BOB, 403),
        ("/api/models/acme/r/tag/main", READER, 403),
        ("/api/models/acme/r/super-squash/main", "", 401),
        ("/api/models/acme/r/duplicate", "", 401),
        ("/api/models/acme/r/lfs-files/duplicate", READER, 403),
        ("/acme/r.git/info/lfs/objects/verify", READER, 403),
        ("/api/repos/create", READER, 403),
        ("/api/repos/move", "", 401),
        ("/api/models/acme/none/commit/main", ANN, 404),
        (VALIDATE, "hf_wrong", 401),
    ] {
        // The body is never sent.
        let request =
            head(path, token, 9_000_000).replace("Host: x", "Host: x\r\nConnection: close");
        let answer = answer(&hub.server.endpoint, request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} {token}: {answer}");
    }
}

/// Returns the peak memory of the server so far, in megabytes.
fn peak(hub: &Hub) -> u64 {
    let path = format!("/proc/{}/status", hub.server.process.id());
    let status = fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1000
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unfinished_bodies_take_little_memory() {
    const SIZE: usize = 9_900_000;
    let hub = hub().await;
    let before = peak(&hub);
    let line = body(&json!({ "summary": "x" }), &[file("a", "")]);
    let cut = line.find("\"\"").unwrap() + 1;
    let begun = line[..cut].to_owned() + &"x".repeat(SIZE - cut);
    let mut clients = Vec::new();
    for n in 0..200 {
        let (path, token) = if n % 4 == 0 { (COMMIT, ANN) } else { (VALIDATE, "") };
        let mut client = connect(&hub.server.endpoint);
        client.write_all(head(path, token, SIZE + 1).as_bytes()).unwrap();
        client.write_all(begun.as_bytes()).unwrap();
        clients.push(client);
    }
    assert_eq!(hub.server.get("/api/models/acme/r").await.status(), 200);
    let taken = peak(&hub) - before;
    assert!(taken < 150, "{taken} MB");
    drop(clients);
    // Requests of honest clients still succeed.
    let large = json!({ "content": "x".repeat(SIZE), "repoType": "model" });
    assert_eq!(hub.post(VALIDATE, large).await.status(), 200);
    hub.commit(&[file("a", &"x".repeat(SIZE))]).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unread_responses_take_little_memory() {
    const SIZE: usize = 9_900_000;
    let hub = hub_with(&[]).await;
    hub.commit(&[file("a", &"x".repeat(SIZE))]).await;
    let content = vec![1; SIZE];
    hub.upload("acme/r", &content).await;
    hub.commit(&[lfs_file("m.bin", &content)]).await;
    let large = hub.server.link("/acme/r/resolve/main/m.bin").await;
    let large = large.strip_prefix(&hub.server.cdn).unwrap();
    let before = peak(&hub);
    let mut clients = Vec::new();
    for n in 0..60 {
        let (url, path) = if n % 2 == 0 {
            (&hub.server.endpoint, "/acme/r/raw/main/a")
        } else {
            (&hub.server.cdn, large)
        };
        let mut client = connect(url);
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        // It has started and does not continue.
        client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        client.read_exact(&mut [0; 9]).unwrap();
        clients.push(client);
    }
    let taken = peak(&hub) - before;
    assert!(taken < 200, "{taken} MB");
    // Clients that continue receive everything.
    for client in &mut clients[58..] {
        let mut rest = vec![0; SIZE];
        client.read_exact(&mut rest).unwrap();
    }
}

/// Sends a byte at intervals until the end of the test.
async fn trickle(url: &str, begun: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&begun).await.unwrap();
    tokio::spawn(async move {
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    })
}

/// Returns the 99th percentile of the duration of requests of 50 clients.
async fn slowest_of_honest(hub: &Hub) -> Duration {
    let client = async |n: usize| {
        let mut times = Vec::new();
        for round in 0..12 {
            let started = Instant::now();
            let response = match (n + round) % 3 {
                0 => hub.server.get("/api/models/acme/r").await,
                1 => hub.server.get_as(ANN, "/api/whoami-v2").await,
                _ => {
                    let wanted = json!({ "paths": [".gitattributes"] });
                    hub.send(Method::POST, "", "/api/models/acme/r/paths-info/main", wanted).await
                }
            };
            assert_eq!(response.status(), 200);
            response.bytes().await.unwrap();
            times.push(started.elapsed());
        }
        times
    };
    let mut times = join_all((0..50).map(client)).await.concat();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_slow_clients_do_not_slow_down_honest_ones() {
    let hub = hub_with(&[]).await;
    let put = head(&upload_path(&hub, &[1; 90]).await, "", 90).replace("POST", "PUT");
    let commit = head(COMMIT, ANN, 1000) + &body(&json!({ "summary": "x" }), &[]);
    let validate = head(VALIDATE, "", 1000) + "{";
    slowest_of_honest(&hub).await;
    // Other programs disturb single measurements; a blocked server would slow all of them.
    let mut measured = Vec::new();
    for _ in 0..5 {
        let idle = slowest_of_honest(&hub).await;
        let mut slow = Vec::new();
        for n in 0..1000 {
            let (url, begun) = match n % 10 {
                0 => (&hub.server.cdn, put.as_str()),
                1 => (&hub.server.endpoint, commit.as_str()),
                2 => (&hub.server.endpoint, "GET / HTTP/1.1\r\nX:"),
                _ => (&hub.server.endpoint, validate.as_str()),
            };
            slow.push(trickle(url, begun.as_bytes().to_vec()).await);
        }
        let loaded = slowest_of_honest(&hub).await;
        let alive = slow.iter().filter(|client| !client.is_finished()).count();
        slow.iter().for_each(tokio::task::JoinHandle::abort);
        assert_eq!(alive, 1000);
        if loaded <= 2 * idle {
            return;
        }
        measured.push((idle, loaded));
    }
    panic!("idle and loaded: {measured:?}");
}
