//! Whether a folder of a cache may be written to, or somebody else has turned it into a link, and what counts as a
//! file of the cache.
//!
//! Users put links into their own cache, to have a large repository on another disk, and expect
//! them to be followed. In a cache that several users write to, a link may be another's, who
//! would choose where our files land. So writing follows the links of whoever owns the cache, and
//! of root. Removing follows none, see [`super::maintenance`]. What is copied out of a cache is a regular file in it:
//! through another user's link, a process of root would copy what that user may not read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    base::error::{Error, ErrorKind, Result},
    cache::{layout::RepoDir, maintenance::through_a_link},
};

/// The folders whose files are those of a repository's cache.
pub(crate) struct Bounds(Vec<PathBuf>);

impl Bounds {
    /// The cache's folder, and the parts of the repository that its owner keeps elsewhere by links.
    pub(crate) fn of(repo: &RepoDir) -> Self {
        let root = repo.path().parent().unwrap_or(repo.path());
        let parts = [root.to_owned(), repo.path().to_owned(), repo.blobs(), repo.snapshots()];
        let own = parts.iter().filter(|part| way(repo, part).is_ok());
        Self(own.filter_map(|part| fs::canonicalize(part).ok()).collect())
    }

    /// The regular file behind a path of the cache, without any link; an error if it is none or lies elsewhere.
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

/// Refuses if a part of the way from a repository's cache to `folder` is a link that somebody else has made.
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
            // What is not there is about to be made.
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

/// Making a link takes a privilege there.
#[cfg(not(unix))]
fn is_trusted(_root: &Path, _link: &fs::Metadata) -> bool {
    true
}
