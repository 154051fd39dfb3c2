//! Finds the types of columns in rows of JSON, as `datasets` does: a value that has several types,
//! or an object whose entries differ from row to row, stays JSON.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Text};

use crate::formats::dataset::{
    json::convert::seconds,
    value::{Field, Kind, Stamp, Unit},
};

/// Returns the columns of the rows, in the order in which they appear.
pub(super) fn fields<'a>(rows: impl Iterator<Item = &'a Map<String, Text>>) -> Vec<Field> {
    let mut columns: IndexMap<&str, Vec<&Text>> = IndexMap::new();
    for (name, value) in rows.flatten() {
        columns.entry(name).or_default().push(value);
    }
    columns
        .into_iter()
        .map(|(name, values)| Field { name: name.to_owned(), kind: kind(&values) })
        .collect()
}

fn kind(values: &[&Text]) -> Kind {
    let values: Vec<&Text> = values.iter().copied().filter(|value| !value.is_null()).collect();
    let all = |is: fn(&Text) -> bool| values.iter().all(|value| is(value));
    if values.is_empty() {
        Kind::Null
    } else if all(Text::is_object) {
        object(&values.iter().filter_map(|value| value.as_object()).collect::<Vec<_>>())
    } else if all(Text::is_array) {
        let items: Vec<&Text> =
            values.iter().filter_map(|value| value.as_array()).flatten().collect();
        Kind::List(Box::new(kind(&items)))
    } else if all(Text::is_boolean) {
        Kind::Boolean
    } else if all(Text::is_i64) {
        Kind::Signed(64)
    } else if all(Text::is_number) {
        Kind::Float(64)
    } else if all(|value| value.as_str().and_then(seconds).is_some()) {
        Kind::Timestamp(Stamp { unit: Unit::Second, utc: false })
    } else if all(Text::is_string) {
        Kind::String
    } else {
        Kind::Json
    }
}

fn object(objects: &[&Map<String, Text>]) -> Kind {
    let names = |object: &Map<String, Text>| object.keys().cloned().collect::<HashSet<_>>();
    let first = names(objects[0]);
    let is_same = |object: &&Map<String, Text>| {
        object.len() == first.len() && object.keys().all(|name| first.contains(name))
    };
    if first.is_empty() || !objects.iter().all(is_same) {
        return Kind::Json;
    }
    Kind::Struct(fields(objects.iter().copied()))
}
