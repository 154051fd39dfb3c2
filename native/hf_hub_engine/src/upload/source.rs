//! The content of an addition, which can be read repeatedly and at any position.
//!
//! Every read compares size and time of the file with those first seen, and fails if they differ: a
//! mix of two states must never become a commit.

use std::{
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use crate::{
    base::{
        disk::{open_regular, read_exact_at},
        error::{Error, ErrorKind, Result},
        input,
    },
    upload::path::RepoPath,
};

/// Number of leading bytes that the Hub uses to decide how a file is uploaded.
const SAMPLE: u64 = 512;

/// Content that can be read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file.
    #[serde(rename = "path", deserialize_with = "shared_path")]
    File(Arc<Path>),
    /// A file of an uploaded folder.
    #[serde(skip)]
    Below(Arc<Root>),
    /// Bytes in memory.
    #[serde(rename = "binary", deserialize_with = "input::bytes")]
    Bytes(Bytes),
    /// A part of an open file that nothing else modifies.
    #[serde(skip)]
    Slice(Arc<File>, u64),
    /// Content that is already on the Hub.
    Remote,
}

fn shared_path<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<Arc<Path>, D::Error> {
    input::path(input).map(Arc::from)
}

/// A folder, and the path of its files in the repository.
#[derive(Debug)]
pub struct Root {
    /// The folder.
    pub dir: PathBuf,
    /// The prefix: empty, or ends in `/`.
    pub prefix: String,
}

/// Size and time of a file, which change when its content does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last modification in nanoseconds since 1970.
    pub modified: i64,
}

impl Stamp {
    /// Returns the stamp of content that cannot change.
    pub fn fixed(size: u64) -> Self {
        Self { size, modified: 0 }
    }

    /// Returns the stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Self { size: metadata.len(), modified }
    }
}

impl Source {
    /// Returns the file of the addition `path`, if there is one.
    pub fn file(&self, path: &RepoPath) -> Option<PathBuf> {
        match self {
            Self::File(file) => Some(file.to_path_buf()),
            Self::Below(root) => {
                let name = path.as_str().strip_prefix(&root.prefix).unwrap_or(path.as_str());
                Some(root.dir.join(name))
            }
            Self::Bytes(_) | Self::Slice(..) | Self::Remote => None,
        }
    }

    /// Returns the current stamp of the content.
    pub fn stamp(&self, path: &RepoPath) -> Result<Option<Stamp>> {
        let Some(file) = self.file(path) else { return Ok(None) };
        let metadata = std::fs::metadata(&file).map_err(|error| unreadable(&file, error))?;
        if !metadata.is_file() {
            let message = format!("`{}` is not a file", file.display());
            return Err(Error::new(ErrorKind::Io, message).with_path(path));
        }
        Ok(Some(Stamp::of(&metadata)))
    }

    /// Opens the content, which must have this stamp.
    pub fn open(&self, path: &RepoPath, stamp: Stamp) -> Result<Content> {
        let inner = match self {
            Self::Bytes(bytes) => Inner::Bytes(bytes.clone()),
            Self::Slice(file, first) => Inner::File(file.clone(), *first),
            Self::Remote => {
                let message = format!("the content of \"{path}\" is only on the Hub");
                return Err(Error::new(ErrorKind::Io, message).with_path(path));
            }
            Self::File(_) | Self::Below(_) => {
                let file = self.file(path).unwrap_or_default();
                Inner::File(
                    Arc::new(open_regular(&file).map_err(|error| unreadable(&file, error))?),
                    0,
                )
            }
        };
        let content = Content { inner, source: self.clone(), path: path.clone(), stamp };
        content.check()?;
        Ok(content)
    }
}

/// An open content.
#[derive(Clone, Debug)]
pub struct Content {
    inner: Inner,
    source: Source,
    path: RepoPath,
    stamp: Stamp,
}

#[derive(Clone, Debug)]
enum Inner {
    Bytes(Bytes),
    File(Arc<File>, u64),
}

impl Content {
    /// Returns the stamp when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Fills `buffer` with the bytes at `at`.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> Result<()> {
        match &self.inner {
            Inner::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let part = at.checked_add(buffer.len()).and_then(|end| bytes.get(at..end));
                buffer.copy_from_slice(part.ok_or_else(|| self.changed())?);
                Ok(())
            }
            Inner::File(file, first) => read_exact_at(file, buffer, first + at).map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    return self.changed();
                }
                let file = self.source.file(&self.path);
                unreadable(file.as_deref().unwrap_or(Path::new(self.path.as_str())), error)
            }),
        }
    }

    /// Returns the leading bytes, which the Hub uses for its decision.
    pub fn sample(&self) -> Result<Vec<u8>> {
        let mut sample = vec![0; usize::try_from(self.stamp.size.min(SAMPLE)).unwrap_or(0)];
        self.read(0, &mut sample)?;
        Ok(sample)
    }

    /// Checks that the content has not changed.
    pub fn check(&self) -> Result<()> {
        match (&self.inner, &self.source) {
            (Inner::File(file, _), Source::File(_) | Source::Below(_)) => {
                let now = file.metadata().map(|metadata| Stamp::of(&metadata)).ok();
                if now == Some(self.stamp) { Ok(()) } else { Err(self.changed()) }
            }
            _ => Ok(()),
        }
    }

    /// Returns the error for content that has changed.
    pub fn changed(&self) -> Error {
        let file = self.source.file(&self.path);
        let name = file.map_or_else(|| self.path.to_string(), |file| file.display().to_string());
        let message = format!(
            "`{name}` changed while it was uploaded and was not committed; \
             upload it again when it is no longer being modified"
        );
        Error::new(ErrorKind::ChecksumMismatch, message).with_path(&self.path)
    }
}

/// Returns the error for a local file that cannot be read.
pub(super) fn unreadable(file: &Path, error: io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => ": it does not exist",
        io::ErrorKind::PermissionDenied => ": permission denied",
        _ => "",
    };
    Error::new(ErrorKind::Io, format!("cannot read `{}`{why}", file.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> RepoPath {
        RepoPath::parse("a.bin").unwrap()
    }

    #[test]
    fn detects_a_file_that_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.bin");
        std::fs::write(&file, b"hello").unwrap();
        let source = Source::File(file.as_path().into());
        let stamp = source.stamp(&name()).unwrap().unwrap();
        let content = source.open(&name(), stamp).unwrap();
        let mut buffer = [0; 3];
        content.read(2, &mut buffer).unwrap();
        assert_eq!(&buffer, b"llo");

        std::fs::write(&file, b"hel").unwrap();
        assert_eq!(content.read(2, &mut buffer).unwrap_err().kind(), ErrorKind::ChecksumMismatch);
        let error = source.open(&name(), stamp).unwrap_err();
        assert!(error.message().contains("a.bin` changed while it was uploaded"));
        std::fs::remove_file(&file).unwrap();
        assert!(source.stamp(&name()).unwrap_err().message().ends_with("it does not exist"));
    }

    #[test]
    fn finds_files_of_a_folder_without_the_prefix() {
        let root = Arc::new(Root { dir: "/data".into(), prefix: "sub/dir/".to_owned() });
        let path = RepoPath::parse("sub/dir/x/y.bin").unwrap();
        assert_eq!(Source::Below(root).file(&path).unwrap(), Path::new("/data/x/y.bin"));
        let bytes = Source::Bytes(Bytes::from_static(b"abc"));
        assert_eq!(bytes.file(&path), None);
        assert_eq!(bytes.open(&path, Stamp::fixed(3)).unwrap().sample().unwrap(), b"abc");
        assert!(bytes.open(&path, Stamp::fixed(4)).unwrap().sample().is_err());
    }
}
