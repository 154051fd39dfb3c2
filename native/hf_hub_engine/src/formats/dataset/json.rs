//! Reads objects of JSON, one in each line or in an array. Their columns have the types that the
//! Python library `datasets` gives them, from the first [`INFERRED`] bytes.

mod convert;
mod infer;
mod records;

use std::{
    collections::HashSet,
    io::{BufReader, Read},
};

use serde_json::{Map, Value as Text};

use crate::{
    base::json,
    formats::dataset::{
        Broken, Table, Wanted, batch,
        json::{convert::Shape, records::Records},
        value::{self, Column, Field, Kind, Value},
    },
};

/// Number of bytes that decide on the types of columns.
const INFERRED: usize = 10 << 20;

type Row = (u64, usize, Map<String, Text>);

/// An open file.
pub(super) struct Json {
    records: Records<BufReader<Box<dyn Read + Send>>>,
    fields: Vec<Field>,
    shapes: Vec<Shape>,
    /// All names, where a row may not have others.
    known: Option<HashSet<String>>,
    /// Rows that were read to find the types.
    first: std::vec::IntoIter<Row>,
}

impl Json {
    pub(super) fn open(from: Box<dyn Read + Send>, wanted: &Wanted<'_>) -> Result<Self, Broken> {
        let mut records = Records::new(BufReader::with_capacity(256 << 10, from));
        let mut first = Vec::new();
        let mut bytes = 0;
        if wanted.fields.is_none() {
            while bytes < INFERRED {
                let Some(row) = next(&mut records)? else { break };
                bytes += row.1;
                first.push(row);
            }
            if first.is_empty() {
                return Err("it has no rows".to_owned().into());
            }
        }
        let (fields, known) = if let Some(fields) = wanted.fields {
            (fields.to_vec(), wanted.columns.is_none().then(|| names(fields).into_iter().collect()))
        } else {
            let all = infer::fields(first.iter().map(|(_, _, row)| row));
            let known = names(&all);
            let positions = value::positions(&known, wanted.columns)?;
            let chosen = positions.into_iter().map(|position| all[position].clone());
            (chosen.collect(), wanted.columns.is_none().then(|| known.into_iter().collect()))
        };
        let shapes = fields.iter().map(|field: &Field| Shape::new(&field.kind)).collect();
        Ok(Self { records, fields, shapes, known, first: first.into_iter() })
    }

    fn row(&mut self) -> Result<Option<Row>, Broken> {
        match self.first.next() {
            Some(row) => Ok(Some(row)),
            None => next(&mut self.records),
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

fn next(records: &mut Records<impl std::io::BufRead>) -> Result<Option<Row>, Broken> {
    let Some((number, text)) = records.next()? else { return Ok(None) };
    match json::parse::<Text>(&text) {
        Ok(Text::Object(row)) => Ok(Some((number, text.len(), row))),
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
            let Some((number, length, mut row)) = self.row()? else { return Ok(None) };
            self.check(number, &row)?;
            for ((field, shape), column) in self.fields.iter().zip(&self.shapes).zip(columns) {
                let value = match row.get_mut(&field.name).map(Text::take) {
                    None | Some(Text::Null) => Value::Null,
                    Some(value) => shape.convert(value).ok_or_else(|| unlike(number, field))?,
                };
                column.push(value);
            }
            Ok(Some(length))
        })
    }
}

fn unlike(number: u64, field: &Field) -> Broken {
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
