//! Events of buckets.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, Receiver, hook, name, root};

#[tokio::test]
async fn changes_of_buckets_are_reported_to_those_who_see_them() {
    const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
    let root = root();
    let server = root.serve(&[]);
    let (own, of_eve) =
        (Receiver::new(&[Answer::Status(200)]), Receiver::new(&[Answer::Status(200)]));
    let watched = json!([{ "type": "bucket", "name": "acme/data" }]);
    hook(&server, "hf_me", json!({ "url": own.url(), "watched": watched })).await;
    let watched = json!([{ "type": "org", "name": "acme" }]);
    hook(&server, "hf_eve", json!({ "url": of_eve.url(), "watched": watched })).await;

    let send = async |method: Method, path: &str, body: Value| {
        let (status, json) = server.send("hf_me", method, path, body).await;
        assert_eq!(status, 200, "{path}: {json}");
    };
    let bucket = "/api/buckets/acme/data";
    send(Method::POST, bucket, json!({})).await;
    let created = own.next().payload;
    assert_eq!(name(&created), "repo:create");
    assert_eq!(
        (&created["repo"]["type"], &created["repo"]["name"]),
        (&json!("bucket"), &json!("acme/data"))
    );
    assert_eq!(created["repo"]["url"]["api"], format!("{}{bucket}", server.endpoint));
    assert_eq!(of_eve.events(1), ["repo:create"]);

    let line = json!({ "type": "addFile", "path": "a", "xetHash": NO_HASH });
    send(Method::POST, &format!("{bucket}/batch"), line).await;
    assert_eq!(
        (own.events(1), of_eve.events(1)),
        (vec!["repo.content:update".into()], vec!["repo.content:update".into()])
    );
    send(Method::PUT, &format!("{bucket}/settings"), json!({ "private": true })).await;
    let settings = own.next().payload;
    assert_eq!(
        (name(&settings), &settings["updatedConfig"]),
        ("repo.config:update".into(), &json!({ "private": true }))
    );
    let moved = json!({ "fromRepo": "acme/data", "toRepo": "acme/new", "type": "bucket" });
    send(Method::POST, "/api/repos/move", moved).await;
    let moved = own.next().payload;
    assert_eq!((name(&moved), &moved["movedTo"]["name"]), ("repo:move".into(), &json!("acme/new")));
    // The webhook watches the new name now.
    send(Method::DELETE, "/api/buckets/acme/new", json!(null)).await;
    let deleted = own.next().payload;
    assert_eq!(
        (name(&deleted), &deleted["repo"]["name"]),
        ("repo:delete".into(), &json!("acme/new"))
    );

    // Of a private bucket, others learn nothing.
    send(Method::POST, "/api/buckets/acme/public", json!({})).await;
    assert_eq!(of_eve.next().payload["repo"]["name"], "acme/public");
}
