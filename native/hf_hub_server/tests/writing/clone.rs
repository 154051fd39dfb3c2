//! Git reads repositories over HTTP.

use std::fs;
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{git, stderr};
use crate::hub::{ANN, BOB, Hub, file, hub, lfs_file, oid};

const LARGE: &[u8] = b"more than git holds";

/// Runs git in a folder, without password prompts.
pub(crate) fn run(hub: &Hub, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(hub.root.path()).args(arguments);
    // The user's own configuration must not matter, including git-lfs.
    let env = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ];
    command.envs(env).output().unwrap()
}

/// Clones a repository into a folder below the root.
pub(crate) fn clone(hub: &Hub, url: &str, name: &str, options: &[&str]) -> Output {
    run(hub, &[&["clone", "-q"], options, &[url, name]].concat())
}

/// Returns the URL of a path for a user, `name:token@` or nothing.
pub(crate) fn url(hub: &Hub, user: &str, path: &str) -> String {
    hub.server.endpoint.replace("http://", &format!("http://{user}")) + path
}

#[tokio::test]
async fn a_repository_is_cloned_and_fetched() {
    let hub = hub().await;
    hub.upload("acme/r", LARGE).await;
    let first = hub.commit(&[file("a b/é.txt", "1"), lfs_file("m.bin", LARGE)]).await;
    for (name, path, options) in [
        ("plain", "/acme/r", &[][..]),
        ("dotted", "/acme/r.git", &[]),
        ("shallow", "/acme/r", &["--depth", "1"]),
        ("old", "/acme/r", &["-c", "protocol.version=0"]),
    ] {
        let output = clone(&hub, &url(&hub, "", path), name, options);
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let dir = hub.root.path().join(name);
        assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), first);
        assert_eq!(fs::read_to_string(dir.join("a b/é.txt")).unwrap(), "1");
        let pointer = fs::read_to_string(dir.join("m.bin")).unwrap();
        assert!(pointer.contains(&format!("oid sha256:{}", oid(LARGE))), "{pointer}");
        assert_eq!(git(&dir, &["status", "--porcelain"]), "");
    }

    let second = hub.commit(&[file("b.txt", "2")]).await;
    hub.post("/api/models/acme/r/tag/main", json!({ "tag": "v1", "message": "m" })).await;
    let dir = hub.root.path().join("plain");
    let output = run(&hub, &["-C", dir.to_str().unwrap(), "pull", "-q", "--tags"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(git(&dir, &["rev-parse", "HEAD"]).trim(), second);
    assert_eq!(git(&dir, &["rev-parse", "v1^{commit}"]).trim(), second);
}

#[tokio::test]
async fn many_refs_and_files_are_fetched_with_a_long_request() {
    let hub = hub().await;
    let lines = (0..400).map(|n| file(&format!("d{n}/f"), &n.to_string())).collect::<Vec<_>>();
    hub.commit(&lines).await;
    assert!(clone(&hub, &url(&hub, "", "/acme/r"), "x", &[]).status.success());
    let dir = hub.root.path().join("x");
    // This many commits of its own make git compress its negotiation request.
    for n in 0..80 {
        let args = [
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@y",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            &n.to_string(),
        ];
        git(&dir, &args);
    }
    let head = hub.commit(&[file("new", "x")]).await;
    let output =
        run(&hub, &["-C", dir.to_str().unwrap(), "-c", "protocol.version=0", "fetch", "-q"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(git(&dir, &["rev-parse", "origin/main"]).trim(), head);
}

#[tokio::test]
async fn private_repositories_require_a_token() {
    let hub = hub().await;
    hub.send(Method::PUT, ANN, "/api/models/acme/r/settings", json!({ "private": true })).await;
    for user in ["", &format!("x:{BOB}@"), "x:hf_wrong@"] {
        let output = clone(&hub, &url(&hub, user, "/acme/r"), "no", &[]);
        assert!(!output.status.success(), "{user}");
        assert!(!hub.root.path().join("no").exists());
    }
    let output = clone(&hub, &url(&hub, &format!("ann:{ANN}@"), "/acme/r"), "yes", &[]);
    assert!(output.status.success(), "{}", stderr(&output));

    let settings = json!({ "private": false, "gated": "manual" });
    hub.send(Method::PUT, ANN, "/api/models/acme/r/settings", settings).await;
    assert!(!clone(&hub, &url(&hub, "", "/acme/r"), "gated", &[]).status.success());
    assert!(!clone(&hub, &url(&hub, "", "/acme/none"), "none", &[]).status.success());
}

#[tokio::test]
async fn clones_a_renamed_repository_by_its_old_name() {
    let hub = hub().await;
    let body = json!({ "fromRepo": "acme/r", "toRepo": "acme/new", "type": "model" });
    assert_eq!(hub.post("/api/repos/move", body).await.status(), 200);
    let output = clone(&hub, &url(&hub, "", "/acme/r"), "x", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[tokio::test]
async fn git_lfs_gets_download_links() {
    let hub = hub().await;
    hub.upload("acme/r", LARGE).await;
    let objects = json!([
        { "oid": oid(LARGE), "size": LARGE.len() }, { "oid": oid(b"x"), "size": 1 }, { "oid": "../x", "size": 1 },
    ]);
    let wanted = json!({ "operation": "download", "transfers": ["basic"], "objects": objects });
    let path = "/acme/r.git/info/lfs/objects/batch";
    let answer: Value =
        hub.send(Method::POST, "", path, wanted.clone()).await.json().await.unwrap();
    let objects = answer["objects"].as_array().unwrap();
    let link = objects[0]["actions"]["download"]["href"].as_str().unwrap();
    assert!(link.starts_with(&hub.server.cdn));
    assert_eq!(hub.server.get(link).await.bytes().await.unwrap(), LARGE);
    assert_eq!(
        (&objects[1]["error"]["code"], &objects[2]["error"]["code"]),
        (&404.into(), &404.into())
    );

    // Knowing a hash gives no access to the content of another repository.
    hub.create("other").await;
    let other = "/acme/other.git/info/lfs/objects/batch";
    let answer: Value =
        hub.send(Method::POST, "", other, wanted.clone()).await.json().await.unwrap();
    assert_eq!(answer["objects"][0]["error"]["code"], 404);
    hub.send(Method::PUT, ANN, "/api/models/acme/r/settings", json!({ "gated": "auto" })).await;
    assert_eq!(hub.send(Method::POST, BOB, path, wanted).await.status(), 403);
}
