//! Parses YAML into values, and records where each entry of the outermost mapping begins.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, StructureStyle, Tag};

use super::{
    MAX_DEPTH, MAX_YAML, invalid, scalar,
    value::{Map, Value},
};
use crate::base::error::{Error, Result};

/// The metadata, and its layout.
pub(super) struct Document {
    /// The names and values.
    pub(super) data: Map,
    /// The entries of the outermost mapping; `None` if they share lines, as in braces.
    pub(super) entries: Option<Vec<Entry>>,
}

/// An entry of the outermost mapping.
pub(super) struct Entry {
    /// The line of its name, from 1.
    pub(super) line: usize,
    /// The name that it sets, or the names that a merge (`<<`) adds.
    pub(super) names: Vec<String>,
    /// Whether it is a merge.
    pub(super) is_merge: bool,
    /// The anchors in it.
    pub(super) anchors: Vec<usize>,
    /// The anchors that its aliases refer to.
    pub(super) aliases: Vec<usize>,
}

/// Parses metadata. `lines_before` is the number of lines of the README before it.
pub(super) fn read(yaml: &str, lines_before: usize) -> Result<Document> {
    if yaml.len() > MAX_YAML {
        return Err(invalid(&format!("it has more than {MAX_YAML} bytes")));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    let events = Parser::new_from_str_with_options(yaml, options);
    let reader = Reader {
        events,
        lines_before,
        anchors: HashMap::new(),
        expanded: 0,
        depth: 0,
        entry: Default::default(),
    };
    reader.document()
}

struct Anchored {
    value: Value,
    depth: usize,
    weight: usize,
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    lines_before: usize,
    anchors: HashMap<usize, Anchored>,
    /// Number of bytes that aliases have added.
    expanded: usize,
    depth: usize,
    entry: (Vec<usize>, Vec<usize>),
}

type Node<'a> = (Event<'a>, Span);

impl<'a> Reader<'a> {
    fn document(mut self) -> Result<Document> {
        let mut document = Document { data: Map::new(), entries: None };
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart => {}
                Event::DocumentStart(..) => break,
                Event::StreamEnd => return Ok(document),
                _ => return Err(self.unexpected(&span)),
            }
        }
        let (event, span) = self.next()?;
        match event {
            Event::MappingStart(style, id, _) => {
                let mut entries = Vec::new();
                document.data = self.mapping(Some(&mut entries))?;
                // An alias of the whole document would contain itself.
                let apart = style == StructureStyle::Block && id == 0 && begin_lines(&entries);
                document.entries = apart.then_some(entries);
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) if scalar::is_null(&text) => {}
            _ => {
                return Err(self.error(&span, "expected names with values, such as `license: mit`"));
            }
        }
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(document),
                _ => return Err(self.error(&span, "unexpected second document")),
            }
        }
    }

    fn next(&mut self) -> Result<Node<'a>> {
        match self.events.next() {
            Some(Ok(node)) => Ok(node),
            Some(Err(error)) => {
                let line = error.marker().line() + self.lines_before;
                Err(invalid(&format!("line {line}: {}", error.info())))
            }
            None => Err(invalid("unexpected end")),
        }
    }

    fn error(&self, span: &Span, what: &str) -> Error {
        invalid(&format!("line {}: {what}", span.start.line() + self.lines_before))
    }

    fn unexpected(&self, span: &Span) -> Error {
        self.error(span, "expected a value")
    }

    fn value(&mut self, (event, span): Node<'a>) -> Result<Value> {
        let (value, id) = match event {
            Event::Alias(id) => return self.alias(id, &span),
            Event::Scalar(text, style, id, tag) => (resolve(&text, style, tag.as_deref()), id),
            Event::SequenceStart(_, id, _) => {
                self.enter(&span, 0)?;
                (Value::List(self.sequence()?), id)
            }
            Event::MappingStart(_, id, _) => {
                self.enter(&span, 0)?;
                (Value::Map(self.mapping(None)?), id)
            }
            _ => return Err(self.unexpected(&span)),
        };
        if matches!(value, Value::List(_) | Value::Map(_)) {
            self.depth -= 1;
        }
        self.keep(id, &value);
        Ok(value)
    }

    fn enter(&mut self, span: &Span, inner: usize) -> Result<()> {
        if self.depth + inner >= MAX_DEPTH {
            return Err(self.error(span, &format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        Ok(())
    }

    /// Stores a value that has an anchor.
    fn keep(&mut self, id: usize, value: &Value) {
        if id != 0 {
            self.entry.0.push(id);
            let (depth, weight) = (value.depth(), value.weight());
            self.anchors.insert(id, Anchored { value: value.clone(), depth, weight });
        }
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Value> {
        self.entry.1.push(id);
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(self.error(span, "an alias refers to a value that contains it"));
        };
        if self.depth + anchored.depth > MAX_DEPTH {
            return Err(self.error(span, &format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.expanded += anchored.weight;
        if self.expanded > MAX_YAML {
            return Err(self.error(span, &format!("its aliases add more than {MAX_YAML} bytes")));
        }
        Ok(anchored.value.clone())
    }

    fn sequence(&mut self) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                node => items.push(self.value(node)?),
            }
        }
    }

    /// Parses the entries of a mapping, up to its end; explicit ones override merged ones.
    fn mapping(&mut self, mut entries: Option<&mut Vec<Entry>>) -> Result<Map> {
        let (mut map, mut lines, mut merged) = (Map::new(), Vec::new(), Map::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let line = span.start.line();
            if entries.is_some() {
                self.entry = Default::default();
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let names = if is_merge {
                self.merge(&span, &mut merged)?
            } else {
                let name = self.name((event, span))?;
                if let Some(first) = map.get_index_of(&name) {
                    return Err(self.repeated(&span, &name, lines[first]));
                }
                let node = self.next()?;
                let value = self.value(node)?;
                map.insert(name.clone(), value);
                lines.push(line);
                vec![name]
            };
            if let Some(entries) = &mut entries {
                let (anchors, aliases) = std::mem::take(&mut self.entry);
                entries.push(Entry { line, names, is_merge, anchors, aliases });
            }
        }
        for (name, value) in merged {
            map.entry(name).or_insert(value);
        }
        Ok(map)
    }

    fn repeated(&self, span: &Span, name: &str, first: usize) -> Error {
        let first = first + self.lines_before;
        self.error(span, &format!("duplicate key {name:?}: already on line {first}"))
    }

    fn name(&mut self, (event, span): Node<'a>) -> Result<String> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, None) if scalar::is_null(&text) => {
                let message =
                    format!("the key {text:?} is null: write a name, or put it in quotes");
                Err(self.error(&span, &message))
            }
            Event::Scalar(text, _, id, _) => {
                self.keep(id, &Value::Text(text.clone().into_owned()));
                Ok(text.into_owned())
            }
            Event::Alias(id) => match self.alias(id, &span)? {
                Value::Text(name) => Ok(name),
                _ => Err(self.error(&span, "a key is an alias of a value that is not text")),
            },
            _ => Err(self.error(&span, "a key is a list or a mapping, expected a text")),
        }
    }

    /// Adds the entries of a `<<` key, and returns their names.
    fn merge(&mut self, span: &Span, merged: &mut Map) -> Result<Vec<String>> {
        let node = self.next()?;
        let maps = match self.value(node)? {
            Value::Map(map) => vec![Value::Map(map)],
            Value::List(maps) => maps,
            _ => vec![Value::Null],
        };
        let mut names = Vec::new();
        for map in maps {
            let Value::Map(map) = map else {
                return Err(self.error(span, "the key \"<<\" merges mappings only"));
            };
            names.extend(map.keys().cloned());
            for (name, value) in map {
                merged.entry(name).or_insert(value);
            }
        }
        Ok(names)
    }
}

/// Whether each entry begins on a line of its own.
fn begin_lines(entries: &[Entry]) -> bool {
    entries.is_sorted_by(|a, b| a.line < b.line)
}

fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match (tag, tag.and_then(Tag::core_suffix)) {
        (Some(_), Some("int" | "bool" | "null")) => scalar::plain(text),
        (Some(_), Some("float")) => match scalar::plain(text) {
            Value::Integer(number) => scalar::plain(&format!("{number}.0")),
            value => value,
        },
        (None, _) if style == ScalarStyle::Plain => scalar::plain(text),
        _ => Value::Text(text.to_owned()),
    }
}
