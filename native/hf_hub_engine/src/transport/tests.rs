//! The mapping of responses to kinds, and the formats of a pause.

use super::*;
use reqwest::header::HeaderValue;

fn kind(url: &str, status: u16, headers: &[(&'static str, &'static str)]) -> ErrorKind {
    let headers = headers
        .iter()
        .map(|(name, value)| (header_name(name), HeaderValue::from_static(value)))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    kind_of(&url.parse().unwrap(), &rejection(status, headers, b"", Some("Bearer hf_CANARY")))
}

fn rejection(
    status: StatusCode,
    headers: HeaderMap,
    body: &'static [u8],
    sent: Option<&'static str>,
) -> ErrorResponse {
    let sent = sent.map(HeaderValue::from_static);
    ErrorResponse { status, headers, body: Bytes::from_static(body), sent }
}

#[test]
fn error_messages_are_one_line_without_the_token() {
    let body = b"{\"error\": \"no such token:\\n\\u001b[31mhf_CANARY\"}";
    let rejection =
        rejection(StatusCode::FORBIDDEN, HeaderMap::new(), body, Some("Bearer hf_CANARY"));
    assert_eq!(rejection.words().as_deref(), Some("no such token:  [31m(the token)"));
    let rejection = rejection.without_token();
    assert_eq!(rejection.details().unwrap()["error"], "no such token:\n\u{1b}[31m(the token)");
}

#[test]
fn error_messages_may_be_texts_objects_or_lists() {
    for body in [
        &b"{\"error\": \"too long\"}"[..],
        b"{\"error\": {\"message\": \"too long\", \"type\": \"x\"}}",
        b"{\"error\": [\"too long\"]}",
        b"{\"errors\": [{\"message\": \"too long\"}]}",
    ] {
        let rejection = rejection(StatusCode::BAD_REQUEST, HeaderMap::new(), body, None);
        assert_eq!(rejection.words().as_deref(), Some("too long"));
    }
}

#[test]
fn distinguishes_a_missing_token_from_a_rejected_one() {
    let who = "http://127.0.0.1/api/whoami-v2".parse().unwrap();
    let asked =
        |sent| kind_of(&who, &rejection(StatusCode::UNAUTHORIZED, HeaderMap::new(), b"", sent));
    assert_eq!(asked(None), ErrorKind::NoToken);
    assert_eq!(asked(Some("Bearer hf_CANARY")), ErrorKind::Unauthorized);
}

#[test]
fn maps_responses_to_kinds() {
    let file = "http://127.0.0.1/a/b/resolve/main/x";
    let api = "http://127.0.0.1/api/models/a/b";
    let who = "http://127.0.0.1/api/whoami-v2";
    let code = |code| [("x-error-code", code)];
    assert_eq!(kind(file, 404, &code("EntryNotFound")), ErrorKind::EntryNotFound);
    assert_eq!(kind(file, 404, &code("RevisionNotFound")), ErrorKind::RevisionNotFound);
    assert_eq!(kind(file, 401, &code("GatedRepo")), ErrorKind::GatedRepo);
    assert_eq!(kind(file, 403, &code("GatedRepo")), ErrorKind::GatedRepo);
    let waiting = "Your request to access model a/b is awaiting a review from the repo authors.";
    let pending = [("x-error-code", "GatedRepo"), ("x-error-message", waiting)];
    assert_eq!(kind(file, 403, &pending), ErrorKind::GatedPending);
    assert_eq!(kind(file, 404, &code("RepoNotFound")), ErrorKind::RepoNotFound);
    assert_eq!(kind(file, 401, &[]), ErrorKind::RepoNotFound);
    assert_eq!(
        kind(api, 401, &[("x-error-message", "Invalid username or password.")]),
        ErrorKind::RepoNotFound
    );
    let bad = [("x-error-message", "Invalid credentials in Authorization header")];
    assert_eq!(kind(api, 401, &bad), ErrorKind::Unauthorized);
    assert_eq!(kind(who, 401, &[]), ErrorKind::Unauthorized);
    let quota = "http://127.0.0.1/api/spaces/zero-gpu/quota";
    assert_eq!(kind(quota, 401, &[]), ErrorKind::Unauthorized);
    let disabled = [("x-error-message", "Access to this resource is disabled.")];
    assert_eq!(kind(file, 403, &disabled), ErrorKind::DisabledRepo);
    assert_eq!(kind(file, 403, &[]), ErrorKind::Forbidden);
    assert_eq!(kind(file, 404, &[]), ErrorKind::NotFound);
    for (status, expected) in [
        (400, ErrorKind::BadRequest),
        (422, ErrorKind::BadRequest),
        (409, ErrorKind::Conflict),
        (412, ErrorKind::Precondition),
        (429, ErrorKind::RateLimited),
        (503, ErrorKind::Server),
        (416, ErrorKind::Http),
    ] {
        assert_eq!(kind(who, status, &[]), expected);
    }
}

#[test]
fn content_host_errors_are_about_the_link() {
    let expired = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message>\
                   <X-Amz-Expires>60</X-Amz-Expires><HostId>secret</HostId></Error>";
    let azure = "\u{feff}<Error><Code>AuthenticationFailed</Code><Message>Signature &lt;x&gt;\nnot valid</Message></Error>";
    let plain: &[_] = &[("content-type", "text/plain; charset=utf-8")];
    let json = "{\"message\": \"Upload size exceeds the limit\"}";
    for (status, headers, body, kind, said) in [
        (
            403,
            &[][..],
            expired,
            ErrorKind::Forbidden,
            "signed link: Request has expired (AccessDenied)",
        ),
        (401, &[], azure, ErrorKind::Forbidden, "Signature <x> not valid (AuthenticationFailed)"),
        (404, &[], "<Error><Code>NoSuchKey</Code></Error>", ErrorKind::NotFound, "link: NoSuchKey"),
        (400, plain, "Bad digest\n", ErrorKind::BadRequest, "link: Bad digest"),
        (400, &[], json, ErrorKind::BadRequest, "link: Upload size exceeds the limit"),
        (403, &[], "<html><body>Blocked</body></html>", ErrorKind::Forbidden, "403 Forbidden"),
        (403, &[("x-error-code", "GatedRepo")], "", ErrorKind::Forbidden, "403 Forbidden"),
        (410, &[], "", ErrorKind::Http, "410 Gone"),
        (503, &[], "<Error><Code>SlowDown</Code></Error>", ErrorKind::Server, "failed: SlowDown"),
    ] {
        let headers = headers
            .iter()
            .map(|(name, value)| (header_name(name), HeaderValue::from_static(value)))
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        let url = "https://lfs.example/x?X-Amz-Signature=abc".parse().unwrap();
        let error = refused_by_a_store(&url, &rejection(status, headers, body.as_bytes(), None));
        assert_eq!((error.kind(), error.status()), (kind, Some(status.as_u16())), "{error}");
        let message = error.message();
        assert!(message.starts_with("the content host lfs.example:443"), "{message}");
        assert!(message.contains(said) && !message.contains("token"), "{message}");
        assert!(!format!("{error:?}{:?}", error.details()).contains("secret"), "{error:?}");
    }
    let endless = format!("<Error><Message>{}</Message></Error>", "x".repeat(50_000));
    let refused =
        rejection(StatusCode::BAD_REQUEST, HeaderMap::new(), endless.leak().as_bytes(), None);
    assert_eq!(refused.words().unwrap().len(), 1000);
}

#[test]
fn reads_pauses_in_every_format() {
    let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").unwrap();
    let wait = |name: &'static str, value: &'static str| {
        let headers = [(header_name(name), HeaderValue::from_static(value))].into_iter().collect();
        announced_wait(&headers, now).map(|wait| wait.as_secs())
    };
    assert_eq!(wait("ratelimit", "\"api\";r=0;t=55"), Some(56));
    assert_eq!(wait("ratelimit", "\"api\";r=12;t=55"), None);
    assert_eq!(wait("retry-after", "7"), Some(8));
    assert_eq!(wait("retry-after", "Tue, 24 Nov 2026 10:00:30 GMT"), Some(31));
    assert_eq!(wait("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT"), Some(1));
    assert_eq!(wait("retry-after", "soon"), None);
    assert_eq!(wait("retry-after", "18446744073709551615"), Some(u64::MAX));
    assert_eq!(wait("ratelimit", "\"api\";r=0;t=18446744073709551615"), Some(u64::MAX));
}
