//! Reads objects of JSON, one in each line or in an array. Their columns have the types that the
//! Python library `datasets` gives them, from the first [`INFERRED`] bytes.

mod convert;
mod infer;
mod records;

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read},
};

use serde_json::{Map, Value as Text};

use crate::{
    base::json,
    formats::dataset::{
        Broken, TOO_MANY, Table, Wanted, batch,
        json::{convert::Shape, infer::Columns, records::Records},
        value::{self, Column, Field, Kind, Value},
    },
};

/// Number of bytes that decide on the types of columns.
const INFERRED: usize = 10 << 20;
/// Maximum number of values of one row. Parsed, each takes up to 100 bytes.
const MAX_VALUES: usize = 4 << 20;

/// The number of a row, and its text.
type Record = (u64, Vec<u8>);

/// An open file.
pub(super) struct Json {
    records: Records<BufReader<Box<dyn Read + Send>>>,
    fields: Vec<Field>,
    shapes: Vec<Shape>,
    /// All names, where a row may not have others.
    known: Option<HashSet<String>>,
    /// Rows that were read to find the types.
    first: std::vec::IntoIter<Record>,
    numbers: Numbers,
}

/// What `NaN` and the infinities are. As in `datasets`, they are floats only in lines, and only in
/// a file whose columns all have types: rows of others are written as JSON again, which has none.
#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    Floats,
    Nulls,
}

impl Numbers {
    /// Returns what they are in columns of these types.
    fn of(self, fields: &[Field]) -> Self {
        if fields.iter().any(|field| has_json(&field.kind)) { Self::Nulls } else { self }
    }
}

fn has_json(kind: &Kind) -> bool {
    match kind {
        Kind::Json => true,
        Kind::List(item) => has_json(item),
        Kind::Struct(fields) => fields.iter().any(|field| has_json(&field.kind)),
        _ => false,
    }
}

impl Json {
    pub(super) fn open(from: Box<dyn Read + Send>, wanted: &Wanted<'_>) -> Result<Self, Broken> {
        let mut records = Records::new(BufReader::with_capacity(256 << 10, from));
        let numbers = if records.is_array()? { Numbers::Nulls } else { Numbers::Floats };
        let (first, fields, known, numbers) = if let Some(fields) = wanted.fields {
            (Vec::new(), fields.to_vec(), names(fields), numbers.of(fields))
        } else {
            let (first, all, numbers) = infer(&mut records, numbers)?;
            let known = names(&all);
            let positions = value::positions(&known, wanted.columns)?;
            let chosen = positions.into_iter().map(|position| all[position].clone());
            (first, chosen.collect(), known, numbers)
        };
        let known = wanted.columns.is_none().then(|| known.into_iter().collect());
        let shapes = fields.iter().map(|field: &Field| Shape::new(&field.kind)).collect();
        Ok(Self { records, fields, shapes, known, first: first.into_iter(), numbers })
    }

    fn record(&mut self) -> Result<Option<Record>, Broken> {
        match self.first.next() {
            Some(record) => Ok(Some(record)),
            None => self.records.next(),
        }
    }

    fn check(&self, number: u64, row: &Map<String, Text>) -> Result<(), Broken> {
        let Some(known) = &self.known else { return Ok(()) };
        match row.keys().find(|key| !known.contains(*key)) {
            None => Ok(()),
            Some(key) => Err(format!(
                "row {number}: it has the column {key:?}, which the first rows do not have"
            )
            .into()),
        }
    }
}

fn names(fields: &[Field]) -> Vec<String> {
    fields.iter().map(|field| field.name.clone()).collect()
}

/// Reads the rows that decide on the types of columns; returns their texts, the columns, and what
/// numbers are that JSON does not have.
fn infer(
    records: &mut Records<impl BufRead>,
    numbers: Numbers,
) -> Result<(Vec<Record>, Vec<Field>, Numbers), Broken> {
    let (mut first, mut columns, mut bytes) = (Vec::new(), Columns::default(), 0);
    while bytes < INFERRED {
        let Some(mut record) = records.next()? else { break };
        columns.add(&parsed(&record, numbers)?)?;
        bytes += record.1.len();
        record.1.shrink_to_fit();
        first.push(record);
    }
    if first.is_empty() {
        return Err("it has no rows".to_owned().into());
    }
    let fields = columns.fields(Numbers::Floats);
    let numbers = numbers.of(&fields);
    Ok((first, columns.fields(numbers), numbers))
}

fn parsed((number, text): &Record, numbers: Numbers) -> Result<Map<String, Text>, Broken> {
    if records::has_more(text, MAX_VALUES) {
        return Err(format!("row {number}: {TOO_MANY}").into());
    }
    let row = match numbers {
        Numbers::Floats => json::parse_all_numbers(text),
        Numbers::Nulls => json::parse(text),
    };
    match row {
        Ok(Text::Object(row)) => Ok(row),
        Ok(_) => Err(format!("row {number}: expected an object").into()),
        Err(error) => Err(format!("row {number}: {error}").into()),
    }
}

impl Table for Json {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn next(&mut self) -> Result<Option<Vec<Column>>, Broken> {
        batch(self.fields.len(), |columns| {
            let Some(record) = self.record()? else { return Ok(None) };
            let (number, mut row) = (record.0, parsed(&record, self.numbers)?);
            self.check(number, &row)?;
            let mut made = 0;
            for ((field, shape), column) in self.fields.iter().zip(&self.shapes).zip(columns) {
                let value = match row.get_mut(&field.name).map(Text::take) {
                    None | Some(Text::Null) => Value::Null,
                    Some(value) => shape
                        .convert(value, &mut made)
                        .ok_or_else(|| unlike(number, field, made))?,
                };
                column.push(value);
            }
            Ok(Some(record.1.len() + made * size_of::<Value>()))
        })
    }
}

fn unlike(number: u64, field: &Field, made: usize) -> Broken {
    if made > MAX_VALUES {
        return format!("row {number}: {TOO_MANY}").into();
    }
    let expected = match field.kind {
        Kind::Boolean => "true or false",
        Kind::Signed(_) => "an integer",
        Kind::Float(_) => "a number",
        Kind::String => "a text",
        Kind::Timestamp(_) => "a date or a time",
        Kind::List(_) => "a list of values of one type",
        Kind::Struct(_) => "an object with the same entries",
        _ => "no value",
    };
    let name = &field.name;
    Broken::Content(format!(
        "row {number}: column {name:?}: expected {expected}, as in the first rows"
    ))
}
