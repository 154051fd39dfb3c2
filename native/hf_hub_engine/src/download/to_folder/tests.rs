//! Plain folders that were changed by other clients, or damaged.

use super::*;
use crate::{
    base::ids::Revision,
    download::{
        file::run,
        spec::{Destination, Mode},
    },
    testing::{self, Server, hub, reply},
};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

fn spec(root: &Path, revision: &str) -> Spec {
    let destination =
        Destination::Folder(LocalDir::new(root.join("d")), CacheDir::new(root.join("c")));
    let revision = Revision::parse(revision).unwrap();
    Spec { revision, destination, ..testing::spec(root, "f.txt") }
}

async fn server() -> Server {
    let headers = format!("etag: \"{HELLO}\"\r\nx-repo-commit: {COMMIT}\r\n");
    Server::answering(move |_| reply("200 OK", &headers, b"hello\n")).await
}

async fn get(server: &Server, spec: &Spec) -> Report {
    run(&hub(&server.url), spec, &Progress::default()).await.unwrap()
}

#[test]
fn reads_metadata_files_of_other_clients() {
    let etag = Etag::parse(HELLO).unwrap();
    for text in [
        format!("{COMMIT}\n{HELLO}\n1700000000.5\n"),
        format!("{COMMIT}\r\n{HELLO}\r\n1700000000\r\n"),
        format!("{COMMIT}\r{HELLO}\r1.7e9"),
        format!("\u{feff} {COMMIT} \n\t{HELLO}\n 1700000000 \nmore\n"),
        format!("{COMMIT}\n\"{HELLO}\"\ninf\n"),
    ] {
        let (record, time) = parse_record(&text).unwrap();
        assert_eq!(
            (record.commit.as_str(), record.etag.as_ref()),
            (COMMIT, Some(&etag)),
            "{text:?}"
        );
        assert!(time >= 1.7e9);
    }
    for text in ["", "a\nb", "a\nb\nc\n", "a\nb\n\n1\n"] {
        assert!(parse_record(text).is_none(), "{text:?}");
    }
}

#[tokio::test]
async fn downloads_again_when_the_file_has_another_size() {
    let dir = tempfile::tempdir().unwrap();
    let server = server().await;
    let main = spec(dir.path(), "main");
    let path = get(&server, &main).await.path;
    for damage in [&b"hell"[..], b"hello, world\n", b""] {
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, damage).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        let dry = Spec { mode: Mode { dry_run: true, ..main.mode }, ..main.clone() };
        assert!(get(&server, &dry).await.will_download);
        assert!(!get(&server, &main).await.cached);
        assert_eq!(fs::read(&path).unwrap(), b"hello\n");
    }
    // The copy in the cache is not used either.
    fs::remove_file(&path).unwrap();
    let cached = Spec {
        destination: Destination::Cache(CacheDir::new(dir.path().join("c"))),
        ..main.clone()
    };
    let blob = fs::canonicalize(get(&server, &cached).await.path).unwrap();
    fs::write(blob, b"hell").unwrap();
    get(&server, &main).await;
    assert_eq!(fs::read(&path).unwrap(), b"hello\n");
}

#[tokio::test]
async fn a_file_without_checksum_is_requested_again_even_at_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (server, pinned) = (server().await, spec(dir.path(), COMMIT));
    let folder = LocalDir::new(dir.path().join("d"));
    fs::create_dir_all(folder.path()).unwrap();
    fs::write(folder.file(&pinned.path), b"<html>").unwrap();
    let record = format!("{COMMIT}\nlogin-1\n9999999999\n");
    write_atomically(&folder.metadata(&pinned.path), record.as_bytes()).unwrap();
    assert_eq!(fs::read(get(&server, &pinned).await.path).unwrap(), b"hello\n");
    get(&server, &pinned).await;
    assert_eq!(server.requests().len(), 1);
}
