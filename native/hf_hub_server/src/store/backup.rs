//! Copies a root while servers use it.
//!
//! The database is copied first. So the files are as new as it or newer, which later starts expect:
//! repositories are read again, and files without a row are not visible.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use walkdir::{DirEntry, WalkDir};

use super::disk::{self, Lock};
use super::lfs::LfsStore;
use super::oid::is_oid;
use super::{RepoKey, RepoKind, Store, first_commit, repo};

/// Entries of a root that are copied apart, or belong to running requests.
const APART: [&str; 6] =
    ["repos", "hub.db", "hub.db-wal", "hub.db-shm", "lfs/incoming", "jobs/work"];
const UPLOADS: &str = "lfs/uploads";

impl Store {
    /// Copies everything to a folder that does not exist yet, or is empty.
    pub(crate) fn back_up(&self, target: &Path) -> Result<()> {
        fs::create_dir_all(target)
            .with_context(|| format!("cannot create {}", target.display()))?;
        let target = target.canonicalize()?;
        if target.starts_with(&self.root) {
            bail!("{} is inside the root", target.display());
        }
        if fs::read_dir(&target)?.next().is_some() {
            bail!("{} is not empty", target.display());
        }
        self.db.copy_to(&target.join("hub.db"))?;
        self.copy_files(&target)?;
        let copy = Self::open(&target)?;
        for kind in RepoKind::ALL {
            for (id, _) in copy.list(kind)? {
                let key = RepoKey::new(kind, id);
                self.copy_repo(&key, &copy).with_context(|| format!("cannot copy {key}"))?;
            }
        }
        disk::sync_folder(&target)
    }

    fn copy_files(&self, target: &Path) -> Result<()> {
        let is_wanted = |entry: &DirEntry| {
            let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            !is_lock(entry)
                && path != Path::new(UPLOADS)
                && !APART.iter().any(|name| path == Path::new(name))
        };
        for entry in WalkDir::new(&self.root).into_iter().filter_entry(is_wanted) {
            let Some(entry) = present(entry)? else { continue };
            copy(&entry, &target.join(entry.path().strip_prefix(&self.root)?))?;
        }
        Ok(())
    }

    /// Copies the files of a repository in one state; a repository that was deleted meanwhile is
    /// deleted from the copy.
    fn copy_repo(&self, key: &RepoKey, copy: &Self) -> Result<()> {
        let Some(now) = self.follow(key)? else { return copy.forget(key) };
        let _lock = Lock::acquire(&self.lock_path(&now.key))?;
        let (from, to) = (self.git_dir(&now.key), copy.git_dir(key));
        if !from.is_dir() {
            return copy.forget(key);
        }
        disk::create_parent(&to)?;
        for entry in WalkDir::new(&from).into_iter().filter_entry(|entry| !is_lock(entry)) {
            let Some(entry) = present(entry)? else { continue };
            let place = to.join(entry.path().strip_prefix(&from)?);
            match large_file(&entry) {
                Some(oid) => copy_holding(&self.lfs(), &copy.lfs(), oid, &place)?,
                None => self::copy(&entry, &place)?,
            }
        }
        Ok(())
    }

    /// Removes a repository without files, unless they are still in the database.
    fn forget(&self, key: &RepoKey) -> Result<()> {
        self.db.write(|tx| {
            let Some((row, _)) = repo::load(tx, key)? else { return Ok(()) };
            if !first_commit::is_waiting(tx, row)? {
                repo::delete(tx, row)?;
            }
            Ok(())
        })
    }
}

/// Returns the id of a large file whose entry in a repository this is.
fn large_file(entry: &DirEntry) -> Option<&str> {
    let name = entry.file_name().to_str().filter(|name| is_oid(name))?;
    let is_held = entry.path().components().any(|part| part.as_os_str() == "lfs");
    (is_held && entry.file_type().is_file()).then_some(name)
}

/// The entry is a link to content that the copy has, too, unless it has arrived just now.
fn copy_holding(from: &LfsStore, to: &LfsStore, oid: &str, place: &Path) -> Result<()> {
    let (original, content) = (from.path(oid), to.path(oid));
    disk::create_parent(place)?;
    if !content.is_file() {
        disk::create_parent(&content)?;
        match fs::copy(original, &content) {
            // It is in Xet storage, or its repository has the entry of a failed upload.
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(fs::write(place, "")?),
            copied => drop(copied.context("cannot copy a large file")?),
        }
    }
    fs::hard_link(&content, place).or_else(|_| fs::write(place, ""))?;
    Ok(())
}

fn is_lock(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().ends_with(".lock")
}

/// Returns an entry, unless it was removed meanwhile.
fn present(entry: walkdir::Result<DirEntry>) -> Result<Option<DirEntry>> {
    match entry {
        Err(err) if err.io_error().is_some_and(|err| err.kind() == io::ErrorKind::NotFound) => {
            Ok(None)
        }
        entry => Ok(Some(entry?)),
    }
}

fn copy(entry: &DirEntry, to: &Path) -> Result<()> {
    if entry.file_type().is_dir() {
        return Ok(fs::create_dir_all(to)?);
    }
    if !entry.file_type().is_file() {
        return Ok(());
    }
    match fs::copy(entry.path(), to) {
        // Temporary files come and go.
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => {
            copied.map(drop).with_context(|| format!("cannot copy {}", entry.path().display()))
        }
    }
}
