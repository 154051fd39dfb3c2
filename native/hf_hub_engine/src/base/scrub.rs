//! Hides secrets in text that is shown to people, however a server has escaped them.
//!
//! Recognizes the tokens of a call, the shapes of the Hub's tokens, and `user:password@` in a URL.
//! Linear in the text for a handful of tokens; only errors, events and warnings pass through it.

use std::{borrow::Cow, ops::Range};

use serde_json::Value;

mod unescape;

use unescape::{Unit, unescaped};

/// Shown in place of a token.
pub const HIDDEN: &str = "(the token)";

/// Shown in place of a user name and a password.
const MASKED: &str = "****";

/// Maximum depth of nested escapes that is searched.
const LEVELS: usize = 8;

/// Number of characters of a token that identify it. A token that is cut off after them is still
/// hidden.
const IDENTIFYING: usize = 12;

/// Tokens shorter than this are hidden only as whole words.
const SHORT: usize = 8;

/// A report that may quote what a server or a library said.
pub trait Shown: Sized {
    /// The report without secrets.
    #[must_use]
    fn shown(self, _scrub: &Scrub) -> Self {
        self
    }
}

/// The secrets of one call.
#[derive(Clone, Default)]
pub struct Scrub(Vec<Vec<char>>);

impl std::fmt::Debug for Scrub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrub(…)")
    }
}

impl Scrub {
    /// Hides `secrets` in addition to everything that looks like a token.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scrub = Self::default();
        secrets.into_iter().for_each(|secret| scrub.add(secret));
        scrub
    }

    /// Hides one more secret.
    pub fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(secret.chars().map(|c| c.to_ascii_lowercase()).collect());
        }
    }

    /// Hides the password of a URL, if there is one.
    pub fn add_password(&mut self, url: &str) {
        let url = reqwest::Url::parse(url).ok();
        if let Some(password) = url.as_ref().and_then(reqwest::Url::password) {
            self.add(password);
        }
    }

    /// Returns the text without secrets.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = self.found(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
        for (range, instead) in found {
            if range.start >= at {
                shown.push_str(&text[at..range.start]);
                shown.push_str(instead);
            }
            at = at.max(range.end);
        }
        shown.push_str(&text[at..]);
        Cow::Owned(shown)
    }

    /// Returns the JSON without secrets, in keys as well as in values.
    pub fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(entries) => entries
                .iter()
                .map(|(name, value)| (self.text(name).into_owned(), self.json(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// Finds the parts of the text that hold a secret at any level of escaping.
    fn found(&self, text: &str) -> Vec<(Range<usize>, &'static str)> {
        levels(text).iter().flat_map(|units| self.matches(units)).collect()
    }

    fn matches(&self, units: &[Unit]) -> Vec<(Range<usize>, &'static str)> {
        let (mut found, mut at) = (Vec::new(), 0);
        while at < units.len() {
            let hit = self.token_at(units, at).or_else(|| shape_at(units, at));
            let hit = hit.map(|end| (end, HIDDEN));
            let Some((end, instead)) = hit.or_else(|| Some((login_at(units, at)?, MASKED))) else {
                at += 1;
                continue;
            };
            found.push((units[at].start..units[end - 1].end, instead));
            at = end;
        }
        found
    }

    /// Returns the end of the token that begins at `at`, which may be cut off.
    fn token_at(&self, units: &[Unit], at: usize) -> Option<usize> {
        let same = |secret: &Vec<char>| {
            let pairs = units[at..].iter().zip(secret);
            let len = pairs.take_while(|(unit, c)| unit.c.to_ascii_lowercase() == **c).count();
            let alone = || !joined(units, at) && !units.get(at + len).is_some_and(Unit::in_word);
            let whole = len == secret.len() && (len >= SHORT || alone());
            (whole || len >= IDENTIFYING).then_some(at + len)
        };
        self.0.iter().filter_map(same).max()
    }
}

/// Returns the text unchanged, and with ever fewer levels of escaping.
fn levels(text: &str) -> Vec<Vec<Unit>> {
    let mut levels = vec![Unit::of(text)];
    while let Some(last) = levels.last().filter(|_| levels.len() < LEVELS) {
        let next = unescaped(last);
        if next.len() == last.len() {
            break;
        }
        levels.push(next);
    }
    levels
}

/// Returns the end of the text at `at` that looks like a Hub token.
fn shape_at(units: &[Unit], at: usize) -> Option<usize> {
    const WORDS: [&str; 5] = ["api_org_", "hf_oauth_", "hf_jwt_", "hf_app_", "hf_"];
    let is = |word: &str| {
        word.len() <= units.len() - at
            && units[at..].iter().zip(word.chars()).all(|(unit, c)| unit.c == c)
    };
    if joined(units, at) {
        return None;
    }
    let word = WORDS.into_iter().find(|word| is(word))?;
    let rest = &units[at + word.len()..];
    let random = rest.iter().take_while(|unit| unit.c.is_ascii_alphanumeric());
    let len = random.clone().count();
    // Only lower-case letters are more likely part of a repository name.
    let mixed = random.clone().any(|unit| !unit.c.is_ascii_lowercase());
    if len < if mixed { 20 } else { 30 } {
        return None;
    }
    // A JSON Web Token continues after its dots.
    let tail = |unit: &&Unit| unit.c.is_ascii_alphanumeric() || matches!(unit.c, '_' | '-' | '.');
    let len = if word == "hf_" { len } else { rest.iter().take_while(tail).count() };
    Some(at + word.len() + len)
}

/// Returns the end of the user name and password that begin at `at`, after the slashes of a URL.
fn login_at(units: &[Unit], at: usize) -> Option<usize> {
    if at < 2 || units[at - 1].c != '/' || units[at - 2].c != '/' {
        return None;
    }
    let inside = |unit: &&Unit| !unit.c.is_whitespace() && !"/?#\"'<>`".contains(unit.c);
    let inside: Vec<_> = units[at..].iter().take_while(inside).collect();
    inside.iter().rposition(|unit| unit.c == '@').filter(|len| *len > 0).map(|len| at + len)
}

/// Whether the character before `at` belongs to the same word.
fn joined(units: &[Unit], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| units[before].in_word())
}

#[cfg(test)]
mod tests;
