//! Reads tables of comma-separated values. Their columns have the types that the Python library
//! `datasets` gives them, which reads them with pandas, from the first [`INFERRED`] rows.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use ::csv::{ByteRecord, Reader, ReaderBuilder};
use bytes::Bytes;

use crate::{
    base::sizes,
    formats::dataset::{
        Broken, ROW_BYTES, Table, Wanted, batch, source,
        value::{self, Column, Field, Kind, Value},
    },
};

/// Number of rows, and of their bytes, that decide on the types of columns.
const INFERRED: usize = 10_000;
const INFERRED_BYTES: usize = 64 << 20;

/// Maximum number of columns.
const MAX_COLUMNS: usize = 100_000;
/// Maximum number of bytes of the header: each of them may be a column.
const HEADER_BYTES: usize = 16 << 20;

/// What pandas takes for no value.
const ABSENT: [&[u8]; 18] = [
    b"",
    b"#N/A",
    b"#N/A N/A",
    b"#NA",
    b"-1.#IND",
    b"-1.#QNAN",
    b"-NaN",
    b"-nan",
    b"1.#IND",
    b"1.#QNAN",
    b"<NA>",
    b"N/A",
    b"NA",
    b"NULL",
    b"NaN",
    b"None",
    b"n/a",
    b"nan",
];
const NULL: &[u8] = b"null";

/// An open table.
pub(super) struct Csv {
    rows: Records,
    fields: Vec<Field>,
    /// The position of each field in a row.
    positions: Vec<usize>,
    /// Rows that were read to find the types.
    first: std::vec::IntoIter<(u64, ByteRecord)>,
}

impl Csv {
    pub(super) fn open(
        from: Box<dyn Read + Send>,
        delimiter: u8,
        wanted: &Wanted<'_>,
    ) -> Result<Self, Broken> {
        let mut rows = Records::new(from, delimiter)?;
        let positions = wanted.positions(&rows.names)?;
        let mut first = Vec::new();
        let mut bytes = 0;
        if wanted.fields.is_none() {
            while first.len() < INFERRED && bytes < INFERRED_BYTES {
                let Some(row) = rows.next()? else { break };
                bytes += row.1.as_slice().len();
                first.push(row);
            }
        }
        let named = |(at, position): (usize, &usize)| {
            let name = rows.names[*position].clone();
            let known = wanted.fields.and_then(|fields| fields.get(at));
            let kind = known.map_or_else(|| infer(&first, *position), |field| field.kind.clone());
            Field { name, kind }
        };
        let fields = positions.iter().enumerate().map(named).collect();
        Ok(Self { rows, fields, positions, first: first.into_iter() })
    }

    fn row(&mut self) -> Result<Option<(u64, ByteRecord)>, Broken> {
        match self.first.next() {
            Some(row) => Ok(Some(row)),
            None => self.rows.next(),
        }
    }
}

impl Table for Csv {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn next(&mut self) -> Result<Option<Vec<Column>>, Broken> {
        batch(self.fields.len(), |columns| {
            let Some((line, row)) = self.row()? else { return Ok(None) };
            for ((field, position), column) in self.fields.iter().zip(&self.positions).zip(columns)
            {
                let text = row.get(*position).unwrap_or_default();
                column.push(parsed(text, &field.kind).ok_or_else(|| unlike(text, field, line))?);
            }
            Ok(Some(row.as_slice().len()))
        })
    }
}

fn unlike(text: &[u8], field: &Field, line: u64) -> Broken {
    let shown: String = String::from_utf8_lossy(text).chars().take(40).collect();
    let expected = match field.kind {
        Kind::String => "UTF-8",
        Kind::Boolean => "true or false",
        Kind::Float(_) => "a number",
        _ => "an integer",
    };
    Broken::Content(format!(
        "line {line}: column {:?}: expected {expected}, as in the first rows, got {shown:?}",
        field.name
    ))
}

fn is_absent(text: &[u8]) -> bool {
    // The longest of them has 9 bytes.
    text.len() < 10 && (text == NULL || ABSENT.contains(&text))
}

/// Returns the type that fits the values of a column.
fn infer(rows: &[(u64, ByteRecord)], position: usize) -> Kind {
    let values = || rows.iter().filter_map(|(_, row)| row.get(position));
    let present = || values().filter(|text| !is_absent(text));
    let is_complete =
        rows.iter().all(|(_, row)| row.get(position).is_some_and(|text| !is_absent(text)));
    if present().next().is_none() {
        return Kind::Float(64);
    }
    if present().all(|text| boolean(text).is_some()) {
        return Kind::Boolean;
    }
    if present().all(|text| number::<i64>(text).is_some()) {
        // pandas has no integers that may be absent.
        return if is_complete { Kind::Signed(64) } else { Kind::Float(64) };
    }
    if present().all(is_integer) {
        let is_unsigned = is_complete && present().all(|text| number::<u64>(text).is_some());
        return if is_unsigned { Kind::Unsigned(64) } else { Kind::String };
    }
    if present().all(|text| number::<f64>(text).is_some()) {
        return Kind::Float(64);
    }
    Kind::String
}

/// Returns the value of a text; `None` if it is not one of that type.
fn parsed(text: &[u8], kind: &Kind) -> Option<Value> {
    if is_absent(text) {
        return Some(Value::Null);
    }
    match kind {
        Kind::Boolean => boolean(text).map(Value::Boolean),
        Kind::Signed(_) => whole(text).map(Value::Signed),
        Kind::Unsigned(_) => number(text).map(Value::Unsigned),
        Kind::Float(_) => number(text).map(Value::Float),
        _ => std::str::from_utf8(text).ok().map(|_| Value::Bytes(Bytes::copy_from_slice(text))),
    }
}

fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"True" | b"TRUE" | b"true" => Some(true),
        b"False" | b"FALSE" | b"false" => Some(false),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// An integer, or a float that is one.
fn whole(text: &[u8]) -> Option<i64> {
    number(text).or_else(|| number(text).and_then(value::whole))
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.trim_ascii();
    let digits = digits.strip_prefix(b"-").or(digits.strip_prefix(b"+")).unwrap_or(digits);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// The rows of a table after its header, with their lines.
struct Records {
    reader: Reader<Limited>,
    left: Arc<AtomicUsize>,
    names: Vec<String>,
}

impl Records {
    fn new(from: Box<dyn Read + Send>, delimiter: u8) -> Result<Self, Broken> {
        let left = Arc::new(AtomicUsize::new(HEADER_BYTES));
        let from = Limited { from, left: left.clone() };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(64 << 10)
            .from_reader(from);
        let mut rows = Self { reader, left, names: Vec::new() };
        let (_, header) = rows.record(HEADER_BYTES)?.ok_or_else(|| "it is empty".to_owned())?;
        rows.names = names(&header)?;
        Ok(rows)
    }

    fn next(&mut self) -> Result<Option<(u64, ByteRecord)>, Broken> {
        let Some((line, row)) = self.record(ROW_BYTES)? else { return Ok(None) };
        let (most, got) = (self.names.len(), row.len());
        if got > most {
            let names = sizes::counted(most as u64, "names");
            return Err(
                format!("line {line}: it has {got} values, and the header has {names}").into()
            );
        }
        Ok(Some((line, row)))
    }

    fn record(&mut self, most: usize) -> Result<Option<(u64, ByteRecord)>, Broken> {
        self.left.store(most, Relaxed);
        let line = self.reader.position().line();
        let mut row = ByteRecord::new();
        match self.reader.read_byte_record(&mut row) {
            Ok(true) => Ok(Some((row.position().map_or(line, ::csv::Position::line), row))),
            Ok(false) => Ok(None),
            Err(error) => Err(match error.into_kind() {
                ::csv::ErrorKind::Io(error) => source::broken(error),
                other => Broken::Content(format!("line {line}: {other:?}")),
            }),
        }
    }
}

/// Returns the names in a header. Names of their own are given as pandas does: to a column without
/// a name, and to one whose name another has.
fn names(header: &ByteRecord) -> Result<Vec<String>, Broken> {
    if header.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns").into());
    }
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (at, name) in header.iter().enumerate() {
        let name = name.strip_prefix(b"\xef\xbb\xbf").filter(|_| at == 0).unwrap_or(name);
        let name = std::str::from_utf8(name).map_err(|_| "its header is not UTF-8".to_owned())?;
        names.push(if name.is_empty() { format!("Unnamed: {at}") } else { name.to_owned() });
    }
    let mut all: HashSet<String> = names.iter().cloned().collect();
    // How often a name was given, so that no number is tried twice.
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in &mut names {
        let count = counts.entry(name.clone()).or_insert(0);
        let given = name.clone();
        while *count > 0 && all.contains(name) {
            *name = format!("{given}.{count}");
            *count += 1;
        }
        if *name == given {
            *count = 1;
        } else {
            counts.insert(name.clone(), 1);
            all.insert(name.clone());
        }
    }
    Ok(names)
}

/// A reader that fails after too many bytes of one row: an open quote would take in the whole file.
struct Limited {
    from: Box<dyn Read + Send>,
    left: Arc<AtomicUsize>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Relaxed);
        if left == 0 {
            return Err(io::Error::other("a row has too many bytes; a quote may not be closed"));
        }
        let length = buffer.len().min(left);
        let read = self.from.read(&mut buffer[..length])?;
        self.left.store(left - read, Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_pandas() {
        let given = |names: &[&str]| names_of(&ByteRecord::from(names.to_vec()));
        assert_eq!(given(&["a", "a", "a.1"]), ["a", "a.2", "a.1"]);
        assert_eq!(given(&["a", "", "a", "a"]), ["a", "Unnamed: 1", "a.1", "a.2"]);
        let many = given(&vec!["a"; MAX_COLUMNS]);
        assert_eq!(many.last().unwrap(), "a.99999");
        assert!(names(&ByteRecord::from(vec![""; MAX_COLUMNS + 1])).is_err());
    }

    fn names_of(header: &ByteRecord) -> Vec<String> {
        names(header).unwrap_or_else(|_| panic!("the names are right"))
    }
}
