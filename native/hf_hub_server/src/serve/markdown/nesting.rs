//! Elements that end where they should, and do not lie too deep in others.
//!
//! Parsers of HTML take a time that grows with the square of the depth, and repeat elements that
//! overlap. So the HTML in a text is taken apart here and nested properly.

use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

use super::tags::{Token, tokens};

/// Maximum number of elements around another one.
const MAX_DEPTH: usize = 64;

/// An open element.
enum Open {
    /// Of Markdown; whether it is written.
    Markdown(bool),
    /// A tag in the text.
    Tag(&'static str),
}

/// The events of a text, nested properly.
#[derive(Default)]
pub(super) struct Nesting {
    open: Vec<Open>,
    /// The number of open elements that are written.
    depth: usize,
    events: Vec<Event<'static>>,
    /// HTML that may go on in the next event.
    html: String,
}

impl Nesting {
    /// Adds an event.
    pub(super) fn add(&mut self, event: Event<'static>) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => self.html.push_str(&html),
            event => {
                self.flush();
                self.add_markdown(event);
            }
        }
    }

    /// Returns all events, and ends what is open.
    pub(super) fn end(mut self) -> Vec<Event<'static>> {
        self.flush();
        while let Some(open) = self.open.pop() {
            // Markdown that was cut off has no end, which its writer accepts.
            if let Open::Tag(name) = open {
                self.write_end(name);
            }
        }
        self.events
    }

    fn add_markdown(&mut self, event: Event<'static>) {
        match event {
            // Its elements may go on in the Markdown after it.
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(_) => {
                let is_written = self.depth < MAX_DEPTH;
                self.open.push(Open::Markdown(is_written));
                if is_written {
                    self.depth += 1;
                    self.events.push(event);
                }
            }
            Event::End(_) => {
                while let Some(open) = self.open.pop() {
                    match open {
                        Open::Tag(name) => self.write_end(name),
                        Open::Markdown(is_written) => {
                            if is_written {
                                self.depth -= 1;
                                self.events.push(event);
                            }
                            break;
                        }
                    }
                }
            }
            Event::TaskListMarker(is_done) => {
                self.events.push(Event::Text(if is_done { "☑ " } else { "☐ " }.into()));
            }
            event => self.events.push(event),
        }
    }

    fn flush(&mut self) {
        let html = std::mem::take(&mut self.html);
        for token in tokens(&html) {
            match token {
                Token::Text(html) | Token::Void(html) => self.write(html),
                Token::Start(name, tag) => {
                    if self.depth < MAX_DEPTH {
                        self.depth += 1;
                        self.open.push(Open::Tag(name));
                        self.write(tag);
                    }
                }
                Token::End(name) => self.close(name),
            }
        }
    }

    /// Ends an element, unless it is not open or lies around the Markdown here.
    fn close(&mut self, name: &str) {
        let mut tags = self.open.iter().rev().take_while(|open| matches!(open, Open::Tag(_)));
        if !tags.any(|open| matches!(open, Open::Tag(open) if *open == name)) {
            return;
        }
        while let Some(Open::Tag(open)) = self.open.pop() {
            self.write_end(open);
            if open == name {
                return;
            }
        }
    }

    fn write_end(&mut self, name: &str) {
        self.depth -= 1;
        self.write(format!("</{name}>"));
    }

    fn write(&mut self, html: String) {
        self.events.push(Event::InlineHtml(CowStr::from(html)));
    }
}
