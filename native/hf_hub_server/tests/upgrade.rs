//! A root of version 0.4, whose state is in JSON files, is taken over on start.

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::{Root, Server, git, stderr};
use reqwest::Method;
use serde_json::{Value, json};
use walkdir::WalkDir;

const README: &str = "---\nlicense: mit\npipeline_tag: text-generation\n---\n# Tiny\n";

/// Makes a root with the JSON files that version 0.4 has written (`tests/json_root`), and bare
/// repositories for them.
fn json_root() -> Root {
    let root = Root::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/json_root");
    for entry in WalkDir::new(&source) {
        let entry = entry.unwrap();
        let target = root.path().join(entry.path().strip_prefix(&source).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target).unwrap();
        } else {
            fs::copy(entry.path(), &target).unwrap();
            let is_card = target.to_str().unwrap().contains(".git.");
            if is_card && !fs::read_to_string(&target).unwrap().contains("moved_to") {
                repository_at(&target.with_extension(""));
            }
        }
    }
    root
}

/// Creates a bare repository with a README, as git's own `init` does.
fn repository_at(dir: &Path) {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("README.md"), README).unwrap();
    git(work.path(), &["init", "-q", "-b", "main"]);
    git(work.path(), &["add", "."]);
    let identity = ["-c", "user.name=ann", "-c", "user.email=ann@localhost"];
    git(work.path(), &[&identity[..], &["commit", "-q", "-m", "first"]].concat());
    git(work.path(), &["clone", "-q", "--bare", ".", dir.to_str().unwrap()]);
}

async fn ids(server: &Server, token: &str, path: &str) -> Vec<String> {
    let mut request = server.request(Method::GET, path);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let list: Value = request.send().await.unwrap().json().await.unwrap();
    let list = list.as_array().unwrap_or_else(|| panic!("{path}: {list}"));
    list.iter().map(|repo| repo["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn takes_over_everything() {
    let root = json_root();
    let server = root.serve(&[]);

    let whoami = async |token: &str| -> Value {
        server.get_as(token, "/api/whoami-v2").await.json().await.unwrap()
    };
    let ann = whoami("hf_ann").await;
    assert_eq!(
        (&ann["fullname"], &ann["orgs"][0]["roleInOrg"]),
        (&json!("Ann Example"), &json!("admin"))
    );
    assert_eq!((&ann["orgs"][0]["name"], &ann["orgs"][1]["name"]), (&json!("acme"), &json!("lab")));
    let reader = whoami("hf_reader").await;
    assert_eq!(reader["auth"]["accessToken"]["displayName"], "reader");
    assert_eq!(reader["auth"]["accessToken"]["role"], "read");
    let cleo = whoami("hf_cleo").await;
    let grants = &cleo["auth"]["accessToken"]["fineGrained"];
    assert_eq!(grants["canReadGatedRepos"], true);
    assert_eq!(grants["scoped"][1]["entity"]["name"], "bob/own");
    assert_eq!(grants["scoped"][1]["permissions"], json!(["repo.write"]));
    assert_eq!(
        server.get_as("hf_oauth_old", "/api/whoami-v2").await.status(),
        401,
        "it has expired"
    );

    assert_eq!(ids(&server, "", "/api/models").await, ["acme/gated", "acme/tiny", "gpt2"]);
    let all = ["acme/gated", "acme/secret", "acme/tiny", "gpt2"];
    assert_eq!(ids(&server, "hf_ann", "/api/models?filter=license:mit").await, all);
    assert_eq!(ids(&server, "hf_bob", "/api/models?search=secret").await, [""; 0]);
    assert_eq!(ids(&server, "hf_cleo", "/api/models?search=secret").await, ["acme/secret"]);
    assert_eq!(ids(&server, "", "/api/datasets").await, ["acme/better"]);
    assert_eq!(ids(&server, "", "/api/spaces").await, ["acme/app"]);
    let tiny = server.json("/api/models/acme/tiny").await;
    assert_eq!(tiny["_id"], "8ba6e31daf1580d26833db6d");
    assert_eq!(tiny["createdAt"], "2026-11-28T22:14:24.401Z");
    assert_eq!(tiny["description"], "A tiny model");

    let file = async |token, repo| {
        server.get_as(token, &format!("/{repo}/resolve/main/README.md")).await.status().as_u16()
    };
    assert_eq!(file("hf_bob", "acme/gated").await, 307, "access was granted");
    assert_eq!(file("hf_bob", "acme/secret").await, 404);
    let moved = server.get("/api/datasets/acme/data").await;
    assert_eq!(common::header(&moved, "location"), "/api/datasets/acme/better");

    let settle = async |code: &str| -> Value {
        let form =
            format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={code}");
        let request = server.request(Method::POST, "/oauth/token").body(form);
        request.send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(settle("pending-code").await["error"], "authorization_pending");
    let token = settle("approved-code").await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(whoami(&token).await["name"], "bob");
    let form = "grant_type=refresh_token&refresh_token=hf_refresh_old".to_owned();
    let refreshed = server.request(Method::POST, "/oauth/token").body(form).send().await.unwrap();
    assert_eq!(refreshed.status(), 200);
    assert_eq!(server.json("/api/papers/2001.00001").await["title"], "A paper");

    // The pull request of the JSON file is a discussion, whose number is not given again.
    let disabled = server.get("/api/models/acme/tiny/discussions").await;
    assert_eq!(disabled.status(), 403, "as its settings say");
    let enable = server.request(Method::PUT, "/api/models/acme/tiny/settings");
    let enable = enable.bearer_auth("hf_ann").json(&json!({ "discussionsDisabled": false }));
    assert_eq!(enable.send().await.unwrap().status(), 200);
    let opened = server.json("/api/models/acme/tiny/discussions/1").await;
    assert_eq!(
        (&opened["title"], &opened["author"]["name"], &opened["createdAt"]),
        (&json!("My change"), &json!("bob"), &json!("2026-11-28T22:14:30.692Z"))
    );
    let lines = [json!({ "key": "header", "value": { "summary": "x" } }).to_string()];
    let change = server.request(Method::POST, "/api/models/acme/tiny/commit/main?create_pr=1");
    let change = change.bearer_auth("hf_bob").body(lines.join("\n")).send().await.unwrap();
    let change: Value = change.json().await.unwrap();
    assert!(change["pullRequestUrl"].as_str().unwrap().ends_with("/discussions/2"), "{change}");
}

#[test]
fn json_files_are_read_once() {
    let root = json_root();
    assert_eq!(root.run(&["user", "list"]), "ann\tacme,lab\nbob\t\ncleo\tacme");
    root.run(&["user", "add", "new", "--token", "hf_new"]);
    fs::write(root.path().join("users.json"), "{}").unwrap();
    assert!(root.run(&["user", "list"]).ends_with("\nnew"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_nothing_is_taken_over() {
    let root = json_root();
    let card = root.path().join("repos/models/acme/tiny.git.json");
    let content = fs::read(&card).unwrap();
    fs::write(&card, "{ torn").unwrap();
    let output = root.command(&["user", "list"]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("acme/tiny.git.json"), "{}", stderr(&output));
    let left = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left = left.filter(|name| name.to_string_lossy().starts_with("hub.db")).collect::<Vec<_>>();
    assert!(left.is_empty(), "{left:?}");

    fs::write(&card, content).unwrap();
    assert_eq!(root.run(&["repo", "list"]).lines().count(), 6);
}

#[test]
fn a_takeover_that_was_killed_begins_again() {
    let root = json_root();
    // What a process leaves that is killed before the rename.
    fs::write(root.path().join("hub.db.Ab12Cd"), "half a database").unwrap();
    assert_eq!(root.run(&["repo", "list"]).lines().count(), 6);
    assert!(!root.path().join("hub.db.Ab12Cd").exists());
    assert!(root.path().join("hub.db").is_file());
}

#[test]
fn a_takeover_can_be_killed_at_any_time() {
    let root = json_root();
    for milliseconds in 0..12 {
        let mut process = root.command(&["repo", "list"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert_eq!(root.run(&["repo", "list"]).lines().count(), 6);
    assert_eq!(root.run(&["user", "list"]).lines().count(), 3);
}

#[test]
fn many_processes_take_over_once() {
    let root = json_root();
    let start = |n: u32| {
        let name = format!("user{n}");
        root.command(&["user", "add", &name, "--token", &format!("hf_{n}")]).spawn().unwrap()
    };
    let processes = (0..8).map(start).collect::<Vec<_>>();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(root.run(&["user", "list"]).lines().count(), 3 + 8);
    assert_eq!(root.run(&["repo", "list"]).lines().count(), 6);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let root = Root::new();
    let server = root.serve(&[]);
    root.run(&["user", "add", "ann"]);
    for name in ["hub.db", "hub.db-wal"] {
        let mode = fs::metadata(root.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    drop(server);
}

#[test]
fn a_newer_database_is_refused() {
    let root = Root::new();
    root.run(&["user", "add", "ann"]);
    let database = rusqlite::Connection::open(root.path().join("hub.db")).unwrap();
    database.pragma_update(None, "user_version", 999).unwrap();
    let output = root.command(&["user", "list"]).output().unwrap();
    assert!(stderr(&output).contains("version 999"), "{}", stderr(&output));
}
