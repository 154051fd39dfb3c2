//! Responses of servers that are not a Hub, or differ from one.

use std::{fs, path::Path};

use crate::{
    base::{
        error::{ErrorKind, Result},
        ids::{EntryPath, Repo, RepoType, Revision},
        input::RawPath,
        progress::Progress,
    },
    download::{self, report::Report, spec::Spec},
    hub::client::Hub,
    testing::{self, Reply, Server, hub, reply},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const HELLO_SHA1: &str = "f572d396fae9206628714fb2ce00f72e94f2258f";
const HELLO_SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

fn at(root: &Path, revision: &str) -> Spec {
    let revision = Revision::parse(revision).unwrap();
    Spec { revision, ..testing::spec(root, "f.txt") }
}

async fn get(server: &Server, spec: &Spec) -> Result<Report> {
    let hub = Hub { retry: hub(&server.url).retry.once(), ..hub(&server.url) };
    download::file::run(&hub, spec, &Progress::default()).await
}

fn hello(headers: &str) -> Reply {
    reply("200 OK", headers, b"hello\n")
}

/// Responds to GET and HEAD differently.
async fn two(
    get: impl Fn() -> Reply + Send + 'static,
    head: impl Fn() -> Reply + Send + 'static,
) -> Server {
    Server::answering(move |request| if request.starts_with("head") { head() } else { get() }).await
}

#[tokio::test]
async fn rejects_a_page_of_another_server_as_file_of_a_commit() {
    let html = "content-type: text/html; charset=utf-8\r\n";
    for headers in [
        "etag: \"login-1\"\r\n".to_owned(),
        format!("etag: \"login-1\"\r\n{html}"),
        format!("etag: \"{HELLO}\"\r\n{html}"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::answering(move |_| hello(&headers)).await;
        let error = get(&server, &at(dir.path(), COMMIT)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
        assert!(!dir.path().join("models--org--name").exists());
    }
}

#[tokio::test]
async fn accepts_a_file_without_commit_by_its_checksum() {
    for (etag, good) in [(HELLO, true), (HELLO_SHA256, true), (COMMIT, false)] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::answering(move |_| hello(&format!("etag: \"{etag}\"\r\n"))).await;
        let result = get(&server, &at(dir.path(), COMMIT)).await;
        assert_eq!(result.is_ok(), good, "{result:?}");
    }
    // HTML is accepted if the file name has its extension.
    let dir = tempfile::tempdir().unwrap();
    let headers = format!("etag: \"{HELLO}\"\r\ncontent-type: text/html\r\n");
    let server = Server::answering(move |_| hello(&headers)).await;
    let spec = Spec { path: EntryPath::parse("a/index.html").unwrap(), ..at(dir.path(), COMMIT) };
    assert!(get(&server, &spec).await.is_ok());
}

#[tokio::test]
async fn does_not_follow_a_redirect_to_a_host_that_no_hub_names() {
    let portal =
        Server::answering(|_| hello(&format!("etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\n")))
            .await;
    for said in ["", "etag: \"ce013625030ba8dba906f756967f9e9ca394464a\"\r\n"] {
        for revision in ["main", COMMIT] {
            let dir = tempfile::tempdir().unwrap();
            let away = format!("location: {}/login\r\n{said}", portal.url);
            let server = Server::answering(move |_| reply("302 Found", &away, b"")).await;
            let error = get(&server, &at(dir.path(), revision)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
            assert!(error.message().contains("is not followed"), "{error}");
        }
    }
    assert!(portal.requests().is_empty());
}

#[tokio::test]
async fn follows_a_redirect_without_commit_when_a_checksum_is_announced() {
    for (body, is_good) in [(b"hello\n", true), (b"hellO\n", false)] {
        let store = Server::answering(move |_| reply("200 OK", "", body)).await;
        let away = format!("location: {}/f\r\nx-linked-etag: \"{HELLO_SHA256}\"\r\n", store.url);
        let server = Server::answering(move |_| reply("302 Found", &away, b"")).await;
        let dir = tempfile::tempdir().unwrap();
        let result = get(&server, &at(dir.path(), COMMIT)).await;
        assert_eq!(result.is_ok(), is_good, "{result:?}");
        // A branch cannot be stored in the cache without its commit.
        let error = get(&server, &at(dir.path(), "main")).await.unwrap_err();
        assert!(error.message().contains("X-Repo-Commit"), "{error}");
    }
}

#[tokio::test]
async fn sends_one_head_request_for_missing_headers() {
    for full in [
        format!("etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\n"),
        format!("x-linked-etag: \"{HELLO_SHA256}\"\r\nx-repo-commit: {COMMIT}\r\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = two(|| hello(""), move || reply("200 OK", &full, b"")).await;
        let report = get(&server, &at(dir.path(), "main")).await.unwrap();
        assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
        assert_eq!(report.commit.unwrap().as_str(), COMMIT);
        assert_eq!(server.requests().len(), 2);
    }
    let dir = tempfile::tempdir().unwrap();
    let server = Server::answering(|_| hello("")).await;
    let error = get(&server, &at(dir.path(), "main")).await.unwrap_err();
    assert!(error.message().contains("X-Repo-Commit"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn follows_a_redirect_whose_headers_only_head_returns() {
    let dir = tempfile::tempdir().unwrap();
    let store = Server::answering(|_| hello("")).await;
    let to = format!("location: {}/f\r\n", store.url);
    let full = format!("{to}x-linked-etag: \"{HELLO_SHA256}\"\r\nx-repo-commit: {COMMIT}\r\n");
    let server =
        two(move || reply("302 Found", &to, b""), move || reply("302 Found", &full, b"")).await;
    let report = get(&server, &at(dir.path(), "main")).await.unwrap();
    assert_eq!(fs::read(report.path).unwrap(), b"hello\n");
}

#[tokio::test]
async fn one_matching_checksum_is_enough() {
    let md5 = "b1946ac92492d2347c6235b4d2611184";
    for (etag, more) in [
        (HELLO_SHA1.to_owned(), String::new()),
        (HELLO.to_uppercase(), String::new()),
        (format!("{{SHA1{{{}}}}}", "d".repeat(20)), String::new()),
        (md5.to_owned(), format!("x-checksum-sha256: {HELLO_SHA256}\r\n")),
        (COMMIT.to_owned(), format!("x-checksum-sha256: {HELLO_SHA256}\r\n")),
        (COMMIT.to_owned(), format!("x-linked-etag: \"{HELLO_SHA256}\"\r\n")),
        ("a".repeat(64), format!("x-checksum-sha1: {HELLO_SHA1}\r\n")),
        ("odd/etag:1".to_owned(), String::new()),
        ("\u{fc}".to_owned(), String::new()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let headers = format!("etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\n{more}");
        let server = Server::answering(move |_| hello(&headers)).await;
        let report = get(&server, &at(dir.path(), "main")).await.unwrap();
        assert_eq!(fs::read(report.path).unwrap(), b"hello\n", "{etag}");
        let wrong = format!("etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\n{more}");
        let server = Server::answering(move |_| reply("200 OK", &wrong, b"hellO\n")).await;
        let result = get(&server, &at(tempfile::tempdir().unwrap().path(), "main")).await;
        let provable = etag.len() >= 40 || !more.is_empty();
        assert_eq!(result.is_err(), provable, "{etag} {more}");
    }
}

#[tokio::test]
async fn accepts_commits_with_any_name() {
    let sha256 = "ab".repeat(32);
    for commit in ["v1.0", sha256.as_str()] {
        let dir = tempfile::tempdir().unwrap();
        let headers = format!("etag: \"{HELLO}\"\r\nx-repo-commit: {commit}\r\n");
        let server = Server::answering(move |_| hello(&headers)).await;
        let report = get(&server, &at(dir.path(), "main")).await.unwrap();
        assert!(report.path.ends_with(format!("snapshots/{commit}/f.txt")));
        let before = server.requests().len();
        get(&server, &at(dir.path(), commit)).await.unwrap();
        // Only a hash always stands for the same content.
        assert_eq!(server.requests().len() - before, usize::from(commit == "v1.0"));
        // A branch with the name of its commit has no ref.
        let offline = Hub { offline: true, ..hub(&server.url) };
        let report =
            download::file::run(&offline, &at(dir.path(), commit), &Progress::default()).await;
        assert!(report.unwrap().cached);
    }
}

#[tokio::test]
async fn git_object_ids_of_sha256_repositories_are_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let oid = "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4";
    let headers = format!("etag: \"{oid}\"\r\nx-repo-commit: {}\r\n", "ab".repeat(32));
    let server = Server::answering(move |_| hello(&headers)).await;
    assert!(get(&server, &at(dir.path(), "main")).await.is_ok());
}

#[tokio::test]
async fn follows_a_location_with_raw_bytes() {
    for (raw, encoded) in
        [("/ü/文 件".as_bytes(), "/%c3%bc/%e6%96%87%20%e4%bb%b6"), (b"/\xfc", "/%fc")]
    {
        let dir = tempfile::tempdir().unwrap();
        let head = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\nlocation: ";
        let moved = Reply::Raw([head, raw, b"\r\n\r\n"].concat());
        let file = hello(&format!("etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\n"));
        let server = Server::start([moved, file]).await;
        get(&server, &at(dir.path(), "main")).await.unwrap();
        assert!(server.requests()[1].starts_with(&format!("get {encoded} ")));
    }
}

const HASH: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

fn in_bucket(root: &Path) -> Spec {
    Spec {
        repo: Repo::new(RepoType::Bucket, "org/name").unwrap(),
        file: Some(RawPath(root.join("to").join("f.txt"))),
        ..at(root, HASH)
    }
}

#[tokio::test]
async fn accepts_a_file_of_a_bucket_by_its_xet_hash() {
    let headers = [
        format!("x-xet-hash: {HASH}\r\n"),
        format!("x-xet-hash: {HASH}\r\netag: \"{HASH}\"\r\n"),
        format!("x-xet-hash: {HASH}\r\nx-linked-etag: \"{HASH}\"\r\netag: \"other\"\r\n"),
        format!("x-xet-hash: {HASH}\r\nx-linked-etag: \"{HELLO_SHA256}\"\r\n"),
    ];
    for headers in headers {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::answering(move |request| {
            assert!(request.starts_with("get /buckets/org/name/resolve/f.txt "), "{request}");
            hello(&headers)
        })
        .await;
        let report = get(&server, &in_bucket(dir.path())).await.unwrap();
        assert_eq!(fs::read(&report.path).unwrap(), b"hello\n");
        // Nothing is left beside the file.
        assert_eq!(fs::read_dir(dir.path().join("to")).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn rejects_a_file_of_a_bucket_that_is_another_or_a_page() {
    let other = HASH.replace('a', "b");
    for headers in [
        format!("x-xet-hash: {other}\r\n"),
        "etag: \"login-1\"\r\ncontent-type: text/html\r\n".to_owned(),
        format!("etag: \"login-1\"\r\nx-repo-commit: {COMMIT}\r\n"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::answering(move |_| hello(&headers)).await;
        let error = get(&server, &in_bucket(dir.path())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
        assert!(!dir.path().join("to").join("f.txt").exists());
    }
}

#[tokio::test]
async fn a_xet_hash_is_no_commit_of_a_repository() {
    let dir = tempfile::tempdir().unwrap();
    let headers = format!("x-xet-hash: {HASH}\r\netag: \"opaque\"\r\n");
    let server = Server::answering(move |_| hello(&headers)).await;
    let error = get(&server, &at(dir.path(), "main")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error}");
}
