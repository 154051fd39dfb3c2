//! URLs, origins and who may see a token.

use super::*;
use crate::{names::RepoType, testing};

#[test]
fn urls_are_encoded_by_segment_and_keep_the_endpoints_path() {
    let hub = testing::hub("https://host.example/hf/");
    let repo = Repo::new(RepoType::Dataset, "org/name").unwrap();
    let url = hub.file_url(
        &repo,
        &Revision::parse("refs/pr/1").unwrap(),
        &EntryPath::parse("a b/run[1]/ü#?%.txt").unwrap(),
    );
    let expected = "https://host.example/hf/datasets/org/name/resolve/refs%2Fpr%2F1/a%20b/run%5B1%5D/%C3%BC%23%3F%25.txt";
    assert_eq!(url.as_str(), expected);
    assert_eq!(
        hub.api_url(&repo, "tree/main").as_str(),
        "https://host.example/hf/api/datasets/org/name/tree/main"
    );
}

#[test]
fn only_the_endpoints_origin_owns_a_url() {
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
fn only_https_and_this_machine_are_private() {
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

#[tokio::test]
async fn a_token_is_not_shown_to_a_network() {
    let hub = testing::hub("http://hub.example");
    let hub = Hub { token: Some(Token::new("hf_CANARY").unwrap()), ..hub };
    let error = hub.get(hub.endpoint.clone(), Span::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().contains("plain http") && !error.message().contains("CANARY"));
}

#[test]
fn redirects_lead_to_http_and_never_out_of_https() {
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
