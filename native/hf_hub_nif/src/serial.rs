//! The engine's reports and JSON texts into terms, whatever their shape: structs become maps with atom keys,
//! variants atoms, bytes and text binaries.
//!
//! Only names that stand in the engine's source become atoms, never data: those of a map stay binaries.

use std::{cell::RefCell, collections::HashMap};

use hf_hub_engine::base::output;
use rustler::{BigInt, Encoder, Env, Term, types::atom};
use serde::{
    de::value::Error,
    ser::{self, Error as _, Impossible, Serialize},
};

use crate::{encode, map};

/// Builds the term of `value` in `env`.
pub(crate) fn term<'a>(env: Env<'a>, value: &impl Serialize) -> Term<'a> {
    let built = value.serialize(Builder::new(env, &Names::default()));
    built.unwrap_or_else(|_| atom::nil().encode(env))
}

/// Parses JSON. Nesting is limited by the parser.
pub(crate) fn json<'a>(env: Env<'a>, text: &[u8]) -> Result<Term<'a>, Error> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let term = serde_transcode::transcode(&mut parser, Builder::new(env, &Names::default()))?;
    parser.end().map_err(Error::custom).map(|()| term)
}

/// Names in maps, each built once: the objects of a list have the same ones.
type Names<'a> = RefCell<HashMap<Box<str>, Term<'a>>>;

/// Maximum number of kept names.
const KEPT_NAMES: usize = 1024;

type Built<'a> = Result<Term<'a>, Error>;

#[derive(Clone, Copy)]
struct Builder<'a, 'n> {
    env: Env<'a>,
    names: &'n Names<'a>,
    is_name: bool,
}

impl<'a, 'n> Builder<'a, 'n> {
    fn new(env: Env<'a>, names: &'n Names<'a>) -> Self {
        Self { env, names, is_name: false }
    }

    fn name(self, text: &str) -> Term<'a> {
        let mut names = self.names.borrow_mut();
        if let Some(name) = names.get(text) {
            return *name;
        }
        let name = encode::binary(self.env, text.as_bytes());
        if names.len() < KEPT_NAMES {
            names.insert(text.into(), name);
        }
        name
    }
}

/// A list, or the keys and values of a map.
struct Parts<'a, 'n>(Builder<'a, 'n>, Vec<Term<'a>>, Vec<Term<'a>>);

impl<'a, 'n> Parts<'a, 'n> {
    fn new(builder: Builder<'a, 'n>, keys: usize, values: usize) -> Self {
        Self(builder, Vec::with_capacity(keys), Vec::with_capacity(values))
    }

    fn map(self) -> Built<'a> {
        map::build(self.0.env, &self.1, &self.2).map_err(|_| Error::custom("not a map"))
    }
}

macro_rules! encoded {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Built<'a> { Ok(value.encode(self.env)) })*
    };
}

/// Shapes that no report has.
macro_rules! refused {
    ($($name:ident($($kind:ty),*) -> $into:ty),*) => {
        $(fn $name(self, $(_: $kind),*) -> Result<$into, Error> {
            Err(Error::custom("a shape without a term"))
        })*
    };
}

impl<'a, 'n> ser::Serializer for Builder<'a, 'n> {
    type Ok = Term<'a>;
    type Error = Error;
    type SerializeSeq = Parts<'a, 'n>;
    type SerializeTuple = Parts<'a, 'n>;
    type SerializeMap = Parts<'a, 'n>;
    type SerializeStruct = Parts<'a, 'n>;
    type SerializeTupleStruct = Impossible<Term<'a>, Error>;
    type SerializeTupleVariant = Impossible<Term<'a>, Error>;
    type SerializeStructVariant = Impossible<Term<'a>, Error>;

    encoded! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64
    }

    refused! {
        serialize_char(char) -> Term<'a>,
        serialize_unit_struct(&'static str) -> Term<'a>,
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant
    }

    fn serialize_str(self, value: &str) -> Built<'a> {
        if self.is_name { Ok(self.name(value)) } else { self.serialize_bytes(value.as_bytes()) }
    }

    fn serialize_bytes(self, value: &[u8]) -> Built<'a> {
        Ok(encode::binary(self.env, value))
    }

    fn serialize_none(self) -> Built<'a> {
        Ok(atom::nil().encode(self.env))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Built<'a> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Built<'a> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Built<'a> {
        Ok(encode::atom(self.env, name).encode(self.env))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        marker: &'static str,
        value: &T,
    ) -> Built<'a> {
        let term = value.serialize(self)?;
        if marker != output::INTEGER {
            return Ok(term);
        }
        let digits: Result<&str, _> = term.decode();
        let number = digits.ok().and_then(|digits| digits.parse::<BigInt>().ok());
        Ok(number.ok_or_else(|| Error::custom("not a number"))?.encode(self.env))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Built<'a> {
        Ok((encode::atom(self.env, name), value.serialize(self)?).encode(self.env))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self, 0, len.unwrap_or(0)))
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self, 0, len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self, len.unwrap_or(0), len.unwrap_or(0)))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self, len, len))
    }
}

/// Lists and tuples are lists.
macro_rules! lists {
    ($($list:ident),*) => {
        $(impl<'a> ser::$list for Parts<'a, '_> {
            type Ok = Term<'a>;
            type Error = Error;

            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.2.push(value.serialize(self.0)?);
                Ok(())
            }

            fn end(self) -> Built<'a> {
                Ok(self.2.encode(self.0.env))
            }
        })*
    };
}

lists! { SerializeSeq, SerializeTuple }

/// Its names are data: they stay binaries.
impl<'a> ser::SerializeMap for Parts<'a, '_> {
    type Ok = Term<'a>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.1.push(key.serialize(Builder { is_name: true, ..self.0 })?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.2.push(value.serialize(self.0)?);
        Ok(())
    }

    fn end(self) -> Built<'a> {
        self.map()
    }
}

impl<'a> ser::SerializeStruct for Parts<'a, '_> {
    type Ok = Term<'a>;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.1.push(encode::atom(self.0.env, name).encode(self.0.env));
        self.2.push(value.serialize(self.0)?);
        Ok(())
    }

    fn end(self) -> Built<'a> {
        self.map()
    }
}
