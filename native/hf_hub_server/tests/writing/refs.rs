//! Creating, deleting and squashing branches and tags.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{git, header};
use crate::hub::{ANN, BOB, READER, error, file, hub};

const API: &str = "/api/models/acme/r";

#[tokio::test]
async fn branches_respond_like_the_hub() {
    let hub = hub().await;
    let first = hub.head("acme/r");
    hub.commit(&[file("a", "1")]).await;
    let branch = |name: &str| format!("{API}/branch/{name}");
    let response = hub.post(&branch("dev%2Fx"), json!({ "startingPoint": first })).await;
    assert_eq!((response.status().as_u16(), &*response.text().await.unwrap()), (200, "OK"));
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["rev-parse", "dev/x"]).trim(), first);
    for (name, json, status) in [
        ("dev%2Fx", json!({}), 409),
        ("dev", json!({}), 409),
        ("dev%2Fx%2Fy", json!({}), 409),
        ("main", json!({ "overwrite": true, "startingPoint": first }), 409),
        ("y", json!({ "startingPoint": "none" }), 404),
        ("refs%2Fpr%2F1", json!({}), 400),
        ("refs%2Fheads%2Fx", json!({}), 400),
        ("a..b", json!({}), 400),
        ("x.lock", json!({}), 400),
        ("-x", json!({}), 400),
        (&*"a".repeat(40), json!({}), 400),
    ] {
        assert_eq!(hub.post(&branch(name), json).await.status(), status, "{name}");
    }
    assert_eq!(hub.post(&branch("dev/x"), json!({ "overwrite": true })).await.status(), 200);
    assert_eq!(git(&dir, &["rev-parse", "dev/x"]).trim(), hub.head("acme/r"));
    assert_eq!(hub.post(&branch("empty"), json!({ "emptyBranch": true })).await.status(), 200);
    assert_eq!(git(&dir, &["ls-tree", "-r", "empty"]), "");
    assert_eq!(git(&dir, &["rev-list", "--count", "empty"]), "1\n");
    // The body is optional.
    let request = hub.server.request(Method::POST, &branch("bare")).bearer_auth(ANN);
    assert_eq!(request.send().await.unwrap().status(), 200);

    let delete = |token: &'static str, name: &'static str| {
        let (hub, path) = (&hub, branch(name));
        async move { hub.send(Method::DELETE, token, &path, json!(null)).await }
    };
    assert_eq!(delete(BOB, "bare").await.status(), 403);
    assert_eq!(delete(READER, "bare").await.status(), 403);
    assert_eq!(delete(ANN, "bare").await.status(), 200);
    assert_eq!(
        error(delete(ANN, "main").await).await,
        (403, "Cannot delete refs/heads/main".into())
    );
    let taken = hub.post(&branch("dev%2Fx"), json!({})).await;
    assert_eq!(error(taken).await, (409, "Reference refs/heads/dev/x already exists".into()));
    let response = delete(ANN, "bare").await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "x-error-code")),
        (404, "RevisionNotFound")
    );
    git(&dir, &["fsck", "--strict"]);
}

#[tokio::test]
async fn tags_may_have_messages() {
    let hub = hub().await;
    let first = hub.head("acme/r");
    hub.commit(&[file("a", "1")]).await;
    let tag = |revision: &str, json: Value| {
        let path = format!("{API}/tag/{revision}");
        let hub = &hub;
        async move { hub.post(&path, json).await.status().as_u16() }
    };
    assert_eq!(tag(&first, json!({ "tag": "light" })).await, 200);
    assert_eq!(tag("main", json!({ "tag": "v1/x", "message": "Heavy" })).await, 200);
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["cat-file", "-t", "light"]), "commit\n");
    assert_eq!(git(&dir, &["cat-file", "-t", "v1/x"]), "tag\n");
    assert!(git(&dir, &["cat-file", "-p", "v1/x"]).contains("tagger ann <ann@localhost>"));
    let refs = hub.server.json("/api/models/acme/r/refs").await;
    assert_eq!(refs["tags"][1]["targetCommit"], hub.head("acme/r"));

    assert_eq!(tag("main", json!({ "tag": "light" })).await, 409);
    assert_eq!(tag("main", json!({ "tag": "v1" })).await, 409);
    assert_eq!(tag("none", json!({ "tag": "v3" })).await, 404);
    assert_eq!(tag("none", json!({ "tag": "a..b" })).await, 404);
    let response = hub.post(&format!("{API}/tag/none"), json!({ "tag": "v3" })).await;
    assert_eq!(header(&response, "x-error-code"), "RevisionNotFound");
    assert_eq!(tag("HEAD", json!({ "tag": "of-head" })).await, 200);
    assert_eq!(git(&dir, &["rev-parse", "of-head"]).trim(), hub.head("acme/r"));
    for bad in ["", "-x", "a..b", "a b", "/x", "x/"] {
        assert_eq!(tag("main", json!({ "tag": bad })).await, 400, "{bad}");
        assert_eq!(tag("main", json!({ "tag": bad, "message": "x" })).await, 400, "{bad}");
    }
    let delete = |name: &str| {
        let path = format!("{API}/tag/{name}");
        let hub = &hub;
        async move { hub.send(Method::DELETE, ANN, &path, json!(null)).await.status().as_u16() }
    };
    assert_eq!((delete("v1%2Fx").await, delete("v1%2Fx").await), (200, 404));
    assert_eq!(delete("none").await, 404);
    git(&dir, &["fsck", "--strict"]);
}

#[tokio::test]
async fn squashing_keeps_the_files_and_removes_the_history() {
    let hub = hub().await;
    for text in ["1", "2"] {
        hub.commit(&[file("a", text)]).await;
    }
    let path = format!("{API}/super-squash/main");
    let message = "x".repeat(501);
    assert_eq!(hub.post(&path, json!({ "message": message })).await.status(), 400);
    let response = hub.post(&path, json!({ "message": "One" })).await;
    let json: Value = response.json().await.unwrap();
    assert_eq!(json["commitId"], hub.head("acme/r"));
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["log", "--format=%s %an", "main"]), "One ann\n");
    assert_eq!(git(&dir, &["show", "main:a"]), "2");
    assert_eq!(hub.post(&format!("{API}/super-squash/none"), json!({})).await.status(), 404);
    let (status, message) =
        error(hub.post(&format!("{API}/super-squash/refs%2Fpr%2F1"), json!({})).await).await;
    assert_eq!((status, &*message), (400, "Invalid reference for a branch: refs/pr/1"));
    git(&dir, &["fsck", "--strict"]);
}
