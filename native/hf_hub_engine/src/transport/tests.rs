//! The map from answers to kinds, and the forms of a pause.

use super::*;
use reqwest::header::HeaderValue;

fn kind(url: &str, status: u16, headers: &[(&'static str, &'static str)]) -> ErrorKind {
    let headers = headers
        .iter()
        .map(|(name, value)| (header_name(name), HeaderValue::from_static(value)))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    kind_of(&url.parse().unwrap(), &Refusal { status, headers, body: Bytes::new() })
}

#[test]
fn answers_become_kinds() {
    let file = "http://127.0.0.1/a/b/resolve/main/x";
    let api = "http://127.0.0.1/api/models/a/b";
    let who = "http://127.0.0.1/api/whoami-v2";
    let code = |code| [("x-error-code", code)];
    assert_eq!(kind(file, 404, &code("EntryNotFound")), ErrorKind::EntryNotFound);
    assert_eq!(kind(file, 404, &code("RevisionNotFound")), ErrorKind::RevisionNotFound);
    assert_eq!(kind(file, 401, &code("GatedRepo")), ErrorKind::GatedRepo);
    assert_eq!(kind(file, 403, &code("GatedRepo")), ErrorKind::GatedRepo);
    assert_eq!(kind(file, 404, &code("RepoNotFound")), ErrorKind::RepoNotFound);
    assert_eq!(kind(file, 401, &[]), ErrorKind::RepoNotFound);
    assert_eq!(
        kind(api, 401, &[("x-error-message", "Invalid username or password.")]),
        ErrorKind::RepoNotFound
    );
    let bad = [("x-error-message", "Invalid credentials in Authorization header")];
    assert_eq!(kind(api, 401, &bad), ErrorKind::Unauthorized);
    assert_eq!(kind(who, 401, &[]), ErrorKind::Unauthorized);
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
fn no_proxy_may_name_ports() {
    assert_eq!(
        without_ports("a.example:8080, 10.0.0.0/8,::1,[::1]"),
        "a.example,10.0.0.0/8,::1,[::1]"
    );
    assert_eq!(without_password("http://me:secret@proxy:3128"), "http://proxy:3128/");
}

#[test]
fn pauses_are_read_in_every_form() {
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
