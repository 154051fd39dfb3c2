//! The number of likes of a repository.

use anyhow::Result;
use rusqlite::Row;

/// How many users like a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Popularity {
    /// Number of likes.
    pub(crate) likes: i64,
    /// Number of likes of the last seven days.
    pub(crate) trend: i64,
}

impl Popularity {
    /// The columns that [`Self::from_row`] reads.
    pub(super) const COLUMNS: &str = "likes, trend";

    /// Reads the columns, the first of which has the number `first`.
    pub(super) fn from_row(row: &Row<'_>, first: usize) -> Result<Self> {
        Ok(Self { likes: row.get(first)?, trend: row.get(first + 1)? })
    }
}
