//! Writes fields of a report that serde has no suitable shape for.
//!
//! [`INTEGER`] is the name under which serializers see what serde has no type for.

use std::{path::Path, time::Duration};

use serde::{Serialize, Serializer};

/// Marks a text as the digits of an integer of any size.
pub const INTEGER: &str = "$integer";

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
