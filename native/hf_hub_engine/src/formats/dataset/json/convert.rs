//! Converts JSON to values of a type.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Text;

use super::MAX_VALUES;
use crate::{
    base::json,
    formats::dataset::value::{Kind, Value, whole},
};

/// A type, in the form in which values are converted to it.
pub(super) enum Shape {
    One(Kind),
    List(Box<Shape>),
    Struct(Arc<[String]>, Vec<Shape>),
}

impl Shape {
    pub(super) fn new(kind: &Kind) -> Self {
        match kind {
            Kind::List(item) => Self::List(Box::new(Self::new(item))),
            Kind::Struct(fields) => {
                let names = fields.iter().map(|field| field.name.clone()).collect();
                Self::Struct(names, fields.iter().map(|field| Self::new(&field.kind)).collect())
            }
            other => Self::One(other.clone()),
        }
    }

    /// Returns the value; `None` if it is of another type. Counts in `made` the values in it, of
    /// which there may be more than in its text: an entry that is not there has one, too. Gives up
    /// if they are more than [`MAX_VALUES`].
    pub(super) fn convert(&self, json: Text, made: &mut usize) -> Option<Value> {
        *made += 1;
        if *made > MAX_VALUES {
            return None;
        }
        match (self, json) {
            (_, Text::Null) => Some(Value::Null),
            (Self::One(kind), json) => one(kind, json),
            (Self::List(shape), Text::Array(items)) => {
                let items: Option<_> =
                    items.into_iter().map(|item| shape.convert(item, made)).collect();
                items.map(Value::List)
            }
            (Self::Struct(names, shapes), Text::Object(mut entries)) => {
                let value = |(name, shape): (&String, &Self)| {
                    let entry = entries.get_mut(name).map_or(Text::Null, Text::take);
                    shape.convert(entry, made)
                };
                let values: Option<_> = names.iter().zip(shapes).map(value).collect();
                let known = names.iter().filter(|name| entries.contains_key(*name)).count();
                (known == entries.len()).then_some(())?;
                values.map(|values| Value::Struct(names.clone(), values))
            }
            _ => None,
        }
    }
}

fn one(kind: &Kind, json: Text) -> Option<Value> {
    match (kind, json) {
        (Kind::Json, json) => Some(Value::Json(Box::new(json))),
        (Kind::Boolean, Text::Bool(value)) => Some(Value::Boolean(value)),
        (Kind::Signed(_), Text::Number(number)) => {
            number.as_i64().or_else(|| whole(number.as_f64()?)).map(Value::Signed)
        }
        (Kind::Float(_), Text::Number(number)) => number.as_f64().map(Value::Float),
        (Kind::Float(_), Text::String(text)) => json::number(&text).map(Value::Float),
        (Kind::String, Text::String(text)) => {
            // As Arrow writes `nan` and `inf`.
            let number = json::number(&text).map(|number| number.to_string().to_lowercase());
            Some(Value::Bytes(number.unwrap_or(text).into()))
        }
        (Kind::String, scalar @ (Text::Number(_) | Text::Bool(_))) => {
            Some(Value::Bytes(Bytes::from(scalar.to_string())))
        }
        (Kind::Timestamp(_), Text::String(text)) => seconds(&text).map(Value::Signed),
        _ => None,
    }
}

/// Returns the seconds since 1970 of a date, or of a date and a time without a fraction; `None` for
/// another text. These are the texts that Arrow's reader of JSON takes for timestamps.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (date, time) = match text.as_bytes().get(10) {
        None => (text, None),
        Some(b' ' | b'T') => (text.get(..10)?, Some(text.get(11..)?)),
        Some(_) => return None,
    };
    let [year, month, day] = parts(date, b'-', &[4, 2, 2])?[..] else { return None };
    let midnight = days(year, month, day)? * 86_400;
    let Some(time) = time else { return Some(midnight) };
    let (time, offset) = zone(time)?;
    let length = time.len();
    if !matches!(length, 2 | 5 | 8) {
        return None;
    }
    let time = parts(time, b':', &[2; 3][..(length + 1) / 3])?;
    let [hour, minute, second] = [0, 1, 2].map(|at| time.get(at).copied().unwrap_or(0));
    let is_valid = hour < 24 && minute < 60 && second < 60;
    is_valid.then_some(midnight + hour * 3600 + minute * 60 + second - offset)
}

/// Returns the numbers of these digits, separated by a character.
fn parts(text: &str, separator: u8, digits: &[usize]) -> Option<Vec<i64>> {
    let parts: Vec<&str> = text.split(char::from(separator)).collect();
    if parts.len() != digits.len() {
        return None;
    }
    let number = |(part, digits): (&&str, &usize)| {
        let is_number = part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse().ok())?
    };
    parts.iter().zip(digits).map(number).collect()
}

/// Returns the time before the zone, and the zone's offset in seconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (time, zone) = time.split_at(at);
    let digits = zone[1..].replace(':', "");
    let is_offset =
        matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let hours: i64 = digits.get(..2).filter(|_| is_offset)?.parse().ok()?;
    let minutes: i64 = digits
        .get(2..)
        .filter(|rest| !rest.is_empty())
        .map_or(Some(0), |rest| rest.parse().ok())?;
    let offset = hours * 3600 + minutes * 60;
    Some((time, if zone.starts_with('-') { -offset } else { offset }))
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::dataset::value::Field;

    #[test]
    fn integers_may_be_written_as_floats() {
        let whole = |json| one(&Kind::Signed(64), json);
        assert_eq!(whole(3.0.into()), Some(Value::Signed(3)));
        assert_eq!(whole(3.5.into()), None);
        assert_eq!(whole(1e300.into()), None);
    }

    #[test]
    fn objects_have_the_entries_of_their_type() {
        let fields = ["a", "b"].map(|name| Field { name: name.to_owned(), kind: Kind::Json });
        let shape = Shape::new(&Kind::Struct(fields.into()));
        let is_like =
            |json: &str| shape.convert(serde_json::from_str(json).unwrap(), &mut 0).is_some();
        assert!(is_like(r#"{"b":1}"#) && is_like("{}"));
        assert!(!is_like(r#"{"b":1,"c":2}"#));
    }

    #[test]
    fn entries_that_are_not_there_are_counted() {
        let fields: Vec<_> =
            (0..999).map(|n| Field { name: n.to_string(), kind: Kind::Json }).collect();
        let shape = Shape::new(&Kind::List(Box::new(Kind::Struct(fields))));
        let count = |objects: usize| {
            let mut made = 0;
            let json = Text::Array(vec![Text::Object(serde_json::Map::new()); objects]);
            (shape.convert(json, &mut made).is_some(), made)
        };
        assert_eq!(count(10), (true, 10_001));
        assert_eq!(count(5000), (false, MAX_VALUES + 1));
    }

    #[test]
    fn reads_the_timestamps_of_arrow() {
        let day = 1_577_836_800;
        for (text, expected) in [
            ("2020-01-01", Some(day)),
            ("2020-01-01T10", Some(day + 36_000)),
            ("2020-01-01 10:30", Some(day + 37_800)),
            ("2020-01-01 10:30:01", Some(day + 37_801)),
            ("2020-01-01T10:30:01Z", Some(day + 37_801)),
            ("2020-01-01T10:30+02:00", Some(day + 30_600)),
            ("2020-01-01T10:30-0130", Some(day + 43_200)),
            ("1969-12-31", Some(-86_400)),
            ("0000-03-01", Some(-62_162_035_200)),
            ("2020-01-01T10:30:01.5", None),
            ("2020-01-01T10:30:01.789Z", None),
            ("2020-01-01T10:30:01.123456+00:00", None),
            ("2020-01-01 10:30:01 UTC", None),
            ("2020-01-01 The weather is fine.", None),
            ("2020-01-01 Ärger, 語", None),
            ("2019-02-29", None),
            ("2020-1-1", None),
            ("2020-01-01T", None),
            ("2020-01-01T25", None),
            ("2020-01-01x10", None),
            ("+020-01-01", None),
            ("nope", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
