//! Likes, users, organisations, access requests and collections: who may do what, and what is seen.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod collections;
mod likes;
mod people;

use common::{Root, Server};
use reqwest::Method;
use serde_json::Value;

/// Adds users: the token of `ann` is `hf_ann`, and that of `ann` for reading `hf_ann_reads`.
fn root() -> Root {
    let root = Root::new();
    root.run(&["user", "add", "ann", "--org", "acme:admin", "--token", "hf_ann"]);
    root.run(&["user", "add", "bob", "--token", "hf_bob"]);
    root.run(&["user", "add", "guest", "--org", "acme:read", "--token", "hf_guest"]);
    root.run(&["user", "add", "ann", "--token", "hf_ann_reads", "--role", "read"]);
    root
}

/// Sends a request without a body and returns the status.
async fn status(server: &Server, token: &str, method: Method, path: &str) -> u16 {
    server.send(token, method, path, &Value::Null).await.0
}

/// Returns what `name` is in each item of a list.
async fn list(server: &Server, token: &str, path: &str, name: &str) -> Vec<Value> {
    let (status, list) = server.send(token, Method::GET, path, &Value::Null).await;
    assert_eq!(status, 200, "{path}: {list}");
    list.as_array().unwrap().iter().map(|item| item.pointer(name).unwrap().clone()).collect()
}
