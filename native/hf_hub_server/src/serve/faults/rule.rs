//! Selects which fault is applied to which request.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use axum::http::header::RANGE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::super::origins::Origin;
use super::replace::Pattern;

/// A fault and its conditions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Rule {
    /// A glob on the decoded path in which `*` also matches `/`; without wildcards, any part of the
    /// path.
    #[serde(rename = "match")]
    pattern: String,
    /// The listener; both by default.
    origin: Option<Origin>,
    /// The method; any by default.
    method: Option<String>,
    /// Only requests that lack one of these headers, or have another value.
    #[serde(default)]
    lacks: BTreeMap<String, String>,
    /// Number of matching requests to skip first.
    #[serde(default)]
    skip: u64,
    /// Number of requests to affect; all by default.
    times: Option<u64>,
    fault: Fault,
}

/// The fault.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Fault {
    /// Ends the connection after this number of bytes of the body.
    Drop { after: u64 },
    /// Sends nothing more after this number of bytes of the body, but keeps the connection open.
    Stall { after: u64 },
    /// Sends the body in small pieces from this position on.
    Dribble {
        bytes: usize,
        every_ms: u64,
        #[serde(default)]
        after: u64,
    },
    /// Limits the speed of the body.
    Throttle { bytes_per_second: u64 },
    /// Sends less than announced.
    Short { by: u64 },
    /// Sends, and announces in this response, more than there is.
    Long { by: u64 },
    /// Announces no length.
    Chunked,
    /// Flips one bit of the body at this offset.
    Corrupt { at: u64 },
    /// Compresses the body.
    Gzip,
    /// Sends another body.
    Body { text: String },
    /// Never responds.
    Hang,
    /// Ends the connection instead of responding.
    HangUp,
    /// Ends the connection after this number of bytes of the request body.
    DropRequest { after: u64 },
    /// Limits the speed at which the request body is read.
    ThrottleRequest { bytes_per_second: u64 },
    /// Executes the request, then ends the connection instead of responding.
    LoseAnswer,
    /// Waits before the response.
    Delay { ms: u64 },
    /// Responds with this status.
    Status {
        code: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
    /// Responds with 429 and when to retry.
    RateLimit { seconds: u64 },
    /// Responds with a redirect; `{target}` in it stands for the requested path and query.
    Redirect { location: String, code: Option<u16> },
    /// Reports that the link has expired.
    Expired,
    /// Sends the whole file in response to a range request.
    IgnoreRange,
    /// Sends a range that begins this number of bytes later, or earlier.
    WrongRange { shift: i64 },
    /// Reports that the range does not exist.
    #[serde(rename = "range_416")]
    Range416,
    /// Sends a small file without a redirect; not a fault, but a variation of some servers.
    Direct,
    /// Sends a large file without a redirect, as caches and package registries do.
    Proxied,
    /// Announces the SHA-1 of the content as its `ETag`, and the checksums of package registries.
    Checksums,
    /// Sends a range as a `multipart/byteranges` body.
    MultipartRange,
    /// Replaces what a regular expression matches in the request's path and query.
    ReplaceTarget { pattern: Pattern, with: String },
    /// Replaces what a regular expression matches in the request's body.
    ReplaceRequest { pattern: Pattern, with: String },
    /// Replaces what a regular expression matches in a header of the response.
    ReplaceHeader { name: String, pattern: Pattern, with: String },
    /// Replaces what a regular expression matches in the body of a successful response.
    ReplaceBody { pattern: Pattern, with: String },
    /// Sets every `ETag` of the response to this value, including quotes.
    Etag { value: String },
    /// Removes or replaces a header.
    Header { name: String, value: Option<String> },
}

/// The stage of an exchange at which a fault is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the routes see the request.
    Request,
    /// On the head of the response.
    Head,
    /// On the body of a successful response.
    Body,
}

impl Fault {
    fn stage(&self) -> Stage {
        match self {
            Self::Hang
            | Self::HangUp
            | Self::DropRequest { .. }
            | Self::ThrottleRequest { .. }
            | Self::Delay { .. }
            | Self::Status { .. }
            | Self::RateLimit { .. }
            | Self::Redirect { .. }
            | Self::Expired
            | Self::IgnoreRange
            | Self::WrongRange { .. }
            | Self::Range416
            | Self::Direct
            | Self::Proxied
            | Self::Checksums
            | Self::ReplaceTarget { .. }
            | Self::ReplaceRequest { .. } => Stage::Request,
            Self::Etag { .. }
            | Self::Header { .. }
            | Self::ReplaceHeader { .. }
            | Self::LoseAnswer => Stage::Head,
            _ => Stage::Body,
        }
    }

    fn concerns(&self, exchange: &Exchange) -> bool {
        match self {
            Self::IgnoreRange | Self::WrongRange { .. } | Self::Range416 | Self::MultipartRange => {
                exchange.has(&RANGE)
            }
            Self::Expired => exchange.origin == Origin::Cdn,
            Self::DropRequest { .. } | Self::ThrottleRequest { .. } => exchange.has_body,
            _ => true,
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Status { code, headers, .. } => {
                StatusCode::from_u16(*code)?;
                headers.iter().try_for_each(|(name, value)| check_header(name, value))
            }
            Self::Redirect { location, code } => {
                StatusCode::from_u16(code.unwrap_or(302))?;
                check_header("location", location)
            }
            Self::Etag { value } => check_header("etag", value),
            Self::ReplaceHeader { name, .. } => check_header(name, ""),
            Self::Header { name, value } => {
                check_header(name, value.as_deref().unwrap_or_default())
            }
            Self::Dribble { bytes: 0, .. }
            | Self::Throttle { bytes_per_second: 0 }
            | Self::ThrottleRequest { bytes_per_second: 0 } => {
                bail!("0 bytes never end; use `stall`")
            }
            _ => Ok(()),
        }
    }
}

fn check_header(name: &str, value: &str) -> Result<()> {
    HeaderName::try_from(name)?;
    HeaderValue::try_from(value)?;
    Ok(())
}

/// What a rule matches against.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The listener.
    pub(super) origin: Origin,
    /// The method.
    pub(super) method: Method,
    /// The decoded path.
    pub(super) path: String,
    /// The headers of the request.
    pub(super) headers: HeaderMap,
    /// Whether the request has a body.
    pub(super) has_body: bool,
}

impl Exchange {
    fn has(&self, name: &HeaderName) -> bool {
        self.headers.contains_key(name)
    }

    /// Whether one of these headers is missing, or has another value.
    fn lacks_one_of(&self, headers: &BTreeMap<String, String>) -> bool {
        let found = |name: &str| self.headers.get(name).map(HeaderValue::as_bytes);
        headers.iter().any(|(name, value)| found(name) != Some(value.as_bytes()))
    }
}

/// All planted faults.
#[derive(Debug, Default)]
pub(in super::super) struct Faults {
    active: Mutex<Vec<Active>>,
}

/// A planted rule with its counters.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Active {
    #[serde(flatten)]
    rule: Rule,
    /// Number of matching requests, including skipped ones.
    seen: u64,
    /// Number of affected requests.
    fired: u64,
    #[serde(skip)]
    glob: Option<GlobMatcher>,
}

impl Faults {
    /// Plants a fault; fails if it is invalid.
    pub(in super::super) fn add(&self, rule: Rule) -> Result<()> {
        rule.fault.check()?;
        let is_glob = rule.pattern.contains(['*', '?', '[', '{']);
        let glob = is_glob
            .then(|| GlobBuilder::new(&rule.pattern).empty_alternates(true).build())
            .transpose()?;
        let glob = glob.map(|glob| glob.compile_matcher());
        self.lock().push(Active { rule, seen: 0, fired: 0, glob });
        Ok(())
    }

    /// Returns the faults and how often they fired.
    pub(in super::super) fn list(&self) -> Vec<Active> {
        self.lock().clone()
    }

    /// Removes all faults.
    pub(in super::super) fn clear(&self) {
        self.lock().clear();
    }

    /// Returns the faults to apply at this stage of an exchange, in the order in which they were
    /// planted.
    pub(super) fn fire(&self, exchange: &Exchange, stage: Stage) -> Vec<Fault> {
        let mut active = self.lock();
        let due = active.iter_mut().filter(|active| active.rule.fault.stage() == stage);
        due.filter_map(|active| active.fire(exchange)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn fire(&mut self, exchange: &Exchange) -> Option<Fault> {
        if !self.matches(exchange) {
            return None;
        }
        self.seen += 1;
        let is_due =
            self.seen > self.rule.skip && self.rule.times.is_none_or(|times| self.fired < times);
        is_due.then(|| {
            self.fired += 1;
            self.rule.fault.clone()
        })
    }

    fn matches(&self, exchange: &Exchange) -> bool {
        let rule = &self.rule;
        let path = match &self.glob {
            Some(glob) => glob.is_match(&exchange.path),
            None => exchange.path.contains(&rule.pattern),
        };
        let origin = rule.origin.is_none_or(|origin| origin == exchange.origin);
        let method = rule
            .method
            .as_ref()
            .is_none_or(|method| exchange.method.as_str().eq_ignore_ascii_case(method));
        let lacks = rule.lacks.is_empty() || exchange.lacks_one_of(&rule.lacks);
        path && origin && method && lacks && rule.fault.concerns(exchange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(path: &str) -> Exchange {
        let (origin, method) = (Origin::Cdn, Method::GET);
        let headers = HeaderMap::new();
        Exchange { origin, method, path: path.into(), headers, has_body: false }
    }

    fn faults(rule: &str) -> Faults {
        let faults = Faults::default();
        faults.add(serde_json::from_str(rule).unwrap()).unwrap();
        faults
    }

    #[test]
    fn skips_some_requests_and_then_affects_some() {
        let faults =
            faults(r#"{"match":"*/x.bin","skip":1,"times":2,"fault":{"kind":"drop","after":3}}"#);
        let mut fire = |path| faults.fire(&exchange(path), Stage::Body).len();
        let fired = ["/a/x.bin", "/a/y.bin", "/a/b/x.bin", "/x.bin", "/a/x.bin"].map(&mut fire);
        assert_eq!(fired, [0, 0, 1, 1, 0]);
    }

    #[test]
    fn fires_only_where_it_has_an_effect() {
        let range = faults(r#"{"match":"x","fault":{"kind":"ignore_range"}}"#);
        assert!(range.fire(&exchange("/x"), Stage::Request).is_empty());
        let mut asked = exchange("/x");
        asked.headers.insert(RANGE, HeaderValue::from_static("bytes=0-"));
        assert_eq!(range.fire(&asked, Stage::Request).len(), 1);

        let hub = faults(r#"{"match":"x","origin":"hub","method":"head","fault":{"kind":"hang"}}"#);
        assert!(hub.fire(&exchange("/x"), Stage::Request).is_empty());
        let head = Exchange { origin: Origin::Hub, method: Method::HEAD, ..exchange("/x") };
        assert_eq!(hub.fire(&head, Stage::Request).len(), 1);
    }

    #[test]
    fn fires_when_a_header_is_missing_or_different() {
        let faults = faults(r#"{"match":"x","lacks":{"X-Key":"k"},"fault":{"kind":"hang"}}"#);
        for (key, fired) in [(None, 1), (Some("other"), 1), (Some("k"), 0)] {
            let mut exchange = exchange("/x");
            if let Some(key) = key {
                exchange.headers.insert("x-key", HeaderValue::from_static(key));
            }
            assert_eq!(faults.fire(&exchange, Stage::Request).len(), fired, "{key:?}");
        }
    }

    #[test]
    fn rejects_faults_that_cannot_work() {
        for rule in [
            r#"{"match":"x","fault":{"kind":"nothing"}}"#,
            r#"{"match":"x","fault":{"kind":"drop"}}"#,
            r#"{"match":"x","fault":{"kind":"drop","after":1,"afetr":2}}"#,
            r#"{"match":"x","fault":{"kind":"status","code":99999}}"#,
            r#"{"match":"x","fault":{"kind":"header","name":"a b","value":null}}"#,
            r#"{"match":"[","fault":{"kind":"hang"}}"#,
            r#"{"match":"x","fault":{"kind":"replace_body","pattern":"[","with":""}}"#,
            r#"{"match":"x","fault":{"kind":"replace_header","name":"a b","pattern":"x","with":""}}"#,
        ] {
            let rule = serde_json::from_str::<Rule>(rule);
            assert!(rule.is_err() || Faults::default().add(rule.unwrap()).is_err());
        }
    }
}
