//! A file in Xet storage, as a Hub announces it.

use reqwest::Url;

/// A file in Xet storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    hash: String,
    /// The route of its access token, if the Hub named it.
    pub route: Option<Url>,
}

impl File {
    /// Creates a file from its hash: 64 lower-case hex digits.
    pub fn new(hash: &str, route: Option<Url>) -> Option<Self> {
        let valid =
            hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self { hash: hash.to_owned(), route })
    }

    /// Returns the hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Returns the target of the relation in a `Link` header.
pub fn related<'a>(header: &'a str, relation: &str) -> Option<&'a str> {
    header.split(',').find_map(|link| {
        let (target, attributes) = link.trim().strip_prefix('<')?.split_once('>')?;
        let mut names = attributes.split(';').filter_map(|pair| pair.trim().strip_prefix("rel="));
        names.any(|name| name.trim_matches('"') == relation).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_lower_case_hex_digits() {
        assert_eq!(File::new(&"a1".repeat(32), None).unwrap().hash(), "a1".repeat(32));
        for wrong in ["", "abc", &"A1".repeat(32), &"g1".repeat(32), &"a1".repeat(33)] {
            assert_eq!(File::new(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn a_link_header_names_targets_by_relation() {
        let header =
            r#"<https://hub/token>; rel="xet-auth", <https://cas/v1/x>; title=a; rel=other"#;
        assert_eq!(related(header, "xet-auth"), Some("https://hub/token"));
        assert_eq!(related(header, "other"), Some("https://cas/v1/x"));
        assert_eq!(related(header, "next"), None);
        assert_eq!(related("no link at all", "xet-auth"), None);
    }
}
