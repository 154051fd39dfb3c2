//! Lists agree with the repositories themselves: for every caller, after every change, in every
//! process.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Root, Server, git};
use reqwest::Method;
use serde_json::{Value, json};

const TOKENS: [&str; 6] = ["", "hf_ann", "hf_bob", "hf_guest", "hf_scoped", "hf_global"];

fn users(root: &Root) {
    root.run(&["user", "add", "ann", "--org", "acme", "--token", "hf_ann"]);
    root.run(&["user", "add", "bob", "--token", "hf_bob"]);
    root.run(&["user", "add", "guest", "--org", "acme:read", "--token", "hf_guest"]);
    let fine = ["--role", "fine-grained", "--token"];
    let scopes = ["--scope", "acme/secret=repo.content.read", "--scope", "ann=repo.write"];
    root.run(&[&["user", "add", "ann"], &fine[..], &["hf_scoped"], &scopes[..]].concat());
    root.run(&[&["user", "add", "ann"], &fine[..], &["hf_global"]].concat());
}

async fn send(server: &Server, method: Method, token: &str, path: &str, body: Value) -> Value {
    let (status, json) = server.send(token, method, path, body).await;
    assert_eq!(status, 200, "{path}: {json}");
    json
}

async fn ids(server: &Server, token: &str, query: &str) -> Vec<String> {
    let list = send(server, Method::GET, token, &format!("/api/models{query}"), Value::Null).await;
    let ids = list.as_array().unwrap().iter();
    ids.map(|repo| repo["id"].as_str().unwrap().to_owned()).collect()
}

async fn create(server: &Server, name: &str, card: &str) {
    let files = json!([{ "path": "README.md", "content": card }]);
    let body = json!({ "name": name, "organization": "acme", "files": files });
    send(server, Method::POST, "hf_ann", "/api/repos/create", body).await;
}

async fn commit(server: &Server, id: &str, path: &str, content: &str) {
    let file = json!({ "path": path, "content": content, "encoding": "utf-8" });
    let lines = [
        json!({ "key": "header", "value": { "summary": "x" } }),
        json!({ "key": "file", "value": file }),
    ];
    let body = lines.map(|line| line.to_string()).join("\n");
    let request = server.request(Method::POST, &format!("/api/models/{id}/commit/main"));
    let response = request.bearer_auth("hf_ann").body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_list_has_exactly_what_the_caller_may_see() {
    let root = Root::new();
    users(&root);
    let files: &[(&str, &[u8])] = &[("a", b"1")];
    for (id, options) in [
        ("acme/open", &[][..]),
        ("acme/secret", &["--private"]),
        ("acme/other-secret", &["--private"]),
        ("ann/own", &["--private"]),
        ("bob/lent", &["--private"]),
        ("acme/gated", &["--gated", "manual"]),
        ("gpt2", &[]),
    ] {
        root.import(id, files, options);
    }
    root.run(&["repo", "grant", "bob/lent", "ann"]);
    root.run(&["repo", "request", "acme/secret", "bob"]);
    let server = root.serve(&[]);
    let all = [
        "acme/gated",
        "acme/open",
        "acme/other-secret",
        "acme/secret",
        "ann/own",
        "bob/lent",
        "gpt2",
    ];
    for token in TOKENS {
        let mut visible = Vec::new();
        for id in all {
            let mut request = server.request(Method::GET, &format!("/api/models/{id}"));
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            if request.send().await.unwrap().status() == 200 {
                visible.push(id);
            }
        }
        assert_eq!(ids(&server, token, "").await, visible, "{token}");
        assert_eq!(ids(&server, token, "?sort=lastModified").await.len(), visible.len(), "{token}");
        let of_bob =
            send(&server, Method::GET, token, "/api/users/bob/overview", Value::Null).await;
        let lent = u32::from(visible.contains(&"bob/lent"));
        assert_eq!(of_bob["numModels"], lent, "{token}");
    }
    assert_eq!(
        ids(&server, "hf_scoped", "").await,
        ["acme/gated", "acme/open", "acme/secret", "ann/own", "gpt2"]
    );
}

#[tokio::test]
async fn searches_take_every_character_literally() {
    let root = Root::new();
    users(&root);
    let server = root.serve(&[]);
    for name in ["Tiny_1", "tinyX1", "tiny-2"] {
        create(&server, name, "# x").await;
    }
    assert_eq!(ids(&server, "", "?search=tiny_1").await, ["acme/Tiny_1"]);
    assert_eq!(ids(&server, "", "?search=TINY").await.len(), 3);
    assert_eq!(ids(&server, "", "?search=tiny&search=2").await, ["acme/tiny-2"]);
    for nothing in ["%25", "tiny%25", "tiny?1", "%5C", "'", "%00", "\u{212A}"] {
        assert_eq!(ids(&server, "", &format!("?search={nothing}")).await, [""; 0], "{nothing}");
    }
    let many = "filter=a&".repeat(101);
    assert_eq!(server.get(&format!("/api/models?{many}")).await.status(), 400);
}

#[tokio::test]
async fn pages_follow_each_other_in_every_order() {
    let root = Root::new();
    users(&root);
    let server = root.serve(&["--page-size", "2"]);
    let names = ["c", "a", "e", "b", "d"];
    for name in names {
        create(&server, name, "---\ntags: [x]\n---\n").await;
    }
    for (query, expected) in [
        ("", ["a", "b", "c", "d", "e"]),
        ("filter=x", ["a", "b", "c", "d", "e"]),
        ("sort=createdAt", ["d", "b", "e", "a", "c"]),
    ] {
        let (mut found, mut path) = (Vec::new(), Some(format!("/api/models?{query}")));
        while let Some(next) = path {
            let response = server.get(&next).await;
            let link = common::header(&response, "link").to_owned();
            path =
                link.split_once('<').and_then(|(_, rest)| Some(rest.split_once('>')?.0.to_owned()));
            let page: Vec<Value> = response.json().await.unwrap();
            assert!(page.len() <= 2);
            found.extend(page.iter().map(|repo| repo["id"].as_str().unwrap()[5..].to_owned()));
        }
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn a_change_is_in_the_next_list_of_every_process() {
    let root = Root::new();
    users(&root);
    let [one, two] = [root.serve(&[]), root.serve(&[])];
    create(&one, "r", "---\nlicense: mit\n---\n").await;
    assert_eq!(ids(&two, "", "?filter=license:mit").await, ["acme/r"]);
    commit(&two, "acme/r", "README.md", "---\nlicense: gpl\n---\n").await;
    for server in [&one, &two] {
        assert_eq!(ids(server, "", "?filter=license:gpl").await, ["acme/r"]);
        assert_eq!(ids(server, "", "?filter=license:mit").await, [""; 0]);
    }
    root.import("acme/r", &[("README.md", b"---\nlicense: bsd\n---\n")], &[]);
    assert_eq!(ids(&one, "", "?filter=license:bsd").await, ["acme/r"]);
    root.run(&["repo", "set", "acme/r", "--private"]);
    assert_eq!(ids(&two, "", "").await, [""; 0]);
    assert_eq!(ids(&two, "hf_ann", "").await, ["acme/r"]);
    let renamed = json!({ "fromRepo": "acme/r", "toRepo": "acme/new" });
    send(&one, Method::POST, "hf_ann", "/api/repos/move", renamed).await;
    assert_eq!(ids(&two, "hf_ann", "?filter=license:bsd").await, ["acme/new"]);
    let body = json!({ "name": "new", "organization": "acme" });
    send(&two, Method::DELETE, "hf_ann", "/api/repos/delete", body).await;
    assert_eq!(ids(&one, "hf_ann", "").await, [""; 0]);
}

#[tokio::test]
async fn two_processes_create_and_commit_at_once() {
    let root = Root::new();
    users(&root);
    let servers = [root.serve(&[]), root.serve(&[])];
    // Both create the same eight names: the other one gets a conflict.
    let attempts =
        (0..16).map(|n| {
            let body = json!({ "name": format!("r{}", n / 2), "organization": "acme" });
            let request = servers[n % 2].request(Method::POST, "/api/repos/create");
            async move {
                request.bearer_auth("hf_ann").json(&body).send().await.unwrap().status().as_u16()
            }
        });
    let mut statuses = futures_util::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 8], [409; 8]].concat());
    // The first use of each, by both at once, makes one git repository.
    let uses = (0..16).map(|n| {
        let server = &servers[n % 2];
        async move { commit(server, &format!("acme/r{}", n / 2), &format!("f{n}"), "x").await }
    });
    futures_util::future::join_all(uses).await;
    for n in 0..8 {
        let names = git(&root.git_dir(&format!("acme/r{n}")), &["ls-tree", "--name-only", "main"]);
        assert_eq!(names.lines().count(), 3, "{names}");
    }
}

#[tokio::test]
async fn a_branch_that_git_has_moved_is_seen_after_a_restart() {
    let root = Root::new();
    users(&root);
    let first = root.import("acme/r", &[("README.md", b"---\nlicense: mit\n---\n")], &[]);
    let server = root.serve(&[]);
    assert_eq!(ids(&server, "", "?filter=license:mit").await, ["acme/r"]);
    drop(server);
    git(&root.git_dir("acme/r"), &["update-ref", "refs/heads/main", &format!("{first}~1")]);
    let server = root.serve(&[]);
    // The server looks for such changes while it serves already.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !ids(&server, "", "?filter=license:mit").await.is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_branch_that_git_has_moved_is_seen_without_a_restart() {
    let root = Root::new();
    users(&root);
    root.import("acme/r", &[("a", b"1")], &[]);
    let server = root.serve(&["--rescan", "1"]);
    let before = server.json("/api/models?full=true").await;
    let dir = root.git_dir("acme/r");
    let author = ["-c", "user.name=x", "-c", "user.email=x@y"];
    let commit = [&author[..], &["commit-tree", "-p", "main", "-m", "x", "main^{tree}"]].concat();
    let commit = git(&dir, &commit);
    git(&dir, &["update-ref", "refs/heads/main", commit.trim()]);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let list = server.json("/api/models?full=true").await;
        if list[0]["sha"] == commit.trim() {
            break;
        }
        assert_eq!(list, before);
        assert!(Instant::now() < deadline, "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_unused_repository_takes_no_files_and_works_like_any_other() {
    let root = Root::new();
    users(&root);
    let server = root.serve(&[]);
    for name in ["read", "moved", "copied", "gone", "unused"] {
        create(&server, name, "# x").await;
        assert!(!root.git_dir(&format!("acme/{name}")).exists(), "{name}");
    }
    let tree = send(&server, Method::GET, "", "/api/models/acme/read/tree/main", Value::Null).await;
    assert_eq!(tree.as_array().unwrap().len(), 2);
    git(&root.git_dir("acme/read"), &["fsck", "--strict"]);
    let clone = tempfile::tempdir().unwrap();
    git(clone.path(), &["clone", "-q", &format!("{}/acme/copied", server.endpoint), "copy"]);
    assert_eq!(fs::read_to_string(clone.path().join("copy/README.md")).unwrap(), "# x");

    let renamed = json!({ "fromRepo": "acme/moved", "toRepo": "acme/new" });
    send(&server, Method::POST, "hf_ann", "/api/repos/move", renamed).await;
    let path = "/api/models/acme/copied/duplicate";
    send(&server, Method::POST, "hf_ann", path, json!({ "repository": "ann/copy" })).await;
    let body = json!({ "name": "gone", "organization": "acme" });
    send(&server, Method::DELETE, "hf_ann", "/api/repos/delete", body).await;
    create(&server, "gone", "# again").await;
    for (id, text) in [("acme/new", "# x"), ("ann/copy", "# x"), ("acme/gone", "# again")] {
        let response = server.get(&format!("/{id}/resolve/main/README.md")).await;
        let response = server.get(common::header(&response, "location")).await;
        assert_eq!(response.text().await.unwrap(), text, "{id}");
    }
    let unused = server.json("/api/models?search=unused&full=true").await;
    assert_eq!(unused[0]["siblings"].as_array().unwrap().len(), 2);
    assert_eq!(unused[0]["sha"].as_str().unwrap().len(), 40);
    let info = server.json("/api/models/acme/unused").await;
    assert_eq!((&info["sha"], &info["createdAt"]), (&unused[0]["sha"], &unused[0]["createdAt"]));
    assert!(!root.git_dir("acme/unused").exists());
    let with_sizes = server.json("/api/models/acme/unused?blobs=true").await;
    assert_eq!(with_sizes["siblings"][1]["size"], 3);
    let again = server.json("/api/models/acme/unused").await;
    assert_eq!(again, info, "read from git, it is the same");
}
