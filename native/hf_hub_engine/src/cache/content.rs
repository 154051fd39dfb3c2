//! Whether the content of a file is here, and is what it should be.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    base::{
        etag::Etag,
        hash::Hasher,
        ids::{Commit, EntryPath},
    },
    cache::layout::RepoDir,
};

/// What a file of a snapshot is.
enum Shown {
    /// A link to the blob of this name.
    Blob(Etag),
    /// A link to something else.
    Other,
    /// No link.
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
    /// The path of a file whose content is here; a link into nowhere is not, nor one to a blob that a power cut
    /// left empty.
    pub fn find(&self, commit: &Commit, path: &EntryPath) -> Option<PathBuf> {
        self.find_sized(commit, path).map(|(pointer, _)| pointer)
    }

    /// As [`Self::find`], with the size of the content.
    pub fn find_sized(&self, commit: &Commit, path: &EntryPath) -> Option<(PathBuf, u64)> {
        let pointer = self.pointer(commit, path);
        let size = fs::metadata(&pointer).ok().filter(fs::Metadata::is_file)?.len();
        let emptied = size == 0
            && matches!(Shown::by(&pointer), Shown::Blob(etag) if etag.is_proof() && !is_of_nothing(&etag));
        (!emptied).then_some((pointer, size))
    }

    /// The path of a file whose content is the one that the Hub announces: of that size, and from a blob of that
    /// name. Files that are no links have only the size to tell.
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
            // An opaque etag differs from mirror to mirror, and a commit that is a hash has one content for ever.
            Shown::Blob(_) | Shown::Other => !etag.is_proof() && commit.is_immutable(),
        };
        (same && size.is_none_or(|size| size == length)).then_some(pointer)
    }

    /// As [`Self::find`], for whoever is about to use the file: that counts when the cache is made smaller.
    pub fn find_to_use(&self, commit: &Commit, path: &EntryPath) -> Option<PathBuf> {
        self.find(commit, path).inspect(|pointer| note_use(pointer))
    }

    /// Whether the content is here, and of the expected size.
    pub fn has_blob(&self, etag: &Etag, size: Option<u64>) -> bool {
        fs::metadata(self.blob(etag))
            .is_ok_and(|blob| blob.is_file() && size.is_none_or(|size| size == blob.len()))
    }
}

/// Whether a file of a snapshot agreed with a checksum when it arrived. Files that are no links do not tell.
pub(crate) fn is_proved(pointer: &Path) -> bool {
    match Shown::by(pointer) {
        Shown::Blob(etag) => etag.is_proof(),
        Shown::Other => false,
        Shown::File => true,
    }
}

/// Whether an etag is that of a file without content.
fn is_of_nothing(etag: &Etag) -> bool {
    etag.checksums().iter().any(|sum| {
        Hasher::new(sum.proof(), Some(0)).is_some_and(|hasher| hasher.finish() == sum.hex())
    })
}

/// Notes that a content is used, which many file systems are mounted not to do, or only once a day.
pub(crate) fn note_use(pointer: &Path) {
    const OFTEN: Duration = Duration::from_hours(1);
    let now = SystemTime::now();
    let known = fs::metadata(pointer).and_then(|metadata| metadata.accessed());
    if known.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > OFTEN)) {
        // Somebody else's file keeps its time.
        let times = fs::FileTimes::new().set_accessed(now);
        let _ = fs::File::open(pointer).and_then(|file| file.set_times(times));
    }
}
