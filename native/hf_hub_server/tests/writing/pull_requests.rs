//! Pull requests: drafts, commits, merges, conflicts, numbers.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{git, header};
use crate::hub::{ANN, BOB, Hub, body, deleted, error, file, hub};

impl Hub {
    /// Commits as Bob and returns the response.
    async fn push(&self, revision: &str, summary: &str, lines: &[Value]) -> (u16, Value) {
        let path = format!("/api/models/acme/r/commit/{revision}");
        let request = self.server.request(Method::POST, &path).bearer_auth(BOB);
        let header = json!({ "summary": summary, "description": "What it does" });
        let response = request.body(body(&header, lines)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn status(&self, token: &str, num: u64, status: &str) -> u16 {
        self.act(token, num, "status", json!({ "status": status })).await.status().as_u16()
    }
}

fn events(discussion: &Value) -> Vec<String> {
    let name = |event: &Value| match event["type"].as_str().unwrap() {
        "status-change" => event["data"]["status"].as_str().unwrap().to_owned(),
        "commit" => event["data"]["subject"].as_str().unwrap().to_owned(),
        kind => kind.to_owned(),
    };
    discussion["events"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_draft_is_filled_opened_and_merged() {
    let hub = hub().await;
    hub.commit(&[file("a", "1\n"), file("b", "1\n")]).await;
    let num = hub.open(BOB, "Better files", true).await;
    let draft = hub.discussion(num).await;
    assert_eq!((&draft["status"], &draft["isPullRequest"]), (&json!("draft"), &json!(true)));
    assert_eq!(draft["changes"], json!({ "base": "refs/heads/main" }));
    assert_eq!((&draft["filesWithConflicts"], &draft["diff"]), (&json!([]), &json!("")));
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["rev-parse", "refs/pr/1"]), git(&dir, &["rev-parse", "main"]));

    let (status, pushed) = hub.push("refs%2Fpr%2F1", "Change a", &[file("a", "2\n")]).await;
    assert_eq!(status, 200);
    let main = hub.commit(&[file("b", "2\n")]).await;
    let found = hub.discussion(num).await;
    assert_eq!(
        (events(&found), &found["status"]),
        (vec!["comment".into(), "Change a".into()], &json!("draft"))
    );
    assert_eq!(found["events"][1]["data"]["oid"], pushed["commitOid"]);
    assert_eq!(found["events"][1]["author"]["name"], "bob");
    let diff = found["diff"].as_str().unwrap();
    assert!(
        diff.starts_with("diff --git a/a b/a\n") && diff.ends_with("@@ -1 +1 @@\n-1\n+2\n"),
        "{diff}"
    );

    let refused = error(hub.act(ANN, num, "merge", json!({})).await).await;
    assert_eq!(refused, (409, "This pull request is a draft".into()));
    assert_eq!(hub.status(BOB, num, "open").await, 200);
    // The Python client sends no body.
    let merge = format!("/api/models/acme/r/discussions/{num}/merge");
    let response = hub.server.request(Method::POST, &merge).bearer_auth(ANN).send().await.unwrap();
    assert_eq!(response.status(), 200);

    let merged = hub.discussion(num).await;
    assert_eq!(events(&merged), ["comment", "Change a", "open", "merged"]);
    assert_eq!((&merged["status"], &merged["diff"]), (&json!("merged"), &found["diff"]));
    assert_eq!(merged["changes"]["mergeCommitId"], hub.head("acme/r"));
    assert_eq!(git(&dir, &["rev-parse", "main^"]).trim(), main);
    assert_eq!(git(&dir, &["show", "main:a", "main:b"]), "2\n2\n");
    let oid = pushed["commitOid"].as_str().unwrap();
    let message = format!(
        "Better files (#1)\n\n- Change a ({oid})\n\n\nCo-authored-by: bob <bob@localhost>\n"
    );
    assert_eq!(git(&dir, &["log", "-1", "--format=%B", "main"]).trim(), message.trim());
    assert_eq!(git(&dir, &["log", "-1", "--format=%an", "main"]), "ann\n");
    git(&dir, &["fsck", "--strict"]);

    let again = error(hub.act(ANN, num, "merge", json!({})).await).await;
    assert_eq!(again, (409, "This pull request has already been merged".into()));
    for status in ["open", "closed"] {
        assert_eq!(hub.status(ANN, num, status).await, 409);
    }
    let (status, late) = hub.push("refs%2Fpr%2F1", "Late", &[file("a", "3\n")]).await;
    assert_eq!(
        (status, &late["error"]),
        (409, &json!("This pull request has already been merged"))
    );
    assert_eq!(git(&dir, &["rev-parse", "refs/pr/1"]).trim(), oid, "the ref stays");
}

#[tokio::test]
async fn a_commit_opens_a_pull_request() {
    let hub = hub().await;
    let (status, commit) = hub.push("main?create_pr=1", "Add c", &[file("c", "1")]).await;
    assert_eq!(status, 200);
    let url = format!("{}/acme/r/discussions/1", hub.server.endpoint);
    assert_eq!(commit["pullRequestUrl"], url);
    let found = hub.discussion(1).await;
    assert_eq!((&found["status"], &found["title"]), (&json!("open"), &json!("Add c")));
    assert_eq!(events(&found), ["comment", "Add c"]);
    assert_eq!(found["events"][0]["data"]["latest"]["raw"], "What it does");
    assert_eq!(hub.status(BOB, 1, "closed").await, 200);
    let (status, late) = hub.push("refs%2Fpr%2F1", "Late", &[file("c", "2")]).await;
    assert_eq!((status, &late["error"]), (409, &json!("This discussion is closed")));
    assert_eq!(hub.status(BOB, 1, "open").await, 200);
    assert_eq!(hub.push("refs%2Fpr%2F1", "In time", &[file("c", "2")]).await.0, 200);
    hub.open(ANN, "A draft of another user", true).await;
    assert_eq!(hub.push("refs%2Fpr%2F2", "Not mine", &[file("c", "2")]).await.0, 403);

    // A summary may be longer than a title, and have several lines.
    let summary = format!("{}\nmore", "x".repeat(300));
    assert_eq!(hub.push("main?create_pr=1", &summary, &[file("d", "1")]).await.0, 200);
    assert_eq!(hub.discussion(3).await["title"], "x".repeat(200));

    // A pull request for another branch is merged into that.
    hub.post("/api/models/acme/r/branch/dev", json!({})).await;
    hub.push("dev?create_pr=1", "For dev", &[file("e", "1")]).await;
    assert_eq!(hub.discussion(4).await["changes"]["base"], "refs/heads/dev");
    let main = hub.head("acme/r");
    assert_eq!(hub.act(ANN, 4, "merge", json!({ "comment": "Thanks" })).await.status(), 200);
    assert_eq!(hub.head("acme/r"), main);
    assert_eq!(events(&hub.discussion(4).await), ["comment", "For dev", "comment", "merged"]);
    hub.push("dev?create_pr=1", "For dev", &[file("f", "1")]).await;
    hub.send(Method::DELETE, ANN, "/api/models/acme/r/branch/dev", json!(null)).await;
    let refused = hub.act(ANN, 5, "merge", json!({})).await;
    assert_eq!(error(refused).await, (404, "Invalid rev id: refs/heads/dev".into()));
    assert_eq!(hub.discussion(5).await["diff"], "");
}

#[tokio::test]
async fn conflicts_are_reported_and_leave_everything_as_it_was() {
    let hub = hub().await;
    hub.commit(&[file("a", "1\n"), file("b", "1\n"), file("c", "1\n")]).await;
    let lines = [file("a", "2\n"), deleted("deletedFile", "b"), file("c", "2\n")];
    hub.push("main?create_pr=1", "Change", &lines).await;
    hub.commit(&[file("a", "3\n"), file("b", "3\n")]).await;
    assert_eq!(hub.discussion(1).await["filesWithConflicts"], json!(["a", "b"]));
    let head = hub.head("acme/r");
    let response = hub.act(ANN, 1, "merge", json!({ "comment": "Not said" })).await;
    assert_eq!(response.status(), 409);
    let refused: Value = response.json().await.unwrap();
    assert_eq!(refused["error"], "This pull request has merge conflicts: a, b");
    assert_eq!(refused["filesWithConflicts"], json!(["a", "b"]));
    assert_eq!(hub.head("acme/r"), head);
    assert_eq!(events(&hub.discussion(1).await), ["comment", "Change"]);

    // The author takes over what the main branch has.
    let solved = [file("a", "3\n"), file("b", "3\n")];
    assert_eq!(hub.push("refs%2Fpr%2F1", "Solve", &solved).await.0, 200);
    assert_eq!(hub.discussion(1).await["filesWithConflicts"], json!([]));
    assert_eq!(hub.act(ANN, 1, "merge", json!({})).await.status(), 200);
    let dir = hub.root.git_dir("acme/r");
    assert_eq!(git(&dir, &["show", "main:a", "main:b", "main:c"]), "3\n3\n2\n");

    // Too many names are left out.
    let all =
        |text: &str| (0..1001).map(|number| file(&format!("m/{number}"), text)).collect::<Vec<_>>();
    hub.push("main?create_pr=1", "Many", &all("1")).await;
    hub.commit(&all("2")).await;
    assert_eq!(hub.discussion(2).await["filesWithConflicts"], true);
    let (_, message) = error(hub.act(ANN, 2, "merge", json!({})).await).await;
    assert!(message.ends_with(", …") && message.len() < 200, "{message}");
}

#[tokio::test]
async fn squashed_and_deleted_histories_do_not_break_a_pull_request() {
    let hub = hub().await;
    hub.push("main?create_pr=1", "Add c", &[file("c", "1")]).await;
    let squash = hub.post("/api/models/acme/r/super-squash/main", json!({ "message": "x" })).await;
    assert_eq!(squash.status(), 200);
    let found = hub.discussion(1).await;
    assert_eq!(found["filesWithConflicts"], json!([]));
    assert!(found["diff"].as_str().unwrap().contains("b/c"));
    assert_eq!(hub.act(ANN, 1, "merge", json!({})).await.status(), 200);
    assert!(hub.files().contains(&"c".to_owned()));

    let remove = async |token: &str, num: u64| {
        let path = format!("/api/models/acme/r/discussions/{num}/ref");
        hub.send(Method::DELETE, token, &path, json!(null)).await
    };
    hub.push("main?create_pr=1", "Add d", &[file("d", "1")]).await;
    assert_eq!(error(remove(ANN, 2).await).await, (409, "This pull request is still open".into()));
    assert_eq!(remove(BOB, 1).await.status(), 403);
    assert_eq!(remove(ANN, 1).await.status(), 200);
    let missing = remove(ANN, 1).await;
    assert_eq!(header(&missing, "x-error-code"), "RevisionNotFound");
    assert!(hub.discussion(1).await["diff"].as_str().unwrap().contains("b/c"));
    assert_eq!(hub.status(BOB, 2, "closed").await, 200);
    assert_eq!(remove(ANN, 2).await.status(), 200);
    assert_eq!(hub.discussion(2).await["diff"], "");
    let path = "/api/models/acme/r/discussions/2";
    assert_eq!(hub.send(Method::DELETE, ANN, path, json!(null)).await.status(), 200);
    let (_, next) = hub.push("main?create_pr=1", "Add e", &[file("e", "1")]).await;
    assert!(next["pullRequestUrl"].as_str().unwrap().ends_with("/3"));
}

#[tokio::test]
async fn a_repository_without_a_main_branch_takes_discussions_only() {
    let hub = hub().await;
    git(&hub.root.git_dir("acme/r"), &["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(hub.open(BOB, "A question", false).await, 1);
    let body = json!({ "title": "A change", "description": "", "pullRequest": true });
    let refused = hub.send(Method::POST, BOB, "/api/models/acme/r/discussions", body).await;
    assert_eq!(error(refused).await, (404, "Invalid rev id: refs/heads/main".into()));
}

#[tokio::test]
async fn a_gated_repository_shows_its_changes_to_those_who_may_read_it() {
    let hub = hub().await;
    hub.push("main?create_pr=1", "Add c", &[file("c", "secret")]).await;
    let settings = "/api/models/acme/r/settings";
    hub.send(Method::PUT, ANN, settings, json!({ "gated": "manual" })).await;
    let path = "/api/models/acme/r/discussions/1?diff=1";
    let response = hub.server.get_as(BOB, path).await;
    let found: Value = response.json().await.unwrap();
    assert_eq!((&found["title"], &found["filesWithConflicts"]), (&json!("Add c"), &json!([])));
    assert!(found.get("diff").is_none() && !found.to_string().contains("secret"));
    assert!(hub.discussion(1).await["diff"].as_str().unwrap().contains("+secret"));
}

#[tokio::test]
async fn numbers_are_given_once_to_clients_that_open_at_the_same_time() {
    let hub = hub().await;
    // A ref that was imported has taken its number.
    git(&hub.root.git_dir("acme/r"), &["update-ref", "refs/pr/3", "main"]);
    let opened = futures_util::future::join_all((0..18).map(|index| {
        let hub = &hub;
        async move {
            match index % 3 {
                0 => hub.open(ANN, "A question", false).await,
                1 => hub.open(BOB, "A draft", true).await,
                _ => {
                    let (_, commit) = hub
                        .push("main?create_pr=1", "Add", &[file(&format!("{index}"), "1")])
                        .await;
                    let url = commit["pullRequestUrl"].as_str().unwrap();
                    url.rsplit('/').next().unwrap().parse().unwrap()
                }
            }
        }
    }));
    let opened = opened.await;
    let numbers = opened.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(numbers, (4..22).collect());
    let refs =
        git(&hub.root.git_dir("acme/r"), &["for-each-ref", "--format=%(refname)", "refs/pr"]);
    assert_eq!(refs.lines().count(), 13);
    for (index, num) in opened.into_iter().enumerate() {
        let found = hub.discussion(num).await;
        assert_eq!(found["isPullRequest"], index % 3 != 0, "{num}");
        let has_ref = refs.lines().any(|name| name == format!("refs/pr/{num}"));
        assert_eq!(has_ref, index % 3 != 0, "{num}");
    }
}

#[tokio::test]
async fn numbers_are_given_once_by_two_servers_on_one_root() {
    let hub = hub().await;
    let other = hub.root.serve(&[]);
    let opened = (0..12).map(|index| {
        let endpoint = if index % 2 == 0 { &hub.server.endpoint } else { &other.endpoint };
        let path = format!("{endpoint}/api/models/acme/r/discussions");
        let pull_request = index % 3 == 0;
        let body = json!({ "title": "Title", "description": "", "pullRequest": pull_request });
        hub.server.request(Method::POST, &path).bearer_auth(BOB).json(&body).send()
    });
    let mut numbers = BTreeSet::new();
    for response in futures_util::future::join_all(opened).await {
        let opened: Value = response.unwrap().json().await.unwrap();
        numbers.insert(opened["num"].as_u64().unwrap());
    }
    assert_eq!(numbers, (1..13).collect());
}

#[tokio::test]
async fn a_pull_request_is_merged_once() {
    let hub = hub().await;
    hub.push("main?create_pr=1", "Add c", &[file("c", "1")]).await;
    let merges = (0..6).map(|_| hub.act(ANN, 1, "merge", json!({})));
    let merges = futures_util::future::join_all(merges).await;
    let mut statuses = merges.iter().map(|merge| merge.status().as_u16()).collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
    assert_eq!(git(&hub.root.git_dir("acme/r"), &["rev-list", "--count", "main"]), "2\n");
    assert_eq!(events(&hub.discussion(1).await), ["comment", "Add c", "merged"]);
}
