//! Files and folders, as everything here reads and writes them: only regular files are read, and a name never
//! shows half of a content.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::base::error::{Error, Result};

/// Whether an error says that there is nothing, and not that nobody can tell.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    // A chain of links that has no end.
    const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || (cfg!(unix) && error.raw_os_error() == Some(ELOOP))
}

/// A text without a byte order mark and blanks around it.
pub(crate) fn plain(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// Opens a file to read. A pipe that somebody has put there would let us wait for ever, a device have no end.
pub(crate) fn open_regular(file: &Path) -> io::Result<fs::File> {
    if fs::metadata(file)?.is_file() {
        fs::File::open(file)
    } else {
        Err(io::Error::other("it is no file"))
    }
}

/// Copies a file, as [`open_regular`] opens it.
pub(crate) fn copy_regular(from: &Path, to: &Path) -> io::Result<u64> {
    open_regular(from)?;
    fs::copy(from, to)
}

/// Does what makes `file`; where its folder is missing, makes that first.
pub fn in_folder<T>(file: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match (make(), file.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            make()
        }
        (result, _) => result,
    }
}

/// Writes beside `file`, then renames.
pub fn write_atomically(file: &Path, content: &[u8]) -> Result<()> {
    let temporary = sibling(file, "tmp");
    let written = in_folder(file, || fs::write(&temporary, content))
        .and_then(|()| fs::rename(&temporary, file));
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", file, source)
    })
}

/// Copies to a file beside `to`, then renames.
pub fn copy_beside(from: &Path, to: &Path) -> io::Result<()> {
    copy_by_way_of(&sibling(to, "tmp"), from, to)
}

/// Copies to `temporary`, then renames to `to`: on disk for good before it has the name.
pub fn copy_by_way_of(temporary: &Path, from: &Path, to: &Path) -> io::Result<()> {
    // Windows flushes only what may be written.
    let flush = || OpenOptions::new().read(true).write(cfg!(windows)).open(temporary)?.sync_data();
    let copied = in_folder(temporary, || copy_regular(from, temporary))
        .and_then(|_| flush())
        .and_then(|()| fs::rename(temporary, to));
    copied.inspect_err(|_| drop(fs::remove_file(temporary)))
}

/// Bytes a file needs beyond what is free below `folder`; `None` if they fit or nobody can tell.
pub fn missing_space(folder: &Path, needed: u64) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    // Some network mounts report nothing at all.
    let free = fs2::available_space(existing)
        .ok()
        .filter(|_| fs2::total_space(existing).is_ok_and(|total| total > 0))?;
    (free < needed).then(|| needed - free)
}

/// A new name beside `file`, within what file systems take however long that of `file` is.
pub(crate) fn sibling(file: &Path, extension: &str) -> PathBuf {
    const LONGEST: usize = 255;
    let ending = format!(".{:08x}.{extension}", fastrand::u32(..));
    let name = file.file_name().unwrap_or_default();
    if name.len() + ending.len() <= LONGEST {
        let mut name = name.to_owned();
        name.push(ending);
        return file.with_file_name(name);
    }
    let name = name.to_string_lossy();
    let mut end = LONGEST - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    file.with_file_name(format!("{}{ending}", &name[..end]))
}

#[cfg(unix)]
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
pub(crate) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
