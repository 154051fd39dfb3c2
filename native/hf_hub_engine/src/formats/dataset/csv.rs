//! Reads tables of comma-separated values. Their columns have the types that the Python library
//! `datasets` gives them, which reads them with pandas, from the first [`INFERRED`] rows.

mod records;

use std::{
    collections::{HashMap, HashSet},
    io::Read,
};

use bytes::Bytes;

use crate::formats::dataset::{
    Broken, MAX_COLUMNS, Table, Wanted, batch,
    csv::records::{Most, Records, Row},
    value::{self, Column, Field, Kind, Value},
};

/// Number of rows, and of their bytes, that decide on the types of columns.
const INFERRED: usize = 10_000;
const INFERRED_BYTES: usize = 64 << 20;

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
    records: Records,
    /// Number of names in the header: a row may have fewer values, and not more.
    names: usize,
    fields: Vec<Field>,
    /// The position of each field in a row.
    positions: Vec<usize>,
    /// Rows that were read to find the types.
    first: std::vec::IntoIter<Row>,
    /// The row that was read last.
    row: Row,
}

impl Csv {
    pub(super) fn open(
        from: Box<dyn Read + Send>,
        delimiter: u8,
        wanted: &Wanted<'_>,
    ) -> Result<Self, Broken> {
        let mut records = Records::new(from, delimiter);
        let names = names(&header(&mut records)?)?;
        let positions = wanted.positions(&names)?;
        let first =
            if wanted.fields.is_none() { first(&mut records, names.len())? } else { vec![] };
        let field = |(at, position): (usize, &usize)| {
            let name = names[*position].clone();
            let known = wanted.fields.and_then(|fields| fields.get(at));
            let kind = known.map_or_else(|| infer(&first, *position), |field| field.kind.clone());
            Field { name, kind }
        };
        let fields = positions.iter().enumerate().map(field).collect();
        let (names, first) = (names.len(), first.into_iter());
        Ok(Self { records, names, fields, positions, first, row: Row::default() })
    }

    /// Reads the next row; returns whether there is one.
    fn read(&mut self) -> Result<bool, Broken> {
        match self.first.next() {
            Some(row) => {
                self.row = row;
                Ok(true)
            }
            None => self.records.read(&mut self.row, Most::Names(self.names)),
        }
    }
}

/// Reads the row of names.
fn header(records: &mut Records) -> Result<Row, Broken> {
    let mut header = Row::default();
    if records.read(&mut header, Most::Columns(MAX_COLUMNS))? {
        return Ok(header);
    }
    Err("it is empty".to_owned().into())
}

/// Reads the rows that decide on the types of columns.
fn first(records: &mut Records, names: usize) -> Result<Vec<Row>, Broken> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while rows.len() < INFERRED && bytes < INFERRED_BYTES {
        let mut row = Row::default();
        if !records.read(&mut row, Most::Names(names))? {
            break;
        }
        row.shrink();
        bytes += row.size();
        rows.push(row);
    }
    Ok(rows)
}

impl Table for Csv {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn next(&mut self) -> Result<Option<Vec<Column>>, Broken> {
        batch(self.fields.len(), |columns| {
            if !self.read()? {
                return Ok(None);
            }
            for ((field, position), column) in self.fields.iter().zip(&self.positions).zip(columns)
            {
                let text = self.row.get(*position).unwrap_or_default();
                let value = parsed(text, &field.kind);
                column.push(value.ok_or_else(|| unlike(text, field, self.row.line))?);
            }
            Ok(Some(self.row.size()))
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
fn infer(rows: &[Row], position: usize) -> Kind {
    let values = || rows.iter().filter_map(|row| row.get(position));
    let present = || values().filter(|text| !is_absent(text));
    let is_complete = rows.iter().all(|row| row.get(position).is_some_and(|text| !is_absent(text)));
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

/// Returns the names in a header. Names of their own are given as pandas does: to a column without
/// a name, and to one whose name another has.
fn names(header: &Row) -> Result<Vec<String>, Broken> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.values().enumerate() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str, columns: Option<&[String]>) -> Result<Csv, String> {
        let from = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        Csv::open(from, b',', &Wanted { columns, fields: None }).map_err(|broken| match broken {
            Broken::Content(why) => why,
            Broken::Other(error) => error.to_string(),
        })
    }

    fn given(header: &str) -> Vec<String> {
        opened(header, None).unwrap().fields.into_iter().map(|field| field.name).collect()
    }

    #[test]
    fn names_are_those_of_pandas() {
        assert_eq!(given("a,a,a.1"), ["a", "a.2", "a.1"]);
        assert_eq!(given("a,,a,a"), ["a", "Unnamed: 1", "a.1", "a.2"]);
        let many = given(&vec!["a"; MAX_COLUMNS].join(","));
        assert_eq!(many.last().unwrap(), "a.99999");
        let error = opened(&",".repeat(MAX_COLUMNS), None).err().unwrap();
        assert_eq!(error, "line 1: it has more than 100000 columns");
    }

    /// Rows of empty values have no bytes, and their places have.
    #[test]
    fn the_rows_that_decide_on_types_are_limited_with_all_their_values() {
        let empty = ",".repeat(MAX_COLUMNS - 1) + "\n";
        let most = INFERRED_BYTES / (MAX_COLUMNS * size_of::<usize>());
        let text = "a".to_owned() + &empty.repeat(most + 3);
        let table = opened(&text, Some(&["a".to_owned()])).unwrap();
        assert_eq!(table.first.len(), most + 1);
    }
}
