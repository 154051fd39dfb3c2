//! Terms into the engine's inputs: any shape that serde can describe.
//!
//! Maps may have more entries than are asked for. `nil` is nothing, another atom a text or a variant, and
//! `{name, value}` a variant with a value. Where the reader takes any shape, a list of pairs is a map in that order.

use std::{borrow::Cow, iter::once};

use hf_hub_engine::base::input::Wrong;
use rustler::{
    BigInt, Binary, Decoder, Encoder, MapIterator, Term, TermType,
    types::{atom, tuple::get_tuple},
};
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

/// As deep as the parser of JSON reads; a scheduler's stack would not hold much more.
const MAX_DEPTH: u8 = 128;

/// Reads a term.
pub(crate) fn read<T: DeserializeOwned>(term: Term) -> Result<T, Wrong> {
    T::deserialize(Input(term, MAX_DEPTH))
}

/// Reads an entry that serde cannot describe, such as a resource; `None` where there is none, or `nil`.
pub(crate) fn entry<'a, T>(map: Term<'a>, key: impl Encoder) -> Result<Option<T>, Wrong>
where
    Option<T>: Decoder<'a>,
{
    let Ok(entry) = map.map_get(key) else { return Ok(None) };
    entry.decode().map_err(|_| Wrong::Shape("an entry is of the wrong type".to_owned()))
}

/// A term, and how deep it may be nested.
#[derive(Clone, Copy)]
struct Input<'a>(Term<'a>, u8);

impl<'a> Input<'a> {
    fn map<V: Visitor<'a>>(self, entries: Entries<'a>, visitor: V) -> Read<'a, V> {
        let entries = entries.into_iter().map(|(name, value)| (name, Self(value, self.1)));
        visitor.visit_map(MapDeserializer::new(entries))
    }

    fn seq<V: Visitor<'a>>(self, items: Vec<Term<'a>>, visitor: V) -> Read<'a, V> {
        visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(|item| Self(item, self.1))))
    }
}

type Read<'a, V> = Result<<V as Visitor<'a>>::Value, Wrong>;

fn wrong<E>(_: E) -> Wrong {
    Wrong::Shape("a term that the engine has no shape for".to_owned())
}

type Entries<'a> = Vec<(Cow<'a, str>, Term<'a>)>;

/// The name of an entry or a variant: a text or an atom.
fn name(name: Term<'_>) -> Result<Cow<'_, str>, Wrong> {
    let text = name.decode().map(Cow::Borrowed);
    text.or_else(|_| name.atom_to_string().map(Cow::Owned)).map_err(wrong)
}

fn entry_of<'a>((key, value): (Term<'a>, Term<'a>)) -> Result<(Cow<'a, str>, Term<'a>), Wrong> {
    Ok((name(key)?, value))
}

/// The entries of a list of pairs.
fn pairs<'a>(items: &[Term<'a>]) -> Option<Entries<'a>> {
    let pairs = items.iter().map(|item| entry_of(item.decode().ok()?).ok());
    pairs.collect::<Option<Entries>>().filter(|pairs| !pairs.is_empty())
}

impl<'a> IntoDeserializer<'a, Wrong> for Input<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Input<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<'de, V> {
        let Self(term, depth) = self;
        let inner = Self(term, depth.checked_sub(1).ok_or_else(|| wrong(()))?);
        match term.get_type() {
            TermType::Binary => {
                let bytes = term.decode::<Binary<'de>>().map_err(wrong)?.as_slice();
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    Err(_) => visitor.visit_borrowed_bytes(bytes),
                }
            }
            TermType::Integer => match (term.decode::<i64>(), term.decode::<u64>()) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => {
                    let digits = BigInt::decode(term).map_err(wrong)?.to_string();
                    visitor.visit_newtype_struct(digits.into_deserializer())
                }
            },
            TermType::Float => visitor.visit_f64(term.decode().map_err(wrong)?),
            TermType::Atom if atom::nil() == term => visitor.visit_unit(),
            TermType::Atom => match term.decode::<bool>() {
                Ok(value) => visitor.visit_bool(value),
                Err(_) => visitor.visit_string(term.atom_to_string().map_err(wrong)?),
            },
            TermType::Map => {
                let entries = MapIterator::new(term).ok_or_else(|| wrong(()))?;
                inner.map(entries.map(entry_of).collect::<Result<_, _>>()?, visitor)
            }
            TermType::List => {
                let items: Vec<Term> = term.decode().map_err(wrong)?;
                match pairs(&items) {
                    Some(entries) => inner.map(entries, visitor),
                    None => inner.seq(items, visitor),
                }
            }
            _ => Err(wrong(())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<'de, V> {
        if atom::nil() == self.0 { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<'de, V> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<'de, V> {
        match self.0.decode::<Binary<'de>>() {
            Ok(binary) => visitor.visit_borrowed_bytes(binary.as_slice()),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<'de, V> {
        match self.0.decode() {
            Ok(items) => self.seq(items, visitor),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Read<'de, V> {
        self.seq(get_tuple(self.0).map_err(wrong)?, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        of: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<'de, V> {
        match self.0.get_type() {
            TermType::Atom if atom::nil() != self.0 && self.0.decode::<bool>().is_err() => {
                name(self.0)?.into_deserializer().deserialize_enum(of, variants, visitor)
            }
            TermType::Tuple => {
                let (key, value) = entry_of(self.0.decode().map_err(wrong)?)?;
                let variant = MapDeserializer::new(once((key, Self(value, self.1))));
                MapAccessDeserializer::new(variant).deserialize_enum(of, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<'de, V> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes unit unit_struct
            tuple_struct map struct identifier
    }
}
