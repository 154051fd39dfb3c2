//! JSON text straight into Elixir terms: maps with string keys, `nil`, no atoms from data.

use rustler::{Encoder, Env, NewBinary, Term, types::atom};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Parses `text` into a term of `env`. Nesting is limited by the parser.
pub(crate) fn term<'a>(env: Env<'a>, text: &[u8]) -> serde_json::Result<Term<'a>> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let term = Builder(env).deserialize(&mut parser)?;
    parser.end().map(|()| term)
}

#[derive(Clone, Copy)]
struct Builder<'a>(Env<'a>);

impl<'a> Builder<'a> {
    fn text(self, text: &str) -> Term<'a> {
        let mut binary = NewBinary::new(self.0, text.len());
        binary.as_mut_slice().copy_from_slice(text.as_bytes());
        binary.into()
    }
}

impl<'de, 'a> DeserializeSeed<'de> for Builder<'a> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, 'a> Visitor<'de> for Builder<'a> {
    type Value = Term<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(atom::nil().encode(self.0))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.encode(self.0))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.encode(self.0))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.encode(self.0))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(value.encode(self.0))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.text(value))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        let mut terms = Vec::new();
        while let Some(term) = items.next_element_seed(self)? {
            terms.push(term);
        }
        Ok(terms.encode(self.0))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut entries: M) -> Result<Self::Value, M::Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        while let Some(key) = entries.next_key_seed(self)? {
            keys.push(key);
            values.push(entries.next_value_seed(self)?);
        }
        // Refused where a key comes twice; then the last one counts, as in other JSON parsers.
        Term::map_from_term_arrays(self.0, &keys, &values).or_else(|_| {
            let empty = Term::map_new(self.0);
            let put =
                |map: Term<'a>, (key, value): (&Term<'a>, &Term<'a>)| map.map_put(*key, *value);
            let map = keys.iter().zip(&values).try_fold(empty, put);
            map.map_err(|_| M::Error::custom("a map cannot be built"))
        })
    }
}
