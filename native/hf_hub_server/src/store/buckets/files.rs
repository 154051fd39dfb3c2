//! The files of buckets, in the table `bucket_files`.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};

use super::super::db;
use super::{Bucket, Buckets, events, hold, touch};

/// A file of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketFile {
    /// The path in the bucket.
    pub(crate) path: String,
    /// The Xet hash.
    pub(crate) hash: String,
    /// SHA-256 of the content.
    pub(crate) oid: String,
    /// Number of bytes.
    pub(crate) size: u64,
    /// The media type.
    pub(crate) content_type: Option<String>,
    /// When the file was changed, as the client sent it.
    pub(crate) mtime: Option<Timestamp>,
    /// When it was uploaded.
    pub(crate) uploaded_at: Timestamp,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BucketEntry {
    /// A file.
    File(BucketFile),
    /// A folder, which is a part of the paths of files.
    Folder(String),
}

/// A change of a file.
#[derive(Clone, Debug)]
pub(crate) enum FileChange {
    /// Adds or replaces a file, whose content belongs to the bucket then.
    Put(BucketFile),
    /// Deletes the file at a path, if there is one.
    Delete(String),
}

const COLUMNS: &str = "path, hash, oid, size, content_type, mtime, uploaded_at";

impl BucketFile {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let size: i64 = row.get(3)?;
        let mtime: Option<i64> = row.get(5)?;
        Ok(Self {
            path: row.get(0)?,
            hash: row.get(1)?,
            oid: row.get(2)?,
            size: size.unsigned_abs(),
            content_type: row.get(4)?,
            mtime: mtime.map(db::time).transpose()?,
            uploaded_at: db::time(row.get(6)?)?,
        })
    }
}

impl BucketEntry {
    /// Returns the first path that does not belong to this entry or one before it.
    pub(crate) fn following(&self) -> String {
        match self {
            Self::File(file) => format!("{}\0", file.path),
            // The character after the slash.
            Self::Folder(path) => format!("{path}0"),
        }
    }
}

impl Buckets {
    /// Returns the file at a path.
    pub(crate) fn file(&self, of: &Bucket, path: &str) -> Result<Option<BucketFile>> {
        let sql = format!("SELECT {COLUMNS} FROM bucket_files WHERE bucket_id = ?1 AND path = ?2");
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(params![of.row, path])?;
            rows.next()?.map(BucketFile::from_row).transpose()
        })
    }

    /// Lists the files whose paths begin with `prefix`, from the path `from` on; without
    /// `recursive`, those with a slash after the prefix as folders.
    pub(crate) fn tree(
        &self,
        of: &Bucket,
        prefix: &str,
        from: &str,
        recursive: bool,
        limit: usize,
    ) -> Result<Vec<BucketEntry>> {
        self.db.read(|tx| {
            let mut entries = Vec::new();
            let mut from = from.max(prefix).to_owned();
            while entries.len() < limit {
                // A folder may have any number of files, of which the first shows it.
                let page = if recursive { limit } else { 1 };
                let files = page_of(tx, of, &from, page)?;
                let count = files.len();
                for file in files {
                    if !file.path.starts_with(prefix) || entries.len() == limit {
                        return Ok(entries);
                    }
                    let entry = entry(file, prefix, recursive);
                    from = entry.following();
                    entries.push(entry);
                }
                if count < page {
                    break;
                }
            }
            Ok(entries)
        })
    }

    /// Applies changes.
    pub(crate) fn change(&self, of: &Bucket, changes: &[FileChange]) -> Result<()> {
        self.db.write(|tx| {
            let mut made = Vec::new();
            for change in changes {
                match change {
                    FileChange::Put(file) => {
                        let is_new = !has(tx, of, &file.path)?;
                        put(tx, of, file)?;
                        made.push(events::put(file, is_new));
                    }
                    FileChange::Delete(path) => {
                        let sql = "DELETE FROM bucket_files WHERE bucket_id = ?1 AND path = ?2";
                        if tx.prepare_cached(sql)?.execute(params![of.row, path])? > 0 {
                            made.push(events::deleted(path));
                        }
                    }
                }
            }
            events::record(tx, of, &made)?;
            touch(tx, of)
        })
    }
}

fn entry(file: BucketFile, prefix: &str, recursive: bool) -> BucketEntry {
    let slash = file.path[prefix.len()..].find('/').filter(|_| !recursive);
    match slash {
        Some(at) => BucketEntry::Folder(file.path[..prefix.len() + at].to_owned()),
        None => BucketEntry::File(file),
    }
}

fn page_of(tx: &Transaction<'_>, of: &Bucket, from: &str, limit: usize) -> Result<Vec<BucketFile>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bucket_files WHERE bucket_id = ?1 AND path >= ?2 ORDER BY path LIMIT ?3"
    );
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query(params![of.row, from, db::number(limit)])?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        files.push(BucketFile::from_row(row)?);
    }
    Ok(files)
}

fn has(tx: &Transaction<'_>, of: &Bucket, path: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM bucket_files WHERE bucket_id = ?1 AND path = ?2";
    Ok(tx.prepare_cached(sql)?.exists(params![of.row, path])?)
}

fn put(tx: &Transaction<'_>, of: &Bucket, file: &BucketFile) -> Result<()> {
    hold(tx, of, &file.oid)?;
    let sql = "INSERT OR REPLACE INTO bucket_files
        (bucket_id, path, hash, oid, size, content_type, mtime, uploaded_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    tx.prepare_cached(sql)?.execute(params![
        of.row,
        file.path,
        file.hash,
        file.oid,
        i64::try_from(file.size)?,
        file.content_type,
        file.mtime.map(Timestamp::as_microsecond),
        file.uploaded_at.as_microsecond(),
    ])?;
    Ok(())
}
