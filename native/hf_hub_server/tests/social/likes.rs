use reqwest::Method;
use serde_json::{Value, json};

use super::common::{Root, Server, header};
use super::{list, status};

fn root() -> Root {
    let root = super::root();
    root.import("acme/r", &[("a", b"1")], &[]);
    root.import("acme/data", &[("a", b"1")], &["--type", "dataset"]);
    root.import("acme/hidden", &[("a", b"1")], &["--private"]);
    root.import("gpt2", &[("a", b"1")], &[]);
    root
}

async fn counts(server: &Server, path: &str) -> (Value, Value) {
    let info = server.json(path).await;
    (info["likes"].clone(), info["trendingScore"].clone())
}

#[tokio::test]
async fn a_like_counts_once_for_each_user() {
    let root = root();
    let server = root.serve(&[]);
    let like = "/api/models/acme/r/like";
    let likes = (0..8).flat_map(|_| ["hf_ann", "hf_bob"]);
    let sent = likes.map(|token| status(&server, token, Method::POST, like));
    assert!(futures_util::future::join_all(sent).await.iter().all(|status| *status == 200));
    assert_eq!(counts(&server, "/api/models/acme/r").await, (json!(2), json!(2)));
    let listed = list(&server, "", "/api/models?sort=likes", "/likes").await;
    assert_eq!(listed, [2, 0]);
    assert_eq!(status(&server, "hf_bob", Method::DELETE, like).await, 200);
    assert_eq!(status(&server, "hf_bob", Method::DELETE, like).await, 200);
    assert_eq!(counts(&server, "/api/models/acme/r").await, (json!(1), json!(1)));
    assert_eq!(list(&server, "", "/api/models/acme/r/likers", "/user").await, ["ann"]);
}

#[tokio::test]
async fn lists_are_sorted_by_likes_and_trend() {
    let root = root();
    root.import("acme/b", &[("a", b"1")], &[]);
    let server = root.serve(&[]);
    for (token, id) in [("hf_ann", "acme/r"), ("hf_bob", "acme/r"), ("hf_ann", "gpt2")] {
        let path = format!("/api/models/{id}/like");
        assert_eq!(status(&server, token, Method::POST, &path).await, 200, "{id}");
    }
    for sort in ["likes", "trendingScore"] {
        let ids = list(&server, "", &format!("/api/models?sort={sort}"), "/id").await;
        assert_eq!(ids, ["acme/r", "gpt2", "acme/b"], "{sort}");
    }
    // The private one has no likes, so it is last for those who see it.
    let all = list(&server, "hf_ann", "/api/models?sort=likes&limit=9", "/id").await;
    assert_eq!(all, ["acme/r", "gpt2", "acme/b", "acme/hidden"]);
}

#[tokio::test]
async fn only_a_write_token_likes_what_its_user_sees() {
    let root = root();
    let scoped = ["user", "add", "bob", "--token", "hf_bob_scoped", "--role", "fine-grained"];
    root.run(&[&scoped[..], &["--scope", "acme=repo.write"]].concat());
    let server = root.serve(&[]);
    for (token, path, expected) in [
        ("", "/api/models/acme/r/like", 401),
        ("hf_wrong", "/api/models/acme/r/like", 401),
        ("hf_ann_reads", "/api/models/acme/r/like", 403),
        ("hf_bob_scoped", "/api/models/acme/r/like", 403),
        ("hf_bob", "/api/models/acme/hidden/like", 404),
        ("hf_bob", "/api/models/acme/missing/like", 404),
        ("hf_bob", "/api/datasets/acme/r/like", 404),
        ("hf_bob", "/api/models/acme/r/like/x", 404),
    ] {
        for method in [Method::POST, Method::DELETE] {
            assert_eq!(status(&server, token, method, path).await, expected, "{token} {path}");
        }
    }
    assert_eq!(status(&server, "hf_ann", Method::PUT, "/api/models/acme/r/like").await, 405);
    assert_eq!(status(&server, "hf_ann", Method::POST, "/api/models/acme/r/likers").await, 405);
    assert_eq!(counts(&server, "/api/models/acme/r").await.0, 0);
    assert_eq!(
        status(&server, "hf_guest", Method::POST, "/api/models/acme/hidden/like").await,
        200
    );
    assert_eq!(status(&server, "hf_bob", Method::GET, "/api/models/acme/hidden/likers").await, 404);
}

#[tokio::test]
async fn liked_repositories_are_listed_by_type_without_hidden_ones() {
    let root = root();
    let server = root.serve(&["--page-size", "2"]);
    for path in ["models/acme/r", "models/acme/hidden", "datasets/acme/data", "models/gpt2"] {
        let path = format!("/api/{path}/like");
        assert_eq!(status(&server, "hf_ann", Method::POST, &path).await, 200, "{path}");
    }
    let likes = "/api/users/ann/likes";
    let first = server.get_as("hf_ann", likes).await;
    let next = header(&first, "link").to_owned();
    let (url, _) = next.trim_start_matches('<').split_once('>').unwrap();
    let first: Value = first.json().await.unwrap();
    assert_eq!(first[0]["repo"], json!({ "name": "gpt2", "type": "model" }));
    assert_eq!(first[1]["repo"], json!({ "name": "acme/data", "type": "dataset" }));
    let second = list(&server, "hf_ann", url, "/repo/name").await;
    assert_eq!(second, ["acme/hidden", "acme/r"]);
    let all = list(&server, "", "/api/users/ann/likes?limit=2&cursor=2", "/repo/name").await;
    assert_eq!(all, ["acme/r"]);
    for (token, count) in [("hf_ann", 4), ("", 3), ("hf_bob", 3), ("hf_guest", 4)] {
        let path = "/api/users/ann/overview";
        let (_, user) = server.send(token, Method::GET, path, &Value::Null).await;
        assert_eq!(user["numLikes"], count, "{token}");
    }
    assert_eq!(status(&server, "", Method::GET, "/api/users/nobody/likes").await, 404);
    assert_eq!(status(&server, "", Method::GET, "/api/users/acme/likes").await, 404);
}

#[tokio::test]
async fn likes_follow_a_renamed_repository_and_end_with_a_deleted_one() {
    let root = root();
    let server = root.serve(&[]);
    let like = "/api/models/acme/r/like";
    assert_eq!(status(&server, "hf_bob", Method::POST, like).await, 200);
    root.run(&["repo", "rename", "acme/r", "acme/new"]);
    assert_eq!(counts(&server, "/api/models/acme/new").await.0, 1);
    assert_eq!(status(&server, "hf_bob", Method::DELETE, like).await, 307);
    assert_eq!(list(&server, "", "/api/users/bob/likes", "/repo/name").await, ["acme/new"]);
    let body = json!({ "name": "new", "organization": "acme" });
    let deleted = server.send("hf_ann", Method::DELETE, "/api/repos/delete", &body).await;
    assert_eq!(deleted.0, 200);
    assert_eq!(list(&server, "", "/api/users/bob/likes", "/repo/name").await, Vec::<Value>::new());
}
