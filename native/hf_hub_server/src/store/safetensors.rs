//! The headers of safetensors files.

use std::io::{Cursor, Read};

use anyhow::Result;
use serde_json::{Map, Value};

use super::git::{Entry, EntryKind, Git};
use super::lfs::LfsStore;

/// Maximum size of a file in git whose header is read, and of an index.
const MAX_READ: u64 = 1 << 20;
/// Maximum size of a header that is read.
pub(crate) const MAX_HEADER: u64 = 10 << 20;

/// Returns the header of a file; `None` if it is not a safetensors file, or too large.
pub(crate) fn header(
    git: &Git,
    lfs: &LfsStore,
    entry: &Entry,
) -> Result<Option<Map<String, Value>>> {
    Ok(content(git, lfs, entry)?.and_then(|mut content| parse(&mut content)))
}

fn parse(content: &mut dyn Read) -> Option<Map<String, Value>> {
    let mut length = [0; 8];
    content.read_exact(&mut length).ok()?;
    let length = Some(u64::from_le_bytes(length)).filter(|length| *length <= MAX_HEADER)?;
    let mut header = Vec::new();
    content.take(length).read_to_end(&mut header).ok()?;
    serde_json::from_slice(&header).ok()
}

/// Returns the content of a file; `None` if it is missing in the LFS store, or too large for git.
pub(crate) fn content(git: &Git, lfs: &LfsStore, entry: &Entry) -> Result<Option<Box<dyn Read>>> {
    Ok(match &entry.kind {
        EntryKind::Lfs { pointer, .. } => {
            lfs.find(&pointer.oid)?.and_then(|found| found.reader().ok())
        }
        _ if entry.size() <= MAX_READ => Some(Box::new(Cursor::new(git.blob(entry.oid)?))),
        _ => None,
    })
}
