//! Uploads to a scripted Hub and store.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};

mod large;
mod order;
mod responses;

use super::*;
use crate::{
    base::{
        error::ErrorKind,
        ids::{Repo, RepoType, Revision},
        progress::Progress,
    },
    hub::{client::Hub, token::Token},
    testing::{self, Reply, Server, reply},
};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

fn ok(json: &Value) -> Reply {
    reply("200 OK", "content-type: application/json\r\n", json.to_string().as_bytes())
}

fn cut() -> Reply {
    Reply::Raw(Vec::new())
}

fn hub(server: &Server) -> Hub {
    let mut hub = testing::hub(&server.url);
    hub.token = Some(Token::new("hf_secret").unwrap());
    hub.retry.retries = 3;
    hub
}

fn spec(operations: Vec<Operation>) -> Spec {
    let repo = Repo::new(RepoType::Model, "org/name").unwrap();
    Spec {
        target: Target {
            repo,
            revision: Revision::parse("main").unwrap(),
            create_pr: false,
            hot_reload: false,
        },
        message: Message { summary: "Say it".to_owned(), description: String::new(), parent: None },
        operations,
        tuning: Tuning { workers: 2, connections: 4, silence: Duration::from_secs(5) },
        verified: false,
    }
}

fn add(path: &str, content: &[u8]) -> Operation {
    Operation::Add {
        path: parse_path(path).unwrap(),
        source: Source::Bytes(Bytes::copy_from_slice(content)),
        known: None,
        size: None,
    }
}

async fn create(hub: &Hub, operations: Vec<Operation>) -> Result<Report> {
    super::create(hub, spec(operations), &Progress::default()).await
}

fn judged(mode: &str, path: &str) -> Reply {
    ok(
        &json!({ "files": [{ "path": path, "uploadMode": mode, "shouldIgnore": false }], "commitOid": OLD }),
    )
}

fn committed() -> Reply {
    ok(&json!({ "commitOid": NEW, "commitUrl": "https://hub.example/c" }))
}

fn asked<'a>(requests: &'a [String], what: &str) -> Vec<&'a String> {
    requests.iter().filter(|head| head.lines().next().unwrap_or_default().contains(what)).collect()
}

fn lines(server: &Server) -> Vec<Vec<Value>> {
    let commits = server.requests().into_iter().zip(server.bodies());
    let commits = commits.filter(|(head, _)| head.contains("/commit/main"));
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    commits.map(|(_, body)| String::from_utf8(body).unwrap().lines().map(parse).collect()).collect()
}

#[tokio::test]
async fn finds_a_commit_whose_response_was_lost_and_does_not_repeat_it() {
    let oid = Oid::of_git(&b"hi"[..], 2).unwrap();
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ if head.contains("/commit/main") => cut(),
        _ if head.contains("/commits/main") => {
            ok(&json!([{ "id": NEW, "title": "Say it" }, { "id": OLD, "title": "Say it" }]))
        }
        _ => ok(&json!([{ "type": "file", "path": "a.txt", "oid": oid, "size": 2 }])),
    })
    .await;
    let report = create(&hub(&server), vec![add("a.txt", b"hi")]).await.unwrap();
    assert_eq!(report.last.unwrap().oid, NEW);
    assert_eq!(asked(&server.requests(), "/commit/").len(), 1);
    assert_eq!(asked(&server.requests(), &format!("/paths-info/{NEW}")).len(), 1);
}

#[tokio::test]
async fn sends_an_uncommitted_change_again_with_the_head_as_parent() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ if head.contains("/commits/main") => ok(&json!([{ "id": OLD, "title": "Before" }])),
        _ if tries.fetch_add(1, Relaxed) == 0 => reply("502 Bad Gateway", "", b""),
        _ => committed(),
    })
    .await;
    let report = create(&hub(&server), vec![add("a.txt", b"hi")]).await.unwrap();
    assert_eq!(report.commits.len(), 1);
    let sent = lines(&server);
    assert_eq!(sent.len(), 2);
    assert!(sent[0][0]["value"].get("parentCommit").is_none());
    assert_eq!(sent[1][0]["value"]["parentCommit"], OLD);
    assert_eq!(sent[1][1]["value"]["content"], "aGk=");
}

#[tokio::test]
async fn a_late_first_request_makes_the_second_one_fail_and_is_found() {
    let oid = Oid::of_git(&b"hi"[..], 2).unwrap();
    let commits = Arc::new(AtomicUsize::new(0));
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ if head.contains("/commit/main") => match commits.fetch_add(1, Relaxed) {
            0 => cut(),
            _ => reply("412 Precondition Failed", "", b"{\"error\":\"moved\"}"),
        },
        _ if head.contains("/commits/main") && commits.load(Relaxed) == 1 => {
            ok(&json!([{ "id": OLD, "title": "Before" }]))
        }
        _ if head.contains("/commits/main") => {
            ok(&json!([{ "id": NEW, "title": "Say it" }, { "id": OLD, "title": "Before" }]))
        }
        _ => ok(&json!([{ "type": "file", "path": "a.txt", "oid": oid, "size": 2 }])),
    })
    .await;
    let report = create(&hub(&server), vec![add("a.txt", b"hi")]).await.unwrap();
    assert_eq!(report.last.unwrap().oid, NEW);
}

#[tokio::test]
async fn finds_a_pull_request_whose_response_was_lost() {
    let oid = Oid::of_git(&b"hi"[..], 2).unwrap();
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ if head.contains("/commit/main") => cut(),
        _ if head.contains("/refs?include_prs=1") => {
            let of = |n: u32| json!({ "name": n.to_string(), "ref": format!("refs/pr/{n}"), "targetCommit": NEW });
            ok(&json!({ "branches": [], "pullRequests": [of(1), of(12), of(7)] }))
        }
        _ if head.contains("/commits/refs%2fpr%2f12") => ok(&json!([{ "id": NEW, "title": "Say it" }])),
        _ => ok(&json!([{ "type": "file", "path": "a.txt", "oid": oid, "size": 2 }])),
    })
    .await;
    let mut spec = spec(vec![add("a.txt", b"hi")]);
    spec.target.create_pr = true;
    let report = super::create(&hub(&server), spec, &Progress::default()).await.unwrap();
    assert_eq!(
        report.last.unwrap().pr_url.unwrap(),
        format!("{}/org/name/discussions/12", server.url)
    );
    assert_eq!(asked(&server.requests(), "/commit/main?create_pr=1").len(), 1);
}

#[tokio::test]
async fn does_not_mistake_an_old_commit_with_the_same_message_for_a_lost_one() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = Server::answering(move |head| match head {
        _ if head.contains("/commits/main") => ok(&json!([
            { "id": OLD, "title": "Put it back" },
            { "id": NEW.replace('2', "3"), "title": "Say it" },
        ])),
        _ if head.contains(&format!("/paths-info/{OLD}")) => {
            ok(&json!([{ "type": "file", "path": "a.txt", "oid": "0".repeat(40), "size": 2 }]))
        }
        _ if head.contains("/paths-info/") => ok(&json!([])),
        _ if tries.fetch_add(1, Relaxed) == 0 => cut(),
        _ => committed(),
    })
    .await;
    let delete = Operation::DeleteFile(parse_path("a.txt").unwrap());
    let report = create(&hub(&server), vec![delete]).await.unwrap();
    assert_eq!(report.last.unwrap().oid, NEW);
    assert_eq!(lines(&server)[1][0]["value"]["parentCommit"], OLD);
}

#[tokio::test]
async fn never_replaces_the_parent_that_the_user_named() {
    let server = Server::answering(|head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ => reply("412 Precondition Failed", "", b"{\"error\":\"The branch is elsewhere\"}"),
    })
    .await;
    let mut spec = spec(vec![add("a.txt", b"hi")]);
    spec.message.parent = Some("abcdef".to_owned());
    let error = super::create(&hub(&server), spec, &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert_eq!(error.message(), "The branch is elsewhere");
    let revision = "main".to_owned();
    assert_eq!(error.hints(), [crate::base::hint::Hint::ParentCommit { revision }]);
    assert_eq!(lines(&server)[0][0]["value"]["parentCommit"], "abcdef");
    assert_eq!(asked(&server.requests(), "/commit/").len(), 1);
}

/// A Hub whose store accepts parts of four bytes; `part` responds to each.
async fn store(mut part: impl FnMut(usize, &str) -> Reply + Send + 'static) -> Server {
    let url = Arc::new(Mutex::new(String::new()));
    let (known, mut puts) = (url.clone(), 0);
    let server = Server::answering(move |head| {
        let url = known.lock().unwrap().clone();
        match head {
            _ if head.contains("/preupload/") => judged("lfs", "a.bin"),
            _ if head.contains("/objects/batch") => {
                let oid = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
                let link = |n: u32| format!("{url}/part/{n}?X-Amz-Signature=abc");
                let header = json!({ "chunk_size": "2", "00002": link(2), "1": link(1), "03": link(3) });
                ok(&json!({ "objects": [{ "oid": oid, "size": 5, "actions": {
                    "upload": { "href": format!("https://huggingface.co/complete"), "header": header },
                    "verify": { "href": "https://huggingface.co/verify" } } }] }))
            }
            _ if head.starts_with("put /part/") => {
                puts += 1;
                part(puts, head)
            }
            _ => committed(),
        }
    })
    .await;
    (*url.lock().unwrap()).clone_from(&server.url);
    server
}

fn etag(head: &str) -> Reply {
    let number = head.split("/part/").nth(1).unwrap().chars().next().unwrap();
    reply("200 OK", &format!("etag: \"e{number}\"\r\n"), b"")
}

#[tokio::test]
async fn sends_parts_without_the_token_and_returns_their_etags_unchanged() {
    let server = store(|_, head| etag(head)).await;
    create(&hub(&server), vec![add("a.bin", b"12345")]).await.unwrap();
    let (heads, bodies) = (server.requests(), server.bodies());
    let at = |what: &str| heads.iter().position(|head| head.contains(what)).unwrap();
    for (number, content) in [(1, "12"), (2, "34"), (3, "5")] {
        let part = at(&format!("put /part/{number}?x-amz-signature=abc"));
        assert_eq!(bodies[part], content.as_bytes());
        assert!(!heads[part].contains("authorization"), "{}", heads[part]);
    }
    let complete = at("post /complete ");
    assert!(
        !heads[complete].contains("authorization") && heads[complete].contains("vnd.git-lfs+json")
    );
    let told: Value = serde_json::from_slice(&bodies[complete]).unwrap();
    assert_eq!(told["parts"][1], json!({ "partNumber": 2, "etag": "\"e2\"" }));
    assert!(heads[at("post /verify ")].contains("authorization: bearer hf_secret"));
    assert_eq!(lines(&server)[0][1]["value"]["size"], 5);
}

#[tokio::test]
async fn requests_expired_links_again_and_repeats_failed_parts() {
    let server = store(|count, head| match count {
        1 => cut(),
        2 | 3 => reply("403 Forbidden", "", b"<Error><Code>AccessDenied</Code></Error>"),
        _ => etag(head),
    })
    .await;
    let progress = Progress::default();
    super::create(&hub(&server), spec(vec![add("a.bin", b"12345")]), &progress).await.unwrap();
    assert!(asked(&server.requests(), "/objects/batch").len() >= 2);
    let now = progress.snapshot();
    assert_eq!((now.bytes_done, now.bytes_total), (5, Some(5)));
    assert!(now.bytes_received >= 5);
}

#[tokio::test]
async fn a_part_without_an_etag_fails_the_upload_of_that_file() {
    let server = store(|_, _| reply("200 OK", "", b"")).await;
    let error = create(&hub(&server), vec![add("a.bin", b"12345")]).await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidResponse, Some("a.bin")));
    assert!(error.message().starts_with("cannot upload \"a.bin\""));
    assert!(asked(&server.requests(), "/commit/").is_empty());
}

#[tokio::test]
async fn rejected_objects_and_wrong_numbers_of_links_name_the_file() {
    let oid = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
    let rejection =
        json!({ "oid": oid, "size": 5, "error": { "code": 422, "message": "too much" } });
    let header = json!({ "chunk_size": 2, "1": "http://x/1" });
    let action = json!({ "upload": { "href": "http://x/c", "header": header } });
    let short = json!({ "oid": oid, "size": 5, "actions": action });
    for (said, words) in [
        (rejection, "the Hub rejected \"a.bin\": too much"),
        (short, "sent 1 link for the parts of \"a.bin\""),
    ] {
        let server = Server::answering(move |head| match head {
            _ if head.contains("/preupload/") => judged("lfs", "a.bin"),
            _ => ok(&json!({ "objects": [said] })),
        })
        .await;
        let error = create(&hub(&server), vec![add("a.bin", b"12345")]).await.unwrap_err();
        assert!(error.message().contains(words), "{error}");
        assert_eq!(error.path(), Some("a.bin"));
        assert!(asked(&server.requests(), "/commit/").is_empty());
    }
}

#[tokio::test]
async fn sends_one_content_under_two_names_once() {
    let server = Server::answering(|head| match head {
        _ if head.contains("/preupload/") => {
            let file = |path: &str| json!({ "path": path, "uploadMode": "lfs", "shouldIgnore": false });
            ok(&json!({ "files": [file("a.bin"), file("b.bin")], "commitOid": OLD }))
        }
        // The store already has it.
        _ if head.contains("/objects/batch") => ok(&json!({ "objects": [{
            "oid": "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5", "size": 5 }] })),
        _ => committed(),
    })
    .await;
    create(&hub(&server), vec![add("a.bin", b"12345"), add("b.bin", b"12345")]).await.unwrap();
    let batch = server.requests().iter().position(|head| head.contains("/objects/batch")).unwrap();
    let asked: Value = serde_json::from_slice(&server.bodies()[batch]).unwrap();
    assert_eq!(asked["objects"].as_array().unwrap().len(), 1);
    assert_eq!(asked["ref"]["name"], "main");
    let lines = &lines(&server)[0];
    assert_eq!(
        (&lines[1]["value"]["path"], &lines[2]["value"]["path"]),
        (&json!("a.bin"), &json!("b.bin"))
    );
}

#[tokio::test]
async fn commits_nothing_when_a_file_changes_before_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.bin");
    std::fs::write(&file, b"12345").unwrap();
    let changing = file.clone();
    // Size and time stay the same: only the content differs.
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    let server = store(move |_, head| etag(head)).await;
    let source = Source::File(Arc::from(file.as_path()));
    let stamp = source.stamp(&parse_path("a.bin").unwrap()).unwrap().unwrap();
    let addition =
        Addition { path: parse_path("a.bin").unwrap(), source, stamp, known: None, place: 0 };
    let content = addition.open().unwrap();
    let (oid, sums) = digest::sha256(content, Progress::default()).await.unwrap();
    std::fs::write(&changing, b"12x45").unwrap();
    std::fs::File::options().append(true).open(&changing).unwrap().set_modified(before).unwrap();

    let spec = spec(Vec::new());
    let session =
        session::Session::new(&hub(&server), &spec.target, spec.tuning, &Progress::default());
    let object = lfs::Object { oid, size: 5, path: addition.path.clone() };
    let plan =
        lfs::batch(&session, std::slice::from_ref(&object)).await.unwrap().remove(&oid).unwrap();
    let large = object::Large { object, file: addition, sums: Some(sums) };
    let error = object::put(&session, None, &large, plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChecksumMismatch);
    assert!(error.message().contains("a.bin` changed while it was uploaded"));
}

#[test]
fn links_to_the_public_hub_are_mapped_to_the_endpoint() {
    let at = |endpoint: &str| {
        let spec = spec(Vec::new());
        session::Session::new(
            &testing::hub(endpoint),
            &spec.target,
            spec.tuning,
            &Progress::default(),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let link = "https://huggingface.co/api/complete?x=1";
    assert_eq!(
        at("https://mirror.example/hf").link(link).unwrap().as_str(),
        "https://mirror.example/hf/api/complete?x=1"
    );
    assert_eq!(at("https://huggingface.co").link(link).unwrap().as_str(), link);
    let other = "https://huggingface.co.example/x";
    assert_eq!(at("https://mirror.example/hf").link(other).unwrap().as_str(), other);
    assert!(at("https://huggingface.co").link("http://plain.example/x").is_err());
    assert!(at("https://huggingface.co").link("ftp://x/y").is_err());
}

#[tokio::test]
async fn an_upload_to_a_hub_that_is_away_gets_one_retry() {
    let away = testing::hub(&testing::refusing().await);
    let error = create(&away, vec![add("a.txt", b"hi")]).await.unwrap_err();
    assert!(error.message().ends_with("gave up after 2 attempts"), "{error}");
}
