//! Takes the answer to a commit apart: a commit, or a refusal that comes with a 200.
//!
//! What it names is shown and followed, so nothing of it is passed on unchecked.

use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::base::{
    error::{Error, ErrorKind, Result},
    ids::Commit,
    json,
};

/// More of a server's words than anybody reads.
const WORDS: usize = 1000;

/// A longer address is none.
const ADDRESS: usize = 4096;

/// The commit that was made.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) oid: String,
    /// Its page.
    pub(super) url: Option<String>,
    /// The page of its pull request.
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

/// Reads the body of a 2xx.
pub(super) fn read(body: &[u8], url: &Url) -> Result<Answer> {
    if let Ok(json) = json::parse::<Value>(body)
        && let Some(error) = refusal(&json)
    {
        return Err(error.with_url(url).with_details(Some(json)));
    }
    let made: Made = read_json(body, url)?;
    Ok(Answer {
        oid: commit(&made.commit_oid, url)?,
        url: made.commit_url.and_then(page),
        pr_url: made.pull_request_url.and_then(page),
    })
}

/// Checks the id of a commit that a Hub has named.
pub(super) fn commit(oid: &str, url: &Url) -> Result<String> {
    let commit = Commit::parse(oid).map_err(|error| {
        let message = format!("the Hub returned an invalid commit id: {}", error.message());
        error.with_kind(ErrorKind::InvalidResponse).with_message(message).with_url(url)
    })?;
    Ok(commit.to_string())
}

/// Some Hubs say with a 200 that a hook has refused the commit.
fn refusal(json: &Value) -> Option<Error> {
    let words = words(json);
    let failed = json.get("success").and_then(Value::as_bool) == Some(false);
    if !failed && (json.get("commitOid").is_some() || words.is_none()) {
        return None;
    }
    let message = match words {
        Some(words) => format!("the Hub refused the commit: {words}"),
        None => "the Hub refused the commit without a reason".to_owned(),
    };
    Some(Error::new(ErrorKind::BadRequest, message))
}

/// What an answer says in place of what was asked for.
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

/// A server's words, fit to be shown.
pub(super) fn shown(words: &str) -> String {
    let words: String = words.trim().chars().take(WORDS).collect();
    words.replace(char::is_control, " ")
}

/// The address of a page; `None` for what is none.
fn page(text: String) -> Option<String> {
    let url = Url::parse(&text).ok().filter(|_| text.len() <= ADDRESS)?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    plain.then_some(text)
}

/// Reads an answer's JSON.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8], url: &Url) -> Result<T> {
    json::parse(body).map_err(|error| {
        let said = json::parse(body).ok().and_then(|json| words(&json));
        let said = match said {
            Some(words) => format!(": it says {words:?}"),
            None if json::is_page(body) => ": it is a web page; is the endpoint right?".to_owned(),
            None => String::new(),
        };
        let message = format!("the Hub's answer to an upload cannot be used{said}");
        Error::new(ErrorKind::InvalidResponse, message).with_url(url).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OID: &str = "2222222222222222222222222222222222222222";

    fn answered(json: &Value) -> Result<Answer> {
        read(json.to_string().as_bytes(), &"https://hub.example/api".parse().unwrap())
    }

    #[test]
    fn keeps_ids_and_addresses_that_can_be_ones() {
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
    fn drops_addresses_that_are_no_pages() {
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
    fn refuses_ids_that_no_commit_has() {
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
    fn a_success_that_says_it_is_none_is_a_refusal_with_its_reason() {
        let hook = "the Hub refused the commit: hook refused";
        for (json, message) in [
            (json!({ "success": false, "error": "hook refused" }), hook),
            (json!({ "success": false, "error": { "message": "hook refused" } }), hook),
            (json!({ "success": false, "message": "hook refused" }), hook),
            (json!({ "success": false, "commitOid": OID, "hookOutput": "hook refused\n" }), hook),
            (json!({ "error": "hook refused" }), hook),
            (json!({ "success": false }), "the Hub refused the commit without a reason"),
        ] {
            let error = answered(&json).unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::BadRequest, message), "{json}");
        }
        assert!(answered(&json!({ "success": true, "commitOid": OID, "error": null })).is_ok());
        assert_eq!(answered(&json!([])).unwrap_err().kind(), ErrorKind::InvalidResponse);
    }
}
