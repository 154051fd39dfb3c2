//! Access to Xet storage.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::header;
use crate::crafted::{Xorb, noise, shard};
use crate::hub::{ANN, BOB, READER, hub, hub_with};
use crate::uploads::sample;

#[tokio::test]
async fn tokens_are_for_those_who_may_read_or_write() {
    let hub = hub().await;
    let get = |token: &'static str, path: &'static str| {
        let server = &hub.server;
        async move {
            let path = format!("/api/models/acme/r/{path}");
            if token.is_empty() {
                server.get(&path).await
            } else {
                server.get_as(token, &path).await
            }
        }
    };
    for (token, path, status) in [
        (ANN, "xet-read-token/main", 200),
        (ANN, "xet-read-token/nowhere", 404),
        (ANN, "xet-write-token/main", 200),
        (ANN, "xet-write-token/new-branch", 200),
        (READER, "xet-read-token/main", 200),
        (READER, "xet-write-token/main", 403),
        (BOB, "xet-read-token/main", 200),
        (BOB, "xet-write-token/main", 403),
        (BOB, "xet-write-token/None?create_pr=1", 200),
        ("", "xet-read-token/main", 200),
        ("", "xet-write-token/main", 401),
    ] {
        assert_eq!(get(token, path).await.status(), status, "{token} {path}");
    }
    let response = get(ANN, "xet-write-token/main").await;
    let headers = ["x-xet-cas-url", "x-xet-access-token", "x-xet-token-expiration"];
    let headers = headers.map(|name| header(&response, name).to_owned());
    let json: Value = response.json().await.unwrap();
    assert_eq!(json["casUrl"], hub.server.cdn);
    assert_eq!(json["exp"].as_u64().unwrap().to_string(), headers[2]);
    assert_eq!([&json["casUrl"], &json["accessToken"]], [&json!(headers[0]), &json!(headers[1])]);

    let response =
        hub.send(Method::PUT, ANN, "/api/models/acme/r/settings", json!({ "private": true })).await;
    assert_eq!(response.status(), 200);
    for (token, status) in [(BOB, 404), ("", 401), (READER, 200)] {
        assert_eq!(get(token, "xet-read-token/main").await.status(), status, "{token}");
    }
}

#[tokio::test]
async fn requests_need_a_token_that_allows_them() {
    let hub = hub().await;
    let (a, b, file) = sample(10);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let (read, write) =
        (hub.xet_token("read", "acme/r").await, hub.xet_token("write", "acme/r").await);
    let mut forged = write.clone();
    forged.pop();
    let xorb = Xorb::of(&[noise(1, 9_000)]);
    let hash = xorb.hash.hex();
    let shard = shard(&[&file], &[]);
    for (method, path, body) in [
        (Method::POST, format!("/v1/xorbs/default/{hash}"), xorb.bytes.clone()),
        (Method::POST, format!("/v1/xorb-grants/default/{hash}"), b"{\"length\":9}".to_vec()),
        (Method::POST, format!("/v1/xorb-commits/default/{hash}/grant/x"), vec![]),
        (Method::GET, format!("/v1/chunks/default/{hash}"), vec![]),
        (Method::POST, "/v1/shards".into(), shard.clone()),
        (Method::POST, "/v2/shards".into(), shard),
    ] {
        let status = async |token: &str| {
            hub.xet(method.clone(), token, &path, body.clone()).await.status().as_u16()
        };
        for token in ["", ANN, "xet_", "xet_%%%", forged.as_str()] {
            assert_eq!(status(token).await, 401, "{path} with {token:?}");
        }
        assert_eq!(status(&read).await, 403, "{path}");
    }
    let path = format!("/v2/reconstructions/{}", file.hash());
    for (token, status) in [(read.as_str(), 200), (&write, 200), (ANN, 401), (&forged, 401)] {
        let response = hub.xet(Method::GET, token, &path, vec![]).await;
        assert_eq!(response.status(), status);
    }
    let response =
        hub.server.request(Method::GET, &format!("{}{path}", hub.server.cdn)).send().await;
    assert_eq!(response.unwrap().status(), 401);
    // The Hub itself does not accept these tokens.
    assert_eq!(hub.server.get_as(&write, "/api/whoami-v2").await.status(), 401);
}

#[tokio::test]
async fn a_batch_of_a_client_that_knows_xet_has_a_token() {
    let hub = hub().await;
    let (a, b, file) = sample(11);
    let (oid, size) = (crate::hub::oid(&file.content), file.content.len());
    let mut request = json!({
        "operation": "upload", "transfers": ["basic", "multipart", "xet"],
        "objects": [{ "oid": oid, "size": size }], "ref": { "name": "refs/heads/a/b" },
    });
    let path = "/acme/r.git/info/lfs/objects/batch";
    let batch: Value = hub.post(path, request.clone()).await.json().await.unwrap();
    assert_eq!(batch["transfer"], "xet");
    let upload = &batch["objects"][0]["actions"]["upload"];
    assert_eq!(upload["header"]["X-Xet-Cas-Url"], hub.server.cdn);
    let again = hub.server.get_as(ANN, upload["href"].as_str().unwrap()).await;
    assert_eq!(again.status(), 200);
    let token = upload["header"]["X-Xet-Access-Token"].as_str().unwrap();
    for xorb in [&a, &b] {
        assert_eq!(hub.send_xorb(token, xorb).await.status(), 200);
    }
    assert_eq!(hub.send_shard(token, shard(&[&file], &[])).await.status(), 200);
    let batch: Value = hub.post(path, request.clone()).await.json().await.unwrap();
    assert!(batch["objects"][0]["actions"].is_null(), "{batch}");
    // Without a branch, it is for a pull request.
    request["objects"][0]["oid"] = json!("0".repeat(64));
    request.as_object_mut().unwrap().remove("ref");
    let response = hub.send(Method::POST, BOB, path, request).await;
    let batch: Value = response.json().await.unwrap();
    let href = batch["objects"][0]["actions"]["upload"]["href"].as_str().unwrap();
    assert_eq!(hub.server.get_as(BOB, href).await.status(), 200);
}

#[tokio::test]
async fn tokens_and_links_expire() {
    let hub = hub_with(&["--link-ttl", "0"]).await;
    let token = hub.xet_token("write", "acme/r").await;
    let response = hub.send_xorb(&token, &Xorb::of(&[noise(1, 9_000)])).await;
    let (status, message) = crate::hub::error(response).await;
    assert!(status == 401 && message.contains("expired"), "{status} {message}");
}

#[tokio::test]
async fn a_token_ends_with_its_repository() {
    let hub = hub().await;
    let token = hub.xet_token("write", "acme/r").await;
    let gone = json!({ "name": "r", "organization": "acme" });
    assert_eq!(hub.send(Method::DELETE, ANN, "/api/repos/delete", gone).await.status(), 200);
    assert_eq!(hub.send_xorb(&token, &Xorb::of(&[noise(1, 9_000)])).await.status(), 404);
}
