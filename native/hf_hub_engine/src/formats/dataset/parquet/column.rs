//! Reads the values of columns: levels and values of each leaf into values of rows.

use ::parquet::{
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
        FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
    },
    errors::Result,
};
use bytes::Bytes;
use num_bigint::BigInt;

use crate::formats::dataset::{
    parquet::{
        codec,
        schema::{Node, Shape},
    },
    value::{Kind, Value},
};

/// Maximum number of bytes of a decimal number: the 76 digits of the largest type of Arrow.
const MAX_DECIMAL: usize = 32;
/// Length up to which bytes are copied: a reference to their page costs as much.
const SHORT: usize = 64;

/// A leaf of a row group that is being read.
pub(super) struct Leaf {
    from: From,
    kind: Kind,
    has_definitions: bool,
    has_repetitions: bool,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    /// Positions of the next level and of the next value.
    level: usize,
    value: usize,
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

enum From {
    Boolean(Typed<BoolType>),
    Int32(Typed<Int32Type>),
    Int64(Typed<Int64Type>),
    Int96(Typed<Int96Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Bytes(Typed<ByteArrayType>),
    Fixed(Typed<FixedLenByteArrayType>),
}

impl<T: DataType> Typed<T> {
    fn new(reader: ColumnReaderImpl<T>) -> Self {
        Self { reader, values: Vec::new() }
    }

    fn read(&mut self, rows: usize, levels: (&mut Vec<i16>, &mut Vec<i16>)) -> Result<usize> {
        let (definitions, repetitions) = levels;
        let read = self.reader.read_records(
            rows,
            Some(definitions),
            Some(repetitions),
            &mut self.values,
        )?;
        Ok(read.0)
    }
}

/// Calls a function of the leaf's type.
macro_rules! each {
    ($from:expr, $typed:ident => $do:expr) => {
        match $from {
            From::Boolean($typed) => $do,
            From::Int32($typed) => $do,
            From::Int64($typed) => $do,
            From::Int96($typed) => $do,
            From::Float($typed) => $do,
            From::Double($typed) => $do,
            From::Bytes($typed) => $do,
            From::Fixed($typed) => $do,
        }
    };
}

impl Leaf {
    pub(super) fn new(reader: ColumnReader, kind: Kind, pages: &codec::Leaf) -> Self {
        let from = match reader {
            ColumnReader::BoolColumnReader(reader) => From::Boolean(Typed::new(reader)),
            ColumnReader::Int32ColumnReader(reader) => From::Int32(Typed::new(reader)),
            ColumnReader::Int64ColumnReader(reader) => From::Int64(Typed::new(reader)),
            ColumnReader::Int96ColumnReader(reader) => From::Int96(Typed::new(reader)),
            ColumnReader::FloatColumnReader(reader) => From::Float(Typed::new(reader)),
            ColumnReader::DoubleColumnReader(reader) => From::Double(Typed::new(reader)),
            ColumnReader::ByteArrayColumnReader(reader) => From::Bytes(Typed::new(reader)),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => From::Fixed(Typed::new(reader)),
        };
        let codec::Leaf { has_definitions, has_repetitions, .. } = *pages;
        let (definitions, repetitions) = (Vec::new(), Vec::new());
        Self {
            from,
            kind,
            has_definitions,
            has_repetitions,
            definitions,
            repetitions,
            level: 0,
            value: 0,
        }
    }

    /// Whether a row may have many values.
    pub(super) fn is_repeated(&self) -> bool {
        self.has_repetitions
    }

    /// Forgets the rows that were read.
    pub(super) fn clear(&mut self) {
        each!(&mut self.from, typed => typed.values.clear());
        self.definitions.clear();
        self.repetitions.clear();
        (self.level, self.value) = (0, 0);
    }

    /// Reads the next rows, after those that were read before; returns how many there were.
    pub(super) fn read(&mut self, rows: usize) -> Result<usize> {
        let levels = (&mut self.definitions, &mut self.repetitions);
        each!(&mut self.from, typed => typed.read(rows, levels))
    }

    /// Number of levels that were read.
    pub(super) fn levels(&self) -> usize {
        self.definitions.len().max(each!(&self.from, typed => typed.values.len()))
    }

    /// Whether all that was read has become values.
    pub(super) fn is_done(&self) -> bool {
        self.level == self.levels()
    }

    fn definition(&self) -> std::result::Result<i16, String> {
        if !self.has_definitions {
            return Ok(0);
        }
        self.definitions.get(self.level).copied().ok_or_else(short)
    }

    /// Whether the next value belongs to a list at this repetition level.
    fn continues(&self, repetition: i16) -> bool {
        self.repetitions.get(self.level).is_some_and(|level| *level >= repetition)
    }

    fn take(&mut self, level: i16) -> std::result::Result<Value, String> {
        let is_there = self.definition()? >= level;
        self.level += 1;
        if !is_there {
            return Ok(Value::Null);
        }
        let at = self.value;
        self.value += 1;
        Ok(match &self.from {
            From::Boolean(typed) => Value::Boolean(*get(&typed.values, at)?),
            From::Int32(typed) => int32(*get(&typed.values, at)?, &self.kind),
            From::Int64(typed) => int64(*get(&typed.values, at)?, &self.kind),
            From::Int96(typed) => Value::Signed(Int96::to_nanos(get(&typed.values, at)?)),
            From::Float(typed) => Value::Float(f64::from(*get(&typed.values, at)?)),
            From::Double(typed) => Value::Float(*get(&typed.values, at)?),
            From::Bytes(typed) => bytes(get(&typed.values, at)?, &self.kind)?,
            From::Fixed(typed) => fixed(get(&typed.values, at)?, &self.kind)?,
        })
    }
}

fn get<T>(values: &[T], at: usize) -> std::result::Result<&T, String> {
    values.get(at).ok_or_else(short)
}

fn short() -> String {
    "a column has fewer values than it announces".to_owned()
}

fn int32(value: i32, kind: &Kind) -> Value {
    match kind {
        // Smaller types are stored as 32 bits; what does not fit is cut as Arrow does.
        Kind::Unsigned(8) => Value::Unsigned((value.cast_unsigned() & 0xff).into()),
        Kind::Unsigned(16) => Value::Unsigned((value.cast_unsigned() & 0xffff).into()),
        Kind::Unsigned(_) => Value::Unsigned(value.cast_unsigned().into()),
        Kind::Decimal(decimal) => digits(value.to_string(), decimal.scale),
        Kind::Null => Value::Null,
        _ => Value::Signed(value.into()),
    }
}

fn int64(value: i64, kind: &Kind) -> Value {
    match kind {
        Kind::Unsigned(_) => Value::Unsigned(value.cast_unsigned()),
        Kind::Decimal(decimal) => digits(value.to_string(), decimal.scale),
        _ => Value::Signed(value),
    }
}

fn bytes(value: &ByteArray, kind: &Kind) -> std::result::Result<Value, String> {
    if let Kind::Decimal(decimal) = kind {
        // The time to write digits grows with the square of their number.
        if value.data().len() > MAX_DECIMAL {
            return Err(format!("a decimal number has more than {MAX_DECIMAL} bytes"));
        }
        let unscaled = BigInt::from_signed_bytes_be(value.data());
        return Ok(digits(unscaled.to_string(), decimal.scale));
    }
    if value.data().len() <= SHORT {
        return Ok(Value::Bytes(Bytes::copy_from_slice(value.data())));
    }
    Ok(Value::Bytes(Bytes::from_owner(value.clone())))
}

fn fixed(value: &FixedLenByteArray, kind: &Kind) -> std::result::Result<Value, String> {
    match (kind, value.data()) {
        (Kind::Float(16), [low, high]) => {
            Ok(Value::Float(half::f16::from_le_bytes([*low, *high]).into()))
        }
        _ => bytes(value, kind),
    }
}

/// Returns the digits of a decimal number with its point.
fn digits(unscaled: String, scale: i32) -> Value {
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        return Value::Bytes(unscaled.into());
    }
    let (sign, digits) =
        unscaled.strip_prefix('-').map_or(("", &*unscaled), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    Value::Bytes(format!("{sign}{whole}.{fraction}").into())
}

/// Builds the next value of a column from its leaves, which are those of the whole file by position.
pub(super) fn value(
    node: &Node,
    leaves: &mut [Option<Leaf>],
) -> std::result::Result<Value, String> {
    let first = node.leaves.start;
    if let Shape::Leaf = node.shape {
        return leaf(leaves, first)?.take(node.level);
    }
    let definition = leaf(leaves, first)?.definition()?;
    if definition < node.level {
        return skip(node, leaves).map(|()| Value::Null);
    }
    match &node.shape {
        Shape::Leaf => unreachable!("it has returned"),
        Shape::Struct(names, nodes) => {
            let values = nodes
                .iter()
                .map(|node| value(node, leaves))
                .collect::<std::result::Result<_, _>>()?;
            Ok(Value::Struct(names.clone(), values))
        }
        Shape::List(level, repetition, item) => {
            let mut items = Vec::new();
            if definition < *level {
                skip(node, leaves)?;
                return Ok(Value::List(items));
            }
            loop {
                items.push(value(item, leaves)?);
                if !leaf(leaves, first)?.continues(*repetition) {
                    return Ok(Value::List(items));
                }
            }
        }
        Shape::Map(level, repetition, entry) => {
            let mut entries = Vec::new();
            if definition < *level {
                skip(node, leaves)?;
                return Ok(Value::Map(entries));
            }
            loop {
                entries.push((value(&entry.0, leaves)?, value(&entry.1, leaves)?));
                if !leaf(leaves, first)?.continues(*repetition) {
                    return Ok(Value::Map(entries));
                }
            }
        }
    }
}

fn leaf(leaves: &mut [Option<Leaf>], at: usize) -> std::result::Result<&mut Leaf, String> {
    leaves.get_mut(at).and_then(Option::as_mut).ok_or_else(short)
}

/// A value that is absent or empty has one level in each leaf.
fn skip(node: &Node, leaves: &mut [Option<Leaf>]) -> std::result::Result<(), String> {
    node.leaves.clone().try_for_each(|at| leaf(leaves, at).map(|leaf| leaf.level += 1))
}
