//! File name patterns with the semantics of Python's `fnmatch`: matched against the whole path,
//! case-sensitive, and with `*` crossing `/`. No braces, no escapes.

/// Selects files by patterns.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Filter {
    /// Patterns of which a file has to match one; an empty list allows every file.
    pub allow: Vec<String>,
    /// Patterns of files to leave out.
    pub ignore: Vec<String>,
}

impl Filter {
    /// Whether `path` is selected.
    pub fn accepts(&self, path: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, path));
        (self.allow.is_empty() || any(&self.allow)) && !any(&self.ignore)
    }
}

/// Whether `pattern` matches the whole of `path`. A pattern that ends in `/` matches everything
/// below that folder.
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut pattern: Vec<char> = pattern.replace('\\', "/").chars().collect();
    if pattern.last() == Some(&'/') {
        pattern.push('*');
    }
    let path: Vec<char> = path.replace('\\', "/").chars().collect();
    let tokens = tokenize(&pattern);
    // Greedy with a single backtracking point: linear in practice, quadratic at worst.
    let (mut t, mut p, mut retry) = (0, 0, None);
    while p < path.len() {
        match tokens.get(t) {
            Some(Token::Star) => {
                retry = Some((t, p));
                t += 1;
            }
            Some(token) if token.fits(path[p]) => {
                t += 1;
                p += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    t = star + 1;
                    p = from + 1;
                }
                None => return false,
            },
        }
    }
    tokens[t..].iter().all(|token| matches!(token, Token::Star))
}

/// Returns the pattern that matches only `path`.
pub fn literal(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[') {
            pattern.extend(['[', c, ']']);
        } else {
            pattern.push(c);
        }
    }
    pattern
}

enum Token {
    Star,
    Any,
    One(char),
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Token {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::One(own) => *own == c,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}

fn tokenize(pattern: &[char]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        let (token, used) = match pattern[at] {
            '*' => (Token::Star, 1),
            '?' => (Token::Any, 1),
            '[' => set(&pattern[at..]).unwrap_or((Token::One('['), 1)),
            c => (Token::One(c), 1),
        };
        tokens.push(token);
        at += used;
    }
    tokens
}

/// `[abc]`, `[a-z]`, `[!x]`; a `]` right after the opening bracket belongs to the set.
fn set(pattern: &[char]) -> Option<(Token, usize)> {
    let negated = pattern.get(1) == Some(&'!');
    let start = 1 + usize::from(negated);
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|c| *c == ']')?;
    let inside = &pattern[start..end];
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        if at + 2 < inside.len() && inside[at + 1] == '-' {
            ranges.push((inside[at], inside[at + 2]));
            at += 3;
        } else {
            ranges.push((inside[at], inside[at]));
            at += 1;
        }
    }
    Some((Token::Set { negated, ranges }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_python_fnmatch() {
        // Each row was compared with the result of Python's fnmatch.fnmatchcase.
        for (pattern, path, expected) in [
            ("*.json", "config.json", true),
            ("*.json", "a/b/config.json", true),
            ("*.json", "config.JSON", false),
            ("**/*.json", "a/x.json", true),
            ("**/*.json", "x.json", false),
            ("onnx/", "onnx/model.onnx", true),
            ("onnx/", "onnx", false),
            ("a?c", "a/c", true),
            ("[ab].txt", "b.txt", true),
            ("[!ab].txt", "b.txt", false),
            ("[!ab].txt", "c.txt", true),
            ("[a-c]x", "bx", true),
            ("[]]x", "]x", true),
            ("[!]]x", "]x", false),
            ("[a", "[a", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("a[b", "a[b", true),
            ("run[1]/x", "run1/x", true),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("data\\*.csv", "data/x.csv", true),
            ("[a-]x", "-x", true),
            ("[z-a]x", "bx", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn empty_lists_do_not_filter() {
        assert!(Filter::default().accepts("x"));
        let filter = Filter { allow: Vec::new(), ignore: vec!["t*".into()] };
        assert!(filter.accepts("x") && !filter.accepts("t"));
        let filter = Filter { allow: vec!["*.json".into()], ignore: vec!["t*".into()] };
        assert!(filter.accepts("config.json"));
        assert!(!filter.accepts("tokenizer.json"));
    }
}
