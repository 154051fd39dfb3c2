//! The list of a repository's large files, and their removal for good.

mod common;

use common::{Root, Server, git};
use reqwest::Method;
use serde_json::{Value, json};

const OLD: &[u8] = b"old content of a large file";
const NEW: &[u8] = b"new content of a large file";
const KEPT: &[u8] = b"content that stays";
const ATTRIBUTES: &[u8] = b"*.bin filter=lfs diff=lfs merge=lfs -text\n";

fn oid(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};

    hex::encode(Sha256::digest(content))
}

/// A model with two versions of a large file, another one, and a tag of the first commit.
fn root() -> Root {
    let root = Root::new();
    root.run(&["user", "add", "me", "--org", "acme", "--token", "hf_me"]);
    root.run(&["user", "add", "eve", "--token", "hf_eve"]);
    let attributes = (".gitattributes", ATTRIBUTES);
    root.import("acme/m", &[attributes, ("d/w.bin", OLD), ("keep.bin", KEPT)], &[]);
    git(
        &root.git_dir("acme/m"),
        &["-c", "user.name=x", "-c", "user.email=x@x", "tag", "-a", "v1", "-m", "First", "main"],
    );
    root.import("acme/m", &[attributes, ("d/w.bin", NEW), ("keep.bin", KEPT)], &[]);
    root
}

async fn list(server: &Server, path: &str) -> Vec<Value> {
    let response = server.get_as("hf_me", path).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

async fn remove(server: &Server, id: &str, content: &[u8], rewrite: bool) -> (u16, Value) {
    let body = json!({ "deletions": { "sha": [oid(content)], "rewriteHistory": rewrite } });
    server.send("hf_me", Method::POST, &format!("/api/models/{id}/lfs-files/batch"), body).await
}

async fn download(server: &Server, path: &str) -> u16 {
    let first = server.get(path).await;
    match first.headers().get("location") {
        Some(link) => server.get(link.to_str().unwrap()).await.status().as_u16(),
        None => first.status().as_u16(),
    }
}

fn stored(root: &Root, content: &[u8]) -> bool {
    let oid = oid(content);
    root.path().join("lfs").join(&oid[..2]).join(&oid[2..4]).join(&oid).exists()
}

#[tokio::test]
async fn lists_the_large_files_of_the_whole_history() {
    let root = root();
    let server = root.serve(&["--page-size", "2"]);
    let first = server.get_as("hf_me", "/api/models/acme/m/lfs-files").await;
    let next = common::header(&first, "link").split(['<', '>']).nth(1).unwrap().to_owned();
    let mut files: Vec<Value> = first.json().await.unwrap();
    assert_eq!(files.len(), 2);
    files.extend(list(&server, &next).await);
    let mut shown = files
        .iter()
        .map(|file| (file["fileOid"].clone(), file["filename"].clone(), file["size"].clone()))
        .collect::<Vec<_>>();
    shown.sort_by_key(|file| file.0.to_string());
    let mut expected = [(OLD, "d/w.bin"), (NEW, "d/w.bin"), (KEPT, "keep.bin")]
        .map(|(content, name)| (json!(oid(content)), json!(name), json!(content.len())));
    expected.sort_by_key(|file| file.0.to_string());
    assert_eq!(shown, expected);
    assert!(
        files.iter().all(|file| file["ref"] == "refs/heads/main" && file["oid"] == file["fileOid"])
    );
    assert!(files.iter().all(|file| file["pushedAt"].is_string()));
}

#[tokio::test]
async fn removes_a_file_from_history_refs_and_disk() {
    let root = root();
    let server = root.serve(&[]);
    let (dir, before) = (root.git_dir("acme/m"), server.json("/api/models/acme/m").await);
    let message = |revision| git(&dir, &["log", "-1", "--format=%an %B", revision]);
    let (author, tag) = (message("main"), git(&dir, &["cat-file", "-p", "v1"]));
    assert_eq!(download(&server, "/acme/m/resolve/v1/d/w.bin").await, 200);
    assert_eq!(remove(&server, "acme/m", OLD, true).await.0, 200);

    assert!(!stored(&root, OLD) && stored(&root, NEW) && stored(&root, KEPT));
    assert_eq!(list(&server, "/api/models/acme/m/lfs-files").await.len(), 2);
    assert_eq!(download(&server, "/acme/m/resolve/v1/d/w.bin").await, 404);
    assert_eq!(download(&server, "/acme/m/resolve/v1/keep.bin").await, 200);
    assert_eq!(download(&server, "/acme/m/resolve/main/d/w.bin").await, 200);
    assert_eq!(git(&dir, &["ls-tree", "-r", "--name-only", "v1"]), ".gitattributes\nkeep.bin\n");
    assert_ne!(server.json("/api/models/acme/m").await["sha"], before["sha"]);
    assert_eq!(message("main"), author);
    let after = git(&dir, &["cat-file", "-p", "v1"]);
    assert_eq!(after.split_once('\n').unwrap().1, tag.split_once('\n').unwrap().1);
    git(&dir, &["fsck", "--strict"]);
    // A request that is repeated changes nothing.
    let head = server.json("/api/models/acme/m").await["sha"].clone();
    assert_eq!(remove(&server, "acme/m", OLD, true).await.0, 200);
    assert_eq!(server.json("/api/models/acme/m").await["sha"], head);
}

#[tokio::test]
async fn keeps_the_pointers_without_a_rewrite() {
    let root = root();
    let server = root.serve(&[]);
    let head = server.json("/api/models/acme/m").await["sha"].clone();
    assert_eq!(remove(&server, "acme/m", NEW, false).await.0, 200);
    assert_eq!(server.json("/api/models/acme/m").await["sha"], head);
    assert_eq!(download(&server, "/acme/m/resolve/main/d/w.bin").await, 404);
    assert_eq!(server.get("/acme/m/raw/main/d/w.bin").await.status(), 200);
    assert!(!stored(&root, NEW));
}

#[tokio::test]
async fn keeps_content_that_another_repository_has() {
    let root = root();
    root.import("acme/other", &[(".gitattributes", ATTRIBUTES), ("x.bin", NEW)], &[]);
    let server = root.serve(&[]);
    assert_eq!(remove(&server, "acme/m", NEW, false).await.0, 200);
    assert!(stored(&root, NEW));
    assert_eq!(download(&server, "/acme/m/resolve/main/d/w.bin").await, 404);
    assert_eq!(download(&server, "/acme/other/resolve/main/x.bin").await, 200);
    let path = format!("/api/models/acme/other/lfs-files/{}?rewriteHistory=false", oid(NEW));
    assert_eq!(server.send("hf_me", Method::DELETE, &path, json!(null)).await.0, 200);
    assert!(!stored(&root, NEW));
    assert_eq!(server.send("hf_me", Method::DELETE, &path, json!(null)).await.0, 404);
}

#[tokio::test]
async fn only_those_with_write_access_list_and_remove() {
    let root = root();
    let server = root.serve(&[]);
    let path = "/api/models/acme/m/lfs-files";
    let body = json!({ "deletions": { "sha": [oid(NEW)] } });
    assert_eq!(server.get(path).await.status(), 401);
    assert_eq!(server.get_as("hf_eve", path).await.status(), 403);
    let batch = format!("{path}/batch");
    assert_eq!(server.send("hf_eve", Method::POST, &batch, body.clone()).await.0, 403);
    assert_eq!(server.send("hf_me", Method::PUT, &batch, body).await.0, 405);
    for sha in [json!(["../../x"]), json!(["x".repeat(64)]), json!(vec![oid(NEW); 1001])] {
        let body = json!({ "deletions": { "sha": sha } });
        assert_eq!(server.send("hf_me", Method::POST, &batch, body).await.0, 400);
    }
    let odd =
        server.send("hf_me", Method::DELETE, &format!("{path}/..%2f..%2fx"), json!(null)).await;
    assert_eq!(odd.0, 404);
    assert!(stored(&root, NEW));
}
