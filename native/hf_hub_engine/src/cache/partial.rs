//! A download in the making: a file of its own that becomes visible only when it is whole and right.
//!
//! Every attempt has a uniquely named partial. What a dead attempt left behind is
//! claimed by renaming it, which only one process can do, and then *copied*: a
//! writer that is paused, or on another host where locks lie, may still hold the
//! old file open, and must not be able to write into ours. Hashing is not done here.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    base::{
        disk::in_folder,
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        hash::{self, Verdict},
    },
    cache::{journal, ranges::Ranges},
};

const SUFFIX: &str = ".incomplete";

/// Bytes that may arrive before the note about them is renewed: what a crash can cost.
const NOTED_EVERY: u64 = 4 << 20;

/// Where partials of one content live, and what it should be.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The folder, on the same file system as the destination.
    pub dir: PathBuf,
    /// What the names of all its partials begin with.
    pub stem: String,
    /// What the content is.
    pub etag: Etag,
    /// How long it is, where known.
    pub size: Option<u64>,
}

/// A partial that is being written.
#[derive(Debug)]
pub struct Partial {
    slot: Slot,
    path: PathBuf,
    file: File,
    present: Ranges,
    /// Whether the file carries a note, which bytes behind a gap need.
    noted: bool,
    unnoted: u64,
    fate: Fate,
}

/// What becomes of the file when its [`Partial`] is dropped.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It stays for the next attempt, unless it is empty.
    Resumable,
    /// It is wrong and goes.
    Wrong,
    /// It is whole and waits for its name.
    Verified,
}

/// A partial whose content has been proved, on disk, waiting for its name.
#[derive(Debug)]
pub struct Verified {
    partial: Partial,
    checksum: Option<Checksum>,
}

/// The stems of all partials in a folder and below it.
pub fn stems(dir: &Path) -> HashSet<String> {
    let mut stems = HashSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            stems.extend(self::stems(&entry.path()));
        }
        let name = entry.file_name();
        stems.extend(name.to_str().and_then(stem_of).map(str::to_owned));
    }
    stems
}

/// `<stem>.<8 hex>.incomplete` taken apart.
fn stem_of(name: &str) -> Option<&str> {
    let (stem, random) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    (random.len() == 8 && random.bytes().all(|b| b.is_ascii_hexdigit())).then_some(stem)
}

impl Slot {
    /// Bytes that a dead attempt left behind and [`Partial::resume`] would take over.
    pub fn resumable(&self) -> u64 {
        self.orphans().first().map_or(0, |(_, bytes)| *bytes)
    }

    /// Removes what other attempts left behind. Only for when the content is in place
    /// and nobody else can be writing.
    pub fn clear(&self) {
        for path in self.partials() {
            // One that cannot be removed is somebody else's to clear.
            let _ = fs::remove_file(path);
        }
    }

    /// All partials of this content that hold something of use, the fullest first.
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
            // Not a link: whoever planted it may have pointed it anywhere.
            is_partial && entry.file_type().is_ok_and(|kind| kind.is_file())
        };
        entries.flatten().filter(ours).map(|entry| entry.path()).collect()
    }

    fn present_in(&self, partial: &mut File) -> Ranges {
        journal::read(partial, &self.etag, self.size).unwrap_or_default()
    }

    /// A name for one more partial, which nobody else will choose.
    pub(crate) fn unused_path(&self) -> PathBuf {
        self.dir.join(format!("{}.{:08x}{SUFFIX}", self.stem, fastrand::u32(..)))
    }

    fn create(&self) -> Result<(PathBuf, File)> {
        loop {
            let path = self.unused_path();
            // create_new also refuses a symlink planted under that name.
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
    /// Begins at zero.
    pub fn create(slot: Slot) -> Result<Self> {
        let (path, file) = slot.create()?;
        Ok(Self::over(slot, path, file, Ranges::default(), false))
    }

    fn over(slot: Slot, path: PathBuf, file: File, present: Ranges, noted: bool) -> Self {
        Self { slot, path, file, present, noted, unnoted: 0, fate: Fate::Resumable }
    }

    /// Begins with what a dead attempt left behind, if it left anything that can be had.
    ///
    /// With `alone` no one else can be writing; without, only what has not been
    /// touched for a while is taken. `stop` is asked while it is copied.
    pub fn resume(slot: Slot, alone: bool, stop: &dyn Fn() -> bool) -> Result<Self> {
        let orphans = slot.orphans();
        let is_short =
            crate::base::disk::missing_space(&slot.dir, slot.size.unwrap_or(0)).is_some();
        let mut partial = Self::create(slot)?;
        for (orphan, _) in orphans {
            if partial.claim(&orphan, alone, is_short, stop) {
                break;
            }
            partial.restart()?;
        }
        Ok(partial)
    }

    /// Takes over `orphan`; false if another process was faster, or it cannot be read.
    fn claim(
        &mut self,
        orphan: &Path,
        alone: bool,
        is_short: bool,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        // What is moved piece by piece is lost to a writer that is alive.
        if is_short && !alone {
            return false;
        }
        let Ok(mut content) = OpenOptions::new().read(true).write(is_short).open(orphan) else {
            return false;
        };
        if !alone && content.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_fresh)
        {
            return false;
        }
        let claimed = self.slot.unused_path();
        if fs::rename(orphan, &claimed).is_err() {
            return false;
        }
        let copied = self.copy_from(&mut content, is_short, stop).is_ok();
        if !stop() {
            // If it cannot be removed it will be claimed again, which is harmless.
            let _ = fs::remove_file(&claimed);
        }
        copied
    }

    /// Which bytes are in place.
    pub fn present(&self) -> &Ranges {
        &self.present
    }

    /// What the content should be.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Another handle to the file, to read what is in place.
    pub fn reader(&self) -> Result<File> {
        self.file.try_clone().map_err(|source| Error::io("open", &self.path, source))
    }

    /// Writes `bytes` at `offset`. Beyond the expected size is an error.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset + bytes.len() as u64;
        if let Some(size) = self.slot.size.filter(|size| end > *size) {
            self.fate = Fate::Wrong;
            return Err(too_long(size));
        }
        if offset != self.present.end() && !self.noted {
            // Before the gap comes into being: without a note all before it would count.
            self.noted = true;
            self.note()?;
        }
        write_all_at(&self.file, bytes, offset)
            .map_err(|source| Error::io("write", &self.path, source))?;
        self.present.add(offset..end);
        self.unnoted += bytes.len() as u64;
        if self.noted && self.unnoted >= NOTED_EVERY { self.note() } else { Ok(()) }
    }

    /// Forgets everything written.
    pub fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|source| Error::io("truncate", &self.path, source))?;
        (self.present, self.noted, self.unnoted) = (Ranges::default(), false, 0);
        Ok(())
    }

    /// Checks the content, whose hash is `actual` where one was made on the way, and puts
    /// it on disk for good. A wrong one is deleted.
    pub fn finish(mut self, actual: Option<String>) -> Result<Verified> {
        let written = self.present.prefix();
        if let Some(size) = self.slot.size.filter(|size| *size != written) {
            self.fate = Fate::Wrong;
            let message = format!("{written} bytes arrived where the Hub announced {size}");
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
        let flush = |source| Error::io("flush", &self.path, source);
        if self.noted {
            self.file.set_len(written).map_err(flush)?;
        }
        self.file.sync_data().map_err(flush)?;
        self.fate = Fate::Verified;
        Ok(Verified { partial: self, checksum })
    }

    fn note(&mut self) -> Result<()> {
        let Some(size) = self.slot.size else { return Ok(()) };
        // More ranges than fit are told with the next note; until then the last one holds.
        if let Some(note) = journal::encode(&self.slot.etag, size, &self.present) {
            write_all_at(&self.file, &note, journal::position(size))
                .map_err(|source| Error::io("write", &self.path, source))?;
        }
        self.unnoted = 0;
        Ok(())
    }

    /// Copies what is in place. Where room `is_short`, from the end, and what is copied is cut off.
    fn copy_from(
        &mut self,
        content: &mut File,
        is_short: bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let present = self.slot.present_in(content);
        if !is_short {
            return present.iter().try_for_each(|range| self.copy_range(content, range, stop));
        }
        let mut pieces: Vec<_> = present.iter().flat_map(pieces).collect();
        pieces.reverse();
        for piece in pieces {
            let start = piece.start;
            self.copy_range(content, piece, stop)?;
            content.set_len(start).map_err(|source| Error::io("shorten", &self.path, source))?;
        }
        Ok(())
    }

    fn copy_range(
        &mut self,
        content: &mut File,
        range: Range<u64>,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        let mut at = range.start;
        let wrap = |source| Error::io("read", Path::new("a partial"), source);
        content.seek(SeekFrom::Start(at)).map_err(wrap)?;
        while at < range.end && !stop() {
            let room = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
            match io::Read::read(content, &mut buffer[..room]).map_err(wrap)? {
                0 => break,
                n => {
                    self.write(at, &buffer[..n])?;
                    at += n as u64;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let useless = self.fate == Fate::Resumable && self.present.total() == 0;
        if useless || self.fate == Fate::Wrong {
            // Only a stray file would remain.
            let _ = fs::remove_file(&self.path);
        } else if self.fate == Fate::Resumable && self.noted {
            // The last note says less, which costs the next attempt a few bytes.
            let _ = self.note();
        }
    }
}

impl Verified {
    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.partial.present.prefix()
    }

    /// The announced checksum that agrees.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }

    /// Gives the content its name, atomically; whatever had the name before is replaced.
    ///
    /// Where locks do nothing, another process may have taken the partial for an orphan.
    /// Then that one's content serves, or it is made anew out of the file that is still open here.
    pub fn publish(self, destination: &Path) -> Result<()> {
        // The content is on disk already, so a crash loses at most the new name.
        let path = &self.partial.path;
        match fs::rename(path, destination) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {}
            other => {
                return other
                    .map_err(|source| Error::io("move the download to", destination, source));
            }
        }
        if self.is_at(destination) {
            return Ok(());
        }
        match self.remake(destination) {
            // Taken again, by one who was faster.
            Err(_) if self.is_at(destination) => Ok(()),
            result => result,
        }
    }

    /// Whether the very content lies there already.
    fn is_at(&self, destination: &Path) -> bool {
        let found = hash::prove(destination, &self.partial.slot.etag, None);
        matches!(found, Ok(Verdict::Right(_)))
    }

    fn remake(&self, destination: &Path) -> Result<()> {
        let wrap = |source| Error::io("move the download to", destination, source);
        let Partial { slot, file, .. } = &self.partial;
        let (path, mut copy) = slot.create()?;
        let mut file = file;
        let whole = |copied| match copied {
            copied if copied == self.size() => Ok(()),
            _ => Err(io::Error::other("another process has shortened it")),
        };
        let copied = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| io::copy(&mut io::Read::take(file, self.size()), &mut copy))
            .and_then(whole)
            .and_then(|()| copy.sync_data())
            .map_err(wrap)
            // Whoever took the partial may have written into it.
            .and_then(|()| hash::prove(&path, &slot.etag, None))
            .and_then(|verdict| match verdict {
                Verdict::Wrong(actual) => Err(mismatch(&slot.etag, &actual)),
                _ => fs::rename(&path, destination).map_err(wrap),
            });
        copied.inspect_err(|_| drop(fs::remove_file(&path)))
    }
}

/// A range in pieces that are copied at a time where room is short.
fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    const PIECE: usize = 16 << 20;
    let end = range.end;
    range.step_by(PIECE).map(move |start| start..end.min(start + PIECE as u64))
}

/// The error for a server that sends more than it announced.
pub(crate) fn too_long(size: u64) -> Error {
    let message = format!("the server sent more than the {size} bytes it announced");
    Error::new(ErrorKind::ChecksumMismatch, message)
}

/// The error for content that no announced checksum agrees with.
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

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        (bytes, offset) = (&bytes[n..], offset + n as u64);
    }
    Ok(())
}

/// Whether a file may still have a writer: most live ones touch it more often. One that
/// waits for longer may be robbed, which costs bandwidth.
pub(crate) fn is_fresh(modified: SystemTime) -> bool {
    const QUIET: Duration = Duration::from_mins(2);
    // In the future: of another host, whose clock is ahead.
    SystemTime::now().duration_since(modified).map_or(true, |age| age < QUIET)
}

#[cfg(test)]
mod tests;
