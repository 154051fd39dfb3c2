//! Commits: their effects, what is rejected, and that a rejected commit changes nothing.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{connect, git, header};
use crate::hub::{ANN, BOB, Hub, READER, body, deleted, error, file, hub, lfs_file, oid};

const COMMIT: &str = "acme/r/commit/main";

fn summary() -> Value {
    json!({ "summary": "test" })
}

fn base64(path: &str, content: &[u8]) -> Value {
    let value = json!({ "path": path, "content": STANDARD.encode(content), "encoding": "base64" });
    json!({ "key": "file", "value": value })
}

fn candidate(path: &str, size: u64, sample: &[u8]) -> Value {
    json!({ "path": path, "size": size, "sample": STANDARD.encode(sample) })
}

async fn preupload(hub: &Hub, json: Value) -> Value {
    let response = hub.post("/api/models/acme/r/preupload/main", json).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

async fn refused(hub: &Hub, lines: &[Value]) -> (u16, String) {
    error(hub.try_commit(COMMIT, summary(), lines).await).await
}

#[tokio::test]
async fn commits_respond_like_the_hub() {
    let hub = hub().await;
    let header = json!({ "summary": "Title", "description": "Line 1\nLine 2" });
    let response = hub.try_commit(COMMIT, header, &[file("a", "1")]).await;
    let json: Value = response.json().await.unwrap();
    let oid = hub.head("acme/r");
    let url = format!("{}/acme/r/commit/{oid}", hub.server.endpoint);
    assert_eq!(
        json,
        json!({ "success": true, "commitOid": oid, "commitUrl": url, "hookOutput": "" })
    );
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(
        git(&dir, &["log", "-1", "--format=%B%n%an %ae", "main"]),
        "Title\n\nLine 1\nLine 2\nann ann@localhost\n"
    );
    // A commit without changes is still created; clients avoid sending one.
    let again = hub.commit(&[file("a", "1")]).await;
    assert_eq!(git(&dir, &["rev-parse", "main^"]).trim(), oid);
    assert_eq!(hub.head("acme/r"), again);
    hub.commit(&[]).await;
    assert_eq!(git(&dir, &["rev-list", "--count", "main"]), "4\n");
}

#[tokio::test]
async fn lines_apply_in_order() {
    let hub = hub().await;
    let binary = (0..=255).collect::<Vec<u8>>();
    hub.upload("acme/r", b"large").await;
    hub.commit(&[
        base64("bytes", &binary),
        file("d/x", "1"),
        file("d/e/y", "2"),
        file("naïve name #?.txt", "3"),
        lfs_file("m.bin", b"large"),
    ])
    .await;
    let copy = json!({ "key": "lfsFile", "value": { "path": "copy.bin", "oid": oid(b"large") } });
    hub.commit(&[
        deleted("deletedFolder", "d/"),
        file("d/new", "4"),
        deleted("deletedFile", "bytes"),
        file("bytes/now a folder", "5"),
        file("twice", "first"),
        file("twice", "second"),
        copy,
    ])
    .await;
    assert_eq!(
        hub.files(),
        [
            ".gitattributes",
            "bytes/now a folder",
            "copy.bin",
            "d/new",
            "m.bin",
            "naïve name #?.txt",
            "twice",
        ]
    );
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["show", "main:twice"]), "second");
    assert_eq!(git(&dir, &["show", "main:copy.bin"]), git(&dir, &["show", "main:m.bin"]));
    git(&dir, &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_folder_is_deleted_without_a_trailing_slash() {
    let hub = hub().await;
    hub.commit(&[file("d/x", "1"), file("d/e/y", "2"), file("dx", "3")]).await;
    hub.commit(&[deleted("deletedFile", "d")]).await;
    assert_eq!(hub.files(), [".gitattributes", "dx"]);
}

#[tokio::test]
async fn rejects_invalid_metadata_with_the_reason() {
    let hub = hub().await;
    let card = "\n---\nmodel-index: foo\n---\n";
    let response = hub.try_commit(COMMIT, summary(), &[file("README.md", card)]).await;
    let json: Value = response.json().await.unwrap();
    let errors = json!([{ "message": "\"model-index\" must be an array" }]);
    assert_eq!(json, json!({ "error": "Invalid metadata in README.md", "errors": errors }));
    let wanted = json!({ "content": card, "repoType": "model" });
    let response = hub.post("/api/validate-yaml", wanted).await;
    assert_eq!(error(response).await, (400, "Invalid metadata in README.md".into()));
}

#[tokio::test]
async fn large_files_with_odd_names_are_tracked() {
    let hub = hub().await;
    hub.upload("acme/r", b"large").await;
    let names = ["plain.dat", "d/a b.dat", "w[1]*.dat", "#x"];
    let lines = names.map(|name| lfs_file(name, b"large"));
    hub.commit(&lines).await;
    let dir = hub.root.git_dir("acme/r");
    let clone = tempfile::tempdir().unwrap();
    let smudge = "filter.lfs.smudge=cat";
    let target = clone.path().join("copy");
    let arguments = ["-c", smudge, "clone", "-q", dir.to_str().unwrap(), target.to_str().unwrap()];
    git(clone.path(), &arguments);
    for name in names {
        let attribute = git(&target, &["check-attr", "filter", "--", name]);
        assert!(attribute.ends_with("filter: lfs\n"), "{attribute}");
    }
    let before = git(&dir, &["show", "main:.gitattributes"]);
    hub.commit(&lines).await;
    assert_eq!(git(&dir, &["show", "main:.gitattributes"]), before);
}

#[tokio::test]
async fn rejects_impossible_changes_and_changes_nothing() {
    let hub = hub().await;
    hub.upload("acme/r", b"large").await;
    hub.commit(&[file("a", "1"), file("d/x", "2")]).await;
    let head = hub.head("acme/r");
    let unknown = json!({ "key": "rename", "value": {} });
    let bad_base64 =
        json!({ "key": "file", "value": { "path": "x", "content": "%", "encoding": "base64" } });
    let bad_encoding =
        json!({ "key": "file", "value": { "path": "x", "content": "", "encoding": "x" } });
    let mut wrong_size = lfs_file("m.bin", b"large");
    wrong_size["value"]["size"] = 6.into();
    let mut upper = lfs_file("m.bin", b"large");
    upper["value"]["oid"] = oid(b"large").to_uppercase().into();
    for (line, status, message) in [
        (deleted("deletedFile", "none"), 404, "A file with this name doesn't exist"),
        (deleted("deletedFile", "d/none"), 404, "A file with this name doesn't exist"),
        (deleted("deletedFolder", "a"), 404, "A folder with this name doesn't exist"),
        (deleted("deletedFolder", "/"), 422, "Invalid path"),
        (file("d", ""), 400, "in the way"),
        (file("a/b", ""), 400, "in the way"),
        (lfs_file("m.bin", b"none"), 400, "pointed to a file that does not exist"),
        (wrong_size, 400, "size of m.bin"),
        (upper, 400, "not a SHA-256"),
        (unknown, 400, "Invalid line"),
        (bad_base64, 400, "not base64"),
        (bad_encoding, 400, "Unknown encoding"),
        (json!("x"), 400, "Invalid line"),
        (json!({ "key": "header", "value": summary() }), 400, "one header"),
        (file("README.md", "---\ntags: x\n---\n"), 400, "Invalid metadata in README.md"),
    ] {
        let (got, said) = refused(&hub, &[file("good", "1"), line.clone()]).await;
        assert!(got == status && said.contains(message), "{line}: {got} {said}");
    }
    assert_eq!(hub.head("acme/r"), head);
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
}

#[tokio::test]
async fn rejects_bodies_that_are_not_commits() {
    let hub = hub().await;
    let head = hub.head("acme/r");
    for header in [
        json!({ "summary": "" }),
        json!({ "description": "x" }),
        json!({ "summary": "x\u{0}" }),
        json!({ "summary": "x", "parentCommit": "main" }),
        json!({ "summary": "x", "parentCommit": "abcd" }),
    ] {
        let response = hub.try_commit(COMMIT, header.clone(), &[file("good", "1")]).await;
        assert_eq!(response.status(), 400, "{header}");
    }
    for body in [
        "",
        "\n",
        "{",
        "[]",
        "{\"key\":\"file\"}\n",
        "\u{0}",
        "{\"key\":\"header\",\"value\":{\"summary\":\"x\"}}\n{\"key\":\"fi",
    ] {
        let request = hub.server.request(Method::POST, &format!("/api/models/{COMMIT}"));
        let response = request.bearer_auth(ANN).body(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body:?}");
    }
    assert_eq!(hub.head("acme/r"), head);
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
}

#[tokio::test]
async fn paths_cannot_leave_the_repository_or_harm_a_clone() {
    let hub = hub().await;
    let head = hub.head("acme/r");
    for path in [
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "./a",
        "a//b",
        "a/",
        ".git/config",
        "a/.git/hooks/x",
        ".GIT/config",
        "git~1/config",
        ".g\u{200c}it/config",
        "a\\..\\b",
        "a\nb",
        "a\u{0}b",
        &"x/".repeat(2000),
    ] {
        for line in [file(path, "x"), lfs_file(path, b"none"), deleted("deletedFile", path)] {
            let (status, message) = refused(&hub, std::slice::from_ref(&line)).await;
            let is_missing = status == 404 && line["key"] == "deletedFile";
            assert!(status == 422 || is_missing, "{path:?} {status} {message}");
        }
        let files = json!({ "files": [{ "path": path, "size": 1, "sample": "" }] });
        let status = hub.post("/api/models/acme/r/preupload/main", files).await.status();
        assert!(status == 422 || path.contains("git"), "{path:?} {status}");
    }
    assert_eq!(hub.head("acme/r"), head);
    assert_eq!(hub.files(), [".gitattributes"]);
}

#[tokio::test]
async fn rejects_inline_files_of_more_than_ten_mebibytes() {
    let hub = hub().await;
    let limit = 10 << 20;
    let (status, message) = refused(&hub, &[base64("big", &vec![1; limit + 1])]).await;
    assert_eq!(status, 400);
    assert!(message.contains("contains files larger than 10 MiB"), "{message}");
    assert!(message.contains("Offending files: - big"), "{message}");
    // A line without an end.
    let (status, message) = refused(&hub, &[file("big", &"x".repeat(20 << 20))]).await;
    assert!(status == 400 && message.contains("larger than 10 MiB"), "{status} {message}");
    hub.commit(&[base64("edge", &vec![1; limit]), file("after", "1")]).await;
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["cat-file", "-s", "main:edge"]), format!("{limit}\n"));
}

#[tokio::test]
async fn commits_require_a_branch_and_write_access() {
    let hub = hub().await;
    hub.post("/api/models/acme/r/tag/main", json!({ "tag": "v1" })).await;
    let head = hub.head("acme/r");
    for (revision, status) in [("none", 404), ("v1", 400), (&*head, 400), ("refs%2Fpr%2F1", 404)] {
        let path = format!("acme/r/commit/{revision}");
        let response = hub.try_commit(&path, summary(), &[file("a", "1")]).await;
        assert_eq!(response.status(), status, "{revision}");
    }
    let path = "acme/r/commit/none?create_pr=1";
    let response = hub.try_commit(path, summary(), &[file("a", "1")]).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "x-error-code")),
        (404, "RevisionNotFound")
    );
    let response = hub.try_commit("acme/none/commit/main", summary(), &[]).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "x-error-code")),
        (404, "RepoNotFound")
    );
    for (token, status, message) in [
        ("", 401, "Invalid username or password."),
        ("hf_wrong", 401, "Invalid credentials in Authorization header"),
        (READER, 403, "Forbidden: you must use a write token to upload to a repository."),
        (BOB, 403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request."),
    ] {
        let mut request = hub.server.request(Method::POST, &format!("/api/models/{COMMIT}"));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        // Larger than the buffers of the connection: the response must arrive nevertheless.
        let lines = [file("a", &"x".repeat(9 << 20))];
        let response = request.body(body(&summary(), &lines)).send().await.unwrap();
        assert_eq!(error(response).await, (status, message.to_owned()));
    }
    assert_eq!(hub.head("acme/r"), head);
}

#[tokio::test]
async fn the_parent_must_be_the_head_of_the_branch() {
    let hub = hub().await;
    let first = hub.commit(&[file("a", "1")]).await;
    let second = hub.commit(&[file("a", "2")]).await;
    let with = |parent: &str| json!({ "summary": "x", "parentCommit": parent });
    let response = hub.try_commit(COMMIT, with(&first), &[file("a", "3")]).await;
    let message =
        "The branch was updated since you opened this page. Please refresh and try again."
            .to_owned();
    assert_eq!(error(response).await, (412, message));
    let response = hub.try_commit(COMMIT, with(&second[..7]), &[file("a", "4")]).await;
    assert_eq!(response.status(), 200);

    // A pull request may start from an older commit.
    let path = format!("{COMMIT}?create_pr=1");
    let response = hub.try_commit(&path, with(&first), &[file("b", "1")]).await;
    let json: Value = response.json().await.unwrap();
    let url = format!("{}/acme/r/discussions/1", hub.server.endpoint);
    assert_eq!(json["pullRequestUrl"], url);
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["rev-parse", "refs/pr/1^"]).trim(), first);
    assert_eq!(git(&dir, &["rev-parse", "refs/pr/1"]).trim(), json["commitOid"].as_str().unwrap());
}

#[tokio::test]
async fn concurrent_commits_all_succeed() {
    let hub = hub().await;
    let lines = (0..10).map(|n| [file(&format!("f{n}"), "1")]).collect::<Vec<_>>();
    let all = lines.iter().map(|line| hub.try_commit(COMMIT, summary(), line));
    for response in futures_util::future::join_all(all).await {
        assert_eq!(response.status(), 200);
    }
    assert_eq!(hub.files().len(), 11);

    let parent = json!({ "summary": "x", "parentCommit": hub.head("acme/r") });
    let all = lines.iter().map(|line| hub.try_commit(COMMIT, parent.clone(), line));
    let answers = futures_util::future::join_all(all).await;
    let count = |code: u16| answers.iter().filter(|answer| answer.status() == code).count();
    assert_eq!((count(200), count(412)), (1, 9));

    let path = format!("{COMMIT}?create_pr=1");
    let all = lines.iter().map(|line| hub.try_commit(&path, summary(), line));
    let mut urls = Vec::new();
    for response in futures_util::future::join_all(all).await {
        let json: Value = response.json().await.unwrap();
        urls.push(json["pullRequestUrl"].as_str().unwrap().to_owned());
    }
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 10);
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["rev-list", "--count", "main"]), "12\n");
    git(&dir, &["fsck", "--strict"]);
}

#[tokio::test]
async fn numbers_of_pull_requests_are_never_reused() {
    let hub = hub().await;
    let open = || hub.try_commit("acme/r/commit/main?create_pr=1", summary(), &[]);
    open().await;
    let dir = hub.root.git_dir("acme/r");
    git(&dir, &["update-ref", "-d", "refs/pr/1"]);
    git(&dir, &["update-ref", "refs/pr/7", "main"]);
    let json: Value = open().await.json().await.unwrap();
    assert!(json["pullRequestUrl"].as_str().unwrap().ends_with("/discussions/8"));
}

#[tokio::test]
async fn a_commit_of_many_files_is_one_pack() {
    let hub = hub().await;
    let counted = || git(&hub.root.git_dir("acme/r"), &["count-objects", "-v"]);
    hub.commit(&[file("a", "1")]).await;
    assert!(counted().contains("packs: 1"), "{}", counted());
    let mut lines = (0..600).map(|n| file(&format!("d/{n}"), &n.to_string())).collect::<Vec<_>>();
    lines.push(file("d/0", "600"));
    let head = hub.head("acme/r");
    let rejected = [lines.as_slice(), &[deleted("deletedFile", "none")]].concat();
    assert_eq!(refused(&hub, &rejected).await.0, 404);
    let cut = [lines.as_slice(), &[file("../x", "1")]].concat();
    assert_eq!(refused(&hub, &cut).await.0, 422);
    assert_eq!((hub.head("acme/r"), hub.leftovers()), (head, 0));

    hub.commit(&lines).await;
    let loose = counted().lines().find_map(|line| line.strip_prefix("count: ")?.parse().ok());
    assert!(loose.is_some_and(|loose: usize| loose < 16), "{}", counted());
    assert_eq!(hub.files().len(), 2 + 600);
    for (path, text) in [("d/0", "600"), ("d/1", "1"), ("d/599", "599")] {
        assert_eq!(git(&hub.root.git_dir("acme/r"), &["show", &format!("main:{path}")]), text);
    }
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
}

#[tokio::test]
async fn an_interrupted_commit_changes_nothing() {
    let hub = hub().await;
    let head = hub.head("acme/r");
    let whole = body(&summary(), &[file("a", "1"), file("b", &"2".repeat(100_000))]);
    for end in [0, 10, whole.len() / 2, whole.len() - 1] {
        let mut stream = connect(&hub.server.endpoint);
        let head = format!(
            "POST /api/models/{COMMIT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\nContent-Length: {}\r\n\r\n",
            whole.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&whole.as_bytes()[..end]).unwrap();
    }
    let all_over = |requests: &[Value]| {
        let commits = requests.iter().filter(|r| r["path"].as_str().unwrap().contains("/commit/"));
        commits.filter(|r| r["status"] == 400).count() == 4
    };
    hub.server.requests_when(all_over).await;
    assert_eq!(hub.head("acme/r"), head);
    // The repository's lock is free.
    hub.commit(&[file("a", "1")]).await;
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
}

#[tokio::test]
async fn preupload_uses_attributes_samples_sizes_and_existing_files() {
    let hub = hub().await;
    hub.upload("acme/r", b"large").await;
    hub.commit(&[
        file(".gitignore", "*.log\nout/\n!keep.log\n"),
        file("a.txt", "a"),
        lfs_file("m.bin", b"large"),
        file("d/x", "1"),
    ])
    .await;
    let answer = preupload(
        &hub,
        json!({ "files": [
        candidate("a.txt", 1, b"a"),
        candidate("m.bin", 5, b"large"),
        candidate("text.dat", 5, "é".as_bytes()),
        candidate("binary.dat", 5, b"a\0b"),
        candidate("edge", 10 << 20, b"a"),
        candidate("big", (10 << 20) + 1, b"a"),
        candidate("x.log", 1, b"a"),
        candidate("keep.log", 1, b"a"),
        candidate("out/deep/x", 1, b"a"),
        candidate("d", 1, b"a"),
    ] }),
    )
    .await;
    assert_eq!(answer["commitOid"], hub.head("acme/r"));
    let files = answer["files"].as_array().unwrap();
    let of = |name: &str| files.iter().map(|file| file[name].clone()).collect::<Vec<_>>();
    let modes = [
        "regular", "lfs", "regular", "lfs", "regular", "lfs", "regular", "regular", "regular",
        "regular",
    ];
    assert_eq!(of("uploadMode"), modes.map(|mode| json!(mode)));
    let ignored = [false, false, false, false, false, false, true, false, true, false];
    assert_eq!(of("shouldIgnore"), ignored.map(|flag| json!(flag)));
    let git_oid = git(&hub.root.git_dir("acme/r"), &["rev-parse", "main:a.txt"]);
    assert_eq!(of("oid")[..3], [json!(git_oid.trim()), json!(oid(b"large")), Value::Null]);
    assert_eq!(of("oid")[9], Value::Null);
}

#[tokio::test]
async fn preupload_uses_the_rules_that_are_being_uploaded() {
    let hub = hub().await;
    hub.commit(&[file(".gitignore", "*.log\n")]).await;
    let names = ["a.own", "m.bin", "x.log", "x.tmp"];
    let json = json!({
        "files": names.map(|name| candidate(name, 1, b"a")),
        "gitAttributes": "*.own filter=lfs\n",
        "gitIgnore": "*.tmp\n",
    });
    let answer = preupload(&hub, json).await;
    let files = answer["files"].as_array().unwrap();
    assert_eq!(
        (&files[0]["uploadMode"], &files[1]["uploadMode"]),
        (&json!("lfs"), &json!("regular"))
    );
    assert_eq!(
        (&files[2]["shouldIgnore"], &files[3]["shouldIgnore"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn preupload_requires_write_access() {
    let hub = hub().await;
    let files = json!({ "files": [] });
    let status = |token: &'static str, path: &'static str| {
        let (hub, files) = (&hub, files.clone());
        async move { hub.send(Method::POST, token, path, files).await.status().as_u16() }
    };
    assert_eq!(status(ANN, "/api/models/acme/r/preupload/none").await, 404);
    assert_eq!(status(BOB, "/api/models/acme/r/preupload/main").await, 403);
    assert_eq!(status(BOB, "/api/models/acme/r/preupload/main?create_pr=1").await, 200);
    assert_eq!(status(READER, "/api/models/acme/r/preupload/main?create_pr=1").await, 403);
}

#[tokio::test]
async fn metadata_is_validated_before_the_upload() {
    let hub = hub().await;
    let ask = |content: &str| {
        let json = json!({ "content": content, "repoType": "model" });
        hub.send(Method::POST, "", "/api/validate-yaml", json)
    };
    let response = ask("---\nlicense: mit\n---\n").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap(), json!({ "errors": [], "warnings": [] }));
    let json: Value = ask("# Hi").await.json().await.unwrap();
    assert_eq!(json["warnings"][0]["message"], "empty or missing yaml metadata in repo card");
    let response = ask("---\nlicense: [\n---\n").await;
    assert_eq!(response.status(), 400);
    let json: Value = response.json().await.unwrap();
    assert!(json["errors"][0]["message"].as_str().unwrap().starts_with("invalid yaml metadata"));
}
