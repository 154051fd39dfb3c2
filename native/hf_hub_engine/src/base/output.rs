//! Writes fields of a report that serde has no suitable shape for.
//!
//! [`TIME`], [`INTEGER`] and [`CACHED_FILE`] are the names under which serializers see what a format
//! may have a type of its own for.

use std::{path::Path, time::Duration};

use serde::{Serialize, Serializer};

/// Marks an integer as a time: nanoseconds since 1970.
pub const TIME: &str = "$time";

/// Marks a text as the digits of an integer of any size.
pub const INTEGER: &str = "$integer";

/// Marks a struct as a file in a cache.
pub const CACHED_FILE: &str = "$cached_file";

/// Writes a path as the bytes it is.
pub fn path<S: Serializer>(path: &Path, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_bytes(path.as_os_str().as_encoded_bytes())
}

/// A path as the bytes it is.
pub struct RawPath<'a>(pub &'a Path);

impl Serialize for RawPath<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        path(self.0, output)
    }
}

/// Writes a duration in milliseconds.
pub fn some_millis<S: Serializer>(time: &Option<Duration>, output: S) -> Result<S::Ok, S::Error> {
    time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(output)
}
