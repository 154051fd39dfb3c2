//! Responses to a commit.

use super::*;

async fn committing(answer: Value) -> (Server, Result<Report>) {
    let server = Server::answering(move |head| match head {
        _ if head.contains("/preupload/") => judged("regular", "a.txt"),
        _ if head.contains("/commit/main") => ok(&answer),
        _ if head.contains("/commits/main") => ok(&json!([{ "id": OLD, "title": "Before" }])),
        _ => reply("404 Not Found", "", b""),
    })
    .await;
    let result = create(&hub(&server), vec![add("a.txt", b"hi")]).await;
    (server, result)
}

#[tokio::test]
async fn an_error_with_status_200_keeps_its_reason_and_is_not_retried() {
    let answer = json!({ "success": false, "error": "hook refused" });
    let (server, result) = committing(answer.clone()).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(error.message(), "the Hub rejected the commit: hook refused");
    assert_eq!(error.details(), Some(&answer));
    assert_eq!(asked(&server.requests(), "/commit/").len(), 1);
    assert!(asked(&server.requests(), "/commits/").is_empty());
}

#[tokio::test]
async fn drops_invalid_ids_and_urls() {
    let (server, result) =
        committing(json!({ "commitOid": NEW, "commitUrl": "javascript:alert(1)" })).await;
    let info = result.unwrap().last.unwrap();
    assert_eq!(info.commit_url, format!("{}/org/name/commit/{NEW}", server.url));

    let (_server, result) = committing(json!({ "commitOid": "../../x" })).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(error.message().starts_with("the Hub returned an invalid commit id"), "{error}");
}

#[tokio::test]
async fn an_invalid_head_is_an_error_when_nothing_is_committed() {
    let server = Server::answering(|head| match head {
        _ if head.contains("/tree/main") => ok(&json!([])),
        _ => ok(&json!({ "sha": "../../x" })),
    })
    .await;
    let none = vec![Operation::DeleteMatching(vec!["*.log".to_owned()])];
    let error = create(&hub(&server), none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn shows_the_message_of_an_unexpected_response() {
    let server = Server::answering(|_| ok(&json!({ "error": "maintenance until noon" }))).await;
    let error = create(&hub(&server), vec![add("a.txt", b"hi")]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(error.message().contains(": \"maintenance until noon\""), "{error}");
}
