//! The test routes: the effect of every fault, and the contents of the request log.

mod common;

use std::time::{Duration, Instant};

use common::{Root, Server, header};
use reqwest::Method;
use serde_json::{Value, json};

const SIZE: usize = 300_000;
const FILE: &str = "/acme/r/resolve/main/x.bin";

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

struct Hub {
    server: Server,
    link: String,
    _root: Root,
}

async fn hub() -> Hub {
    let root = Root::new();
    root.import("acme/r", &[("x.bin", &content()), ("small.txt", b"small")], &[]);
    let server = root.serve(&["--test-control"]);
    let link = server.link(FILE).await;
    Hub { server, link, _root: root }
}

impl Hub {
    async fn plant(&self, fault: Value) {
        self.server.fault(json!({ "match": "*/x.bin", "fault": fault })).await;
    }

    async fn content_with(&self, fault: Value) -> reqwest::Response {
        self.server.no_faults().await;
        self.plant(fault).await;
        self.server.get(&self.link).await
    }

    async fn range_with(&self, fault: Value) -> reqwest::Response {
        self.server.no_faults().await;
        self.plant(fault).await;
        let request = self.server.request(Method::GET, &self.link).header("range", "bytes=100-");
        request.send().await.unwrap()
    }
}

/// Reads a body until it ends or the connection breaks.
async fn read(mut response: reqwest::Response) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return (body, true),
            Err(_) => return (body, false),
        }
    }
}

#[tokio::test]
async fn truncates_and_extends_bodies() {
    let hub = hub().await;
    for (fault, length) in [
        (json!({ "kind": "drop", "after": 0 }), 0),
        (json!({ "kind": "drop", "after": 1000 }), 1000),
        (json!({ "kind": "drop", "after": 299_999 }), 299_999),
        (json!({ "kind": "short", "by": 7 }), SIZE - 7),
    ] {
        let response = hub.content_with(fault.clone()).await;
        assert_eq!(header(&response, "content-length"), SIZE.to_string(), "{fault}");
        assert_eq!(read(response).await, (content()[..length].to_vec(), false), "{fault}");
    }
    let response = hub.content_with(json!({ "kind": "long", "by": 7 })).await;
    assert_eq!(header(&response, "content-length"), (SIZE + 7).to_string());
    let (body, whole) = read(response).await;
    assert!(whole && body.len() == SIZE + 7 && body.starts_with(&content()));

    let response = hub.content_with(json!({ "kind": "chunked" })).await;
    assert_eq!(
        (header(&response, "content-length"), header(&response, "transfer-encoding")),
        ("", "chunked")
    );
    assert_eq!(read(response).await, (content(), true));
}

#[tokio::test]
async fn modifies_bodies() {
    let hub = hub().await;
    let mut expected = content();
    expected[1000] ^= 1;
    let response = hub.content_with(json!({ "kind": "corrupt", "at": 1000 })).await;
    assert_eq!(read(response).await, (expected.clone(), true));
    let response = hub.range_with(json!({ "kind": "corrupt", "at": 1000 })).await;
    assert_eq!(read(response).await, (expected[100..].to_vec(), true));

    let response = hub.content_with(json!({ "kind": "gzip" })).await;
    assert_eq!(header(&response, "content-encoding"), "gzip");
    assert_eq!(read(response).await.0[..2], [0x1f, 0x8b]);

    hub.server.no_faults().await;
    let rule =
        json!({ "match": "/tree/", "fault": { "kind": "body", "text": "[{\"path\":\"../x\"}]" } });
    hub.server.fault(rule).await;
    assert_eq!(hub.server.json("/api/models/acme/r/tree/main").await[0]["path"], "../x");
}

#[tokio::test]
async fn slows_down_and_stalls_bodies() {
    let hub = hub().await;
    for fault in [
        json!({ "kind": "throttle", "bytes_per_second": 600_000 }),
        json!({ "kind": "dribble", "bytes": 30_000, "every_ms": 50 }),
        json!({ "kind": "dribble", "bytes": 1, "every_ms": 100, "after": SIZE - 5 }),
    ] {
        let started = Instant::now();
        let response = hub.content_with(fault.clone()).await;
        assert_eq!(read(response).await, (content(), true));
        let elapsed = started.elapsed();
        assert!(
            elapsed > Duration::from_millis(400) && elapsed < Duration::from_secs(3),
            "{fault} {elapsed:?}"
        );
    }
    let mut response = hub.content_with(json!({ "kind": "stall", "after": 5 })).await;
    assert_eq!(response.chunk().await.unwrap().unwrap(), content()[..5]);
    assert!(tokio::time::timeout(Duration::from_millis(300), response.chunk()).await.is_err());
}

#[tokio::test]
async fn fast_throttled_bodies_arrive_whole_and_no_sooner_than_their_speed_allows() {
    let root = Root::new();
    let content = content().repeat(67);
    root.import("acme/r", &[("x.bin", &content)], &[]);
    let server = root.serve(&["--test-control"]);
    let link = server.link(FILE).await;
    let fault = json!({ "kind": "throttle", "bytes_per_second": 200_000_000 });
    server.fault(json!({ "match": "*/x.bin", "fault": fault })).await;
    let started = Instant::now();
    assert_eq!(read(server.get(&link).await).await, (content, true));
    assert!(started.elapsed() > Duration::from_millis(90), "{:?}", started.elapsed());
}

#[tokio::test]
async fn sends_wrong_ranges() {
    let hub = hub().await;
    let response = hub.range_with(json!({ "kind": "ignore_range" })).await;
    assert_eq!(response.status(), 200);
    assert_eq!(read(response).await, (content(), true));
    let response = hub.range_with(json!({ "kind": "wrong_range", "shift": 10 })).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-range")),
        (206, "bytes 110-299999/300000")
    );
    assert_eq!(read(response).await, (content()[110..].to_vec(), true));
    let response = hub.range_with(json!({ "kind": "range_416" })).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-range")),
        (416, "bytes */300000")
    );
    assert_eq!(hub.server.get(&hub.link).await.status(), 200);
}

#[tokio::test]
async fn sends_wrong_headers() {
    let hub = hub().await;
    hub.plant(json!({ "kind": "etag", "value": "\"odd\"" })).await;
    hub.plant(json!({ "kind": "header", "name": "X-Repo-Commit", "value": null })).await;
    hub.plant(json!({ "kind": "header", "name": "Location", "value": "http://evil.test/" })).await;
    let response = hub.server.get(FILE).await;
    assert_eq!(response.status(), 302);
    for (name, value) in [
        ("x-linked-etag", "\"odd\""),
        ("x-repo-commit", ""),
        ("location", "http://evil.test/"),
        ("etag", ""),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    assert_eq!(header(&hub.server.get(&hub.link).await, "etag"), "\"odd\"");
}

#[tokio::test]
async fn sends_made_up_responses() {
    let hub = hub().await;
    let fault =
        json!({ "kind": "status", "code": 503, "headers": { "Retry-After": "1" }, "body": "busy" });
    let response = hub.content_with(fault).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "1"));
    assert_eq!(response.text().await.unwrap(), "busy");
    let response = hub.content_with(json!({ "kind": "rate_limit", "seconds": 9 })).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "ratelimit")),
        (429, "\"api\";r=0;t=9")
    );
    assert!(header(&response, "ratelimit-policy").contains("q=500;w=300"));
    let response = hub
        .content_with(json!({ "kind": "redirect", "location": "/elsewhere", "code": 301 }))
        .await;
    assert_eq!((response.status().as_u16(), header(&response, "location")), (301, "/elsewhere"));
    let response = hub.content_with(json!({ "kind": "expired" })).await;
    assert_eq!(response.status(), 403);
    assert!(response.text().await.unwrap().contains("Request has expired"));
    assert_eq!(hub.server.get(FILE).await.status(), 302, "links of the hub do not expire");

    hub.server
        .fault(json!({ "match": "small.txt", "times": 1, "fault": { "kind": "direct" } }))
        .await;
    assert_eq!(hub.server.get("/acme/r/resolve/main/small.txt").await.status(), 200);
    assert_eq!(hub.server.get("/acme/r/resolve/main/small.txt").await.status(), 307);
}

#[tokio::test]
async fn delays_or_drops_responses() {
    let hub = hub().await;
    let started = Instant::now();
    assert_eq!(hub.content_with(json!({ "kind": "delay", "ms": 300 })).await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(300));

    hub.server.no_faults().await;
    hub.plant(json!({ "kind": "hang" })).await;
    let hanging = tokio::time::timeout(Duration::from_millis(300), hub.server.get(&hub.link)).await;
    assert!(hanging.is_err());
    let aborted = |requests: &[Value]| requests.last().is_some_and(|last| last["aborted"] == true);
    let requests = hub.server.requests_when(aborted).await;
    assert_eq!(requests.last().unwrap()["status"], Value::Null);

    hub.server.no_faults().await;
    hub.plant(json!({ "kind": "hang_up" })).await;
    assert!(hub.server.request(Method::GET, &hub.link).send().await.is_err());
}

#[tokio::test]
async fn faults_fire_when_due_and_can_be_combined() {
    let hub = hub().await;
    let rule = json!({
        "match": "x.bin", "origin": "cdn", "method": "GET", "skip": 1, "times": 1,
        "fault": { "kind": "status", "code": 500 },
    });
    hub.server.fault(rule).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(hub.server.get(&hub.link).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 200]);
    let listed = hub.server.json("/_test/faults").await;
    assert_eq!(
        (&listed[0]["seen"], &listed[0]["fired"], &listed[0]["match"]),
        (&json!(3), &json!(1), &json!("x.bin"))
    );

    hub.server.no_faults().await;
    hub.plant(json!({ "kind": "ignore_range" })).await;
    hub.plant(json!({ "kind": "corrupt", "at": 0 })).await;
    hub.plant(json!({ "kind": "drop", "after": 10 })).await;
    let response = hub
        .server
        .request(Method::GET, &hub.link)
        .header("range", "bytes=5-")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(read(response).await, (vec![1, 1, 2, 3, 4, 5, 6, 7, 8, 9], false));

    let response = hub
        .server
        .request(Method::POST, "/_test/faults")
        .json(&json!({ "match": "x" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn the_log_records_requests() {
    let hub = hub().await;
    hub.server.request(Method::DELETE, "/_test/requests").send().await.unwrap();
    let request =
        hub.server.request(Method::GET, "/acme/r/resolve/main/small.txt?x=1").bearer_auth("bad");
    request.header("user-agent", "me").header("x-hf-download-counter", "1").send().await.unwrap();
    hub.server.get(&hub.link).await.bytes().await.unwrap();
    hub.server
        .request(Method::GET, &hub.link)
        .bearer_auth("x")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    hub.server.request(Method::HEAD, &hub.link).send().await.unwrap();
    let all_ended = |requests: &[Value]| {
        requests.len() == 4 && requests.iter().all(|r| !r["ended_ms"].is_null())
    };
    let requests = hub.server.requests_when(all_ended).await;

    let first = &requests[0];
    for (name, value) in [
        ("origin", json!("hub")),
        ("method", json!("GET")),
        ("path", json!("/acme/r/resolve/main/small.txt")),
        ("query", json!("x=1")),
        ("status", json!(401)),
        ("authorization", json!(true)),
        ("user_agent", json!("me")),
        ("counter", json!("1")),
        ("range", Value::Null),
        ("finished", json!(true)),
        ("aborted", json!(false)),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    let sent = requests.iter().map(|request| request["bytes_sent"].clone()).collect::<Vec<_>>();
    assert_eq!(sent[1..], [json!(SIZE), sent[2].clone(), json!(0)]);
    assert!(requests.iter().all(|request| request["finished"] == true), "{requests:#?}");
    let connections = hub.server.json("/_test/connections").await;
    assert_eq!(connections["cdn"]["authorization_refused"], 1);
    assert!(
        connections["cdn"]["accepted"].as_u64().unwrap() >= 1
            && connections["hub"]["open"].as_u64().unwrap() >= 1
    );
}

#[tokio::test]
async fn the_log_records_clients_that_left_early() {
    let hub = hub().await;
    hub.plant(json!({ "kind": "throttle", "bytes_per_second": 100_000 })).await;
    let mut response = hub.server.get(&hub.link).await;
    response.chunk().await.unwrap();
    drop(response);
    let last_is_over =
        |requests: &[Value]| requests.last().is_some_and(|last| !last["ended_ms"].is_null());
    let requests = hub.server.requests_when(last_is_over).await;
    let last = requests.last().unwrap();
    assert_eq!((&last["aborted"], &last["finished"]), (&json!(true), &json!(false)));
    assert!(last["bytes_sent"].as_u64().unwrap() < SIZE as u64);
}
