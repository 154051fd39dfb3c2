//! What a server said when it refused: its words, its details, its id of the request.

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};

use super::{REFUSAL_LIMIT, Response, text};

/// What a refusal said.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Refusal {
    pub(super) async fn read(response: Response, head: bool) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if head {
            Bytes::new()
        } else {
            response.bytes(REFUSAL_LIMIT).await.unwrap_or_default()
        };
        Self { status, headers, body }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The Hub's own words, from the header or the JSON body, with what the body lists beside them.
    pub(super) fn words(&self) -> Option<String> {
        let json = self.json().unwrap_or_default();
        let header = self.header("x-error-message").filter(|words| !words.is_empty());
        let main = match (header, json.get("error").or_else(|| json.get("message"))) {
            (Some(words), _) => words.to_owned(),
            (None, Some(serde_json::Value::String(words))) => words.clone(),
            (None, Some(list)) => texts(list).join("; "),
            (None, None) => String::new(),
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

/// The texts of a list: strings, or objects that hold a message.
fn texts(list: &serde_json::Value) -> Vec<String> {
    let text = |item: &serde_json::Value| {
        item.as_str().or_else(|| item.get("message")?.as_str()).map(str::to_owned)
    };
    list.as_array().map(|list| list.iter().filter_map(text).collect()).unwrap_or_default()
}
