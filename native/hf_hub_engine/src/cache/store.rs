//! The store of blobs that repositories share, in the layout of the Python client: `blobs/<2
//! hex>/<Xet hash>`.
//!
//! Links into it are read like any other; [`sharing`] adds them. A blob is removed only if its
//! manifest can be read and none of the links it names exists any more. If anything is unclear, it
//! stays.

mod modes;
mod sharing;

pub use sharing::Shareable;

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    base::{
        disk::{is_absence, open_plain},
        lock::{self, Lock},
    },
    cache::{
        layout::{CacheDir, StoreDir, normalize},
        maintenance::is_real_folder,
    },
};

/// Maximum time to wait for the lock of a blob before it is skipped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A shared store that has its marker file.
#[derive(Debug)]
pub struct Store(StoreDir);

impl Store {
    /// Opens the store of a cache, if there is one that may be modified.
    pub fn open(cache: &CacheDir) -> Option<Self> {
        let store = cache.store();
        let real = fs::symlink_metadata(store.path()).is_ok_and(|found| found.is_dir());
        let marked = is_regular(&store.marker())
            && fs::read(store.marker()).is_ok_and(|text| text == sharing::VERSION);
        (real && marked).then_some(Self(store))
    }

    /// Returns all blobs in the store with their sizes, sorted by path.
    pub fn payloads(&self) -> Vec<(PathBuf, u64)> {
        let prefixes = fs::read_dir(self.0.path()).into_iter().flatten().flatten();
        let mut found: Vec<_> = prefixes
            .filter(|prefix| prefix.file_type().is_ok_and(|kind| kind.is_dir()))
            .flat_map(|prefix| fs::read_dir(prefix.path()).into_iter().flatten().flatten())
            .filter_map(|entry| {
                let path = self.0.payload(&entry.path())?;
                let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((path, metadata.len()))
            })
            .collect();
        found.sort();
        found
    }

    /// Returns the existing blob in the store that a repository's blob links to.
    pub fn target(&self, blob: &Path) -> Option<PathBuf> {
        self.link(blob).ok().flatten().filter(|target| is_ours(target))
    }

    /// Returns blobs without any link, as far as their manifests show.
    pub fn unreferenced(&self) -> Vec<(PathBuf, u64)> {
        let unused =
            |payload: &Path| self.references(payload).is_some_and(|found| found.is_empty());
        self.payloads().into_iter().filter(|(payload, _)| unused(payload)).collect()
    }

    /// Returns how many bytes are freed by removing the links in `gone`: 0 unless those are all
    /// links.
    pub fn freed_by(&self, payload: &Path, gone: &HashSet<&Path>) -> u64 {
        let all = self.references(payload).is_some_and(|links| {
            !links.is_empty() && links.iter().all(|link| gone.contains(link.as_path()))
        });
        if all { size(payload) } else { 0 }
    }

    /// Removes a blob without any link, and returns how many bytes were freed.
    pub fn sweep(&self, payload: &Path) -> u64 {
        let Some(_lock) = wait(&StoreDir::lock(payload)) else { return 0 };
        let Some(references) = self.references(payload) else { return 0 };
        if !references.is_empty() {
            // A manifest that cannot be rewritten is merely longer than necessary.
            let _ = self.rewrite(payload, &references);
            return 0;
        }
        let freed = size(payload);
        if !is_ours(payload) || fs::remove_file(payload).is_err() {
            return 0;
        }
        let _ = fs::remove_file(StoreDir::manifest(payload));
        freed
    }

    /// Returns the existing links that a blob's manifest names; `None` if that is unknown.
    fn references(&self, payload: &Path) -> Option<BTreeSet<PathBuf>> {
        let manifest = StoreDir::manifest(payload);
        let text = is_regular(&manifest).then(|| fs::read_to_string(&manifest).ok())??;
        let mut found = BTreeSet::new();
        for blob in text.lines().filter_map(|line| self.0.named(line)) {
            if self.link(&blob).ok()?.as_deref() == Some(payload) {
                found.insert(blob);
            }
        }
        Some(found)
    }

    /// Returns the target of a blob in the store; an error if it is unknown.
    fn link(&self, blob: &Path) -> io::Result<Option<PathBuf>> {
        if self.0.line(blob).is_none() {
            return Ok(None);
        }
        match fs::symlink_metadata(blob) {
            Ok(metadata) if metadata.is_symlink() => {}
            Ok(_) => return Ok(None),
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let target = fs::read_link(blob)?;
        Ok(self.0.payload(&normalize(&blob.parent().unwrap_or(blob).join(target))))
    }

    fn rewrite(
        &self,
        payload: &Path,
        references: &BTreeSet<PathBuf>,
    ) -> crate::base::error::Result<()> {
        let lines: String = references
            .iter()
            .filter_map(|blob| self.0.line(blob))
            .map(|line| line + "\n")
            .collect();
        let manifest = StoreDir::manifest(payload);
        if is_regular(&manifest) && fs::read_to_string(&manifest).is_ok_and(|text| text == lines) {
            return Ok(());
        }
        crate::base::disk::write_atomically(&manifest, lines.as_bytes())?;
        if let Ok(file) = open_plain(&manifest, fs::OpenOptions::new().read(true)) {
            modes::writable(&file);
        }
        Ok(())
    }
}

/// Waits for the lock of a blob; `None` if it is not a regular file, is held for too long, or
/// has no effect: a blob could be removed while another process links it.
fn wait(path: &Path) -> Option<Lock> {
    const STEP: Duration = Duration::from_millis(20);
    for _ in 0..LOCK_TIMEOUT.as_millis() / STEP.as_millis() {
        if let Some(lock) = lock::try_acquire(path).ok()? {
            lock.open_to_all();
            return lock.excludes().then_some(lock);
        }
        std::thread::sleep(STEP);
    }
    None
}

/// Whether a blob is in the store itself, not behind a link of another user.
fn is_ours(payload: &Path) -> bool {
    is_regular(payload) && payload.parent().is_some_and(is_real_folder)
}

fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
}
