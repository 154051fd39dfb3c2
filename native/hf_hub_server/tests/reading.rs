//! What clients read: files, listings, errors, and responses to hostile requests.

mod common;

use common::{Root, Server, header};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SMALL: &[u8] = b"0123456789";
const TOKEN: &str = "hf_ann";

fn large() -> Vec<u8> {
    (0..2_000_003_u32).flat_map(u32::to_le_bytes).take(2_000_003).collect()
}

fn root() -> Root {
    let root = Root::new();
    let large = large();
    let files: &[(&str, &[u8])] = &[
        ("README.md", b"---\nlicense: mit\n---\n"),
        ("small.txt", SMALL),
        ("dir/a b#?.txt", b"odd"),
        ("dir/model.bin", &large),
        ("page.html", b"<script>"),
        ("data.json", &[b' '; 5000]),
    ];
    root.import("acme/r", files, &[]);
    root.import("acme/hidden", &[("a", b"1")], &["--private"]);
    root.import("acme/gated", &[("a", b"1")], &["--gated", "manual"]);
    root.import("acme/closed", &[("a", b"1")], &[]);
    root.run(&["repo", "set", "acme/closed", "--disabled"]);
    root.import("acme/old", &[("a", b"1")], &[]);
    root.run(&["repo", "rename", "acme/old", "acme/new"]);
    root.run(&["user", "add", "ann", "--token", TOKEN]);
    root
}

/// Follows the redirect of a small file.
async fn cached(server: &Server, path: &str) -> String {
    let response = server.get(path).await;
    assert_eq!(response.status(), 307);
    header(&response, "location").to_owned()
}

#[tokio::test]
async fn small_files_are_redirected_to_the_resolve_cache() {
    let (root, commit);
    root = self::root();
    let server = root.serve(&[]);
    commit = server.json("/api/models/acme/r").await["sha"].as_str().unwrap().to_owned();
    let response = server.get("/acme/r/resolve/main/small.txt").await;
    assert_eq!(response.status(), 307);
    let location = header(&response, "location");
    assert!(
        location.starts_with(&format!("/api/resolve-cache/models/acme/r/{commit}/small.txt?")),
        "{location}"
    );
    let etag = "\"ad471007bd7f5983d273b9584e5629230150fd54\"";
    for (name, value) in [
        ("x-repo-commit", &*commit),
        ("x-linked-etag", etag),
        ("x-linked-size", "10"),
        ("etag", etag),
    ] {
        assert_eq!(header(&response, name), value, "{name}");
    }
    let response = server.get(location).await;
    assert_eq!((response.status().as_u16(), header(&response, "etag")), (200, etag));
    assert_eq!(header(&response, "x-repo-commit"), commit);
    assert_eq!(response.bytes().await.unwrap(), SMALL);
}

#[tokio::test]
async fn small_files_are_sent_directly_when_enabled() {
    let root = root();
    let server = root.serve(&["--direct"]);
    let response = server.get("/acme/r/resolve/main/small.txt").await;
    assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "10"));
    assert_eq!(response.bytes().await.unwrap(), SMALL);
    assert_eq!(server.get("/acme/r/resolve/main/dir/model.bin").await.status(), 302);
}

#[tokio::test]
async fn large_files_are_redirected_to_the_content_listener() {
    let root = root();
    let server = root.serve(&[]);
    let response = server.get("/acme/r/resolve/main/dir/model.bin").await;
    let oid = hex::encode(Sha256::digest(large()));
    assert_eq!(response.status(), 302);
    assert_eq!(header(&response, "x-linked-etag"), format!("\"{oid}\""));
    assert_eq!(header(&response, "x-linked-size"), "2000003");
    let location = header(&response, "location");
    assert!(
        location.starts_with(&format!("{}/lfs/{oid}/dir/model.bin?", server.cdn)),
        "{location}"
    );
    let response = server.get(location).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "etag")),
        (200, &*format!("\"{oid}\""))
    );
    assert_eq!(
        header(&response, "content-disposition"),
        "inline; filename*=UTF-8''model.bin; filename=\"model.bin\";"
    );
    assert_eq!(response.bytes().await.unwrap(), large());
}

#[tokio::test]
async fn raw_files_are_sent_as_stored_in_git() {
    let root = root();
    let server = root.serve(&[]);
    let response = server.get("/acme/r/raw/main/small.txt").await;
    assert_eq!((response.status().as_u16(), &*response.bytes().await.unwrap()), (200, SMALL));
    let pointer = server.get("/acme/r/raw/main/dir/model.bin").await;
    assert_eq!(header(&pointer, "etag").len(), 42);
    let pointer = pointer.text().await.unwrap();
    let oid = hex::encode(Sha256::digest(large()));
    let expected =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 2000003\n");
    assert_eq!(pointer, expected);
    assert_eq!(server.get("/acme/r/raw/main/none").await.status(), 404);
    assert_eq!(server.get("/acme/hidden/raw/main/a").await.status(), 401);
}

#[tokio::test]
async fn both_listeners_support_ranges_and_conditions() {
    let root = root();
    let server = root.serve(&[]);
    let small = cached(&server, "/acme/r/resolve/main/small.txt").await;
    let large_link = server.link("/acme/r/resolve/main/dir/model.bin").await;
    for (url, content) in [(small, SMALL.to_vec()), (large_link, large())] {
        let size = content.len();
        let ask = |name: &'static str, value: String| {
            server.request(Method::GET, &url).header(name, value).send()
        };
        for (range, from, to) in [
            ("bytes=2-4".to_owned(), 2, 5),
            ("bytes=3-".into(), 3, size),
            ("bytes=-4".into(), size - 4, size),
            (format!("bytes={}-{}", size - 1, size * 2), size - 1, size),
        ] {
            let response = ask("range", range).await.unwrap();
            assert_eq!(response.status(), 206);
            assert_eq!(
                header(&response, "content-range"),
                format!("bytes {from}-{}/{size}", to - 1)
            );
            assert_eq!(header(&response, "content-length"), (to - from).to_string());
            assert_eq!(response.bytes().await.unwrap(), content[from..to]);
        }
        let response = ask("range", format!("bytes={size}-")).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), header(&response, "content-range")),
            (416, &*format!("bytes */{size}"))
        );
        let etag = header(&server.get(&url).await, "etag").to_owned();
        assert_eq!(ask("if-none-match", etag.clone()).await.unwrap().status(), 304);
        for (condition, status) in [(etag, 206), ("\"other\"".into(), 200)] {
            let request = server
                .request(Method::GET, &url)
                .header("range", "bytes=1-")
                .header("if-range", condition);
            assert_eq!(request.send().await.unwrap().status(), status);
        }
    }
}

#[tokio::test]
async fn head_returns_the_headers_of_get_without_a_body() {
    let root = root();
    let server = root.serve(&[]);
    let small = cached(&server, "/acme/r/resolve/main/small.txt").await;
    let large = server.link("/acme/r/resolve/main/dir/model.bin").await;
    for url in [
        "/",
        "/api/models",
        "/api/models/acme/r",
        "/api/models/acme/r/tree/main",
        "/api/models/acme/r/refs",
        "/api/models/acme/r/commits/main",
        "/acme/r/resolve/main/small.txt",
        "/acme/r/resolve/main/none",
        "/api/whoami-v2",
        "/nowhere",
        &small,
        &large,
    ] {
        let get = server.get(url).await;
        let head = server.request(Method::HEAD, url).send().await.unwrap();
        assert_eq!(get.status(), head.status(), "{url}");
        let names = [
            "content-type",
            "etag",
            "x-repo-commit",
            "x-error-code",
            "x-linked-size",
            "content-length",
        ];
        for name in names {
            assert_eq!(header(&get, name), header(&head, name), "{url} {name}");
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{url}");
    }
}

#[tokio::test]
async fn compresses_json_but_not_file_bodies() {
    let root = root();
    let server = root.serve(&["--direct"]);
    for (url, encoding) in
        [("/acme/r/resolve/main/data.json", ""), ("/api/models/acme/r?blobs=true", "gzip")]
    {
        let response = server
            .request(Method::GET, url)
            .header("accept-encoding", "gzip")
            .send()
            .await
            .unwrap();
        assert_eq!(header(&response, "content-encoding"), encoding, "{url}");
        let response = server
            .request(Method::GET, url)
            .header("accept-encoding", "identity")
            .send()
            .await
            .unwrap();
        assert_eq!(header(&response, "content-encoding"), "", "{url}");
    }
    let page = server.get("/acme/r/resolve/main/page.html").await;
    assert_eq!(header(&page, "content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn links_expire_cannot_be_forged_and_reject_tokens() {
    let root = root();
    let server = root.serve(&["--link-ttl", "0"]);
    let link = server.link("/acme/r/resolve/main/dir/model.bin").await;
    let response = server.get(&link).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "content-type")),
        (403, "application/xml")
    );
    assert!(response.text().await.unwrap().contains("<Message>Request has expired</Message>"));
    drop(server);

    let server = root.serve(&[]);
    let link = server.link("/acme/r/resolve/main/dir/model.bin").await;
    for (forged, status) in [
        (link.replace("model.bin", "other.bin"), 403),
        (link.replace("Signature=", "Signature=00"), 403),
        (link.replace("Expires=", "Expires=9"), 403),
        (link.split('?').next().unwrap().to_owned(), 403),
        (format!("{}/lfs/../../users.json", server.cdn), 404),
        (format!("{}/lfs/x", server.cdn), 404),
        (format!("{}/", server.cdn), 404),
    ] {
        assert_eq!(server.get(&forged).await.status(), status, "{forged}");
    }
    assert_eq!(server.get_as(TOKEN, &link).await.status(), 400);
    assert_eq!(server.request(Method::PUT, &link).send().await.unwrap().status(), 405);
    assert_eq!(server.get(&link).await.status(), 200);
}

#[tokio::test]
async fn errors_differ_by_status_code_and_message() {
    let root = root();
    let server = root.serve(&[]);
    let page = "Sorry, we can't find the page you are looking for.";
    let bad_login = "Invalid username or password.";
    for (token, path, status, code, message) in [
        ("", "/acme/r/resolve/main/none", 404, "EntryNotFound", "Entry not found"),
        ("", "/acme/r/resolve/main/dir", 404, "EntryNotFound", "Entry not found"),
        ("", "/acme/r/resolve/none/small.txt", 404, "RevisionNotFound", "Invalid rev id: none"),
        ("", "/api/models/acme/r/tree/main~1", 404, "RevisionNotFound", "Invalid rev id: main~1"),
        ("", "/api/models/acme/r/tree/main/none", 404, "EntryNotFound", "Entry not found"),
        ("", "/api/models/acme/none", 401, "RepoNotFound", bad_login),
        ("", "/api/models/acme/hidden", 401, "RepoNotFound", bad_login),
        ("", "/acme/hidden/resolve/main/a", 401, "RepoNotFound", bad_login),
        (TOKEN, "/api/models/acme/none", 404, "RepoNotFound", "Repository not found"),
        (TOKEN, "/acme/hidden/resolve/main/a", 404, "RepoNotFound", "Repository not found"),
        ("bad", "/api/models/acme/r", 401, "", "Invalid credentials in Authorization header"),
        ("", "/api/whoami-v2", 401, "", bad_login),
        ("", "/api/models/acme/closed", 403, "", "Access to this resource is disabled."),
        ("", "/nowhere", 404, "", page),
        ("", "/api/agent-harnesses", 404, "", page),
        ("", "/_test/requests", 404, "", page),
    ] {
        let response = if token.is_empty() {
            server.get(path).await
        } else {
            server.get_as(token, path).await
        };
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(header(&response, "x-error-code"), code, "{path}");
        assert_eq!(header(&response, "x-error-message"), message, "{path}");
        assert_eq!(
            header(&response, "x-repo-commit").is_empty(),
            code != "EntryNotFound",
            "{path}"
        );
        assert_eq!(header(&response, "www-authenticate").is_empty(), status != 401, "{path}");
        assert_eq!(response.json::<Value>().await.unwrap(), json!({ "error": message }), "{path}");
    }
}

#[tokio::test]
async fn gated_files_require_access() {
    let root = root();
    let server = root.serve(&[]);
    let file = "/acme/gated/resolve/main/a";
    let said = async |token: &str| {
        let request = server.request(Method::GET, file);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let response = request.send().await.unwrap();
        assert_eq!(header(&response, "x-error-code"), "GatedRepo");
        (response.status().as_u16(), header(&response, "x-error-message").to_owned())
    };
    let (status, message) = said("").await;
    assert!(status == 401 && message.ends_with("Please log in."), "{message}");
    let (status, message) = said(TOKEN).await;
    assert!(status == 403 && message.ends_with("/acme/gated to ask for access."), "{message}");
    for (command, ending) in [
        ("request", "model acme/gated is awaiting a review from the repo authors."),
        ("reject", "model acme/gated has been rejected by the repo's authors."),
    ] {
        root.run(&["repo", command, "acme/gated", "ann"]);
        let (status, message) = said(TOKEN).await;
        assert!(status == 403 && message.ends_with(ending), "{message}");
    }
    assert_eq!(server.json("/api/models/acme/gated").await["gated"], "manual");
    root.run(&["repo", "grant", "acme/gated", "ann"]);
    assert_eq!(server.get_as(TOKEN, file).await.status(), 307);
    root.run(&["user", "add", "ann", "--token", "hf_fine", "--role", "fine-grained"]);
    let (status, message) = said("hf_fine").await;
    assert!(status == 403 && message.contains("in your fine-grained token settings"), "{message}");
    let gated = ["--token", "hf_gated", "--role", "fine-grained", "--gated-repos"];
    root.run(&[&["user", "add", "ann"], &gated[..]].concat());
    assert_eq!(server.get_as("hf_gated", file).await.status(), 307);
}

#[tokio::test]
async fn whoami_returns_the_user_and_the_permissions_of_a_token() {
    let root = root();
    let server = root.serve(&[]);
    let fine = ["--role", "fine-grained", "--scope", "acme=repo.content.read,discussion.write"];
    let add = ["user", "add", "bob", "--org", "acme:read", "--org", "lab:admin"];
    let named = ["--token", "hf_bob", "--token-name", "Bob's laptop"];
    root.run(&[&add[..], &named, &fine].concat());
    let me: Value = server.get_as("hf_bob", "/api/whoami-v2").await.json().await.unwrap();
    let roles: Vec<_> =
        me["orgs"].as_array().unwrap().iter().map(|org| &org["roleInOrg"]).collect();
    assert_eq!((me["name"].as_str(), roles), (Some("bob"), vec![&json!("read"), &json!("admin")]));
    let token = &me["auth"]["accessToken"];
    assert_eq!(
        (&token["displayName"], &token["role"]),
        (&json!("Bob's laptop"), &json!("fineGrained"))
    );
    assert_eq!(
        token["fineGrained"]["scoped"][0]["permissions"],
        json!(["repo.content.read", "discussion.write"])
    );
    assert_eq!(token["fineGrained"]["scoped"][0]["entity"]["name"], "acme");
    assert_eq!(server.get_as("hf_bob", "/api/models/acme/hidden").await.status(), 200);
    let check = server.get_as("hf_bob", "/api/models/acme/r/auth-check/write").await;
    assert_eq!(check.status(), 403);
}

#[tokio::test]
async fn a_device_login_is_approved_by_its_code() {
    let root = root();
    let server = root.serve(&[]);
    let post = async |path: &str, form: &[(&str, &str)]| {
        let text = form.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&");
        let response = server.request(Method::POST, path).body(text).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let client = ("client_id", "me");
    let begin = async || post("/oauth/device", &[client]).await.1;
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let (status, refused) = post("/oauth/device", &[]).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_client")));

    let codes = begin().await;
    let device = ("device_code", codes["device_code"].as_str().unwrap());
    let (status, waiting) = post("/oauth/token", &[client, grant, device]).await;
    assert_eq!((status, &waiting["error"]), (400, &json!("authorization_pending")));
    root.run(&["user", "approve", codes["user_code"].as_str().unwrap(), "ann"]);
    let (status, first) = post("/oauth/token", &[client, grant, device]).await;
    assert_eq!((status, &first["token_type"]), (200, &json!("bearer")));
    let token = first["access_token"].as_str().unwrap();
    let me: Value = server.get_as(token, "/api/whoami-v2").await.json().await.unwrap();
    assert_eq!((&me["name"], &me["auth"]["type"]), (&json!("ann"), &json!("oauth")));
    assert_eq!(post("/oauth/token", &[client, grant, device]).await.1["error"], "expired_token");

    let again = ("grant_type", "refresh_token");
    let old = ("refresh_token", first["refresh_token"].as_str().unwrap());
    let (status, second) = post("/oauth/token", &[client, again, old]).await;
    assert_eq!(status, 200);
    assert_eq!(server.get_as(token, "/api/whoami-v2").await.status(), 401);
    let token = second["access_token"].as_str().unwrap();
    assert_eq!(server.get_as(token, "/api/whoami-v2").await.status(), 200);
    assert_eq!(post("/oauth/token", &[client, again, old]).await.1["error"], "invalid_grant");

    let codes = begin().await;
    let device = ("device_code", codes["device_code"].as_str().unwrap());
    root.run(&["user", "deny", codes["user_code"].as_str().unwrap()]);
    assert_eq!(post("/oauth/token", &[client, grant, device]).await.1["error"], "access_denied");
    assert_eq!(server.get("/oauth/device").await.status(), 200);
}

#[tokio::test]
async fn a_ci_job_exchanges_its_identity_for_a_token() {
    let root = root();
    let server = root.serve(&[]);
    let trade = async |identity: &str| {
        let body = json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": identity,
            "resource": "acme/r",
        });
        let request = server.request(Method::POST, "/oauth/token").json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(trade("nobody").await["error"], "invalid_grant");
    let token = trade(TOKEN).await;
    assert_eq!(token["expires_in"], 3600);
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(server.get_as(token, "/api/whoami-v2").await.status(), 200);
}

#[tokio::test]
async fn old_names_redirect_and_keep_the_rest_of_the_url() {
    let root = root();
    let server = root.serve(&[]);
    for (path, location) in [
        ("/api/models/acme/old", "/api/models/acme/new"),
        (
            "/api/models/acme/old/tree/main/d%2Fe?recursive=true",
            "/api/models/acme/new/tree/main/d%2Fe?recursive=true",
        ),
        ("/acme/old/resolve/refs%2Fpr%2F1/x", "/acme/new/resolve/refs%2Fpr%2F1/x"),
        ("/api/models/ACME/New", "/api/models/acme/new"),
        ("/Acme/new/resolve/main/x?a=b", "/acme/new/resolve/main/x?a=b"),
    ] {
        let response = server.get(path).await;
        assert_eq!((response.status().as_u16(), header(&response, "location")), (307, location));
    }
    root.run(&["repo", "set", "acme/new", "--private"]);
    assert_eq!(server.get("/api/models/acme/old").await.status(), 401);
    assert_eq!(server.get("/api/models/ACME/New").await.status(), 401);
}

#[tokio::test]
async fn all_pages_of_a_listing_are_of_the_same_commit() {
    let root = Root::new();
    let names = (0..9).map(|n| format!("f{n}")).collect::<Vec<_>>();
    let files = names.iter().map(|name| (name.as_str(), SMALL)).collect::<Vec<_>>();
    root.import("acme/r", &files, &[]);
    let server = root.serve(&["--page-size", "4"]);

    let mut url = "/api/models/acme/r/tree/main?recursive=true&expand=false".to_owned();
    let mut pages = Vec::new();
    loop {
        let response = server.get(&url).await;
        let next = header(&response, "link").to_owned();
        pages.push(response.json::<Vec<Value>>().await.unwrap().len());
        // Later changes must not shift the pages.
        root.import("acme/r", &[("x", b"1")], &[]);
        match next.strip_suffix(">; rel=\"next\"") {
            Some(next) => next.strip_prefix('<').unwrap().clone_into(&mut url),
            None => break,
        }
        assert!(url.starts_with(&server.endpoint), "{url}");
    }
    assert_eq!(pages, [4, 4, 2]);

    let response = server.get("/api/models/acme/r/commits/main?limit=2").await;
    assert_eq!(header(&response, "x-total-count"), "3");
    assert!(header(&response, "link").contains("p=1"));
    assert_eq!(server.get("/api/models/acme/r/tree/main?cursor=x").await.status(), 400);
}

#[tokio::test]
async fn paths_are_requested_as_form_or_json() {
    let root = root();
    let server = root.serve(&[]);
    let post = || server.request(Method::POST, "/api/models/acme/r/paths-info/main");
    let form = post()
        .header("content-type", "application/x-www-form-urlencoded")
        .body("paths=small.txt&paths=none&paths=dir");
    let names =
        |entries: Vec<Value>| entries.iter().map(|entry| entry["path"].clone()).collect::<Vec<_>>();
    assert_eq!(names(form.send().await.unwrap().json().await.unwrap()), ["small.txt", "dir"]);
    let expanded =
        post().json(&json!({ "paths": "dir/model.bin", "expand": true })).send().await.unwrap();
    let expanded: Vec<Value> = expanded.json().await.unwrap();
    assert_eq!(
        (&expanded[0]["size"], &expanded[0]["lastCommit"]["title"]),
        (&json!(2_000_003), &json!("Import"))
    );
    assert_eq!(
        post().header("content-type", "application/json").body("{").send().await.unwrap().status(),
        400
    );
    let head = "POST /api/models/acme/r/paths-info/main HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n";
    assert!(server.raw(head.as_bytes()).starts_with("HTTP/1.1 413 "));
    assert_eq!(server.get("/api/models/acme/r/paths-info/main").await.status(), 405);
}

#[tokio::test]
async fn returns_the_trace_id_of_the_client() {
    let root = Root::new();
    let server = root.serve(&[]);
    let response = server
        .request(Method::GET, "/nowhere")
        .header("x-amzn-trace-id", "abc")
        .send()
        .await
        .unwrap();
    let id = header(&response, "x-request-id");
    assert!(id.starts_with("Root=1-") && id.ends_with(";abc"), "{id}");
}

#[tokio::test]
async fn rejects_hostile_requests_and_stays_available() {
    let root = root();
    let server = root.serve(&[]);
    for path in [
        "/../../../../etc/passwd",
        "/acme/r/resolve/main/../../../../../../etc/passwd",
        "/acme/r/resolve/main/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/acme/r/resolve/..%2f..%2f..%2fHEAD/x",
        "/acme/r/resolve/refs%2F..%2F..%2FHEAD/x",
        "/..%2f..%2fmodels/acme/r/resolve/main/small.txt",
        "/acme/r/resolve/main/small.txt%00.png",
        "/acme/r/resolve/main%00/small.txt",
        "/acme/r/resolve/HEAD~1/small.txt",
        "/acme/r/resolve/refs%2FHEAD/small.txt",
        "/acme/r/resolve/main@%7B0%7D/small.txt",
        "/acme/r/resolve/main/%ff%fe",
        "/acme/r/resolve/main//small.txt",
        "/acme/r/resolve/main/./small.txt",
        "/acme/r/resolve/main/dir%5Cmodel.bin",
        "/acme/r.git/resolve/main/small.txt",
        "/acme/r.git.json",
        "/api/kernels/acme/r",
        "/api/models/acme%2Fr",
        "/api/resolve-cache/models/acme/r/main/small.txt",
        "//acme//r",
        "/%",
    ] {
        let status = server.raw_status(path);
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    for bytes in [
        b"GARBAGE\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 2 << 20], b"\r\n\r\n".to_vec()].concat(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500)).into_bytes(),
        b"POST /api/models/acme/r/paths-info/main HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
    ] {
        let answer = server.raw(&bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let odd = cached(&server, "/acme/r/resolve/main/dir/a%20b%23%3F.txt").await;
    assert_eq!(server.get(&odd).await.text().await.unwrap(), "odd");
    assert_eq!(
        server.request(Method::DELETE, "/api/models/acme/r").send().await.unwrap().status(),
        405
    );
}

#[tokio::test]
async fn a_users_overview_counts_the_repositories_that_the_caller_may_see() {
    let root = root();
    root.run(&["user", "add", "eve", "--token", "hf_eve", "--org", "club"]);
    root.import("eve/one", &[("a", b"1")], &[]);
    root.import("eve/secret", &[("a", b"1")], &["--private"]);
    let server = root.serve(&[]);
    let overview = server.json("/api/users/eve/overview").await;
    assert_eq!(overview["user"], "eve");
    assert_eq!(overview["orgs"][0]["name"], "club");
    assert_eq!((&overview["numModels"], &overview["numDatasets"]), (&json!(1), &json!(0)));
    assert_eq!(server.get("/api/users/nobody/overview").await.status(), 404);
}
