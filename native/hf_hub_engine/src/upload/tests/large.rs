//! Responses of the large file protocol: what they may ask for, and what they must include.

use super::*;

const OID: &str = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000001";

/// A Hub that responds to a batch with these objects. `{hub}` in them is replaced by its own URL,
/// `{store}` by that of the store.
async fn answering(objects: Value, store: &str) -> Server {
    let hub = Arc::new(Mutex::new(String::new()));
    let (known, store) = (hub.clone(), store.to_owned());
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("lfs", "a.bin"),
        _ if head.contains("/objects/batch") => {
            let text = json!({ "objects": objects }).to_string();
            let text = text.replace("{hub}", &known.lock().unwrap()).replace("{store}", &store);
            reply("200 OK", "", text.as_bytes())
        }
        _ if head.contains("/commit/main") => committed(),
        _ => reply("200 OK", "", b""),
    })
    .await;
    (*hub.lock().unwrap()).clone_from(&server.url);
    server
}

/// One object with these actions.
fn object(actions: &Value) -> Value {
    json!([{ "oid": OID, "size": 5, "actions": actions }])
}

async fn upload(objects: Value, store: &Server) -> (Server, Result<Report>) {
    let server = answering(objects, &store.url).await;
    let result = create(&hub(&server), vec![add("a.bin", b"12345")]).await;
    (server, result)
}

async fn store() -> Server {
    Server::answering(|_| reply("200 OK", "", b"")).await
}

fn line(head: &str, name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

#[tokio::test]
async fn sends_the_headers_of_upload_and_verify_with_their_links() {
    let store = store().await;
    let header = json!({ "Authorization": "Bearer of-the-store", "x-amz-acl": "private", "X-Number": 7,
        "Content-Type": "application/octet-stream", "Host": "evil.example", "Content-Length": "1",
        "Transfer-Encoding": "chunked", "Connection": "close", "X-None": null });
    let verify = json!({ "Authorization": "RemoteAuth v", "X-Verify": "yes" });
    let actions = json!({ "upload": { "href": "{store}/put", "header": header },
        "verify": { "href": "{store}/verify", "header": verify } });
    let (server, result) = upload(object(&actions), &store).await;
    assert!(result.unwrap().last.unwrap().committed);
    let heads = store.requests();
    let put = &heads[0];
    assert!(put.starts_with("put /put "), "{put}");
    for (name, value) in [
        ("authorization", Some("bearer of-the-store")),
        ("x-amz-acl", Some("private")),
        ("x-number", Some("7")),
        ("content-type", Some("application/octet-stream")),
        ("content-length", Some("5")),
        ("transfer-encoding", None),
        ("x-none", None),
    ] {
        assert_eq!(line(put, name).as_deref(), value, "{name}");
    }
    assert!(store.url.ends_with(&line(put, "host").unwrap()));
    assert_eq!(store.bodies()[0], b"12345");
    let told = &heads[1];
    assert!(told.starts_with("post /verify "), "{told}");
    assert_eq!(line(told, "authorization").as_deref(), Some("remoteauth v"));
    assert_eq!(line(told, "x-verify").as_deref(), Some("yes"));
    // The Hub itself still receives the token.
    let batch = asked(&server.requests(), "/objects/batch")[0].clone();
    assert_eq!(line(&batch, "authorization").as_deref(), Some("bearer hf_secret"));
}

#[tokio::test]
async fn a_header_replaces_the_token_on_the_hub_itself() {
    let store = store().await;
    let header = json!({ "Authorization": "RemoteAuth v" });
    let actions = json!({ "upload": { "href": "{store}/put" },
        "verify": { "href": "{hub}/verify", "header": header } });
    let (server, result) = upload(object(&actions), &store).await;
    result.unwrap();
    let told = asked(&server.requests(), "post /verify ")[0].clone();
    assert_eq!(line(&told, "authorization").as_deref(), Some("remoteauth v"));
    assert!(line(&store.requests()[0], "authorization").is_none());

    // A Hub may ask for the token on its own origin.
    let header = json!({ "Authorization": "Bearer hf_secret" });
    let actions = json!({ "upload": { "href": "{hub}/put", "header": header } });
    let (server, result) = upload(object(&actions), &store).await;
    result.unwrap();
    let put = asked(&server.requests(), "put /put ")[0].clone();
    assert_eq!(line(&put, "authorization").as_deref(), Some("bearer hf_secret"));
}

#[tokio::test]
async fn invalid_or_forbidden_headers_fail_the_upload() {
    let store = store().await;
    let many: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("x-{n}"), json!("v"))).collect();
    let basic = "Basic bWU6aGZfc2VjcmV0"; // me:hf_secret
    for (header, words) in [
        (json!({ "Authorization": "Bearer hf_secret" }), "it asks for the Hub's token"),
        (json!({ "Authorization": basic }), "it asks for the Hub's token"),
        (json!({ "X-Copy": "a hf_secret b" }), "it asks for the Hub's token"),
        (json!({ "x\r\nHost: evil": "v" }), "cannot be sent"),
        (json!({ "x y": "v" }), "cannot be sent"),
        (json!({ "": "v" }), "cannot be sent"),
        (json!({ "x": "a\r\nAuthorization: b" }), "its header \"x\" cannot be sent"),
        (json!({ "x": ["v"] }), "its header \"x\" is not text"),
        (json!({ "x": "v".repeat(40_000) }), "it has too many headers"),
        (json!(many), "it has too many headers"),
    ] {
        for actions in [
            json!({ "upload": { "href": "{store}/put", "header": header } }),
            json!({ "upload": { "href": "{store}/put" },
                "verify": { "href": "{store}/verify", "header": header } }),
        ] {
            let (server, result) = upload(object(&actions), &store).await;
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
            assert!(error.message().contains(words), "{error}");
            assert!(!error.message().contains("hf_secret"), "{error}");
            assert!(asked(&server.requests(), "/commit/").is_empty());
        }
    }
    assert!(store.requests().is_empty());
}

#[tokio::test]
async fn a_batch_response_must_include_each_file_once() {
    let store = store().await;
    let known = json!({ "oid": OID, "size": 5 });
    let other = json!({ "oid": OTHER, "size": 5 });
    for (objects, got) in [
        (json!([]), "got none"),
        (json!([other]), "got none"),
        (json!([{ "oid": "no hash", "size": 5 }]), "got none"),
        (json!([known, known]), "got two"),
    ] {
        let (server, result) = upload(objects, &store).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidResponse, Some("a.bin")));
        assert!(error.message().contains(got), "{error}");
        assert!(asked(&server.requests(), "/commit/").is_empty());
    }
    // Contents without actions are in the store; other contents are ignored, and hex is
    // case-insensitive.
    let shouted = json!({ "oid": OID.to_uppercase(), "size": 5 });
    for objects in [json!([known, other]), json!([shouted])] {
        let (server, result) = upload(objects, &store).await;
        assert!(result.unwrap().last.unwrap().committed);
        assert_eq!(asked(&server.requests(), "/commit/").len(), 1);
    }
    assert!(store.requests().is_empty());
}
