//! The values of a card's metadata: those of YAML 1.2, with integers of any size.

use indexmap::IndexMap;
use num_bigint::BigInt;
use serde::{Serialize, Serializer};

/// Names and values, in order.
pub type Map = IndexMap<String, Value>;

/// A value of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer of any size.
    Integer(BigInt),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// A number that is not finite.
    NotFinite(NotFinite),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A mapping.
    Map(Map),
}

/// Numbers that YAML can express and the BEAM has no floats for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotFinite {
    /// `.nan`
    Nan,
    /// `.inf`
    Infinity,
    /// `-.inf`
    NegInfinity,
}

impl NotFinite {
    /// Returns the number in YAML syntax.
    pub(super) fn as_yaml(self) -> &'static str {
        match self {
            Self::Nan => ".nan",
            Self::Infinity => ".inf",
            Self::NegInfinity => "-.inf",
        }
    }
}

impl Value {
    /// Returns the number of levels of lists and mappings.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(map) => 1 + map.values().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Returns the approximate number of bytes in memory.
    pub(super) fn weight(&self) -> usize {
        const NODE: usize = size_of::<Value>();
        NODE + match self {
            Self::Text(text) => text.len(),
            Self::List(items) => items.iter().map(Self::weight).sum(),
            Self::Map(map) => map.iter().map(|(name, value)| name.len() + value.weight()).sum(),
            _ => 0,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => serializer.serialize_i64(number),
                (_, Ok(number)) => serializer.serialize_u64(number),
                // Serializers have no type for these; a reader recognizes them by this name.
                _ => serializer.serialize_newtype_struct("BigInt", &number.to_string()),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::NotFinite(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(map) => serializer.collect_map(map),
        }
    }
}
