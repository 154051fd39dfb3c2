//! Dialects: named sets of rules that make the Hub respond to one repository's requests as other
//! servers do.
//!
//! The table is `dialects.json`: a description, the included dialects, and the rules. `REPO` in a
//! rule's `match` stands for the repository, or for the SHA-256 of a large file.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rule::Rule;

const TABLE: &str = include_str!("dialects.json");
const PLACEHOLDER: &str = "REPO";

/// A set of rules.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Dialect {
    /// A description.
    about: String,
    /// Path prefix of the endpoint.
    #[serde(default)]
    prefix: String,
    /// The included dialects.
    #[serde(default)]
    of: Vec<String>,
    /// Its own rules.
    #[serde(default)]
    rules: Vec<Value>,
}

/// Returns all dialects by name.
pub(in super::super) fn dialects() -> Result<BTreeMap<String, Dialect>> {
    Ok(serde_json::from_str(TABLE)?)
}

/// Returns the rules of a dialect for one repository, and the path prefix of the endpoint.
pub(in super::super) fn rules(name: &str, repo: &str) -> Result<(Vec<Rule>, String)> {
    let mut rules = Vec::new();
    let mut prefix = String::new();
    collect(&dialects()?, name, &globset::escape(repo), &mut rules, &mut prefix)?;
    Ok((rules, prefix))
}

fn collect(
    table: &BTreeMap<String, Dialect>,
    name: &str,
    repo: &str,
    rules: &mut Vec<Rule>,
    prefix: &mut String,
) -> Result<()> {
    let dialect = table.get(name).with_context(|| format!("there is no dialect {name:?}"))?;
    for included in &dialect.of {
        collect(table, included, repo, rules, prefix)?;
    }
    prefix.push_str(&dialect.prefix);
    for rule in &dialect.rules {
        let mut rule = rule.clone();
        if let Some(Value::String(pattern)) = rule.get_mut("match") {
            *pattern = pattern.replace(PLACEHOLDER, repo);
        }
        rules.push(serde_json::from_value(rule)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::faults::Faults;

    #[test]
    fn every_dialect_has_valid_rules() {
        for name in dialects().unwrap().keys() {
            let (rules, _prefix) = rules(name, "me/x").unwrap();
            assert!(!rules.is_empty(), "{name}");
            let faults = Faults::default();
            for rule in rules {
                faults.add(rule).unwrap();
            }
            assert!(!serde_json::to_string(&faults.list()).unwrap().contains(PLACEHOLDER));
        }
        assert!(rules("nothing", "me/x").is_err());
    }
}
