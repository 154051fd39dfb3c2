//! The values of a card's metadata: those of YAML 1.2, with integers of any size.

use indexmap::IndexMap;
use num_bigint::BigInt;
use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use crate::base::output;

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
                _ => serializer.serialize_newtype_struct(output::INTEGER, &number.to_string()),
            },
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::NotFinite(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(map) => serializer.collect_map(map),
        }
    }
}

/// Reads any shape. Where a format has words beside texts, those of numbers that are not finite mean them.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_enum("Value", &[], Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value that YAML can write")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    /// The digits of a larger integer.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        let digits = String::deserialize(input)?;
        digits.parse().map(Value::Integer).map_err(D::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, value)) = entries.next_entry()? {
            map.insert(name, value);
        }
        Ok(Value::Map(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, word: A) -> Result<Value, A::Error> {
        let (name, rest) = word.variant::<String>()?;
        rest.unit_variant()?;
        Ok(match name.as_str() {
            "nan" => Value::NotFinite(NotFinite::Nan),
            "infinity" => Value::NotFinite(NotFinite::Infinity),
            "neg_infinity" => Value::NotFinite(NotFinite::NegInfinity),
            _ => Value::Text(name),
        })
    }
}
