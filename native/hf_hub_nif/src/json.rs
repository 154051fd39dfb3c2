//! Parses JSON text into Elixir terms: maps with string keys, `nil`, no atoms from data.

use std::{cell::RefCell, collections::HashMap};

use hf_hub_engine::base::json::repaired;
use rustler::{Encoder, Env, Term, types::atom};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::{encode, map};

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
        encode::binary(self.env, text.as_bytes())
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
