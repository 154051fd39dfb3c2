//! Pages for browsers, and that other clients do not get them. The layout, and what a browser makes
//! of it, is checked by `browser.py`.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Root, Server, header};
use reqwest::{Method, Response};
use serde_json::json;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const ANN: &str = "hf_ann";

fn root() -> Root {
    let root = Root::new();
    root.run(&["user", "add", "ann", "--org", "acme", "--token", ANN]);
    root.import("acme/r", &[("README.md", b"# Hello"), ("d/a b.txt", b"text")], &[]);
    root.import("acme/secret", &[("README.md", b"a secret")], &["--private"]);
    root.import("acme/gated", &[("README.md", b"behind the gate")], &["--gated", "auto"]);
    root.import("acme/old", &[("a", b"1")], &[]);
    root.run(&["repo", "rename", "acme/old", "acme/new"]);
    root
}

async fn open(server: &Server, path: &str) -> Response {
    server.request(Method::GET, path).header("accept", BROWSER).send().await.unwrap()
}

async fn text(server: &Server, token: &str, path: &str) -> (u16, String) {
    let request = server.request(Method::GET, path).header("accept", BROWSER);
    let response = request.basic_auth("any", Some(token)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_browser_gets_pages_without_scripts() {
    let root = root();
    let server = root.serve(&[]);
    for (path, words) in [
        ("/", "acme/r"),
        ("/models", "acme/r"),
        ("/models?search=R&sort=id", "acme/r"),
        ("/datasets", "nothing here yet"),
        ("/acme", "Organization"),
        ("/ann", "Member of"),
        ("/acme/r", "<h1 id=\"user-content-hello\">Hello</h1>"),
        ("/acme/r/tree/main/d", "a b.txt"),
        ("/acme/r/blob/main/d/a%20b.txt", "<code>text</code>"),
        ("/acme/r/commits/main", "2 commits"),
        ("/acme/r/discussions", "no discussions yet"),
    ] {
        let response = open(&server, path).await;
        assert_eq!(response.status(), 200, "{path}");
        let policy = header(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
        assert!(policy.contains(&format!("img-src 'self' {};", server.cdn)), "{policy}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        let text = response.text().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
    for path in ["/acme/none", "/none", "/acme/r/blob/main/none", "/acme/r/tree/none", "/a/b/c"] {
        let response = open(&server, path).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(response.text().await.unwrap().contains("<h1>Page not found</h1>"), "{path}");
    }
    let moved = open(&server, "/acme/old/tree/main").await;
    assert_eq!((moved.status().as_u16(), header(&moved, "location")), (307, "/acme/new/tree/main"));
    let style = server.get("/-/style.css").await;
    assert_eq!(header(&style, "content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn other_clients_get_what_they_got_without_pages() {
    let root = root();
    let server = root.serve(&[]);
    for path in ["/models", "/acme/r", "/acme/r/tree/main", "/datasets", "/acme/r/discussions"] {
        for accept in ["*/*", "application/json", "application/vnd.git-lfs+json"] {
            let request = server.request(Method::GET, path).header("accept", accept);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 404, "{path} {accept}");
            assert_eq!(header(&response, "content-type"), "application/json; charset=utf-8");
        }
    }
    assert!(server.get("/").await.text().await.unwrap().starts_with("This is a Local Hub"));
    // What a browser downloads is not a page.
    for (path, status) in [
        ("/acme/r/resolve/main/README.md", 307),
        ("/acme/r/raw/main/README.md", 200),
        ("/api/models", 200),
        ("/api/models/acme/r", 200),
        ("/acme/r/info/refs?service=git-upload-pack", 200),
    ] {
        let response = open(&server, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(!header(&response, "content-type").contains("html"), "{path}");
    }
}

#[tokio::test]
async fn a_page_shows_what_its_reader_may_see() {
    let root = root();
    root.run(&["user", "add", "bob", "--token", "hf_bob"]);
    let server = root.serve(&[]);
    for path in ["/", "/models", "/acme", "/models?search=secret"] {
        let page = open(&server, path).await.text().await.unwrap();
        assert!(!page.contains("acme/secret"), "{path}: {page}");
        let (_, page) = text(&server, ANN, path).await;
        assert!(page.contains("acme/secret") && !page.contains(ANN), "{path}: {page}");
    }
    for path in ["/acme/secret", "/acme/secret/blob/main/README.md", "/acme/secret/commits/main"] {
        let (status, hidden) = text(&server, "hf_bob", path).await;
        assert!(status == 404 && !hidden.contains("a secret"), "{path}: {hidden}");
        let anonymous = open(&server, path).await;
        assert_eq!(anonymous.status(), 404);
        let login = format!("/login?next={}", path.replace('/', "%2F"));
        assert!(anonymous.text().await.unwrap().contains(&login), "{path}");
        assert_eq!(text(&server, ANN, path).await.0, 200, "{path}");
    }
    for path in ["/acme/gated", "/acme/gated/blob/main/README.md"] {
        let (status, page) = text(&server, "hf_bob", path).await;
        assert!(status == 200 && !page.contains("behind the gate"), "{page}");
        assert!(text(&server, ANN, path).await.1.contains("behind the gate"));
    }
}

#[tokio::test]
async fn a_login_asks_for_a_token_and_leads_back() {
    let root = root();
    let server = root.serve(&[]);
    let asked = open(&server, "/login?next=%2Facme%2Fsecret").await;
    assert_eq!(asked.status(), 401);
    assert!(header(&asked, "www-authenticate").starts_with("Basic "));
    let wrong = server.request(Method::GET, "/acme/secret").header("accept", BROWSER);
    let wrong = wrong.basic_auth("any", Some("hf_wrong")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(header(&wrong, "www-authenticate").starts_with("Basic "), "asks again");
    for (next, location) in [
        ("%2Facme%2Fsecret", "/acme/secret"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
    ] {
        let request = server.request(Method::GET, &format!("/login?next={next}"));
        let request = request.header("accept", BROWSER).basic_auth("any", Some(ANN));
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "location")), (303, location));
    }
    // A browser adds the password to requests of other sites, too; they have no rights.
    let password = format!("Basic {}", STANDARD.encode(format!("any:{ANN}")));
    for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = server.request(Method::POST, "/api/repos/create");
        let request = request.header("authorization", &password).header(name, value);
        let response = request.json(&json!({ "name": "x" })).send().await.unwrap();
        assert_eq!(response.status(), 401, "{name}");
    }
}
