//! Content that arrives in parts: `lfs/uploads/<upload>/<number>-<etag>`.
//!
//! A part is renamed only when complete, and its etag is in the name: a part that is sent twice
//! never mixes, and joining takes exactly the given parts. An etag identifies the received part,
//! not its bytes: those are hashed once, when they are joined. This module does not know which
//! repository an upload is for.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use super::lfs::{Incoming, LfsStore, hash};

/// Number of bytes of an etag, which looks like those of object stores: 32 hex digits.
const ETAG_BYTES: usize = 16;
/// Age after which an unused upload is considered abandoned.
const ABANDONED: Duration = Duration::from_hours(24);

impl LfsStore {
    /// Starts to receive a part of an upload.
    pub(crate) fn receive_part(&self) -> Result<IncomingPart> {
        Ok(IncomingPart { file: self.incoming_file()?, size: 0 })
    }

    /// Publishes a part and returns its etag; `None`, storing nothing, if it has another size.
    pub(crate) fn keep_part(
        &self,
        upload: &str,
        number: u64,
        size: u64,
        part: IncomingPart,
    ) -> Result<Option<String>> {
        if part.size != size {
            return Ok(None);
        }
        let mut etag = [0; ETAG_BYTES];
        getrandom::fill(&mut etag)?;
        let etag = hex::encode(etag);
        let folder = self.upload_dir(upload);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        part.file.persist(folder.join(part_name(number, &etag)))?;
        Ok(Some(etag))
    }

    /// Joins the parts with these etags, starting with number 1; `None` if one of them is missing.
    pub(crate) fn join_parts(&self, upload: &str, etags: &[String]) -> Result<Option<Incoming>> {
        let folder = self.upload_dir(upload);
        let names = (1..).zip(etags).map(|(number, etag)| folder.join(part_name(number, etag)));
        let names = names.collect::<Vec<_>>();
        if names.is_empty() || !names.iter().all(|name| name.is_file()) {
            return Ok(None);
        }
        let mut file = self.incoming_file()?;
        // Reading for the hash and copying, which the kernel does, take about the same time.
        let (pointer, copied) = thread::scope(|threads| {
            let pointer = threads.spawn(|| hash(Parts::new(names.clone())));
            let copied = append(&names, file.as_file_mut());
            (pointer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), copied)
        });
        let (pointer, copied) = (pointer?, copied?);
        if copied != pointer.size {
            bail!("{copied} bytes of {} were copied", pointer.size);
        }
        Ok(Some(Incoming { file, pointer }))
    }

    /// Removes the parts of an upload.
    pub(crate) fn forget_upload(&self, upload: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.upload_dir(upload)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    }

    /// Removes the parts of abandoned uploads.
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

/// A part that is being received; discarded when dropped.
#[derive(Debug)]
pub(crate) struct IncomingPart {
    file: NamedTempFile,
    size: u64,
}

impl IncomingPart {
    /// Returns the number of received bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.size += chunk.len() as u64;
        self.file.write_all(chunk)
    }
}

/// Whether `text` is a valid upload id: 32 lower-case hex digits.
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

fn append(parts: &[PathBuf], file: &mut File) -> io::Result<u64> {
    parts.iter().try_fold(0, |size, part| Ok(size + io::copy(&mut File::open(part)?, file)?))
}

/// Reads parts one after the other as a single file. Only one of them is open at a time.
struct Parts {
    current: Option<File>,
    rest: std::vec::IntoIter<PathBuf>,
}

impl Parts {
    fn new(paths: Vec<PathBuf>) -> Self {
        Self { current: None, rest: paths.into_iter() }
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.as_mut().map_or(Ok(0), |part| part.read(buffer))?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.rest.next() {
                Some(path) => self.current = Some(File::open(path)?),
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
    fn joins_the_given_parts() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        let put = |number, text: &str| {
            let mut part = store.receive_part().unwrap();
            part.take(text.as_bytes()).unwrap();
            store.keep_part(UPLOAD, number, text.len() as u64, part).unwrap().unwrap()
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
    fn rejects_a_part_of_another_size() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        for size in [0, 4, 6] {
            let mut part = store.receive_part().unwrap();
            part.take(b"hello").unwrap();
            assert_eq!(part.size(), 5);
            assert_eq!(store.keep_part(UPLOAD, 1, size, part).unwrap(), None);
        }
        assert!(!root.path().join("lfs/uploads").exists());
        assert_eq!(fs::read_dir(root.path().join("lfs/incoming")).unwrap().count(), 0);
    }

    #[test]
    fn removes_only_old_uploads() {
        let root = tempfile::tempdir().unwrap();
        let store = store(&root);
        store.sweep().unwrap();
        let part = store.receive_part().unwrap();
        store.keep_part(UPLOAD, 1, 0, part).unwrap().unwrap();
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
