//! Checks the metadata of a README as the Hub does.
//!
//! Only what makes a card unreadable for others is an error; unknown keys and values are allowed.

use serde_json::{Map, Value};

use super::{front_matter, parse_yaml};
use crate::store::RepoKind;

const SDKS: [&str; 4] = ["gradio", "streamlit", "docker", "static"];
const COLORS: [&str; 8] = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"];

/// The result.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Why the card is rejected.
    pub(crate) errors: Vec<String>,
    /// Warnings for its author.
    pub(crate) warnings: Vec<String>,
}

/// Checks a README.
pub(crate) fn check(readme: &[u8], kind: RepoKind) -> Report {
    let mut report = Report::default();
    let text = String::from_utf8_lossy(readme);
    let yaml = front_matter(&text).unwrap_or_default();
    if yaml.trim().is_empty() {
        report.warnings.push("empty or missing yaml metadata in repo card".into());
        return report;
    }
    match parse_yaml(yaml) {
        Ok(Value::Object(card)) => report.errors = problems(&card, kind),
        Ok(Value::Null) => {
            report.warnings.push("empty or missing yaml metadata in repo card".into());
        }
        Ok(_) => report.errors.push("the yaml metadata must be an object".into()),
        Err(message) => report.errors.push(format!("invalid yaml metadata: {message}")),
    }
    report
}

fn problems(card: &Map<String, Value>, kind: RepoKind) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, value) in card {
        let problem = match key.as_str() {
            "tags" | "metrics" if !is_texts(value) => "must be an array of strings",
            "license" | "language" | "datasets" | "base_model"
                if !value.is_string() && !is_texts(value) =>
            {
                "must be a string or an array of strings"
            }
            "pipeline_tag" | "library_name" | "license_name" | "license_link"
                if !value.is_string() =>
            {
                "must be a string"
            }
            "model-index" if !value.is_array() => "must be an array",
            _ => continue,
        };
        problems.push(format!("\"{key}\" {problem}"));
    }
    if kind == RepoKind::Space {
        for (key, allowed) in
            [("sdk", &SDKS[..]), ("colorFrom", &COLORS[..]), ("colorTo", &COLORS[..])]
        {
            let is_known =
                |value: &Value| value.as_str().is_some_and(|text| allowed.contains(&text));
            if card.get(key).is_some_and(|value| !is_known(value)) {
                problems.push(format!("\"{key}\" must be one of [{}]", allowed.join(", ")));
            }
        }
    }
    problems
}

fn is_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|values| values.iter().all(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(yaml: &str, kind: RepoKind) -> Vec<String> {
        check(format!("---\n{yaml}\n---\n# Hi\n").as_bytes(), kind).errors
    }

    #[test]
    fn accepts_valid_cards_and_warns_of_missing_ones() {
        let good = "license: mit\nlanguage: [no, en]\ntags:\n- a\nmodel-index: []\nown: {a: 1}";
        assert_eq!(errors(good, RepoKind::Model), Vec::<String>::new());
        for readme in ["", "# Hi", "---\n---\n# Hi", "---\nno end"] {
            let report = check(readme.as_bytes(), RepoKind::Model);
            assert_eq!((report.errors.len(), report.warnings.len()), (0, 1), "{readme:?}");
        }
    }

    #[test]
    fn accepts_numbers_of_all_kinds() {
        for value in [
            ".nan",
            ".inf",
            "-.INF",
            "1e400",
            "12e4567",
            "4225332178759948e04347560002921719079454",
            "18446744073709551616",
            "1234567890123456789012345678901234567890",
            "0123456",
            "-007",
        ] {
            let yaml = format!("loss: {value}\nscores: [{value}]");
            assert_eq!(errors(&yaml, RepoKind::Model), Vec::<String>::new(), "{value}");
        }
        assert_eq!(errors("tags: [09111, 0123]", RepoKind::Model), Vec::<String>::new());
    }

    #[test]
    fn reports_line_and_key_of_invalid_yaml() {
        for (yaml, message) in [
            ("a: 1\nb: 2\na: 3", "line 4: the key \"a\" is repeated"),
            ("a: 1\n~: 2", "line 3: a key is null: write a name, or put it in quotes"),
        ] {
            let expected = format!("invalid yaml metadata: {message}");
            assert_eq!(errors(yaml, RepoKind::Model), [expected]);
        }
    }

    #[test]
    fn reads_metadata_after_blank_lines() {
        let report = check(b"\n \n---\nmodel-index: foo\n---\n", RepoKind::Model);
        assert_eq!(report.errors, ["\"model-index\" must be an array"]);
    }

    #[test]
    fn reports_invalid_values() {
        assert!(errors("a: [", RepoKind::Model)[0].starts_with("invalid yaml"));
        assert_eq!(errors("- a", RepoKind::Model), ["the yaml metadata must be an object"]);
        assert_eq!(errors("tags: a", RepoKind::Model), ["\"tags\" must be an array of strings"]);
        assert_eq!(errors("license: 3", RepoKind::Model).len(), 1);
        let blank = check(b"\n---\nmodel-index: foo\n---\n", RepoKind::Model);
        assert_eq!(blank.errors, ["\"model-index\" must be an array"]);
        assert_eq!(errors("sdk: x\ncolorFrom: red", RepoKind::Model).len(), 0);
        assert_eq!(
            errors("sdk: x\ncolorFrom: red", RepoKind::Space),
            ["\"sdk\" must be one of [gradio, streamlit, docker, static]"]
        );
    }
}
