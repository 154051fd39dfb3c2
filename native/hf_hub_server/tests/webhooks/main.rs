//! Webhooks, delivered to real sockets.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "xet")]
mod buckets;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{Root, Server, git};
use reqwest::Method;
use serde_json::{Value, json};

/// How long to wait for something that has to happen.
const SOON: Duration = Duration::from_secs(20);

/// What a receiver responds with.
#[derive(Clone)]
enum Answer {
    Status(u16),
    Redirect(String),
    /// Nothing, until the other side leaves.
    Silence,
}

/// A request that arrived.
#[derive(Debug)]
struct Received {
    head: String,
    payload: Value,
}

/// A server for webhooks on a port of its own.
struct Receiver {
    port: u16,
    received: mpsc::Receiver<Received>,
}

impl Receiver {
    /// Responds with each of `answers` in turn, and then with the last one.
    fn new(answers: &[Answer]) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", 0)).unwrap(), answers)
    }

    fn on(listener: TcpListener, answers: &[Answer]) -> Self {
        let port = listener.local_addr().unwrap().port();
        let (sender, received) = mpsc::channel();
        let answers = answers.to_vec();
        std::thread::spawn(move || {
            let mut next = 0;
            while let Ok((stream, _)) = listener.accept() {
                let answer = &answers[next.min(answers.len() - 1)];
                next += usize::from(serve(stream, answer, &sender).is_some());
            }
        });
        Self { port, received }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?x=1", self.port)
    }

    fn next(&self) -> Received {
        self.received.recv_timeout(SOON).expect("a delivery")
    }

    fn events(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| name(&self.next().payload)).collect()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, sender: &mpsc::Sender<Received>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    sender.send(Received { head, payload: serde_json::from_slice(&body).ok()? }).ok()?;
    let (line, more) = match answer {
        Answer::Status(status) => (format!("{status} X"), String::new()),
        Answer::Redirect(url) => ("307 X".into(), format!("Location: {url}\r\n")),
        Answer::Silence => {
            let _ = reader.read_to_end(&mut Vec::new());
            return Some(());
        }
    };
    let _ = write!(stream, "HTTP/1.1 {line}\r\n{more}Content-Length: 4\r\n\r\nbody");
    Some(())
}

fn name(payload: &Value) -> String {
    let text = |key: &str| payload["event"][key].as_str().unwrap().to_owned();
    format!("{}:{}", text("scope"), text("action"))
}

/// A root with the users `me` (of `acme`) and `eve`.
fn root() -> Root {
    let root = Root::new();
    root.run(&["user", "add", "me", "--org", "acme", "--token", "hf_me"]);
    root.run(&["user", "add", "eve", "--token", "hf_eve"]);
    root
}

async fn post(server: &Server, token: &str, path: &str, body: Value) -> (u16, Value) {
    server.send(token, Method::POST, path, body).await
}

async fn hook(server: &Server, token: &str, body: Value) -> String {
    let (status, json) = post(server, token, "/api/settings/webhooks", body).await;
    assert_eq!(status, 200, "{json}");
    json["webhook"]["id"].as_str().unwrap().to_owned()
}

async fn watch(server: &Server, url: &str) -> String {
    let watched = json!([{ "type": "org", "name": "acme" }]);
    hook(server, "hf_me", json!({ "url": url, "watched": watched, "secret": "s3cret" })).await
}

async fn create(server: &Server, name: &str, more: Value) {
    let mut body = json!({ "name": name, "organization": "acme" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, json) = post(server, "hf_me", "/api/repos/create", body).await;
    assert_eq!(status, 200, "{json}");
}

async fn commit(server: &Server, id: &str, summary: &str) -> String {
    let lines = [
        json!({ "key": "header", "value": { "summary": summary } }),
        json!({ "key": "file", "value": { "path": "f", "content": summary } }),
    ];
    let body = lines.map(|line| line.to_string()).join("\n");
    let request = server.request(Method::POST, &format!("/api/models/{id}/commit/main"));
    let response = request.bearer_auth("hf_me").body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let json: Value = response.json().await.unwrap();
    json["commitOid"].as_str().unwrap().to_owned()
}

/// Returns the log of a webhook once its newest delivery is finished.
fn log(root: &Root, id: &str) -> Vec<Value> {
    let deadline = Instant::now() + SOON;
    loop {
        let printed = root.run(&["webhook", "log", id]);
        let log: Vec<Value> =
            printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if log.first().is_some_and(|newest| newest["state"] != "waiting") {
            return log;
        }
        assert!(Instant::now() < deadline, "{log:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn delivers_every_change_of_a_repository_in_order_with_the_secret() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    let id = watch(&server, &receiver.url()).await;
    create(&server, "m", json!({})).await;
    let created = receiver.next();
    assert!(created.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", created.head);
    assert!(created.head.contains("\r\nx-webhook-secret: s3cret\r\n"), "{}", created.head);
    assert!(created.head.contains("\r\ncontent-type: application/json\r\n"));
    let info = server.json("/api/models/acme/m").await;
    let head = info["sha"].as_str().unwrap();
    let orgs = server.get_as("hf_me", "/api/whoami-v2").await.json::<Value>().await.unwrap();
    assert_eq!(
        created.payload,
        json!({
            "event": { "action": "create", "scope": "repo" },
            "repo": {
                "type": "model", "name": "acme/m", "id": info["_id"], "private": false,
                "headSha": head, "owner": { "id": orgs["orgs"][0]["id"] },
                "url": {
                    "web": format!("{}/acme/m", server.endpoint),
                    "api": format!("{}/api/models/acme/m", server.endpoint),
                },
            },
            "webhook": { "id": id, "version": 3 },
        })
    );

    let next = commit(&server, "acme/m", "one").await;
    let payload = receiver.next().payload;
    assert_eq!(name(&payload), "repo.content:update");
    let moved = json!([{ "ref": "refs/heads/main", "oldSha": head, "newSha": next }]);
    assert_eq!((&payload["updatedRefs"], &payload["repo"]["headSha"]), (&moved, &json!(next)));

    let api = "/api/models/acme/m";
    for (method, path, body, reference, old, new) in [
        (Method::POST, "branch/b", json!({}), "refs/heads/b", json!(null), json!(next)),
        (Method::DELETE, "branch/b", json!({}), "refs/heads/b", json!(next), json!(null)),
        (Method::POST, "tag/main", json!({ "tag": "v" }), "refs/tags/v", json!(null), json!(next)),
        (Method::DELETE, "tag/v", json!({}), "refs/tags/v", json!(next), json!(null)),
    ] {
        let (status, json) = server.send("hf_me", method, &format!("{api}/{path}"), body).await;
        assert_eq!(status, 200, "{json}");
        let expected = json!([{ "ref": reference, "oldSha": old, "newSha": new }]);
        assert_eq!(receiver.next().payload["updatedRefs"], expected);
    }
    let (_, squashed) =
        post(&server, "hf_me", &format!("{api}/super-squash/main"), json!({})).await;
    let payload = receiver.next().payload;
    assert_eq!(payload["updatedRefs"][0]["newSha"], squashed["commitId"]);

    server.send("hf_me", Method::PUT, &format!("{api}/settings"), json!({ "private": true })).await;
    let payload = receiver.next().payload;
    assert_eq!(name(&payload), "repo.config:update");
    assert_eq!(payload["updatedConfig"], json!({ "private": true }));
    server.send("hf_me", Method::PUT, &format!("{api}/settings"), json!({ "gated": "auto" })).await;
    assert_eq!(receiver.next().payload["updatedConfig"], Value::Null);

    let to = json!({ "fromRepo": "acme/m", "toRepo": "me/n", "type": "model" });
    post(&server, "hf_me", "/api/repos/move", to).await;
    let payload = receiver.next().payload;
    assert_eq!(
        (name(&payload).as_str(), &payload["repo"]["name"]),
        ("repo:move", &json!("acme/m"))
    );
    assert_eq!(payload["movedTo"]["name"], "me/n");
    assert_eq!(log(&root, &id).len(), 10);
}

#[tokio::test]
async fn delivers_changes_of_variables_and_secrets_without_their_values() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    create(&server, "app", json!({ "type": "space", "sdk": "gradio" })).await;
    watch(&server, &receiver.url()).await;
    for what in ["secrets", "variables"] {
        let path = format!("/api/spaces/acme/app/{what}");
        for method in [Method::POST, Method::DELETE] {
            let body = json!({ "key": "A", "value": "hunter2" });
            let (status, _) = server.send("hf_me", method, &path, body).await;
            assert_eq!(status, 200);
            let payload = receiver.next().payload;
            assert_eq!(name(&payload), "repo.config:update");
            assert!(!payload.to_string().contains("hunter2"));
        }
    }
}

#[tokio::test]
async fn a_push_of_git_is_one_event_with_all_refs() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    watch(&server, &receiver.url()).await;
    create(&server, "m", json!({})).await;
    receiver.next();
    let info = server.json("/api/models/acme/m").await;
    let head = info["sha"].as_str().unwrap();
    let url = server.endpoint.replace("http://", "http://me:hf_me@") + "/acme/m";
    let work = root.path().join("work");
    git(&root.path(), &["clone", "-q", &url, "work"]);
    let author = ["-c", "user.name=x", "-c", "user.email=x@y"];
    git(&work, &[&author[..], &["commit", "-q", "--allow-empty", "-m", "x"]].concat());
    git(&work, &["push", "-q", "origin", "main", "main:refs/heads/next"]);
    let next = git(&work, &["rev-parse", "HEAD"]);
    let payload = receiver.next().payload;
    assert_eq!(name(&payload), "repo.content:update");
    let expected = json!([
        { "ref": "refs/heads/main", "oldSha": head, "newSha": next.trim() },
        { "ref": "refs/heads/next", "oldSha": null, "newSha": next.trim() },
    ]);
    assert_eq!(payload["updatedRefs"], expected);
}

#[tokio::test]
async fn a_webhook_on_a_repository_follows_its_name_and_reports_its_end() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(204)]));
    let server = root.serve(&[]);
    create(&server, "m", json!({})).await;
    let watched = json!([{ "type": "model", "name": "ACME/m" }]);
    hook(&server, "hf_me", json!({ "url": receiver.url(), "watched": watched })).await;
    create(&server, "other", json!({})).await;
    let to = json!({ "fromRepo": "acme/m", "toRepo": "acme/n", "type": "model" });
    post(&server, "hf_me", "/api/repos/move", to).await;
    let named = json!({ "name": "n", "organization": "acme" });
    server.send("hf_me", Method::DELETE, "/api/repos/delete", named).await;
    assert_eq!(receiver.events(2), ["repo:move", "repo:delete"]);
}

#[tokio::test]
async fn repeats_what_failed_and_keeps_the_order() {
    let root = root();
    let receiver = Receiver::new(&[Answer::Status(500), Answer::Status(200)]);
    let server = root.serve(&[]);
    let id = watch(&server, &receiver.url()).await;
    create(&server, "a", json!({})).await;
    create(&server, "b", json!({})).await;
    let names = (0..3).map(|_| receiver.next().payload["repo"]["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["acme/a", "acme/a", "acme/b"]);
    let log = log(&root, &id);
    let shown = |n: usize, key: &str| log[n][key].clone();
    assert_eq!((shown(1, "tries"), shown(1, "status")), (json!(2), json!(200)));
    assert_eq!((shown(0, "tries"), shown(0, "response")), (json!(1), json!("body")));
}

#[tokio::test]
async fn gives_up_what_is_rejected_and_does_not_follow_redirects() {
    let root = root();
    let target = Receiver::new(&[Answer::Status(200)]);
    let answers = [Answer::Status(404), Answer::Redirect(target.url()), Answer::Status(200)];
    let receiver = Receiver::new(&answers);
    let server = root.serve(&[]);
    let id = watch(&server, &receiver.url()).await;
    for name in ["a", "b", "c"] {
        create(&server, name, json!({})).await;
    }
    receiver.events(3);
    let statuses = log(&root, &id).iter().map(|line| line["status"].clone()).collect::<Vec<_>>();
    assert_eq!(statuses, [200, 307, 404]);
    assert!(target.received.try_recv().is_err());
}

#[tokio::test]
async fn a_silent_receiver_delays_neither_requests_nor_other_webhooks() {
    let root = root();
    let (silent, fine) = (Receiver::new(&[Answer::Silence]), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&["--webhook-timeout", "1", "--webhook-retries", "0"]);
    let id = watch(&server, &silent.url()).await;
    watch(&server, &fine.url()).await;
    create(&server, "a", json!({})).await;
    assert_eq!(fine.events(1), ["repo:create"]);
    let log = log(&root, &id);
    assert_eq!((&log[0]["state"], &log[0]["status"]), (&json!("failed"), &Value::Null));
    assert_eq!(log[0]["response"], "no response within 1 s");
}

#[tokio::test]
async fn delivers_after_a_restart_what_waited() {
    let root = root();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    {
        // Connections to it wait, so nothing is delivered.
        let server = root.serve(&[]);
        watch(&server, &url).await;
        create(&server, "a", json!({})).await;
        create(&server, "b", json!({})).await;
    }
    let receiver = Receiver::on(listener, &[Answer::Status(200)]);
    let _server = root.serve(&[]);
    // The connection of the first server may have come with a request.
    let mut names = vec![receiver.next().payload["repo"]["name"].clone()];
    while names.last().unwrap() != "acme/b" {
        names.push(receiver.next().payload["repo"]["name"].clone());
    }
    assert_eq!(names[0], "acme/a");
}

#[tokio::test]
async fn sends_nothing_to_addresses_that_are_not_allowed() {
    let root = root();
    let receiver = Receiver::new(&[Answer::Status(200)]);
    let server = root.serve(&["--webhook-networks", "10.0.0.0/8", "--webhook-retries", "0"]);
    let watched = json!([{ "type": "org", "name": "acme" }]);
    for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let url = format!("http://{host}:{}/", receiver.port);
        let body = json!({ "url": url, "watched": watched });
        let (status, json) = post(&server, "hf_me", "/api/settings/webhooks", body).await;
        assert_eq!(status, 400, "{host}");
        assert!(json["error"].as_str().unwrap().contains("--webhook-networks"), "{json}");
    }
    let mut hooks = Vec::new();
    // Names, and numbers that only a resolver takes for addresses.
    for host in ["localhost", "127.1", "2130706433", "0x7f.1", "0"] {
        hooks.push(watch(&server, &format!("http://{host}:{}/", receiver.port)).await);
    }
    create(&server, "a", json!({})).await;
    for id in hooks {
        let log = log(&root, &id);
        assert_eq!((&log[0]["state"], &log[0]["status"]), (&json!("failed"), &Value::Null));
        let why = log[0]["response"].as_str().unwrap();
        assert!(
            why.contains("is not an allowed address") || why.contains("cannot resolve"),
            "{why}"
        );
    }
    assert!(receiver.received.try_recv().is_err());
}

#[tokio::test]
async fn sends_nothing_to_itself() {
    let root = root();
    let server = root.serve(&["--test-control", "--webhook-retries", "0"]);
    let port = server.endpoint.rsplit(':').next().unwrap();
    let hosts = ["127.0.0.1", "localhost", "127.0.0.2", "[::ffff:127.0.0.1]"];
    for (n, host) in hosts.into_iter().enumerate() {
        let id = watch(&server, &format!("http://{host}:{port}/_test/faults")).await;
        create(&server, &format!("r{n}"), json!({})).await;
        let why = log(&root, &id)[0]["response"].as_str().unwrap().to_owned();
        assert!(
            why.ends_with("is this Hub itself") || why.contains("cannot connect"),
            "{host} {why}"
        );
        server
            .send("hf_me", Method::DELETE, &format!("/api/settings/webhooks/{id}"), json!({}))
            .await;
    }
}

#[tokio::test]
async fn only_those_who_see_a_repository_learn_of_it() {
    let root = root();
    let (mine, hers) =
        (Receiver::new(&[Answer::Status(200)]), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    watch(&server, &mine.url()).await;
    let watched = json!([{ "type": "org", "name": "acme" }, { "type": "model", "name": "acme/s" }]);
    hook(&server, "hf_eve", json!({ "url": hers.url(), "watched": watched })).await;
    create(&server, "s", json!({ "private": true })).await;
    commit(&server, "acme/s", "secret").await;
    create(&server, "open", json!({})).await;
    assert_eq!(mine.events(3), ["repo:create", "repo.content:update", "repo:create"]);
    // Once, though both of her items match.
    let settings = json!({ "private": false });
    server.send("hf_me", Method::PUT, "/api/models/acme/s/settings", settings).await;
    assert_eq!(hers.next().payload["repo"]["name"], "acme/open");
    assert_eq!(hers.events(1), ["repo.config:update"]);
    assert!(hers.received.try_recv().is_err());
}

#[tokio::test]
async fn gives_no_event_to_an_owner_who_lost_access_since() {
    let root = root();
    let receiver = Receiver::new(&[Answer::Status(503), Answer::Status(200)]);
    let server = root.serve(&[]);
    let watched = json!([{ "type": "org", "name": "acme" }]);
    let id = hook(&server, "hf_eve", json!({ "url": receiver.url(), "watched": watched })).await;
    create(&server, "m", json!({})).await;
    assert_eq!(receiver.events(1), ["repo:create"]);
    let settings = json!({ "private": true });
    server.send("hf_me", Method::PUT, "/api/models/acme/m/settings", settings).await;
    let log = log(&root, &id);
    assert_eq!(log.len(), 1);
    assert!(log[0]["response"].as_str().unwrap().contains("does not see the repository any more"));
}

#[tokio::test]
async fn replays_a_delivery_and_returns_the_status() {
    let root = root();
    let answers = [Answer::Status(400), Answer::Status(202), Answer::Silence];
    let receiver = Receiver::new(&answers);
    let server = root.serve(&["--webhook-timeout", "1"]);
    let id = watch(&server, &receiver.url()).await;
    create(&server, "m", json!({})).await;
    let sent = receiver.next().payload;
    let delivery = log(&root, &id)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/settings/webhooks/{id}/replay/{delivery}");
    assert_eq!(post(&server, "hf_me", &path, json!({})).await, (200, json!({ "status": 202 })));
    assert_eq!(receiver.next().payload, sent);
    let (status, json) = post(&server, "hf_me", &path, json!({})).await;
    assert_eq!((status, &json["error"]), (422, &json!("Cannot deliver: no response within 1 s")));
    assert_eq!(post(&server, "hf_eve", &path, json!({})).await.0, 404);
    let unknown = format!("/api/settings/webhooks/{id}/replay/x");
    assert_eq!(post(&server, "hf_me", &unknown, json!({})).await.0, 404);
}

#[tokio::test]
async fn a_payload_names_the_hub_whatever_host_the_request_that_caused_it_names() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    watch(&server, &receiver.url()).await;
    let request = server.request(Method::POST, "/api/repos/create").header("host", "evil.example");
    let body = json!({ "type": "model", "name": "m", "organization": "acme" });
    let response = request.bearer_auth("hf_me").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let url = &receiver.next().payload["repo"]["url"];
    assert_eq!(url["web"], format!("{}/acme/m", server.endpoint));
    assert_eq!(url["api"], format!("{}/api/models/acme/m", server.endpoint));
}

#[tokio::test]
async fn a_token_for_one_namespace_does_not_reach_the_webhooks_of_its_account() {
    let root = root();
    let scoped = ["user", "add", "me", "--token", "hf_scoped", "--role", "fine-grained", "--scope"];
    root.run(&[&scoped[..], &["acme=repo.write"]].concat());
    let server = root.serve(&[]);
    let watched = json!([{ "type": "user", "name": "me" }]);
    let wanted = json!({ "url": "http://localhost:9/", "watched": watched, "secret": "s" });
    let id = hook(&server, "hf_me", wanted.clone()).await;
    let all = "/api/settings/webhooks";
    let one = format!("{all}/{id}");
    for (method, path) in [
        (Method::GET, all),
        (Method::POST, all),
        (Method::GET, &one),
        (Method::POST, &one),
        (Method::DELETE, &one),
    ] {
        let (status, json) = server.send("hf_scoped", method, path, wanted.clone()).await;
        assert_eq!(status, 403, "{json}");
        assert!(json["error"].as_str().unwrap().contains("user.webhooks."), "{json}");
    }
}

#[tokio::test]
async fn a_webhook_is_managed_by_its_owner_only() {
    let root = root();
    root.run(&["user", "add", "me", "--token", "hf_read", "--role", "read"]);
    let server = root.serve(&[]);
    let url = "http://localhost:9/";
    let watched = json!([{ "type": "user", "name": "me" }]);
    let id = hook(&server, "hf_me", json!({ "url": url, "watched": watched, "secret": "s" })).await;
    let path = format!("/api/settings/webhooks/{id}");
    let expected = json!({
        "id": id, "url": url, "watched": watched, "domains": ["repo", "discussion"],
        "secret": "s", "disabled": false,
    });
    let get = |token| server.send(token, Method::GET, &path, json!({}));
    assert_eq!(get("hf_me").await.1, json!({ "webhook": expected }));
    let (_, list) = server.send("hf_me", Method::GET, "/api/settings/webhooks", json!({})).await;
    assert_eq!(list, json!([expected]));
    for (token, method, path, status) in [
        ("hf_eve", Method::GET, path.clone(), 404),
        ("hf_eve", Method::POST, path.clone(), 404),
        ("hf_eve", Method::DELETE, path.clone(), 404),
        ("hf_eve", Method::POST, format!("{path}/disable"), 404),
        ("hf_read", Method::POST, path.clone(), 403),
        ("hf_read", Method::DELETE, path.clone(), 403),
        ("hf_me", Method::POST, format!("{path}/explode"), 404),
    ] {
        let sent = server.send(token, method, &path, json!({ "watched": [] })).await;
        assert_eq!(sent.0, status, "{path} {}", sent.1);
    }
    assert_eq!(server.get(&path).await.status(), 401);
    assert_eq!(get("hf_read").await.1["webhook"]["secret"], Value::Null, "it is for a change");

    let changed =
        post(&server, "hf_me", &path, json!({ "watched": [], "domains": ["repo"] })).await.1;
    let changed = &changed["webhook"];
    assert_eq!((&changed["watched"], &changed["domains"]), (&json!([]), &json!(["repo"])));
    assert_eq!((&changed["url"], &changed["secret"]), (&json!(url), &json!("s")));
    for (action, disabled) in [("disable", true), ("enable", false)] {
        let (_, json) = post(&server, "hf_me", &format!("{path}/{action}"), json!({})).await;
        assert_eq!(json["webhook"]["disabled"], disabled);
    }
    assert_eq!(server.send("hf_me", Method::DELETE, &path, json!({})).await.0, 200);
    assert_eq!(get("hf_me").await.0, 404);
}

#[tokio::test]
async fn rejects_invalid_webhooks() {
    let root = root();
    let server = root.serve(&[]);
    let url = "http://localhost:9/";
    for (body, message) in [
        (json!({}), "watched"),
        (json!({ "watched": [] }), "Exactly one of"),
        (json!({ "watched": [], "url": url, "jobSourceId": "x" }), "Exactly one of"),
        (json!({ "watched": [], "jobSourceId": "x" }), "runs no Jobs"),
        (json!({ "watched": [], "url": "ftp://x/" }), "http:// or https://"),
        (json!({ "watched": [], "url": "/x" }), "http:// or https://"),
        (json!({ "watched": [], "url": "http://u:p@localhost/" }), "password"),
        (json!({ "watched": [], "url": "http://a b/" }), "must be a URL"),
        (json!({ "watched": [], "url": format!("http://x/{}", "x".repeat(3000)) }), "2048"),
        (json!({ "watched": [], "url": url, "domains": ["discussions"] }), "[repo, discussion]"),
        (json!({ "watched": [], "url": url, "domains": [] }), "[repo, discussion]"),
        (json!({ "watched": [], "url": url, "secret": "a\r\nb: c" }), "secret"),
        (json!({ "watched": [{ "type": "x", "name": "y" }], "url": url }), "[dataset, model"),
        (json!({ "watched": [{ "type": "model", "name": "../y" }], "url": url }), "../y"),
        (json!({ "watched": [{ "type": "user", "name": "a/b" }], "url": url }), "a/b"),
        (
            json!({ "watched": vec![json!({ "type": "user", "name": "a" }); 101], "url": url }),
            "100",
        ),
    ] {
        let (status, json) = post(&server, "hf_me", "/api/settings/webhooks", body.clone()).await;
        assert!(matches!(status, 400 | 422), "{body} {json}");
        assert!(json["error"].as_str().unwrap().contains(message), "{body} {json}");
    }
}

#[tokio::test]
async fn reports_discussions_and_pull_requests() {
    let (root, receiver) = (root(), Receiver::new(&[Answer::Status(200)]));
    let server = root.serve(&[]);
    create(&server, "m", json!({})).await;
    watch(&server, &receiver.url()).await;
    let all = "/api/models/acme/m/discussions";
    let opening = json!({ "title": "A question", "description": "Why?" });
    assert_eq!(post(&server, "hf_eve", all, opening).await.0, 200);
    let opened = receiver.next().payload;
    assert_eq!(name(&opened), "discussion:create");
    let (discussion, comment) = (&opened["discussion"], &opened["comment"]);
    let page = format!("{}/acme/m/discussions/1", server.endpoint);
    let api = format!("{}{all}/1", server.endpoint);
    assert_eq!(discussion["url"], json!({ "web": page, "api": api }));
    let shown =
        ["num", "title", "status", "isPullRequest", "pinned"].map(|key| discussion[key].clone());
    assert_eq!(json!(shown), json!([1, "A question", "open", false, false]));
    assert_eq!(comment["content"], "Why?");
    let place = format!("{page}#{}", comment["id"].as_str().unwrap());
    assert_eq!(comment["url"]["web"], place);
    assert_eq!(opened["repo"]["headSha"], Value::Null);

    let one = format!("{all}/1");
    let said =
        post(&server, "hf_me", &format!("{one}/comment"), json!({ "comment": "Because" })).await;
    let id = said.1["newMessage"]["id"].as_str().unwrap().to_owned();
    assert_eq!(receiver.next().payload["comment"]["content"], "Because");
    let edit = format!("{one}/comment/{id}/edit");
    post(&server, "hf_me", &edit, json!({ "content": "So" })).await;
    assert_eq!(receiver.next().payload["comment"]["content"], "So");
    post(&server, "hf_me", &format!("{one}/comment/{id}/hide"), json!({})).await;
    let hidden = receiver.next().payload;
    assert_eq!(name(&hidden), "discussion.comment:update");
    assert_eq!(
        (&hidden["comment"]["hidden"], &hidden["comment"]["content"]),
        (&json!(true), &Value::Null)
    );
    post(&server, "hf_me", &format!("{one}/title"), json!({ "title": "Another" })).await;
    assert_eq!(receiver.next().payload["discussion"]["title"], "Another");
    post(&server, "hf_me", &format!("{one}/status"), json!({ "status": "closed" })).await;
    assert_eq!(receiver.next().payload["discussion"]["status"], "closed");
    server.send("hf_me", Method::DELETE, &one, json!({})).await;
    assert_eq!(receiver.events(1), ["discussion:delete"]);

    let lines = [
        json!({ "key": "header", "value": { "summary": "Offer" } }),
        json!({ "key": "file", "value": { "path": "f", "content": "x" } }),
    ];
    let body = lines.map(|line| line.to_string()).join("\n");
    let request = server.request(Method::POST, "/api/models/acme/m/commit/main?create_pr=1");
    request.bearer_auth("hf_me").body(body).send().await.unwrap();
    let pushed = receiver.next().payload;
    assert_eq!(
        (&pushed["updatedRefs"][0]["ref"], &pushed["updatedRefs"][0]["oldSha"]),
        (&json!("refs/pr/2"), &Value::Null)
    );
    let opened = receiver.next().payload;
    assert_eq!(opened["discussion"]["changes"], json!({ "base": "refs/heads/main" }));
    assert_eq!(post(&server, "hf_me", &format!("{all}/2/merge"), json!({})).await.0, 200);
    let moved = receiver.next().payload;
    let merged = receiver.next().payload;
    assert_eq!(moved["updatedRefs"][0]["ref"], "refs/heads/main");
    assert_eq!(moved["updatedRefs"][0]["newSha"], merged["discussion"]["changes"]["mergeCommitId"]);
    assert_eq!(
        (name(&merged).as_str(), &merged["discussion"]["status"]),
        ("discussion:update", &json!("merged"))
    );
}
