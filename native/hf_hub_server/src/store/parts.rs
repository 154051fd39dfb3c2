//! Content that arrives in parts: `lfs/uploads/<upload>/<number>-<etag>`.
//!
//! A part takes its name only when complete, and its etag is in the name: a part sent twice never mixes, and
//! joining takes exactly the parts it is told to. It does not know which repository an upload is for.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::lfs::{Incoming, LfsStore};

/// Etags look like those of object stores: 32 hex digits.
const ETAG_BYTES: usize = 16;
const COPY_CHUNK: usize = 1 << 20;
/// What nobody touched for so long belongs to an upload that will not be continued.
const ABANDONED: Duration = Duration::from_hours(24);

impl LfsStore {
    /// Stores a part of an upload and returns its etag; `None`, and nothing is stored, when `reader` yields
    /// more or less than `size` bytes.
    pub(crate) fn put_part(
        &self,
        upload: &str,
        number: u64,
        size: u64,
        reader: impl Read,
    ) -> Result<Option<String>> {
        let mut file = self.incoming_file()?;
        let mut reader = reader.take(size.saturating_add(1));
        let mut hash = Sha256::new();
        let mut received = 0;
        let mut chunk = vec![0; COPY_CHUNK];
        loop {
            let read = reader.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
            file.write_all(&chunk[..read])?;
            received += read as u64;
        }
        if received != size {
            return Ok(None);
        }
        let etag = hex::encode(&hash.finalize()[..ETAG_BYTES]);
        let folder = self.upload_dir(upload);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        file.persist(folder.join(part_name(number, &etag)))?;
        Ok(Some(etag))
    }

    /// Joins the parts with these etags, the first being number 1; `None` when one of them is not here.
    pub(crate) fn join_parts(&self, upload: &str, etags: &[String]) -> Result<Option<Incoming>> {
        let folder = self.upload_dir(upload);
        let names = (1..).zip(etags).map(|(number, etag)| folder.join(part_name(number, etag)));
        match Parts::open(names.collect())? {
            Some(parts) => self.receive(parts).map(Some),
            None => Ok(None),
        }
    }

    /// Removes the parts of an upload.
    pub(crate) fn forget_upload(&self, upload: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.upload_dir(upload)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    }

    /// Removes what uploads that ended early left behind.
    pub(crate) fn sweep(&self) -> Result<()> {
        for folder in ["incoming", "uploads"] {
            let folder = self.dir().join(folder);
            if !folder.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if is_abandoned(&entry)? {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn upload_dir(&self, upload: &str) -> PathBuf {
        self.dir().join("uploads").join(upload)
    }
}

/// Whether `text` is the name of an upload: 32 lower-case hex digits.
pub(crate) fn is_upload(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn part_name(number: u64, etag: &str) -> String {
    format!("{number:05}-{etag}")
}

fn is_abandoned(entry: &fs::DirEntry) -> Result<bool> {
    let modified = entry.metadata()?.modified()?;
    Ok(SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED))
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Parts read one after the other as if they were one file. Only one of them is open at a time.
struct Parts {
    current: File,
    rest: std::vec::IntoIter<PathBuf>,
}

impl Parts {
    fn open(paths: Vec<PathBuf>) -> Result<Option<Self>> {
        if !paths.iter().all(|path| path.is_file()) {
            return Ok(None);
        }
        let mut rest = paths.into_iter();
        let Some(first) = rest.next() else { return Ok(None) };
        Ok(Some(Self { current: File::open(first)?, rest }))
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.rest.next() {
                Some(path) => self.current = File::open(path)?,
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLOAD: &str = "0123456789abcdef0123456789abcdef";

    fn store(root: &tempfile::TempDir) -> LfsStore {
        LfsStore::new(root.path())
    }

    #[test]
    fn joins_the_parts_it_is_told_to() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let put = |number, text: &str| {
            let put = store.put_part(UPLOAD, number, text.len() as u64, text.as_bytes());
            put.unwrap().unwrap()
        };
        let (second, first, other) = (put(2, "lo"), put(1, "hel"), put(1, "HEL"));
        assert_ne!(first, other);

        let join = |etags: &[&String]| {
            let etags = etags.iter().map(|etag| (*etag).clone()).collect::<Vec<_>>();
            store.join_parts(UPLOAD, &etags).unwrap()
        };
        let pointer = join(&[&first, &second]).unwrap().pointer;
        assert_eq!(pointer, store.put(&b"hello"[..]).unwrap());
        assert_eq!(join(&[&other, &second]).unwrap().pointer, store.put(&b"HELlo"[..]).unwrap());
        assert!(join(&[&second, &first]).is_none());

        store.forget_upload(UPLOAD).unwrap();
        store.forget_upload(UPLOAD).unwrap();
        assert!(join(&[&first, &second]).is_none());
    }

    #[test]
    fn keeps_no_part_of_another_size() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        for size in [0, 4, 6] {
            assert_eq!(store.put_part(UPLOAD, 1, size, &b"hello"[..]).unwrap(), None);
        }
        assert!(!root.path().join("lfs/uploads").exists());
        assert_eq!(fs::read_dir(root.path().join("lfs/incoming")).unwrap().count(), 0);
    }

    #[test]
    fn sweeps_only_what_is_old() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        store.sweep().unwrap();
        store.put_part(UPLOAD, 1, 1, &b"x"[..]).unwrap();
        fs::create_dir_all(root.path().join("lfs/incoming")).unwrap();
        let left = root.path().join("lfs/incoming/left");
        fs::write(&left, "x").unwrap();
        let long_ago = SystemTime::now() - ABANDONED * 2;
        File::options().append(true).open(&left).unwrap().set_modified(long_ago).unwrap();

        store.sweep().unwrap();
        assert!(!left.exists());
        assert!(root.path().join("lfs/uploads").join(UPLOAD).is_dir());
    }
}
