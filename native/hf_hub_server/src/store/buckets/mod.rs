//! Buckets: names, visibility, and the contents that belong to them. Their files are in [`files`], the
//! changes of these in [`events`].

mod events;
mod files;

pub(crate) use events::{BucketEvent, BucketPosition};
pub(crate) use files::{BucketEntry, BucketFile, FileChange};

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::Store;
use super::about::About;
use super::db::{self, Db};
use super::token::random_id;

/// A bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    row: i64,
    /// The id of the Hub's database: 24 hex digits.
    pub(crate) object_id: String,
    /// The user or organisation that owns it.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
    /// Whether only its owners see it.
    pub(crate) private: bool,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// When it was changed.
    pub(crate) updated_at: Timestamp,
    /// Number of bytes of all files.
    pub(crate) size: i64,
    /// Number of files.
    pub(crate) files: i64,
}

/// Which buckets to list.
#[derive(Clone, Debug)]
pub(crate) struct BucketSearch {
    /// The owner; all if none is given.
    pub(crate) namespace: Option<String>,
    /// The owners whose private ones are listed, too.
    pub(crate) readable: Vec<String>,
    /// Only those whose name contains this.
    pub(crate) text: Option<String>,
    /// Number of buckets to leave out.
    pub(crate) skip: usize,
    /// Maximum number of buckets.
    pub(crate) limit: usize,
}

/// The buckets.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    db: Db,
}

const COLUMNS: &str =
    "b.id, b.object_id, b.namespace, b.name, b.private, b.created_at, b.updated_at,
    (SELECT ifnull(sum(size), 0) FROM bucket_files f WHERE f.bucket_id = b.id),
    (SELECT count(*) FROM bucket_files f WHERE f.bucket_id = b.id)";

impl Bucket {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            object_id: row.get(1)?,
            namespace: row.get(2)?,
            name: row.get(3)?,
            private: row.get(4)?,
            created_at: db::time(row.get(5)?)?,
            updated_at: db::time(row.get(6)?)?,
            size: row.get(7)?,
            files: row.get(8)?,
        })
    }

    /// Returns its id: namespace and name.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl From<&Bucket> for About {
    fn from(bucket: &Bucket) -> Self {
        Self::Bucket(bucket.row)
    }
}

impl Store {
    /// Returns the buckets.
    pub(crate) fn buckets(&self) -> Buckets {
        Buckets { db: self.db.clone() }
    }
}

impl Buckets {
    /// Returns a bucket, also a private one. Letters of either case name the same one.
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Result<Option<Bucket>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM buckets b
             WHERE b.namespace = ?1 COLLATE NOCASE AND b.name = ?2 COLLATE NOCASE"
        );
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query((namespace, name))?;
            rows.next()?.map(Bucket::from_row).transpose()
        })
    }

    /// Returns the bucket of a row.
    pub(super) fn by_row(&self, row: i64) -> Result<Option<Bucket>> {
        self.db.read(|tx| {
            let sql = format!("SELECT {COLUMNS} FROM buckets b WHERE b.id = ?1");
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query([row])?;
            rows.next()?.map(Bucket::from_row).transpose()
        })
    }

    /// Creates a bucket; `false` if the name is taken.
    pub(crate) fn create(
        &self,
        namespace: &str,
        name: &str,
        private: bool,
        group: Option<&str>,
    ) -> Result<bool> {
        self.db.write(|tx| {
            let now = Timestamp::now().as_microsecond();
            let sql = "INSERT INTO buckets
                (object_id, namespace, name, private, resource_group, created_at, updated_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO NOTHING";
            Ok(tx.execute(sql, params![random_id()?, namespace, name, private, group, now])? > 0)
        })
    }

    /// Lists buckets by their names.
    pub(crate) fn list(&self, search: &BucketSearch) -> Result<Vec<Bucket>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM buckets b
             WHERE (?1 IS NULL OR b.namespace = ?1 COLLATE NOCASE)
               AND (NOT b.private OR EXISTS
                 (SELECT 1 FROM json_each(?2) o WHERE o.value = b.namespace))
               AND (?3 IS NULL OR instr(lower(b.name), lower(?3)))
             ORDER BY b.name, b.namespace LIMIT ?4 OFFSET ?5"
        );
        let (limit, skip) = (db::number(search.limit), db::number(search.skip));
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let readable = serde_json::to_string(&search.readable)?;
            let values = params![search.namespace, readable, search.text, limit, skip];
            let mut rows = query.query(values)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Bucket::from_row(row)?);
            }
            Ok(found)
        })
    }

    /// Gives a bucket another name; `false` if that is taken.
    pub(crate) fn rename(&self, of: &Bucket, namespace: &str, name: &str) -> Result<bool> {
        self.db.write(|tx| {
            let sql = "UPDATE OR IGNORE buckets SET namespace = ?2, name = ?3 WHERE id = ?1";
            Ok(tx.execute(sql, params![of.row, namespace, name])? > 0
                && is_at(tx, of, namespace, name)?)
        })
    }

    /// Changes who sees a bucket.
    pub(crate) fn set_private(&self, of: &Bucket, private: bool) -> Result<()> {
        self.db.write(|tx| {
            tx.execute("UPDATE buckets SET private = ?2 WHERE id = ?1", params![of.row, private])?;
            touch(tx, of)
        })
    }

    /// Deletes a bucket with its files; returns whether it existed.
    pub(crate) fn delete(&self, of: &Bucket) -> Result<bool> {
        self.db.write(|tx| Ok(tx.execute("DELETE FROM buckets WHERE id = ?1", [of.row])? > 0))
    }

    /// Whether content belongs to a bucket.
    pub(crate) fn holds(&self, of: &Bucket, oid: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM bucket_contents WHERE bucket_id = ?1 AND oid = ?2";
        self.db.read(|tx| Ok(tx.prepare_cached(sql)?.exists(params![of.row, oid])?))
    }

    /// Records that content belongs to a bucket, also before it is stored.
    pub(crate) fn hold(&self, of: &Bucket, oid: &str) -> Result<()> {
        self.db.write(|tx| hold(tx, of, oid))
    }

    /// Whether content belongs to any bucket.
    pub(super) fn is_held(&self, oid: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM bucket_contents WHERE oid = ?1";
        self.db.read(|tx| Ok(tx.prepare_cached(sql)?.exists([oid])?))
    }

    /// Forgets contents of no file that were added before a time.
    pub(super) fn forget_unused(&self, before: Timestamp) -> Result<()> {
        self.db.write(|tx| {
            let sql = "DELETE FROM bucket_contents AS c WHERE c.held_at < ?1 AND NOT EXISTS
                (SELECT 1 FROM bucket_files f WHERE f.bucket_id = c.bucket_id AND f.oid = c.oid)";
            tx.execute(sql, [before.as_microsecond()])?;
            Ok(())
        })
    }

    /// Returns the size of the files in the private buckets of a namespace.
    pub(super) fn private_storage(&self, namespace: &str) -> Result<u64> {
        let sql =
            "SELECT ifnull(sum(f.size), 0) FROM bucket_files f JOIN buckets b ON b.id = f.bucket_id
                   WHERE b.private AND b.namespace = ?1 COLLATE NOCASE";
        self.db.read(|tx| {
            let size: Option<i64> =
                tx.prepare_cached(sql)?.query_row([namespace], |row| row.get(0)).optional()?;
            Ok(size.unwrap_or_default().unsigned_abs())
        })
    }
}

fn is_at(tx: &Transaction<'_>, of: &Bucket, namespace: &str, name: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM buckets WHERE id = ?1 AND namespace = ?2 AND name = ?3";
    Ok(tx.prepare_cached(sql)?.exists(params![of.row, namespace, name])?)
}

fn hold(tx: &Transaction<'_>, of: &Bucket, oid: &str) -> Result<()> {
    let sql = "INSERT INTO bucket_contents (bucket_id, oid, held_at) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET held_at = excluded.held_at";
    tx.prepare_cached(sql)?.execute(params![of.row, oid, Timestamp::now().as_microsecond()])?;
    Ok(())
}

fn touch(tx: &Transaction<'_>, of: &Bucket) -> Result<()> {
    let sql = "UPDATE buckets SET updated_at = ?2 WHERE id = ?1";
    tx.execute(sql, params![of.row, Timestamp::now().as_microsecond()])?;
    Ok(())
}
