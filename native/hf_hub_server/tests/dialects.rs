//! Dialects and their faults: the Hub responds like other servers for one repository.

mod common;

use common::{Root, Server, header};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const SUFFIX: &str = "5ca1ab1e5ca1ab1e5ca1ab1e";
const CARD: &[u8] = b"hello";
const CARD_SHA1: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
const CARD_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const CARD_OID: &str = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
const TOKEN: &str = "hf_dialect";

struct Hub {
    server: Server,
    commit: String,
    _root: Root,
}

async fn hub(dialect: &str) -> Hub {
    let root = Root::new();
    root.run(&["user", "add", "me", "--token", TOKEN]);
    let large = vec![7; 100_000];
    let files: [(&str, &[u8]); 6] = [
        ("card.txt", CARD),
        ("data/1.txt", b"1"),
        ("data/2.txt", b"2"),
        ("data/3.txt", b"3"),
        ("x.safetensors", &large),
        ("ü.txt", b"4"),
    ];
    let commit = root.import("me/r", &files, &[]);
    root.import("me/other", &files[..2], &[]);
    let server = root.serve(&["--test-control"]);
    let hub = Hub { server, commit, _root: root };
    hub.speak(dialect, "me/r").await;
    hub
}

impl Hub {
    async fn speak(&self, dialect: &str, repo: &str) -> String {
        let request = self.server.request(Method::POST, "/_test/dialects");
        let body = json!({ "dialect": dialect, "repo": repo });
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{dialect}");
        let answer: Value = answer.json().await.unwrap();
        answer["prefix"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Response {
        self.server.get(path).await
    }

    async fn head(&self, path: &str) -> Response {
        self.server.request(Method::HEAD, path).send().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.server.request(Method::POST, path).bearer_auth(TOKEN);
        request.json(&body).send().await.unwrap()
    }
}

#[tokio::test]
async fn commits_have_64_digits_in_responses_and_requests() {
    let hub = hub("commits_sha256").await;
    let commit = format!("{}{SUFFIX}", hub.commit);
    let info = hub.server.json("/api/models/me/r").await;
    assert_eq!(info["sha"], commit);
    let refs = hub.server.json("/api/models/me/r/refs").await;
    assert_eq!(refs["branches"][0]["targetCommit"], commit);
    assert_eq!(hub.server.json("/api/models/me/r/commits/main").await[0]["id"], commit);
    let file = hub.get(&format!("/me/r/resolve/{commit}/card.txt")).await;
    assert_eq!((file.status().as_u16(), header(&file, "x-repo-commit")), (307, commit.as_str()));
    let body = json!({ "startingPoint": commit });
    assert_eq!(hub.post("/api/models/me/r/branch/dev", body).await.status(), 200);
    let lines = format!(
        "{}\n{}\n",
        json!({ "key": "header", "value": { "summary": "s", "parentCommit": commit } }),
        json!({ "key": "deletedFile", "value": { "path": "data/1.txt" } })
    );
    let request = hub.server.request(Method::POST, "/api/models/me/r/commit/main");
    let request = request.bearer_auth(TOKEN).header("content-type", "application/x-ndjson");
    let made: Value = request.body(lines).send().await.unwrap().json().await.unwrap();
    assert_eq!(made["commitOid"].as_str().unwrap().len(), 64, "{made}");
    assert!(made["commitUrl"].as_str().unwrap().ends_with(SUFFIX), "{made}");
    assert_eq!(hub.server.json("/api/models/me/other").await["sha"].as_str().unwrap().len(), 40);
}

#[tokio::test]
async fn listings_link_to_other_hosts_and_have_short_pages() {
    let hub = hub("link_to_upstream").await;
    let page = hub.get("/api/models/me/r/tree/main?recursive=true").await;
    let link = header(&page, "link").to_owned();
    assert!(link.starts_with("<https://huggingface.co/api/models/me/r/tree/main?"), "{link}");
    assert_eq!(page.json::<Value>().await.unwrap().as_array().unwrap().len(), 3);

    hub.server.no_faults().await;
    hub.speak("link_that_loops", "me/r").await;
    let next = link[1..].split('>').next().unwrap().replace("https://huggingface.co", "");
    let first = hub.server.json("/api/models/me/r/tree/main?recursive=true").await;
    assert_eq!(hub.server.json(&next).await, first);
    let request = hub.server.request(Method::GET, &next).header("host", "huggingface.co");
    assert_ne!(request.send().await.unwrap().json::<Value>().await.unwrap(), first);

    hub.server.no_faults().await;
    let prefix = hub.speak("link_with_prefix", "me/r").await;
    let page = hub.get(&format!("{prefix}/api/models/me/r/tree/main?recursive=true")).await;
    let start = format!("<https://huggingface.co{prefix}/api/models/me/r/tree/main?");
    assert!(header(&page, "link").starts_with(&start), "{}", header(&page, "link"));
}

#[tokio::test]
async fn an_endpoint_with_a_path_serves_every_route() {
    let hub = hub("prefix").await;
    let file = hub.get("/repository/hf/me/r/resolve/main/card.txt").await;
    let location = header(&file, "location");
    assert!(location.starts_with("/repository/hf/api/resolve-cache/"), "{location}");
    assert_eq!(hub.get(location).await.text().await.unwrap().as_bytes(), CARD);
    let whoami = "/repository/hf/api/whoami-v2";
    let whoami = hub.server.request(Method::GET, whoami).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(whoami.json::<Value>().await.unwrap()["name"], "me");
}

#[tokio::test]
async fn reads_are_redirected_with_their_path_and_query() {
    let hub = hub("hf_mirror").await;
    for path in ["/api/models/me/r/tree/main?recursive=true", "/me/r/resolve/main/x.safetensors"] {
        let answer = hub.get(path).await;
        let location = format!("https://huggingface.co{path}");
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (308, &*location));
        assert_eq!(hub.head(path).await.status(), 308);
    }
    assert_eq!(hub.post("/api/models/me/r/branch/dev", json!({})).await.status(), 200);
    assert_eq!(hub.get("/api/models/me/other").await.status(), 200);
}

#[tokio::test]
async fn files_have_other_headers() {
    let hub = hub("metadata_on_head").await;
    let path = "/me/r/resolve/main/x.safetensors";
    let headers = ["x-repo-commit", "etag"];
    let head = hub.head(path).await;
    assert!(headers.iter().all(|name| !header(&head, name).is_empty()), "{head:?}");
    let get = hub.get(path).await;
    assert_eq!(get.status(), 200);
    assert!(headers.iter().all(|name| header(&get, name).is_empty()), "{get:?}");
    assert_eq!(get.bytes().await.unwrap(), vec![7; 100_000]);

    for (dialect, expected) in [
        ("commit_is_revision", [CARD_OID, "main", ""]),
        ("no_commit", [CARD_OID, "", ""]),
        ("no_etag", ["", &hub.commit, ""]),
        ("etag_in_braces", [&format!("{{SHA1{{{CARD_OID}}}}}"), &hub.commit, ""]),
        ("etag_is_sha1", [CARD_SHA1, &hub.commit, CARD_SHA256]),
        ("etag_is_bare_sha1", [CARD_SHA1, &hub.commit, ""]),
    ] {
        hub.server.no_faults().await;
        hub.speak(dialect, "me/r").await;
        let file = hub.get("/me/r/resolve/main/card.txt").await;
        let found = ["etag", "x-repo-commit", "x-checksum-sha256"].map(|name| header(&file, name));
        assert_eq!(found.map(|value| value.trim_matches('"')), expected, "{dialect}");
    }
}

#[tokio::test]
async fn ranges_have_other_headers() {
    let hub = hub("content_at_once").await;
    for (dialect, status, range) in [
        ("range_unnamed", 206, ""),
        ("range_with_equals", 206, "bytes=3-99999/100000"),
        ("range_unit_capital", 206, "Bytes 3-99999/100000"),
        ("range_elsewhere", 206, "bytes 4-99999/100000"),
        ("range_ignored", 200, ""),
        ("range_multipart", 206, ""),
    ] {
        hub.server.no_faults().await;
        hub.speak("content_at_once", "me/r").await;
        hub.speak(dialect, "me/r").await;
        let request = hub.server.request(Method::GET, "/me/r/resolve/main/x.safetensors");
        let part = request.header("range", "bytes=3-").send().await.unwrap();
        let found = (part.status().as_u16(), header(&part, "content-range"));
        assert_eq!(found, (status, range), "{dialect}");
        let length: usize = header(&part, "content-length").parse().unwrap();
        let body = part.bytes().await.unwrap();
        assert_eq!(body.len(), length, "{dialect}");
        let head = b"\r\nContent-Range: bytes 3-99999/100000\r\n\r\n\x07";
        let has_head = body.windows(head.len()).any(|window| window == head);
        assert_eq!(has_head, dialect == "range_multipart", "{dialect}");
    }
}

#[tokio::test]
async fn bodies_and_headers_have_other_formats() {
    let hub = hub("json_with_mark").await;
    let body = hub.get("/api/models/me/r").await.bytes().await.unwrap();
    assert_eq!(body[..4], *"\u{feff}{".as_bytes());
    for (dialect, path, wanted) in [
        ("json_with_nan", "/api/models/me/r", "\"downloads\":NaN".to_owned()),
        ("tree_oids_opaque", "/api/models/me/r/tree/main", format!("\"oid\":\"v1:{CARD_OID}\"")),
        ("html_for_json", "/api/models/me/r", "<!DOCTYPE html>".to_owned()),
        ("html_for_files", "/me/r/resolve/main/card.txt", "<!DOCTYPE html>".to_owned()),
    ] {
        hub.server.no_faults().await;
        hub.speak(dialect, "me/r").await;
        let answer = hub.get(path).await;
        assert_eq!(answer.status(), 200, "{dialect}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(&wanted), "{dialect}: {text}");
    }
    hub.server.no_faults().await;
    hub.speak("location_in_utf8", "me/r").await;
    let answer = hub.get("/me/r/resolve/main/%C3%BC.txt").await;
    let location = answer.headers()["location"].as_bytes();
    assert!(String::from_utf8_lossy(location).contains("/ü.txt?"), "{location:?}");
}

#[tokio::test]
async fn commits_are_rejected_with_status_200() {
    let hub = hub("commit_refused").await;
    let answer = hub.post("/api/models/me/r/commit/main", json!({})).await;
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer, json!({ "success": false, "error": "hook refused" }));
}

#[tokio::test]
async fn a_store_requires_the_headers_of_its_actions() {
    let hub = hub("giftless").await;
    let object = json!({ "oid": CARD_SHA256, "size": CARD.len() });
    let batch = json!({ "operation": "upload", "transfers": ["basic"], "objects": [object] });
    let answer = hub.post("/me/r.git/info/lfs/objects/batch", batch).await;
    let answer: Value = answer.json().await.unwrap();
    let actions = &answer["objects"][0]["actions"];
    let link = |action: &str| actions[action]["href"].as_str().unwrap().to_owned();
    let key = |action: &str| actions[action]["header"]["X-Store-Key"].as_str().unwrap().to_owned();
    for (key, status) in [("wrong".to_owned(), 401), (key("upload"), 200)] {
        let put = hub.server.request(Method::PUT, &link("upload")).body(CARD);
        assert_eq!(put.header("X-Store-Key", key).send().await.unwrap().status(), status);
    }
    for (key, status) in [(None, 401), (Some(key("verify")), 200)] {
        let mut verify = hub.server.request(Method::POST, &link("verify")).bearer_auth(TOKEN);
        if let Some(key) = key {
            verify = verify.header("X-Store-Key", key);
        }
        assert_eq!(verify.json(&object).send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn lists_dialects_and_rejects_unknown_ones() {
    let hub = hub("kohakuhub").await;
    let listed = hub.server.json("/_test/dialects").await;
    for name in ["kohakuhub", "olah", "artifactory", "nexus", "hf_mirror", "giftless"] {
        assert!(listed[name]["about"].is_string(), "{name}");
    }
    let body = json!({ "dialect": "nothing", "repo": "me/r" });
    assert_eq!(hub.post("/_test/dialects", body).await.status(), 400);
}
