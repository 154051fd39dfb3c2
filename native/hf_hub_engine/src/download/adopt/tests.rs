//! Adoptions on systems without links, and from other servers.

use std::{fs, path::Path};

use super::*;
use crate::{
    base::ids::{EntryPath, RepoType},
    testing::{Server, hub, reply},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

/// A Hub whose branches all point to `commit`, with two files of the same content.
async fn server(commit: &'static str, oid: &'static str) -> Server {
    let info = format!(r#"{{"sha":"{commit}"}}"#);
    let file = |name| format!(r#"{{"type":"file","path":"{name}","oid":"{oid}","size":6}}"#);
    let tree = format!("[{},{}]", file("a.txt"), file("sub/b.txt"));
    Server::answering(move |request| match request {
        request if request.contains("/revision/") => reply("200 OK", "", info.as_bytes()),
        _ => reply("200 OK", "", tree.as_bytes()),
    })
    .await
}

/// A cache as `hf_hub` 0.3 filled it.
fn fill(root: &Path) -> (CacheDir, std::path::PathBuf) {
    let cache = CacheDir::new(root);
    let repo = cache.repo(&Repo::new(RepoType::Model, "org/name").unwrap());
    let old = repo.snapshots().join("main");
    fs::create_dir_all(old.join("sub")).unwrap();
    fs::write(old.join("a.txt"), b"hello\n").unwrap();
    fs::write(old.join("sub/b.txt"), b"hello\n").unwrap();
    (cache, old)
}

async fn adopt(server: &Server, cache: &CacheDir, symlinks: bool) -> Report {
    let spec = Spec { cache_dir: cache.clone(), repo: None, dry_run: false, symlinks };
    run(&hub(&server.url), spec, &Progress::default()).await.unwrap()
}

#[tokio::test]
async fn without_links_the_files_move_to_the_snapshot_of_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, old) = fill(dir.path());
    let report = adopt(&server(COMMIT, HELLO).await, &cache, false).await;
    assert_eq!((report.files, report.bytes, report.unmatched.len()), (2, 12, 0));
    let repo = cache.repo(&Repo::new(RepoType::Model, "org/name").unwrap());
    let commit = repo.commit_of(&Revision::parse("main").unwrap()).unwrap();
    for name in ["a.txt", "sub/b.txt"] {
        let path = repo.pointer(&commit, &EntryPath::parse(name).unwrap());
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(path).unwrap(), b"hello\n");
    }
    assert!(!old.exists());
    assert_eq!(fs::read_dir(repo.blobs()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_snapshot_named_like_its_commit_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, old) = fill(dir.path());
    let report = adopt(&server("main", HELLO).await, &cache, true).await;
    assert_eq!((report.files, report.unmatched.len(), report.failures.len()), (0, 0, 0));
    assert!(old.join("a.txt").exists());
}

#[tokio::test]
async fn files_without_a_listed_checksum_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, old) = fill(dir.path());
    let report = adopt(&server(COMMIT, "v1").await, &cache, true).await;
    let reasons: Vec<_> = report.unmatched.iter().map(|file| file.reason).collect();
    assert_eq!(reasons, [Reason::NoChecksum, Reason::NoChecksum]);
    assert!(old.join("a.txt").exists() && report.revisions.is_empty());
}

#[tokio::test]
async fn a_folder_that_an_interrupted_adoption_emptied_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, old) = fill(dir.path());
    let server = server(COMMIT, HELLO).await;
    adopt(&server, &cache, true).await;
    fs::create_dir_all(old.join("sub")).unwrap();
    adopt(&server, &cache, true).await;
    assert!(!old.exists());
    assert_eq!(server.requests().len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_adopted_through_a_link_of_another_user() {
    let dir = tempfile::tempdir().unwrap();
    let (cache, old) = fill(dir.path());
    let repo = cache.repo(&Repo::new(RepoType::Model, "org/name").unwrap());
    let outside = dir.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, repo.blobs()).unwrap();
    if std::os::unix::fs::lchown(repo.blobs(), Some(12345), None).is_err() {
        return; // Only root can create such a link.
    }
    let report = adopt(&server(COMMIT, HELLO).await, &cache, true).await;
    let reasons: Vec<_> = report.unmatched.iter().map(|file| file.reason).collect();
    assert_eq!(reasons, [Reason::Failed, Reason::Failed]);
    assert!(old.join("a.txt").exists());
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}
