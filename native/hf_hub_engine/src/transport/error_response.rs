//! An error response of a server: its message, its details, its request id.

use std::{borrow::Cow, time::SystemTime};

use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};

use super::{REFUSAL_LIMIT, Response, announced_wait, text};
use crate::base::{error::Error, scrub::Scrub};

/// Codes of OAuth responses (RFC 8628) that say how a login continues.
const OAUTH_CODES: [&str; 5] =
    ["authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_grant"];

/// An error response.
pub(super) struct ErrorResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The `Authorization` header of the request.
    pub(super) sent: Option<HeaderValue>,
}

impl ErrorResponse {
    pub(super) async fn read(response: Response, head: bool, sent: Option<HeaderValue>) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if head {
            Bytes::new()
        } else {
            response.bytes(REFUSAL_LIMIT).await.unwrap_or_default()
        };
        Self { status, headers, body, sent }.without_token()
    }

    /// Removes the token from the body if the server echoed it: the body is shown to people, and
    /// truncated.
    pub(super) fn without_token(mut self) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        if let Cow::Owned(body) = self.scrub().text(&body) {
            self.body = body.into();
        }
        self
    }

    fn scrub(&self) -> Scrub {
        let sent = self.sent.as_ref().and_then(|sent| sent.to_str().ok()).unwrap_or_default();
        Scrub::new([sent.trim_start_matches("Bearer ")])
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// Attaches everything to an error that does not depend on the kind of server.
    pub(super) fn facts(&self, error: Error, url: &Url) -> Error {
        error
            .with_status(self.status.as_u16())
            .with_url(url)
            .with_request_id(self.request_id())
            .with_retry_after(announced_wait(&self.headers, SystemTime::now()))
            .with_details(self.details())
    }

    /// Returns the body as JSON, or the useful elements of a content host's XML.
    pub(super) fn details(&self) -> Option<Value> {
        crate::base::json::parse(&self.body).ok().or_else(|| self.xml())
    }

    /// Returns code and message of an XML error of S3, GCS or Azure.
    fn xml(&self) -> Option<Value> {
        let text = String::from_utf8_lossy(&self.body);
        let (code, message) = (element(&text, "Code"), element(&text, "Message"));
        let is_empty = code.is_none() && message.is_none();
        (!is_empty).then(|| json!({ "code": code, "message": message }))
    }

    /// Returns a plain text body that is a message for people.
    fn plain(&self) -> Option<String> {
        let is_plain = self.header(CONTENT_TYPE.as_str())?.starts_with("text/plain");
        let text = String::from_utf8_lossy(&self.body).trim().to_owned();
        (is_plain && !text.is_empty()).then_some(text)
    }

    /// Returns the server's message in a form that is safe to show: without line breaks, control
    /// characters and token.
    pub(super) fn words(&self) -> Option<String> {
        let words: String = self.scrub().text(&self.said()?).chars().take(1000).collect();
        Some(words.replace(char::is_control, " "))
    }

    /// Returns the message of the header or the body, with the details that the body lists. A code
    /// of OAuth (RFC 6749) is for programs and is returned alone.
    fn said(&self) -> Option<String> {
        let json = self.details().unwrap_or_default();
        let code = json.get("error").and_then(Value::as_str);
        if let Some(code) = code.filter(|code| OAUTH_CODES.contains(code)) {
            return Some(code.to_owned());
        }
        let header = self.header("x-error-message").filter(|words| !words.is_empty());
        let main = match (header, json.get("error").or_else(|| json.get("message"))) {
            (Some(words), _) => words.to_owned(),
            (None, Some(Value::String(words))) => words.clone(),
            (None, Some(other)) => texts(other).join("; "),
            (None, None) => self.plain().unwrap_or_default(),
        };
        // The code of a content host helps in searching its documentation.
        let main = match self.xml().unwrap_or_default().get("code").and_then(Value::as_str) {
            Some(code) if main.is_empty() => code.to_owned(),
            Some(code) if !main.contains(code) => format!("{main} ({code})"),
            _ => main,
        };
        let details = json.get("errors").map(texts).unwrap_or_default();
        let details = details.into_iter().filter(|text| !main.contains(text.as_str()));
        let said: Vec<_> =
            (!main.is_empty()).then(|| main.clone()).into_iter().chain(details).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    pub(super) fn request_id(&self) -> Option<String> {
        let names = ["x-request-id", "x-amzn-trace-id", "x-amz-cf-id"];
        names.iter().find_map(|name| self.header(name)).map(str::to_owned)
    }
}

/// Returns the texts of a list or a single item: strings, or objects with a message.
fn texts(list: &Value) -> Vec<String> {
    let text =
        |item: &Value| item.as_str().or_else(|| item.get("message")?.as_str()).map(str::to_owned);
    let items = list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice);
    items.iter().filter_map(text).collect()
}

/// Returns the text of the first element of this name in an XML document. Not a full XML parser.
fn element(xml: &str, name: &str) -> Option<String> {
    let xml = xml.trim_start_matches('\u{feff}').trim_start();
    if !xml.starts_with('<') {
        return None;
    }
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    let text: String = text.trim().chars().take(1000).collect();
    let text = entities.iter().fold(text, |text, (entity, sign)| text.replace(entity, sign));
    (!text.is_empty()).then_some(text)
}
