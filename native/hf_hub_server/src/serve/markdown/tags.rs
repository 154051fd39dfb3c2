//! The tags in a piece of HTML, of which a few are known.

/// A piece of HTML.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// What is not a tag: HTML without any.
    Text(String),
    /// An element without content.
    Void(String),
    /// The beginning of an element: its name, and the tag.
    Start(&'static str, String),
    /// The end of an element.
    End(&'static str),
}

const VOID: [&str; 4] = ["br", "hr", "img", "wbr"];
const ELEMENTS: [&str; 46] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "caption",
    "center",
    "cite",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "i",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];
/// Elements whose content is not shown either.
const HIDDEN: [&str; 14] = [
    "script", "style", "svg", "math", "iframe", "noscript", "textarea", "title", "xmp", "object",
    "template", "select", "noembed", "noframes",
];
/// Attributes that are kept; the sanitizer decides by element.
const ATTRIBUTES: [&str; 10] =
    ["href", "src", "alt", "title", "width", "height", "align", "colspan", "rowspan", "open"];
/// Attributes of a tag beyond these are ignored.
const MAX_ATTRIBUTES: usize = 20;

/// Takes HTML apart.
pub(super) fn tokens(html: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text(&rest[..start], &mut tokens);
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = after(comment, "-->");
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            rest = after(rest, ">");
        } else if !is_tag(rest) {
            tokens.push(Token::Text("&lt;".into()));
            rest = &rest[1..];
        } else if let Some(tag) = Tag::parse(rest) {
            rest = &rest[tag.length..];
            if !tag.is_end && HIDDEN.contains(&tag.name.as_str()) {
                rest = after_element(rest, &tag.name);
            }
            tokens.extend(tag.token());
        } else {
            // A tag without an end goes on to the end of the text.
            rest = "";
        }
    }
    text(rest, &mut tokens);
    tokens
}

fn is_tag(text: &str) -> bool {
    let name = text.strip_prefix("</").unwrap_or(&text[1..]);
    name.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn text(text: &str, tokens: &mut Vec<Token>) {
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.find(end).map_or("", |at| &text[at + end.len()..])
}

/// Returns what follows the end of a hidden element, or nothing if it does not end.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let is_name = rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if is_name {
            return after(rest, ">");
        }
    }
    ""
}

/// A tag that was read.
struct Tag {
    name: String,
    is_end: bool,
    attributes: Vec<(String, String)>,
    length: usize,
}

impl Tag {
    /// Reads the tag at the beginning of a text; `None` if it has no end.
    fn parse(text: &str) -> Option<Self> {
        let is_end = text.starts_with("</");
        let mut reader = Reader { text, at: if is_end { 2 } else { 1 } };
        let name = reader.take(|c| c.is_ascii_alphanumeric() || c == '-').to_ascii_lowercase();
        let mut attributes = Vec::new();
        loop {
            reader.take(|c| c.is_whitespace() || c == '/');
            if reader.peek()? == '>' {
                break;
            }
            let attribute = reader.attribute()?;
            if attributes.len() < MAX_ATTRIBUTES {
                attributes.push(attribute);
            }
        }
        Some(Self { name, is_end, attributes, length: reader.at + 1 })
    }

    fn token(self) -> Option<Token> {
        let known = |names: &[&'static str]| names.iter().find(|name| **name == self.name).copied();
        if let Some(name) = known(&VOID) {
            return (!self.is_end).then(|| Token::Void(self.written(name)));
        }
        let name = known(&ELEMENTS)?;
        Some(if self.is_end { Token::End(name) } else { Token::Start(name, self.written(name)) })
    }

    fn written(&self, name: &str) -> String {
        let mut tag = format!("<{name}");
        for (name, value) in &self.attributes {
            if ATTRIBUTES.contains(&name.as_str()) {
                let value = value.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
                tag.extend([" ", name, "=\"", &value, "\""]);
            }
        }
        tag.push('>');
        tag
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn attribute(&mut self) -> Option<(String, String)> {
        let start = self.at;
        let name =
            self.take(|c| !c.is_whitespace() && !matches!(c, '>' | '/' | '=')).to_ascii_lowercase();
        if self.at == start {
            // A stray character, such as `=`.
            self.at += self.peek()?.len_utf8();
        }
        self.take(char::is_whitespace);
        if self.peek()? != '=' {
            return Some((name, String::new()));
        }
        self.at += 1;
        self.take(char::is_whitespace);
        let quote = self.peek()?;
        if !matches!(quote, '"' | '\'') {
            return Some((name, self.take(|c| !c.is_whitespace() && c != '>').to_owned()));
        }
        self.at += 1;
        let value = self.take(|c| c != quote).to_owned();
        self.peek()?;
        self.at += 1;
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_html_apart() {
        let tag = |text: &str| text.to_owned();
        for (html, expected) in [
            ("<BR/>", vec![Token::Void(tag("<br>"))]),
            (
                "<b>x</b>",
                vec![Token::Start("b", tag("<b>")), Token::Text(tag("x")), Token::End("b")],
            ),
            ("<p align=center x='>'>", vec![Token::Start("p", tag("<p align=\"center\">"))]),
            ("<img alt='\"<>'>", vec![Token::Void(tag("<img alt=\"&quot;&lt;&gt;\">"))]),
            (
                "1 < 2",
                vec![Token::Text(tag("1 ")), Token::Text(tag("&lt;")), Token::Text(tag(" 2"))],
            ),
            ("<!-- <b> -->x", vec![Token::Text(tag("x"))]),
            ("<script>a<b>c</SCRIPT >d", vec![Token::Text(tag("d"))]),
            ("<style>never closed", vec![]),
            ("<video src=x>", vec![]),
            ("x<a href", vec![Token::Text(tag("x"))]),
        ] {
            assert_eq!(tokens(html), expected, "{html}");
        }
    }
}
