//! Downloads from a server with scripted responses.

use std::fs;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Commit, EntryPath, Revision},
        lock,
        progress::Progress,
    },
    cache::layout::CacheDir,
    download::{
        file::run,
        report::Report,
        spec::{Mode, Spec},
    },
    hub::{client::Hub, token::Token},
    testing::{self, Reply, Server, hub, reply},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const HELLO_SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn spec(root: &std::path::Path) -> Spec {
    testing::spec(root, "f.txt")
}

fn headers(etag: &str) -> String {
    format!("etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\n")
}

fn hello() -> Reply {
    reply("200 OK", &headers(HELLO), b"hello\n")
}

/// Announces six bytes and sends `part`.
fn cut(part: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\n", headers(HELLO));
    Reply::Raw([head.as_bytes(), part].concat())
}

fn partials(root: &std::path::Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(root.join("models--org--name/blobs")) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some()).map(|path| fs::read(path).unwrap()).collect()
}

async fn get(server: &Server, spec: &Spec) -> Result<Report> {
    run(&hub(&server.url), spec, &Progress::default()).await
}

#[tokio::test]
async fn one_request_creates_blob_link_and_ref() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start([hello()]).await;
    let report = get(&server, &spec(dir.path())).await.unwrap();
    let repo = dir.path().join("models--org--name");
    assert_eq!(report.path, repo.join("snapshots").join(COMMIT).join("f.txt"));
    assert_eq!(
        fs::read_link(&report.path).unwrap().to_str().unwrap(),
        format!("../../blobs/{HELLO}")
    );
    assert_eq!(fs::read(&report.path).unwrap(), b"hello\n");
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert!(dir.path().join("CACHEDIR.TAG").exists());
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("get /org/name/resolve/main/f.txt http/1.1"));
    assert!(
        requests[0].contains("accept-encoding: identity")
            && requests[0].contains("x-hf-download-counter: 1")
    );
}

#[tokio::test]
async fn a_known_blob_is_linked_without_reading_the_body() {
    let dir = tempfile::tempdir().unwrap();
    // The response's body never arrives, and is not waited for.
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\n", headers(HELLO));
    let server = Server::start([hello(), Reply::Stall(head.into_bytes())]).await;
    get(&server, &spec(dir.path())).await.unwrap();
    let other = Spec { path: EntryPath::parse("d/g.txt").unwrap(), ..spec(dir.path()) };
    let report = get(&server, &other).await.unwrap();
    assert!(report.cached);
    assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
}

#[tokio::test]
async fn resumes_after_a_broken_connection() {
    let dir = tempfile::tempdir().unwrap();
    let rest = format!("{}content-range: bytes 3-5/6\r\n", headers(HELLO));
    let server = Server::start([cut(b"hel"), reply("206 Partial Content", &rest, b"lo\n")]).await;
    let report = get(&server, &spec(dir.path())).await.unwrap();
    assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
    assert!(server.requests()[1].contains("range: bytes=3-"));
    assert!(partials(dir.path()).is_empty());
}

#[tokio::test]
async fn starts_over_after_wrong_responses_to_a_range() {
    let wrong = format!("{}content-range: bytes 0-5/6\r\n", headers(HELLO));
    for answer in [
        hello(),
        reply("416 Range Not Satisfiable", "", b""),
        reply("206 Partial Content", &wrong, b"hello\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start([cut(b"hel"), answer, hello(), hello(), hello()]).await;
        let report = get(&server, &spec(dir.path())).await.unwrap();
        assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
    }
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_downloaded_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let world = "cc628ccd10742baea8241c5924df992b5c019f71";
    let changed = || reply("200 OK", &headers(world), b"world\n");
    let server = Server::start([cut(b"hel"), changed(), changed()]).await;
    let report = get(&server, &spec(dir.path())).await.unwrap();
    assert_eq!(fs::read(report.path).unwrap(), b"world\n");
}

#[tokio::test]
async fn wrong_content_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start([reply("200 OK", &headers(HELLO), b"hellO\n")]).await;
    let error = get(&server, &spec(dir.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(partials(dir.path()).is_empty());
    assert!(!dir.path().join("models--org--name/snapshots").exists());
}

#[tokio::test]
async fn gives_up_on_a_stalled_body_and_keeps_what_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\nhel", headers(HELLO));
    let server = Server::start([Reply::Stall(head.into_bytes())]).await;
    let hub = Hub { retry: hub(&server.url).retry.once(), ..hub(&server.url) };
    let error = run(&hub, &spec(dir.path()), &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(partials(dir.path()), [b"hel"]);

    let rest = format!("{}content-range: bytes 3-5/6\r\n", headers(HELLO));
    let first = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\n", headers(HELLO));
    server.push(Reply::Stall(first.into_bytes()));
    server.push(reply("206 Partial Content", &rest, b"lo\n"));
    let progress = Progress::default();
    let report = run(&hub, &spec(dir.path()), &progress).await.unwrap();
    assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
    assert_eq!(progress.snapshot().bytes_resumed, 3);
}

#[tokio::test]
async fn a_wrong_partial_file_costs_one_more_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = dir.path().join("models--org--name/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{HELLO}.0123abcd.incomplete")), b"???").unwrap();
    let rest = format!("{}content-range: bytes 3-5/6\r\n", headers(HELLO));
    let server =
        Server::start([hello(), reply("206 Partial Content", &rest, b"lo\n"), hello()]).await;
    let report = get(&server, &spec(dir.path())).await.unwrap();
    assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
    assert!(partials(dir.path()).is_empty());
}

#[tokio::test]
async fn the_token_is_sent_only_to_its_origin() {
    let dir = tempfile::tempdir().unwrap();
    let cdn = Server::start([reply("200 OK", "etag: \"other\"\r\n", b"hello\n")]).await;
    let linked = format!(
        "location: {}/signed?sig=secret\r\nx-linked-etag: \"{HELLO_SHA256}\"\r\nx-linked-size: 6\r\nx-repo-commit: {COMMIT}\r\n",
        cdn.url
    );
    let moved = "location: /api/resolve-cache/x?keep=me\r\n";
    let server = Server::start([
        reply("307 Moved", moved, b"ignored body"),
        reply("302 Found", &linked, b"also ignored"),
    ])
    .await;
    let hub = Hub { token: Some(Token::new("hf_CANARY").unwrap()), ..hub(&server.url) };
    let report = run(&hub, &spec(dir.path()), &Progress::default()).await.unwrap();
    assert_eq!(fs::read(&report.path).unwrap(), b"hello\n");
    assert_eq!(report.sha256.as_deref(), Some(HELLO_SHA256));
    assert!(
        server.requests().iter().all(|request| request.contains("authorization: bearer hf_canary"))
    );
    assert!(server.requests()[1].starts_with("get /api/resolve-cache/x?keep=me "));
    assert!(!cdn.requests()[0].contains("authorization"));
}

#[tokio::test]
async fn the_etag_of_a_content_host_does_not_replace_that_of_the_hub() {
    let stored = |body| reply("200 OK", "etag: \"5f-61a\"\r\n", body);
    let moved = || {
        let said = format!("x-linked-etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\n");
        reply("307 Moved", &format!("location: /stored\r\n{said}"), b"")
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start([moved(), stored(b"hellO\n"), moved(), stored(b"hello\n")]).await;
    let error = get(&server, &spec(dir.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    let report = get(&server, &spec(dir.path())).await.unwrap();
    assert!(fs::read_link(report.path).unwrap().ends_with(HELLO));
}

#[tokio::test]
async fn renews_an_expired_url() {
    let dir = tempfile::tempdir().unwrap();
    let cdn =
        Server::start([reply("403 Forbidden", "", b"expired"), reply("200 OK", "", b"hello\n")])
            .await;
    let linked = || {
        let headers = format!(
            "location: {}/x\r\nx-linked-etag: {HELLO_SHA256}\r\nx-linked-size: 6\r\nx-repo-commit: {COMMIT}\r\n",
            cdn.url
        );
        reply("302 Found", &headers, b"")
    };
    let server = Server::start([linked(), linked()]).await;
    get(&server, &spec(dir.path())).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn uses_the_cached_copy_without_the_network() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start([hello()]).await;
    get(&server, &spec(dir.path())).await.unwrap();
    let offline = Hub { offline: true, ..hub("http://127.0.0.1:9") };
    assert!(run(&offline, &spec(dir.path()), &Progress::default()).await.unwrap().cached);
    let down = hub("http://127.0.0.1:9");
    assert!(run(&down, &spec(dir.path()), &Progress::default()).await.unwrap().cached);
    let other = Spec { path: EntryPath::parse("g").unwrap(), ..spec(dir.path()) };
    let kind = |error: Error| error.kind();
    assert_eq!(
        kind(run(&offline, &other, &Progress::default()).await.unwrap_err()),
        ErrorKind::NotCached
    );
    assert_eq!(
        kind(run(&down, &other, &Progress::default()).await.unwrap_err()),
        ErrorKind::Transport
    );
}

#[tokio::test]
async fn remembers_a_missing_file_and_suggests_similar_names() {
    let dir = tempfile::tempdir().unwrap();
    let missing = format!("x-error-code: EntryNotFound\r\nx-repo-commit: {COMMIT}\r\n");
    let listing = format!(r#"[{{"type":"file","path":"d/F.txt","oid":"{HELLO}","size":6}}]"#);
    let server = Server::start([
        reply("404 Not Found", &missing, b""),
        reply("200 OK", "", listing.as_bytes()),
    ])
    .await;
    let error = get(&server, &spec(dir.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EntryNotFound);
    assert!(error.message().contains("similar: \"d/F.txt\""), "{error}");
    assert!(dir.path().join(format!("models--org--name/.no_exist/{COMMIT}/f.txt")).exists());
}

#[tokio::test]
async fn rejects_an_impossible_length_before_reading() {
    let page = reply("200 OK", &format!("{}x-linked-size: 6\r\n", headers(HELLO)), &[b' '; 9999]);
    let endless = format!("{}x-linked-size: {}\r\n", headers(HELLO), u64::MAX);
    for (answer, kind, words) in [
        (page, ErrorKind::Transport, "sends 9999 bytes"),
        (reply("200 OK", &endless, b"hello\n"), ErrorKind::InvalidResponse, "a file of"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start([answer]).await;
        let hub = Hub { retry: hub(&server.url).retry.once(), ..hub(&server.url) };
        let error = run(&hub, &spec(dir.path()), &Progress::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error}");
        assert!(!dir.path().join("models--org--name/snapshots").exists());
    }
}

#[tokio::test]
async fn hostile_headers_create_no_path() {
    for commit in ["../../evil", "..", "a/b", "a\\b", ".hidden", "c:d"] {
        let dir = tempfile::tempdir().unwrap();
        let headers = format!("etag: \"{HELLO}\"\r\nx-repo-commit: {commit}\r\n");
        let server = Server::answering(move |_| reply("200 OK", &headers, b"hello\n")).await;
        let error = get(&server, &spec(dir.path())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    for etag in ["../../evil", "/etc/passwd", "a\\..\\b", ".."] {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("a/b/c");
        let headers = format!("etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\n");
        let server = Server::answering(move |_| reply("200 OK", &headers, b"hello\n")).await;
        let report = get(&server, &spec(&cache)).await.unwrap();
        let blob = fs::canonicalize(report.path).unwrap();
        let blobs = fs::canonicalize(cache.join("models--org--name/blobs")).unwrap();
        assert_eq!(blob.parent().unwrap(), blobs, "{etag}");
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn downloads_again_when_the_blob_has_another_size() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::answering(|_| hello()).await;
    let path = get(&server, &spec(dir.path())).await.unwrap().path;
    let blob = fs::canonicalize(&path).unwrap();
    for damage in [&b"hell"[..], b"hello\nhello\n", b""] {
        fs::write(&blob, damage).unwrap();
        let dry =
            Spec { mode: Mode { dry_run: true, ..spec(dir.path()).mode }, ..spec(dir.path()) };
        let plan = get(&server, &dry).await.unwrap();
        assert!(plan.will_download && !plan.cached);
        let report = get(&server, &spec(dir.path())).await.unwrap();
        assert!(!report.cached);
        assert_eq!(fs::read(&report.path).unwrap(), b"hello\n");
    }
    // Another file with the same content does not use the damaged blob either.
    fs::write(&blob, b"hell").unwrap();
    let other = Spec { path: EntryPath::parse("g.txt").unwrap(), ..spec(dir.path()) };
    assert_eq!(fs::read(get(&server, &other).await.unwrap().path).unwrap(), b"hello\n");
}

#[tokio::test]
async fn an_emptied_blob_does_not_count_as_cached_even_for_a_pinned_commit() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::answering(|_| hello()).await;
    let pinned = Spec { revision: Revision::parse(COMMIT).unwrap(), ..spec(dir.path()) };
    let path = get(&server, &pinned).await.unwrap().path;
    fs::write(fs::canonicalize(&path).unwrap(), b"").unwrap();
    assert_eq!(fs::read(get(&server, &pinned).await.unwrap().path).unwrap(), b"hello\n");
    let nothing = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    let server = Server::answering(|_| reply("200 OK", &headers(nothing), b"")).await;
    let empty = Spec { path: EntryPath::parse("empty").unwrap(), ..pinned };
    get(&server, &empty).await.unwrap();
    assert!(get(&server, &empty).await.unwrap().cached);
    assert_eq!(server.requests().len(), 1);
}

/// A login page that an older version, or another client, stored as the file.
fn poison(root: &std::path::Path) {
    let repo = CacheDir::new(root).repo(&spec(root).repo);
    let (commit, path) = (Commit::parse(COMMIT).unwrap(), EntryPath::parse("f.txt").unwrap());
    let etag = crate::base::etag::Etag::parse("\"login-1\"").unwrap();
    fs::create_dir_all(repo.blobs()).unwrap();
    fs::write(repo.blob(&etag), b"<html>").unwrap();
    repo.link(&commit, &path, &etag, true, false).unwrap();
    repo.remember_ref(&Revision::parse("main").unwrap(), &commit);
}

#[tokio::test]
async fn the_next_online_call_replaces_a_wrong_file_in_the_cache() {
    for revision in ["main", COMMIT] {
        let dir = tempfile::tempdir().unwrap();
        poison(dir.path());
        let server = Server::answering(|_| hello()).await;
        let spec = Spec { revision: Revision::parse(revision).unwrap(), ..spec(dir.path()) };
        let offline = Hub { offline: true, ..hub(&server.url) };
        let old = run(&offline, &spec, &Progress::default()).await.unwrap();
        assert_eq!(fs::read(old.path).unwrap(), b"<html>");
        assert_eq!(fs::read(get(&server, &spec).await.unwrap().path).unwrap(), b"hello\n");
        assert!(get(&server, &spec).await.unwrap().cached);
    }
}

#[tokio::test]
async fn downloads_once_more_when_cached_content_does_not_match() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::answering(|_| hello()).await;
    let sha256 = Some(HELLO_SHA256.to_owned());
    for revision in ["main", COMMIT] {
        let revision = Revision::parse(revision).unwrap();
        let spec = Spec { revision, sha256: sha256.clone(), ..spec(dir.path()) };
        let path = get(&server, &spec).await.unwrap().path;
        fs::write(fs::canonicalize(&path).unwrap(), b"hellO\n").unwrap();
        let offline = Hub { offline: true, ..hub(&server.url) };
        let error = run(&offline, &spec, &Progress::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ChecksumMismatch, "{error}");
        assert_eq!(fs::read(get(&server, &spec).await.unwrap().path).unwrap(), b"hello\n");
    }
    let wrong = Spec { sha256: Some("0".repeat(64)), ..spec(dir.path()) };
    let before = server.requests().len();
    let error = get(&server, &wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(server.requests().len() - before <= 3);
}

#[tokio::test]
async fn dropping_a_download_closes_the_socket_and_keeps_what_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n{}\r\nhel", headers(HELLO));
    let server = Server::start([Reply::Stall(head.into_bytes())]).await;
    let progress = Progress::default();
    let (hub, spec) = (hub(&server.url), spec(dir.path()));
    let lock = dir.path().join(format!(".locks/models--org--name/{HELLO}.lock"));
    tokio::select! {
        _ = run(&hub, &spec, &progress) => panic!("the server is silent"),
        () = async { while progress.snapshot().bytes_done < 3 { tokio::task::yield_now().await } } => {}
    }
    // The writer releases the lock once everything in the queue is on disk.
    while lock::try_acquire(&lock).unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(partials(dir.path()), [b"hel"]);
}
