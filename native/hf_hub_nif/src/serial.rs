//! The engine's reports into terms, whatever their shape: structs become maps with atom keys,
//! variants atoms, bytes and text binaries. A time becomes a `DateTime`, and a cached file a
//! `HfHub.Cache.File`: there are so many that the caller's process should not have to.
//!
//! Only names that stand in the engine's source become atoms, never data: those of a map stay binaries.

use std::fmt::Display;

use rustler::{BigInt, Encoder, Env, Term, types::atom};
use serde::ser::{
    self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
};

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

/// Encodes a time in UTC as a `DateTime`.
fn time(env: Env<'_>, nanoseconds: i64) -> Built<Term<'_>> {
    let (seconds, rest) =
        (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let (days, clock) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let fields = [
        (atom::__struct__(), terms::date_time().encode(env)),
        (terms::calendar(), terms::iso().encode(env)),
        (terms::year(), year.encode(env)),
        (terms::month(), month.encode(env)),
        (terms::day(), day.encode(env)),
        (terms::hour(), (clock / 3600).encode(env)),
        (terms::minute(), (clock % 3600 / 60).encode(env)),
        (terms::second(), (clock % 60).encode(env)),
        (terms::microsecond(), (rest / 1000, 6).encode(env)),
        (terms::time_zone(), "Etc/UTC".encode(env)),
        (terms::zone_abbr(), "UTC".encode(env)),
        (terms::utc_offset(), 0.encode(env)),
        (terms::std_offset(), 0.encode(env)),
    ];
    let (keys, values): (Vec<Term>, Vec<Term>) =
        fields.into_iter().map(|(key, value)| (key.encode(env), value)).unzip();
    map::build(env, &keys, &values).map_err(|_| Unsupported("a time".to_owned()))
}

/// Parses a text of digits as an integer.
fn big(digits: Term<'_>) -> Option<Term<'_>> {
    let number = digits.decode::<&str>().ok()?.parse::<BigInt>().ok()?;
    Some(number.encode(digits.get_env()))
}

/// Returns the date `days` after 1970-01-01 in the Gregorian calendar, counted in eras of 400 years
/// that begin in March, so that the leap day is the last of a year.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A type that no report contains.
#[derive(Debug)]
struct Unsupported(String);

impl Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

impl ser::Error for Unsupported {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Built<T> = Result<T, Unsupported>;

fn unsupported<T>() -> Built<T> {
    Err(Unsupported("a shape without a term".to_owned()))
}

#[derive(Clone, Copy)]
struct Builder<'a>(Env<'a>);

struct List<'a>(Env<'a>, Vec<Term<'a>>);

struct Map<'a>(Env<'a>, Vec<Term<'a>>, Vec<Term<'a>>);

/// A map whose keys are data: they stay binaries.
struct Data<'a>(Env<'a>, Vec<Term<'a>>, Vec<Term<'a>>);

macro_rules! encoded {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name(self, value: $kind) -> Built<Term<'a>> { Ok(value.encode(self.0)) })*
    };
}

impl<'a> ser::Serializer for Builder<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;
    type SerializeSeq = List<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = Impossible<Term<'a>, Unsupported>;
    type SerializeTupleVariant = Impossible<Term<'a>, Unsupported>;
    type SerializeMap = Data<'a>;
    type SerializeStructVariant = Impossible<Term<'a>, Unsupported>;

    encoded! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
        serialize_f64: f64
    }

    fn serialize_char(self, value: char) -> Built<Term<'a>> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Built<Term<'a>> {
        Ok(encode::binary(self.0, value.as_bytes()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Built<Term<'a>> {
        Ok(encode::binary(self.0, value))
    }

    fn serialize_none(self) -> Built<Term<'a>> {
        Ok(atom::nil().encode(self.0))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Built<Term<'a>> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Built<Term<'a>> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Built<Term<'a>> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Built<Term<'a>> {
        Ok(encode::atom(self.0, variant).encode(self.0))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Built<Term<'a>> {
        let term = value.serialize(self)?;
        match name {
            "Stamp" => term.decode().map_or(Ok(term), |nanoseconds| time(self.0, nanoseconds)),
            "BigInt" => Ok(big(term).unwrap_or(term)),
            _ => Ok(term),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Built<Term<'a>> {
        unsupported()
    }

    fn serialize_seq(self, len: Option<usize>) -> Built<List<'a>> {
        Ok(List(self.0, Vec::with_capacity(len.unwrap_or(0))))
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Built<Map<'a>> {
        let mut map = Map(self.0, Vec::with_capacity(len + 1), Vec::with_capacity(len + 1));
        if name == "File" {
            map.1.push(atom::__struct__().encode(self.0));
            map.2.push(terms::cache_file().encode(self.0));
        }
        Ok(map)
    }

    fn serialize_tuple(self, len: usize) -> Built<List<'a>> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Built<Self::SerializeTupleStruct> {
        unsupported()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Built<Self::SerializeTupleVariant> {
        unsupported()
    }

    fn serialize_map(self, len: Option<usize>) -> Built<Data<'a>> {
        let capacity = len.unwrap_or(0);
        Ok(Data(self.0, Vec::with_capacity(capacity), Vec::with_capacity(capacity)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Built<Self::SerializeStructVariant> {
        unsupported()
    }
}

impl<'a> SerializeSeq for List<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Built<()> {
        self.1.push(value.serialize(Builder(self.0))?);
        Ok(())
    }

    fn end(self) -> Built<Term<'a>> {
        Ok(self.1.encode(self.0))
    }
}

impl<'a> SerializeTuple for List<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Built<()> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Built<Term<'a>> {
        SerializeSeq::end(self)
    }
}

impl<'a> SerializeMap for Data<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Built<()> {
        self.1.push(key.serialize(Builder(self.0))?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Built<()> {
        self.2.push(value.serialize(Builder(self.0))?);
        Ok(())
    }

    fn end(self) -> Built<Term<'a>> {
        map::build(self.0, &self.1, &self.2)
            .map_err(|_| Unsupported("a map that cannot be built".to_owned()))
    }
}

impl<'a> SerializeStruct for Map<'a> {
    type Ok = Term<'a>;
    type Error = Unsupported;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Built<()> {
        self.1.push(encode::atom(self.0, key).encode(self.0));
        self.2.push(value.serialize(Builder(self.0))?);
        Ok(())
    }

    fn end(self) -> Built<Term<'a>> {
        map::build(self.0, &self.1, &self.2)
            .map_err(|_| Unsupported("a struct that cannot be built".to_owned()))
    }
}
