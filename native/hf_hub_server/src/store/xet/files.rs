//! Files of Xet storage, in the tables `xet_files`, `xet_terms` and `xet_chunks`.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Result, bail};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Invalid, Verified, XetHash, XetStore};

/// A file of Xet storage.
#[derive(Clone, Debug)]
pub(crate) struct XetFile {
    id: i64,
    /// The Xet hash.
    pub(crate) hash: String,
    /// SHA-256 of the content.
    pub(crate) oid: String,
    /// Size of the content in bytes.
    pub(crate) size: u64,
}

/// A part of a file: chunks of a xorb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// Position in the file.
    pub(crate) start: u64,
    /// Number of bytes.
    pub(crate) size: u64,
    /// The xorb.
    pub(crate) xorb: XetHash,
    /// Its chunks.
    pub(crate) chunks: Range<usize>,
}

impl Term {
    /// Returns its bytes in the file.
    pub(crate) fn range(&self) -> Range<u64> {
        self.start..self.start + self.size
    }
}

impl XetFile {
    /// Identifies the file for [`XetStore::terms`].
    pub(crate) fn id(&self) -> i64 {
        self.id
    }
}

impl XetStore {
    /// Returns the file with a Xet hash.
    pub(crate) fn by_hash(&self, hash: &str) -> Result<Option<XetFile>> {
        self.file("SELECT id, hash, oid, size FROM xet_files WHERE hash = ?1", hash)
    }

    /// Returns the file with this content. Its chunks can be cut in several ways; the first counts.
    pub(crate) fn by_oid(&self, oid: &str) -> Result<Option<XetFile>> {
        let sql = "SELECT id, hash, oid, size FROM xet_files WHERE oid = ?1 ORDER BY id LIMIT 1";
        self.file(sql, oid)
    }

    fn file(&self, sql: &str, key: &str) -> Result<Option<XetFile>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(sql)?;
            Ok(query.query_row([key], read_file).optional()?)
        })
    }

    /// Returns the Xet hashes of those contents that are in Xet storage.
    pub(crate) fn hashes(&self, oids: Vec<String>) -> Result<HashMap<String, String>> {
        if oids.is_empty() {
            return Ok(HashMap::new());
        }
        self.db.read(|tx| {
            let sql = "SELECT hash FROM xet_files WHERE oid = ?1 ORDER BY id LIMIT 1";
            let mut query = tx.prepare_cached(sql)?;
            let mut hashes = HashMap::new();
            for oid in oids {
                let hash = query.query_row([&oid], |row| row.get(0)).optional()?;
                hashes.extend(hash.map(|hash| (oid, hash)));
            }
            Ok(hashes)
        })
    }

    /// Returns the terms with bytes of `range`, at most `most`.
    pub(crate) fn terms(&self, file: i64, range: &Range<u64>, most: usize) -> Result<Vec<Term>> {
        let (start, end) = (i64::try_from(range.start)?, i64::try_from(range.end)?);
        self.db.read(|tx| {
            // Terms have no gaps, so the first is the last one that does not begin later.
            let sql = "SELECT start, size, xorb, first_chunk, end_chunk FROM xet_terms
                       WHERE file_id = ?1 AND start < ?3 AND start >= ifnull(
                         (SELECT max(start) FROM xet_terms WHERE file_id = ?1 AND start <= ?2), 0)
                       ORDER BY start LIMIT ?4";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![file, start, end, i64::try_from(most)?])?;
            let mut terms = Vec::new();
            while let Some(row) = rows.next()? {
                terms.push(read_term(row)?);
            }
            Ok(terms)
        })
    }

    /// Records verified files, which their repositories hold already. Their xorbs are in use from
    /// now on.
    pub(crate) fn register(&self, files: &[Verified]) -> Result<()> {
        self.db.write(|tx| files.iter().try_for_each(|file| self.insert(tx, file)))
    }

    fn insert(&self, tx: &Transaction<'_>, file: &Verified) -> Result<()> {
        let size = i64::try_from(file.size)?;
        let sql = "INSERT OR IGNORE INTO xet_files (hash, oid, size) VALUES (?1, ?2, ?3)";
        if tx.prepare_cached(sql)?.execute(params![file.hash.hex(), file.oid, size])? == 0 {
            return Ok(());
        }
        let id = tx.last_insert_rowid();
        let mut insert =
            tx.prepare_cached("INSERT INTO xet_terms VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        let mut last = None;
        for term in &file.terms {
            // What is not in use can be deleted until here.
            if last != Some(term.xorb) && !self.renew(&term.xorb)? {
                bail!(Invalid(super::indices::missing(&term.xorb)));
            }
            last = Some(term.xorb);
            let (start, size) = (i64::try_from(term.start)?, i64::try_from(term.size)?);
            let chunks = (i64::try_from(term.chunks.start)?, i64::try_from(term.chunks.end)?);
            insert.execute(params![id, start, size, term.xorb.as_bytes(), chunks.0, chunks.1])?;
        }
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO xet_chunks VALUES (?1, ?2)")?;
        for (chunk, xorb) in &file.entries {
            insert.execute(params![chunk.as_bytes(), xorb.as_bytes()])?;
        }
        Ok(())
    }

    /// Removes the files with this content unless `is_held`; their xorbs stay until the next
    /// collection. Returns whether they were removed. Files are recorded after their repository
    /// holds them, so none is removed that a repository has just got.
    pub(super) fn forget(&self, oid: &str, is_held: impl FnOnce() -> Result<bool>) -> Result<bool> {
        if self.by_oid(oid)?.is_none() {
            return Ok(false);
        }
        self.db.write(|tx| {
            Ok(!is_held()? && tx.execute("DELETE FROM xet_files WHERE oid = ?1", [oid])? > 0)
        })
    }

    /// Returns the xorbs a client should know that has this chunk: its own, and those of the files
    /// that it is part of. At most `most`.
    pub(super) fn neighbors(&self, chunk: &XetHash, most: usize) -> Result<Vec<XetHash>> {
        self.db.read(|tx| {
            let sql = "SELECT xorb FROM xet_chunks WHERE chunk = ?1";
            let own = tx.query_row(sql, [chunk.as_bytes()], |row| row.get::<_, Vec<u8>>(0));
            let Some(own) = own.optional()? else { return Ok(Vec::new()) };
            let sql = "SELECT DISTINCT xorb FROM xet_terms WHERE file_id IN
                         (SELECT file_id FROM xet_terms WHERE xorb = ?1 ORDER BY file_id DESC LIMIT 8)
                       AND xorb <> ?1 LIMIT ?2";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![own, i64::try_from(most)?])?;
            let mut xorbs = vec![XetHash::from_slice(&own)?];
            while let Some(row) = rows.next()? {
                xorbs.push(XetHash::from_slice(row.get_ref(0)?.as_blob()?)?);
            }
            Ok(xorbs)
        })
    }
}

fn read_file(row: &Row<'_>) -> rusqlite::Result<XetFile> {
    let size = row.get::<_, i64>(3)?.unsigned_abs();
    Ok(XetFile { id: row.get(0)?, hash: row.get(1)?, oid: row.get(2)?, size })
}

fn read_term(row: &Row<'_>) -> Result<Term> {
    let xorb = XetHash::from_slice(row.get_ref(2)?.as_blob()?)?;
    let chunks = usize::try_from(row.get::<_, i64>(3)?)?..usize::try_from(row.get::<_, i64>(4)?)?;
    let (start, size) = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
    Ok(Term { start: u64::try_from(start)?, size: u64::try_from(size)?, xorb, chunks })
}
