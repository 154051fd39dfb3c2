//! Reads and writes files and folders. Only regular files are read, and a name never shows a partly
//! written file.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::base::error::{Error, Result};

/// Maximum number of buffers of one `pwritev` call, by POSIX's `IOV_MAX` on Linux.
#[cfg(target_os = "linux")]
const MOST_SLICES: usize = 1024;

/// Whether an error means that the path does not exist, as opposed to that it could not be checked.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    // A cycle of symbolic links.
    const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || (cfg!(unix) && error.raw_os_error() == Some(ELOOP))
}

/// Returns a text without its byte order mark and surrounding white space.
pub(crate) fn plain(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

/// Opens a file for reading. Anything but a regular file is refused: reading a pipe could block for
/// ever, and a device may have no end.
pub(crate) fn open_regular(file: &Path) -> io::Result<fs::File> {
    if fs::metadata(file)?.is_file() {
        fs::File::open(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

/// Opens a file, unless it is a symbolic link or not a regular file. Others may put a link there at
/// any moment, so a check before it is opened is not enough.
pub(crate) fn open_plain(file: &Path, options: &mut OpenOptions) -> io::Result<fs::File> {
    let refused = || {
        let why = "not a regular file, or a symbolic link";
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    };
    if fs::symlink_metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(refused());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe could block.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    let opened = options.open(file)?;
    if opened.metadata()?.is_file() { Ok(opened) } else { Err(refused()) }
}

/// Copies a file that is opened as by [`open_regular`]. A copy of a read-only file is not read-only.
pub(crate) fn copy_regular(from: &Path, to: &Path) -> io::Result<u64> {
    let mut source = open_regular(from)?;
    if source.metadata()?.permissions().readonly() {
        return io::copy(&mut source, &mut fs::File::create(to)?);
    }
    fs::copy(from, to)
}

/// Runs `make`, which creates `file`. Creates the file's folder first if it is missing.
pub fn in_folder<T>(file: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match (make(), file.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            make()
        }
        (result, _) => result,
    }
}

/// Writes to a temporary file beside `file`, then renames it.
pub fn write_atomically(file: &Path, content: &[u8]) -> Result<()> {
    let temporary = sibling(file, "tmp");
    let written = in_folder(file, || fs::write(&temporary, content))
        .and_then(|()| fs::rename(&temporary, file));
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", file, source)
    })
}

/// Copies to a temporary file beside `to`, then renames it.
pub fn copy_beside(from: &Path, to: &Path) -> io::Result<()> {
    copy_by_way_of(&sibling(to, "tmp"), from, to)
}

/// Copies to `temporary`, flushes it to disk, then renames it to `to`.
pub fn copy_by_way_of(temporary: &Path, from: &Path, to: &Path) -> io::Result<()> {
    // Windows flushes only files that are open for writing.
    let flush = || OpenOptions::new().read(true).write(cfg!(windows)).open(temporary)?.sync_data();
    let copied = in_folder(temporary, || copy_regular(from, temporary))
        .and_then(|_| flush())
        .and_then(|()| fs::rename(temporary, to));
    copied.inspect_err(|_| drop(fs::remove_file(temporary)))
}

/// Writes all of `pieces`, one after another, at `offset`.
#[cfg(target_os = "linux")]
pub(crate) fn write_all_at<B: AsRef<[u8]>>(
    file: &fs::File,
    pieces: &[B],
    mut offset: u64,
) -> io::Result<()> {
    let mut slices: Vec<_> = pieces.iter().map(|piece| io::IoSlice::new(piece.as_ref())).collect();
    let mut slices = &mut slices[..];
    // Removes empty slices at the front.
    io::IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let at_once = &slices[..slices.len().min(MOST_SLICES)];
        match rustix::io::pwritev(file, at_once, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                io::IoSlice::advance_slices(&mut slices, n);
                offset += n as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes all of `pieces`, one after another, at `offset`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn write_all_at<B: AsRef<[u8]>>(
    file: &fs::File,
    pieces: &[B],
    mut offset: u64,
) -> io::Result<()> {
    for piece in pieces {
        let mut bytes = piece.as_ref();
        while !bytes.is_empty() {
            #[cfg(unix)]
            let n = std::os::unix::fs::FileExt::write_at(file, bytes, offset)?;
            #[cfg(windows)]
            let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
            (bytes, offset) = (&bytes[n..], offset + n as u64);
        }
    }
    Ok(())
}

/// Fills `buffer` with the bytes at `at`. A file that ends before is an error of kind `UnexpectedEof`.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &fs::File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// Fills `buffer` with the bytes at `at`. A file that ends before is an error of kind `UnexpectedEof`.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &fs::File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (buffer, at) = (&mut buffer[read..], at + read as u64),
        }
    }
    Ok(())
}

/// Returns how many bytes are missing for a file below `folder`; `None` if it fits or the free
/// space is unknown.
pub fn missing_space(folder: &Path, needed: u64) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    // Some network mounts report no free space at all.
    let free = fs2::available_space(existing)
        .ok()
        .filter(|_| fs2::total_space(existing).is_ok_and(|total| total > 0))?;
    (free < needed).then(|| needed - free)
}

/// Returns a new name beside `file`. It stays within the length that file systems allow, however
/// long the name of `file` is.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_symbolic_link_that_appears_at_any_moment_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name| dir.path().join(name);
        let (file, link, path) = (at("file"), at("link"), at("path"));
        fs::write(at("outside"), "outside").unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for _ in 0..2000 {
                    symlink(&at("outside"), &link).unwrap();
                    fs::rename(&link, &path).unwrap();
                    fs::write(&file, "").unwrap();
                    fs::rename(&file, &path).unwrap();
                }
            });
            for _ in 0..2000 {
                if let Ok(opened) = open_plain(&path, OpenOptions::new().append(true)) {
                    assert_eq!(opened.metadata().unwrap().len(), 0);
                }
            }
        });
        open_plain(&path, OpenOptions::new().append(true).create(true)).unwrap();
        symlink(&at("outside"), &link).unwrap();
        let refused = open_plain(&link, OpenOptions::new().read(true)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn writes_any_number_of_pieces_at_an_offset() {
        // More than fit into one system call, some of them empty.
        let pieces: Vec<Vec<u8>> =
            (0..3000).map(|n| vec![u8::try_from(n % 251).unwrap(); n % 7]).collect();
        let named = tempfile::NamedTempFile::new().unwrap();
        write_all_at(named.as_file(), &pieces, 10).unwrap();
        write_all_at(named.as_file(), &[b"0123456789"], 0).unwrap();
        write_all_at::<&[u8]>(named.as_file(), &[], 5).unwrap();
        let expected = [b"0123456789".to_vec(), pieces.concat()].concat();
        assert!(fs::read(named.path()).unwrap() == expected);
    }
}
