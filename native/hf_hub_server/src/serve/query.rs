//! Query strings and form bodies, with repeatable keys.

/// Decoded keys and values in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes a query string.
    pub(super) fn parse(text: Option<&str>) -> Self {
        Self::parse_form(text.unwrap_or_default().as_bytes())
    }

    /// Decodes a form body.
    pub(super) fn parse_form(body: &[u8]) -> Self {
        Self { pairs: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// Returns all keys and values, in order.
    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// Returns the first value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Returns all values of a key, which may be written with a trailing `[]`.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> + Clone {
        self.pairs
            .iter()
            .filter(move |(k, _)| k.strip_suffix("[]").unwrap_or(k) == key)
            .map(|(_, v)| v.as_str())
    }

    /// Returns a number; `None` if it is missing or invalid.
    pub(super) fn number(&self, key: &str) -> Option<usize> {
        self.get(key)?.parse().ok()
    }

    /// Whether a switch is on.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(is_true)
    }

    /// Returns the query string with one key replaced.
    pub(super) fn with(&self, key: &str, value: &str) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.pairs.iter().filter(|(k, _)| k != key));
        text.append_pair(key, value);
        text.finish()
    }
}

/// Whether a value means "yes" in the Hub's clients.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "true" | "True" | "1" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_repeated_keys_and_replaces_one() {
        let query = Query::parse(Some("expand=a&expand%5B%5D=b&limit=5&recursive=true&x=y%20z"));
        assert_eq!(query.all("expand").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((query.number("limit"), query.number("x")), (Some(5), None));
        assert!(query.flag("recursive") && !query.flag("expand"));
        assert_eq!(
            query.with("limit", "7"),
            "expand=a&expand%5B%5D=b&recursive=true&x=y+z&limit=7"
        );
    }
}
