//! JSON text straight into Elixir terms (maps with string keys, `nil`, no atoms from data),
//! and terms into JSON text.

use rustler::{Decoder, Encoder, Env, NewBinary, NifResult, Term, TermType, types::atom};
use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
    ser::{Error as _, SerializeMap, SerializeSeq},
};

/// A term as JSON text. Atoms but `true`, `false` and `nil` become strings, as keys too.
pub(crate) struct Json(pub(crate) Vec<u8>);

impl<'a> Decoder<'a> for Json {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        // Where a body may be left out, `nil` says that it is, and not `null`.
        if term == atom::nil().encode(term.get_env()) {
            return Err(rustler::Error::BadArg);
        }
        serde_json::to_vec(&Item(term)).map(Self).map_err(|_| rustler::Error::BadArg)
    }
}

struct Item<'a>(Term<'a>);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn wrong<T, E: serde::ser::Error>(_: T) -> E {
            E::custom("a term that JSON cannot say")
        }
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
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.into_iter().try_for_each(|item| list.serialize_element(&Item(item)))?;
                list.end()
            }
            TermType::Map => {
                let entries = rustler::MapIterator::new(self.0).ok_or_else(|| wrong(()))?;
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in entries {
                    let name = key.decode::<String>().or_else(|_| key.atom_to_string());
                    map.serialize_entry(
                        &name.map_err(|_| S::Error::custom("a key that is no text"))?,
                        &Item(value),
                    )?;
                }
                map.end()
            }
            _ => Err(wrong(())),
        }
    }
}

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
