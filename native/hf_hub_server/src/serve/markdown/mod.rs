//! Markdown of READMEs and comments as HTML that is safe to show, whatever its author wrote.
//!
//! Three steps: elements are nested properly and not too deeply ([`nesting`]), so that no text
//! takes a parser long; the Markdown is written as HTML; and a sanitizer keeps what is harmless.

mod nesting;
mod tags;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use nesting::Nesting;

/// Longer texts are not read to their end.
pub(super) const MAX_TEXT: usize = 1 << 20;
/// Texts of more parts are not read to their end: a small table can have any number of empty cells.
const MAX_EVENTS: usize = 100_000;
/// Maximum number of cells in the header of a table.
const MAX_COLUMNS: usize = 200;
/// Before the names of anchors, so that they are not those of the page.
const ANCHOR: &str = "user-content-";

/// Where a text is shown. On pages, images of other servers are left out: they would report the
/// readers to them.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a response of the API: relative links lead nowhere.
    Api,
    /// On a page, without a folder.
    Comment,
    /// On a page about this folder of a repository.
    Folder(Folder),
}

/// A folder of a repository.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// The path of the repository's page.
    pub(super) page: String,
    /// The revision, encoded as one segment of a path.
    pub(super) revision: String,
    /// The path of the folder, not encoded; empty for the root.
    pub(super) path: String,
}

/// Returns Markdown as HTML.
pub(super) fn html(text: &str, place: Place) -> String {
    let text = &text[..text.floor_char_boundary(MAX_TEXT)];
    let events = events(&without_wide_tables(text));
    let mut written = String::new();
    html::push_html(&mut written, events.into_iter());
    sanitize(&written, place)
}

fn events(text: &str) -> Vec<Event<'static>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut nesting = Nesting::default();
    for event in Parser::new_ext(text, options).take(MAX_EVENTS) {
        nesting.add(event.into_static());
    }
    let mut events = nesting.end();
    name_headings(&mut events);
    events
}

/// Every row of a table gets as many cells as its header has, so a wide header makes a small text a
/// large page.
fn without_wide_tables(text: &str) -> Cow<'_, str> {
    let is_wide = |line: &str| {
        let bars = line.bytes().filter(|byte| *byte == b'|').count();
        bars > MAX_COLUMNS
            && line
                .bytes()
                .all(|byte| matches!(byte, b'|' | b'-' | b':' | b' ' | b'\t' | b'>' | b'\r'))
    };
    if !text.lines().any(is_wide) {
        return Cow::Borrowed(text);
    }
    let lines = text.lines().filter(|line| !is_wide(line)).flat_map(|line| [line, "\n"]);
    Cow::Owned(lines.collect())
}

/// Gives headings the names that links within a README use.
fn name_headings(events: &mut [Event<'static>]) {
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut start = None;
    for index in 0..events.len() {
        match &events[index] {
            Event::Start(Tag::Heading { .. }) => start = Some(index),
            Event::End(TagEnd::Heading(_)) => {
                let Some(start) = start.take() else { continue };
                let mut name = anchor(&events[start..index]);
                let count = used.entry(name.clone()).or_default();
                if *count > 0 {
                    name = format!("{name}-{count}");
                }
                *count += 1;
                if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                    *id = Some(name.into());
                }
            }
            _ => {}
        }
    }
}

fn anchor(events: &[Event<'_>]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    let text = texts.collect::<String>().to_lowercase();
    let shown = text.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    shown.map(|c| if c == ' ' { '-' } else { c }).take(100).collect()
}

static SANITIZER: LazyLock<fn() -> Builder<'static>> = LazyLock::new(|| {
    || {
        let mut builder = Builder::default();
        builder
            .url_schemes(["http", "https", "mailto"].into())
            .url_relative(UrlRelative::PassThrough)
            .link_rel(Some("nofollow noopener noreferrer"))
            .id_prefix(Some(ANCHOR))
            .rm_tags(["map", "area"])
            .add_tag_attributes("details", ["open"]);
        for heading in ["h1", "h2", "h3", "h4", "h5", "h6"] {
            builder.add_tag_attributes(heading, ["id", "align"]);
        }
        for block in ["p", "div"] {
            builder.add_tag_attributes(block, ["align"]);
        }
        builder
    }
});

fn sanitize(html: &str, place: Place) -> String {
    let mut builder = SANITIZER();
    builder.attribute_filter(move |element, attribute, value| match (element, attribute) {
        ("img", "src") => place.image(value),
        (_, "href" | "cite") => place.link(value),
        _ => Some(value.into()),
    });
    builder.clean(html).to_string()
}

impl Place {
    fn image<'a>(&self, url: &'a str) -> Option<Cow<'a, str>> {
        match self {
            Self::Api => is_absolute(url).then(|| url.into()),
            Self::Comment => (!is_absolute(url) && url.starts_with('/')).then(|| url.into()),
            Self::Folder(folder) => {
                if is_absolute(url) {
                    return None;
                }
                folder.url("resolve", url).map(Cow::Owned)
            }
        }
    }

    fn link<'a>(&self, url: &'a str) -> Option<Cow<'a, str>> {
        if let Some(name) = url.strip_prefix('#') {
            return Some(format!("#{ANCHOR}{}", name.to_lowercase()).into());
        }
        if is_absolute(url) || url.starts_with("mailto:") {
            return Some(url.into());
        }
        match self {
            Self::Api => None,
            Self::Comment => url.starts_with('/').then(|| url.into()),
            Self::Folder(folder) => folder.url("blob", url).map(Cow::Owned),
        }
    }
}

/// Whether a URL may lead to another server.
fn is_absolute(url: &str) -> bool {
    let is_foreign = |text: &str| text.contains("://") || text.starts_with("//");
    is_foreign(url) || is_foreign(&url.replace('\\', "/"))
}

impl Folder {
    /// Returns the URL of a path that is relative to the folder.
    fn url(&self, view: &str, relative: &str) -> Option<String> {
        use super::response::PATH_SET;
        use percent_encoding::utf8_percent_encode;

        let end = relative.find(['?', '#']).unwrap_or(relative.len());
        let (path, rest) = relative.split_at(end);
        let path = percent_decode_str(path).decode_utf8().ok()?;
        if path.contains([':', '\\']) {
            return None;
        }
        // A path of this Hub, such as that of another repository.
        if path.starts_with('/') {
            return Some(format!("{}{rest}", utf8_percent_encode(&path, PATH_SET)));
        }
        let mut names = self.path.split('/').filter(|name| !name.is_empty()).collect::<Vec<_>>();
        for name in path.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()?),
                name => names.push(name),
            }
        }
        let path = names.join("/");
        let path = utf8_percent_encode(&path, PATH_SET);
        Some(format!("{}/{view}/{}/{path}{rest}", self.page, self.revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> Place {
        Place::Folder(Folder { page: "/a/r".into(), revision: "main".into(), path: "docs".into() })
    }

    fn shown(text: &str) -> String {
        html(text, folder())
    }

    #[test]
    fn writes_what_readmes_use() {
        for (text, expected) in [
            ("---\nlicense: mit\n---\n# A b", "<h1 id=\"user-content-a-b\">A b</h1>"),
            ("# X\n# X", "<h1 id=\"user-content-x\">X</h1>\n<h1 id=\"user-content-x-1\">X</h1>"),
            ("a **b** ~~c~~ `d`", "<p>a <strong>b</strong> <del>c</del> <code>d</code></p>"),
            ("- [x] done\n- [ ] open", "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>"),
            ("a<br>b <kbd>c</kbd>", "<p>a<br>b <kbd>c</kbd></p>"),
            (
                "<div align=\"center\">\n\n**b**\n\n</div>",
                "<div align=\"center\">\n<p><strong>b</strong></p>\n</div>",
            ),
            ("<b>never closed\n\nnext", "<p><b>never closed</b></p>\n<p>next</p>"),
            ("a </b> < b", "<p>a  &lt; b</p>"),
        ] {
            assert_eq!(shown(text).trim(), expected, "{text}");
        }
        let table = shown("|a|b|\n|:-|-|\n|1|2|");
        assert!(table.contains("<td>1</td>") || table.contains(">1</td>"), "{table}");
    }

    #[test]
    fn links_lead_to_the_repository() {
        let rel = "rel=\"nofollow noopener noreferrer\"";
        for (text, url) in [
            ("[x](a.md)", "/a/r/blob/main/docs/a.md"),
            ("[x](../b%20c.md?x=1#y)", "/a/r/blob/main/b%20c.md?x=1#y"),
            ("[x](/other/repo)", "/other/repo"),
            ("[x](#Some-Part)", "#user-content-some-part"),
            ("[x](https://e.com/a)", "https://e.com/a"),
            ("<x@y.z>", "mailto:x@y.z"),
            ("[x](<a\"b.md>)", "/a/r/blob/main/docs/a%22b.md"),
        ] {
            let shown = shown(text);
            assert!(shown.contains(&format!("href=\"{url}\" {rel}")), "{text}: {shown}");
        }
        assert!(
            shown("![x](a.png)").contains("<img src=\"/a/r/resolve/main/docs/a.png\" alt=\"x\">")
        );
        assert!(html("[x](a.md)", Place::Api).contains("<a rel="));
        assert!(
            html("![x](https://e.com/a.png)", Place::Api).contains("src=\"https://e.com/a.png\"")
        );
    }

    #[test]
    fn nothing_is_executed_or_loaded_from_elsewhere() {
        for text in [
            "<script>alert(1)</script>",
            "<SCRIPT\n>alert(1)",
            "<scr<script>ipt>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<img src='https://evil.example/x.png'>",
            "<img src=\"//evil.example/x.png\">",
            "<img src=\"/\\evil.example/x.png\">",
            "<img src=\"\\\\evil.example/x.png\">",
            "<img srcset=\"https://evil.example/x.png 1x\" src=a.png>",
            "![x](https://evil.example/x.png)",
            "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
            "[x](javascript:alert(1))",
            "[x](java&#10;script:alert(1))",
            "<a href=\"jav\tascript:alert(1)\">x</a>",
            "<a href=\"vbscript:x\" onclick=alert(1) style=\"position:fixed\">x</a>",
            "<svg onload=alert(1)><a xlink:href=\"javascript:alert(1)\">x</a></svg>",
            "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
            "<style>*{display:none}</style>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<object data=x></object><embed src=x><base href=\"//evil.example\">",
            "<form action=\"https://evil.example\"><input name=password><button>x</button></form>",
            "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
            "<link rel=stylesheet href=\"https://evil.example/x.css\">",
            "<video src=\"https://evil.example\" autoplay></video><audio src=x></audio>",
            "<details ontoggle=alert(1) open>x</details>",
            "<p id=x class=y style=z data-a=b>x</p>",
            "<!-- --><!--><img src=x onerror=alert(1)>-->",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\"></noscript>",
            "<textarea></p><img src=x onerror=alert(1)></textarea>",
            "<img alt=\"`<img src=x onerror=alert(1)>`\">",
            "<![CDATA[<img src=x onerror=alert(1)>]]>",
            "<?php <img src=x onerror=alert(1)> ?>",
            "<a title='\"><img src=x onerror=alert(1)>' href=x>y</a>",
        ] {
            let shown = shown(text);
            for tag in shown.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap();
                let is_known = ["p", "img", "a", "details", "code", "b"].contains(&name);
                assert!(is_known, "{text}: {shown}");
                // Names of attributes and values take turns.
                let parts = tag.split('"').collect::<Vec<_>>();
                for pair in parts.chunks(2) {
                    let attribute = pair[0].split(' ').next_back().unwrap();
                    let attribute = attribute.trim_end_matches('=');
                    let is_text = ["alt", "title", "rel"].contains(&attribute);
                    let is_link = ["href", "src"].contains(&attribute)
                        && (pair[1].starts_with('/') && !pair[1].starts_with("//"));
                    let is_plain = pair.len() == 1 || attribute == "open";
                    assert!(is_text || is_link || is_plain, "{text}: {shown}");
                }
                assert!(parts.len() > 1 || !tag.contains('='), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn no_text_takes_long_or_much_memory() {
        let n = MAX_TEXT;
        let table =
            format!("{}\n{}\n{}", "|a".repeat(n / 8), "|-".repeat(n / 8), "|\n".repeat(n / 8));
        let narrow = format!("{}\n{}\n{}", "|a".repeat(150), "|-".repeat(150), "|\n".repeat(n / 4));
        for text in [
            "> ".repeat(n / 2),
            "- ".repeat(n / 2),
            "1. ".repeat(n / 3),
            "*a ".repeat(n / 3),
            "[".repeat(n),
            "![".repeat(n / 2),
            "`a".repeat(n / 2),
            "<div>".repeat(n / 5),
            "<b><i>".repeat(n / 6),
            "<b a=1><p>".repeat(n / 10),
            "<a><table>".repeat(n / 10),
            "<".repeat(n),
            "<a ".repeat(n / 3),
            "<!--".repeat(n / 4),
            "<script>".repeat(n / 8),
            "a\n".repeat(n / 2),
            "# a\n".repeat(n / 4),
            "\\".repeat(n),
            "&amp;".repeat(n / 5),
            "[a](b".repeat(n / 5),
            "x".repeat(10 * n),
            table,
            narrow,
        ] {
            let shown = shown(&text);
            let start = &text[..20.min(text.len())];
            assert!(shown.len() < 12 * n, "{start}: {}", shown.len());
        }
    }
}
