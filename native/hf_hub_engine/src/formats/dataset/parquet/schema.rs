//! The columns of a file as a tree, and where in it values may be absent or repeated.

use std::{collections::HashSet, ops::Range, sync::Arc};

use ::parquet::{
    basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical},
    schema::types::Type,
};

use crate::formats::dataset::value::{Decimal, Field, Kind, Stamp, Unit};

/// A node of the tree.
pub(super) struct Node {
    pub name: String,
    pub kind: Kind,
    /// The definition level from which there is a value.
    pub level: i16,
    pub shape: Shape,
    /// The leaves below it, by their position in the file.
    pub leaves: Range<usize>,
}

pub(super) enum Shape {
    Leaf,
    Struct(Arc<[String]>, Vec<Node>),
    /// A list: the definition level from which it has items, its repetition level, and its items.
    List(i16, i16, Box<Node>),
    /// A map: as a list, of keys and values.
    Map(i16, i16, Box<(Node, Node)>),
}

/// The levels of what is above a node.
#[derive(Clone, Copy)]
struct Levels {
    definition: i16,
    repetition: i16,
}

impl Levels {
    fn repeated(self) -> Self {
        Self { definition: self.definition + 1, repetition: self.repetition + 1 }
    }
}

/// Returns the columns of a file.
pub(super) fn columns(root: &Type) -> Result<Vec<Node>, String> {
    let mut leaves = 0;
    nodes(root, Levels { definition: 0, repetition: 0 }, &mut leaves)
}

/// The columns of a file or the entries of a struct, all of which have another name: a row is a map.
fn nodes(from: &Type, levels: Levels, leaves: &mut usize) -> Result<Vec<Node>, String> {
    let mut names = HashSet::new();
    if let Some(again) = from.get_fields().iter().find(|field| !names.insert(field.name())) {
        return Err(format!("two of its columns have the same name, {:?}", again.name()));
    }
    from.get_fields().iter().map(|field| node(field, levels, leaves)).collect()
}

fn node(from: &Type, above: Levels, leaves: &mut usize) -> Result<Node, String> {
    let info = from.get_basic_info();
    match info.repetition() {
        Repetition::REQUIRED => inner(from, above, leaves),
        Repetition::OPTIONAL => {
            inner(from, Levels { definition: above.definition + 1, ..above }, leaves)
        }
        // A repeated node without a type of its own is a list.
        Repetition::REPEATED => {
            let item = inner(from, above.repeated(), leaves)?;
            Ok(list(from, above, item))
        }
    }
}

fn list(from: &Type, above: Levels, item: Node) -> Node {
    let Levels { definition, repetition } = above.repeated();
    Node {
        name: from.name().to_owned(),
        kind: Kind::List(Box::new(item.kind.clone())),
        level: above.definition,
        leaves: item.leaves.clone(),
        shape: Shape::List(definition, repetition, Box::new(item)),
    }
}

/// A node that is there, at these levels.
fn inner(from: &Type, levels: Levels, leaves: &mut usize) -> Result<Node, String> {
    if from.is_primitive() {
        let first = *leaves;
        *leaves += 1;
        return Ok(Node {
            name: from.name().to_owned(),
            kind: kind(from),
            level: levels.definition,
            shape: Shape::Leaf,
            leaves: first..*leaves,
        });
    }
    let converted = from.get_basic_info().converted_type();
    let logical = from.get_basic_info().logical_type_ref();
    let repeated = match from.get_fields() {
        [only] if only.get_basic_info().repetition() == Repetition::REPEATED => Some(only),
        _ => None,
    };
    match repeated {
        Some(items)
            if converted == ConvertedType::LIST || matches!(logical, Some(LogicalType::List)) =>
        {
            let item = item(from, items, levels.repeated(), leaves)?;
            Ok(list(from, levels, item))
        }
        Some(entries)
            if matches!(converted, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE)
                || matches!(logical, Some(LogicalType::Map)) =>
        {
            map(from, entries, levels, leaves)
        }
        _ => group(from, levels, leaves),
    }
}

/// The items of a list. Older writers have no node between the list and its items.
fn item(list: &Type, items: &Type, levels: Levels, leaves: &mut usize) -> Result<Node, String> {
    if items.is_primitive() {
        return inner(items, levels, leaves);
    }
    let is_item = match items.get_fields() {
        [only] => {
            items.name() == "array"
                || items.name() == format!("{}_tuple", list.name())
                || only.get_basic_info().repetition() == Repetition::REPEATED
        }
        _ => true,
    };
    if is_item {
        group(items, levels, leaves)
    } else {
        node(&items.get_fields()[0], levels, leaves)
    }
}

fn map(from: &Type, entries: &Type, levels: Levels, leaves: &mut usize) -> Result<Node, String> {
    let [key, value] = entries.get_fields() else {
        return Err(format!("column `{}`: expected a map of keys and values", from.name()));
    };
    let Levels { definition, repetition } = levels.repeated();
    let first = *leaves;
    let key = node(key, levels.repeated(), leaves)?;
    let value = node(value, levels.repeated(), leaves)?;
    Ok(Node {
        name: from.name().to_owned(),
        kind: Kind::Map(vec![key.kind.clone(), value.kind.clone()]),
        level: levels.definition,
        shape: Shape::Map(definition, repetition, Box::new((key, value))),
        leaves: first..*leaves,
    })
}

fn group(from: &Type, levels: Levels, leaves: &mut usize) -> Result<Node, String> {
    let first = *leaves;
    let nodes = nodes(from, levels, leaves)?;
    // Without a leaf, their number is unknown.
    if nodes.is_empty() {
        return Err(format!("column `{}`: a struct without entries is not supported", from.name()));
    }
    let fields =
        nodes.iter().map(|node| Field { name: node.name.clone(), kind: node.kind.clone() });
    Ok(Node {
        name: from.name().to_owned(),
        kind: Kind::Struct(fields.collect()),
        level: levels.definition,
        leaves: first..*leaves,
        shape: Shape::Struct(nodes.iter().map(|node| node.name.clone()).collect(), nodes),
    })
}

fn kind(leaf: &Type) -> Kind {
    let info = leaf.get_basic_info();
    let decimal =
        || Kind::Decimal(Decimal { precision: leaf.get_precision(), scale: leaf.get_scale() });
    match info.logical_type_ref() {
        Some(LogicalType::Decimal(_)) => return decimal(),
        Some(LogicalType::Time(time)) => return Kind::Time(unit(time.unit)),
        Some(LogicalType::Timestamp(stamp)) => {
            return Kind::Timestamp(Stamp {
                unit: unit(stamp.unit),
                utc: stamp.is_adjusted_to_u_t_c,
            });
        }
        Some(LogicalType::Unknown) => return Kind::Null,
        Some(LogicalType::Float16) => return Kind::Float(16),
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => return Kind::String,
        Some(LogicalType::Date) => return Kind::Date,
        Some(LogicalType::Integer(integer)) => {
            let bits = integer.bit_width.unsigned_abs();
            return if integer.is_signed { Kind::Signed(bits) } else { Kind::Unsigned(bits) };
        }
        _ => {}
    }
    match info.converted_type() {
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Kind::String,
        ConvertedType::DECIMAL => decimal(),
        ConvertedType::DATE => Kind::Date,
        ConvertedType::TIME_MILLIS => Kind::Time(Unit::Millisecond),
        ConvertedType::TIME_MICROS => Kind::Time(Unit::Microsecond),
        ConvertedType::TIMESTAMP_MILLIS => stamp(Unit::Millisecond),
        ConvertedType::TIMESTAMP_MICROS => stamp(Unit::Microsecond),
        ConvertedType::INT_8 => Kind::Signed(8),
        ConvertedType::INT_16 => Kind::Signed(16),
        ConvertedType::UINT_8 => Kind::Unsigned(8),
        ConvertedType::UINT_16 => Kind::Unsigned(16),
        ConvertedType::UINT_32 => Kind::Unsigned(32),
        ConvertedType::UINT_64 => Kind::Unsigned(64),
        _ => physical(leaf.get_physical_type()),
    }
}

fn physical(kind: Physical) -> Kind {
    match kind {
        Physical::BOOLEAN => Kind::Boolean,
        Physical::INT32 => Kind::Signed(32),
        Physical::INT64 => Kind::Signed(64),
        Physical::INT96 => Kind::Timestamp(Stamp { unit: Unit::Nanosecond, utc: false }),
        Physical::FLOAT => Kind::Float(32),
        Physical::DOUBLE => Kind::Float(64),
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Kind::Binary,
    }
}

/// Without a logical type, it is unknown whether times are of UTC; Arrow takes them for local.
fn stamp(unit: Unit) -> Kind {
    Kind::Timestamp(Stamp { unit, utc: false })
}

fn unit(unit: TimeUnit) -> Unit {
    match unit {
        TimeUnit::MILLIS => Unit::Millisecond,
        TimeUnit::MICROS => Unit::Microsecond,
        TimeUnit::NANOS => Unit::Nanosecond,
    }
}
