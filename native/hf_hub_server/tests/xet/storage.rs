//! What becomes of stored files: collection, copies, other ways to read.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Root, Server, header};
use crate::crafted::{File, Xorb, committed, noise, shard};
use crate::hub::{ANN, Hub, hub, hub_with, oid};
use crate::uploads::sample;
use reqwest::Method;

fn collect(hub: &Hub, days: &str) -> Value {
    serde_json::from_str(&hub.root.run(&["xet", "collect", "--unused-days", days])).unwrap()
}

#[tokio::test]
async fn collects_what_no_repository_uses() {
    let hub = hub().await;
    hub.create("s").await;
    let (a, b, file) = sample(20);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let other = File::of(&[b.part(0, 2)]);
    hub.send_file("acme/s", &other, &[]).await;
    let token = hub.xet_token("write", "acme/r").await;
    let unused = Xorb::of(&[noise(1, 9_000)]);
    assert_eq!(hub.send_xorb(&token, &unused).await.status(), 200);

    // A client has just uploaded it.
    assert_eq!(collect(&hub, "1")["xorbs"], 0);
    assert_eq!((collect(&hub, "0")["xorbs"].clone(), hub.xorbs()), (json!(1), 2));
    let gone = json!({ "name": "r", "organization": "acme" });
    assert_eq!(hub.send(Method::DELETE, ANN, "/api/repos/delete", gone).await.status(), 200);
    let collected = collect(&hub, "0");
    assert_eq!((&collected["files"], &collected["xorbs"]), (&json!(1), &json!(1)));
    assert_eq!(hub.xorbs(), 1);
    let read = hub.xet_token("read", "acme/s").await;
    assert_eq!(hub.reconstruction(&read, &other.hash(), "").await.status(), 200);
    // The chunks of a deleted xorb are not found any more, and a shard cannot refer to it.
    let token = hub.xet_token("write", "acme/s").await;
    let first = format!("/v1/chunks/default/{}", a.chunks[1].0.hex());
    assert_eq!(hub.xet(Method::GET, &token, &first, vec![]).await.status(), 404);
    assert_eq!(hub.send_shard(&token, shard(&[&file], &[])).await.status(), 400);
    assert_eq!(hub.leftovers(), 0);
}

#[tokio::test]
async fn a_removed_file_is_gone_and_its_chunks_can_be_collected() {
    let hub = hub().await;
    let (a, b, file) = sample(21);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    hub.commit(&[committed("m.bin", &file)]).await;
    let sha256 = oid(&file.content);
    let files: Value =
        hub.server.get_as(ANN, "/api/models/acme/r/lfs-files").await.json().await.unwrap();
    assert_eq!(
        (&files[0]["fileOid"], &files[0]["size"]),
        (&json!(sha256), &json!(file.content.len()))
    );
    let deletions = json!({ "deletions": { "sha": [sha256], "rewriteHistory": false } });
    let response = hub.post("/api/models/acme/r/lfs-files/batch", deletions).await;
    assert_eq!(response.status(), 200);
    assert_eq!(hub.server.get_as(ANN, "/acme/r/resolve/main/m.bin").await.status(), 404);
    let token = hub.xet_token("read", "acme/r").await;
    assert_eq!(hub.reconstruction(&token, &file.hash(), "").await.status(), 404);
    assert_eq!(collect(&hub, "0")["xorbs"], 2);
}

#[tokio::test]
async fn a_copy_of_the_root_has_the_files() {
    let hub = hub().await;
    let (a, b, file) = sample(22);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    hub.commit(&[committed("m.bin", &file)]).await;
    let copy = Root::new();
    hub.root.run(&["backup", copy.path().to_str().unwrap()]);
    let server: Server = copy.serve(&["--no-xet"]);
    let response = server.get_as(ANN, "/acme/r/resolve/main/m.bin").await;
    // A Hub that does not offer Xet serves what it has.
    assert!(response.headers().get("x-xet-hash").is_none());
    let content = server.get(header(&response, "location")).await.bytes().await.unwrap();
    assert_eq!(content, file.content);
}

#[tokio::test]
async fn a_damaged_xorb_ends_the_response_instead_of_the_content() {
    let hub = hub().await;
    let xorb = Xorb::of(&[noise(1, 100_000), [noise(2, 50_000), vec![0; 50_000]].concat()]);
    let file = File::of(&[xorb.part(0, 2)]);
    hub.send_file("acme/r", &file, &[&xorb]).await;
    hub.commit(&[committed("m.bin", &file)]).await;
    let hash = xorb.hash.hex();
    let path = hub.root.path().join("xet/xorbs").join(&hash[..2]).join(&hash[2..4]).join(&hash);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100_008 + 4] = 9;
    fs::write(&path, bytes).unwrap();
    let link = hub.resolve("/acme/r/resolve/main/m.bin").await;
    let link = header(&link, "location").to_owned();
    // The connection may end before the client has seen the head.
    let is_whole = match hub.server.request(Method::GET, &link).send().await {
        Ok(response) => response.bytes().await.is_ok(),
        Err(_) => false,
    };
    assert!(!is_whole);
    // What is before it can still be read.
    let start = hub.fetch(&link, "bytes=0-99999").await.bytes().await.unwrap();
    assert_eq!(start, file.content[..100_000]);
}

#[tokio::test]
async fn git_lfs_reads_files_in_xet_storage() {
    let hub = hub_with(&[]).await;
    let (a, b, file) = sample(23);
    hub.send_file("acme/r", &file, &[&a, &b]).await;
    let (sha256, size) = (oid(&file.content), file.content.len());
    let request = json!({ "operation": "download", "objects": [{ "oid": sha256, "size": size }] });
    let batch: Value =
        hub.post("/acme/r.git/info/lfs/objects/batch", request).await.json().await.unwrap();
    let link = batch["objects"][0]["actions"]["download"]["href"].as_str().unwrap();
    assert_eq!(hub.fetch(link, "").await.bytes().await.unwrap(), file.content);
}
