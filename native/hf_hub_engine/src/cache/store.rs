//! The store that the reference shares contents between repositories with: `blobs/<2 hex>/<64 hex>`.
//!
//! Links into it are read like any other; nothing is ever added here. A content goes only
//! when its manifest can be read and none of the links it names is there any more:
//! where anything is unclear, it stays.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    base::{
        disk::is_absence,
        lock::{self, Lock},
    },
    cache::{
        layout::{CacheDir, StoreDir, normalize},
        maintenance::is_real_folder,
    },
};

/// How long another process may hold the lock of a content before it is left alone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A shared store that carries its marker.
#[derive(Debug)]
pub struct Store(StoreDir);

impl Store {
    /// The store of a cache, if it has one that may be touched.
    pub fn open(cache: &CacheDir) -> Option<Self> {
        let store = cache.store();
        let real = fs::symlink_metadata(store.path()).is_ok_and(|found| found.is_dir());
        let marked = is_regular(&store.marker())
            && fs::read(store.marker()).is_ok_and(|text| text == b"1\n");
        (real && marked).then_some(Self(store))
    }

    /// All contents in the store with their sizes, sorted by path.
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

    /// The content that a repository's blob links to, if it does and that is there.
    pub fn target(&self, blob: &Path) -> Option<PathBuf> {
        self.link(blob).ok().flatten().filter(|target| is_ours(target))
    }

    /// Contents that nobody links to any more, as far as their manifests can tell.
    pub fn unreferenced(&self) -> Vec<(PathBuf, u64)> {
        let unused =
            |payload: &Path| self.references(payload).is_some_and(|found| found.is_empty());
        self.payloads().into_iter().filter(|(payload, _)| unused(payload)).collect()
    }

    /// Bytes that go when the links in `gone` go: none unless those are all there are.
    pub fn freed_by(&self, payload: &Path, gone: &HashSet<&Path>) -> u64 {
        let all = self.references(payload).is_some_and(|links| {
            !links.is_empty() && links.iter().all(|link| gone.contains(link.as_path()))
        });
        if all { size(payload) } else { 0 }
    }

    /// Removes a content that nobody links to any more, and says how many bytes went.
    pub fn sweep(&self, payload: &Path) -> u64 {
        let Some(_lock) = wait(&StoreDir::lock(payload)) else { return 0 };
        let Some(references) = self.references(payload) else { return 0 };
        if !references.is_empty() {
            // A manifest that cannot be shortened is only longer than it need be.
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

    /// The links that a content's manifest names and that are there; `None` where nobody can tell.
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

    /// Where in the store a blob leads; an error where that cannot be known.
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
        share(&manifest);
        Ok(())
    }
}

/// The lock of a content; `None` where it is no file, or somebody holds it for too long.
fn wait(path: &Path) -> Option<Lock> {
    const STEP: Duration = Duration::from_millis(20);
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => return None,
        Err(error) if !is_absence(&error) => return None,
        _ => {}
    }
    for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
        if let Some(lock) = lock::try_acquire(path).ok()? {
            return Some(lock);
        }
        std::thread::sleep(STEP);
    }
    None
}

/// A content that lies in the store itself, not behind a link somebody has put there.
fn is_ours(payload: &Path) -> bool {
    is_regular(payload) && payload.parent().is_some_and(is_real_folder)
}

fn is_regular(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
}

/// Any user of a shared cache may add a line, as the reference has it.
#[cfg(unix)]
fn share(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(file, fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn share(_file: &Path) {}
