//! URLs, origins and which hosts receive the token.

use super::*;
use crate::{
    base::ids::RepoType,
    hub::api::Call,
    testing::{self, Server, reply},
    transport::{ClientConfig, ProxySetting},
};

#[test]
fn urls_are_encoded_by_segment_and_keep_the_endpoint_path() {
    let hub = testing::hub("https://host.example/hf/");
    let repo = Repo::new(RepoType::Dataset, "org/name").unwrap();
    let url = hub.file_url(&repo, &Revision::parse("refs/pr/1").unwrap(), "a b/run[1]/ü#?%.txt");
    let expected = "https://host.example/hf/datasets/org/name/resolve/refs%2Fpr%2F1/a%20b/run%5B1%5D/%C3%BC%23%3F%25.txt";
    assert_eq!(url.as_str(), expected);
    assert_eq!(
        hub.api_url(&repo, "tree/main").as_str(),
        "https://host.example/hf/api/datasets/org/name/tree/main"
    );
    let bucket = Repo::new(RepoType::Bucket, "org/name").unwrap();
    let url = hub.file_url(&bucket, &Revision::parse("main").unwrap(), "a b/c");
    assert_eq!(url.as_str(), "https://host.example/hf/buckets/org/name/resolve/a%20b/c");
    assert!(hub.is_in_bucket(&url) && !hub.is_in_bucket(&hub.api_url(&bucket, "tree")));
}

#[test]
fn only_the_endpoint_origin_owns_a_url() {
    let hub = testing::hub("https://huggingface.co");
    for (url, owned) in [
        ("https://huggingface.co/x", true),
        ("https://HUGGINGFACE.CO:443/x", true),
        ("http://huggingface.co/x", false),
        ("https://huggingface.co:8443/x", false),
        ("https://huggingface.co.evil.example/x", false),
        ("https://huggingface.co@evil.example/x", false),
    ] {
        assert_eq!(hub.owns(&url.parse().unwrap()), owned, "{url}");
    }
}

#[test]
fn only_https_and_loopback_are_private() {
    for (url, private) in [
        ("https://huggingface.co/x", true),
        ("http://127.0.0.1:8000", true),
        ("http://[::1]:8000", true),
        ("http://localhost", true),
        ("http://hub.localhost", true),
        ("http://huggingface.co", false),
        ("http://192.168.0.7", false),
        ("http://localhost.evil.example", false),
        ("http://127.0.0.1.evil.example", false),
    ] {
        assert_eq!(is_private(&url.parse().unwrap()), private, "{url}");
    }
}

/// A hub at another host name, reached through a proxy.
fn far_hub(server: &Server, allowed: &[&str]) -> Hub {
    let proxy = ProxySetting { url: server.url.clone(), source: "HTTP_PROXY".to_owned() };
    let proxy = ClientConfig { http_proxy: Some(proxy), ..ClientConfig::default() };
    let allowed: Vec<_> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
    Hub {
        client: Client::new(proxy),
        token: Some(Token::new("hf_CANARY").unwrap()),
        http_origins: Hub::parse_origins(&allowed).unwrap(),
        ..testing::hub("http://hub.lan:8080")
    }
}

#[tokio::test]
async fn a_read_request_goes_over_plain_http_without_the_token() {
    let server = Server::start([reply("200 OK", "", b"public"), reply("401 No", "", b"")]).await;
    let hub = far_hub(&server, &["http://hub.lan", "http://hub.lan:80", "http://lan:8080"]);
    assert!(hub.get(hub.url("a"), ByteRange::default()).await.is_ok());
    let error = hub.get(hub.url("api/whoami-v2"), ByteRange::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoToken);
    let error = crate::hub::hints::request(&hub, error);
    let said = error.message();
    let origin = "http://hub.lan:8080".to_owned();
    assert!(error.hints().contains(&Hint::AllowHttpToken { origin }), "{:?}", error.hints());
    assert!(said.contains("none was sent") && !said.contains("CANARY"), "{said}");
    assert!(server.requests().iter().all(|request| !request.contains("authorization")));
}

#[tokio::test]
async fn a_changing_request_is_not_sent_over_plain_http() {
    let server = Server::start([reply("200 OK", "", b"{}")]).await;
    let hub = far_hub(&server, &[]);
    let call = Call { method: Method::POST, ..Call::get(hub.url("api/x")) };
    let error = hub.exchange(&call, &Progress::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().contains("plain http") && !error.message().contains("CANARY"));
    assert!(server.requests().is_empty());
    let reads =
        Call { method: Method::POST, ..Call::get(hub.url("api/models/a/b/paths-info/main")) };
    assert!(hub.exchange(&reads, &Progress::default()).await.is_ok());

    // A secret in the body is protected as well.
    let hub = Hub { token: None, ..hub };
    let call = Call { secret: true, ..call };
    let error = hub.exchange(&call, &Progress::default()).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Unauthorized, 1));
}

#[tokio::test]
async fn an_allowed_origin_receives_the_token_over_plain_http() {
    let server = Server::start([reply("200 OK", "", b"{}")]).await;
    let hub = far_hub(&server, &["http://HUB.lan:8080/"]);
    let call = Call { method: Method::POST, ..Call::get(hub.url("api/x")) };
    assert!(hub.exchange(&call, &Progress::default()).await.is_ok());
    assert!(server.requests()[0].contains("authorization: bearer hf_canary"));
    for odd in ["hub.lan:8080", "hub.lan", "http://", "http://hub.lan/x", "*", "ftp://hub.lan"] {
        let error = Hub::parse_origins(&[odd.to_owned()]).unwrap_err();
        assert_eq!(error.hints(), [Hint::HttpOrigins], "{odd}");
    }
}

#[test]
fn follows_redirects_to_http_but_not_from_https() {
    let here: Url = "https://huggingface.co/a/b".parse().unwrap();
    let target = |location| target_of(&here, location).map(|url| url.to_string());
    assert_eq!(target(Some("/c?d=e")).unwrap(), "https://huggingface.co/c?d=e");
    assert_eq!(target(Some("//cdn.example/f")).unwrap(), "https://cdn.example/f");
    for bad in ["http://huggingface.co/a", "ftp://x/y", "file:///etc/passwd", "data:,x", "https://"]
    {
        assert_eq!(target(Some(bad)).unwrap_err().kind(), ErrorKind::InvalidResponse, "{bad}");
    }
    assert!(target(None).is_err());
}

#[test]
fn a_token_cannot_be_printed() {
    let token = Token::new("hf_CANARY").unwrap();
    assert!(!format!("{token:?}").contains("CANARY"));
    assert!(Token::new("a\nb").is_err());
}

async fn attempts(hub: &Hub) -> String {
    let call = Call::get(hub.url("api/whoami-v2"));
    let error = hub.exchange(&call, &Progress::default()).await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    error.message().split_once("; gave up after ").unwrap().1.to_owned()
}

#[tokio::test]
async fn a_server_that_is_not_reached_gets_one_retry_until_it_has_responded() {
    let refused = testing::hub(&testing::refusing().await);
    assert_eq!(attempts(&refused).await, "2 attempts");
    refused.answered.store(true, Relaxed);
    assert_eq!(attempts(&refused).await, "6 attempts");
}

/// Linux has no route for TCP to the broadcast address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_without_a_route_is_not_reached() {
    assert_eq!(attempts(&testing::hub("http://255.255.255.255:9")).await, "2 attempts");
}

#[tokio::test]
async fn a_response_with_an_error_status_counts_as_a_response() {
    let server = Server::start([reply("404 Not Found", "", b"")]).await;
    let hub = testing::hub(&server.url);
    assert!(!hub.has_answered());
    let call = Call::get(hub.url("api/x"));
    hub.exchange(&call, &Progress::default()).await.unwrap_err();
    assert!(hub.has_answered());
}
