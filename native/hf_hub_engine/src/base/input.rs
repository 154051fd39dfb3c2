//! Reads fields of a spec that serde has no suitable shape for: paths as bytes, times as milliseconds.

use std::{fmt, path::PathBuf, time::Duration};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};

use crate::base::{
    error::{Error, ErrorKind},
    output,
};

/// Reads bytes.
pub fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
    input.deserialize_byte_buf(Binary).map(Bytes::from)
}

/// Reads a path: any bytes on Unix, else UTF-8.
pub fn path<'de, D: Deserializer<'de>>(input: D) -> Result<PathBuf, D::Error> {
    input.deserialize_byte_buf(Binary).and_then(as_path)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems refuse some bytes")]
fn as_path<E: de::Error>(bytes: Vec<u8>) -> Result<PathBuf, E> {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    Ok(OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn as_path<E: de::Error>(bytes: Vec<u8>) -> Result<PathBuf, E> {
    String::from_utf8(bytes).map(PathBuf::from).map_err(E::custom)
}

/// A path that is part of another type.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RawPath(
    #[serde(deserialize_with = "path", serialize_with = "output::path")] pub PathBuf,
);

/// Reads a number of milliseconds.
pub fn millis<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    u64::deserialize(input).map(Duration::from_millis)
}

/// Reads a number of milliseconds, or nothing.
pub fn some_millis<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Duration>, D::Error> {
    Option::<u64>::deserialize(input).map(|millis| millis.map(Duration::from_millis))
}

/// Why a spec cannot be read. What was found is not shown: it may be a secret.
#[derive(Debug)]
pub enum Wrong {
    /// It has another shape: a mistake of the calling code.
    Shape(String),
    /// A name in it is not valid.
    Name(String),
}

impl Wrong {
    /// Returns the error for the user; `Err` with the reason for a mistake of the calling code.
    pub fn into_error(self) -> Result<Error, String> {
        match self {
            Self::Name(why) => Ok(Error::new(ErrorKind::InvalidName, why)),
            Self::Shape(why) => Err(why),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Shape(why) | Self::Name(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::Name(why.to_string())
    }

    fn invalid_type(_: de::Unexpected, expected: &dyn de::Expected) -> Self {
        Self::Shape(format!("expected {expected}"))
    }

    fn invalid_value(_: de::Unexpected, expected: &dyn de::Expected) -> Self {
        Self::Shape(format!("expected {expected}"))
    }

    fn invalid_length(_: usize, expected: &dyn de::Expected) -> Self {
        Self::Shape(format!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Shape(format!("expected one of {expected:?}"))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::Shape(format!("{name} is missing"))
    }
}

struct Binary;

impl Visitor<'_> for Binary {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_str<E>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }
}
