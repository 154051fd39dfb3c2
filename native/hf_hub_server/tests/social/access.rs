use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::common::{Root, Server, header};
use super::{list, status};

const API: &str = "/api/models/acme/gated/user-access-request";
const FILE: &str = "/acme/gated/resolve/main/a";
const ASK: &str = "/acme/gated/ask-access";
const FORM: &[u8] = b"---
extra_gated_fields:
  Company: text
  Purpose:
    type: select
    options:
    - Research
    - label: Else
      value: other
  I agree: checkbox
---
";

fn root(gate: &str) -> Root {
    let root = super::root();
    root.import("acme/gated", &[("a", b"1")], &["--gated", gate]);
    root.import("acme/open", &[("a", b"1")], &[]);
    root
}

async fn post(server: &Server, token: &str, path: &str, body: Value) -> (u16, String) {
    let (status, json) = server.send(token, Method::POST, path, &body).await;
    (status, json["error"].as_str().unwrap_or_default().to_owned())
}

async fn ask(server: &Server, token: &str) -> u16 {
    post(server, token, ASK, json!({})).await.0
}

async fn handle(server: &Server, user: &str, state: &str) -> (u16, String) {
    let body = json!({ "user": user, "status": state });
    post(server, "hf_ann", &format!("{API}/handle"), body).await
}

async fn users(server: &Server, state: &str) -> Vec<Value> {
    list(server, "hf_ann", &format!("{API}/{state}"), "/user/user").await
}

async fn may_read(server: &Server, token: &str) -> bool {
    match status(server, token, Method::GET, FILE).await {
        307 => true,
        403 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_request_goes_through_all_states() {
    let root = root("manual");
    let server = root.serve(&[]);
    assert!(!may_read(&server, "hf_bob").await);
    let response = server.request(Method::POST, ASK).bearer_auth("hf_bob").send().await.unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(header(&response, "location"), format!("{}/acme/gated", server.endpoint));
    assert_eq!(ask(&server, "hf_bob").await, 303);
    assert_eq!(users(&server, "pending").await, ["bob"]);
    assert!(!may_read(&server, "hf_bob").await);

    for (state, readable) in
        [("accepted", true), ("rejected", false), ("pending", false), ("accepted", true)]
    {
        assert_eq!(handle(&server, "bob", state).await.0, 200, "{state}");
        assert_eq!(users(&server, state).await, ["bob"]);
        assert_eq!(may_read(&server, "hf_bob").await, readable, "{state}");
        let (status, message) = handle(&server, "bob", state).await;
        assert_eq!(status, 404);
        assert!(message.contains(&format!("already in the {state} list")), "{message}");
        let others =
            ["pending", "accepted", "rejected"].into_iter().filter(|other| *other != state);
        for other in others {
            assert_eq!(users(&server, other).await, Vec::<Value>::new());
        }
    }
    assert_eq!(ask(&server, "hf_bob").await, 303);
    assert_eq!(users(&server, "accepted").await, ["bob"]);
}

#[tokio::test]
async fn an_automatic_gate_accepts_requests_but_no_rejected_user() {
    let root = root("auto");
    let server = root.serve(&[]);
    assert!(!may_read(&server, "hf_bob").await);
    assert_eq!(ask(&server, "hf_bob").await, 303);
    assert!(may_read(&server, "hf_bob").await);
    assert_eq!(users(&server, "accepted").await, ["bob"]);
    assert_eq!(handle(&server, "bob", "rejected").await.0, 200);
    assert_eq!(ask(&server, "hf_bob").await, 403);
    assert!(!may_read(&server, "hf_bob").await);
}

#[tokio::test]
async fn only_writers_decide() {
    let root = root("manual");
    let server = root.serve(&[]);
    assert_eq!(ask(&server, "hf_bob").await, 303);
    let decide = json!({ "user": "bob", "status": "accepted" });
    let all = [
        (Method::POST, format!("{API}/handle"), decide.clone()),
        (Method::POST, format!("{API}/grant"), json!({ "user": "bob" })),
        (Method::GET, format!("{API}/pending"), Value::Null),
    ];
    for (method, path, body) in &all {
        for (token, expected) in
            [("", 401), ("hf_bob", 403), ("hf_guest", 403), ("hf_ann_reads", 403)]
        {
            let sent = server.send(token, method.clone(), path, body).await.0;
            assert_eq!(sent, expected, "{token:?} {path}");
        }
        let open = path.replace("gated", "open");
        let (status, error) = server.send("hf_ann", method.clone(), &open, body).await;
        assert_eq!((status, &error["error"]), (400, &json!("This repository is not gated")));
    }
    assert!(!may_read(&server, "hf_bob").await);
    assert_eq!(post(&server, "hf_bob", "/acme/open/ask-access", json!({})).await.0, 400);
    assert_eq!(post(&server, "", ASK, json!({})).await.0, 401);
    assert_eq!(post(&server, "hf_ann_reads", ASK, json!({})).await.0, 403);
    assert_eq!(status(&server, "hf_ann", Method::GET, ASK).await, 405);
    assert_eq!(status(&server, "hf_ann", Method::GET, &format!("{API}/handle")).await, 405);
    assert_eq!(status(&server, "hf_ann", Method::GET, &format!("{API}/granted")).await, 404);
}

#[tokio::test]
async fn a_decision_names_one_existing_request() {
    let root = root("manual");
    let server = root.serve(&[]);
    assert_eq!(ask(&server, "hf_bob").await, 303);
    let path = format!("{API}/handle");
    let long = "é".repeat(201);
    for (body, expected, message) in [
        (json!({ "user": "ghost", "status": "accepted" }), 404, "user ghost does not exist"),
        (json!({ "user": "guest", "status": "accepted" }), 404, "no access request of guest"),
        (json!({ "requestId": "f".repeat(24), "status": "accepted" }), 404, "no access request"),
        (json!({ "userId": "f".repeat(24), "status": "accepted" }), 404, "does not exist"),
        (json!({ "status": "accepted" }), 400, "Exactly one of"),
        (json!({ "user": "bob", "requestId": "x", "status": "accepted" }), 400, "Exactly one of"),
        (json!({ "user": "bob", "status": "granted" }), 400, "granted"),
        (json!({ "user": "bob" }), 400, "status"),
        (json!({ "user": 7, "status": "accepted" }), 400, "Invalid body"),
        (
            json!({ "user": "bob", "status": "accepted", "rejectionReason": "x" }),
            400,
            "requires the status \"rejected\"",
        ),
        (
            json!({ "user": "bob", "status": "rejected", "rejectionReason": long }),
            400,
            "at most 200 characters",
        ),
    ] {
        let (status, error) = post(&server, "hf_ann", &path, body.clone()).await;
        assert_eq!(status, expected, "{body}");
        assert!(error.contains(message), "{body}: {error}");
    }
    assert_eq!(users(&server, "pending").await, ["bob"]);

    let (_, pending) =
        server.send("hf_ann", Method::GET, &format!("{API}/pending"), &Value::Null).await;
    let request = &pending[0];
    assert_eq!(request["user"]["email"], "bob@localhost");
    assert_eq!((&request["status"], &request["fields"]), (&json!("pending"), &json!({})));
    let reason = "Not this time";
    let by_id = json!({ "requestId": request["requestId"], "status": "rejected", "rejectionReason": reason });
    assert_eq!(post(&server, "hf_ann", &path, by_id).await.0, 200);
    let (_, rejected) =
        server.send("hf_ann", Method::GET, &format!("{API}/rejected"), &Value::Null).await;
    assert_eq!(rejected[0]["rejectionReason"], reason);
    let by_user = json!({ "userId": request["user"]["_id"], "status": "pending" });
    assert_eq!(post(&server, "hf_ann", &path, by_user).await.0, 200);
    assert_eq!(users(&server, "pending").await, ["bob"]);
}

#[tokio::test]
async fn access_is_granted_without_a_request() {
    let root = root("manual");
    let server = root.serve(&[]);
    let path = format!("{API}/grant");
    assert_eq!(post(&server, "hf_ann", &path, json!({ "user": "bob" })).await.0, 200);
    assert!(may_read(&server, "hf_bob").await);
    for (user, expected, message) in [
        ("bob", 400, "bob already has access"),
        ("guest", 400, "guest already has access"),
        ("ghost", 404, "ghost does not exist"),
        ("acme", 404, "acme does not exist"),
    ] {
        let (status, error) = post(&server, "hf_ann", &path, json!({ "user": user })).await;
        assert_eq!((status, error.contains(message)), (expected, true), "{user}: {error}");
    }
    let (_, accepted) =
        server.send("hf_ann", Method::GET, &format!("{API}/accepted"), &Value::Null).await;
    assert_eq!(accepted[0]["grantedBy"]["user"], "ann");
    assert!(accepted[0]["user"].get("email").is_none() && accepted[0].get("fields").is_none());
    assert_eq!(handle(&server, "bob", "pending").await.0, 200);
    assert!(!may_read(&server, "hf_bob").await);
}

#[tokio::test]
async fn a_user_withdraws_a_pending_request_only() {
    let root = root("manual");
    let server = root.serve(&[]);
    let path = format!("{API}/cancel");
    assert_eq!(post(&server, "hf_bob", &path, Value::Null).await.0, 404);
    assert_eq!(ask(&server, "hf_bob").await, 303);
    assert_eq!(post(&server, "hf_bob", &path, Value::Null).await.0, 200);
    assert_eq!(users(&server, "pending").await, Vec::<Value>::new());
    assert_eq!(ask(&server, "hf_bob").await, 303);
    assert_eq!(handle(&server, "bob", "rejected").await.0, 200);
    // Else a new request would get around the rejection.
    assert_eq!(post(&server, "hf_bob", &path, Value::Null).await.0, 404);
    assert_eq!(post(&server, "", &path, Value::Null).await.0, 401);
}

#[tokio::test]
async fn the_form_of_the_card_is_checked() {
    let root = super::root();
    root.import("acme/gated", &[("a", b"1"), ("README.md", FORM)], &["--gated", "auto"]);
    let server = root.serve(&[]);
    let full = json!({ "Company": "Example", "Purpose": "other", "I agree": true });
    let with = |name: &str, value: Value| {
        let mut fields = full.clone();
        fields[name] = value;
        fields
    };
    for (fields, message) in [
        (json!({}), "\"Company\" is required"),
        (with("Company", json!(" ")), "\"Company\" is required"),
        (with("Company", json!(["x"])), "\"Company\" is required"),
        (with("Company", json!("x".repeat(1001))), "at most 1000 characters"),
        (with("Purpose", json!("Else")), "must be one of [Research, other]"),
        (with("I agree", json!(false)), "\"I agree\" must be checked"),
        (with("Age", json!("9")), "\"Age\" is not a field of the form; its fields: \"Company\""),
        (json!([1]), "Invalid body"),
    ] {
        let (status, error) = post(&server, "hf_bob", ASK, fields.clone()).await;
        assert_eq!(status, 400, "{fields}");
        assert!(error.contains(message), "{fields}: {error}");
    }
    assert!(!may_read(&server, "hf_bob").await);
    assert_eq!(post(&server, "hf_bob", ASK, full.clone()).await.0, 303);
    assert!(may_read(&server, "hf_bob").await);
    let fields = list(&server, "hf_ann", &format!("{API}/accepted"), "/fields").await;
    assert_eq!(fields, [full]);

    root.run(&["user", "add", "cleo", "--token", "hf_cleo"]);
    let form = "Company=A%20%26%20B&Purpose=Research&I+agree=on";
    let request = server.request(Method::POST, ASK).bearer_auth("hf_cleo").body(form);
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(request.send().await.unwrap().status(), 303);
    assert!(may_read(&server, "hf_cleo").await);
}

#[tokio::test]
async fn requests_are_listed_by_pages_and_times() {
    let root = root("manual");
    for number in 0..5 {
        root.run(&["repo", "request", "acme/gated", &format!("user{number}")]);
    }
    let server = root.serve(&["--page-size", "2"]);
    let mut seen = Vec::new();
    let mut next = format!("{API}/pending");
    loop {
        let response = server.get_as("hf_ann", &next).await;
        let link = header(&response, "link").to_owned();
        let page: Value = response.json().await.unwrap();
        seen.extend(page.as_array().unwrap().iter().map(|request| request["user"]["user"].clone()));
        let Some((url, _)) = link.trim_start_matches('<').split_once('>') else { break };
        next = url.to_owned();
    }
    assert_eq!(seen, ["user4", "user3", "user2", "user1", "user0"]);
    for (query, count) in
        [("after=2001-01-01T00:00:00Z", 2), ("before=2001-01-01T00:00:00Z", 0), ("limit=1", 1)]
    {
        assert_eq!(users(&server, &format!("pending?{query}")).await.len(), count, "{query}");
    }
    assert_eq!(
        status(&server, "hf_ann", Method::GET, &format!("{API}/pending?after=x")).await,
        400
    );
    // Decisions about names without a user: the request is known by its id only.
    assert_eq!(handle(&server, "user0", "accepted").await.0, 404);
}

#[tokio::test]
async fn of_two_decisions_at_once_one_is_made() {
    let root = root("manual");
    let server = root.serve(&[]);
    for _ in 0..5 {
        assert_eq!(ask(&server, "hf_bob").await, 303);
        let both = [handle(&server, "bob", "accepted"), handle(&server, "bob", "accepted")];
        let mut statuses: Vec<_> = futures_util::future::join_all(both)
            .await
            .into_iter()
            .map(|(status, _)| status)
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404]);
        assert_eq!(handle(&server, "bob", "pending").await.0, 200);
    }
}

#[tokio::test]
async fn access_follows_a_renamed_repository() {
    let root = root("manual");
    let server = root.serve(&[]);
    root.run(&["repo", "grant", "acme/gated", "bob"]);
    root.run(&["repo", "rename", "acme/gated", "acme/other"]);
    assert_eq!(status(&server, "hf_bob", Method::GET, "/acme/other/resolve/main/a").await, 307);
    let moved = server.request(Method::POST, ASK).bearer_auth("hf_bob").send().await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), header(&moved, "location")),
        (307, "/acme/other/ask-access")
    );
    let path = format!("{API}/accepted").replace("gated", "other");
    assert_eq!(list(&server, "hf_ann", &path, "/user/user").await, ["bob"]);
}
