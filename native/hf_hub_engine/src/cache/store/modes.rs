//! Permissions in the store: those of the cache's folder, and for blobs only those to read.

use std::{fs, io, path::Path};

/// Gives a folder of the store the permissions of the cache's folder.
#[cfg(unix)]
pub(super) fn like_root(folder: &Path, root: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Access, and what new files inherit.
    const KEPT: u32 = 0o777 | 0o2000 | 0o1000;
    let wanted = fs::metadata(root)?.permissions().mode() & KEPT;
    if fs::symlink_metadata(folder)?.permissions().mode() & 0o7777 == wanted {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(wanted))
}

/// Makes a file readable for those who can enter the cache, and not writable.
#[cfg(unix)]
pub(super) fn read_only(file: &Path, root: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(readers(root)))
}

/// Makes a blob read-only, and gives it the group of its folder. Fails if that would hide it from
/// users who can enter the cache.
#[cfg(unix)]
pub(super) fn hand_over(blob: &Path, folder: &Path, root: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    read_only(blob, root)?;
    let group = fs::metadata(folder)?.gid();
    if fs::metadata(blob)?.gid() == group {
        return Ok(());
    }
    let by_group_only = readers(root) & 0o044 == 0o040;
    chown(blob, None, Some(group)).or_else(|error| if by_group_only { Err(error) } else { Ok(()) })
}

#[cfg(unix)]
fn readers(root: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(root).map_or(0, |found| found.permissions().mode());
    0o400 | ((mode & 0o010) << 2) | ((mode & 0o001) << 2)
}

/// Makes a file writable for every user of a shared cache, as the Python client does.
#[cfg(unix)]
pub(super) fn writable(file: &fs::File) {
    use std::os::unix::fs::PermissionsExt;
    // The owner of another user's file has made it writable.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o666));
}

// On Windows, access is inherited, and a read-only file could not be replaced or removed.
#[cfg(not(unix))]
pub(super) fn like_root(_folder: &Path, _root: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn read_only(_file: &Path, _root: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn hand_over(_blob: &Path, _folder: &Path, _root: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn writable(_file: &fs::File) {}
