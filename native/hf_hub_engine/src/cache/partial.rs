//! A download in the making: a file of its own that becomes visible only when it is whole and right.
//!
//! Every attempt has a uniquely named partial. What a dead attempt left behind is
//! claimed by renaming it, which only one process can do, and then *copied*: a
//! writer that is paused, or on another host where locks lie, may still hold the
//! old file open, and must not be able to write into ours.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    error::{Error, ErrorKind, Result},
    hash::{self, Hasher},
    names::{Etag, Proof},
};

const SUFFIX: &str = ".incomplete";

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
pub struct Partial {
    slot: Slot,
    path: PathBuf,
    file: File,
    written: u64,
    hasher: Option<Hasher>,
    fate: Fate,
}

/// What becomes of the file when its [`Partial`] is dropped.
#[derive(PartialEq, Eq)]
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
    path: PathBuf,
    size: u64,
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
        self.orphans().first().map_or(0, |(_, size)| *size)
    }

    /// Removes what other attempts left behind. Only for when the content is in place
    /// and nobody else can be writing.
    pub fn clear(&self) {
        for (path, _) in self.orphans() {
            // One that cannot be removed is somebody else's to clear.
            let _ = fs::remove_file(path);
        }
    }

    /// All partials of this content that can be a prefix, the largest first.
    fn orphans(&self) -> Vec<(PathBuf, u64)> {
        let fits = |size: u64| size > 0 && self.size.is_none_or(|expected| size <= expected);
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let mut orphans: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let ours = stem_of(&name) == Some(self.stem.as_str());
                let metadata =
                    entry.metadata().ok().filter(|metadata| ours && metadata.is_file())?;
                Some((entry.path(), metadata.len()))
            })
            .filter(|(_, size)| fits(*size))
            .collect();
        orphans.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        orphans
    }

    fn unique_path(&self) -> PathBuf {
        self.dir.join(format!("{}.{:08x}{SUFFIX}", self.stem, fastrand::u32(..)))
    }

    fn create(&self) -> Result<(PathBuf, File)> {
        fs::create_dir_all(&self.dir)
            .map_err(|source| Error::io("create the folder", &self.dir, source))?;
        loop {
            let path = self.unique_path();
            // create_new also refuses a symlink planted under that name.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
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
        let hasher = Hasher::new(slot.etag.proof(), slot.size);
        Ok(Self { slot, path, file, written: 0, hasher, fate: Fate::Resumable })
    }

    /// Begins with what a dead attempt left behind, if it left anything that can be had.
    ///
    /// With `alone` no one else can be writing; without, only what has not been
    /// touched for a while is taken. `stop` is asked while the prefix is copied.
    pub fn resume(slot: Slot, alone: bool, stop: &dyn Fn() -> bool) -> Result<Self> {
        let orphans = slot.orphans();
        if alone && crate::cache::missing_space(&slot.dir, slot.size.unwrap_or(0)).is_some() {
            // No room for a copy. Nobody else is writing, so the file itself will do.
            if let Some(adopted) =
                orphans.iter().find_map(|(orphan, _)| Self::adopt(&slot, orphan, stop))
            {
                return Ok(adopted);
            }
        }
        let mut partial = Self::create(slot)?;
        for (orphan, _) in orphans {
            if partial.claim(&orphan, alone, stop) {
                break;
            }
            partial.restart()?;
        }
        Ok(partial)
    }

    /// Takes over `orphan`; false if another process was faster, or it cannot be read.
    fn claim(&mut self, orphan: &Path, alone: bool, stop: &dyn Fn() -> bool) -> bool {
        let Ok(mut content) = File::open(orphan) else { return false };
        if !alone && content.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_fresh)
        {
            return false;
        }
        let claimed = self.slot.unique_path();
        if fs::rename(orphan, &claimed).is_err() {
            return false;
        }
        let copied = self.copy_from(&mut content, stop).is_ok();
        // If it cannot be removed it will be claimed again, which is harmless.
        let _ = fs::remove_file(&claimed);
        copied
    }

    /// Goes on in `orphan` itself.
    fn adopt(slot: &Slot, orphan: &Path, stop: &dyn Fn() -> bool) -> Option<Self> {
        let path = slot.unique_path();
        let file = OpenOptions::new().read(true).write(true).open(orphan).ok()?;
        fs::rename(orphan, &path).ok()?;
        let hasher = Hasher::new(slot.etag.proof(), slot.size);
        let mut partial =
            Self { slot: slot.clone(), path, file, written: 0, hasher, fate: Fate::Resumable };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = partial.file.read(&mut buffer).ok().filter(|_| !stop())?;
            if n == 0 {
                return Some(partial);
            }
            if let Some(hasher) = &mut partial.hasher {
                hasher.update(&buffer[..n]);
            }
            partial.written += n as u64;
        }
    }

    /// How many bytes are in place.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends. More than the expected size is an error.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let total = self.written + bytes.len() as u64;
        if self.slot.size.is_some_and(|size| total > size) {
            self.fate = Fate::Wrong;
            let message = format!(
                "the server sent more than the {} bytes it announced",
                self.slot.size.unwrap_or(0)
            );
            return Err(Error::new(ErrorKind::ChecksumMismatch, message));
        }
        self.file.write_all(bytes).map_err(|source| Error::io("write", &self.path, source))?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.written = total;
        Ok(())
    }

    /// Forgets everything written.
    pub fn restart(&mut self) -> Result<()> {
        use std::io::Seek;
        let reset = self.file.set_len(0).and_then(|()| self.file.rewind());
        reset.map_err(|source| Error::io("truncate", &self.path, source))?;
        self.written = 0;
        self.hasher = Hasher::new(self.slot.etag.proof(), self.slot.size);
        Ok(())
    }

    /// Proves the content and puts it on disk for good. A wrong one is deleted.
    pub fn finish(mut self) -> Result<Verified> {
        if let Some(size) = self.slot.size.filter(|size| *size != self.written) {
            self.fate = Fate::Wrong;
            let message = format!("{} bytes arrived where the Hub announced {size}", self.written);
            return Err(Error::new(ErrorKind::ChecksumMismatch, message));
        }
        let expected = self.slot.etag.as_str();
        let actual = match self.hasher.take() {
            Some(hasher) => Some(hasher.finish()),
            None => hash::file(&self.path, self.slot.etag.proof())?,
        };
        if let Some(actual) = actual.filter(|actual| actual != expected) {
            self.fate = Fate::Wrong;
            let kind =
                if self.slot.etag.proof() == Proof::Sha256 { "SHA-256" } else { "git object id" };
            let message = format!(
                "the content's {kind} is {actual}, but the Hub announced {expected}; nothing was kept"
            );
            return Err(Error::new(ErrorKind::ChecksumMismatch, message));
        }
        self.file.sync_data().map_err(|source| Error::io("flush", &self.path, source))?;
        self.fate = Fate::Verified;
        Ok(Verified { path: self.path.clone(), size: self.written })
    }

    fn copy_from(&mut self, content: &mut File, stop: &dyn Fn() -> bool) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 20];
        loop {
            match content.read(&mut buffer)? {
                0 => return Ok(()),
                _ if stop() => return Ok(()),
                n => self.write(&buffer[..n]).map_err(io::Error::other)?,
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let useless = self.fate == Fate::Resumable && self.written == 0;
        if useless || self.fate == Fate::Wrong {
            // Only a stray file would remain.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Verified {
    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the content its name, atomically; whatever had the name before is replaced.
    ///
    /// False if the partial is gone: where locks do nothing, another process may have
    /// taken it for an orphan. Then the content is that process's to publish.
    pub fn publish(self, destination: &Path) -> Result<bool> {
        // The content is on disk already, so a crash loses at most the new name.
        match fs::rename(&self.path, destination) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.path.exists() => {
                Ok(false)
            }
            Err(error) => Err(Error::io("move the download to", destination, error)),
        }
    }
}

/// Whether a file may still have a writer: a live one touches it far more often.
fn is_fresh(modified: SystemTime) -> bool {
    const QUIET: Duration = Duration::from_mins(2);
    SystemTime::now().duration_since(modified).is_ok_and(|age| age < QUIET)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

    fn slot(dir: &Path, etag: &str, size: Option<u64>) -> Slot {
        Slot { dir: dir.to_owned(), stem: etag.to_owned(), etag: Etag::parse(etag).unwrap(), size }
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn becomes_visible_only_when_right() {
        let dir = tempfile::tempdir().unwrap();
        let blob = dir.path().join(HELLO);
        let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
        partial.write(b"hello\n").unwrap();
        assert!(!blob.exists());
        partial.finish().unwrap().publish(&blob).unwrap();
        assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
        assert_eq!(names(dir.path()), [HELLO]);
    }

    #[test]
    fn a_wrong_content_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for (size, content) in
            [(Some(6), b"hellO\n".as_slice()), (Some(7), b"hello\n"), (None, b"hello")]
        {
            let mut partial = Partial::create(slot(dir.path(), HELLO, size)).unwrap();
            partial.write(content).unwrap();
            assert_eq!(partial.finish().unwrap_err().kind(), ErrorKind::ChecksumMismatch);
        }
        let mut partial = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
        assert_eq!(partial.write(b"hello\n!").unwrap_err().kind(), ErrorKind::ChecksumMismatch);
        drop(partial);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn an_empty_file_is_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        let partial = Partial::create(slot(dir.path(), empty, Some(0))).unwrap();
        partial.finish().unwrap().publish(&dir.path().join(empty)).unwrap();
        assert_eq!(names(dir.path()), [empty]);
    }

    #[test]
    fn an_unknown_size_is_verified_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut partial = Partial::create(slot(dir.path(), HELLO, None)).unwrap();
        partial.write(b"hello\n").unwrap();
        assert_eq!(partial.finish().unwrap().size(), 6);
    }

    #[test]
    fn resumes_what_was_left_behind_in_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let mut dead = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
        dead.write(b"hel").unwrap();
        let mut still_open = dead.file.try_clone().unwrap();
        drop(dead);

        let slot = slot(dir.path(), HELLO, Some(6));
        assert_eq!(slot.resumable(), 3);
        let mut partial = Partial::resume(slot, true, &|| false).unwrap();
        assert_eq!(partial.written(), 3);
        // The dead one was only paused, wakes up and scribbles.
        still_open.write_all(b"???").unwrap();
        partial.write(b"lo\n").unwrap();
        let verified = partial.finish().unwrap();
        assert_eq!(fs::read(&verified.path).unwrap(), b"hello\n");
        assert_eq!(names(dir.path()).len(), 1, "the claimed partial is gone");
    }

    #[test]
    fn leaves_a_partial_alone_that_may_have_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let mut live = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
        live.write(b"hel").unwrap();
        let other = Partial::resume(slot(dir.path(), HELLO, Some(6)), false, &|| false).unwrap();
        assert_eq!(other.written(), 0);
        drop(other);
        live.write(b"lo\n").unwrap();
        assert!(live.finish().unwrap().publish(&dir.path().join(HELLO)).unwrap());
    }

    #[test]
    fn a_partial_that_was_taken_is_not_published() {
        let dir = tempfile::tempdir().unwrap();
        let mut robbed = Partial::create(slot(dir.path(), HELLO, Some(6))).unwrap();
        robbed.write(b"hello\n").unwrap();
        let thief = Partial::resume(slot(dir.path(), HELLO, Some(6)), true, &|| false).unwrap();
        let blob = dir.path().join(HELLO);
        assert!(!robbed.finish().unwrap().publish(&blob).unwrap());
        assert!(thief.finish().unwrap().publish(&blob).unwrap());
        assert_eq!(fs::read(&blob).unwrap(), b"hello\n");
    }

    #[test]
    #[cfg(unix)]
    fn goes_on_without_what_cannot_be_had() {
        let dir = tempfile::tempdir().unwrap();
        // A folder of that name cannot be read as a file, nor a link into nowhere.
        std::os::unix::fs::symlink(
            "nowhere",
            dir.path().join(format!("{HELLO}.00000003.incomplete")),
        )
        .unwrap();
        let partial = Partial::resume(slot(dir.path(), HELLO, Some(6)), true, &|| false).unwrap();
        assert_eq!(partial.written(), 0);
    }

    #[test]
    fn ignores_partials_that_cannot_be_a_prefix() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{HELLO}.00000001.incomplete")), b"far too long")
            .unwrap();
        fs::write(dir.path().join(format!("{HELLO}.incomplete")), b"hel").unwrap();
        fs::create_dir(dir.path().join(format!("{HELLO}.00000002.incomplete"))).unwrap();
        assert_eq!(slot(dir.path(), HELLO, Some(6)).resumable(), 0);
    }
}
