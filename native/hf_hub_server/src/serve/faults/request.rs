//! Faults that are applied before the routes see a request.

use std::time::Duration;

use async_stream::stream;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::header::{LOCATION, RANGE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;

use super::super::call::Manner;
use super::super::journal;
use super::super::listener::Connection;
use super::super::routes;
use super::body::throttle;
use super::replace;
use super::rule::Fault;

const BEYOND_THE_END: HeaderValue = HeaderValue::from_static("bytes=9223372036854775807-");

/// Changes the request, or responds to it.
pub(super) async fn apply(
    fault: Fault,
    request: &mut Request,
    connection: Option<&Connection>,
) -> Option<Response> {
    match fault {
        Fault::Hang => std::future::pending::<()>().await,
        Fault::HangUp => Connection::end(connection).await,
        Fault::DropRequest { after } => {
            let connection = connection.cloned();
            let body = std::mem::take(request.body_mut()).into_data_stream();
            *request.body_mut() = Body::from_stream(cut(body, after, connection));
        }
        Fault::ThrottleRequest { bytes_per_second } => {
            let body = std::mem::take(request.body_mut()).into_data_stream();
            *request.body_mut() = Body::from_stream(throttle(body, bytes_per_second));
        }
        Fault::Delay { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
        Fault::Status { code, headers, body } => {
            journal::read_shown(request).await;
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            return Some(made_up(code, headers, body));
        }
        Fault::RateLimit { seconds } => return Some(rate_limited(seconds)),
        Fault::Redirect { location, code } => {
            let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
            let location = location.replace("{target}", target);
            let location = [(LOCATION.as_str(), location.as_str())];
            return Some(made_up(code.unwrap_or(302), location.into_iter(), String::new()));
        }
        Fault::Expired => return Some(routes::expired(Timestamp::now())),
        Fault::Range416 => drop(request.headers_mut().insert(RANGE, BEYOND_THE_END)),
        Fault::IgnoreRange => drop(request.headers_mut().remove(RANGE)),
        Fault::WrongRange { shift } => shift_range(request, shift),
        Fault::ReplaceTarget { pattern, with } => replace::target(request, &pattern, &with),
        Fault::ReplaceRequest { pattern, with } => replace::request(request, &pattern, &with).await,
        other => choose_manner(&other, request),
    }
    None
}

/// Makes the routes respond as other servers do.
fn choose_manner(fault: &Fault, request: &mut Request) {
    let mut manner = request.extensions().get::<Manner>().copied().unwrap_or_default();
    match fault {
        Fault::Direct => manner.direct = true,
        Fault::Proxied => manner.proxied = true,
        Fault::Checksums => manner.checksums = true,
        _ => {}
    }
    request.extensions_mut().insert(manner);
}

/// Sends the first bytes of a body, then ends the connection.
fn cut(
    mut body: BodyDataStream,
    after: u64,
    connection: Option<Connection>,
) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    stream! {
        let mut left = after;
        while left > 0 && let Some(chunk) = body.next().await {
            let chunk = chunk.map(|mut chunk| {
                chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                left -= chunk.len() as u64;
                chunk
            });
            yield chunk;
        }
        if let Some(connection) = connection {
            connection.hang_up();
        }
        yield Err(axum::Error::new("cut on purpose"));
    }
}

fn made_up<'a>(
    code: u16,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: String,
) -> Response {
    let mut response = Body::from(body).into_response();
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn rate_limited(seconds: u64) -> Response {
    let limit = format!("\"api\";r=0;t={seconds}");
    let message = "We had to rate limit your IP";
    let headers = [
        ("ratelimit", limit.as_str()),
        ("ratelimit-policy", "\"fixed window\";\"api\";q=500;w=300"),
        ("x-error-message", message),
        ("content-type", "application/json; charset=utf-8"),
    ];
    made_up(429, headers.into_iter(), format!("{{\"error\":\"{message}\"}}"))
}

/// Changes `bytes=a-b` to `bytes=(a+shift)-b`.
fn shift_range(request: &mut Request, shift: i64) {
    let shifted = request.headers().get(RANGE).and_then(|range| {
        let (first, last) = range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')?;
        let first = first.parse::<u64>().ok()?.saturating_add_signed(shift);
        HeaderValue::try_from(format!("bytes={first}-{last}")).ok()
    });
    if let Some(range) = shifted {
        request.headers_mut().insert(RANGE, range);
    }
}
