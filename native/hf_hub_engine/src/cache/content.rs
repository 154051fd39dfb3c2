//! Checks whether the content of a file is in the cache and is the expected one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    base::{
        etag::Etag,
        hash::Hasher,
        ids::{Commit, EntryPath, Revision},
    },
    cache::layout::RepoDir,
};

/// What a file of a snapshot is.
enum Shown {
    /// A link to the blob of this name.
    Blob(Etag),
    /// A link to something else.
    Other,
    /// A regular file.
    File,
}

impl Shown {
    fn by(pointer: &Path) -> Self {
        let Ok(target) = fs::read_link(pointer) else { return Self::File };
        let name = target.file_name().and_then(|name| name.to_str());
        name.and_then(Etag::of_blob).map_or(Self::Other, Self::Blob)
    }
}

impl RepoDir {
    /// Returns the path of a file whose content is in the cache. A dangling link is not, nor is a
    /// link to a blob that a power failure left empty.
    pub fn find(&self, commit: &Commit, path: &EntryPath) -> Option<PathBuf> {
        self.find_sized(commit, path).map(|(pointer, _)| pointer)
    }

    /// Returns the path like [`Self::find`], with the size of the content.
    pub fn find_sized(&self, commit: &Commit, path: &EntryPath) -> Option<(PathBuf, u64)> {
        self.find_measured(commit, path).map(|(pointer, metadata)| (pointer, metadata.len()))
    }

    fn find_measured(&self, commit: &Commit, path: &EntryPath) -> Option<(PathBuf, fs::Metadata)> {
        let pointer = self.pointer(commit, path);
        let metadata = fs::metadata(&pointer).ok().filter(fs::Metadata::is_file)?;
        let emptied = metadata.len() == 0
            && matches!(Shown::by(&pointer), Shown::Blob(etag) if etag.is_proof() && !is_of_nothing(&etag));
        (!emptied).then_some((pointer, metadata))
    }

    /// Returns the path of a file whose content is the one that the Hub announced: of that size,
    /// and linked to a blob of that name. Of files that are not links, only the size is compared.
    pub fn find_content(
        &self,
        commit: &Commit,
        path: &EntryPath,
        etag: &Etag,
        size: Option<u64>,
    ) -> Option<PathBuf> {
        let (pointer, length) = self.find_sized(commit, path)?;
        let same = match Shown::by(&pointer) {
            Shown::File => true,
            Shown::Blob(shown) if shown == *etag => true,
            // An opaque etag differs between mirrors, and a commit that is a hash never changes its
            // content.
            Shown::Blob(_) | Shown::Other => !etag.is_proof() && commit.is_immutable(),
        };
        (same && size.is_none_or(|size| size == length)).then_some(pointer)
    }

    /// Returns the path like [`Self::find`], and records that the file is used, which counts for
    /// eviction.
    pub fn find_to_use(&self, commit: &Commit, path: &EntryPath) -> Option<PathBuf> {
        let (pointer, metadata) = self.find_measured(commit, path)?;
        note_use_after(&pointer, metadata.accessed());
        Some(pointer)
    }

    /// Returns the path like [`Self::find_to_use`] if no request is needed: the file of a commit
    /// never changes, and this content was verified with a checksum.
    pub fn find_verified(&self, revision: &Revision, path: &EntryPath) -> Option<PathBuf> {
        self.find_to_use(&revision.as_commit()?, path).filter(|pointer| is_proved(pointer))
    }

    /// Whether the blob is in the cache and has the expected size.
    pub fn has_blob(&self, etag: &Etag, size: Option<u64>) -> bool {
        fs::metadata(self.blob(etag))
            .is_ok_and(|blob| blob.is_file() && size.is_none_or(|size| size == blob.len()))
    }
}

/// Whether a file of a snapshot was verified with a checksum when it was downloaded. False for
/// files that are not links, since this is unknown.
pub(crate) fn is_proved(pointer: &Path) -> bool {
    match Shown::by(pointer) {
        Shown::Blob(etag) => etag.is_proof(),
        Shown::Other => false,
        Shown::File => true,
    }
}

/// Whether an etag is that of an empty file.
fn is_of_nothing(etag: &Etag) -> bool {
    etag.checksums().iter().any(|sum| {
        Hasher::new(sum.proof(), Some(0)).is_some_and(|hasher| hasher.finish() == sum.hex())
    })
}

/// Records that a blob is used: many file systems are mounted so that they update access times
/// rarely or never.
pub(crate) fn note_use(pointer: &Path) {
    note_use_after(pointer, fs::metadata(pointer).and_then(|metadata| metadata.accessed()));
}

fn note_use_after(pointer: &Path, known: io::Result<SystemTime>) {
    const OFTEN: Duration = Duration::from_hours(1);
    let now = SystemTime::now();
    if known.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > OFTEN)) {
        // The time of another user's file cannot be set.
        let times = fs::FileTimes::new().set_accessed(now);
        let _ = fs::File::open(pointer).and_then(|file| file.set_times(times));
    }
}
