//! Limits: the size of a file, and the storage of a plan.

use reqwest::Method;
use serde_json::{Value, json};

use crate::hub::{ANN, Hub, error, hub_with, lfs_file, oid};

/// Requests upload links for these contents.
async fn batch(hub: &Hub, id: &str, contents: &[&[u8]]) -> reqwest::Response {
    let object = |content: &&[u8]| json!({ "oid": oid(content), "size": content.len() });
    let objects = contents.iter().map(object).collect::<Vec<_>>();
    let request = json!({ "operation": "upload", "transfers": ["basic"], "objects": objects });
    hub.post(&format!("/{id}.git/info/lfs/objects/batch"), request).await
}

#[tokio::test]
async fn rejects_a_file_above_the_limit_by_name_and_accepts_the_others() {
    let hub = hub_with(&["--max-file-size", "10"]).await;
    let answer: Value =
        batch(&hub, "acme/r", &[b"small", b"much too large"]).await.json().await.unwrap();
    let objects = answer["objects"].as_array().unwrap();
    assert!(objects[0]["actions"]["upload"]["href"].is_string());
    assert_eq!(objects[1]["error"]["code"], 422);
    assert!(objects[1]["error"]["message"].as_str().unwrap().contains("larger than the 10 bytes"));
    assert!(objects[1]["actions"].is_null());
}

#[tokio::test]
async fn private_repositories_of_one_owner_share_a_quota() {
    let hub = hub_with(&["--private-quota", "30"]).await;
    hub.create("other").await;
    for name in ["r", "other"] {
        let path = format!("/api/models/acme/{name}/settings");
        let response = hub.send(Method::PUT, ANN, &path, json!({ "private": true })).await;
        assert_eq!(response.status(), 200);
    }
    hub.upload("acme/r", b"twenty bytes of data").await;
    hub.commit(&[lfs_file("m.bin", b"twenty bytes of data")]).await;

    let full = batch(&hub, "acme/other", &[b"twenty bytes of more"]).await;
    let (status, message) = error(full).await;
    assert_eq!(status, 403);
    assert!(message.starts_with("Private repository storage limit reached"), "{message}");
    // Existing content needs no space, small content fits, and public repositories have no limit.
    assert_eq!(batch(&hub, "acme/r", &[b"twenty bytes of data"]).await.status(), 200);
    assert_eq!(batch(&hub, "acme/other", &[b"ten bytes!"]).await.status(), 200);
    hub.create("open").await;
    assert_eq!(batch(&hub, "acme/open", &[b"twenty bytes of more"]).await.status(), 200);
}

#[tokio::test]
async fn a_batch_has_a_maximum_number_of_objects_and_links() {
    let hub = hub_with(&["--multipart-threshold", "25", "--part-size", "10"]).await;
    let objects = |count: u64, size: u64| {
        (0..count).map(|n| json!({ "oid": format!("{n:064x}"), "size": size })).collect::<Value>()
    };
    let links = |batch: &Value| {
        let headers = batch["objects"].as_array().unwrap().iter();
        let headers = headers.filter_map(|o| o["actions"]["upload"]["header"].as_object());
        headers.map(|header| header.len() as u64 - 1).collect::<Vec<_>>()
    };
    let batch = hub.batch_of("acme/r", objects(200, 1 << 40)).await;
    assert_eq!(links(&batch), [50; 200]);
    let batch = hub.batch_of("acme/r", objects(1, 1 << 40)).await;
    assert_eq!(links(&batch), [10_000]);

    let batch = hub.batch_of("acme/r", objects(200, 1 << 62)).await;
    assert_eq!(links(&batch), [0; 0]);
    assert_eq!(batch["objects"][0]["error"]["code"], 422);

    let wanted = json!({ "operation": "upload", "objects": objects(1001, 1) });
    let response = hub.post("/acme/r.git/info/lfs/objects/batch", wanted).await;
    assert_eq!(error(response).await, (400, "At most 1000 objects at once".into()));
}
