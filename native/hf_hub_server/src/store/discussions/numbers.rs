//! The numbers of discussions: each is given once, whatever is deleted.

use anyhow::Result;
use rusqlite::Transaction;

/// Takes the next number above `floor`.
pub(in super::super) fn reserve(tx: &Transaction<'_>, repository: i64, floor: u64) -> Result<u64> {
    let mut query = tx.prepare_cached(
        "INSERT INTO discussion_numbers (repository_id, last) VALUES (?1, ?2 + 1)
         ON CONFLICT (repository_id) DO UPDATE SET last = max(last, ?2) + 1
         RETURNING last",
    )?;
    let last: i64 = query.query_row((repository, stored(floor)), |row| row.get(0))?;
    Ok(last.unsigned_abs())
}

/// Takes a number, and all below it.
pub(in super::super) fn reserve_until(
    tx: &Transaction<'_>,
    repository: i64,
    num: u64,
) -> Result<()> {
    tx.execute(
        "INSERT INTO discussion_numbers (repository_id, last) VALUES (?1, ?2)
         ON CONFLICT (repository_id) DO UPDATE SET last = max(last, excluded.last)",
        (repository, stored(num)),
    )?;
    Ok(())
}

/// Returns how a number is stored; there are no larger ones.
pub(super) fn stored(num: u64) -> i64 {
    i64::try_from(num).unwrap_or(i64::MAX - 1)
}
