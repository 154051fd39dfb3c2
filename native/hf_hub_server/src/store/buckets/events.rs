//! The changes of a bucket's files, for those who follow them. Old ones are forgotten.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::super::db;
use super::{Bucket, BucketFile, Buckets};

/// Number of changes that are kept of a bucket; those of the last batch always are.
const KEPT: i64 = 20_000;
/// Maximum number of changes in a batch.
const BATCH: usize = 1000;

/// Changes that were made at once.
#[derive(Clone, Debug)]
pub(crate) struct BucketEvent {
    /// Its number: greater than those before it.
    pub(crate) id: i64,
    /// A JSON list of changes, in the format of the API.
    pub(crate) changes: String,
}

/// Where a follower begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BucketPosition {
    /// After this event.
    After(i64),
    /// With the first event at or after this time.
    Since(Timestamp),
    /// With the next event.
    Now,
}

impl Buckets {
    /// Returns the number of the event after which a follower begins; `None` if events since then
    /// were forgotten.
    pub(crate) fn follow(&self, of: &Bucket, position: BucketPosition) -> Result<Option<i64>> {
        self.db.read(|tx| {
            let (forgotten, until) = forgotten(tx, of)?;
            let newest = newest(tx, of)?.max(forgotten);
            Ok(match position {
                BucketPosition::Now => Some(newest),
                BucketPosition::After(id) => Some(id).filter(|id| *id >= forgotten),
                // Clients know times by the millisecond.
                BucketPosition::Since(time) if time.as_millisecond() < until / 1000 => None,
                BucketPosition::Since(time) => {
                    let sql = "SELECT min(id) FROM bucket_events WHERE bucket_id = ?1 AND at >= ?2";
                    let values = params![of.row, time.as_millisecond() * 1000];
                    let first: Option<i64> = tx.query_row(sql, values, |row| row.get(0))?;
                    Some(first.map_or(newest, |first| first - 1))
                }
            })
        })
    }

    /// Returns the next events after one; `None` if events since then were forgotten, or the bucket
    /// was deleted.
    pub(crate) fn events(&self, of: &Bucket, after: i64) -> Result<Option<Vec<BucketEvent>>> {
        self.db.read(|tx| {
            if !exists(tx, of)? || after < forgotten(tx, of)?.0 {
                return Ok(None);
            }
            let mut query = tx.prepare_cached(
                "SELECT id, changes FROM bucket_events WHERE bucket_id = ?1 AND id > ?2
                 ORDER BY id LIMIT 10",
            )?;
            let read =
                |row: &rusqlite::Row<'_>| Ok(BucketEvent { id: row.get(0)?, changes: row.get(1)? });
            let events = query.query_map(params![of.row, after], read)?;
            Ok(Some(events.collect::<Result<_, _>>()?))
        })
    }

    /// Whether an event number can be one of this bucket: others are of the future.
    pub(crate) fn has_had(&self, of: &Bucket, id: i64) -> Result<bool> {
        self.db.read(|tx| Ok(id >= 0 && id <= newest(tx, of)?.max(forgotten(tx, of)?.0)))
    }
}

fn exists(tx: &Transaction<'_>, of: &Bucket) -> Result<bool> {
    let sql = "SELECT 1 FROM buckets WHERE id = ?1 AND object_id = ?2";
    Ok(tx.prepare_cached(sql)?.exists(params![of.row, of.object_id])?)
}

fn newest(tx: &Transaction<'_>, of: &Bucket) -> Result<i64> {
    let sql = "SELECT ifnull(max(id), 0) FROM bucket_events WHERE bucket_id = ?1";
    Ok(tx.prepare_cached(sql)?.query_row([of.row], |row| row.get(0))?)
}

/// Returns number and time of the last event that was forgotten.
fn forgotten(tx: &Transaction<'_>, of: &Bucket) -> Result<(i64, i64)> {
    let sql = "SELECT forgotten_id, forgotten_at FROM buckets WHERE id = ?1";
    let found = tx.prepare_cached(sql)?.query_row([of.row], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?.unwrap_or_default())
}

/// Returns the change that adds or replaces a file.
pub(super) fn put(file: &BucketFile, is_new: bool) -> Value {
    let mut change = json!({
        "path": file.path,
        "op": if is_new { "add" } else { "update" },
        "size": file.size,
        "xetHash": file.hash,
        "uploadedAt": format!("{:.3}", file.uploaded_at),
    });
    if let Some(mtime) = file.mtime {
        change["mtime"] = format!("{mtime:.3}").into();
    }
    change
}

/// Returns the change that deletes a file.
pub(super) fn deleted(path: &str) -> Value {
    json!({ "path": path, "op": "delete" })
}

/// Records changes, and forgets old ones.
pub(super) fn record(tx: &Transaction<'_>, of: &Bucket, changes: &[Value]) -> Result<()> {
    let now = Timestamp::now().as_microsecond();
    for batch in changes.chunks(BATCH) {
        let sql =
            "INSERT INTO bucket_events (bucket_id, at, count, changes) VALUES (?1, ?2, ?3, ?4)";
        let (count, changes) = (db::number(batch.len()), serde_json::to_string(batch)?);
        tx.prepare_cached(sql)?.execute(params![of.row, now, count, changes])?;
    }
    let last = tx
        .prepare_cached(
            "SELECT id, at FROM
               (SELECT id, at, sum(count) OVER (ORDER BY id DESC) AS total FROM bucket_events
                WHERE bucket_id = ?1)
             WHERE total > ?2 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![of.row, KEPT], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let Some((id, at)) = last.optional()? else { return Ok(()) };
    let sql = "DELETE FROM bucket_events WHERE bucket_id = ?1 AND id <= ?2";
    tx.execute(sql, (of.row, id))?;
    let sql = "UPDATE buckets SET forgotten_id = ?2, forgotten_at = ?3 WHERE id = ?1";
    tx.execute(sql, (of.row, id, at))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn old_events_are_forgotten_and_followers_notice_it() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let buckets = store.buckets();
        buckets.create("me", "data", false, None).unwrap();
        let bucket = buckets.find("me", "data").unwrap().unwrap();
        let start = Timestamp::now();
        let record = |count: usize| {
            let changes = vec![deleted("a"); count];
            buckets.db.write(|tx| record(tx, &bucket, &changes)).unwrap();
        };
        let follow = |position| buckets.follow(&bucket, position).unwrap();
        record(1);
        let first = follow(BucketPosition::Now).unwrap();
        assert_eq!(follow(BucketPosition::Since(start)), Some(first - 1));
        assert_eq!(buckets.events(&bucket, first - 1).unwrap().unwrap().len(), 1);
        assert!(buckets.has_had(&bucket, first).unwrap());
        assert!(!buckets.has_had(&bucket, first + 1).unwrap());

        std::thread::sleep(std::time::Duration::from_millis(2));
        // Twenty-one batches: the first two events do not fit any more.
        record(20_500);
        assert_eq!(follow(BucketPosition::After(first)), None);
        assert_eq!(follow(BucketPosition::Since(start)), None);
        assert!(buckets.events(&bucket, first).unwrap().is_none());
        let newest = follow(BucketPosition::Now).unwrap();
        assert!(buckets.events(&bucket, newest).unwrap().unwrap().is_empty());
        assert_eq!(follow(BucketPosition::Since(Timestamp::now())), Some(newest));
        buckets.delete(&bucket).unwrap();
        assert!(buckets.events(&bucket, newest).unwrap().is_none());
    }
}
