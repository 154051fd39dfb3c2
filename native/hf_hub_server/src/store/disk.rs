//! Small files that are replaced atomically, and lock files for them.
//!
//! A reader sees the old content or the new, never a part. This module does not know what the files
//! mean.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

/// A lock file, held until dropped; other processes on the same root wait.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock file at `path`, which is created and left in place.
    pub(crate) fn acquire(path: &Path) -> Result<Self> {
        let file = Self::file(path)?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }

    /// Same as [`Self::acquire`], but returns `None` if another process holds the lock.
    pub(crate) fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let file = Self::file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(err)) => {
                Err(err).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    fn file(path: &Path) -> Result<File> {
        create_parent(path)?;
        let file = File::options().create(true).append(true).open(path);
        file.with_context(|| format!("cannot open {}", path.display()))
    }
}

/// Removes a folder if it exists.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
        done => done.with_context(|| format!("cannot remove {}", folder.display())),
    }
}

/// Removes a folder if it exists, whatever another program has made of it: unreadable folders, and
/// deeper ones than this process has stack, open files or bytes of a path for.
pub(crate) fn remove_foreign_folder(folder: &Path) -> Result<()> {
    if !cfg!(unix) {
        return remove_folder(folder);
    }
    if !folder.try_exists().unwrap_or(true) || remove_by_command(folder).is_ok() {
        return Ok(());
    }
    // `rm` cannot list what its owner may not read.
    let _ = run(Command::new("chmod").args(["-R", "u+rwX", "--"]).arg(folder));
    remove_by_command(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

fn remove_by_command(folder: &Path) -> Result<()> {
    run(Command::new("rm").args(["-rf", "--"]).arg(folder))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", message.lines().next().unwrap_or_default());
    Ok(())
}

/// Reads a JSON file; `None` if it does not exist.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err).with_context(|| format!("cannot read {}", path.display())),
    };
    let value = serde_json::from_slice(&text);
    value.map(Some).with_context(|| format!("invalid JSON in {}", path.display()))
}

/// Replaces a file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let failure = || format!("cannot write {}", path.display());
    let folder = create_parent(path)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failure)?;
    file.write_all(content).with_context(failure)?;
    file.as_file().sync_all().with_context(failure)?;
    file.persist(path).with_context(failure)?;
    Ok(())
}

/// Tries to write `size` bytes to a folder: what fails names the reason, such as a full disk.
pub(super) fn probe(folder: &Path, size: usize) -> io::Result<()> {
    tempfile::tempfile_in(folder)?.write_all(&vec![0; size])
}

/// Whether the cause of an error is a full disk.
pub(crate) fn is_full(err: &anyhow::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    let mut reasons = err.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    reasons.any(|reason| kinds.contains(&reason.kind()))
}

/// Writes all bytes at an offset; the file grows as needed.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all bytes at an offset; the file grows as needed.
#[cfg(windows)]
pub(super) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
        }
    }
    Ok(())
}

/// Fills the buffer with the bytes at an offset.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills the buffer with the bytes at an offset.
#[cfg(windows)]
pub(super) fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// Makes renames in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Creates the folder of a file, and returns it.
pub(crate) fn create_parent(path: &Path) -> Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn removes_deep_and_unreadable_folders_of_other_programs() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("work");
        assert!(remove_foreign_folder(&folder).is_ok(), "it does not exist");
        fs::create_dir(&folder).unwrap();
        let script = "mkdir -p locked/in; touch locked/in/file; chmod 500 locked/in; chmod 0 locked
            for _ in $(seq 150); do
              mkdir -p a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p && cd -P a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p
            done";
        let made = Command::new("sh").args(["-c", script]).current_dir(&folder).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        remove_foreign_folder(&folder).unwrap();
        assert!(!folder.exists());
    }
}
