//! Parses and checks the JSON of a header. Pure.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::base::{
    error::{Error, ErrorKind},
    sizes,
};

/// Maximum number of commas, brackets, braces and backslashes in all headers of a model: those of
/// 400,000 tensors have fewer. A text of 100 MB may have a hundred times as many values as a header
/// of that size, and would take as much more memory.
pub(super) const MAX_MARKS: u64 = 4_000_000;
pub(super) const TOO_MANY: &str = "it has too many values";

/// The entry that is not a tensor.
const METADATA: &str = "__metadata__";

/// The header of a file.
#[derive(Debug, PartialEq, Serialize)]
pub struct Header {
    /// Metadata of the writer, such as the framework: in the format a map of texts, in practice any
    /// JSON.
    pub metadata: Value,
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
    /// Number of parameters of each data type.
    pub parameter_count: BTreeMap<String, u64>,
}

impl Default for Header {
    fn default() -> Self {
        let (tensors, parameter_count) = (BTreeMap::new(), BTreeMap::new());
        Self { metadata: Value::Object(Map::new()), tensors, parameter_count }
    }
}

/// A tensor without its data.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// The data type, such as `F32`.
    pub dtype: String,
    /// The dimensions; empty for a scalar.
    pub shape: Vec<u64>,
    /// Start and end of its data, counted from the end of the header.
    pub data_offsets: [u64; 2],
    /// The product of the dimensions.
    pub parameter_count: u64,
}

/// Counts the characters of a text of JSON that are the most there may be of values in it.
pub(super) fn marks(text: &[u8]) -> u64 {
    text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b'\\')).count() as u64
}

/// Parses a header, whose marks were counted. `content` is the number of bytes that follow it in
/// the file, if known.
pub(super) fn parse(text: &[u8], content: Option<u64>) -> Result<Header, String> {
    let header: Header = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    check(&header, content)?;
    Ok(header)
}

/// Checks sizes and offsets of a header. `content` as above.
pub(super) fn check(header: &Header, content: Option<u64>) -> Result<(), String> {
    for (name, tensor) in &header.tensors {
        let [begin, end] = tensor.data_offsets;
        let fits = begin <= end && content.is_none_or(|content| end <= content);
        let bits = |count: u64, of_one: u64| u128::from(count) * u128::from(of_one);
        let wanted = bits_of_one(&tensor.dtype).map(|of_one| bits(tensor.parameter_count, of_one));
        if !fits || wanted.is_some_and(|wanted| wanted != bits(end - begin, 8)) {
            return Err(format!(
                "the data offsets of tensor {name:?} do not match its shape or the file size"
            ));
        }
    }
    Ok(())
}

/// Checks that the tensors cover the data without gaps and overlaps, as the format's own library
/// does. Empty tensors may lie between others.
pub(super) fn cover(header: &Header, content: u64) -> Result<(), String> {
    let mut ranges: Vec<_> = header.tensors.values().map(|tensor| tensor.data_offsets).collect();
    ranges.sort_unstable();
    let mut expected = 0;
    for [begin, end] in ranges {
        if begin != expected {
            return Err(format!(
                "data begins at {begin}, expected {expected}: a gap or an overlap"
            ));
        }
        expected = end;
    }
    if expected != content {
        let expected = sizes::counted(expected, "bytes");
        return Err(format!("its tensors have {expected}, and the file {content}"));
    }
    Ok(())
}

/// Adds to a sum by data type.
pub(super) fn add(
    sums: &mut BTreeMap<String, u64>,
    dtype: &str,
    count: u64,
) -> crate::base::error::Result<()> {
    // Avoids allocating a key for data types that are already in the map.
    let sum = match sums.get_mut(dtype) {
        Some(sum) => sum,
        None => sums.entry(dtype.to_owned()).or_default(),
    };
    *sum = sum.checked_add(count).ok_or_else(|| {
        Error::new(ErrorKind::InvalidResponse, "the number of parameters is too large")
    })?;
    Ok(())
}

/// Returns the number of bits of one value; `None` for unknown types.
fn bits_of_one(dtype: &str) -> Option<u64> {
    match dtype {
        "F64" | "I64" | "U64" | "C64" => Some(64),
        "F32" | "I32" | "U32" => Some(32),
        "F16" | "BF16" | "I16" | "U16" => Some(16),
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" | "F8_E8M0" | "F8_E4M3FNUZ"
        | "F8_E5M2FNUZ" => Some(8),
        "F6_E2M3" | "F6_E3M2" => Some(6),
        "F4" => Some(4),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Raw {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Parses entry by entry: parsers disagree about duplicate names, so they are rejected.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut entries: M) -> Result<Header, M::Error> {
        let mut header = Header::default();
        let mut has_metadata = false;
        while let Some(name) = entries.next_key::<String>()? {
            let twice = if name == METADATA {
                let metadata = entries.next_value::<Option<Value>>()?;
                header.metadata = metadata.unwrap_or_else(|| Value::Object(Map::new()));
                std::mem::replace(&mut has_metadata, true)
            } else {
                let raw: Raw = entries.next_value()?;
                let count = raw.shape.iter().try_fold(1_u64, |sum, size| sum.checked_mul(*size));
                let parameter_count = count.ok_or_else(|| {
                    M::Error::custom(format!("the size of tensor {name:?} overflows"))
                })?;
                add(&mut header.parameter_count, &raw.dtype, parameter_count)
                    .map_err(|error| M::Error::custom(error.message()))?;
                let Raw { dtype, shape, data_offsets } = raw;
                let tensor = Tensor { dtype, shape, data_offsets, parameter_count };
                header.tensors.insert(name.clone(), tensor).is_some()
            };
            if twice {
                return Err(M::Error::custom(format!("duplicate tensor {name:?}")));
            }
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_parameters_like_the_python_client() {
        let text = br#"{"__metadata__":{"format":"pt"},
            "w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
            "b":{"dtype":"F16","shape":[],"data_offsets":[24,26]},
            "none":{"dtype":"F16","shape":[0,5],"data_offsets":[26,26]},
            "odd":{"dtype":"U3","shape":[8],"data_offsets":[26,29]}}"#;
        let header = parse(text, Some(29)).unwrap();
        assert_eq!(header.metadata["format"], "pt");
        assert_eq!(header.tensors["w"].parameter_count, 6);
        let counts = [("F16", 1), ("F32", 6), ("U3", 8)];
        assert!(header.parameter_count.iter().map(|(name, n)| (name.as_str(), *n)).eq(counts));
        assert_eq!(parse(b"{}", None).unwrap(), Header::default());
        assert_eq!(parse(br#"{"__metadata__":null}"#, None).unwrap(), Header::default());
    }

    #[test]
    fn the_tensors_of_a_file_have_to_cover_its_data() {
        let covered = |offsets: &[[u64; 2]], content| {
            let tensor = |(n, [begin, end]): (usize, &[u64; 2])| {
                let dtype = "unknown".to_owned();
                let tensor = Tensor {
                    dtype,
                    shape: vec![],
                    data_offsets: [*begin, *end],
                    parameter_count: 1,
                };
                (n.to_string(), tensor)
            };
            let tensors = offsets.iter().enumerate().map(tensor).collect();
            cover(&Header { tensors, ..Header::default() }, content).is_ok()
        };
        assert!(covered(&[], 0));
        assert!(covered(&[[4, 9], [0, 4], [4, 4], [9, 9]], 9));
        for (offsets, content) in [
            (&[[0, 4], [2, 9]][..], 9),
            (&[[0, 4], [0, 4]], 4),
            (&[[0, 4], [5, 9]], 9),
            (&[[1, 9]], 9),
            (&[[0, 9]], 10),
            (&[], 1),
        ] {
            assert!(!covered(offsets, content), "{offsets:?}");
        }
    }

    #[test]
    fn accepts_any_metadata_values() {
        for metadata in [
            r#"{"format":"pt","step":12000}"#,
            r#"{"format":null}"#,
            r#"{"a":{"b":[1.5,true]}}"#,
            r#""pt""#,
            "[1]",
            "7",
        ] {
            let text = format!(r#"{{"__metadata__":{metadata}}}"#);
            let header = parse(text.as_bytes(), None).unwrap();
            assert_eq!(header.metadata, serde_json::from_str::<Value>(metadata).unwrap());
        }
    }

    #[test]
    fn marks_are_at_least_as_many_as_values() {
        assert_eq!(marks(br#"{"a":[1,2,{"b":"\u0000"}],"c":[[]]}"#), 9);
        assert_eq!(marks(b""), 0);
    }

    #[test]
    fn rejects_impossible_headers() {
        let tensor = |shape: &str, offsets: &str| {
            format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        let twice = r#"{"w":{"dtype":"I8","shape":[],"data_offsets":[0,1]},"w":{"dtype":"I8","shape":[],"data_offsets":[0,1]}}"#;
        for text in [
            "[]".to_owned(),
            "{".to_owned(),
            "\u{0}".to_owned(),
            r#"{"w":1}"#.to_owned(),
            twice.to_owned(),
            tensor("[2]", "[8,0]"),
            tensor("[2]", "[0,4]"),
            tensor("[2]", "[100,108]"),
            tensor("[-1]", "[0,4]"),
            tensor("[1.5]", "[0,4]"),
            tensor("[2]", "[0,8,9]"),
            tensor("[4294967296,4294967296,2]", "[0,8]"),
            tensor("[18446744073709551615]", "[0,18446744073709551615]"),
            tensor("[2]", "[0,8]").replace("F32", "F4"),
            "[".repeat(100_000),
        ] {
            assert!(parse(text.as_bytes(), Some(100)).is_err(), "{text:.200}");
        }
    }
}
