//! Discussions: their events, permissions, lists, and responses to hostile requests.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::common::header;
use crate::hub::{ANN, BOB, Hub, READER, error, hub};

const API: &str = "/api/models/acme/r/discussions";

impl Hub {
    /// Opens a discussion of `acme/r`, or a pull request, and returns its number.
    pub(crate) async fn open(&self, token: &str, title: &str, pull_request: bool) -> u64 {
        let body = json!({ "title": title, "description": "Text", "pullRequest": pull_request });
        let response = self.send(Method::POST, token, API, body).await;
        assert_eq!(response.status(), 200, "{title}");
        response.json::<Value>().await.unwrap()["num"].as_u64().unwrap()
    }

    /// Returns the details of a discussion of `acme/r`.
    pub(crate) async fn discussion(&self, num: u64) -> Value {
        let response = self.server.get_as(ANN, &format!("{API}/{num}?diff=1")).await;
        assert_eq!(response.status(), 200, "{num}");
        response.json().await.unwrap()
    }

    /// Posts to a route of a discussion of `acme/r`.
    pub(crate) async fn act(&self, token: &str, num: u64, what: &str, body: Value) -> Response {
        self.send(Method::POST, token, &format!("{API}/{num}/{what}"), body).await
    }
}

async fn json(response: Response) -> Value {
    assert!(response.status().is_success(), "{}", response.status());
    response.json().await.unwrap()
}

/// Returns the types of events.
fn types(discussion: &Value) -> Vec<&str> {
    let events = discussion["events"].as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_discussion_has_its_events_in_order() {
    let hub = hub().await;
    let body = json!({ "title": " A question ", "description": "**Why?** <b>" });
    let opened = json(hub.send(Method::POST, BOB, API, body).await).await;
    let url = format!("{}/acme/r/discussions/1", hub.server.endpoint);
    assert_eq!(opened, json!({ "num": 1, "url": url, "pullRequest": false }));

    let response = hub.act(ANN, 1, "comment", json!({ "comment": "Because" })).await;
    assert_eq!(response.status(), 201);
    let added = json(response).await;
    let id = added["newMessage"]["id"].as_str().unwrap().to_owned();
    let edit = format!("comment/{id}/edit");
    let edited = json(hub.act(ANN, 1, &edit, json!({ "content": "Because!" })).await).await;
    json(hub.act(ANN, 1, "title", json!({ "title": "A better title" })).await).await;
    let closing = json!({ "status": "closed", "comment": "Done" });
    let closed = json(hub.act(BOB, 1, "status", closing).await).await;
    assert_eq!(closed["newStatus"]["data"], json!({ "status": "closed" }));

    let found = hub.discussion(1).await;
    assert_eq!(types(&found), ["comment", "comment", "title-change", "comment", "status-change"]);
    assert_eq!(found["events"][1], edited["updatedComment"]);
    assert_eq!(found["events"][2]["data"], json!({ "from": "A question", "to": "A better title" }));
    assert_eq!((&found["title"], &found["status"]), (&json!("A better title"), &json!("closed")));
    assert_eq!(found["author"]["name"], "bob");
    assert_eq!(found["repo"], json!({ "name": "acme/r", "type": "model" }));
    assert_eq!(found["_id"].as_str().unwrap().len(), 24);
    assert_eq!(found["isPullRequest"], false);
    assert!(found.get("changes").is_none() && found.get("diff").is_none());
    let first = &found["events"][0]["data"];
    assert_eq!(first["latest"]["raw"], "**Why?** <b>");
    assert_eq!(first["latest"]["html"], "<p><strong>Why?</strong> <b></b></p>\n");
    assert_eq!((&first["edited"], &first["history"]), (&json!(false), &json!([])));
    let comment = &found["events"][1]["data"];
    assert_eq!((&comment["edited"], &comment["numEdits"]), (&json!(true), &json!(1)));
    assert_eq!(comment["history"][0]["raw"], "Because");
    assert_eq!(comment["editors"], json!(["ann"]));

    let hide = format!("comment/{id}/hide");
    let hidden = json(hub.act(ANN, 1, &hide, json!({ "reason": "Spam" })).await).await;
    let data = &hidden["updatedComment"]["data"];
    assert_eq!((&data["hidden"], &data["hiddenBy"]), (&json!(true), &json!("ann")));
    assert_eq!((&data["hiddenReason"], &data["history"]), (&json!("Spam"), &json!([])));
    assert!(!hub.discussion(1).await.to_string().contains("Because"));
    let again = error(hub.act(ANN, 1, &edit, json!({ "content": "x" })).await).await;
    assert_eq!(again, (409, "This comment has already been hidden".into()));
    let again = error(hub.act(BOB, 1, "status", json!({ "status": "closed" })).await).await;
    assert_eq!(again, (409, "This discussion is already closed".into()));
    let merged = error(hub.act(ANN, 1, "merge", json!({})).await).await;
    assert_eq!(merged, (400, "This discussion is not a pull request".into()));
    assert_eq!(hub.act(ANN, 1, "pin", json!({ "pinned": true })).await.status(), 200);
    assert_eq!(hub.discussion(1).await["pinned"], true);
}

#[tokio::test]
async fn roles_decide_who_may_change_what() {
    let hub = hub().await;
    hub.root.run(&["user", "add", "eve", "--token", "hf_eve"]);
    hub.root.run(&["user", "add", "lee", "--org", "acme:read", "--token", "hf_lee"]);
    let scope = ["--role", "fine-grained", "--scope", "acme/r=discussion.write"];
    hub.root.run(&[&["user", "add", "eve", "--token", "hf_fine"][..], &scope].concat());
    let num = hub.open(BOB, "A question", false).await;
    let id = hub.discussion(num).await["events"][0]["id"].as_str().unwrap().to_owned();
    let (edit, hide) = (format!("comment/{id}/edit"), format!("comment/{id}/hide"));
    let title = || json!({ "title": "Other" });
    for (token, what, body, status) in [
        ("", "comment", json!({ "comment": "x" }), 401),
        (READER, "comment", json!({ "comment": "x" }), 403),
        ("hf_lee", "comment", json!({ "comment": "x" }), 201),
        ("hf_fine", "comment", json!({ "comment": "x" }), 201),
        ("hf_eve", "title", title(), 403),
        ("hf_lee", "title", title(), 403),
        (READER, "title", title(), 403),
        ("", "title", title(), 401),
        (BOB, "title", title(), 200),
        (ANN, "title", title(), 200),
        ("hf_eve", "status", json!({ "status": "closed" }), 403),
        ("hf_lee", "status", json!({ "status": "closed" }), 403),
        ("hf_eve", &edit, json!({ "content": "x" }), 403),
        (ANN, &edit, json!({ "content": "x" }), 403),
        (BOB, &edit, json!({ "content": "x" }), 200),
        (BOB, "pin", json!({ "pinned": true }), 403),
        ("hf_fine", "pin", json!({ "pinned": true }), 403),
        (BOB, "merge", json!({}), 403),
        ("", "merge", json!({}), 401),
        ("hf_eve", &hide, json!(null), 403),
        ("hf_lee", &hide, json!(null), 403),
        (ANN, &hide, json!(null), 200),
    ] {
        assert_eq!(hub.act(token, num, what, body).await.status(), status, "{token} {what}");
    }
    let delete = async |token, path: &str| {
        hub.send(Method::DELETE, token, path, json!(null)).await.status().as_u16()
    };
    assert_eq!(delete(BOB, &format!("{API}/{num}")).await, 403);
    for token in ["", READER] {
        let body = json!({ "title": "Title", "description": "", "pullRequest": true });
        let expected = if token.is_empty() { 401 } else { 403 };
        assert_eq!(hub.send(Method::POST, token, API, body).await.status(), expected);
    }
    assert_eq!(delete(ANN, &format!("{API}/{num}")).await, 200);
    assert_eq!(delete(ANN, &format!("{API}/{num}")).await, 404);
    assert_eq!(hub.open(BOB, "Numbers are not reused", false).await, 2);

    // Only what the caller can see is counted.
    let count = async |token| -> Value {
        let user = hub.server.get_as(token, "/api/users/bob/overview").await;
        user.json::<Value>().await.unwrap()["numDiscussions"].clone()
    };
    assert_eq!(count("hf_eve").await, 1);
    // A caller that must not know of a repository does not learn of its discussions.
    let private = json!({ "visibility": "private" });
    hub.send(Method::PUT, ANN, "/api/models/acme/r/settings", private).await;
    for path in [API.to_owned(), format!("{API}/2")] {
        let response = hub.server.get_as(BOB, &path).await;
        assert_eq!(header(&response, "x-error-code"), "RepoNotFound");
        assert_eq!(hub.server.get_as("hf_lee", &path).await.status(), 200);
    }
    assert_eq!((count("hf_eve").await, count("hf_lee").await), (json!(0), json!(1)));
}

#[tokio::test]
async fn a_removed_user_leaves_discussions_without_an_author() {
    let hub = hub().await;
    let num = hub.open(BOB, "A question", true).await;
    hub.act(BOB, num, "comment", json!({ "comment": "More" })).await;
    hub.root.run(&["user", "remove", "bob"]);
    hub.root.run(&["user", "add", "bob", "--token", "hf_other_bob"]);
    let found = hub.discussion(num).await;
    let (first, more) = (&found["events"][0], &found["events"][1]);
    for json in [&found, first, &first["data"]["latest"]] {
        assert!(json.get("author").is_none(), "{json}");
    }
    assert_eq!(
        (&more["data"]["latest"]["raw"], &more["data"]["editors"]),
        (&json!("More"), &json!([]))
    );
    // Another user of the name has no rights on what the first one has written.
    let edit = format!("comment/{}/edit", more["id"].as_str().unwrap());
    assert_eq!(hub.act("hf_other_bob", num, &edit, json!({ "content": "x" })).await.status(), 403);
    let title = json!({ "title": "Mine now" });
    assert_eq!(hub.act("hf_other_bob", num, "title", title).await.status(), 403);
    let list: Value = hub.server.json(&format!("{API}?author=bob")).await;
    assert_eq!(list["count"], 0);
    let path = "/api/models/acme/r/commit/refs%2Fpr%2F1";
    let commit = hub.server.request(Method::POST, path).bearer_auth("hf_other_bob").body("");
    assert_eq!(commit.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn lists_have_filters_and_pages() {
    let hub = hub().await;
    for number in 1..=52 {
        let token = if number % 2 == 0 { ANN } else { BOB };
        assert_eq!(hub.open(token, &format!("Title {number}"), number > 50).await, number);
    }
    hub.act(ANN, 1, "status", json!({ "status": "closed" })).await;
    hub.act(ANN, 52, "status", json!({ "status": "closed" })).await;
    let list = async |query: &str| -> Value {
        json(hub.server.get_as(READER, &format!("{API}{query}")).await).await
    };
    let numbers = |page: &Value| -> Vec<u64> {
        let found = page["discussions"].as_array().unwrap();
        found.iter().map(|found| found["num"].as_u64().unwrap()).collect()
    };
    let first = list("").await;
    assert_eq!((&first["count"], &first["start"]), (&json!(52), &json!(0)));
    assert_eq!(numbers(&first), (3..=52).rev().collect::<Vec<_>>());
    assert_eq!(first["numClosedDiscussions"], 2);
    let draft = &first["discussions"][1];
    assert_eq!((&draft["status"], &draft["isPullRequest"]), (&json!("draft"), &json!(true)));
    assert_eq!((&draft["numComments"], &draft["author"]["name"]), (&json!(1), &json!("bob")));
    let second = list("?p=1").await;
    assert_eq!((numbers(&second), &second["start"]), (vec![2, 1], &json!(50)));
    assert_eq!(numbers(&list("?p=2").await), [0_u64; 0]);
    assert_eq!(numbers(&list("?p=18446744073709551615").await), [0_u64; 0]);
    assert_eq!(numbers(&list("?type=pull_request").await), [52, 51]);
    assert_eq!(numbers(&list("?type=pull_request&status=open").await), [51]);
    assert_eq!(numbers(&list("?status=closed&type=all").await), [52, 1]);
    assert_eq!(list("?author=bob&status=open").await["count"], 25);
    assert_eq!(list("?author=ann&type=discussion").await["count"], 25);
    assert_eq!(numbers(&list("?search=TITLE%2051").await), [51]);
    assert_eq!(numbers(&list("?author=o'brien%22%3B--").await), [0_u64; 0]);
    for (query, message) in [
        ("?type=issue", "\"type\" must be one of [all, pull_request, discussion]"),
        ("?status=merged", "\"status\" must be one of [all, open, closed]"),
        ("?p=-1", "\"p\" must be a number"),
    ] {
        let refused = error(hub.server.get_as(READER, &format!("{API}{query}")).await).await;
        assert_eq!(refused, (400, message.to_owned()));
    }
    hub.act(ANN, 1, "pin", json!({ "pinned": true })).await;
    assert_eq!(numbers(&list("?status=closed").await), [1, 52]);
    hub.act(ANN, 1, "pin", json!({ "pinned": false })).await;
    assert_eq!(numbers(&list("?status=closed").await), [52, 1]);
    let words = format!("?search={}", "a+".repeat(20_000));
    assert_eq!(numbers(&list(&words).await), [0_u64; 0]);
}

#[tokio::test]
async fn hostile_texts_and_numbers_are_refused() {
    let hub = hub().await;
    let num = hub.open(BOB, "\"><script>alert(1)</script>", false).await;
    let long = "x".repeat(65_537);
    for (what, body, message) in [
        ("comment", json!({ "comment": " \n" }), "\"comment\" is not allowed to be empty"),
        (
            "comment",
            json!({ "comment": long }),
            "\"comment\" length must be less than or equal to 65536 characters long",
        ),
        ("comment", json!({ "comment": "a\0b" }), "\"comment\" must not contain NUL characters"),
        (
            "title",
            json!({ "title": "  ab " }),
            "\"title\" length must be at least 3 characters long",
        ),
        (
            "title",
            json!({ "title": "é".repeat(201) }),
            "\"title\" length must be less than or equal to 200 characters long",
        ),
        ("title", json!({ "title": "abc\ndef" }), "\"title\" must not contain control characters"),
        ("status", json!({ "status": "merged" }), "\"status\" must be one of [open, closed]"),
    ] {
        assert_eq!(error(hub.act(BOB, num, what, body).await).await, (400, message.to_owned()));
    }
    for body in [json!(null), json!([]), json!({}), json!({ "comment": 7 })] {
        assert_eq!(hub.act(BOB, num, "comment", body).await.status(), 400);
    }
    let most = json!({ "comment": "\u{1}\u{1F917}".repeat(32_768) });
    assert_eq!(hub.act(BOB, num, "comment", most).await.status(), 201);
    assert_eq!(hub.act(BOB, num, "title", json!({ "title": "é".repeat(200) })).await.status(), 200);

    // Refused by its length, before it is sent.
    let head = format!(
        "POST {API}/{num}/comment HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {BOB}\r\n\
         Content-Length: 104857600\r\n\r\n"
    );
    assert!(hub.server.raw(head.as_bytes()).starts_with("HTTP/1.1 413 "));
    // Without a length, it is refused once too much has arrived.
    let head = head.replace("Content-Length: 104857600", "Transfer-Encoding: chunked");
    let chunk = format!("400\r\n{}\r\n", "y".repeat(0x400));
    let chunked = format!("{head}{}0\r\n\r\n", chunk.repeat(600));
    assert!(hub.server.raw(chunked.as_bytes()).starts_with("HTTP/1.1 413 "));

    for path in ["0", "-1", "01", "x", "99999999999999999999", "1%2Fcomment", "1/comment/x/edit"] {
        let status = hub.server.get_as(ANN, &format!("{API}/{path}")).await.status();
        assert_eq!(status, 404, "{path}");
    }
    let other = hub.open(BOB, "Another", false).await;
    let id = hub.discussion(num).await["events"][0]["id"].as_str().unwrap().to_owned();
    let edit = format!("comment/{id}/edit");
    let refused = error(hub.act(BOB, other, &edit, json!({ "content": "x" })).await).await;
    assert_eq!(refused, (404, "Comment not found".into()));
    let title = hub.discussion(num).await["events"].as_array().unwrap().last().unwrap().clone();
    let edit = format!("comment/{}/edit", title["id"].as_str().unwrap());
    assert_eq!(hub.act(BOB, num, &edit, json!({ "content": "x" })).await.status(), 404);
    let refused = error(hub.act(BOB, 77, "comment", json!({ "comment": "x" })).await).await;
    assert_eq!(refused, (404, "Discussion not found".into()));
    assert_eq!(
        hub.send(Method::PUT, ANN, &format!("{API}/1/title"), json!({})).await.status(),
        405
    );
}

#[tokio::test]
async fn discussions_can_be_disabled() {
    let hub = hub().await;
    let num = hub.open(BOB, "A question", false).await;
    let switch = async |value: bool| {
        let path = "/api/models/acme/r/settings";
        let body = json!({ "discussionsDisabled": value });
        assert_eq!(hub.send(Method::PUT, ANN, path, body).await.status(), 200);
    };
    switch(true).await;
    let message = "Discussions are disabled for this repo";
    for path in [API.to_owned(), format!("{API}/{num}")] {
        let refused = error(hub.server.get_as(ANN, &path).await).await;
        assert_eq!(refused, (403, message.into()));
    }
    assert_eq!(hub.act(ANN, num, "comment", json!({ "comment": "x" })).await.status(), 403);
    let commit = hub.try_commit("acme/r/commit/main?create_pr=1", json!({ "summary": "x" }), &[]);
    assert_eq!(error(commit.await).await, (403, message.into()));
    switch(false).await;
    assert_eq!(hub.discussion(num).await["num"], num);
}

#[tokio::test]
async fn discussions_follow_their_repository() {
    let hub = hub().await;
    hub.open(BOB, "A question", false).await;
    hub.open(BOB, "A change", true).await;
    let body = json!({ "fromRepo": "acme/r", "toRepo": "acme/new", "type": "model" });
    assert_eq!(hub.post("/api/repos/move", body).await.status(), 200);
    let moved = hub.server.get(&format!("{API}/1?diff=1")).await;
    assert_eq!(moved.status(), 307);
    assert_eq!(header(&moved, "location"), "/api/models/acme/new/discussions/1?diff=1");
    let moved = hub.act(BOB, 1, "comment", json!({ "comment": "x" })).await;
    assert_eq!(header(&moved, "location"), "/api/models/acme/new/discussions/1/comment");
    let found = hub.server.json("/api/models/acme/new/discussions/2").await;
    assert_eq!((&found["title"], &found["repo"]["name"]), (&json!("A change"), &json!("acme/new")));

    let copy = json!({ "repository": "acme/copy" });
    assert_eq!(hub.post("/api/models/acme/new/duplicate", copy).await.status(), 200);
    assert_eq!(hub.server.json("/api/models/acme/copy/discussions").await["count"], 0);
    let title = json!({ "title": "First", "description": "", "pullRequest": true });
    let opened = json(hub.post("/api/models/acme/copy/discussions", title).await).await;
    assert_eq!(opened["num"], 1);

    let body = json!({ "name": "new", "organization": "acme", "type": "model" });
    let removed = hub.send(Method::DELETE, ANN, "/api/repos/delete", body).await;
    assert_eq!(removed.status(), 200);
    hub.create("new").await;
    assert_eq!(hub.server.json("/api/models/acme/new/discussions").await["count"], 0);
    assert_eq!(hub.server.get("/api/models/acme/new/discussions/1").await.status(), 404);
}
