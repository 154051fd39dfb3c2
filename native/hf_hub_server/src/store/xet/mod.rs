//! Xet storage: contents as sequences of chunks, each stored once.
//!
//! Xorbs are files below `xet/xorbs`, which are complete, verified and never changed; the tables
//! say which of their chunks make up which file. No HTTP, no access rules.

mod collect;
mod content;
mod files;
mod indices;
mod shard;
mod verify;
mod xorb;

pub(crate) use content::XetContent;
pub(crate) use files::{Term, XetFile};
pub(crate) use indices::XetIndices;
pub(crate) use shard::{MAX_SHARD, Shard};
pub(crate) use verify::Verified;
pub(crate) use xet_core_structures::merklehash::MerkleHash as XetHash;
pub(crate) use xorb::{Index as XorbIndex, MAX_XORB};

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use super::db::Db;
use super::disk;
use super::oid::is_oid;

/// What a client sent is not what it claims to be.
#[derive(Debug)]
pub(crate) struct Invalid(pub(crate) String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// Parses a hash: 64 lower-case hex digits.
pub(crate) fn parse_hash(text: &str) -> Option<XetHash> {
    is_oid(text).then(|| XetHash::from_hex(text).ok())?
}

/// The Xet storage below a root.
#[derive(Clone, Debug)]
pub(crate) struct XetStore {
    xorbs: PathBuf,
    incoming: PathBuf,
    db: Db,
}

impl XetStore {
    /// Opens the storage of the Hub at `root`.
    pub(super) fn new(root: &Path, db: Db) -> Self {
        let (xorbs, incoming) = (root.join("xet").join("xorbs"), root.join("lfs").join("incoming"));
        Self { xorbs, incoming, db }
    }

    fn xorb_path(&self, hash: &XetHash) -> PathBuf {
        let name = hash.hex();
        self.xorbs.join(&name[..2]).join(&name[2..4]).join(name)
    }

    /// Returns the file of a xorb, and its chunks; `None` if it does not exist.
    pub(crate) fn xorb(&self, hash: &XetHash) -> Result<Option<(File, XorbIndex)>> {
        let path = self.xorb_path(hash);
        let file = match File::open(&path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let index =
            XorbIndex::read(&file).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some((file, index)))
    }

    /// Whether a xorb exists. If it does, it stays for a client that is going to refer to it.
    pub(crate) fn renew(&self, hash: &XetHash) -> Result<bool> {
        let path = self.xorb_path(hash);
        match File::options().append(true).open(&path) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(false),
            file => file?.set_modified(SystemTime::now())?,
        }
        // It may have been put aside to be deleted: see `collect`.
        Ok(path.is_file())
    }

    /// Starts to receive a xorb.
    pub(crate) fn receive_xorb(&self) -> Result<IncomingXorb> {
        fs::create_dir_all(&self.incoming)
            .with_context(|| format!("cannot create {}", self.incoming.display()))?;
        Ok(IncomingXorb { file: NamedTempFile::new_in(&self.incoming)?, size: 0 })
    }

    /// Verifies a received xorb and stores it; returns whether it is new. Fails with [`Invalid`] if
    /// it has another hash.
    pub(crate) fn keep_xorb(&self, hash: &XetHash, incoming: IncomingXorb) -> Result<bool> {
        if self.renew(hash)? {
            return Ok(false);
        }
        let file = incoming.file;
        let index = XorbIndex::compute(file.as_file())?;
        if index.hash() != *hash {
            bail!(Invalid(format!("the xorb has the hash {}", index.hash().hex())));
        }
        index.append_to(file.as_file())?;
        file.as_file().sync_all()?;
        let path = self.xorb_path(hash);
        let folder = disk::create_parent(&path)?;
        let is_new = match file.persist_noclobber(&path) {
            Ok(_) => true,
            Err(err) if err.error.kind() == ErrorKind::AlreadyExists => false,
            Err(err) => return Err(err.error.into()),
        };
        disk::sync_folder(folder)?;
        Ok(is_new)
    }
}

/// A xorb that is being received; discarded when dropped.
#[derive(Debug)]
pub(crate) struct IncomingXorb {
    file: NamedTempFile,
    size: u64,
}

impl IncomingXorb {
    /// Returns the number of received bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}
