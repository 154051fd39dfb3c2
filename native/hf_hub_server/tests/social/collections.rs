use reqwest::Method;
use serde_json::{Value, json};

use super::common::{Root, Server};
use super::{list, status};

const API: &str = "/api/collections";

fn root() -> Root {
    let root = super::root();
    root.import("acme/r", &[("a", b"1")], &[]);
    root.import("acme/data", &[("a", b"1")], &["--type", "dataset"]);
    root.import("bob/space", &[("a", b"1")], &["--type", "space"]);
    root.import("acme/hidden", &[("a", b"1")], &["--private"]);
    let papers = json!([{ "id": "1706.03762", "title": "Attention", "upvotes": 3 }]);
    let folder = root.folder(&[("papers.json", papers.to_string().as_bytes())]);
    root.run(&["papers", "import", folder.join("papers.json").to_str().unwrap()]);
    root
}

async fn create(
    server: &Server,
    token: &str,
    namespace: &str,
    title: &str,
    private: bool,
) -> String {
    let body = json!({ "title": title, "namespace": namespace, "private": private });
    let (status, created) = server.send(token, Method::POST, API, &body).await;
    assert_eq!(status, 200, "{created}");
    created["slug"].as_str().unwrap().to_owned()
}

async fn add(server: &Server, slug: &str, kind: &str, id: &str) -> (u16, Value) {
    let body = json!({ "item": { "type": kind, "id": id }, "note": format!("<{id}>") });
    server.send("hf_ann", Method::POST, &format!("{API}/{slug}/items"), &body).await
}

async fn get(server: &Server, token: &str, slug: &str) -> Value {
    let (status, found) =
        server.send(token, Method::GET, &format!("{API}/{slug}"), &Value::Null).await;
    assert_eq!(status, 200, "{slug}");
    found
}

fn ids(collection: &Value) -> Vec<&str> {
    let items = collection["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_collection_has_items_of_all_types() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "acme", "Recent Models, 2025!", false).await;
    let inner = create(&server, "hf_ann", "ann", "日本", false).await;
    assert_eq!(&slug[..slug.len() - 24], "acme/recent-models-2025-");
    assert_eq!(inner.len(), "ann/".len() + 24);

    for (kind, id) in [
        ("model", "acme/r"),
        ("dataset", "acme/data"),
        ("space", "bob/space"),
        ("paper", "1706.03762"),
        ("collection", &inner),
    ] {
        assert_eq!(add(&server, &slug, kind, id).await.0, 200, "{kind}");
        let (status, error) = add(&server, &slug, kind, id).await;
        assert_eq!((status, error["error"].as_str().unwrap().contains("already")), (409, true));
    }
    let found = get(&server, "", &slug).await;
    let items = found["items"].as_array().unwrap();
    let kinds = items.iter().map(|item| item["type"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(kinds, ["model", "dataset", "space", "paper", "collection"]);
    assert_eq!((&items[3]["title"], &items[4]["slug"]), (&json!("Attention"), &json!(inner)));
    assert_eq!(items[0]["note"], json!({ "text": "<acme/r>", "html": "<p>&lt;acme/r&gt;</p>\n" }));
    assert_eq!((&found["owner"]["name"], &found["owner"]["type"]), (&json!("acme"), &json!("org")));
    assert_eq!((&found["theme"], &found["upvotes"]), (&json!("orange"), &json!(0)));
    let listed = server.json(&format!("{API}?owner=acme")).await;
    assert_eq!(listed[0]["items"].as_array().unwrap().len(), 4);
    // The Python client counts the positions in a list itself, and fails if they are there.
    assert!(listed[0].get("position").is_none());

    // The last becomes the first, and then the first item is removed.
    let item = items[4]["_id"].as_str().unwrap();
    let path = format!("{API}/{slug}/items/{item}");
    let change = json!({ "position": 0, "note": "First" });
    assert_eq!(server.send("hf_ann", Method::PATCH, &path, &change).await.0, 200);
    let found = get(&server, "", &slug).await;
    assert_eq!(found["items"][0]["note"]["text"], "First");
    assert_eq!(ids(&found)[1..], ["acme/r", "acme/data", "bob/space", "1706.03762"]);
    assert_eq!(status(&server, "hf_ann", Method::DELETE, &path).await, 200);
    assert_eq!(status(&server, "hf_ann", Method::DELETE, &path).await, 404);
    assert_eq!(server.send("hf_ann", Method::PATCH, &path, &change).await.0, 404);
    assert_eq!(ids(&get(&server, "", &slug).await).len(), 4);
}

#[tokio::test]
async fn a_new_title_changes_the_slug_but_not_what_it_names() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "ann", "First title", false).await;
    let change = json!({
        "title": "Second", "description": "About", "theme": "green", "private": true, "position": 0,
    });
    let path = format!("{API}/{slug}");
    let (status, changed) = server.send("hf_ann", Method::PATCH, &path, &change).await;
    assert_eq!(status, 200);
    let changed = &changed["data"];
    assert_eq!(changed["slug"], slug.replace("first-title", "second"));
    assert_eq!((&changed["theme"], &changed["description"]), (&json!("green"), &json!("About")));
    assert_eq!(get(&server, "hf_ann", &slug).await["title"], "Second");
    assert_eq!(server.send("", Method::GET, &path, &Value::Null).await.0, 404);

    create(&server, "hf_ann", "ann", "Other", false).await;
    let taken = json!({ "title": "Other" });
    assert_eq!(server.send("hf_ann", Method::PATCH, &path, &taken).await.0, 409);
    let same = json!({ "title": "Second" });
    assert_eq!(server.send("hf_ann", Method::PATCH, &path, &same).await.0, 200);
    let again = json!({ "title": "Second", "namespace": "ann" });
    let (status, error) = server.send("hf_ann", Method::POST, API, &again).await;
    assert_eq!((status, &error["slug"]), (409, &changed["slug"]));
}

#[tokio::test]
async fn private_collections_and_items_are_hidden() {
    let root = root();
    let server = root.serve(&[]);
    let secret = create(&server, "hf_ann", "acme", "Secret", true).await;
    let open = create(&server, "hf_ann", "acme", "Open", false).await;
    for (kind, id) in
        [("model", "acme/hidden"), ("collection", secret.as_str()), ("model", "acme/r")]
    {
        assert_eq!(add(&server, &open, kind, id).await.0, 200);
    }
    for (token, items) in [("", 1), ("hf_bob", 1), ("hf_guest", 3), ("hf_ann_reads", 3)] {
        let found = get(&server, token, &open).await;
        assert_eq!(ids(&found).len(), items, "{token}");
        let positions = found["items"].as_array().unwrap().iter().map(|item| &item["position"]);
        assert!(positions.eq(&(0..items).map(|number| json!(number)).collect::<Vec<_>>()));
    }
    for (token, expected) in [("", 404), ("hf_bob", 404), ("hf_guest", 200)] {
        let path = format!("{API}/{secret}");
        assert_eq!(status(&server, token, Method::GET, &path).await, expected, "{token}");
        let seen = list(&server, token, &format!("{API}?owner=acme"), "/slug").await;
        assert_eq!(seen.len(), if expected == 200 { 2 } else { 1 }, "{token}");
        // Filters by something hidden find as much as by something missing.
        let filter = format!("{API}?item=models/acme/hidden");
        let found = list(&server, token, &filter, "/slug").await.len();
        assert_eq!(found, usize::from(expected == 200), "{token}");
    }
    // Its id in another namespace's slug leads nowhere.
    let stolen = secret.replace("acme/", "bob/");
    assert_eq!(status(&server, "hf_ann", Method::GET, &format!("{API}/{stolen}")).await, 404);
    let mine = create(&server, "hf_bob", "bob", "Mine", false).await;
    for (kind, id) in [("model", "acme/hidden"), ("collection", secret.as_str())] {
        let body = json!({ "item": { "type": kind, "id": id } });
        let path = format!("{API}/{mine}/items");
        assert_eq!(server.send("hf_bob", Method::POST, &path, &body).await.0, 404, "{kind}");
    }
}

#[tokio::test]
async fn only_writers_change_a_collection() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "acme", "Open", false).await;
    let (_, added) = add(&server, &slug, "model", "acme/r").await;
    let item = added["items"][0]["_id"].as_str().unwrap().to_owned();
    for (token, expected) in [("", 401), ("hf_bob", 403), ("hf_guest", 403), ("hf_ann_reads", 403)]
    {
        for (method, path, body) in [
            (Method::POST, String::new(), json!({ "title": "x", "namespace": "acme" })),
            (Method::PATCH, format!("/{slug}"), json!({ "title": "x" })),
            (Method::DELETE, format!("/{slug}"), Value::Null),
            (
                Method::POST,
                format!("/{slug}/items"),
                json!({ "item": { "type": "model", "id": "acme/r" } }),
            ),
            (Method::PATCH, format!("/{slug}/items/{item}"), json!({ "note": "x" })),
            (Method::DELETE, format!("/{slug}/items/{item}"), Value::Null),
            (Method::POST, format!("/{slug}/resource-group"), json!({ "resourceGroupId": null })),
        ] {
            let path = format!("{API}{path}");
            let sent = server.send(token, method.clone(), &path, &body).await.0;
            assert_eq!(sent, expected, "{token:?} {method} {path}");
        }
    }
    assert_eq!(get(&server, "", &slug).await["title"], "Open");
    assert_eq!(status(&server, "hf_ann", Method::DELETE, &format!("{API}/{slug}")).await, 200);
    assert_eq!(status(&server, "hf_ann", Method::GET, &format!("{API}/{slug}")).await, 404);
}

async fn rejects(server: &Server, method: Method, path: &str, body: Value, expected: (u16, &str)) {
    let path = format!("{API}{path}");
    let (status, error) = server.send("hf_ann", method.clone(), &path, &body).await;
    assert_eq!(status, expected.0, "{method} {path} {body}");
    let error = error["error"].as_str().unwrap_or_default();
    assert!(error.contains(expected.1), "{method} {path} {body}: {error}");
}

#[tokio::test]
async fn invalid_values_of_collections_are_rejected() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "ann", "Open", false).await;
    let with = |name: &str, value: &str| {
        let mut body = json!({ "title": "x", "namespace": "ann" });
        body[name] = value.into();
        body
    };
    let group = "f".repeat(24);
    for (body, message) in [
        (with("title", " "), "\"title\" must not be empty"),
        (with("title", &"é".repeat(61)), "at most 60 characters"),
        (with("description", &"x".repeat(151)), "at most 150"),
        (with("resourceGroupId", &group), "of organizations"),
        (json!({ "title": "x" }), "namespace"),
        (json!({ "title": "x", "namespace": "acme", "resourceGroupId": "f" }), "24 hexadecimal"),
    ] {
        rejects(&server, Method::POST, "", body, (400, message)).await;
    }
    for (body, message) in [
        (json!({ "theme": "red" }), "[orange, blue, green, purple, pink, indigo]"),
        (json!({ "position": -1 }), "Invalid body"),
        (json!({ "title": "" }), "must not be empty"),
    ] {
        rejects(&server, Method::PATCH, &format!("/{slug}"), body, (400, message)).await;
    }
    for (path, expected) in [
        ("?sort=x", (400, "[lastModified, trending, upvotes]")),
        ("?item=users/ann", (400, "must begin with one of")),
        ("/ann/x", (404, "Collection not found")),
        ("/ann/ééééééééééééé", (404, "Collection not found")),
    ] {
        rejects(&server, Method::GET, path, Value::Null, expected).await;
    }
    let path = format!("/{slug}/resource-group");
    for (body, message) in [
        (json!({ "resourceGroupId": null }), "of organizations"),
        (json!({}), "must be a string or null"),
    ] {
        rejects(&server, Method::POST, &path, body, (400, message)).await;
    }
    let acme = create(&server, "hf_ann", "acme", "Open", false).await;
    for group in [json!(group), Value::Null] {
        let path = format!("{API}/{acme}/resource-group");
        let body = json!({ "resourceGroupId": group });
        assert_eq!(server.send("hf_ann", Method::POST, &path, &body).await.0, 200);
    }
}

#[tokio::test]
async fn invalid_items_are_rejected() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "ann", "Open", false).await;
    let cut = "é".repeat(13);
    for (kind, id, expected) in [
        ("user", "ann", (400, "[paper, collection, space, model, dataset]")),
        ("model", "acme/none", (404, "no model acme/none")),
        ("model", "a/../b", (404, "no model")),
        ("paper", "x", (404, "no paper x")),
        ("collection", &slug, (400, "contain itself")),
        ("collection", &cut, (404, "no collection")),
    ] {
        let body = json!({ "item": { "type": kind, "id": id } });
        rejects(&server, Method::POST, &format!("/{slug}/items"), body, expected).await;
    }
    let body = json!({ "item": { "type": "model", "id": "acme/r" }, "note": "x".repeat(501) });
    rejects(&server, Method::POST, &format!("/{slug}/items"), body, (400, "at most 500")).await;
    assert_eq!(get(&server, "", &slug).await["items"], json!([]));
}

#[tokio::test]
async fn items_follow_renamed_repositories_and_end_with_deleted_ones() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "ann", "Open", false).await;
    for (kind, id) in [("model", "acme/r"), ("dataset", "acme/data")] {
        assert_eq!(add(&server, &slug, kind, id).await.0, 200);
    }
    root.run(&["repo", "rename", "acme/r", "acme/new"]);
    assert_eq!(ids(&get(&server, "", &slug).await), ["acme/new", "acme/data"]);
    assert_eq!(add(&server, &slug, "model", "acme/r").await.0, 409, "the old name");
    for filter in ["models/acme/r", "models/acme/new", "datasets/acme/data"] {
        let found = list(&server, "", &format!("{API}?item={filter}"), "/slug").await;
        assert_eq!(found, [slug.as_str()], "{filter}");
    }
    let body = json!({ "name": "data", "organization": "acme", "type": "dataset" });
    assert_eq!(server.send("hf_ann", Method::DELETE, "/api/repos/delete", &body).await.0, 200);
    assert_eq!(ids(&get(&server, "", &slug).await), ["acme/new"]);
    let output = root.command(&["user", "remove", "ann"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("`ann` has collections"));
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let root = root();
    let server = root.serve(&[]);
    let mut slugs = Vec::new();
    for number in 0..12 {
        let namespace = if number % 2 == 0 { "ann" } else { "acme" };
        slugs.push(create(&server, "hf_ann", namespace, &format!("Number {number}"), false).await);
    }
    root.run(&["collection", "upvote", &slugs[3], "bob"]);
    root.run(&["collection", "upvote", &slugs[3], "bob"]);
    root.run(&["collection", "upvote", &slugs[3], "ann"]);
    root.run(&["collection", "upvote", &slugs[2], "ann"]);
    let titles =
        async |query: &str| list(&server, "hf_bob", &format!("{API}{query}"), "/title").await;
    assert_eq!(titles("").await.len(), 10);
    assert_eq!(titles("?limit=2").await, ["Number 11", "Number 10"]);
    assert_eq!(titles("?limit=2&cursor=10").await, ["Number 1", "Number 0"]);
    assert_eq!(titles("?limit=2&sort=upvotes").await, ["Number 3", "Number 2"]);
    assert_eq!(titles("?limit=1&sort=trending").await, ["Number 3"]);
    assert_eq!(titles("?owner=ann&limit=1").await, ["Number 10"]);
    assert_eq!(titles("?owner=ann&owner=acme&limit=100").await.len(), 12);
    assert_eq!(titles("?q=BER%207").await, ["Number 7"]);
    assert_eq!(titles("?q=%25").await, Vec::<Value>::new());
    let upvoted = get(&server, "hf_bob", &slugs[3]).await;
    assert_eq!((&upvoted["upvotes"], &upvoted["isUpvotedByUser"]), (&json!(2), &json!(true)));
    root.run(&["collection", "unvote", &slugs[3], "bob"]);
    assert_eq!(get(&server, "hf_bob", &slugs[3]).await["upvotes"], 1);
    let ann = server.json("/api/users/ann/overview").await;
    assert_eq!(ann["numUpvotes"], 1);
}

#[tokio::test]
async fn of_two_equal_additions_at_once_one_is_made() {
    let root = root();
    let server = root.serve(&[]);
    let slug = create(&server, "hf_ann", "ann", "Open", false).await;
    let both = [add(&server, &slug, "model", "acme/r"), add(&server, &slug, "model", "acme/r")];
    let sent = futures_util::future::join_all(both).await;
    let mut statuses = sent.into_iter().map(|(status, _)| status).collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(ids(&get(&server, "", &slug).await), ["acme/r"]);
    let body = json!({ "title": "Twice", "namespace": "ann" });
    let both = [0, 1].map(|_| server.send("hf_ann", Method::POST, API, &body));
    let sent = futures_util::future::join_all(both).await;
    let mut statuses = sent.into_iter().map(|(status, _)| status).collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
