//! Snapshots of Hubs whose listing and files disagree, and of damaged caches.

use std::fs;

use std::path::Path;

use super::*;
use crate::testing::{self, Server, hub, reply};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const HELLO_SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const HELLO_MD5: &str = "b1946ac92492d2347c6235b4d2611184";

fn spec(root: &Path, revision: &str) -> Spec {
    let of = testing::spec(root, "f.txt");
    Spec {
        repo: of.repo,
        revision: Revision::parse(revision).unwrap(),
        destination: of.destination,
        mode: of.mode,
        filter: Filter::default(),
        max_workers: 2,
        shared: of.shared,
    }
}

/// A Hub that lists `f.txt` with `oid`, and sends it with `headers`.
async fn server(commit: &str, oid: &str, headers: &str) -> Server {
    let info = format!(r#"{{"sha":"{commit}"}}"#);
    let tree = format!(r#"[{{"type":"file","path":"f.txt","oid":"{oid}","size":6}}]"#);
    let headers = headers.to_owned();
    Server::answering(move |request| match request {
        request if request.contains("/revision/") => reply("200 OK", "", info.as_bytes()),
        request if request.contains("/tree/") => reply("200 OK", "", tree.as_bytes()),
        _ => reply("200 OK", &headers, b"hello\n"),
    })
    .await
}

fn headers(etag: &str) -> String {
    format!("etag: \"{etag}\"\r\nx-repo-commit: {COMMIT}\r\n")
}

async fn get(server: &Server, spec: &Spec) -> Result<Vec<u8>> {
    let hub = Hub { retry: hub(&server.url).retry.once(), ..hub(&server.url) };
    let snapshot = run(&hub, spec, &Progress::default()).await?;
    Ok(fs::read(snapshot.path.join("f.txt")).unwrap())
}

#[tokio::test]
async fn headers_of_a_file_correct_the_listing() {
    for (oid, etag) in [
        (HELLO, HELLO),
        (COMMIT, HELLO),
        (COMMIT, HELLO_SHA256),
        (HELLO_MD5, HELLO),
        (HELLO_MD5, HELLO_SHA256),
        ("", HELLO),
        (HELLO, COMMIT),
        (HELLO, "mirror-1"),
        (HELLO_MD5, "mirror-1"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let server = server(COMMIT, oid, &headers(etag)).await;
        let first = get(&server, &spec(dir.path(), "main")).await;
        assert_eq!(first.unwrap(), b"hello\n", "{oid} {etag}");
        assert_eq!(get(&server, &spec(dir.path(), COMMIT)).await.unwrap(), b"hello\n");
    }
}

#[tokio::test]
async fn an_html_page_does_not_correct_the_listing() {
    let dir = tempfile::tempdir().unwrap();
    for more in ["content-type: text/html\r\n", ""] {
        let page = format!("etag: \"{HELLO}\"\r\n{more}");
        let server = server(COMMIT, &"d".repeat(40), &page).await;
        let error = get(&server, &spec(dir.path(), "main")).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ChecksumMismatch | ErrorKind::InvalidResponse),
            "{error}"
        );
        assert!(!dir.path().join(format!("models--org--name/snapshots/{COMMIT}/f.txt")).exists());
    }
}

#[tokio::test]
async fn downloads_damaged_and_wrong_files_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(COMMIT, HELLO, &headers(HELLO)).await;
    let (main, repo) =
        (spec(dir.path(), "main"), CacheDir::new(dir.path()).repo(&spec(dir.path(), "main").repo));
    get(&server, &main).await.unwrap();
    let etag = crate::base::etag::Etag::parse(HELLO).unwrap();
    fs::write(repo.blob(&etag), b"hell").unwrap();
    let dry = Spec { mode: Mode { dry_run: true, ..main.mode }, ..main.clone() };
    let plan = run(&hub(&server.url), &dry, &Progress::default()).await.unwrap();
    assert!(plan.files[0].will_download);
    let offline = Hub { offline: true, ..hub(&server.url) };
    let error = run(&offline, &main, &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotCached, "{error}");
    assert_eq!(get(&server, &main).await.unwrap(), b"hello\n");
    // Another client has linked a page of the same length.
    let (commit, path) = (Commit::parse(COMMIT).unwrap(), EntryPath::parse("f.txt").unwrap());
    let page = crate::base::etag::Etag::parse("login-1").unwrap();
    fs::write(repo.blob(&page), b"<html>").unwrap();
    repo.link(&commit, &path, &page, true, false).unwrap();
    for revision in ["main", COMMIT] {
        assert_eq!(get(&server, &spec(dir.path(), revision)).await.unwrap(), b"hello\n");
    }
}

#[tokio::test]
async fn requests_the_listing_of_a_named_commit_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let headers = format!("etag: \"{HELLO}\"\r\nx-repo-commit: v1.0\r\n");
    let server = server("v1.0", HELLO, &headers).await;
    for _ in 0..2 {
        assert_eq!(get(&server, &spec(dir.path(), "main")).await.unwrap(), b"hello\n");
    }
    let asked = server.requests().iter().filter(|request| request.contains("/tree/v1.0?")).count();
    assert_eq!(asked, 2);
    let offline = Hub { offline: true, ..hub(&server.url) };
    assert!(run(&offline, &spec(dir.path(), "main"), &Progress::default()).await.is_ok());
}

#[tokio::test]
async fn object_ids_of_sha256_repositories_verify_listed_files() {
    let oid = "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4";
    let dir = tempfile::tempdir().unwrap();
    let commit = "ab".repeat(32);
    let headers = format!("etag: \"{oid}\"\r\nx-repo-commit: {commit}\r\n");
    let server = server(&commit, oid, &headers).await;
    assert_eq!(get(&server, &spec(dir.path(), "main")).await.unwrap(), b"hello\n");
    assert_eq!(get(&server, &spec(dir.path(), &commit)).await.unwrap(), b"hello\n");
    let all = crate::cache::verify::Spec { repo: None, revision: None, max_workers: None };
    let report =
        crate::cache::verify::run(&CacheDir::new(dir.path()), &all, &Progress::default(), &|| {
            false
        })
        .unwrap();
    assert_eq!((report.valid_files, report.corrupted_files), (1, 0));
}

#[tokio::test]
async fn an_html_page_instead_of_the_revision_keeps_the_cached_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let good = server(COMMIT, HELLO, &headers(HELLO)).await;
    get(&good, &spec(dir.path(), "main")).await.unwrap();
    let portal =
        Server::answering(|_| reply("200 OK", "content-type: text/html\r\n", b"<html>")).await;
    let snapshot =
        run(&hub(&portal.url), &spec(dir.path(), "main"), &Progress::default()).await.unwrap();
    assert!(snapshot.stale.is_some());
}

#[tokio::test]
async fn missing_files_of_a_stored_listing_get_one_retry_if_the_hub_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let good = server(COMMIT, HELLO, &headers(HELLO)).await;
    get(&good, &spec(dir.path(), COMMIT)).await.unwrap();
    let repo = CacheDir::new(dir.path()).repo(&spec(dir.path(), COMMIT).repo);
    fs::remove_dir_all(repo.blobs()).unwrap();
    let away = hub(&testing::refusing().await);
    let error = run(&away, &spec(dir.path(), COMMIT), &Progress::default()).await.unwrap_err();
    assert!(error.message().ends_with("gave up after 2 attempts"), "{error}");
}
