//! Adds blobs to the store, and links to them, in the steps of the Python client: the manifest names
//! a link before it exists, and a failure leaves the repository's blob as it is.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    base::{
        disk,
        error::Error,
        etag::{Etag, Proof},
        hash, hex,
    },
    cache::{
        layout::{CacheDir, StoreDir},
        maintenance::is_real_folder,
        store::{Store, is_regular, modes, wait},
    },
};

/// The text of the marker: the version of the layout.
pub(super) const VERSION: &[u8] = b"1\n";

/// Number of attempts to create a store, while others do the same.
const ATTEMPTS: usize = 3;

/// Age from which a marker without its name is a leftover.
const ABANDONED: Duration = Duration::from_mins(1);

/// A file that may be in the store.
#[derive(Clone, Copy, Debug)]
pub struct Shareable<'a> {
    /// The repository's blob.
    pub blob: &'a Path,
    /// Its Xet hash.
    pub hash: &'a str,
    /// Its etag, which has a SHA-256.
    pub etag: &'a Etag,
    /// Its size in bytes.
    pub size: u64,
}

impl Shareable<'_> {
    fn is_named_by_its_hash(&self) -> bool {
        let name = self.blob.file_name().and_then(|name| name.to_str());
        let mut sums = self.etag.checksums().iter().filter(|it| it.proof() == Proof::Sha256);
        sums.any(|sum| name == Some(sum.hex()))
    }
}

/// Content of the store that was hashed, and is still the same file as then.
struct Hashed {
    payload: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

impl Store {
    /// Opens the store of a cache like [`Self::open`], or creates it. Returns `None` if there is
    /// something else in its place, or it cannot be written.
    pub fn create(cache: &CacheDir) -> Option<Self> {
        (0..ATTEMPTS).find_map(|_| {
            // Fails if the Python client has removed our marker, which it takes for a leftover. Then
            // it is about to write its own.
            Self::open(cache).or_else(|| {
                mark(&cache.store(), cache.path()).ok()?;
                Self::open(cache)
            })
        })
    }

    /// Returns a blob of this hash and size that can be read.
    pub fn find(&self, hash: &str, size: u64) -> Option<PathBuf> {
        let payload = self.0.entry(hash)?;
        let found = fs::symlink_metadata(&payload).ok()?;
        let fits =
            found.is_file() && found.len() == size && payload.parent().is_some_and(is_real_folder);
        (fits && fs::File::open(&payload).is_ok()).then_some(payload)
    }

    /// Replaces the repository's blob by a link to the store, if the store has the content. Reads
    /// it all, because the hash in its name proves nothing. `stop` is polled meanwhile.
    pub fn reuse(&self, file: Shareable<'_>, stop: &dyn Fn() -> bool) -> bool {
        let Some(line) = self.0.line(file.blob) else { return false };
        let Some(hashed) = self.hashed(file, stop) else { return false };
        let linked = || {
            let Some(_lock) = wait(&StoreDir::lock(&hashed.payload)) else { return Ok(false) };
            if !hashed.is_unchanged() {
                return Ok(false);
            }
            let pointer = Link::prepare(file.blob, &hashed.payload)?;
            name(&hashed.payload, &line)?;
            pointer.publish().map(|()| true)
        };
        linked().unwrap_or(false)
    }

    /// Moves the repository's blob, which was verified, to the store, and leaves a link to it.
    /// Content that the store already has is linked if it is right, and replaced only if `replace`.
    pub fn share(&self, file: Shareable<'_>, replace: bool) -> Result<bool, Error> {
        if !replace && self.find(file.hash, file.size).is_some() {
            // Another process was faster, or the store has other content, which is not touched:
            // other repositories use it.
            return Ok(self.reuse(file, &|| false));
        }
        let (Some(line), Some(payload)) = (self.0.line(file.blob), self.0.entry(file.hash)) else {
            return Ok(false);
        };
        if !file.is_named_by_its_hash() {
            return Ok(false);
        }
        match self.move_in(file.blob, &payload, &line, replace) {
            Ok(done) => Ok(done),
            Err(_) if fs::symlink_metadata(file.blob).is_ok() => Ok(false),
            Err(source) => Err(Error::io("restore", file.blob, source)),
        }
    }

    fn move_in(&self, blob: &Path, payload: &Path, line: &str, replace: bool) -> io::Result<bool> {
        let folder = self.prefix(payload)?;
        let Some(_lock) = wait(&StoreDir::lock(payload)) else { return Ok(false) };
        let taken = fs::symlink_metadata(payload).is_ok_and(|found| found.is_file());
        if taken && !replace && fs::metadata(payload)?.len() == fs::metadata(blob)?.len() {
            return Ok(false); // Published since; its content is unknown.
        }
        if taken && !self.is_replaceable(payload, blob) {
            return Ok(false);
        }
        let pointer = Link::prepare(blob, payload)?;
        name(payload, line)?;
        modes::hand_over(blob, &folder, self.0.root())?;
        fs::rename(blob, payload)?;
        let Err(error) = pointer.publish() else { return Ok(true) };
        // While the lock keeps others from removing it.
        disk::copy_beside(payload, blob).map(|()| false).map_err(|_| error)
    }

    /// Whether all links to content of the store are blobs of the same SHA-256: a mirror may
    /// announce a Xet hash for something else.
    fn is_replaceable(&self, payload: &Path, blob: &Path) -> bool {
        let links = self.references(payload);
        links.is_some_and(|links| links.iter().all(|link| link.file_name() == blob.file_name()))
    }

    /// Returns the folder of a blob, which is created if it is missing.
    fn prefix(&self, payload: &Path) -> io::Result<PathBuf> {
        let folder = payload.parent().unwrap_or(payload);
        create_folder(folder)?;
        if !is_real_folder(folder) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        modes::like_root(folder, self.0.root())?;
        Ok(folder.to_owned())
    }

    fn hashed(&self, file: Shareable<'_>, stop: &dyn Fn() -> bool) -> Option<Hashed> {
        let payload = self.find(file.hash, file.size)?;
        let modified = modified(&payload);
        let sum = hash::file_until(&payload, Proof::Sha256, stop).ok()??;
        let is_right =
            file.etag.checksums().iter().any(|it| it.proof() == Proof::Sha256 && it.hex() == sum);
        is_right.then_some(Hashed { payload, size: file.size, modified })
    }
}

impl Hashed {
    fn is_unchanged(&self) -> bool {
        let size = fs::symlink_metadata(&self.payload).ok().filter(fs::Metadata::is_file);
        size.is_some_and(|found| found.len() == self.size)
            && modified(&self.payload) == self.modified
    }
}

/// A link beside a repository's blob, which takes its place when it is published.
struct Link<'a> {
    blob: &'a Path,
    temporary: PathBuf,
}

impl<'a> Link<'a> {
    fn prepare(blob: &'a Path, payload: &Path) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let name = blob.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
        let folder = payload.ancestors().nth(2).ok_or_else(invalid)?;
        let store = folder.parent().ok_or_else(invalid)?;
        let below = payload.strip_prefix(store).map_err(|_| invalid())?;
        let target = Path::new("..").join("..").join(below);
        let temporary = blob.with_file_name(format!(".{name}.{:08x}.shared", fastrand::u32(..)));
        disk::in_folder(&temporary, || disk::symlink(&target, &temporary))?;
        let link = Self { blob, temporary };
        // Elsewhere if the repository's folder is behind a link.
        let outside = link.temporary.with_file_name("..").join("..");
        let reached = outside.join(folder.file_name().ok_or_else(invalid)?);
        if fs::canonicalize(reached)? != fs::canonicalize(folder)? {
            return Err(invalid());
        }
        Ok(link)
    }

    fn publish(self) -> io::Result<()> {
        fs::rename(&self.temporary, self.blob)
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        // It is gone if it was published.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Adds a line to the manifest and flushes it to disk.
fn name(payload: &Path, line: &str) -> io::Result<()> {
    let manifest = StoreDir::manifest(payload);
    let mut file = disk::open_plain(&manifest, fs::OpenOptions::new().append(true).create(true))?;
    modes::writable(&file);
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

/// Creates the folder of the store with its marker, unless it has other content.
fn mark(store: &StoreDir, root: &Path) -> io::Result<()> {
    create_folder(store.path())?;
    if !is_real_folder(store.path()) {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    clear(store)?;
    modes::like_root(store.path(), root)?;
    let marker = store.marker();
    let temporary = disk::sibling(&marker, "tmp");
    let placed = fs::write(&temporary, VERSION)
        .and_then(|()| modes::read_only(&temporary, root))
        .and_then(|()| fs::rename(&temporary, &marker));
    placed.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Removes markers that were never renamed, but not those that another process is about to rename.
/// Fails if there is anything else.
fn clear(store: &StoreDir) -> io::Result<()> {
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(store.path())? {
        let path = entry?.path();
        let text = if is_regular(&path) { fs::read(&path) } else { Ok(Vec::new()) };
        let is_leftover = is_temporary_marker(&path, store)
            && text.as_ref().is_ok_and(|text| VERSION.starts_with(text));
        // Renamed since the folder was listed.
        let is_gone = fs::symlink_metadata(&path).is_err();
        let is_marker = path == store.marker() && text.is_ok_and(|text| text == VERSION);
        if !is_leftover && !is_gone && !is_marker {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        if is_leftover && modified(&path).is_some_and(|written| is_older(written, ABANDONED)) {
            leftovers.push(path);
        }
    }
    leftovers.iter().try_for_each(fs::remove_file)
}

fn is_temporary_marker(path: &Path, store: &StoreDir) -> bool {
    let (name, marker) = (path.file_name().and_then(|name| name.to_str()), store.marker());
    let marker = marker.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let random =
        name.and_then(|name| name.strip_prefix(marker)?.strip_prefix('.')?.strip_suffix(".tmp"));
    random.is_some_and(|random| hex::is(random, 8))
}

fn is_older(time: SystemTime, age: Duration) -> bool {
    SystemTime::now().duration_since(time).is_ok_and(|passed| passed > age)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::symlink_metadata(path).and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests;
