//! Changes whose order matters, and paths that cannot be written on this system.

use super::*;

fn delete(path: &str) -> Operation {
    Operation::DeleteFile(parse_path(path).unwrap())
}

#[tokio::test]
async fn finds_a_lost_commit_that_replaces_a_file_by_a_folder() {
    let oid = Oid::of_git(&b"hi"[..], 2).unwrap();
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a/x"),
        _ if head.contains("/commit/main") => cut(),
        _ if head.contains("/commits/main") => {
            ok(&json!([{ "id": NEW, "title": "Say it" }, { "id": OLD, "title": "Before" }]))
        }
        _ => ok(&json!([
            { "type": "directory", "path": "a", "oid": OLD, "size": 0 },
            { "type": "file", "path": "a/x", "oid": oid, "size": 2 },
        ])),
    })
    .await;
    let report = create(&hub(&server), vec![delete("a"), add("a/x", b"hi")]).await.unwrap();
    assert_eq!(report.last.unwrap().oid, NEW);
    assert_eq!(asked(&server.requests(), "/commit/").len(), 1);
}

#[tokio::test]
async fn sends_an_unchanged_file_when_the_same_commit_writes_its_path_twice() {
    let oid = Oid::of_git(&b"same"[..], 4).unwrap();
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => ok(&json!({ "files": [{ "path": "a.txt",
            "uploadMode": "regular", "shouldIgnore": false, "oid": oid }], "commitOid": OLD })),
        _ => committed(),
    })
    .await;
    let operations = vec![add("a.txt", b"else"), add("a.txt", b"same")];
    let report = create(&hub(&server), operations).await.unwrap();
    assert_eq!((report.committed, report.unchanged), (2, 0));
    let lines = &lines(&server)[0];
    assert_eq!(lines[2]["value"]["content"], "c2FtZQ==");

    let report = create(&hub(&server), vec![add("a.txt", b"same")]).await.unwrap();
    assert_eq!((report.committed, report.unchanged), (0, 1));
}

/// A branch with paths that are not valid on every system, and one that is invalid in any
/// repository.
fn listing(head: &str) -> Reply {
    let file = |path: &str| json!({ "type": "file", "path": path, "oid": OLD, "size": 1 });
    let long = "x".repeat(300);
    match head {
        _ if head.contains("/tree/main") => ok(&json!([
            file("old.txt"),
            file("a\nb.txt"),
            file(&long),
            file("Q: what.txt"),
            file("../up"),
        ])),
        _ => committed(),
    }
}

#[tokio::test]
async fn delete_patterns_reject_only_matching_invalid_names() {
    let server = Server::answering(listing).await;
    let matching = |pattern: &str| vec![Operation::DeleteMatching(vec![pattern.to_owned()])];
    create(&hub(&server), matching("old*")).await.unwrap();
    create(&hub(&server), matching("[!.]*")).await.unwrap();
    let deleted: Vec<Vec<String>> = lines(&server)
        .iter()
        .map(|lines| {
            let path = |line: &Value| line["value"]["path"].as_str().unwrap().to_owned();
            lines[1..].iter().map(path).collect()
        })
        .collect();
    assert_eq!(deleted[0], ["old.txt"]);
    assert_eq!(deleted[1], ["old.txt", "a\nb.txt", &"x".repeat(300), "Q: what.txt"]);
    let error = create(&hub(&server), matching("*")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(error.message().contains("\"../up\""), "{error}");
}

#[tokio::test]
async fn compares_sizes_when_ids_are_of_different_kinds() {
    for (size, same) in [(2, true), (3, false)] {
        let server = Server::answering(move |head| match head {
            _ if head.contains("/preupload/") => judged("regular", "a.txt"),
            _ if head.contains("/paths-info/") => {
                ok(&json!([{ "type": "file", "path": "a.txt", "oid": "v1:7", "size": size }]))
            }
            _ => committed(),
        })
        .await;
        let mut spec = spec(vec![add("a.txt", b"hi")]);
        spec.verified = true;
        let result = super::super::create(&hub(&server), spec, &Progress::default()).await;
        assert_eq!(
            result.map_err(|error| error.kind()).map(drop).err(),
            (!same).then_some(ErrorKind::ChecksumMismatch)
        );
    }
}
