//! An error as it leaves the engine: without secrets, and of bounded length.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Error, ErrorKind};
use crate::base::scrub::Scrub;

/// Maximum length of an error's message, in characters.
const LONGEST_MESSAGE: usize = 4000;

/// Maximum length of each other text of an error, in characters.
const LONGEST_FACT: usize = 1000;

/// The fields of an error.
#[derive(Debug, Serialize)]
pub struct Shown {
    kind: ErrorKind,
    message: String,
    status: Option<u16>,
    url: Option<String>,
    request_id: Option<String>,
    repo_id: Option<String>,
    path: Option<String>,
    revision: Option<String>,
    /// In milliseconds.
    retry_after: Option<u64>,
    reason: Option<String>,
    details: Option<Value>,
    /// What the caller can do, each a map with the name of the hint and its fields.
    hints: Option<Value>,
}

impl Error {
    /// Returns the fields of the error without the secrets that `scrub` knows.
    pub fn shown(&self, scrub: &Scrub) -> Shown {
        let fact = |text: Option<&str>| text.map(|text| shortened(&scrub.text(text), LONGEST_FACT));
        let millis =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Shown {
            kind: self.kind(),
            message: shortened(&scrub.text(self.message()), LONGEST_MESSAGE),
            status: self.status(),
            url: fact(self.url()),
            request_id: fact(self.request_id()),
            repo_id: fact(self.repo_id()),
            path: fact(self.path()),
            revision: fact(self.revision()),
            retry_after: self.retry_after().map(millis),
            reason: fact(self.reason().as_deref()),
            details: self.details().map(|details| scrub.json(details)),
            hints: serde_json::to_value(self.hints()).ok().map(|hints| scrub.json(&hints)),
        }
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_unit_variant("ErrorKind", 0, self.name())
    }
}

/// Shortens a text: a server may send names and URLs of any length.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
