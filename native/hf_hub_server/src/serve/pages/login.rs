//! Logging in: the browser asks for a token and sends it from then on, as git does.
//!
//! The server keeps no session and sets no cookie. Requests that pages of other sites send do not
//! carry the token's rights, see [`super::super::access`].

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::response;
use super::layout;

/// Handles `/login`.
pub(in super::super) fn get(call: &Call) -> Response {
    if call.caller.is_anonymous() {
        let main = html! {
            h1 { "Log in" }
            p { "Open this page again, and enter any user name and a token of this Hub as the password." }
            p { a href="/" { "Back to the front page" } }
        };
        let mut response = layout::page(call, "Log in", &main);
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        ApiError::ask_for_password(response.headers_mut());
        return response;
    }
    let next = call.query.get("next").filter(|next| is_local(next)).unwrap_or("/");
    response::redirect(StatusCode::SEE_OTHER, next)
}

/// Whether a path leads to a page of this Hub.
fn is_local(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_returns_to_pages_of_this_hub_only() {
        assert!(is_local("/") && is_local("/a/r/tree/main/x%20y"));
        for path in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
        ] {
            assert!(!is_local(path), "{path}");
        }
    }
}
