//! Large files: in one piece, in parts, several at once, and with dishonest clients.

use std::io::{Read, Write};

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{connect, header, raw};
use crate::hub::{ANN, BOB, Hub, READER, error, hub, hub_with, oid};

const CONTENT: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn upload_link(object: &Value) -> String {
    object["actions"]["upload"]["href"].as_str().unwrap().to_owned()
}

fn part_links(object: &Value) -> Vec<String> {
    let header = object["actions"]["upload"]["header"].as_object().unwrap();
    assert_eq!(header["chunk_size"], "10");
    let numbered = header.iter().filter(|(name, _)| name.bytes().all(|b| b.is_ascii_digit()));
    let mut links =
        numbered.map(|(name, link)| (name.parse::<u64>().unwrap(), link)).collect::<Vec<_>>();
    links.sort_unstable_by_key(|(number, _)| *number);
    assert!(links.iter().map(|(number, _)| *number).eq(1..=links.len() as u64));
    links.iter().map(|(_, link)| link.as_str().unwrap().to_owned()).collect()
}

/// Uploads all parts and returns the body that completes the upload.
async fn put_parts(hub: &Hub, object: &Value, content: &[u8]) -> Value {
    let mut parts = Vec::new();
    for (number, (link, chunk)) in part_links(object).iter().zip(content.chunks(10)).enumerate() {
        let response = hub.put(link, chunk).await;
        assert_eq!(response.status(), 200);
        parts.push(json!({ "partNumber": number + 1, "etag": header(&response, "etag") }));
    }
    json!({ "oid": oid(content), "parts": parts })
}

async fn complete(hub: &Hub, object: &Value, json: &Value) -> u16 {
    hub.send(Method::POST, "", &upload_link(object), json.clone()).await.status().as_u16()
}

fn stored(hub: &Hub, content: &[u8]) -> Option<Vec<u8>> {
    let oid = oid(content);
    std::fs::read(hub.root.path().join("lfs").join(&oid[..2]).join(&oid[2..4]).join(oid)).ok()
}

async fn verify(hub: &Hub, token: &str, content: &[u8], size: usize) -> u16 {
    let json = json!({ "oid": oid(content), "size": size });
    let path = "/acme/r.git/info/lfs/objects/verify";
    hub.send(Method::POST, token, path, json).await.status().as_u16()
}

#[tokio::test]
async fn batches_respond_like_the_hub() {
    let hub = hub().await;
    hub.upload("acme/r", b"here").await;
    let objects = json!([
        { "oid": oid(b"small"), "size": 5 },
        { "oid": oid(CONTENT), "size": CONTENT.len() },
        { "oid": oid(b"here"), "size": 4 },
        { "oid": oid(b"here"), "size": 5 },
        { "oid": "../../etc/passwd", "size": 5 },
        { "oid": oid(b"x").to_uppercase(), "size": 1 },
    ]);
    let batch = hub.batch_of("acme/r", objects).await;
    assert_eq!(batch["transfer"], "multipart");
    let objects = batch["objects"].as_array().unwrap();
    assert!(upload_link(&objects[0]).starts_with(&hub.server.cdn));
    assert!(objects[0]["actions"]["upload"]["header"].is_null());
    assert_eq!(objects[0]["actions"]["upload"]["expires_in"], 3600);
    let verify = format!("{}/acme/r.git/info/lfs/objects/verify", hub.server.endpoint);
    assert_eq!(objects[0]["actions"]["verify"]["href"], verify);
    assert!(upload_link(&objects[1]).starts_with(&hub.server.endpoint));
    let links = part_links(&objects[1]);
    assert!(links.len() == 4 && links.iter().all(|link| link.starts_with(&hub.server.cdn)));
    assert_eq!(objects[2], json!({ "oid": oid(b"here"), "size": 4 }));
    for object in &objects[3..] {
        assert_eq!(object["error"]["code"], 422, "{object}");
        assert!(object["error"]["message"].is_string() && object["actions"].is_null());
    }

    let path = "/acme/r.git/info/lfs/objects/batch";
    let request = |operation: &str, reference: Option<&str>| {
        json!({
            "operation": operation, "objects": [{ "oid": oid(CONTENT), "size": CONTENT.len() }],
            "ref": reference.map(|name| json!({ "name": name })),
        })
    };
    for (algorithm, status) in [("sha256", 200), ("sha_256", 200), ("md5", 400)] {
        let mut request = request("upload", Some("main"));
        request["hash_algo"] = algorithm.into();
        assert_eq!(hub.post(path, request).await.status(), status, "{algorithm}");
    }
    let response = hub.post(path, request("upload", Some("main"))).await;
    assert_eq!(header(&response, "content-type"), "application/vnd.git-lfs+json");
    assert_eq!(response.json::<Value>().await.unwrap()["transfer"], "basic");
    for (token, operation, reference, status) in [
        (ANN, "compress", Some("main"), 400),
        ("", "download", Some("refs/heads/main"), 200),
        (ANN, "upload", Some("refs/heads/main"), 200),
        (BOB, "upload", Some("main"), 403),
        (BOB, "upload", None, 200),
        (READER, "upload", None, 403),
        ("", "upload", None, 401),
    ] {
        let response = hub.send(Method::POST, token, path, request(operation, reference)).await;
        assert_eq!(response.status(), status, "{token} {operation} {reference:?}");
    }
}

#[tokio::test]
async fn uploads_content_in_one_piece() {
    let hub = hub().await;
    let object = hub.batch("acme/r", b"hello").await;
    let response = hub.put(&upload_link(&object), b"hello").await;
    assert_eq!(response.status(), 200);
    assert!(header(&response, "etag").starts_with('"'));
    assert_eq!(stored(&hub, b"hello").unwrap(), b"hello");
    // Sent again, as after a lost response.
    assert_eq!(hub.put(&upload_link(&object), b"hello").await.status(), 200);
    assert_eq!(verify(&hub, ANN, b"hello", 5).await, 200);
    assert_eq!(verify(&hub, ANN, b"hello", 6).await, 404);
    assert_eq!(verify(&hub, ANN, b"other", 5).await, 404);
    assert_eq!(verify(&hub, "", b"hello", 5).await, 401);
    assert_eq!(hub.leftovers(), 0);
    let put = |requests: &[Value]| requests.iter().filter(|r| r["method"] == "PUT").count() == 2;
    let requests = hub.server.requests_when(put).await;
    let put = requests.iter().find(|request| request["method"] == "PUT").unwrap();
    assert_eq!((&put["bytes_received"], &put["origin"]), (&json!(5), &json!("cdn")));
}

#[tokio::test]
async fn links_accept_only_the_content_they_were_signed_for() {
    let hub = hub().await;
    let link = upload_link(&hub.batch("acme/r", b"hello").await);
    for (body, code) in [
        (&b"HELLO"[..], "BadDigest"),
        (b"hell", "EntityTooLarge"),
        (b"hello!", "EntityTooLarge"),
        (b"", "EntityTooLarge"),
    ] {
        let response = hub.put(&link, body).await;
        assert_eq!(response.status(), 400);
        assert!(response.text().await.unwrap().contains(code), "{code}");
    }
    // The same without an announced size.
    for body in ["HELLO", "hell", "hello!"] {
        let path = link.strip_prefix(&hub.server.cdn).unwrap();
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        assert!(raw(&hub.server.cdn, request.as_bytes()).starts_with("HTTP/1.1 400"), "{body}");
    }
    let request = hub.server.request(Method::PUT, &link).bearer_auth(ANN).body("hello");
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(hub.server.get(&link).await.status(), 405);
    for (forged, status) in [
        (link.replace("/5/", "/6/"), 403),
        (link.replace(&oid(b"hello"), &oid(b"world")), 403),
        (link.replace("acme", "ann"), 403),
        (link.replace("Expires=", "Expires=9"), 403),
        (link.split('?').next().unwrap().to_owned(), 403),
        (link.replace("/upload/", "/other/"), 404),
        (link.replace("/upload/", "/lfs/"), 405),
    ] {
        assert_eq!(hub.put(&forged, b"hello").await.status(), status, "{forged}");
    }
    assert_eq!(stored(&hub, b"hello"), None);
    assert_eq!(hub.leftovers(), 0);
    assert_eq!(hub.put(&link, b"hello").await.status(), 200);
}

#[tokio::test]
async fn links_expire() {
    let hub =
        hub_with(&["--link-ttl", "0", "--multipart-threshold", "25", "--part-size", "10"]).await;
    let link = upload_link(&hub.batch("acme/r", b"hello").await);
    let response = hub.put(&link, b"hello").await;
    assert_eq!(response.status(), 403);
    assert!(response.text().await.unwrap().contains("Request has expired"));
    let object = hub.batch("acme/r", CONTENT).await;
    assert_eq!(hub.put(&part_links(&object)[0], &CONTENT[..10]).await.status(), 403);
    assert_eq!(complete(&hub, &object, &json!({ "oid": oid(CONTENT), "parts": [] })).await, 403);
    assert_eq!(hub.leftovers(), 0);
}

#[tokio::test]
async fn an_error_response_arrives_while_a_body_is_being_sent() {
    let hub = hub_with(&["--link-ttl", "0"]).await;
    let content = vec![1; 100 << 20];
    let link = upload_link(&hub.batch("acme/r", &content).await);
    let path = link.strip_prefix(&hub.server.cdn).unwrap();
    let mut stream = connect(&hub.server.cdn);
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", content.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&content).unwrap();
    // The connection can still be used.
    stream.write_all(b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 403") && answers.contains("HTTP/1.1 404"), "{answers}");
}

#[tokio::test]
async fn uploads_content_in_parts() {
    let hub = hub().await;
    let object = hub.batch("acme/r", CONTENT).await;
    let json = put_parts(&hub, &object, CONTENT).await;
    // A part may be sent twice, even with other content.
    let first = &part_links(&object)[0];
    assert_eq!(hub.put(first, b"0000000000").await.status(), 200);
    assert_eq!(complete(&hub, &object, &json).await, 200);
    assert_eq!(stored(&hub, CONTENT).unwrap(), CONTENT);
    assert_eq!(hub.leftovers(), 0);
    // Sent again, as after a lost response.
    assert_eq!(complete(&hub, &object, &json).await, 200);
    assert!(hub.batch("acme/r", CONTENT).await["actions"].is_null());
    assert_eq!(verify(&hub, ANN, CONTENT, CONTENT.len()).await, 200);
}

#[tokio::test]
async fn rejects_parts_that_do_not_match() {
    let hub = hub().await;
    let object = hub.batch("acme/r", CONTENT).await;
    let links = part_links(&object);
    assert_eq!(hub.put(&links[0], b"short").await.status(), 400);
    assert_eq!(hub.put(&links[3], b"0123456789").await.status(), 400);
    let request = hub.server.request(Method::PUT, &links[0]).bearer_auth(ANN).body("0123456789");
    assert_eq!(request.send().await.unwrap().status(), 400);
    assert_eq!(hub.leftovers(), 0);

    let good = put_parts(&hub, &object, CONTENT).await;
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut json = good.clone();
        change(json["parts"].as_array_mut().unwrap());
        json
    };
    let mut other_oid = good.clone();
    other_oid["oid"] = oid(b"other").into();
    for (json, what) in [
        (with(&|parts| parts.swap(0, 1)), "order"),
        (with(&|parts| parts.truncate(3)), "missing"),
        (with(&Vec::clear), "none"),
        (with(&|parts| parts.push(parts[3].clone())), "too many"),
        (with(&|parts| parts[1]["etag"] = "\"odd\"".into()), "odd etag"),
        (with(&|parts| parts[1]["etag"] = "../../../users".into()), "traversal"),
        (with(&|parts| parts[1]["etag"] = parts[0]["etag"].clone()), "wrong etag"),
        (with(&|parts| parts[0]["partNumber"] = 0.into()), "zero"),
        (other_oid, "other oid"),
        (json!({}), "empty"),
    ] {
        assert_eq!(complete(&hub, &object, &json).await, 400, "{what}");
    }
    let forged = upload_link(&object).replace("Signature=", "Signature=00");
    let response = hub.send(Method::POST, "", &forged, good.clone()).await;
    assert_eq!(error(response).await, (403, "The signature of this link is not valid".into()));
    assert_eq!(stored(&hub, CONTENT), None);
    assert_eq!(complete(&hub, &object, &good).await, 200);
}

#[tokio::test]
async fn rejects_and_removes_parts_of_other_content() {
    let hub = hub().await;
    let object = hub.batch("acme/r", CONTENT).await;
    let mut wrong = CONTENT.to_vec();
    wrong[20] ^= 1;
    let mut json = put_parts(&hub, &object, &wrong).await;
    json["oid"] = oid(CONTENT).into();
    let response = hub.send(Method::POST, "", &upload_link(&object), json).await;
    let (status, message) = error(response).await;
    assert_eq!(status, 400);
    assert!(message.contains(&oid(CONTENT)), "{message}");
    assert!(stored(&hub, CONTENT).is_none() && stored(&hub, &wrong).is_none());
    assert_eq!(hub.leftovers(), 0);
}

#[tokio::test]
async fn concurrent_uploads_of_the_same_content_succeed() {
    let hub = hub().await;
    let link = upload_link(&hub.batch("acme/r", b"hello").await);
    for response in futures_util::future::join_all((0..8).map(|_| hub.put(&link, b"hello"))).await {
        assert_eq!(response.status(), 200);
    }
    let object = hub.batch("acme/r", CONTENT).await;
    let json = put_parts(&hub, &object, CONTENT).await;
    let all = (0..8).map(|_| complete(&hub, &object, &json));
    assert_eq!(futures_util::future::join_all(all).await, [200; 8]);
    assert_eq!(stored(&hub, b"hello").unwrap(), b"hello");
    assert_eq!(stored(&hub, CONTENT).unwrap(), CONTENT);
    assert_eq!(hub.leftovers(), 0);
}

#[tokio::test]
async fn an_interrupted_upload_leaves_nothing() {
    let hub = hub().await;
    let link = upload_link(&hub.batch("acme/r", &[1; 20]).await);
    let path = link.strip_prefix(&hub.server.cdn).unwrap();
    let mut stream = connect(&hub.server.cdn);
    let request = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\nxxxxxxxxxx");
    stream.write_all(request.as_bytes()).unwrap();
    let received = |requests: &[Value]| requests.iter().any(|r| r["method"] == "PUT");
    hub.server.requests_when(received).await;
    drop(stream);
    let over = |requests: &[Value]| {
        let put = requests.iter().find(|request| request["method"] == "PUT");
        put.is_some_and(|put| put["status"] == 400 && put["bytes_received"] == 10)
    };
    hub.server.requests_when(over).await;
    assert_eq!(hub.leftovers(), 0);
    assert_eq!(stored(&hub, &[1; 20]), None);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_does_not_grow_with_the_upload() {
    let hub = hub_with(&["--multipart-threshold", "100000000", "--part-size", "64000000"]).await;
    let size = 200 << 20;
    let content = vec![7; size];
    let object = hub.batch("acme/r", &content).await;
    let links = object["actions"]["upload"]["header"].as_object().unwrap();
    let mut parts = Vec::new();
    for (number, chunk) in content.chunks(64_000_000).enumerate() {
        let link = links[&format!("{:05}", number + 1)].as_str().unwrap();
        let response = hub.put(link, chunk).await;
        parts.push(json!({ "partNumber": number + 1, "etag": header(&response, "etag") }));
    }
    let json = json!({ "oid": oid(&content), "parts": parts });
    assert_eq!(complete(&hub, &object, &json).await, 200);
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", hub.server.process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 60_000, "{kilobytes} kB");
}

#[tokio::test]
async fn faults_interrupt_uploads() {
    let hub = hub().await;
    let object = hub.batch("acme/r", CONTENT).await;
    let link = &part_links(&object)[0];
    let plant = |fault: Value| {
        hub.server.fault(json!({ "match": "/part/", "method": "put", "times": 1, "fault": fault }))
    };
    let put = || hub.server.request(Method::PUT, link).body("0123456789").send();

    plant(json!({ "kind": "drop_request", "after": 4 })).await;
    assert!(put().await.is_err());
    // Its response, which is dropped, must not meet the next fault.
    let is_over = |request: &Value| request["method"] == "PUT" && !request["ended_ms"].is_null();
    hub.server.requests_when(|requests| requests.iter().any(is_over)).await;
    plant(json!({ "kind": "lose_answer" })).await;
    assert!(put().await.is_err());
    for (fault, status) in [
        (json!({ "kind": "status", "code": 503 }), 503),
        (json!({ "kind": "expired" }), 403),
        (json!({ "kind": "rate_limit", "seconds": 1 }), 429),
    ] {
        plant(fault).await;
        assert_eq!(put().await.unwrap().status(), status);
    }
    plant(json!({ "kind": "throttle_request", "bytes_per_second": 40 })).await;
    let started = std::time::Instant::now();
    assert_eq!(put().await.unwrap().status(), 200);
    assert!(started.elapsed() >= std::time::Duration::from_millis(200), "10 bytes, 40 a second");
    plant(json!({ "kind": "etag", "value": "\"odd\"" })).await;
    assert_eq!(header(&put().await.unwrap(), "etag"), "\"odd\"");
    assert_eq!(put().await.unwrap().status(), 200);
    let faults = hub.server.json("/_test/faults").await;
    assert!(faults.as_array().unwrap().iter().all(|fault| fault["fired"] == 1), "{faults}");
    let requests = hub.server.json("/_test/requests").await;
    let puts = requests.as_array().unwrap().iter().filter(|r| r["method"] == "PUT");
    let statuses = puts.map(|r| r["status"].as_u64()).collect::<Vec<_>>();
    // The interruption may be noticed before or after the connection is closed.
    assert!(matches!(statuses[0], None | Some(400)), "{statuses:?}");
    let rest = [503, 403, 429, 200, 200, 200].map(Some);
    assert_eq!(statuses[1..], [[None].as_slice(), &rest].concat());

    // A commit whose response is lost has still been created.
    let rule = json!({ "match": "/commit/", "times": 1, "fault": { "kind": "lose_answer" } });
    hub.server.fault(rule).await;
    let head = hub.head("acme/r");
    let path = "/api/models/acme/r/commit/main";
    let body = crate::hub::body(&json!({ "summary": "x" }), &[]);
    let request = hub.server.request(Method::POST, path).bearer_auth(ANN).body(body);
    assert!(request.send().await.is_err());
    assert_ne!(hub.head("acme/r"), head);
}
