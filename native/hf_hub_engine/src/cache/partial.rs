//! A partial file: a download in progress that becomes visible only when it is complete and
//! verified.
//!
//! Every attempt has a partial file with a unique name. A partial file of an interrupted attempt is
//! claimed by renaming it, which only one process can do, and then *copied* ([`orphans`]): a writer
//! that is paused, or on another host where locks have no effect, may still have the old file open
//! and must not be able to write to the new one. Hashing is done elsewhere.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    base::{
        disk::{in_folder, missing_space, write_all_at},
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        hash::{self, Verdict},
        ranges::Ranges,
        sizes,
    },
    cache::resume_record,
};

mod flushes;
mod orphans;
mod verified;

pub use flushes::Flushes;
pub use orphans::Orphans;
pub use verified::{Checked, Verified};

const SUFFIX: &str = ".incomplete";

/// Bytes received between two updates of the resume record: what a crash can cost.
const NOTED_EVERY: u64 = 4 << 20;

/// Where the partial files of one content are, and what is expected.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The folder, on the same file system as the destination.
    pub dir: PathBuf,
    /// The prefix of the names of all its partial files.
    pub stem: String,
    /// The expected etag.
    pub etag: Etag,
    /// The expected size, if known.
    pub size: Option<u64>,
}

/// A partial file that is being written.
#[derive(Debug)]
pub struct Partial {
    slot: Slot,
    path: PathBuf,
    file: File,
    present: Ranges,
    /// Whether the file has a resume record, which bytes after a gap require.
    noted: bool,
    unnoted: u64,
    fate: Fate,
}

/// What happens to the file when its [`Partial`] is dropped.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It is kept for the next attempt, unless it is empty.
    Resumable,
    /// It is invalid and removed.
    Wrong,
    /// It is complete and about to be renamed.
    Verified,
}

/// Returns the stems of all partial files in a folder and below it.
pub fn stems(dir: &Path) -> HashSet<String> {
    let mut stems = HashSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            stems.extend(self::stems(&entry.path()));
        }
        stems.extend(stem_in(&entry));
    }
    stems
}

/// Returns the stems of all partial files in some folders.
pub fn stems_in(dirs: impl IntoIterator<Item = PathBuf>) -> HashSet<String> {
    let entries = dirs.into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    entries.filter_map(|entry| stem_in(&entry)).collect()
}

fn stem_in(entry: &fs::DirEntry) -> Option<String> {
    entry.file_name().to_str().and_then(stem_of).map(str::to_owned)
}

/// Returns the stem of `<stem>.<8 hex>.incomplete`.
fn stem_of(name: &str) -> Option<&str> {
    let (stem, random) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    (random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit())).then_some(stem)
}

impl Slot {
    /// Returns how many bytes of an interrupted attempt [`Partial::resume`] would take over.
    pub fn resumable(&self) -> u64 {
        self.orphans().first().map_or(0, |(_, bytes)| *bytes)
    }

    /// Removes partial files of other attempts. Only to be called when the content is in place and
    /// no other process can be writing.
    pub fn clear(&self) {
        for path in self.partials() {
            // A file that cannot be removed belongs to another user.
            let _ = fs::remove_file(path);
        }
    }

    /// Returns all usable partial files of this content, the largest first.
    fn orphans(&self) -> Vec<(PathBuf, u64)> {
        let mut orphans: Vec<_> = self
            .partials()
            .into_iter()
            .filter_map(|path| {
                let bytes = self.present_in(&mut File::open(&path).ok()?).total();
                (bytes > 0).then_some((path, bytes))
            })
            .collect();
        orphans.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        orphans
    }

    fn partials(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let ours = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let is_partial = name.to_str().and_then(stem_of) == Some(self.stem.as_str());
            // Not a link: another user may have planted it.
            is_partial && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        entries.flatten().filter(ours).map(|entry| entry.path()).collect()
    }

    /// Renames a partial file of another attempt, so that no other process resumes from it; `None`
    /// if one was faster.
    fn claim(&self, orphan: &Path) -> Option<PathBuf> {
        let claimed = self.unused_path();
        fs::rename(orphan, &claimed).ok().map(|()| claimed)
    }

    fn present_in(&self, partial: &mut File) -> Ranges {
        resume_record::read(partial, &self.etag, self.size).unwrap_or_default()
    }

    /// Returns an unused name for another partial file.
    pub(crate) fn unused_path(&self) -> PathBuf {
        self.dir.join(format!("{}.{:08x}{SUFFIX}", self.stem, fastrand::u32(..)))
    }

    fn create(&self) -> Result<(PathBuf, File)> {
        loop {
            let path = self.unused_path();
            // create_new also refuses a planted symlink of that name.
            let create = || OpenOptions::new().read(true).write(true).create_new(true).open(&path);
            match in_folder(&path, create) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path, error)),
            }
        }
    }
}

impl Partial {
    /// Creates an empty partial file.
    pub fn create(slot: Slot) -> Result<Self> {
        let (path, file) = slot.create()?;
        Ok(Self::over(slot, path, file, Ranges::default(), false))
    }

    fn over(slot: Slot, path: PathBuf, file: File, present: Ranges, noted: bool) -> Self {
        Self { slot, path, file, present, noted, unnoted: 0, fate: Fate::Resumable }
    }

    /// Creates a partial file, and claims those of interrupted attempts, whose content is still to
    /// be copied into it.
    ///
    /// With `alone`, no other process can be writing; otherwise only files that have not been
    /// modified for a while are claimed.
    pub fn resume(slot: Slot, alone: bool) -> Result<(Self, Orphans)> {
        let is_short = missing_space(&slot.dir, slot.size.unwrap_or(0)).is_some();
        // Moving a file piece by piece would destroy that of a live writer.
        let claimed = (alone || !is_short).then(|| Orphans::claim(&slot, alone, is_short));
        Ok((Self::create(slot)?, claimed.unwrap_or_default()))
    }

    /// Returns the ranges that are in place.
    pub fn present(&self) -> &Ranges {
        &self.present
    }

    /// Returns the expected content.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Returns the file.
    #[cfg(target_os = "linux")]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Opens another handle to the file, to read what is in place.
    pub fn reader(&self) -> Result<File> {
        self.file.try_clone().map_err(|source| Error::io("open", &self.path, source))
    }

    /// Writes `bytes` at `offset`. Fails beyond the expected size.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.write_pieces(offset, &[bytes])
    }

    /// Writes `pieces`, one after another, at `offset`. Fails beyond the expected size.
    pub fn write_pieces(&mut self, offset: u64, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
        let length = pieces.iter().map(|piece| piece.as_ref().len() as u64).sum::<u64>();
        let end = offset + length;
        if let Some(size) = self.slot.size.filter(|size| end > *size) {
            self.fate = Fate::Wrong;
            return Err(too_long(size));
        }
        if offset != self.present.end() && !self.noted {
            // Before the gap is written: without a record, everything before the new bytes would
            // count as received.
            self.noted = true;
            self.note()?;
        }
        write_all_at(&self.file, pieces, offset)
            .map_err(|source| Error::io("write", &self.path, source))?;
        self.present.add(offset..end);
        self.unnoted += length;
        if self.noted && self.unnoted >= NOTED_EVERY { self.note() } else { Ok(()) }
    }

    /// Discards everything written.
    pub fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|source| Error::io("truncate", &self.path, source))?;
        (self.present, self.noted, self.unnoted) = (Ranges::default(), false, 0);
        Ok(())
    }

    /// Removes the file.
    pub(crate) fn discard(mut self) {
        self.fate = Fate::Wrong;
    }

    /// Verifies the content, whose hash is `actual` if it was computed during the transfer, and
    /// flushes it to disk. Invalid content is deleted.
    pub fn finish(self, actual: Option<String>) -> Result<Verified> {
        self.check(actual)?.flush()
    }

    /// Verifies the content like [`Self::finish`], without flushing it.
    pub fn check(mut self, actual: Option<String>) -> Result<Checked> {
        let written = self.present.prefix();
        if let Some(size) = self.slot.size.filter(|size| *size != written) {
            self.fate = Fate::Wrong;
            let arrived = sizes::counted(written, "bytes");
            let message = format!("{arrived} arrived where the Hub announced {size}");
            return Err(Error::new(ErrorKind::ChecksumMismatch, message));
        }
        let checksum = match hash::prove(&self.path, &self.slot.etag, actual)? {
            Verdict::Right(checksum) => Some(checksum),
            Verdict::Unknown => None,
            Verdict::Wrong(actual) => {
                self.fate = Fate::Wrong;
                return Err(mismatch(&self.slot.etag, &actual));
            }
        };
        if self.noted {
            self.file.set_len(written).map_err(|source| Error::io("flush", &self.path, source))?;
        }
        Ok(Checked { partial: self, checksum })
    }

    fn note(&mut self) -> Result<()> {
        let Some(size) = self.slot.size else { return Ok(()) };
        if let Some(record) = resume_record::encode(&self.slot.etag, size, &self.present) {
            write_all_at(&self.file, &[record], resume_record::position(size))
                .map_err(|source| Error::io("write", &self.path, source))?;
        }
        self.unnoted = 0;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let useless = self.fate == Fate::Resumable && self.present.total() == 0;
        if useless || self.fate == Fate::Wrong {
            // Otherwise only a stray file remains.
            let _ = fs::remove_file(&self.path);
        } else if self.fate == Fate::Resumable && self.noted {
            // The previous record lists fewer ranges, which costs the next attempt a few bytes.
            let _ = self.note();
        }
    }
}

/// Returns the error for a server that sends more than it announced.
pub(crate) fn too_long(size: u64) -> Error {
    let announced = sizes::counted(size, "bytes");
    let message = format!("the server sent more than the {announced} it announced");
    Error::new(ErrorKind::ChecksumMismatch, message)
}

/// Returns the error for content that matches no announced checksum.
pub(crate) fn mismatch(etag: &Etag, actual: &str) -> Error {
    let kind = match etag.proof() {
        Proof::Sha256 => "SHA-256",
        Proof::Sha1 => "SHA-1",
        Proof::GitSha1 | Proof::GitSha256 | Proof::None => "git object id",
    };
    let announced = etag.checksums().first().map_or(etag.as_str(), Checksum::hex);
    let message = format!(
        "the content's {kind} is {actual}, but the Hub announced {announced}; nothing was kept"
    );
    Error::new(ErrorKind::ChecksumMismatch, message)
}

/// Opens a partial file of another attempt; `None` if it cannot be read, or may have a writer.
/// With `alone`, none has.
fn open_orphan(orphan: &Path, alone: bool, write: bool) -> Option<File> {
    let file = OpenOptions::new().read(true).write(write).open(orphan).ok()?;
    let modified = || file.metadata().and_then(|metadata| metadata.modified());
    (alone || !modified().is_ok_and(is_fresh)).then_some(file)
}

/// Whether a file may still have a writer: live writers usually modify it more often. A writer that
/// pauses for longer may lose its file, which costs bandwidth only.
pub(crate) fn is_fresh(modified: SystemTime) -> bool {
    const QUIET: Duration = Duration::from_mins(2);
    // In the future: written by another host, whose clock is ahead.
    SystemTime::now().duration_since(modified).map_or(true, |age| age < QUIET)
}

#[cfg(test)]
mod tests;
