//! Decides whether a folder of a cache may be written to, or was replaced by another user's link,
//! and which files belong to the cache.
//!
//! Users put links into their own cache, to keep a large repository on another disk, and expect
//! them to be followed. In a cache that several users write to, a link may belong to another user,
//! who could redirect files. So writing follows only links of the cache's owner and of root.
//! Removing follows no links, see [`super::maintenance`]. Only regular files of the cache are
//! copied out of it: through another user's link, a process of root would copy what that user may
//! not read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    base::error::{Error, ErrorKind, Result},
    cache::{layout::RepoDir, maintenance::through_a_link},
};

/// The folders that may contain files of a repository in a cache.
pub(crate) struct Bounds(Vec<PathBuf>);

impl Bounds {
    /// Returns the cache's folder, and the parts of the repository that its owner keeps elsewhere
    /// by links.
    pub(crate) fn of(repo: &RepoDir) -> Self {
        let root = repo.path().parent().unwrap_or(repo.path());
        let parts = [root.to_owned(), repo.path().to_owned(), repo.blobs(), repo.snapshots()];
        let own = parts.iter().filter(|part| way(repo, part).is_ok());
        Self(own.filter_map(|part| fs::canonicalize(part).ok()).collect())
    }

    /// Returns the regular file behind a path of the cache, without any link; fails if it is not
    /// one, or is outside.
    pub(crate) fn file(&self, path: &Path) -> Result<PathBuf> {
        let wrap = |source| Error::io("read", path, source);
        let real = fs::canonicalize(path).map_err(wrap)?;
        if !self.0.iter().any(|folder| real.starts_with(folder)) {
            let message = format!(
                "`{}` is a link out of the cache, to `{}`; remove it and download the file again",
                path.display(),
                real.display()
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if !fs::metadata(&real).map_err(wrap)?.is_file() {
            let message = format!(
                "`{}` is not a regular file; remove it and download the file again",
                path.display()
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(real)
    }
}

/// Returns an error if a part of the path from a repository's folder to `folder` is a link of
/// another user.
pub(crate) fn way(repo: &RepoDir, folder: &Path) -> Result<()> {
    check(repo.path().parent().unwrap_or(repo.path()), folder)
}

fn check(root: &Path, folder: &Path) -> Result<()> {
    let Ok(below) = folder.strip_prefix(root) else { return Ok(()) };
    let mut at = root.to_owned();
    for part in below {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() && !is_trusted(root, &found) => {
                return Err(through_a_link(&at));
            }
            Ok(_) => {}
            // A missing folder is about to be created.
            Err(_) => break,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_trusted(root: &Path, link: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    link.uid() == 0 || fs::metadata(root).is_ok_and(|root| root.uid() == link.uid())
}

/// On Windows, creating a link requires a privilege.
#[cfg(not(unix))]
fn is_trusted(_root: &Path, _link: &fs::Metadata) -> bool {
    true
}
