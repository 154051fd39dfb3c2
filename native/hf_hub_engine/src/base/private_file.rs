//! Small files that only their owner may read, such as tokens.
//!
//! Each is written to a temporary file and renamed: a reader never sees a partly written file, and
//! other users can never open it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::base::{
    blocking,
    error::{Error, Result},
    input::RawPath,
    lock::{self, Lock},
};

/// Which file.
#[derive(Debug, Deserialize)]
pub struct PrivateFile {
    /// Its path.
    pub path: RawPath,
}

/// Replaces the file, or removes it if there is no content. Creates its folder if it is missing.
pub fn write(path: &Path, content: Option<&[u8]>) -> Result<()> {
    let path = target(path);
    let done = match content {
        Some(content) => folder(&path).and_then(|()| replace(&path, content)),
        None => remove(&path),
    };
    done.map_err(|source| unwritable(&path, source))
}

/// Same as [`write`], on a blocking thread.
pub async fn save(file: PrivateFile, content: Option<Vec<u8>>) -> Result<()> {
    blocking::run(move || write(&file.path.0, content.as_deref())).await
}

/// Waits for the lock of the file, which other writers take as well; also returns the file's path.
pub async fn hold(file: PrivateFile) -> Result<(Lock, RawPath)> {
    let path = target(&file.path.0);
    let mut name = path.clone().into_os_string();
    name.push(".lock");
    folder(&path).map_err(|source| unwritable(&path, source))?;
    Ok((lock::acquire(name.into(), || ()).await?, RawPath(path)))
}

/// Resolves a symbolic link: some users keep such files elsewhere.
fn target(path: &Path) -> PathBuf {
    if path.is_symlink() {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    } else {
        path.to_owned()
    }
}

fn folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.tmp", fastrand::u64(..)));
    let temporary = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&temporary, path));
    placed.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    let message = format!(
        "cannot change `{}`, where tokens are kept; choose another place with HF_TOKEN_PATH or HF_HOME",
        path.display()
    );
    Error::io("write", path, source).restated(message, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_atomically_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home/token");
        write(&path, Some(b"first")).unwrap();
        write(&path, Some(b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(&dir.path().join("home")), ["token"]);
        write(&path, None).unwrap();
        write(&path, None).unwrap();
        assert!(names(&dir.path().join("home")).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_the_file_whatever_its_mode_was_before() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/home/token");
        write(&path, Some(b"x")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, Some(b"y")).unwrap();
        assert_eq!((mode(&path), mode(&dir.path().join("new/home"))), (0o600, 0o700));
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, Some(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn an_unwritable_file_names_the_settings_to_change() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"").unwrap();
        let error = write(&dir.path().join("file/token"), Some(b"hf_CANARY")).unwrap_err();
        assert!(error.message().contains("HF_TOKEN_PATH") && !error.message().contains("CANARY"));
    }

    #[tokio::test]
    async fn takes_the_same_lock_as_the_python_client() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("home/stored_tokens");
        let held = hold(PrivateFile { path: RawPath(path.clone()) }).await.unwrap();
        assert!(lock::try_acquire(&dir.path().join("home/stored_tokens.lock")).unwrap().is_none());
        drop(held);
    }
}
