//! The engine's reports into terms, whatever their shape: structs become maps with atom keys,
//! variants atoms, bytes and text binaries. A time becomes a `DateTime`, and a cached file a
//! `HfHub.Cache.File`: there are so many that the caller's process should not have to.
//!
//! Only names that stand in the engine's source become atoms, never data: those of a map stay binaries.

use std::fmt::Display;

use hf_hub_engine::base::{calendar, output};
use rustler::{Atom, BigInt, Encoder, Env, Term, types::atom};
use serde::ser::{self, Impossible, Serialize};

use crate::{encode, map};

/// Builds the term of `value` in `env`.
pub(crate) fn term<'a>(env: Env<'a>, value: &impl Serialize) -> Term<'a> {
    value.serialize(Builder(env)).unwrap_or_else(|_| atom::nil().encode(env))
}

mod terms {
    rustler::atoms! {
        cache_file = "Elixir.HfHub.Cache.File", date_time = "Elixir.DateTime", iso = "Elixir.Calendar.ISO",
        calendar, year, month, day, hour, minute, second, microsecond, time_zone, zone_abbr, utc_offset, std_offset
    }
}

/// A time in UTC as a `DateTime`.
fn time(env: Env<'_>, nanoseconds: i64) -> Built<'_> {
    let time = calendar::DateTime::at(nanoseconds);
    let fields: [(Atom, Term); 13] = [
        (atom::__struct__(), terms::date_time().encode(env)),
        (terms::calendar(), terms::iso().encode(env)),
        (terms::year(), time.year.encode(env)),
        (terms::month(), time.month.encode(env)),
        (terms::day(), time.day.encode(env)),
        (terms::hour(), time.hour.encode(env)),
        (terms::minute(), time.minute.encode(env)),
        (terms::second(), time.second.encode(env)),
        (terms::microsecond(), (time.microsecond, 6).encode(env)),
        (terms::time_zone(), "Etc/UTC".encode(env)),
        (terms::zone_abbr(), "UTC".encode(env)),
        (terms::utc_offset(), 0.encode(env)),
        (terms::std_offset(), 0.encode(env)),
    ];
    let (keys, values): (Vec<_>, Vec<_>) =
        fields.into_iter().map(|(key, value)| (key.encode(env), value)).unzip();
    map::build(env, &keys, &values).map_err(|_| Unsupported)
}

/// A shape that no report has.
#[derive(Debug)]
struct Unsupported;

impl Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a shape without a term")
    }
}

impl std::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type Built<'a> = Result<Term<'a>, Unsupported>;

#[derive(Clone, Copy)]
struct Builder<'a>(Env<'a>);

/// A list, or the keys and values of a map.
struct Parts<'a>(Env<'a>, Vec<Term<'a>>, Vec<Term<'a>>);

impl<'a> Parts<'a> {
    fn new(env: Env<'a>, len: Option<usize>) -> Self {
        let len = len.unwrap_or(0);
        Self(env, Vec::with_capacity(len), Vec::with_capacity(len))
    }

    fn map(self) -> Built<'a> {
        map::build(self.0, &self.1, &self.2).map_err(|_| Unsupported)
    }
}

macro_rules! encoded {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Built<'a> { Ok(value.encode(self.0)) })*
    };
}

impl<'a> ser::Serializer for Builder<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeTupleStruct = Impossible<Term<'a>, Unsupported>;
    type SerializeTupleVariant = Impossible<Term<'a>, Unsupported>;
    type SerializeStructVariant = Impossible<Term<'a>, Unsupported>;

    encoded! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64
    }

    fn serialize_char(self, value: char) -> Built<'a> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Built<'a> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Built<'a> {
        Ok(encode::binary(self.0, value))
    }

    fn serialize_none(self) -> Built<'a> {
        Ok(atom::nil().encode(self.0))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Built<'a> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Built<'a> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Built<'a> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Built<'a> {
        Ok(encode::atom(self.0, name).encode(self.0))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        marker: &'static str,
        value: &T,
    ) -> Built<'a> {
        let term = value.serialize(self)?;
        match marker {
            output::TIME => time(self.0, term.decode().map_err(|_| Unsupported)?),
            output::INTEGER => {
                let digits = term.decode::<&str>().map_err(|_| Unsupported)?;
                Ok(digits.parse::<BigInt>().map_err(|_| Unsupported)?.encode(self.0))
            }
            _ => Ok(term),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Built<'a> {
        Err(Unsupported)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'a>, Unsupported> {
        Ok(Parts::new(self.0, len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts<'a>, Unsupported> {
        Ok(Parts::new(self.0, Some(len)))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'a>, Unsupported> {
        Ok(Parts::new(self.0, len))
    }

    fn serialize_struct(self, marker: &'static str, len: usize) -> Result<Parts<'a>, Unsupported> {
        let mut map = Parts::new(self.0, Some(len + 1));
        if marker == output::CACHED_FILE {
            map.1.push(atom::__struct__().encode(self.0));
            map.2.push(terms::cache_file().encode(self.0));
        }
        Ok(map)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unsupported> {
        Err(Unsupported)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unsupported> {
        Err(Unsupported)
    }
}

macro_rules! lists {
    ($($list:ident),*) => {
        $(impl<'a> ser::$list for Parts<'a> {
            type Ok = Term<'a>;
            type Error = Unsupported;

            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
                self.1.push(value.serialize(Builder(self.0))?);
                Ok(())
            }

            fn end(self) -> Built<'a> {
                Ok(self.1.encode(self.0))
            }
        })*
    };
}

lists! { SerializeSeq, SerializeTuple }

/// Its names are data: they stay binaries.
impl<'a> ser::SerializeMap for Parts<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unsupported> {
        self.1.push(key.serialize(Builder(self.0))?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.2.push(value.serialize(Builder(self.0))?);
        Ok(())
    }

    fn end(self) -> Built<'a> {
        self.map()
    }
}

impl<'a> ser::SerializeStruct for Parts<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Unsupported> {
        self.1.push(encode::atom(self.0, name).encode(self.0));
        self.2.push(value.serialize(Builder(self.0))?);
        Ok(())
    }

    fn end(self) -> Built<'a> {
        self.map()
    }
}
