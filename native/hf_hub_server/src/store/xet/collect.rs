//! Deletes what no repository has any more.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde::Serialize;
use tempfile::TempPath;
use walkdir::WalkDir;

use super::super::Store;
use super::{XetHash, XetStore, parse_hash};

/// Number of xorbs per transaction: other writers wait for it.
const BATCH: usize = 64;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Collected {
    /// Files without a repository.
    pub(crate) files: u64,
    /// Xorbs without a file.
    pub(crate) xorbs: u64,
    /// The size of these xorbs.
    pub(crate) bytes: u64,
}

impl Store {
    /// Deletes files that no repository has, and xorbs of no file that no client has asked for during
    /// `unused`: a client that knows a xorb may still refer to it.
    pub(crate) fn collect_xet(&self, unused: Duration) -> Result<Collected> {
        let xet = self.xet();
        let mut collected = Collected::default();
        let before = SystemTime::now().checked_sub(unused).unwrap_or(SystemTime::UNIX_EPOCH);
        self.buckets().forget_unused(before.try_into()?)?;
        for oid in xet.oids()? {
            if !self.is_held(&oid)? && self.forget_xet(&oid)? {
                collected.files += 1;
            }
        }
        xet.collect(before, &mut collected)?;
        Ok(collected)
    }

    /// Removes content from Xet storage unless a repository has it.
    pub(in super::super) fn forget_xet(&self, oid: &str) -> Result<bool> {
        self.xet().forget(oid, || self.is_held(oid))
    }
}

impl XetStore {
    fn oids(&self) -> Result<Vec<String>> {
        self.db.read(|tx| {
            let mut query = tx.prepare("SELECT DISTINCT oid FROM xet_files")?;
            let oids = query.query_map([], |row| row.get(0))?;
            Ok(oids.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn collect(&self, before: SystemTime, collected: &mut Collected) -> Result<()> {
        let mut waiting = Vec::new();
        for entry in WalkDir::new(&self.xorbs) {
            let entry = match entry {
                Err(err) if err.io_error().is_some_and(|err| err.kind() == ErrorKind::NotFound) => {
                    continue;
                }
                entry => entry?,
            };
            let hash = entry.file_name().to_str().and_then(parse_hash);
            waiting.extend(hash.filter(|_| entry.file_type().is_file()));
            if waiting.len() == BATCH {
                self.collect_batch(&waiting, before, collected)?;
                waiting.clear();
            }
        }
        self.collect_batch(&waiting, before, collected)
    }

    /// Deletes those of some xorbs that are not in use. Files are recorded in transactions, which
    /// wait for this one.
    fn collect_batch(
        &self,
        xorbs: &[XetHash],
        before: SystemTime,
        collected: &mut Collected,
    ) -> Result<()> {
        self.db.write(|tx| {
            let mut in_use = tx.prepare_cached("SELECT 1 FROM xet_terms WHERE xorb = ?1")?;
            for xorb in xorbs {
                if in_use.exists([xorb.as_bytes()])? {
                    continue;
                }
                let Some(size) = self.delete_unused(xorb, before)? else { continue };
                tx.execute("DELETE FROM xet_chunks WHERE xorb = ?1", [xorb.as_bytes()])?;
                collected.xorbs += 1;
                collected.bytes += size;
            }
            Ok(())
        })
    }

    /// Deletes a xorb unless a client has asked for it; returns its size if it was deleted. It is
    /// put aside first: a client that asks now finds nothing, and one that has just asked has
    /// changed its time.
    fn delete_unused(&self, xorb: &XetHash, before: SystemTime) -> Result<Option<u64>> {
        let path = self.xorb_path(xorb);
        match fs::metadata(&path) {
            // Another process collects, too.
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.modified()? < before => {}
            found => return found.map(|_| None).map_err(Into::into),
        }
        fs::create_dir_all(&self.incoming)?;
        let aside = self.incoming.join(format!("xorb-{}", xorb.hex()));
        let aside = TempPath::try_from_path(aside)?;
        fs::rename(&path, &aside)?;
        let found = fs::metadata(&aside)?;
        if found.modified()? >= before {
            put_back(&aside, &path)?;
            return Ok(None);
        }
        Ok(Some(found.len()))
    }
}

fn put_back(aside: &Path, path: &Path) -> Result<()> {
    // A client may have sent it again.
    match fs::hard_link(aside, path) {
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(_) => Ok(fs::rename(aside, path)?),
        Ok(()) => Ok(()),
    }
}
