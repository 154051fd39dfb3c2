//! Parses bytes into events, however they are split.

use crate::base::error::{Error, ErrorKind, Result};

/// Maximum size of an event, in bytes.
const LONGEST: usize = 16 << 20;

/// The format of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `text/event-stream`, as the HTML standard defines it.
    ServerSent,
    /// One JSON value per line, as NDJSON.
    Lines,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// The id to continue after, if the server sent one.
    pub id: Option<String>,
    /// The type; `None` means `message`.
    #[serde(rename = "event")]
    pub name: Option<String>,
    /// The text.
    #[serde(skip)]
    pub data: String,
    /// When the server began to respond, in seconds since 1970, if the response has a date.
    pub opened_at: Option<u64>,
}

/// Collects bytes until they form an event.
#[derive(Debug)]
pub(super) struct Parser {
    format: Format,
    bytes: Vec<u8>,
    /// How much of `bytes` has been returned.
    read: usize,
    /// How much has been searched for the end of a line, so that a long line is not searched again
    /// with each push.
    searched: usize,
    started: bool,
    /// Whether the last line ended in `\r`; a following `\n` belongs to it.
    after_return: bool,
    event: Event,
    has_data: bool,
    /// How long a client should wait before it reconnects, in milliseconds.
    pub(super) retry: Option<u64>,
}

impl Parser {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            bytes: Vec::new(),
            read: 0,
            searched: 0,
            started: false,
            after_return: false,
            event: Event::default(),
            has_data: false,
            retry: None,
        }
    }

    /// Adds bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.drain(..self.read);
        (self.read, self.searched) = (0, self.searched.saturating_sub(self.read));
        if self.bytes.len() + self.event.data.len() + bytes.len() > LONGEST {
            let message = format!("the server sent an event of more than {LONGEST} bytes");
            return Err(Error::new(ErrorKind::InvalidResponse, message));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Returns the next complete event.
    pub(super) fn next(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if let Some(event) = self.take(&line) {
                return Some(event);
            }
        }
        None
    }

    /// Returns what the end of the stream completes: a last line without a line break, but not a
    /// partial event.
    pub(super) fn finish(&mut self) -> Option<Event> {
        let rest = self.bytes.split_off(self.read);
        (self.format == Format::Lines).then(|| value(&String::from_utf8_lossy(&rest))).flatten()
    }

    /// Returns the next complete line without its end: `\n`, `\r\n` or, between events, `\r`.
    fn line(&mut self) -> Option<String> {
        if self.after_return && self.bytes.get(self.read) == Some(&b'\n') {
            self.read += 1;
        }
        self.after_return &= self.read == self.bytes.len();
        let ends =
            |byte: &u8| *byte == b'\n' || (self.format == Format::ServerSent && *byte == b'\r');
        let from = self.searched.max(self.read);
        self.searched = self.bytes.len();
        let end = from + self.bytes[from..].iter().position(ends)?;
        self.searched = end + 1;
        self.after_return = self.bytes[end] == b'\r';
        let mut line = &self.bytes[self.read..end];
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        let line = String::from_utf8_lossy(line).into_owned();
        self.read = end + 1;
        Some(line)
    }

    fn take(&mut self, line: &str) -> Option<Event> {
        if self.format == Format::Lines {
            return value(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.name = Some(value.to_owned()).filter(|name| !name.is_empty()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().or(self.retry),
            // A comment, or an unknown field.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        // The id remains valid for the following events.
        let next = Event { id: self.event.id.clone(), ..Event::default() };
        let event = std::mem::replace(&mut self.event, next);
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

fn value(line: &str) -> Option<Event> {
    let line = line.trim();
    (!line.is_empty()).then(|| Event { data: line.to_owned(), ..Event::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(format: Format, text: &[u8], piece: usize) -> Vec<Event> {
        let mut parser = Parser::new(format);
        let mut events = Vec::new();
        for bytes in text.chunks(piece) {
            parser.push(bytes).unwrap();
            events.extend(std::iter::from_fn(|| parser.next()));
        }
        events.extend(parser.finish());
        events
    }

    fn event(id: Option<&str>, name: Option<&str>, data: &str) -> Event {
        let [id, name] = [id, name].map(|text| text.map(str::to_owned));
        Event { id, name, data: data.to_owned(), opened_at: None }
    }

    #[test]
    fn events_do_not_depend_on_chunks_or_line_endings() {
        let text = "\u{feff}: hello\ndata: one\n\nevent: log\nid: 7\ndata:two\ndata:  zwei\nretry: 20\n\n\
                    data\n\nevent: empty\n\nid: a\0b\nunknown: x\ndata: ünï\n\ndata: unfinished";
        let expected = [
            event(None, None, "one"),
            event(Some("7"), Some("log"), "two\n zwei"),
            event(Some("7"), None, ""),
            event(Some("7"), None, "ünï"),
        ];
        for end in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', end);
            for piece in 1..=text.len() {
                let events = parse(Format::ServerSent, text.as_bytes(), piece);
                assert_eq!(events, expected, "{end:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_long_line_is_searched_once() {
        // Searched again with each piece, it would take minutes.
        let line = vec![b'1'; LONGEST - 1];
        let mut parser = Parser::new(Format::Lines);
        for piece in line.chunks(1 << 10) {
            parser.push(piece).unwrap();
            assert!(parser.next().is_none());
        }
        parser.push(b"\n").unwrap();
        assert_eq!(parser.next().unwrap().data.len(), line.len());
    }

    #[test]
    fn each_line_is_a_value_and_the_last_needs_no_line_break() {
        let text = b"{\"a\":1}\r\n\n  \n{\"b\": \"\rx\"}\n[3]";
        for piece in 1..=text.len() {
            let data: Vec<_> =
                parse(Format::Lines, text, piece).into_iter().map(|e| e.data).collect();
            assert_eq!(data, ["{\"a\":1}", "{\"b\": \"\rx\"}", "[3]"]);
        }
    }

    #[test]
    fn rejects_an_event_without_end() {
        for line in
            [&b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"[..], b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]
        {
            let mut parser = Parser::new(Format::ServerSent);
            let piece = line.repeat(1 << 15);
            let refused = (0..64).any(|_| {
                let refused = parser.push(&piece).is_err();
                assert!(parser.next().is_none());
                refused
            });
            assert!(refused);
        }
    }
}
