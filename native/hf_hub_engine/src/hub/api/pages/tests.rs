//! Lists whose links name the endpoint, name another host, form a cycle, or never end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::*;
use crate::{
    hub::token::Token,
    testing::{self, Server, reply},
};

fn link(target: &str) -> String {
    format!("link: <{target}>; rel=\"next\"\r\n")
}

async fn read(hub: &Hub, limits: Limits) -> Result<Vec<String>> {
    let (mut pages, mut bodies) = (Pages::new(limits), Vec::new());
    let mut first = Call::get(hub.url("api/list"));
    first.headers.insert("x-own", "hf_CANARY".parse().unwrap());
    while let Some(page) = pages.next(hub, &first, &Progress::default()).await? {
        bodies.push(String::from_utf8_lossy(&page.body).into_owned());
    }
    Ok(bodies)
}

fn hub(server: &Server) -> Hub {
    let hub = testing::hub(&server.url);
    Hub { token: Some(Token::new("hf_CANARY").unwrap()), retry: hub.retry.once(), ..hub }
}

/// The second and third page of a list.
async fn public() -> Server {
    Server::answering(|request| {
        if request.contains("cursor=2") {
            reply("200 OK", &link("/api/list?cursor=3"), b"2")
        } else {
            reply("200 OK", "", b"3")
        }
    })
    .await
}

#[test]
fn a_link_is_mapped_to_the_endpoint_with_one_prefix() {
    let hub = testing::hub("https://mirror.example/hf");
    for (sent, home) in [
        ("https://huggingface.co/api/x?cursor=2", "https://mirror.example/hf/api/x?cursor=2"),
        ("https://huggingface.co/hf/api/x?cursor=2", "https://mirror.example/hf/api/x?cursor=2"),
        ("https://huggingface.co/hfx/api", "https://mirror.example/hf/hfx/api"),
        ("https://mirror.example/hf/api/x", "https://mirror.example/hf/api/x"),
    ] {
        assert_eq!(hub.at_home(&sent.parse().unwrap()).as_str(), home, "{sent}");
    }
}

#[test]
fn reads_links_in_every_spelling() {
    let base: Url = "https://hub.example/api/x".parse().unwrap();
    let spellings =
        ["rel=next", "rel=\"next\"", "Rel = 'NEXT'", "rel=\"last next\"", "title=\"a\"; rel=next"];
    for spelling in spellings {
        let found = next_link(&format!("</b>; {spelling}"), &base);
        assert_eq!(found.unwrap().as_str(), "https://hub.example/b", "{spelling}");
    }
    for other in ["rel=nextish", "rev=next", "title=next", "next", "rel=prev"] {
        assert!(next_link(&format!("</b>; {other}"), &base).is_none(), "{other}");
    }
    let odd = "<https://x/>; rel=\"prev\", </t?cursor=a,b;c>; rel=\"next\"";
    assert_eq!(next_link(odd, &base).unwrap().query(), Some("cursor=a,b;c"));
}

#[test]
fn reads_a_link_from_any_of_several_headers() {
    let mut headers = HeaderMap::new();
    headers.append(LINK, "</a>; rel=prev".parse().unwrap());
    headers.append(LINK, "</b>; rel=next".parse().unwrap());
    let hub = testing::hub("https://hub.example");
    let next = hub.next_page(&headers, &hub.url("api/x")).unwrap();
    assert_eq!(next, Next { home: hub.url("b"), sent: None });
}

#[tokio::test]
async fn follows_a_link_as_sent_without_the_token_when_the_mirror_does_not_serve_it() {
    let public = public().await;
    let next = link(&format!("{}/api/list?cursor=2", public.url));
    let mirror = Server::answering(move |request| {
        if request.contains("cursor") {
            reply("404 Not Found", "", b"")
        } else {
            reply("200 OK", &next, b"1")
        }
    })
    .await;
    assert_eq!(read(&hub(&mirror), Limits::STANDARD).await.unwrap(), ["1", "2", "3"]);
    assert!(mirror.requests().iter().all(|request| request.contains("hf_canary")));
    assert!(public.requests().iter().all(|request| !request.contains("hf_canary")));
    // The mirror is asked once: afterwards it is known that its links name another host.
    assert_eq!((mirror.requests().len(), public.requests().len()), (2, 2));
}

#[tokio::test]
async fn rejects_a_mirror_that_repeats_its_first_page() {
    let public = public().await;
    let next = link(&format!("{}/api/list?cursor=2", public.url));
    let mirror = Server::answering(move |_| reply("200 OK", &next, b"1")).await;
    assert_eq!(read(&hub(&mirror), Limits::STANDARD).await.unwrap(), ["1", "2", "3"]);

    let mirror = Server::answering(|_| reply("200 OK", &link("/api/list?cursor=2"), b"1")).await;
    let error = read(&hub(&mirror), Limits::STANDARD).await.unwrap_err();
    assert_eq!((error.kind(), mirror.requests().len()), (ErrorKind::InvalidResponse, 2));
    assert!(
        error.message().contains("/api/list does not end: a page links to an earlier one"),
        "{error}"
    );
}

#[tokio::test]
async fn rejects_a_page_of_another_host_that_links_back() {
    let public = Server::answering(|_| reply("200 OK", &link("/api/list?cursor=2"), b"2")).await;
    let next = link(&format!("{}/api/list?cursor=2", public.url));
    let mirror = Server::answering(move |_| reply("200 OK", &next, b"1")).await;
    let error = read(&hub(&mirror), Limits::STANDARD).await.unwrap_err();
    assert!(error.message().contains("does not end"), "{error}");
    assert_eq!(public.requests().len(), 1);
}

#[tokio::test]
async fn stops_an_endless_list_at_its_limits() {
    for (limits, words) in [
        (Limits { pages: 3, ..Limits::STANDARD }, "too many pages"),
        (Limits { bytes: 12, ..Limits::STANDARD }, "too many bytes"),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let server = Server::answering(move |_| {
            let page = count.fetch_add(1, Relaxed);
            reply("200 OK", &link(&format!("/api/list?cursor={page}")), b"[1,2]")
        })
        .await;
        let error = read(&hub(&server), limits).await.unwrap_err();
        assert!(error.message().contains(words), "{error}");
        assert_eq!(server.requests().len(), 3);
    }
}
