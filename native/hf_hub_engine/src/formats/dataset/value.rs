//! Values of rows, and the types of columns.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        sizes,
    },
    formats::dataset::DataFile,
};

/// Similarity from which a name may be what was meant.
const LIKENESS: f64 = 0.8;
/// Number of names that an error shows.
const SHOWN: usize = 3;

/// The values of a column.
pub(super) type Column = Vec<Value>;

/// A column, or an entry of a struct.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No value at all.
    Null,
    /// A truth value.
    Boolean,
    /// A signed integer of this many bits.
    Signed(u8),
    /// An unsigned integer of this many bits.
    Unsigned(u8),
    /// A float of this many bits.
    Float(u8),
    /// A text.
    String,
    /// Bytes.
    Binary,
    /// Days since 1970-01-01.
    Date,
    /// Time since midnight.
    Time(Unit),
    /// Time since the epoch.
    Timestamp(Stamp),
    /// A decimal number, as its digits.
    Decimal(Decimal),
    /// A list.
    List(Box<Kind>),
    /// A map of names.
    Struct(Vec<Field>),
    /// A map of any keys.
    Map(Vec<Kind>),
    /// Any value of JSON.
    Json,
}

/// The unit of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// The type of a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// Its unit.
    pub unit: Unit,
    /// Whether it is a moment in time, and not the time of an unnamed zone.
    pub utc: bool,
}

/// The type of a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decimal {
    /// Number of digits.
    pub precision: i32,
    /// Number of digits after the point.
    pub scale: i32,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// None.
    Null,
    /// A truth value.
    Boolean(bool),
    /// An integer, or a time in the unit of its type.
    Signed(i64),
    /// An integer.
    Unsigned(u64),
    /// A float, which may be infinite or not a number.
    Float(f64),
    /// A text, bytes, or the digits of a decimal number.
    Bytes(Bytes),
    /// A list.
    List(Vec<Value>),
    /// The values of a struct, after its names.
    Struct(Arc<[String]>, Vec<Value>),
    /// The entries of a map.
    Map(Vec<(Value, Value)>),
    /// Any value of JSON.
    Json(Box<serde_json::Value>),
}

impl Value {
    /// About how many bytes its term needs.
    pub(super) fn bytes(&self) -> usize {
        16 + match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::List(items) => items.iter().map(Self::bytes).sum(),
            // Its names are in each term.
            Self::Struct(names, items) => {
                names.iter().zip(items).map(|(name, item)| name.len() + item.bytes()).sum()
            }
            Self::Map(pairs) => pairs.iter().map(|(key, value)| key.bytes() + value.bytes()).sum(),
            Self::Json(json) => weight(json),
            _ => 0,
        }
    }
}

fn weight(json: &serde_json::Value) -> usize {
    16 + match json {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(items) => items.iter().map(weight).sum(),
        serde_json::Value::Object(map) => {
            map.iter().map(|(key, value)| 16 + key.len() + weight(value)).sum()
        }
        _ => 0,
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, output: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Null => output.serialize_none(),
            Self::Boolean(value) => output.serialize_bool(*value),
            Self::Signed(value) => output.serialize_i64(*value),
            Self::Unsigned(value) => output.serialize_u64(*value),
            Self::Float(value) if value.is_finite() => output.serialize_f64(*value),
            // The BEAM has no such floats.
            Self::Float(value) => output.serialize_unit_variant("Float", 0, unusual(*value)),
            Self::Bytes(bytes) => output.serialize_bytes(bytes),
            Self::List(items) => output.collect_seq(items),
            Self::Struct(names, values) => output.collect_map(names.iter().zip(values)),
            Self::Map(pairs) => output.collect_map(pairs.iter().map(|(key, value)| (key, value))),
            Self::Json(json) => json.serialize(output),
        }
    }
}

fn unusual(value: f64) -> &'static str {
    if value.is_nan() {
        "nan"
    } else if value > 0.0 {
        "infinity"
    } else {
        "neg_infinity"
    }
}

/// Returns the positions of the wanted columns, in their order; of all if none are named.
pub(super) fn positions(names: &[String], wanted: Option<&[String]>) -> Result<Vec<usize>> {
    let Some(wanted) = wanted else { return Ok((0..names.len()).collect()) };
    let mut known = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        known.entry(name).or_insert(at);
    }
    let find = |name: &String| known.get(name).copied().ok_or_else(|| no_such_column(name, names));
    wanted.iter().map(find).collect()
}

fn no_such_column(name: &str, names: &[String]) -> Error {
    let wanted = name.to_lowercase();
    let likeness = |other: &String| strsim::jaro_winkler(&wanted, &other.to_lowercase());
    let mut scored: Vec<_> = names.iter().map(|other| (likeness(other), other)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let similar = scored.iter().take_while(|(likeness, _)| *likeness >= LIKENESS);
    let similar: Vec<_> = similar.take(SHOWN).map(|(_, other)| format!("{other:?}")).collect();
    let hint = if similar.is_empty() {
        let some: Vec<_> = names.iter().take(10).map(|other| format!("{other:?}")).collect();
        format!("; there are {}: {}", names.len(), some.join(", "))
    } else {
        format!("; similar: {}", similar.join(", "))
    };
    Error::new(ErrorKind::NotFound, format!("no column {name:?}{hint}"))
}

/// Checks that a file has the columns of the first one.
pub(super) fn check_same(file: &DataFile, first: &[Field], fields: &[Field]) -> Result<()> {
    let differs =
        first.iter().zip(fields).find(|(a, b)| a.name != b.name || !alike(&a.kind, &b.kind));
    let why = match differs {
        None if first.len() == fields.len() => return Ok(()),
        None => {
            let columns = sizes::counted(fields.len() as u64, "columns");
            format!("it has {columns}, and the first file has {}", first.len())
        }
        Some((a, b)) if a.name == b.name => {
            format!("column {:?} is of another type than in the first file", a.name)
        }
        Some((a, b)) => {
            format!("it has a column {:?} where the first file has {:?}", b.name, a.name)
        }
    };
    let message = format!("the files of the split do not match: `{}`: {why}", file.name);
    Err(Error::new(ErrorKind::InvalidResponse, message).with_path(&file.name))
}

/// Whether values of two types go into one column.
fn alike(a: &Kind, b: &Kind) -> bool {
    use Kind::{Binary, Float, Json, List, Null, Signed, String, Struct, Unsigned};
    match (a, b) {
        (Null, other) => is_raw(other),
        (Json, _)
        | (_, Null)
        | (Signed(_) | Unsigned(_), Signed(_) | Unsigned(_))
        | (Float(_), Float(_))
        | (String | Binary, String | Binary) => true,
        (List(a), List(b)) => alike(a, b),
        (Struct(a), Struct(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| a.name == b.name && alike(&a.kind, &b.kind))
        }
        (a, b) => a == b,
    }
}

/// Whether values are right as they are: no date, time or decimal number, which are made of them.
fn is_raw(kind: &Kind) -> bool {
    match kind {
        Kind::Date | Kind::Time(_) | Kind::Timestamp(_) | Kind::Decimal(_) => false,
        Kind::List(item) => is_raw(item),
        Kind::Struct(fields) => fields.iter().all(|field| is_raw(&field.kind)),
        Kind::Map(kinds) => kinds.iter().all(is_raw),
        _ => true,
    }
}

/// Returns the integer that a float is: later parts of a column of integers may be floats.
#[expect(clippy::cast_possible_truncation, reason = "it is checked")]
pub(super) fn whole(float: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    (float.fract() == 0.0 && float.abs() < LIMIT).then_some(float as i64)
}
