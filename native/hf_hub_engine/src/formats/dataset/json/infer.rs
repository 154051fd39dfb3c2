//! Finds the types of columns in rows of JSON, as `datasets` does: a value that has several types,
//! or an object whose entries differ from row to row, stays JSON. Rows are looked at one after the
//! other, and not kept: parsed, they take many times the memory of their texts.

use indexmap::IndexMap;
use serde_json::{Map, Value as Text};

use crate::{
    base::json,
    formats::dataset::{
        Broken, MAX_COLUMNS,
        json::{Numbers, convert::seconds},
        value::{Field, Kind, Stamp, Unit},
    },
};

/// The columns of the rows so far, in the order in which they appear.
#[derive(Default)]
pub(super) struct Columns(IndexMap<String, Seen>);

impl Columns {
    pub(super) fn add(&mut self, row: &Map<String, Text>) -> Result<(), Broken> {
        for (name, value) in row {
            self.entry(name).add(value);
        }
        if self.0.len() > MAX_COLUMNS {
            return Err(format!("it has more than {MAX_COLUMNS} columns").into());
        }
        Ok(())
    }

    fn entry(&mut self, name: &str) -> &mut Seen {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Seen::default());
        }
        &mut self.0[name]
    }

    pub(super) fn fields(&self, numbers: Numbers) -> Vec<Field> {
        let field =
            |(name, seen): (&String, &Seen)| Field { name: name.clone(), kind: seen.kind(numbers) };
        self.0.iter().map(field).collect()
    }
}

/// The values of a column so far: whether they are all of a type, which all are that are not there.
#[derive(Default)]
struct Seen {
    /// Number of values that are not null.
    count: u64,
    booleans: u64,
    integers: u64,
    numbers: u64,
    /// Numbers that JSON does not have.
    unusual: u64,
    times: u64,
    texts: u64,
    lists: u64,
    items: Option<Box<Seen>>,
    objects: u64,
    entries: Option<Columns>,
    /// Whether the entries differ.
    is_mixed: bool,
}

impl Seen {
    fn add(&mut self, value: &Text) {
        self.count += u64::from(!value.is_null());
        match value {
            Text::Null => {}
            Text::Bool(_) => self.booleans += 1,
            Text::Number(number) => {
                self.numbers += 1;
                self.integers += u64::from(number.is_i64());
            }
            Text::String(text) if json::number(text).is_some() => {
                self.numbers += 1;
                self.unusual += 1;
            }
            Text::String(text) => {
                self.texts += 1;
                // Once a text is none, it does not matter whether others are.
                self.times += u64::from(self.times + 1 == self.texts && seconds(text).is_some());
            }
            Text::Array(items) => {
                self.lists += 1;
                let seen = self.items.get_or_insert_default();
                for item in items {
                    seen.add(item);
                }
            }
            Text::Object(object) => self.add_object(object),
        }
    }

    fn add_object(&mut self, object: &Map<String, Text>) {
        self.objects += 1;
        let is_other = |entries: &Columns| {
            object.len() != entries.0.len()
                || !object.keys().all(|name| entries.0.contains_key(name))
        };
        self.is_mixed |= object.len() > MAX_COLUMNS || self.entries.as_ref().is_some_and(is_other);
        if self.is_mixed {
            self.entries = None;
            return;
        }
        let entries = self.entries.get_or_insert_default();
        for (name, value) in object {
            entries.entry(name).add(value);
        }
    }

    fn kind(&self, numbers: Numbers) -> Kind {
        match self.count {
            0 => Kind::Null,
            all if all == self.objects => match &self.entries {
                Some(entries) if !entries.0.is_empty() => Kind::Struct(entries.fields(numbers)),
                _ => Kind::Json,
            },
            all if all == self.lists => {
                let item = self.items.as_ref().map_or(Kind::Null, |items| items.kind(numbers));
                Kind::List(Box::new(item))
            }
            all if all == self.booleans => Kind::Boolean,
            all if all == self.integers => Kind::Signed(64),
            all if all == self.numbers => match all - self.unusual {
                _ if numbers == Numbers::Floats => Kind::Float(64),
                0 => Kind::Null,
                left if left == self.integers => Kind::Signed(64),
                _ => Kind::Float(64),
            },
            all if all == self.times => Kind::Timestamp(Stamp { unit: Unit::Second, utc: false }),
            all if all == self.texts => Kind::String,
            _ => Kind::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(rows: &[&str]) -> Vec<String> {
        let mut columns = Columns::default();
        for row in rows {
            assert!(columns.add(&serde_json::from_str(row).unwrap()).is_ok());
        }
        columns
            .fields(Numbers::Floats)
            .iter()
            .map(|field| format!("{}: {:?}", field.name, field.kind))
            .collect()
    }

    #[test]
    fn a_column_has_the_type_of_all_its_values() {
        let rows = [
            r#"{"b":true,"i":1,"n":1,"t":"2020-01-01","s":"2020-01-01","l":[],"o":{"x":1},"m":{"x":1},"e":{}}"#,
            r#"{"b":null,"i":-2,"n":0.5,"t":"2020-01-02","s":"no","l":[1,null],"o":{"x":null},"m":{"y":1},"e":{}}"#,
            r#"{"a":null,"u":18446744073709551615,"l":[2.5],"x":[1,"x"],"s":"2020-01-01","z":1}"#,
            r#"{"z":"1","l":[[]],"w":[{"x":[1]},{"x":[]}]}"#,
        ];
        let expected = [
            "b: Boolean",
            "i: Signed(64)",
            "n: Float(64)",
            "t: Timestamp(Stamp { unit: Second, utc: false })",
            "s: String",
            "l: List(Json)",
            "o: Struct([Field { name: \"x\", kind: Signed(64) }])",
            "m: Json",
            "e: Json",
            "a: Null",
            "u: Float(64)",
            "x: List(Json)",
            "z: Json",
            "w: List(Struct([Field { name: \"x\", kind: List(Signed(64)) }]))",
        ];
        assert_eq!(kinds(&rows), expected);
        assert_eq!(kinds(&[r#"{"l":null}"#, r#"{"l":[]}"#]), ["l: List(Null)"]);
    }

    #[test]
    fn an_object_with_very_many_entries_stays_json() {
        let row = |entries: usize| {
            let object = (0..entries).map(|at| (at.to_string(), Text::Null));
            let mut columns = Columns::default();
            let row = Map::from_iter([("o".to_owned(), Text::Object(object.collect()))]);
            columns.add(&row).map_err(drop).unwrap();
            columns.fields(Numbers::Floats).remove(0).kind
        };
        assert!(matches!(row(MAX_COLUMNS), Kind::Struct(fields) if fields.len() == MAX_COLUMNS));
        assert!(matches!(row(MAX_COLUMNS + 1), Kind::Json));
    }

    #[test]
    fn rows_that_all_have_other_columns_are_refused() {
        let mut columns = Columns::default();
        let mut add = |at: usize| {
            let row = Map::from_iter([(at.to_string(), Text::Null)]);
            columns.add(&row).is_ok()
        };
        assert!((0..MAX_COLUMNS).all(&mut add));
        assert!(!add(MAX_COLUMNS));
    }
}
