//! The metadata at the top of a README: the YAML between two lines of `---`.
//!
//! An invalid card is treated as empty; [`check`] reports why it is invalid.

mod check;

pub(crate) use check::check;

use serde_json::{Map, Value};
use serde_saphyr::{Error, NonFiniteFloatPolicy};

use super::RepoKind;

/// Maximum size of READMEs that are read.
pub(crate) const MAX_README: u64 = 1 << 20;

/// Returns the metadata of a README.
pub(crate) fn parse(readme: &[u8]) -> Map<String, Value> {
    let text = String::from_utf8_lossy(readme);
    match parse_yaml(front_matter(&text).unwrap_or_default()) {
        Ok(Value::Object(card)) => card,
        _ => Map::new(),
    }
}

/// Parses YAML that begins on the second line of a README.
fn parse_yaml(yaml: &str) -> Result<Value, String> {
    // The Hub reads YAML 1.2, in which the language code `no` is text. Numbers that JSON cannot
    // represent become text: only the types of a few keys are checked.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        leading_zero_numbers_as_strings: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let line = error.location().map_or(1, |at| at.line()) + 1;
        match error {
            Error::DuplicateMappingKey { key, .. } => {
                format!("line {line}: the key {:?} is repeated", key.unwrap_or_default())
            }
            Error::NullIntoString { .. } => {
                format!("line {line}: a key is null: write a name, or put it in quotes")
            }
            error => error.to_string(),
        }
    })
}

/// Returns the tags that the Hub derives from a card.
pub(crate) fn tags(card: &Map<String, Value>, kind: RepoKind) -> Vec<String> {
    let language = if kind == RepoKind::Dataset { "language:" } else { "" };
    let mut tags = Vec::new();
    let mut add = |tag: String| {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    };
    for (key, prefix) in [
        ("library_name", ""),
        ("tags", ""),
        ("pipeline_tag", ""),
        ("language", language),
        ("datasets", "dataset:"),
        ("base_model", "base_model:"),
        ("license", "license:"),
        ("language_creators", "language_creators:"),
        ("multilinguality", "multilinguality:"),
        ("source_datasets", "source_datasets:"),
        ("task_categories", "task_categories:"),
        ("task_ids", "task_ids:"),
        ("size_categories", "size_categories:"),
        ("sdk", ""),
    ] {
        texts(card.get(key)).for_each(|text| add(format!("{prefix}{text}")));
    }
    add("region:us".into());
    tags
}

/// Returns the YAML part of a README, if it begins with one. As in clients, blank lines before it
/// are skipped.
fn front_matter(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    let first = text.lines().next()?;
    let rest = (first.trim_end() == "---")
        .then(|| text[first.len()..].trim_start_matches(['\r', '\n']))?;
    if rest.starts_with("---") {
        return None;
    }
    rest.find("\n---").map(|end| &rest[..end])
}

/// Returns a text, or each text of a list.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let many = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    value.and_then(Value::as_str).into_iter().chain(many.iter().filter_map(Value::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_metadata_and_its_tags() {
        let card = parse(b"---\nlicense: mit\nlanguage:\n- no\n- en\ntags: [a, mit]\nlibrary_name: x\n---\n# Hi\n");
        assert_eq!(card["license"], "mit");
        assert_eq!(
            tags(&card, RepoKind::Model),
            ["x", "a", "mit", "no", "en", "license:mit", "region:us"]
        );
    }

    #[test]
    fn treats_anything_else_as_an_empty_card() {
        let bomb = format!(
            "---\na: &a [x]\n{}---\n",
            (0..60).map(|_| "b: &b [*a,*a]\n").collect::<String>()
        );
        for text in [
            "",
            "# Hi",
            "---\n---\n",
            "---\nno end",
            "---\n- list\n---\n",
            "---\n{: [\n---\n",
            &bomb,
        ] {
            assert!(parse(text.as_bytes()).is_empty(), "{text:?}");
        }
        assert_eq!(tags(&Map::new(), RepoKind::Dataset), ["region:us"]);
    }

    #[test]
    fn accepts_windows_line_endings_and_skips_leading_blank_lines() {
        assert_eq!(parse(b"---\r\nlicense: mit\r\n---\r\n")["license"], "mit");
        assert_eq!(parse(b"\r\n \n---\nlicense: mit\n---\n")["license"], "mit");
    }
}
