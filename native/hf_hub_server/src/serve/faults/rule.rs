//! Which fault is due for which request.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::super::origins::Origin;

/// A fault and when it is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Rule {
    /// A glob on the decoded path in which `*` also stands for `/`; without wildcards any part of the path.
    #[serde(rename = "match")]
    pattern: String,
    /// The listener; both when missing.
    origin: Option<Origin>,
    /// The method; any when missing.
    method: Option<String>,
    /// How many requests are spared first.
    #[serde(default)]
    skip: u64,
    /// How many requests are hit; all when missing.
    times: Option<u64>,
    fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Fault {
    /// Ends the connection after so many bytes of the body.
    Drop { after: u64 },
    /// Sends nothing more after so many bytes of the body, but stays.
    Stall { after: u64 },
    /// Sends the body in small pieces from some byte on.
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
    /// Sends, and announces for this answer, more than there is.
    Long { by: u64 },
    /// Announces no length.
    Chunked,
    /// Turns one bit of the body at this offset.
    Corrupt { at: u64 },
    /// Compresses the body.
    Gzip,
    /// Sends another body.
    Body { text: String },
    /// Never answers.
    Hang,
    /// Ends the connection instead of answering.
    HangUp,
    /// Ends the connection after so many bytes of the request's body.
    DropRequest { after: u64 },
    /// Limits the speed at which the request's body is taken.
    ThrottleRequest { bytes_per_second: u64 },
    /// Does what is asked, then ends the connection instead of saying so.
    LoseAnswer,
    /// Waits before it answers.
    Delay { ms: u64 },
    /// Answers with this status.
    Status {
        code: u16,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
    },
    /// Answers 429 and when to come back.
    RateLimit { seconds: u64 },
    /// Answers with a redirect.
    Redirect { location: String, code: Option<u16> },
    /// Says that the link has expired.
    Expired,
    /// Sends all when a range was asked for.
    IgnoreRange,
    /// Sends a range that begins so many bytes later, or earlier.
    WrongRange { shift: i64 },
    /// Says that there is no such range.
    #[serde(rename = "range_416")]
    Range416,
    /// Answers a small file without a redirect; not a fault but an odd thing servers do.
    Direct,
    /// Gives every `ETag` of the answer this value, quotes and all.
    Etag { value: String },
    /// Removes or replaces a header.
    Header { name: String, value: Option<String> },
}

/// When in the life of an exchange a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the routes see the request.
    Request,
    /// On the head of the answer.
    Head,
    /// On the body of a good answer.
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
            | Self::Direct => Stage::Request,
            Self::Etag { .. } | Self::Header { .. } | Self::LoseAnswer => Stage::Head,
            _ => Stage::Body,
        }
    }

    fn concerns(&self, exchange: &Exchange) -> bool {
        match self {
            Self::IgnoreRange | Self::WrongRange { .. } | Self::Range416 => exchange.has_range,
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

/// What a rule can look at.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The listener.
    pub(super) origin: Origin,
    /// The method.
    pub(super) method: Method,
    /// The decoded path.
    pub(super) path: String,
    /// Whether a range is asked for.
    pub(super) has_range: bool,
    /// Whether the request has a body.
    pub(super) has_body: bool,
}

/// All faults that are planted.
#[derive(Debug, Default)]
pub(in super::super) struct Faults {
    active: Mutex<Vec<Active>>,
}

/// A rule at work.
#[derive(Clone, Debug, Serialize)]
pub(in super::super) struct Active {
    #[serde(flatten)]
    rule: Rule,
    /// How many requests it was due for, the spared ones included.
    seen: u64,
    /// How many it struck.
    fired: u64,
    #[serde(skip)]
    glob: Option<GlobMatcher>,
}

impl Faults {
    /// Plants a fault, or says what is wrong with it.
    pub(in super::super) fn add(&self, rule: Rule) -> Result<()> {
        rule.fault.check()?;
        let is_glob = rule.pattern.contains(['*', '?', '[', '{']);
        let glob = is_glob.then(|| GlobBuilder::new(&rule.pattern).build()).transpose()?;
        let glob = glob.map(|glob| glob.compile_matcher());
        self.lock().push(Active { rule, seen: 0, fired: 0, glob });
        Ok(())
    }

    /// The faults and how often they struck.
    pub(in super::super) fn list(&self) -> Vec<Active> {
        self.lock().clone()
    }

    /// Removes all faults.
    pub(in super::super) fn clear(&self) {
        self.lock().clear();
    }

    /// The faults that are due at this stage of an exchange, in the order they were planted.
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
        path && origin && method && rule.fault.concerns(exchange)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(path: &str) -> Exchange {
        let (origin, method) = (Origin::Cdn, Method::GET);
        Exchange { origin, method, path: path.into(), has_range: false, has_body: false }
    }

    fn faults(rule: &str) -> Faults {
        let faults = Faults::default();
        faults.add(serde_json::from_str(rule).unwrap()).unwrap();
        faults
    }

    #[test]
    fn spares_some_requests_and_then_strikes_some() {
        let faults =
            faults(r#"{"match":"*/x.bin","skip":1,"times":2,"fault":{"kind":"drop","after":3}}"#);
        let mut fire = |path| faults.fire(&exchange(path), Stage::Body).len();
        let fired = ["/a/x.bin", "/a/y.bin", "/a/b/x.bin", "/x.bin", "/a/x.bin"].map(&mut fire);
        assert_eq!(fired, [0, 0, 1, 1, 0]);
    }

    #[test]
    fn strikes_only_where_it_has_an_effect() {
        let range = faults(r#"{"match":"x","fault":{"kind":"ignore_range"}}"#);
        assert!(range.fire(&exchange("/x"), Stage::Request).is_empty());
        assert_eq!(
            range.fire(&Exchange { has_range: true, ..exchange("/x") }, Stage::Request).len(),
            1
        );

        let hub = faults(r#"{"match":"x","origin":"hub","method":"head","fault":{"kind":"hang"}}"#);
        assert!(hub.fire(&exchange("/x"), Stage::Request).is_empty());
        let head = Exchange { origin: Origin::Hub, method: Method::HEAD, ..exchange("/x") };
        assert_eq!(hub.fire(&head, Stage::Request).len(), 1);
    }

    #[test]
    fn refuses_what_could_not_work() {
        for rule in [
            r#"{"match":"x","fault":{"kind":"nothing"}}"#,
            r#"{"match":"x","fault":{"kind":"drop"}}"#,
            r#"{"match":"x","fault":{"kind":"drop","after":1,"afetr":2}}"#,
            r#"{"match":"x","fault":{"kind":"status","code":99999}}"#,
            r#"{"match":"x","fault":{"kind":"header","name":"a b","value":null}}"#,
            r#"{"match":"[","fault":{"kind":"hang"}}"#,
        ] {
            let rule = serde_json::from_str::<Rule>(rule);
            assert!(rule.is_err() || Faults::default().add(rule.unwrap()).is_err());
        }
    }
}
