//! Large file contents by SHA-256, and their pointers in git.
//!
//! Content is written to a temporary file first and renamed only when complete and hashed, so an
//! existing file is always complete. This module does not know which repository uses what.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::disk;
use super::oid::is_oid;
use super::running_hash::RunningHashes;
#[cfg(feature = "xet")]
use super::xet::{XetFile, XetStore};

const VERSION_LINE: &str = "version https://git-lfs.github.com/spec/v1";
const COPY_CHUNK: usize = 1 << 20;

/// Maximum size of a file that is read to check whether it is a pointer.
pub(crate) const MAX_POINTER_SIZE: u64 = 1024;

/// The text that git stores in place of a large file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Pointer {
    /// SHA-256 of the content, 64 lower-case hex digits.
    pub(crate) oid: String,
    /// Size of the content in bytes.
    pub(crate) size: u64,
}

impl Pointer {
    /// Returns the pointer file, byte for byte as git-lfs writes it.
    pub(crate) fn text(&self) -> String {
        format!("{VERSION_LINE}\noid sha256:{}\nsize {}\n", self.oid, self.size)
    }

    /// Parses a pointer file; `None` if `content` is something else.
    pub(crate) fn parse(content: &[u8]) -> Option<Self> {
        let text = str::from_utf8(content).ok()?;
        let mut lines = text.lines();
        if lines.next()? != VERSION_LINE {
            return None;
        }
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", value) => oid = Some(value.strip_prefix("sha256:")?.to_owned()),
                ("size", value) => size = Some(value.parse().ok()?),
                _ => {}
            }
        }
        let oid = oid.filter(|oid| is_oid(oid))?;
        Some(Self { oid, size: size? })
    }
}

/// The store of large files below the root. Some of them are files of their own, others are in Xet
/// storage, in pieces.
#[derive(Clone, Debug)]
pub(crate) struct LfsStore {
    dir: PathBuf,
    pub(super) running: RunningHashes,
    #[cfg(feature = "xet")]
    xet: Option<XetStore>,
}

/// Where content is, and its size.
#[derive(Debug)]
pub(crate) enum Stored {
    /// In a file of its own.
    File(PathBuf, u64),
    /// In Xet storage.
    #[cfg(feature = "xet")]
    Xet(XetStore, XetFile),
}

impl Stored {
    /// Returns the size of the content in bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File(_, size) => *size,
            #[cfg(feature = "xet")]
            Self::Xet(_, file) => file.size,
        }
    }

    /// Opens the content.
    pub(crate) fn reader(self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::File(path, _) => Box::new(File::open(path)?),
            #[cfg(feature = "xet")]
            Self::Xet(store, file) => Box::new(store.content(&file, 0..file.size)),
        })
    }
}

impl LfsStore {
    /// Opens the store of the Hub at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self::at(root.join("lfs"))
    }

    /// Opens the store in a folder.
    pub(super) fn at(dir: PathBuf) -> Self {
        Self {
            dir,
            running: RunningHashes::default(),
            #[cfg(feature = "xet")]
            xet: None,
        }
    }

    /// Adds the contents of Xet storage.
    #[cfg(feature = "xet")]
    pub(super) fn with_xet(self, xet: XetStore) -> Self {
        Self { xet: Some(xet), ..self }
    }

    /// Returns the path of content that is a file of its own; `oid` must satisfy [`is_oid`].
    pub(super) fn path(&self, oid: &str) -> PathBuf {
        debug_assert!(is_oid(oid));
        self.dir.join(&oid[..2]).join(&oid[2..4]).join(oid)
    }

    /// Returns where content is; `None` if it does not exist.
    pub(crate) fn find(&self, oid: &str) -> Result<Option<Stored>> {
        let path = self.path(oid);
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => return Ok(Some(Stored::File(path, found.len()))),
            Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err.into()),
            _ => {}
        }
        #[cfg(feature = "xet")]
        if let Some(xet) = &self.xet {
            return Ok(xet.by_oid(oid)?.map(|file| Stored::Xet(xet.clone(), file)));
        }
        Ok(None)
    }

    /// Whether the content exists.
    pub(crate) fn has(&self, oid: &str) -> bool {
        self.size(oid).is_some()
    }

    /// Stores everything `reader` yields and returns its pointer.
    pub(crate) fn put(&self, mut reader: impl Read) -> Result<Pointer> {
        let mut receiving = self.receive()?;
        stream(&mut reader, |chunk| receiving.take(chunk))?;
        self.keep(receiving.end())
    }

    /// Starts to receive content into an unnamed file.
    pub(crate) fn receive(&self) -> Result<Receiving> {
        Ok(Receiving { file: self.incoming_file()?, hash: Sha256::new(), size: 0 })
    }

    /// Publishes received content. If the content exists already, nothing changes.
    pub(crate) fn keep(&self, incoming: Incoming) -> Result<Pointer> {
        let Incoming { file, pointer } = incoming;
        let path = self.path(&pointer.oid);
        let is_whole = || fs::metadata(&path).is_ok_and(|found| found.len() == pointer.size);
        if self.size(&pointer.oid) == Some(pointer.size) {
            return Ok(pointer);
        }
        file.as_file().sync_all()?;
        let folder = disk::create_parent(&path)?;
        // Existing content is not replaced: a file whose name was removed can no longer be linked,
        // even by a process that has just found it.
        if let Err(err) = file.persist_noclobber(&path)
            && !is_whole()
        {
            err.file.persist(&path)?;
        }
        disk::sync_folder(folder)?;
        Ok(pointer)
    }

    /// Returns the size of content; `None` if it does not exist.
    pub(crate) fn size(&self, oid: &str) -> Option<u64> {
        self.find(oid).ok().flatten().map(|found| found.size())
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the folder of content that is being received.
    pub(crate) fn incoming_dir(&self) -> Result<PathBuf> {
        let incoming = self.dir.join("incoming");
        fs::create_dir_all(&incoming)
            .with_context(|| format!("cannot create {}", incoming.display()))?;
        Ok(incoming)
    }

    pub(super) fn incoming_file(&self) -> Result<NamedTempFile> {
        Ok(NamedTempFile::new_in(self.incoming_dir()?)?)
    }
}

/// Content that is being received; discarded when dropped.
#[derive(Debug)]
pub(crate) struct Receiving {
    file: NamedTempFile,
    hash: Sha256,
    size: u64,
}

impl Receiving {
    /// Returns the number of received bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hash.update(chunk);
        self.size += chunk.len() as u64;
        self.file.write_all(chunk)
    }

    /// Ends the content.
    pub(crate) fn end(self) -> Incoming {
        let Self { file, hash, size } = self;
        Incoming { file, pointer: Pointer { oid: hex::encode(hash.finalize()), size } }
    }
}

/// Content that is complete and hashed, but not stored yet; discarded when dropped.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(super) file: NamedTempFile,
    /// Its pointer.
    pub(crate) pointer: Pointer,
}

/// Returns the pointer of content.
pub(super) fn hash(mut reader: impl Read) -> io::Result<Pointer> {
    let mut hash = Sha256::new();
    let size = stream(&mut reader, |chunk| {
        hash.update(chunk);
        Ok(())
    })?;
    Ok(Pointer { oid: hex::encode(hash.finalize()), size })
}

/// Passes on everything `reader` yields, and returns the number of bytes.
pub(super) fn stream(
    reader: &mut impl Read,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut chunk = vec![0; COPY_CHUNK];
    let mut size = 0;
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            return Ok(size);
        }
        take(&chunk[..read])?;
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn writes_and_parses_the_exact_pointer_text() {
        let pointer = Pointer { oid: OID.into(), size: 5 };
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 5\n");
        assert_eq!(pointer.text(), text);
        assert_eq!(Pointer::parse(text.as_bytes()), Some(pointer));
    }

    #[test]
    fn rejects_other_text_as_pointer() {
        for text in [
            "",
            "version https://git-lfs.github.com/spec/v1\n",
            "version https://git-lfs.github.com/spec/v1\noid sha256:../../x\nsize 5\n",
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "hello",
        ] {
            assert_eq!(Pointer::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Pointer::parse(b"\xff"), None);
    }

    #[test]
    fn stores_content_under_its_hash_and_leaves_no_temporary_file() {
        let root = tempfile::tempdir().unwrap();
        let store = LfsStore::new(root.path());
        for _ in 0..2 {
            assert_eq!(store.put(&b"hello"[..]).unwrap(), Pointer { oid: OID.into(), size: 5 });
        }
        assert_eq!(fs::read(root.path().join("lfs/2c/f2").join(OID)).unwrap(), b"hello");
        assert_eq!(fs::read_dir(root.path().join("lfs/incoming")).unwrap().count(), 0);
    }
}
