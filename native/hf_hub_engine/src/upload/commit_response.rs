//! Parses the response to a commit: a commit, or an error that is sent with status 200.
//!
//! Its values are shown and followed, so each is checked.

use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::base::{
    error::{Error, ErrorKind, Result},
    ids::Commit,
    json,
};

/// Maximum length of a server message that is shown.
const WORDS: usize = 1000;

/// Maximum length of a URL.
const ADDRESS: usize = 4096;

/// The created commit.
#[derive(Debug)]
pub(super) struct CommitResponse {
    pub(super) oid: String,
    /// The URL of its page.
    pub(super) url: Option<String>,
    /// The URL of its pull request.
    pub(super) pr_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    commit_oid: String,
    #[serde(default)]
    commit_url: Option<String>,
    #[serde(default)]
    pull_request_url: Option<String>,
}

/// Parses the body of a 2xx response.
pub(super) fn read(body: &[u8], url: &Url) -> Result<CommitResponse> {
    if let Ok(json) = json::parse::<Value>(body)
        && let Some(error) = rejection(&json)
    {
        return Err(error.with_url(url).with_details(Some(json)));
    }
    let made: Made = read_json(body, url)?;
    Ok(CommitResponse {
        oid: commit(&made.commit_oid, url)?,
        url: made.commit_url.and_then(page),
        pr_url: made.pull_request_url.and_then(page),
    })
}

/// Checks a commit id from a Hub.
pub(super) fn commit(oid: &str, url: &Url) -> Result<String> {
    let commit = Commit::parse(oid).map_err(|error| {
        let message = format!("the Hub returned an invalid commit id: {}", error.message());
        error.with_kind(ErrorKind::InvalidResponse).with_message(message).with_url(url)
    })?;
    Ok(commit.to_string())
}

/// Some Hubs report with status 200 that a hook has rejected the commit.
fn rejection(json: &Value) -> Option<Error> {
    let words = words(json);
    let failed = json.get("success").and_then(Value::as_bool) == Some(false);
    if !failed && (json.get("commitOid").is_some() || words.is_none()) {
        return None;
    }
    let message = match words {
        Some(words) => format!("the Hub rejected the commit: {words}"),
        None => "the Hub rejected the commit without a reason".to_owned(),
    };
    Some(Error::new(ErrorKind::BadRequest, message))
}

/// Returns the error message in a response.
pub(super) fn words(json: &Value) -> Option<String> {
    let error = json.get("error");
    let said = [
        error,
        error.and_then(|error| error.get("message")),
        json.get("message"),
        json.get("hookOutput"),
    ];
    let mut texts = said.into_iter().flatten().filter_map(Value::as_str).map(shown);
    texts.find(|text| !text.is_empty())
}

/// Returns a server's message in a form that is safe to show.
pub(super) fn shown(words: &str) -> String {
    let words: String = words.trim().chars().take(WORDS).collect();
    words.replace(char::is_control, " ")
}

/// Returns the URL of a page; `None` if it is invalid.
fn page(text: String) -> Option<String> {
    let url = Url::parse(&text).ok().filter(|_| text.len() <= ADDRESS)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    plain.then_some(text)
}

/// Parses the JSON of a response.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8], url: &Url) -> Result<T> {
    json::parse(body).map_err(|error| {
        let said = json::parse(body).ok().and_then(|json| words(&json));
        let said = match said {
            Some(words) => format!(": {words:?}"),
            None if json::is_page(body) => ": it is an HTML page; check the endpoint".to_owned(),
            None => String::new(),
        };
        let message = format!("invalid response from the Hub to an upload{said}");
        Error::new(ErrorKind::InvalidResponse, message).with_url(url).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OID: &str = "2222222222222222222222222222222222222222";

    fn answered(json: &Value) -> Result<CommitResponse> {
        read(json.to_string().as_bytes(), &"https://hub.example/api".parse().unwrap())
    }

    #[test]
    fn keeps_valid_ids_and_urls() {
        let page = "https://hub.example/org/name/commit/2222";
        let pr = "http://hub.example/org/name/discussions/3";
        let json =
            json!({ "success": true, "commitOid": OID, "commitUrl": page, "pullRequestUrl": pr });
        let answer = answered(&json).unwrap();
        assert_eq!(
            (answer.oid.as_str(), answer.url.as_deref(), answer.pr_url.as_deref()),
            (OID, Some(page), Some(pr))
        );
    }

    #[test]
    fn drops_invalid_urls() {
        let long = format!("https://hub.example/{}", "x".repeat(5000));
        for address in [
            "javascript:alert(1)",
            "JavaScript://hub.example/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "//hub.example/x",
            "/org/name/commit/2",
            "https://",
            "https://me:hf_secret@hub.example/x",
            "https://hub.example/a\nb",
            " https://hub.example/a",
            &long,
        ] {
            let json = json!({ "commitOid": OID, "commitUrl": address, "pullRequestUrl": address });
            let answer = answered(&json).unwrap();
            assert_eq!((answer.url, answer.pr_url), (None, None), "{address}");
        }
    }

    #[test]
    fn rejects_invalid_commit_ids() {
        for oid in ["", "../../x", "a/b", "..", "a\\b", "2222\n", "<script>"] {
            let error = answered(&json!({ "success": true, "commitOid": oid })).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{oid}");
            assert!(
                error.message().starts_with("the Hub returned an invalid commit id"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_failure_with_status_200_is_an_error_with_its_reason() {
        let hook = "the Hub rejected the commit: hook refused";
        for (json, message) in [
            (json!({ "success": false, "error": "hook refused" }), hook),
            (json!({ "success": false, "error": { "message": "hook refused" } }), hook),
            (json!({ "success": false, "message": "hook refused" }), hook),
            (json!({ "success": false, "commitOid": OID, "hookOutput": "hook refused\n" }), hook),
            (json!({ "error": "hook refused" }), hook),
            (json!({ "success": false }), "the Hub rejected the commit without a reason"),
        ] {
            let error = answered(&json).unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::BadRequest, message), "{json}");
        }
        assert!(answered(&json!({ "success": true, "commitOid": OID, "error": null })).is_ok());
        assert_eq!(answered(&json!([])).unwrap_err().kind(), ErrorKind::InvalidResponse);
    }
}
