//! The commands, and how the server starts and stops.

mod common;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Root, git, stderr};
use serde_json::Value;

const LARGE: &[u8] = &[7; 100_000];
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
                       oid sha256:ea9cf418ce0ba47c30ea2f86b2f1ecb2dd39f18cfbf4a7b8dc4e6a1cce38ab8d\nsize 100000\n";

#[test]
fn import_creates_valid_git_commits() {
    let root = Root::new();
    let files: &[(&str, &[u8])] = &[
        ("README.md", b"# Hi\n"),
        ("sub/model.bin", LARGE),
        (".hidden", b"x"),
        (".git/config", b"no"),
        (".cache/huggingface/x", b"no"),
    ];
    let commit = root.import("acme/r", files, &["--message", "Hello\n\nworld"]);

    let dir = root.git_dir("acme/r");
    git(&dir, &["fsck", "--strict"]);
    assert_eq!(
        git(&dir, &["log", "--format=%H %s"]).lines().next(),
        Some(&*format!("{commit} Hello"))
    );
    let names = git(&dir, &["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [".gitattributes", ".hidden", "README.md", "sub/model.bin"]
    );
    let pointer = git(&dir, &["show", "main:sub/model.bin"]);
    let oid = pointer.lines().nth(1).unwrap().strip_prefix("oid sha256:").unwrap();
    assert_eq!(pointer.len(), POINTER.len());
    assert_eq!(
        fs::read(root.path().join("lfs").join(&oid[..2]).join(&oid[2..4]).join(oid)).unwrap(),
        LARGE
    );

    let clone = tempfile::tempdir().unwrap();
    git(clone.path(), &["clone", "-q", dir.to_str().unwrap(), "copy"]);
    assert_eq!(fs::read_to_string(clone.path().join("copy/README.md")).unwrap(), "# Hi\n");
}

#[test]
fn import_of_the_same_content_changes_nothing() {
    let root = Root::new();
    let first = root.import("acme/r", &[("a.txt", b"1"), ("b.bin", LARGE)], &[]);
    assert_eq!(
        root.import("acme/r", &[("b.bin", LARGE), ("a.txt", b"1")], &["--message", "again"]),
        first
    );

    let second = root.import("acme/r", &[("b.bin", LARGE)], &[]);
    assert_ne!(second, first);
    assert_eq!(
        git(&root.git_dir("acme/r"), &["ls-tree", "--name-only", "main"]),
        ".gitattributes\nb.bin\n"
    );
    assert_eq!(git(&root.git_dir("acme/r"), &["rev-list", "--count", "main"]), "3\n");
}

#[test]
fn import_rejects_a_namespace_that_differs_from_another_only_by_case() {
    let root = Root::new();
    root.run(&["user", "add", "ann"]);
    root.import("acme/r", &[("a", b"1")], &[]);
    let folder = root.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for id in ["Acme/other", "Ann/r"] {
        let output = root.command(&["import", folder.to_str().unwrap(), id]).output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains("only by case"), "{id}");
    }
    root.import("ann/r", &[("a", b"1")], &[]);
}

#[test]
fn import_respects_the_folders_attributes_and_the_size_limit() {
    let root = Root::new();
    let big = vec![1; (10 << 20) + 1];
    let edge = vec![1; 10 << 20];
    let files: &[(&str, &[u8])] = &[
        (".gitattributes", b"*.dat filter=lfs\n"),
        ("a.dat", b"x"),
        ("b.bin", b"x"),
        ("c", &big),
        ("d", &edge),
    ];
    root.import("acme/r", files, &[]);

    let is_pointer =
        |path: &str| git(&root.git_dir("acme/r"), &["cat-file", "-s", &format!("main:{path}")]);
    assert_eq!(
        ["a.dat", "b.bin", "c", "d"].map(is_pointer),
        ["126\n", "1\n", "133\n", "10485760\n"]
    );
}

#[test]
fn import_writes_to_branches_and_pull_requests_but_not_to_tags() {
    let root = Root::new();
    let main = root.import("acme/r", &[("a", b"1")], &[]);
    let branch = root.import("acme/r", &[("a", b"2")], &["--revision", "feature/x"]);
    let pull = root.import("acme/r", &[("a", b"3")], &["--revision", "refs/pr/1"]);
    let dir = root.git_dir("acme/r");
    for (name, commit) in [("main", &main), ("feature/x", &branch), ("refs/pr/1", &pull)] {
        assert_eq!(git(&dir, &["rev-parse", name]).trim(), commit);
    }
    assert_eq!(git(&dir, &["rev-parse", "feature/x~1"]).trim(), main);

    let folder = root.folder(&[("a", b"4")]);
    for revision in ["refs/tags/v1", "a..b", "x y", "-", ""] {
        let revision = format!("--revision={revision}");
        let output = root
            .command(&["import", folder.to_str().unwrap(), "acme/r", &revision])
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).lines().count()),
            (Some(1), 1),
            "{revision}"
        );
    }
}

#[cfg(unix)]
#[test]
fn import_follows_links_and_rejects_names_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let root = Root::new();
    let folder = root.folder(&[("real", b"content")]);
    std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
    root.run(&["import", folder.to_str().unwrap(), "acme/r"]);
    assert_eq!(git(&root.git_dir("acme/r"), &["show", "main:link"]), "content");

    fs::write(folder.join(OsStr::from_bytes(b"\xff")), "x").unwrap();
    let output = root.command(&["import", folder.to_str().unwrap(), "acme/r"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not UTF-8"), "{}", stderr(&output));
}

#[test]
fn import_rejects_a_pointer_without_its_content() {
    let root = Root::new();
    let folder = root.folder(&[("x.txt", POINTER.as_bytes())]);
    let output = root.command(&["import", folder.to_str().unwrap(), "acme/r"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("git lfs pull"));
}

#[test]
fn concurrent_imports_lose_nothing() {
    let root = Root::new();
    let folders =
        (0..6).map(|n| root.folder(&[("n.txt", n.to_string().as_bytes()), ("x.bin", LARGE)]));
    let children = folders.map(|folder| {
        let mut command = root.command(&["import", folder.to_str().unwrap(), "acme/r"]);
        command.stdout(Stdio::null()).spawn().unwrap()
    });
    for mut child in children.collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(git(&root.git_dir("acme/r"), &["rev-list", "--count", "main"]), "7\n");
    git(&root.git_dir("acme/r"), &["fsck"]);
}

#[test]
fn repositories_are_listed_tagged_and_renamed() {
    let root = Root::new();
    let commit = root.import("acme/r", &[("a", b"1")], &["--private"]);
    root.import("t", &[("a", b"1")], &["--type", "dataset", "--gated", "auto"]);
    assert_eq!(root.run(&["repo", "list"]), "model\tacme/r\tprivate\ndataset\tt\tgated");
    root.run(&["repo", "tag", "acme/r", "v1", "--revision", &commit[..8]]);
    root.run(&["repo", "branch", "acme/r", "b/c"]);
    root.run(&["repo", "set", "acme/r", "--public", "--disabled"]);
    root.run(&["repo", "rename", "acme/r", "other/s"]);
    assert!(root.run(&["repo", "list"]).starts_with("model\tother/s\tdisabled\n"));
    assert_eq!(
        git(&root.git_dir("other/s"), &["rev-parse", "v1", "b/c"]),
        format!("{commit}\n{commit}\n")
    );

    for arguments in [
        &["repo", "rename", "acme/r", "x"][..],
        &["repo", "rename", "other/s", "../x"],
        &["repo", "tag", "other/s", "v1"],
        &["repo", "tag", "other/s", "v2", "--revision", "none"],
        &["repo", "grant", "acme/none", "ann"],
    ] {
        let output = root.command(arguments).output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).lines().count()),
            (Some(1), 1),
            "{arguments:?}"
        );
    }
}

#[test]
fn users_receive_tokens() {
    let root = Root::new();
    let token = root.run(&["user", "add", "ann", "--org", "acme", "--org", "other"]);
    assert!(token.starts_with("hf_") && token.len() > 30);
    assert_eq!(root.run(&["user", "add", "bob", "--token", "hf_bob", "--role", "read"]), "hf_bob");
    assert_eq!(root.run(&["user", "list"]), "ann\tacme,other\nbob");
}

#[test]
fn wrong_usage_exits_with_2() {
    let root = Root::new();
    for arguments in [
        &["nothing"][..],
        &["serve", "--port", "x"],
        &["import"],
        &["serve", "--cdn-url", "ftp://x"],
    ] {
        assert_eq!(
            root.command(arguments).output().unwrap().status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_failure_to_start_is_reported_in_one_line() {
    let root = Root::new();
    let server = root.serve(&[]);
    let port = server.endpoint.rsplit(':').next().unwrap();
    let output = root.command(&["serve", "--port", port]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1));
    assert!(
        stderr(&output).contains(&format!("cannot listen on 127.0.0.1:{port}")),
        "{}",
        stderr(&output)
    );

    let file = root.folder(&[("file", b"")]).join("file");
    let output = Root::new().command(&["serve", "--root"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "--root given twice");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hf_hub_server"));
    let output = command.args(["serve", "--root"]).arg(file.join("root")).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).lines().count()), (Some(1), 1));
}

#[tokio::test]
async fn stops_at_once_when_standard_input_closes_despite_a_stalled_client() {
    let root = Root::new();
    root.import("acme/r", &[("x.bin", LARGE)], &[]);
    let mut server = root.serve(&["--test-control"]);
    let rule = r#"{"match":"x.bin","origin":"cdn","fault":{"kind":"stall","after":10}}"#;
    server.fault(serde_json::from_str(rule).unwrap()).await;
    let link = server.link("/acme/r/resolve/main/x.bin").await;
    let stalled = server.get(&link).await;

    let started = Instant::now();
    drop(server.process.stdin.take());
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(1));
    drop(stalled);
}

#[cfg(unix)]
#[tokio::test]
async fn stops_at_once_on_sigterm() {
    let root = Root::new();
    let mut server = root.serve(&[]);
    let held = server.get("/").await;
    let started = Instant::now();
    let id = server.process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(1));
    drop(held);
}

#[tokio::test]
async fn a_running_server_sees_what_the_command_line_does() {
    let root = Root::new();
    let server = root.serve(&[]);
    assert_eq!(server.get("/api/models/acme/r").await.status(), 401);
    let first = root.import("acme/r", &[("a", b"1")], &[]);
    assert_eq!(server.json("/api/models/acme/r").await["sha"], Value::from(first));
    let second = root.import("acme/r", &[("a", b"2")], &[]);
    assert_eq!(server.json("/api/models/acme/r").await["sha"], Value::from(second));
}

#[test]
fn a_backup_of_a_root_in_use_is_a_whole_root() {
    let root = Root::new();
    root.run(&["user", "add", "ann", "--org", "acme", "--token", "hf_ann"]);
    let files: &[(&str, &[u8])] = &[("README.md", b"# Hi\n"), ("model.bin", LARGE)];
    root.import("acme/r", files, &["--private"]);
    root.import("acme/gone", files, &[]);
    let server = root.serve(&[]);
    let target = root.path().with_file_name("copy");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for n in 0..20 {
                root.import(
                    "acme/r",
                    &[("n", n.to_string().as_bytes()), ("model.bin", LARGE)],
                    &[],
                );
            }
        });
        root.run(&["backup", target.to_str().unwrap()]);
        writer.join().unwrap();
    });
    drop(server);
    let inside = root.path().join("lfs/copy");
    for refused in [&target, &inside] {
        let output = root.command(&["backup", refused.to_str().unwrap()]).output().unwrap();
        assert!(!output.status.success(), "{}", refused.display());
    }
    fs::remove_dir_all(root.path()).unwrap();
    fs::rename(&target, root.path()).unwrap();

    let server = root.serve(&[]);
    git(&root.git_dir("acme/r"), &["fsck", "--strict"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let response = server.get_as("hf_ann", "/acme/r/resolve/main/model.bin").await;
        assert_eq!(response.status(), 302, "the private repository is there, and its large file");
        let content = server.get(common::header(&response, "location")).await;
        assert_eq!(content.bytes().await.unwrap(), LARGE);
        assert_eq!(server.get("/api/models/acme/r").await.status(), 401);
        assert_eq!(server.get("/api/models/acme/gone").await.status(), 200);
    });
}
