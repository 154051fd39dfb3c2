//! Creating, renaming, configuring, copying and deleting repositories.

use std::io::{Read, Write};

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{connect, git, header};
use crate::hub::{ANN, BOB, READER, body, error, file, hub, hub_with, lfs_file, oid};

const CREATE: &str = "/api/repos/create";

#[tokio::test]
async fn creation_responds_like_the_hub() {
    let hub = hub().await;
    let response =
        hub.post(CREATE, json!({ "name": "d", "type": "dataset", "license": "mit" })).await;
    let json: Value = response.json().await.unwrap();
    let url = format!("{}/datasets/ann/d", hub.server.endpoint);
    assert_eq!((&json["url"], &json["name"]), (&json!(url), &json!("ann/d")));
    assert_eq!(json["id"].as_str().unwrap().len(), 24);

    let response = hub.post(CREATE, json!({ "name": "d", "type": "dataset" })).await;
    assert_eq!(response.status(), 409);
    let json: Value = response.json().await.unwrap();
    assert_eq!(json, json!({ "error": "You already created this dataset repo", "url": url }));

    let protected = json!({
        "name": "s", "organization": "acme", "type": "space", "sdk": "docker",
        "visibility": "protected", "resourceGroupId": "000000000000000000000000",
        "hardware": "cpu-basic", "secrets": [{ "key": "A", "value": "B" }],
    });
    assert_eq!(hub.post(CREATE, protected).await.status(), 200);
    assert_eq!(hub.server.get("/api/spaces/acme/s").await.status(), 401);
    let info: Value = hub.server.get_as(ANN, "/api/spaces/acme/s").await.json().await.unwrap();
    assert_eq!((&info["sdk"], &info["private"]), (&json!("docker"), &json!(true)));
}

#[tokio::test]
async fn the_first_commit_contains_the_files_of_the_creation_request() {
    let hub = hub().await;
    let files = json!([
        { "path": "README.md", "content": "LS0tCmxpY2Vuc2U6IG1pdAotLS0K", "encoding": "base64" },
        { "path": "sub/a.txt", "content": "a" },
    ]);
    let wanted = json!({ "name": "s", "type": "space", "sdk": "static", "files": files });
    assert_eq!(hub.post(CREATE, wanted).await.status(), 200);
    let tree = hub.server.json("/api/spaces/ann/s/tree/main?recursive=true").await;
    let paths = tree.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), [".gitattributes", "README.md", "sub", "sub/a.txt"]);
    let answer = hub.server.get("/spaces/ann/s/resolve/main/README.md").await;
    let readme = hub.server.get(header(&answer, "location")).await.text().await.unwrap();
    assert_eq!(readme, "---\nlicense: mit\n---\n");
    assert_eq!(
        hub.server.json("/api/spaces/ann/s/commits/main").await.as_array().unwrap().len(),
        1
    );

    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 3\n",
        "a".repeat(64)
    );
    for (files, status) in [
        (json!([{ "path": "../x", "content": "" }]), 422),
        (json!([{ "path": "x", "content": "?", "encoding": "base64" }]), 400),
        (json!([{ "path": "README.md", "content": "---\nlicense: 3\n---\n" }]), 400),
        (json!([{ "path": "x", "content": pointer }]), 400),
        (json!([{ "path": "x", "content": "" }, { "path": "x/y", "content": "" }]), 400),
        (json!([{ "path": "x" }]), 400),
    ] {
        let wanted = json!({ "name": "none", "files": files });
        assert_eq!(hub.post(CREATE, wanted).await.status(), status, "{files}");
        assert_eq!(hub.server.get_as(ANN, "/api/models/ann/none").await.status(), 404);
    }
}

#[tokio::test]
async fn creation_rejects_invalid_names_kinds_and_other_users() {
    let hub = hub().await;
    for (token, wanted, status) in [
        (ANN, json!({ "name": "../x" }), 400),
        (ANN, json!({ "name": "a/b/c" }), 400),
        (ANN, json!({ "name": "x.git" }), 400),
        (ANN, json!({ "name": "" }), 400),
        (ANN, json!({ "name": "x", "organization": "../acme" }), 400),
        (ANN, json!({ "name": "x", "type": "kernel" }), 400),
        (ANN, json!({ "name": "x", "visibility": "secret" }), 400),
        (ANN, json!({ "name": "x", "visibility": "protected" }), 400),
        (ANN, json!({ "name": "x", "visibility": "public", "private": true }), 400),
        (ANN, json!({ "name": "x", "type": "space" }), 400),
        (ANN, json!({ "name": "x", "type": "space", "sdk": "php" }), 400),
        (ANN, json!({}), 400),
        (ANN, json!("x"), 400),
        (ANN, json!({ "name": "x", "organization": "bob" }), 403),
        (READER, json!({ "name": "x" }), 403),
        ("", json!({ "name": "x" }), 401),
        ("hf_wrong", json!({ "name": "x" }), 401),
    ] {
        let response = hub.send(Method::POST, token, CREATE, wanted.clone()).await;
        assert_eq!(response.status(), status, "{wanted}");
    }
    let wanted = json!({ "name": "x", "organization": "bob" });
    assert_eq!(
        error(hub.post(CREATE, wanted).await).await.1,
        "You don't have the rights to create a model under the namespace \"bob\""
    );
    assert_eq!(hub.server.get(CREATE).await.status(), 405);
}

#[tokio::test]
async fn only_one_of_several_requests_creates_a_repository() {
    let hub = hub().await;
    let wanted = json!({ "name": "same", "organization": "acme" });
    let all = (0..8).map(|_| hub.post(CREATE, wanted.clone()));
    let mut statuses = futures_util::future::join_all(all)
        .await
        .iter()
        .map(|response| response.status().as_u16())
        .collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(hub.server.get("/api/models/acme/same/refs").await.status(), 200);
    git(&hub.root.git_dir("acme/same"), &["fsck", "--strict"]);
}

#[tokio::test]
async fn deletion_requires_write_access() {
    let hub = hub().await;
    let wanted = json!({ "name": "r", "organization": "acme" });
    let delete = |token, wanted| hub.send(Method::DELETE, token, "/api/repos/delete", wanted);
    assert_eq!(delete(BOB, wanted.clone()).await.status(), 403);
    assert_eq!(delete(READER, wanted.clone()).await.status(), 403);
    assert_eq!(delete("", wanted.clone()).await.status(), 401);
    let response = delete(ANN, wanted.clone()).await;
    assert_eq!((response.status().as_u16(), &*response.text().await.unwrap()), (200, "OK"));
    assert!(!hub.root.git_dir("acme/r").exists());
    let response = delete(ANN, wanted).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "x-error-code")),
        (404, "RepoNotFound")
    );
}

#[tokio::test]
async fn old_names_redirect_write_requests() {
    let hub = hub().await;
    hub.create("taken").await;
    let rename = |token, from, to| {
        let wanted = json!({ "fromRepo": from, "toRepo": to, "type": "model" });
        hub.send(Method::POST, token, "/api/repos/move", wanted)
    };
    assert_eq!(rename(BOB, "acme/r", "bob/r").await.status(), 403);
    assert_eq!(rename(ANN, "acme/r", "bob/r").await.status(), 403);
    let taken = rename(ANN, "acme/r", "acme/Taken").await;
    let message = "A model repository called acme/taken already exists".into();
    assert_eq!(error(taken).await, (409, message));
    assert_eq!(rename(ANN, "acme/r", "acme/r").await.status(), 409);
    assert_eq!(rename(ANN, "acme/r", "acme/..").await.status(), 400);
    assert_eq!(rename(ANN, "acme/none", "acme/n").await.status(), 404);
    let link = hub.batch("acme/r", b"content").await["actions"]["upload"]["href"].clone();
    assert_eq!(rename(ANN, "acme/r", "ann/new").await.status(), 200);

    let commit = "/api/models/acme/r/commit/main?create_pr=1";
    let response = hub.post(commit, json!({})).await;
    let location = "/api/models/ann/new/commit/main?create_pr=1";
    assert_eq!((response.status().as_u16(), header(&response, "location")), (307, location));
    let response = hub.post("/acme/r.git/info/lfs/objects/batch", json!({})).await;
    assert_eq!(header(&response, "location"), "/ann/new.git/info/lfs/objects/batch");
    // A link created under the old name still works.
    assert_eq!(hub.put(link.as_str().unwrap(), b"content").await.status(), 200);
    assert!(hub.batch("ann/new", b"content").await["actions"].is_null());
}

#[tokio::test]
async fn ids_that_differ_only_in_case_are_the_same() {
    let hub = hub().await;
    let head = hub.head("acme/r");
    let response = hub.post("/api/models/ACME/R/commit/main", json!({})).await;
    let location = "/api/models/acme/r/commit/main";
    assert_eq!((response.status().as_u16(), header(&response, "location")), (307, location));
    let response = hub.post(CREATE, json!({ "name": "R", "organization": "acme" })).await;
    assert_eq!(response.status(), 409);
    let json: Value = response.json().await.unwrap();
    assert_eq!(json["url"], format!("{}/acme/r", hub.server.endpoint));
    let wanted = json!({ "repository": "acme/R" });
    assert_eq!(hub.post("/api/models/acme/r/duplicate", wanted).await.status(), 409);

    // A repository may be renamed to its own name in a different case, and both names work.
    let wanted = json!({ "fromRepo": "Acme/R", "toRepo": "acme/R", "type": "model" });
    assert_eq!(hub.post("/api/repos/move", wanted).await.status(), 200);
    assert_eq!(hub.head("acme/R"), head);
    let response = hub.server.get("/api/models/acme/r").await;
    assert_eq!(header(&response, "location"), "/api/models/acme/R");
    let response = hub.server.get("/api/models/aCmE/r").await;
    assert_eq!(header(&response, "location"), "/api/models/acme/R");
    let wanted = json!({ "name": "r", "organization": "ACME" });
    assert_eq!(hub.send(Method::DELETE, ANN, "/api/repos/delete", wanted).await.status(), 200);
}

#[tokio::test]
async fn owners_see_the_storage_of_their_repositories() {
    let hub = hub().await;
    hub.upload("acme/r", b"large").await;
    hub.commit(&[lfs_file("m.bin", b"large")]).await;
    hub.post(CREATE, json!({ "name": "d", "type": "dataset", "private": true })).await;
    let of = async |token: &str, path: &str| hub.server.get_as(token, path).await;
    let own: Value = of(ANN, "/api/settings/repositories").await.json().await.unwrap();
    assert_eq!((&own[0]["id"], &own[0]["type"]), (&json!("ann/d"), &json!("dataset")));
    assert_eq!((&own[0]["visibility"], &own[1]), (&json!("private"), &Value::Null));
    let path = "/api/organizations/acme/settings/repositories";
    let acme: Value = of(ANN, path).await.json().await.unwrap();
    assert_eq!((&acme[0]["id"], &acme[0]["storagePercent"]), (&json!("acme/r"), &json!(100.0)));
    assert!(acme[0]["storage"].as_u64().unwrap() > 5, "{acme}");
    assert_eq!(of(BOB, path).await.status(), 403);
    assert_eq!(hub.server.get("/api/settings/repositories").await.status(), 401);
}

#[tokio::test]
async fn a_user_has_a_display_name() {
    let hub = hub().await;
    hub.root.run(&["user", "add", "eve", "--fullname", "Eve Ex", "--token", "hf_eve"]);
    let named = async |token: &str| {
        let user: Value = hub.server.get_as(token, "/api/whoami-v2").await.json().await.unwrap();
        user["fullname"].as_str().unwrap().to_owned()
    };
    assert_eq!((named("hf_eve").await, named(BOB).await), ("Eve Ex".into(), "bob".into()));
}

#[tokio::test]
async fn xet_routes_name_the_variable_that_disables_xet() {
    let hub = hub_with(&["--no-xet"]).await;
    for route in ["xet-write-token", "xet-read-token"] {
        // The Python client shows only the URL of the error.
        let response = hub.server.get_as(ANN, &format!("/api/models/acme/r/{route}/main")).await;
        let location = header(&response, "location");
        assert!(location.ends_with("/main/set-HF_HUB_DISABLE_XET=1"), "{location}");
        let (status, message) = error(hub.server.get_as(ANN, location).await).await;
        assert!(status == 404 && message.contains("HF_HUB_DISABLE_XET=1"), "{message}");
    }
}

#[tokio::test]
async fn settings_are_stored_and_validated() {
    let hub = hub().await;
    let path = "/api/models/acme/r/settings";
    let put = |token, json: Value| hub.send(Method::PUT, token, path, json);
    let wanted = json!({ "private": true, "gated": "auto", "discussionsDisabled": true });
    let response = put(ANN, wanted.clone()).await;
    assert_eq!(response.json::<Value>().await.unwrap(), wanted);
    assert_eq!(hub.server.get("/api/models/acme/r").await.status(), 401);
    assert_eq!(put(BOB, json!({ "private": false })).await.status(), 404);
    assert_eq!(put(ANN, json!({ "visibility": "public", "gated": false })).await.status(), 200);
    let info = hub.server.json("/api/models/acme/r").await;
    assert_eq!((&info["private"], &info["gated"]), (&json!(false), &json!(false)));
    assert_eq!(info["discussionsDisabled"], true);
    for wrong in [
        json!({}),
        json!({ "unknown": 1 }),
        json!({ "gated": "maybe" }),
        json!({ "gated": true }),
        json!({ "private": "yes" }),
        json!({ "visibility": "protected" }),
        json!({ "discussionsDisabled": "no" }),
        json!({ "description": 3 }),
        json!([1]),
    ] {
        assert_eq!(put(ANN, wrong.clone()).await.status(), 400, "{wrong}");
    }
    assert_eq!(put(READER, json!({ "private": true })).await.status(), 403);
    assert_eq!(put(BOB, json!({ "private": true })).await.status(), 403);
    assert_eq!(hub.post(path, json!({})).await.status(), 405);
}

#[tokio::test]
async fn large_files_belong_to_the_repositories_they_were_uploaded_to() {
    let hub = hub().await;
    hub.create("other").await;
    hub.upload("acme/r", b"secret").await;
    hub.commit(&[lfs_file("m.bin", b"secret")]).await;

    // Knowing the hash gives no access to the content.
    let large = lfs_file("m.bin", b"secret");
    let header = json!({ "summary": "x" });
    let commit =
        || hub.try_commit("acme/other/commit/main", header.clone(), std::slice::from_ref(&large));
    let (status, message) = error(commit().await).await;
    assert_eq!(status, 400);
    assert!(message.contains("pointed to a file that does not exist"), "{message}");
    let pointer = git(&hub.root.git_dir("acme/r"), &["show", "main:m.bin"]);
    let text = file("m.txt", &pointer);
    let response = hub.try_commit("acme/other/commit/main", header.clone(), &[text]).await;
    assert_eq!(response.status(), 400);
    assert!(!hub.batch("acme/other", b"secret").await["actions"].is_null());

    let duplicate = "/api/models/acme/r/lfs-files/duplicate";
    let wanted = json!({
        "target": { "type": "model", "name": "acme/other" },
        "files": [{ "xetHash": "x", "sha256": oid(b"secret") }, { "sha256": oid(b"none") }, { "sha256": "../x" }],
    });
    assert_eq!(hub.send(Method::POST, READER, duplicate, wanted.clone()).await.status(), 403);
    let response = hub.post(duplicate, wanted).await;
    assert_eq!(response.status(), 207);
    let report: Value = response.json().await.unwrap();
    assert_eq!((&report["processed"], &report["succeeded"]), (&json!(3), &json!(1)));
    assert_eq!(report["failed"][0]["sha256"], oid(b"none"));
    assert_eq!(commit().await.status(), 200);
    let link = hub.server.link("/acme/other/resolve/main/m.bin").await;
    assert_eq!(hub.server.get(&link).await.bytes().await.unwrap(), "secret");
}

#[tokio::test]
async fn large_files_are_duplicated_only_to_repositories_with_write_access() {
    let hub = hub().await;
    hub.upload("acme/r", b"open").await;
    let duplicate = "/api/models/acme/r/lfs-files/duplicate";
    for (token, target, status) in
        [(BOB, "acme/r", 403), (BOB, "bob/own", 200), (READER, "acme/r", 403), ("", "acme/r", 401)]
    {
        hub.send(Method::POST, BOB, CREATE, json!({ "name": "own" })).await;
        let wanted = json!({ "target": { "name": target }, "files": [{ "sha256": oid(b"open") }] });
        let response = hub.send(Method::POST, token, duplicate, wanted).await;
        assert_eq!(response.status(), status, "{target}");
    }
}

#[tokio::test]
async fn other_users_cannot_copy_gated_files() {
    let hub = hub().await;
    hub.root.run(&["repo", "set", "acme/r", "--gated", "manual"]);
    let wanted = json!({ "repository": "bob/copy" });
    let response = hub.send(Method::POST, BOB, "/api/models/acme/r/duplicate", wanted).await;
    assert_eq!((response.status().as_u16(), header(&response, "x-error-code")), (403, "GatedRepo"));
    let wanted = json!({ "target": { "name": "bob/x" }, "files": [] });
    let response =
        hub.send(Method::POST, BOB, "/api/models/acme/r/lfs-files/duplicate", wanted).await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn older_repositories_without_this_record_get_it() {
    let hub = hub().await;
    hub.upload("acme/r", b"large").await;
    hub.commit(&[lfs_file("m.bin", b"large")]).await;
    std::fs::remove_dir_all(hub.root.git_dir("acme/r").join("lfs")).unwrap();
    assert!(hub.batch("acme/r", b"large").await["actions"].is_null());
    hub.commit(&[lfs_file("copy.bin", b"large")]).await;
    assert!(!hub.batch("acme/r", b"other").await["actions"].is_null());
}

#[tokio::test]
async fn a_commit_never_goes_to_a_repository_created_again() {
    let hub = hub().await;
    let lines = body(&json!({ "summary": "late" }), &[file("a", "1"), file("b", "2")]);
    let (first, rest) = lines.split_at(lines.len() - 5);
    let mut late = connect(&hub.server.endpoint);
    let head = format!(
        "POST /api/models/acme/r/commit/main HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {ANN}\r\nContent-Length: {}\r\n\r\n",
        lines.len()
    );
    late.write_all(head.as_bytes()).unwrap();
    late.write_all(first.as_bytes()).unwrap();
    let has_begun = |requests: &[Value]| {
        requests.iter().any(|r| r["path"].as_str().unwrap().contains("/commit/"))
    };
    hub.server.requests_when(has_begun).await;
    let wanted = json!({ "name": "r", "organization": "acme" });
    hub.send(Method::DELETE, ANN, "/api/repos/delete", wanted).await;
    hub.create("r").await;
    late.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert_eq!(hub.files(), [".gitattributes"]);
    git(&hub.root.git_dir("acme/r"), &["fsck", "--strict"]);
}
