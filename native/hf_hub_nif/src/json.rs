//! Parses JSON text into Elixir terms (maps with string keys, `nil`, no atoms from data), and
//! encodes terms as JSON text.

use std::{cell::RefCell, collections::HashMap};

use rustler::{Decoder, Encoder, Env, NewBinary, NifResult, Term, TermType, types::atom};
use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
    ser::{Error as _, SerializeMap, SerializeSeq},
};

use hf_hub_engine::base::json::repaired;

use crate::map;

/// A term as JSON text. Atoms except `true`, `false` and `nil` become strings, as keys too; a list
/// of pairs becomes an object in that order.
pub(crate) struct Json(pub(crate) Vec<u8>);

impl<'a> Decoder<'a> for Json {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        // For an optional body, `nil` means no body, not `null`.
        if term == atom::nil().encode(term.get_env()) {
            return Err(rustler::Error::BadArg);
        }
        serde_json::to_vec(&Item(term, MAX_DEPTH)).map(Self).map_err(|_| rustler::Error::BadArg)
    }
}

/// Maximum depth of nesting, as in the parser; a scheduler's stack would not hold much more.
const MAX_DEPTH: u8 = 128;

/// A term, and how deep it may be nested.
struct Item<'a>(Term<'a>, u8);

impl<'a> Item<'a> {
    /// Returns the entries of a list of pairs, which is an object in that order.
    fn pairs(items: &[Term<'a>]) -> Option<Vec<(String, Term<'a>)>> {
        let pairs = items.iter().map(|item| {
            let (key, value): (Term, Term) = item.decode().ok()?;
            Some((name(key)?, value))
        });
        pairs.collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty())
    }
}

fn name(key: Term) -> Option<String> {
    key.decode().or_else(|_| key.atom_to_string()).ok()
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn wrong<T, E: serde::ser::Error>(_: T) -> E {
            E::custom("a term that JSON cannot say")
        }
        let depth = self.1.checked_sub(1).ok_or_else(|| wrong(()))?;
        match self.0.get_type() {
            TermType::Binary => serializer.serialize_str(self.0.decode().map_err(wrong)?),
            TermType::Integer => match self.0.decode::<i64>() {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.serialize_u64(self.0.decode().map_err(wrong)?),
            },
            TermType::Float => serializer.serialize_f64(self.0.decode().map_err(wrong)?),
            TermType::Atom => match self.0.atom_to_string().map_err(wrong)?.as_str() {
                "nil" => serializer.serialize_none(),
                "true" => serializer.serialize_bool(true),
                "false" => serializer.serialize_bool(false),
                name => serializer.serialize_str(name),
            },
            TermType::List => {
                let items: Vec<Term> = self.0.decode().map_err(wrong)?;
                if let Some(pairs) = Self::pairs(&items) {
                    let mut map = serializer.serialize_map(Some(pairs.len()))?;
                    pairs.into_iter().try_for_each(|(key, value)| {
                        map.serialize_entry(&key, &Item(value, depth))
                    })?;
                    return map.end();
                }
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items
                    .into_iter()
                    .try_for_each(|item| list.serialize_element(&Item(item, depth)))?;
                list.end()
            }
            TermType::Map => {
                let entries = rustler::MapIterator::new(self.0).ok_or_else(|| wrong(()))?;
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in entries {
                    let key =
                        name(key).ok_or_else(|| S::Error::custom("expected a key that is text"))?;
                    map.serialize_entry(&key, &Item(value, depth))?;
                }
                map.end()
            }
            _ => Err(wrong(())),
        }
    }
}

/// Parses `text` into a term of `env`. Nesting is limited by the parser.
pub(crate) fn term<'a>(env: Env<'a>, text: &[u8]) -> serde_json::Result<Term<'a>> {
    parse(env, text).or_else(|error| match repaired(text) {
        Some(text) => parse(env, &text),
        None => Err(error),
    })
}

fn parse<'a>(env: Env<'a>, text: &[u8]) -> serde_json::Result<Term<'a>> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let names = RefCell::default();
    let term = Builder { env, names: &names }.deserialize(&mut parser)?;
    parser.end().map(|()| term)
}

/// Maximum number of cached names; the objects of a list have the same ones.
const KEPT_NAMES: usize = 1024;

#[derive(Clone, Copy)]
struct Builder<'a, 'n, 'de> {
    env: Env<'a>,
    names: &'n RefCell<HashMap<&'de str, Term<'a>>>,
}

impl<'a> Builder<'a, '_, '_> {
    fn text(self, text: &str) -> Term<'a> {
        let mut binary = NewBinary::new(self.env, text.len());
        binary.as_mut_slice().copy_from_slice(text.as_bytes());
        binary.into()
    }
}

/// The name of an entry, which is built once for all objects.
struct Name<'a, 'n, 'de>(Builder<'a, 'n, 'de>);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a, '_, 'de> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'de, 'a> Visitor<'de> for Name<'a, '_, 'de> {
    type Value = Term<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        let mut names = self.0.names.borrow_mut();
        if let Some(term) = names.get(name) {
            return Ok(*term);
        }
        let term = self.0.text(name);
        if names.len() < KEPT_NAMES {
            names.insert(name, term);
        }
        Ok(term)
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.text(name))
    }
}

impl<'de, 'a> DeserializeSeed<'de> for Builder<'a, '_, 'de> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, 'a> Visitor<'de> for Builder<'a, '_, 'de> {
    type Value = Term<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(atom::nil().encode(self.env))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.encode(self.env))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.encode(self.env))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.encode(self.env))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(value.encode(self.env))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.text(value))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        let mut terms = Vec::new();
        while let Some(term) = items.next_element_seed(self)? {
            terms.push(term);
        }
        Ok(terms.encode(self.env))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut entries: M) -> Result<Self::Value, M::Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        while let Some(key) = entries.next_key_seed(Name(self))? {
            keys.push(key);
            values.push(entries.next_value_seed(self)?);
        }
        map::build(self.env, &keys, &values).map_err(|_| M::Error::custom("a map cannot be built"))
    }
}
