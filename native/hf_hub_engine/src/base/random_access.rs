//! A file on this machine that is read at positions, into memory that is passed on without a copy.
//!
//! The file stays open: where another one takes its name, it is still the first that is read. It is
//! not mapped, because access to a mapped file ends the process once the file is truncated.

use std::{
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::{MmapMut, MmapOptions};
use serde::Deserialize;

use crate::base::{
    blocking::{self, Watch},
    disk::{is_absence, open_regular, read_exact_at},
    error::{Error, ErrorKind, Result},
    input::RawPath,
};

/// Contents of at least this size get pages of their own, which the system zeroes, so that nothing
/// else has to, and which go back to it as soon as they are dropped.
///
/// Huge pages are not asked for: where memory is fragmented, the system took up to 2.5 s per GiB to
/// make room for them, and 0.5 s for ordinary ones.
const LARGE: usize = 1 << 20;

/// Number of bytes that are read before it is asked whether to stop. They fit into the cache of a
/// processor, where the zeros of new pages still are when the bytes arrive.
const PIECE: usize = 1 << 20;

/// A file to open.
#[derive(Debug, Deserialize)]
pub struct Place {
    path: RawPath,
}

/// Which bytes of a file.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Part {
    first: u64,
    length: usize,
}

/// What a file held when it was opened: its size, and when it was changed.
pub(crate) type State = (u64, Option<SystemTime>);

/// An open file.
#[derive(Debug)]
pub struct RandomAccess {
    path: PathBuf,
    file: Mutex<Option<Arc<File>>>,
    state: State,
}

/// Bytes that were read.
#[derive(Debug)]
pub enum Contents {
    /// Few bytes.
    Small(Vec<u8>),
    /// Bytes in pages of their own.
    Large(MmapMut),
}

impl AsRef<[u8]> for Contents {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(pages) => pages,
        }
    }
}

impl Contents {
    fn read(file: &File, part: Part, watch: &Watch) -> io::Result<Self> {
        if part.length < LARGE {
            let mut bytes = vec![0; part.length];
            read_exact_at(file, &mut bytes, part.first)?;
            return Ok(Self::Small(bytes));
        }
        read_in_pieces(file, part, watch).map(Self::Large)
    }
}

impl RandomAccess {
    /// Opens a regular file.
    pub async fn open(place: Place) -> Result<Self> {
        blocking::run(move || {
            let path = place.path.0;
            let (file, state) = open(&path)?;
            Ok(Self { path, file: Mutex::new(Some(Arc::new(file))), state })
        })
        .await
    }

    /// Returns the number of bytes.
    pub fn size(&self) -> u64 {
        self.state.0
    }

    /// Reads a part. A file that was truncated or changed after it was opened is an error.
    pub async fn read(self: Arc<Self>, part: Part, watch: Watch) -> Result<Contents> {
        blocking::run(move || self.read_now(part, &watch)).await
    }

    /// Closes the file once no read needs it. The returned file may take long to drop: where its
    /// name is gone, the system frees its blocks then.
    #[must_use]
    pub fn close(&self) -> Option<Arc<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read_now(&self, part: Part, watch: &Watch) -> Result<Contents> {
        let unreadable =
            |error| Error::io("read", &self.path, error).with_path(self.path.display());
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let file = file.ok_or_else(|| unreadable(io::Error::other("it is closed")))?;
        let read = Contents::read(&file, part, watch);
        // After the read, so that what was written before or while it was read is seen.
        let now = state(&file).map_err(unreadable)?;
        match read {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(unreadable(error)),
            Ok(contents) if now == self.state => Ok(contents),
            _ => Err(changed(&self.path)),
        }
    }
}

/// Opens a regular file, and returns it with its state.
pub(crate) fn open(path: &Path) -> Result<(File, State)> {
    let opened = open_regular(path).and_then(|file| state(&file).map(|state| (file, state)));
    opened.map_err(|error| {
        let shown = path.display();
        if is_absence(&error) {
            let message = format!("`{shown}` does not exist");
            return Error::new(ErrorKind::EntryNotFound, message).with_path(shown);
        }
        Error::io("open", path, error).with_path(shown)
    })
}

/// Returns the error of a file whose state is another one now.
pub(crate) fn changed(path: &Path) -> Error {
    let shown = path.display();
    let message = format!("`{shown}` was changed or truncated after it was opened; open it again");
    Error::new(ErrorKind::Io, message).with_path(shown)
}

/// Returns the state of an open file.
pub(crate) fn state(file: &File) -> io::Result<State> {
    file.metadata().map(|metadata| (metadata.len(), metadata.modified().ok()))
}

fn read_in_pieces(file: &File, part: Part, watch: &Watch) -> io::Result<MmapMut> {
    let mut pages = MmapOptions::new().len(part.length).map_anon()?;
    for start in (0..part.length).step_by(PIECE) {
        if watch.is_stopped() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let piece = start..part.length.min(start + PIECE);
        populate(&pages, piece.clone());
        read_exact_at(file, &mut pages[piece], part.first + start as u64)?;
    }
    Ok(pages)
}

/// Allocates the pages of a piece in one system call: a page fault for each of them made a read take
/// a fifth longer. Linux before 5.14 cannot, and allocates them as they are written to.
#[cfg(target_os = "linux")]
fn populate(pages: &MmapMut, piece: Range<usize>) {
    let _ = pages.advise_range(Advice::PopulateWrite, piece.start, piece.len());
}

#[cfg(not(target_os = "linux"))]
fn populate(_pages: &MmapMut, _piece: Range<usize>) {}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(path: &std::path::Path) -> Arc<RandomAccess> {
        Arc::new(RandomAccess::open(Place { path: RawPath(path.into()) }).await.unwrap())
    }

    async fn read(file: &Arc<RandomAccess>, first: u64, length: usize) -> Result<Contents> {
        file.clone().read(Part { first, length }, Watch::default()).await
    }

    #[tokio::test]
    async fn reads_parts_of_every_size() {
        let content: Vec<u8> = (0..=250).cycle().take((18 << 20) + 5).collect();
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), &content).unwrap();
        let file = opened(named.path()).await;
        assert_eq!(file.size(), content.len() as u64);
        for (first, length) in
            [(0, 0), (3, 1), (9, LARGE - 1), (7, LARGE), (1, 17 << 20), (0, content.len())]
        {
            let found = read(&file, first as u64, length).await.unwrap();
            assert!(found.as_ref() == &content[first..first + length], "{length} at {first}");
        }
    }

    #[tokio::test]
    async fn a_file_that_does_not_exist_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let place = Place { path: RawPath(missing.clone()) };
        let error = RandomAccess::open(place).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EntryNotFound);
        assert_eq!(error.message(), format!("`{}` does not exist", missing.display()));
        let place = Place { path: RawPath(folder.path().into()) };
        assert_eq!(RandomAccess::open(place).await.unwrap_err().kind(), ErrorKind::Io);
    }

    #[tokio::test]
    async fn a_stopped_read_ends() {
        let named = tempfile::NamedTempFile::new().unwrap();
        named.as_file().set_len(64 << 20).unwrap();
        let watch = Watch::default();
        watch.stop.cancel();
        let part = Part { first: 0, length: 64 << 20 };
        let error = opened(named.path()).await.read(part, watch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[tokio::test]
    async fn a_file_that_is_truncated_while_it_is_read_is_an_error() {
        let named = tempfile::NamedTempFile::new().unwrap();
        let large = 8 << 20;
        named.as_file().set_len(large).unwrap();
        // Clocks of file systems may be too coarse to tell the changes apart.
        named.as_file().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let file = opened(named.path()).await;
        let reading = tokio::spawn({
            let file = file.clone();
            async move { while read(&file, 0, 8 << 20).await.is_ok() {} }
        });
        named.as_file().set_len(1).unwrap();
        reading.await.unwrap();
        // As it was again, but written to.
        named.as_file().set_len(large).unwrap();
        assert!(read(&file, 0, 1).await.is_err());
        drop(file.close());
        let closed = read(&file, 0, 1).await.unwrap_err();
        assert_eq!(closed.reason().as_deref(), Some("it is closed"));
    }
}
