//! The engine's reports and JSON texts into terms, whatever their shape: structs become maps with atom keys,
//! variants atoms, bytes and text binaries.
//!
//! Only names that stand in the engine's source become atoms, never data: those of a map stay binaries.

use std::cell::RefCell;

use hf_hub_engine::base::{
    output,
    recent::{self, Recent},
};
use rustler::{BigInt, Binary, Encoder, Env, Term, sys::ErlNifTerm, types::atom};
use serde::{
    de::value::Error,
    ser::{self, Error as _, Impossible, Serialize},
};

use crate::{map, term};

/// Builds the term of `value` in `env`.
pub(crate) fn term<'a>(env: Env<'a>, value: &impl Serialize) -> Term<'a> {
    let built = value.serialize(Builder { env, open: &Open::default() });
    built.unwrap_or_else(|_| atom::nil().encode(env))
}

/// Parses JSON. Nesting is limited by the parser.
pub(crate) fn json<'a>(env: Env<'a>, text: &[u8]) -> Result<Term<'a>, Error> {
    // Checking a text as a whole is cheaper than each of its strings.
    let text = std::str::from_utf8(text).map_err(Error::custom)?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let open = Open { again: Some(RefCell::new(Again::new(text.len()))), ..Open::default() };
    let builder = Builder { env, open: &open };
    let term = serde_transcode::transcode(&mut parser, builder)?;
    parser.end().map_err(Error::custom).map(|()| term)
}

/// The lists and maps that are being built, each after those it is in.
#[derive(Default)]
struct Open<'a> {
    keys: RefCell<Vec<Term<'a>>>,
    values: RefCell<Vec<Term<'a>>>,
    again: Option<RefCell<Again<'a>>>,
}

/// The texts and small maps of a long text, of which many come again: equal ones share one term.
struct Again<'a> {
    /// By their hashes.
    texts: Recent<u64, Term<'a>>,
    /// By their keys and values.
    maps: Recent<Words, Term<'a>>,
}

type Words = [[ErlNifTerm; 2]; SMALL];

/// Maximum number of entries of a small map, and of bytes of a text whose term contains them.
const SMALL: usize = 2;
const SMALL_TEXT: usize = 64;

impl<'a> Again<'a> {
    fn new(bytes: usize) -> Self {
        Self { texts: Recent::new(bytes), maps: Recent::new(bytes) }
    }

    fn text(&mut self, text: &str, make: impl FnOnce() -> Term<'a>) -> Term<'a> {
        let hash = recent::hash(text);
        let is_it = |it: &Term<'a>| it.decode().is_ok_and(|it: Binary| *it == *text.as_bytes());
        self.texts.get(&hash).filter(is_it).unwrap_or_else(|| {
            let term = make();
            self.texts.put(hash, term);
            term
        })
    }

    /// Terms are equal if their words are: an equal text in the map shares its term.
    fn map(
        &mut self,
        keys: &[Term<'a>],
        values: &[Term<'a>],
        make: impl FnOnce() -> Built<'a>,
    ) -> Built<'a> {
        let mut words = Words::default();
        for (word, (key, value)) in words.iter_mut().zip(keys.iter().zip(values)) {
            *word = [key.as_c_arg(), value.as_c_arg()];
        }
        self.maps.get(&words).map_or_else(|| make().inspect(|map| self.maps.put(words, *map)), Ok)
    }
}

type Built<'a> = Result<Term<'a>, Error>;

#[derive(Clone, Copy)]
struct Builder<'a, 'n> {
    env: Env<'a>,
    open: &'n Open<'a>,
}

/// A list or a map, by where its keys and values begin.
struct Parts<'a, 'n>(Builder<'a, 'n>, usize, usize);

impl<'a, 'n> Parts<'a, 'n> {
    fn new(builder: Builder<'a, 'n>) -> Self {
        let Open { keys, values, .. } = builder.open;
        Self(builder, keys.borrow().len(), values.borrow().len())
    }

    fn value<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.0)?;
        self.0.open.values.borrow_mut().push(value);
        Ok(())
    }

    fn list(&self) -> Term<'a> {
        let mut values = self.0.open.values.borrow_mut();
        let list = values[self.2..].encode(self.0.env);
        values.truncate(self.2);
        list
    }

    fn map(&self) -> Built<'a> {
        let Open { keys, values, .. } = self.0.open;
        let (mut keys, mut values) = (keys.borrow_mut(), values.borrow_mut());
        let make = || {
            let map = map::build(self.0.env, &keys[self.1..], &values[self.2..]);
            map.map_err(|_| Error::custom("not a map"))
        };
        let map = match &self.0.open.again {
            Some(again) if keys.len() - self.1 <= SMALL => {
                again.borrow_mut().map(&keys[self.1..], &values[self.2..], make)
            }
            _ => make(),
        };
        keys.truncate(self.1);
        values.truncate(self.2);
        map
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
        let binary = || term::binary(self.env, value.as_bytes());
        Ok(match &self.open.again {
            Some(again) if value.len() <= SMALL_TEXT => again.borrow_mut().text(value, binary),
            _ => binary(),
        })
    }

    fn serialize_bytes(self, value: &[u8]) -> Built<'a> {
        Ok(term::binary(self.env, value))
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
        Ok(term::atom(self.env, name).encode(self.env))
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
        Ok((term::atom(self.env, name), value.serialize(self)?).encode(self.env))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, 'n>, Error> {
        Ok(Parts::new(self))
    }
}

/// Lists and tuples are lists.
macro_rules! lists {
    ($($list:ident),*) => {
        $(impl<'a> ser::$list for Parts<'a, '_> {
            type Ok = Term<'a>;
            type Error = Error;

            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.value(value)
            }

            fn end(self) -> Built<'a> {
                Ok(self.list())
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
        let key = key.serialize(self.0)?;
        self.0.open.keys.borrow_mut().push(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.value(value)
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
        let name = term::atom(self.0.env, name).encode(self.0.env);
        self.0.open.keys.borrow_mut().push(name);
        self.value(value)
    }

    fn end(self) -> Built<'a> {
        self.map()
    }
}
