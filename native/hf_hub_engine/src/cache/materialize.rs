//! Creates a plain folder with the files of a cached revision: shared with the cache where the file
//! system supports it, otherwise copied.
//!
//! Nothing is written through a link in the folder, and each file appears complete.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    base::{
        disk,
        error::{Error, ErrorKind, Result},
        hint::Hint,
        ids::{EntryPath, Repo, Revision},
        input, output, sizes, thread_pool,
    },
    cache::{
        inventory::Inventory, layout::CacheDir, lease::Lease, maintenance::is_real_folder,
        symlink_guard::Bounds,
    },
};

/// How a file of the folder is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A reflink where the file system supports it, otherwise a copy.
    Auto,
    /// A hard link: writing to it modifies the cache.
    HardLink,
    /// A copy that shares its blocks until one of them is written to.
    Reflink,
    /// A copy.
    Copy,
}

/// Which folder to make, and of what.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The folder, which must be new, empty, or with `overwrite` anything.
    #[serde(deserialize_with = "input::path")]
    pub destination: PathBuf,
    /// How its files come to be.
    pub method: Method,
    /// Whether files of the same names are replaced.
    pub overwrite: bool,
}

/// What was created.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The folder.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// Number of files.
    pub files: usize,
    /// Total size in bytes.
    pub bytes: u64,
    /// Number of hard links.
    pub hard_linked: usize,
    /// Number of reflinks.
    pub reflinked: usize,
    /// Number of copies.
    pub copied: usize,
}

/// Fills the folder with the files of the leased snapshot.
pub fn run(
    cache: &CacheDir,
    spec: &Spec,
    lease: &Lease,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Report> {
    let Spec { repo, destination, method, overwrite, .. } = spec;
    let inventory = Inventory::read(&cache.repo(repo));
    let found =
        inventory.revisions.iter().find(|revision| revision.commit == lease.commit().as_str());
    let files = found.map(|revision| revision.files.as_slice()).unwrap_or_default();
    refuse_missing(files.iter().filter(|file| inventory.blob(&file.blob).is_none()).map(|file| {
        file.path.strip_prefix(lease.path()).unwrap_or(&file.path).to_string_lossy().into_owned()
    }))?;
    let bounds = Bounds::of(&cache.repo(repo));
    let sources = thread_pool::run(None, || {
        files.par_iter().map(|file| bounds.file(&file.path)).collect::<Result<Vec<_>>>()
    })??;
    prepare(destination, *overwrite)?;
    let done = thread_pool::run(None, || {
        let made = files.par_iter().zip(&sources).map(|(file, real)| {
            if stop() {
                return Err(Error::new(ErrorKind::Cancelled, "materializing was cancelled"));
            }
            let name = file.path.strip_prefix(lease.path()).unwrap_or(&file.path);
            let name =
                EntryPath::parse(&name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"))?;
            let to = place(destination, &name)?;
            make(real, &to, *method).map_err(|source| refused(&to, *method, source))
        });
        made.collect::<Result<Vec<_>>>()
    })??;
    let count = |method| done.iter().filter(|(made, _)| *made == method).count();
    Ok(Report {
        path: destination.to_owned(),
        files: done.len(),
        bytes: done.iter().map(|(_, size)| size).sum(),
        hard_linked: count(Method::HardLink),
        reflinked: count(Method::Reflink),
        copied: count(Method::Copy),
    })
}

fn refuse_missing(missing: impl Iterator<Item = String>) -> Result<()> {
    let names: Vec<String> = missing.collect();
    if names.is_empty() {
        return Ok(());
    }
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let lacking = sizes::counted(names.len() as u64, "files");
    let message = format!("the cached snapshot lacks {lacking} ({shown}); download it again");
    Err(Error::new(ErrorKind::NotCached, message))
}

fn prepare(destination: &Path, overwrite: bool) -> Result<()> {
    fs::create_dir_all(destination)
        .map_err(|source| Error::io("create the folder", destination, source))?;
    let mut entries =
        fs::read_dir(destination).map_err(|source| Error::io("read", destination, source))?;
    if overwrite || entries.next().is_none() {
        return Ok(());
    }
    let message = format!("`{}` is not empty", destination.display());
    Err(Error::new(ErrorKind::Conflict, message).with_hints([Hint::Overwrite]))
}

/// Returns where a file goes. Creates its parent folders, which must not be links.
fn place(destination: &Path, name: &EntryPath) -> Result<PathBuf> {
    let mut at = destination.to_owned();
    let mut parts = name.segments().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        if parts.peek().is_none() {
            break;
        }
        match fs::create_dir(&at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create the folder", &at, error));
            }
            _ if is_real_folder(&at) => {}
            _ => {
                let message = format!("`{}` is not a folder, or is a symbolic link", at.display());
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
    }
    Ok(at)
}

/// Creates the file under a temporary name and renames it; returns the method used, and the size.
fn make(from: &Path, to: &Path, method: Method) -> io::Result<(Method, u64)> {
    let temporary = disk::sibling(to, "tmp");
    let made = match method {
        Method::HardLink => fs::hard_link(from, &temporary).map(|()| Method::HardLink),
        Method::Reflink => reflink_copy::reflink(from, &temporary).map(|()| Method::Reflink),
        Method::Copy => copy(from, &temporary),
        Method::Auto => match reflink_copy::reflink(from, &temporary) {
            Ok(()) => Ok(Method::Reflink),
            Err(_) => copy(from, &temporary),
        },
    };
    let done = made.and_then(|made| {
        if made != Method::HardLink {
            let_owner_write(&temporary)?;
        }
        let size = fs::metadata(&temporary)?.len();
        // Renaming one hard link over another of the same file does nothing and keeps both.
        fs::rename(&temporary, to)?;
        let _ = fs::remove_file(&temporary);
        Ok((made, size))
    });
    done.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn refused(to: &Path, method: Method, source: io::Error) -> Error {
    let cannot =
        matches!(source.kind(), io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported);
    if cannot && matches!(method, Method::HardLink | Method::Reflink) {
        let message = format!("`{}` cannot share the disk's blocks with the cache", to.display());
        let error = Error::new(ErrorKind::Io, message).with_source(source);
        return error.with_hints([Hint::CopyInstead]);
    }
    Error::io("create", to, source)
}

fn copy(from: &Path, to: &Path) -> io::Result<Method> {
    fs::copy(from, to).map(|_| Method::Copy)
}

/// Makes a file writable: blobs of the shared store are read-only, but a user's copy need not be.
#[cfg(unix)]
fn let_owner_write(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(file)?.permissions().mode();
    fs::set_permissions(file, fs::Permissions::from_mode(mode | 0o200))
}

#[cfg(not(unix))]
fn let_owner_write(_file: &Path) -> io::Result<()> {
    Ok(())
}
