//! What all pages have in common: the frame, the headers, pages of errors.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::response::{QUERY_SET, header_value};
use percent_encoding::utf8_percent_encode;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The search field of a page.
pub(super) struct SearchField<'a> {
    pub(super) action: &'a str,
    pub(super) value: &'a str,
}

/// Responds with a page.
pub(super) fn page(call: &Call, title: &str, main: &Markup) -> Response {
    with_status(call, StatusCode::OK, title, main)
}

/// Responds with the page of an error. A page that does not exist for the caller may exist for
/// another one.
pub(super) fn failure(call: &Call, err: &ApiError) -> Response {
    let status = match err.status() {
        StatusCode::UNAUTHORIZED => StatusCode::NOT_FOUND,
        status => status,
    };
    let is_missing = status == StatusCode::NOT_FOUND;
    let title = if is_missing { "Page not found" } else { "This page cannot be shown" };
    let main = html! {
        h1 { (title) }
        p { @if is_missing { "There is nothing at this address." } @else { (err.message()) } }
        @if call.caller.is_anonymous() {
            p { "It may be private: " a href=(login_url(call)) { "log in" } " with a token to see it." }
        }
        p { a href="/" { "Back to the front page" } }
    };
    with_status(call, status, title, &main)
}

fn with_status(call: &Call, status: StatusCode, title: &str, main: &Markup) -> Response {
    let body = document(call, title, main).into_string();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(CONTENT_SECURITY_POLICY, policy(call));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// Nothing is executed, and only images of this Hub are loaded; large files are at the address of
/// the content listener.
fn policy(call: &Call) -> HeaderValue {
    let cdn = call.hub.origins.cdn(Some(&call.headers));
    header_value(&format!(
        "default-src 'none'; style-src 'self'; img-src 'self' {cdn}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    ))
}

fn document(call: &Call, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Local Hub" }
                link rel="stylesheet" href="/-/style.css";
                link rel="icon" href="/-/icon.svg" type="image/svg+xml";
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="/" { "Local Hub" }
                    nav aria-label="Kinds of repositories" {
                        a href="/models" { "Models" }
                        a href="/datasets" { "Datasets" }
                        a href="/spaces" { "Spaces" }
                        @if has_buckets(call) { a href="/buckets" { "Buckets" } }
                    }
                    (account(call))
                }
                main id="main" { (main) }
            }
        }
    }
}

#[cfg(feature = "xet")]
fn has_buckets(call: &Call) -> bool {
    call.hub.options.xet
}

#[cfg(not(feature = "xet"))]
fn has_buckets(_: &Call) -> bool {
    false
}

fn account(call: &Call) -> Markup {
    html! {
        @match call.caller.user() {
            Ok(user) => a.account href=(format!("/{}", user.name)) { (user.name) },
            Err(_) => a.account href=(login_url(call)) { "Log in" },
        }
    }
}

fn login_url(call: &Call) -> String {
    format!("/login?next={}", utf8_percent_encode(&call.raw_path, QUERY_SET))
}

/// Shows a search field.
pub(super) fn search(field: &SearchField<'_>, label: &str) -> Markup {
    html! {
        form.search action=(field.action) role="search" {
            label for="search" { (label) }
            input id="search" name="search" type="search" value=(field.value) maxlength="200";
            button { "Search" }
        }
    }
}

/// Shows HTML that was sanitized.
pub(super) fn sanitized(html: String) -> Markup {
    PreEscaped(html)
}

/// Shows links to the pages before and after this one.
pub(super) fn pager(call: &Call, page: usize, has_next: bool) -> Markup {
    let url =
        |page: usize| format!("{}?{}", call.raw_path, call.query.with("p", &page.to_string()));
    html! {
        @if page > 0 || has_next {
            nav.pager aria-label="Pages" {
                @if page > 0 { a rel="prev" href=(url(page - 1)) { "← Previous" } }
                span { "Page " (page + 1) }
                @if has_next { a rel="next" href=(url(page + 1)) { "Next →" } }
            }
        }
    }
}

/// Handles `/-/style.css`.
pub(in super::super) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// Handles `/-/icon.svg`.
pub(in super::super) async fn icon() -> Response {
    file("image/svg+xml", ICON)
}

fn file(media_type: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, content).into_response()
}
