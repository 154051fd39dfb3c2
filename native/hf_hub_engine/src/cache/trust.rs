//! Whether a folder of a cache may be written to, or somebody else has turned it into a link.
//!
//! Users put links into their own cache, to have a large repository on another disk, and expect
//! them to be followed. In a cache that several users write to, a link may be another's, who
//! would choose where our files land. So writing follows the links of whoever owns the cache, and
//! of root. Removing follows none, see [`super::maintenance`].

use std::{fs, path::Path};

use crate::{
    cache::{layout::RepoDir, maintenance::through_a_link},
    error::Result,
};

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
