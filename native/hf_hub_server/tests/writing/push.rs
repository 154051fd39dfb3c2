//! Git pushes over HTTP.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::json;

use crate::clone::{clone, run, url};
use crate::common::{connect, git, stderr};
use crate::hub::{ANN, BOB, Hub, READER, file, hub, oid};

const ZERO: &str = "0000000000000000000000000000000000000000";

/// A clone of `acme/r` whose remote has a user's token.
struct Work<'a> {
    hub: &'a Hub,
    dir: PathBuf,
}

fn work<'a>(hub: &'a Hub, token: &str, name: &str) -> Work<'a> {
    let output = clone(hub, &url(hub, &format!("me:{token}@"), "/acme/r"), name, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let dir = hub.root.path().join(name);
    git(&dir, &["config", "user.name", "x"]);
    git(&dir, &["config", "user.email", "x@y"]);
    Work { hub, dir }
}

impl Work<'_> {
    fn git(&self, arguments: &[&str]) -> String {
        git(&self.dir, arguments).trim().to_owned()
    }

    fn commit(&self, path: &str, content: &[u8]) -> String {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits a tree that git's own commands do not create.
    fn commit_tree(&self, entries: &[u8]) -> String {
        let tree = piped(&self.dir, &["mktree", "-z"], entries);
        let commit = self.git(&["commit-tree", "-p", "origin/main", "-m", "x", tree.trim()]);
        self.git(&["reset", "-q", "--soft", &commit]);
        commit
    }

    fn blob(&self, content: &[u8]) -> String {
        piped(&self.dir, &["hash-object", "-w", "--stdin"], content).trim().to_owned()
    }

    fn push(&self, arguments: &[&str]) -> Output {
        run(self.hub, &[&["-C", self.dir.to_str().unwrap(), "push"], arguments].concat())
    }

    fn pushes(&self, arguments: &[&str]) {
        let output = self.push(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }

    /// Pushes in vain, and returns what git shows of it. Nothing changes on the Hub.
    fn is_rejected(&self, arguments: &[&str]) -> String {
        let before = state(self.hub);
        let output = self.push(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", stderr(&output));
        assert_eq!(state(self.hub), before, "{arguments:?}");
        stderr(&output)
    }

    /// Returns the pack of a commit and of everything that `origin/main` does not have.
    fn pack(&self, commit: &str) -> Vec<u8> {
        let list = format!("{commit}\n^origin/main\n");
        piped_bytes(&self.dir, &["pack-objects", "-q", "--revs", "--stdout"], list.as_bytes())
    }
}

fn piped(dir: &Path, arguments: &[&str], input: &[u8]) -> String {
    String::from_utf8(piped_bytes(dir, arguments, input)).unwrap()
}

fn piped_bytes(dir: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

/// Returns all refs and all packs of `acme/r`, and the number of leftovers.
fn state(hub: &Hub) -> (String, usize, usize) {
    let dir = hub.root.git_dir("acme/r");
    let packs = fs::read_dir(dir.join("objects/pack")).unwrap().count();
    (git(&dir, &["for-each-ref"]), packs, hub.leftovers())
}

/// Returns the body of a push that moves one ref.
fn body(old: &str, new: &str, name: &str, pack: &[u8]) -> Vec<u8> {
    let command = format!("{old} {new} {name}\0 report-status atomic");
    let mut body = format!("{:04x}{command}0000", command.len() + 4).into_bytes();
    body.extend_from_slice(pack);
    body
}

async fn send(hub: &Hub, token: &str, body: Vec<u8>) -> Response {
    let request = hub.server.request(Method::POST, "/acme/r.git/git-receive-pack");
    request.basic_auth("me", Some(token)).body(body).send().await.unwrap()
}

/// Sends a push as Ann and returns the report.
async fn report(hub: &Hub, body: Vec<u8>) -> String {
    let response = send(hub, ANN, body).await;
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

#[tokio::test]
async fn a_push_moves_branches_and_tags() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    let first = work.commit("a b/é.txt", b"1");
    work.pushes(&["-q"]);
    assert_eq!(hub.head("acme/r"), first);
    let list = hub.server.json("/api/models?full=true").await;
    assert_eq!(list[0]["sha"], first.as_str(), "the list follows");

    // Longer than the buffer up to which git sends a push as a whole.
    let noise = (0..800_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    let second = work.commit("noise", &noise.collect::<Vec<_>>());
    work.git(&["tag", "v1"]);
    work.git(&["tag", "-a", "v2", "-m", "two"]);
    work.pushes(&["-q", "origin", "main", "HEAD:refs/heads/dev/x", "v1", "v2"]);
    let refs = hub.server.json("/api/models/acme/r/refs").await;
    for (kind, index, name) in
        [("branches", 0, "dev/x"), ("branches", 1, "main"), ("tags", 0, "v1"), ("tags", 1, "v2")]
    {
        assert_eq!(refs[kind][index]["name"], name);
        assert_eq!(refs[kind][index]["targetCommit"], second.as_str(), "{name}");
    }

    work.git(&["reset", "-q", "--hard", &first]);
    let third = work.commit("c", b"3");
    let told = work.is_rejected(&["-q", "origin", "main"]);
    assert!(told.contains("non-fast-forward"), "{told}");
    work.pushes(&["-q", "--force", "origin", "main", ":dev/x", ":v1"]);
    assert_eq!(hub.head("acme/r"), third);
    let refs = hub.server.json("/api/models/acme/r/refs").await;
    assert_eq!(refs["branches"].as_array().unwrap().len(), 1);
    assert_eq!(refs["tags"].as_array().unwrap().len(), 1);
    // The API goes on where the push ended, and the clone goes on after that.
    let fourth = hub.commit(&[crate::hub::file("d", "4")]).await;
    work.git(&["pull", "-q", "--rebase"]);
    assert_eq!(work.git(&["rev-parse", "HEAD"]), fourth);
    let fsck = git(&hub.root.git_dir("acme/r"), &["fsck", "--no-dangling"]);
    assert_eq!(fsck, "");
}

#[tokio::test]
async fn a_push_needs_the_rights_of_its_ref() {
    let hub = hub().await;
    let header = json!({ "summary": "s" });
    let lines = [file("by-bob", "1")];
    let request = hub.server.request(Method::POST, "/api/models/acme/r/commit/main?create_pr=1");
    let opened = request.bearer_auth(BOB).body(crate::hub::body(&header, &lines)).send().await;
    assert_eq!(opened.unwrap().status(), 200);

    let bob = work(&hub, BOB, "bob");
    bob.git(&["fetch", "-q", "origin", "refs/pr/1:pr"]);
    bob.git(&["checkout", "-q", "pr"]);
    let commit = bob.commit("more", b"2");
    let told = bob.is_rejected(&["origin", "HEAD:main"]);
    assert!(told.contains("You are not authorized to push to refs/heads/main."), "{told}");
    assert!(told.contains("(pre-receive hook declined)"), "{told}");
    for (target, words) in [
        ("HEAD:refs/pr/2", "refs/pr/2 does not exist"),
        (":refs/pr/1", "Cannot delete refs/pr/1"),
        ("HEAD:refs/convert/parquet", "only to branches, tags and pull requests"),
        ("HEAD:refs/tags/v1", "You are not authorized"),
        ("HEAD:refs/heads/x", "You are not authorized"),
    ] {
        let told = bob.is_rejected(&["origin", target]);
        assert!(told.contains(words), "{target}: {told}");
    }
    // One ref without rights rejects the others.
    bob.is_rejected(&["origin", "HEAD:refs/pr/1", "HEAD:main"]);
    bob.pushes(&["-q", "origin", "HEAD:refs/pr/1"]);
    assert_eq!(git(&hub.root.git_dir("acme/r"), &["rev-parse", "refs/pr/1"]).trim(), commit);
    let discussion = hub.server.json("/api/models/acme/r/discussions/1").await;
    let last = discussion["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["type"], &last["data"]["oid"]), (&"commit".into(), &commit.as_str().into()));
    assert_eq!(last["author"]["name"], "bob");

    let ann = work(&hub, ANN, "ann");
    ann.commit("by-ann", b"3");
    let id = format!("HEAD:refs/heads/{}", "a".repeat(40));
    for (target, words) in [
        (":main", "Cannot delete refs/heads/main"),
        (&id, "You cannot push to"),
        ("HEAD:refs/convert/parquet", "You cannot push to"),
        ("HEAD:refs/notes/x", "You cannot push to"),
        ("HEAD:refs/pr/7", "refs/pr/7 does not exist"),
        ("HEAD^{tree}:refs/tags/tree", "can only point to a commit"),
    ] {
        let told = ann.is_rejected(&["origin", target]);
        assert!(told.contains(words), "{target}: {told}");
    }
    ann.pushes(&["-q", "--force", "origin", "HEAD:refs/pr/1"]);

    for (token, status, words) in
        [("", 401, "Invalid username"), (READER, 403, "write token"), ("hf_no", 401, "credentials")]
    {
        let request = hub.server.request(Method::GET, "/acme/r/info/refs?service=git-receive-pack");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{token}");
        assert!(response.text().await.unwrap().contains(words), "{token}");
        let push = body(ZERO, &hub.head("acme/r"), "refs/heads/x", b"");
        assert_eq!(
            send(&hub, token, push).await.status(),
            if token.is_empty() { 401 } else { status }
        );
    }
    // Another user, who has opened no pull request, is told so before sending anything.
    hub.root.run(&["user", "add", "eve", "--token", "hf_eve"]);
    let eve = work(&hub, "hf_eve", "eve");
    eve.commit("by-eve", b"4");
    let told = eve.is_rejected(&["origin", "HEAD:main"]);
    assert!(told.contains("remote: Forbidden: you don't have the rights"), "{told}");
    // One who has opened a pull request may push to that one only, with any query.
    let request = hub.server.request(Method::POST, "/api/models/acme/r/commit/main?create_pr=1");
    let opened = request.bearer_auth("hf_eve").body(crate::hub::body(&header, &lines)).send().await;
    assert_eq!(opened.unwrap().status(), 200);
    let head = git(&hub.root.git_dir("acme/r"), &["rev-parse", "refs/pr/1"]);
    let push = body(head.trim(), &hub.head("acme/r"), "refs/pr/1", b"");
    let path = "/acme/r/git-receive-pack?create_pr=1";
    let request = hub.server.request(Method::POST, path).bearer_auth("hf_eve").body(push);
    let told = request.send().await.unwrap().text().await.unwrap();
    assert!(told.contains("ng refs/pr/1 pre-receive hook declined"), "{told}");

    let status = json!({ "status": "closed" });
    let closed = hub.post("/api/models/acme/r/discussions/1/status", status).await;
    assert_eq!(closed.status(), 200);
    let told = ann.is_rejected(&["-f", "origin", "origin/main:refs/pr/1"]);
    assert!(told.contains("this pull request is closed"), "{told}");
}

#[tokio::test]
async fn a_push_contains_only_what_a_commit_may() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    let blob = work.blob(b"x");
    let large = work.blob(&vec![7; (10 << 20) + 1]);
    let pointer = |content: &[u8], size: usize| {
        format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {size}\n",
            oid(content)
        )
    };
    hub.upload("acme/r", b"held by this repository").await;
    hub.create("other").await;
    hub.upload("acme/other", b"of another one").await;
    let unknown = work.blob(pointer(b"never sent", 10).as_bytes());
    let foreign = work.blob(pointer(b"of another one", 14).as_bytes());
    let longer = work.blob(pointer(b"held by this repository", 24).as_bytes());
    let readme = work.blob(b"---\nlicense: [mit\n---\n");
    let missing = "an LFS pointer pointed to a file that does not exist";
    let long = "n".repeat(256);
    for (name, oid, words) in [
        (&b"big.txt"[..], &large, "files larger than 10 MiB"),
        (b"m.bin", &unknown, missing),
        (b"m.bin", &foreign, missing),
        (b"m.bin", &longer, "the size in an LFS pointer"),
        (b"README.md", &readme, "during YAML metadata verification"),
        (b"a\\b", &blob, "invalid file names"),
        (b"a\nb\x1b[31m", &blob, "  - a\u{fffd}b\u{fffd}[31m"),
        (b"\xff", &blob, "invalid file names"),
        (b".git ", &blob, "hasDotgit"),
        (b"GIT~1", &blob, "hasDotgit"),
        (long.as_bytes(), &blob, "invalid file names"),
    ] {
        let entry = [format!("100644 blob {oid}\t").as_bytes(), name, b"\0"].concat();
        work.commit_tree(&entry);
        let told = work.is_rejected(&["origin", "HEAD:main"]);
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = work.is_rejected(&["origin", "HEAD:refs/tags/t"]);
    assert!(told.contains("invalid file names"), "in a tag: {told}");
    // Removing it again does not help: the history has it.
    let added = work.commit_tree(format!("100644 blob {large}\tbig.txt\0").as_bytes());
    let removed = work.git(&["commit-tree", "-p", &added, "-m", "x", "origin/main^{tree}"]);
    let told = work.is_rejected(&["origin", &format!("{removed}:main")]);
    assert!(told.contains("  - big.txt (ref: refs/heads/main)"), "{told}");

    // A submodule and a link are left to git; a large file that was sent is held.
    let held = work.blob(pointer(b"held by this repository", 23).as_bytes());
    let entries = format!(
        "100644 blob {held}\tm.dat\x00120000 blob {blob}\tlink\x00160000 commit {above}\tsub\0",
        above = hub.head("acme/r")
    );
    work.commit_tree(entries.as_bytes());
    let output = work.push(&["origin", "HEAD:main"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("does not assign these LFS files"), "{}", stderr(&output));
    assert_eq!(hub.files(), ["link", "m.dat", "sub"]);
}

#[tokio::test]
async fn objects_that_are_damaged_or_missing_are_rejected() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    let commit = work.commit("a/b", b"1");
    let head = hub.head("acme/r");
    let before = state(&hub);
    let pack = work.pack(&commit);
    let only = piped_bytes(&work.dir, &["pack-objects", "-q", "--stdout"], commit.as_bytes());
    let mut damaged = pack.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (pack, words) in [
        (b"PACK\0\0\0\x02\0\0\0\x05garbage".to_vec(), "unpacker error"),
        (damaged, "unpacker error"),
        (pack[..pack.len() - 9].to_vec(), "unpacker error"),
        (only, "ng refs/heads/main"),
        (Vec::new(), "missing necessary objects"),
    ] {
        let told = report(&hub, body(&head, &commit, "refs/heads/main", &pack)).await;
        assert!(told.contains(words), "{words}: {told}");
        assert!(!told.contains(hub.root.path().to_str().unwrap()), "{told}");
        assert_eq!(state(&hub), before, "{words}");
    }
    for commands in [&b"0000"[..], b"", b"0001", b"zzzz"] {
        let status = send(&hub, ANN, commands.to_vec()).await.status();
        assert_eq!(status, if commands == b"0000" { 200 } else { 400 }, "{commands:?}");
    }
    let told = report(&hub, body(&head, &commit, "refs/heads/main", &pack)).await;
    assert!(told.contains("ok refs/heads/main"), "{told}");
    assert_eq!(hub.head("acme/r"), commit);
}

#[tokio::test]
async fn a_small_pack_that_describes_endless_files_is_rejected() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    for (width, depth, words) in [(10, 9, "files and folders"), (1, 600, "a path of more than")] {
        let mut below = format!("100644 blob {}", work.blob(b"x"));
        for _ in 0..depth {
            let entries = (0..width).map(|n| format!("{below}\t{n}\0")).collect::<Vec<_>>();
            let entries = entries.concat();
            let tree = piped(&work.dir, &["mktree", "-z"], entries.as_bytes());
            below = format!("040000 tree {}", tree.trim());
        }
        work.commit_tree(format!("{below}\tx\0").as_bytes());
        let told = work.is_rejected(&["origin", "HEAD:main"]);
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn of_two_pushes_from_one_commit_one_wins() {
    let hub = hub().await;
    let base = hub.head("acme/r");
    let bodies = ["one", "two"].map(|name| {
        let work = work(&hub, ANN, name);
        let commit = work.commit("f", name.as_bytes());
        (body(&base, &commit, "refs/heads/main", &work.pack(&commit)), commit)
    });
    let [first, second] = bodies.each_ref().map(|(body, _)| report(&hub, body.clone()));
    let (first, second) = tokio::join!(first, second);
    let wins = [&first, &second].map(|told| told.contains("ok refs/heads/main"));
    assert_ne!(wins[0], wins[1], "{first} {second}");
    let (winner, loser) = if wins[0] { (0, second) } else { (1, first) };
    assert_eq!(hub.head("acme/r"), bodies[winner].1);
    assert!(loser.contains("ng refs/heads/main failed to update ref"), "{loser}");

    // With `atomic`, a ref that could move does not.
    let head = hub.head("acme/r");
    let line = |text: String| format!("{:04x}{text}", text.len() + 4);
    let lines = [
        line(format!("{ZERO} {head} refs/heads/new\0 report-status atomic")),
        line(format!("{base} {head} refs/heads/main")),
    ];
    let told = report(&hub, format!("{}0000", lines.concat()).into_bytes()).await;
    assert!(told.contains("ng refs/heads/new atomic push failed"), "{told}");
    let told = report(&hub, body(ZERO, &head, "refs/heads/main/below", b"")).await;
    assert!(told.contains("directory/file conflict"), "{told}");
    let told = report(&hub, body(ZERO, &head, "refs/heads/main", b"")).await;
    assert!(told.contains("reference already exists"), "{told}");
}

#[tokio::test]
async fn a_client_that_leaves_leaves_nothing() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    let commit = work.commit("a", b"1");
    let body = body(&hub.head("acme/r"), &commit, "refs/heads/main", &work.pack(&commit));
    let before = state(&hub);
    let mut stream = connect(&hub.server.endpoint);
    let head = format!(
        "POST /acme/r/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len() + 1_000_000
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    stream.flush().unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    let ended = |requests: &[serde_json::Value]| {
        requests.iter().any(|request| {
            let path = request["path"].as_str().unwrap_or_default();
            path.ends_with("/git-receive-pack") && request["status"] == 400
        })
    };
    hub.server.requests_when(ended).await;
    assert_eq!(state(&hub), before);
}

#[tokio::test]
async fn a_push_to_an_old_name_arrives_at_the_new_one() {
    let hub = hub().await;
    let work = work(&hub, ANN, "w");
    let body = json!({ "fromRepo": "acme/r", "toRepo": "acme/new", "type": "model" });
    assert_eq!(hub.post("/api/repos/move", body).await.status(), 200);
    let commit = work.commit("a", b"1");
    work.pushes(&["-q"]);
    assert_eq!(hub.head("acme/new"), commit);
}
