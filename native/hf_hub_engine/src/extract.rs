//! Extracts archives that may be hostile.
//!
//! Everything is extracted into a temporary folder first, which is renamed when it is complete. No
//! entry leaves that folder, neither by its name nor through a link, and none exceeds the limits,
//! whatever the archive claims.

use std::{
    cell::Cell,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::{Component, Path, PathBuf},
    rc::Rc,
};

use serde::{Deserialize, Serialize};

use crate::base::{
    blocking::{self, Watch},
    disk::open_regular,
    error::{Error, ErrorKind, Result},
    hint::Hint,
    ids::EntryPath,
    input::RawPath,
};

/// The supported archive formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `.zip`
    Zip,
    /// `.tar`
    Tar,
    /// `.tar.gz`, `.tgz`
    TarGz,
    /// `.tar.xz`, `.txz`
    TarXz,
    /// `.gz` of a single file
    Gz,
}

impl Format {
    /// Returns the format by the file name, case-insensitively, and the name without its extension.
    pub fn of(path: &Path) -> Option<(Self, PathBuf)> {
        const ENDINGS: [(&str, Format); 7] = [
            (".tar.gz", Format::TarGz),
            (".tgz", Format::TarGz),
            (".tar.xz", Format::TarXz),
            (".txz", Format::TarXz),
            (".tar", Format::Tar),
            (".zip", Format::Zip),
            (".gz", Format::Gz),
        ];
        let text = path.to_str()?;
        let lower = text.to_ascii_lowercase();
        let (ending, format) = ENDINGS.into_iter().find(|(ending, _)| lower.ends_with(ending))?;
        let stem = &text[..text.len() - ending.len()];
        (!stem.is_empty() && !stem.ends_with('/')).then(|| (format, PathBuf::from(stem)))
    }
}

/// Limits of the extracted files.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Limits {
    /// Maximum total size in bytes; `None` for 200 times the archive's size, but at least 1 GiB.
    pub max_size: Option<u64>,
    /// Maximum number of entries.
    pub max_entries: u64,
}

/// What to unpack.
#[derive(Debug, Deserialize)]
pub struct Spec {
    archive: RawPath,
    destination: RawPath,
    limits: Limits,
}

/// Unpacks an archive; returns the destination.
pub async fn unpack(spec: Spec, watch: Watch) -> Result<RawPath> {
    blocking::run(move || {
        let Spec { archive, destination, limits } = spec;
        run(&archive.0, &destination.0, limits, &|| watch.is_stopped())?;
        Ok(destination)
    })
    .await
}

/// Extracts `archive` to `destination`: a folder, or a file for `.gz`. Files in an existing folder
/// are kept, except for those with the same names. `stop` is polled between blocks.
pub fn run(
    archive: &Path,
    destination: &Path,
    limits: Limits,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let Some((format, _)) = Format::of(archive) else {
        let message = format!(
            "unsupported archive `{}`; expected .zip, .tar, .tar.gz, .tar.xz or .gz",
            archive.display()
        );
        return Err(Error::new(ErrorKind::InvalidArchive, message));
    };
    let wrap = |source| Error::io("read", archive, source);
    let file = open_regular(archive).map_err(wrap)?;
    let default = (file.metadata().map_err(wrap)?.len().saturating_mul(200)).max(1 << 30);
    let stage = beside(destination);
    let mut sink = Sink {
        archive,
        root: &stage,
        left: limits.max_size.unwrap_or(default),
        entries_left: limits.max_entries,
        links: Vec::new(),
        stop,
    };
    let unpacked = sink.unpack(format, file).and_then(|()| place(&stage, destination));
    // The remaining temporary files are of no use.
    let _ = if stage.is_dir() { fs::remove_dir_all(&stage) } else { fs::remove_file(&stage) };
    unpacked
}

/// Maximum number of bytes of names and headers between two files of a tar archive.
pub(crate) const METADATA: u64 = 1 << 20;

/// A reader that stops when its allowance is used up: a long-name record of a tar archive is read
/// into memory, whatever length it claims.
pub(crate) struct Rationed<R> {
    pub(crate) reader: R,
    pub(crate) allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        let left = self.allowance.get().checked_sub(n as u64);
        self.allowance.set(left.ok_or_else(|| io::Error::other("a file name is too long"))?);
        Ok(n)
    }
}

/// Renews the allowance before the next entry.
pub(crate) struct Refill<'a>(pub(crate) &'a Cell<u64>);

impl Drop for Refill<'_> {
    fn drop(&mut self) {
        self.0.set(METADATA);
    }
}

struct Sink<'a> {
    archive: &'a Path,
    root: &'a Path,
    left: u64,
    entries_left: u64,
    /// Links are created last, so that nothing is ever written through one.
    links: Vec<(EntryPath, PathBuf)>,
    stop: &'a dyn Fn() -> bool,
}

impl Sink<'_> {
    fn unpack(&mut self, format: Format, file: File) -> Result<()> {
        let file = BufReader::new(file);
        match format {
            Format::Gz => {
                let out = File::create_new(self.root)
                    .map_err(|source| Error::io("create", self.root, source))?;
                return self.copy(flate2::bufread::MultiGzDecoder::new(file), out);
            }
            Format::Zip => self.zip(file)?,
            Format::Tar => self.tar(file)?,
            Format::TarGz => self.tar(flate2::bufread::MultiGzDecoder::new(file))?,
            Format::TarXz => self.tar(lzma_rust2::XzReader::new(file, true))?,
        }
        fs::create_dir_all(self.root)
            .map_err(|source| Error::io("create the folder", self.root, source))?;
        std::mem::take(&mut self.links)
            .iter()
            .try_for_each(|(path, target)| self.link(path, target))
    }

    fn tar(&mut self, reader: impl Read) -> Result<()> {
        let allowance = Rc::new(Cell::new(METADATA));
        let mut archive = tar::Archive::new(Rationed { reader, allowance: allowance.clone() });
        for entry in archive.entries().map_err(|error| self.broken(error))? {
            // The allowance limits only what is read between files; their contents are limited
            // where they are written.
            let _rest = Refill(&allowance);
            allowance.set(u64::MAX);
            let entry = entry.map_err(|error| self.broken(error))?;
            let name = entry.path_bytes().into_owned();
            let kind = entry.header().entry_type();
            let target = entry
                .link_name()
                .map_err(|error| self.broken(error))?
                .map(std::borrow::Cow::into_owned);
            let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
            let Some(path) = self.name(&name)? else { continue };
            match (kind, target) {
                (tar::EntryType::Directory, _) => self.folder(&path)?,
                (
                    tar::EntryType::Regular
                    | tar::EntryType::Continuous
                    | tar::EntryType::GNUSparse,
                    _,
                ) => {
                    self.file(&path, entry, executable)?;
                }
                (tar::EntryType::Symlink, Some(target)) => self.links.push((path, target)),
                (tar::EntryType::Link, Some(target)) => self.hard_link(&path, &target)?,
                (tar::EntryType::XGlobalHeader, _) => {}
                _ => {
                    return Err(
                        self.refuse(&format!("{path} is neither a file, a folder nor a link"))
                    );
                }
            }
        }
        Ok(())
    }

    fn zip(&mut self, reader: impl Read + io::Seek) -> Result<()> {
        let mut archive = zip::ZipArchive::new(reader).map_err(|error| self.broken(error))?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| self.broken(error))?;
            let mode = entry.unix_mode().unwrap_or(0);
            let Some(path) = self.name(entry.name_raw().to_vec().as_slice())? else { continue };
            if entry.is_dir() {
                self.folder(&path)?;
            } else if mode & 0o170_000 == 0o120_000 {
                let mut target = String::new();
                entry
                    .by_ref()
                    .take(4096)
                    .read_to_string(&mut target)
                    .map_err(|error| self.broken(error))?;
                self.links.push((path, target.into()));
            } else {
                self.file(&path, entry, mode & 0o111 != 0)?;
            }
        }
        Ok(())
    }

    /// Checks an entry's name; `None` for the root itself.
    fn name(&mut self, raw: &[u8]) -> Result<Option<EntryPath>> {
        let Some(left) = self.entries_left.checked_sub(1) else {
            return Err(self
                .refuse("it has more entries than allowed")
                .with_hints([Hint::MaxEntries]));
        };
        self.entries_left = left;
        let text = std::str::from_utf8(raw).map_err(|_| self.refuse("a file name is not UTF-8"))?;
        let mut text = text.trim_end_matches('/');
        while let Some(rest) = text.strip_prefix("./") {
            text = rest;
        }
        if text.is_empty() || text == "." {
            return Ok(None);
        }
        EntryPath::parse_member(text).map(Some).map_err(|error| self.refuse(error.message()))
    }

    fn folder(&self, path: &EntryPath) -> Result<()> {
        let folder = self.at(path);
        fs::create_dir_all(&folder)
            .map_err(|source| Error::io("create the folder", &folder, source))
    }

    fn file(&mut self, path: &EntryPath, content: impl Read, executable: bool) -> Result<()> {
        let to = self.at(path);
        create_parent(&to)?;
        let out = File::create(&to).map_err(|source| Error::io("create", &to, source))?;
        if executable {
            make_executable(&out);
        }
        self.copy(content, out)
    }

    fn copy(&mut self, mut from: impl Read, mut to: File) -> Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            if (self.stop)() {
                return Err(Error::new(ErrorKind::Cancelled, "the extraction was cancelled"));
            }
            let n = from.read(&mut buffer).map_err(|error| self.broken(error))?;
            if n == 0 {
                return Ok(());
            }
            self.left = self.left.checked_sub(n as u64).ok_or_else(|| {
                self.refuse("it extracts to more than allowed").with_hints([Hint::MaxSize])
            })?;
            to.write_all(&buffer[..n])
                .map_err(|source| Error::io("write below", self.root, source))?;
        }
    }

    fn hard_link(&mut self, path: &EntryPath, target: &Path) -> Result<()> {
        let target = target
            .to_str()
            .and_then(|target| EntryPath::parse_member(target.trim_start_matches("./")).ok());
        let from = target.map(|target| self.at(&target)).filter(|from| from.is_file());
        let Some(from) = from else {
            return Err(self.refuse(&format!("{path} is a link to a file outside")));
        };
        let content = File::open(&from).map_err(|source| Error::io("read", &from, source))?;
        self.file(path, content, false)
    }

    /// Creates a link that stays inside: at most as many `..` as there are folders above it, then
    /// names.
    fn link(&self, path: &EntryPath, target: &Path) -> Result<()> {
        let depth = path.segments().count() - 1;
        let ups = target.components().take_while(|part| *part == Component::ParentDir).count();
        let rest_is_names = target
            .components()
            .skip(ups)
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if ups > depth || !rest_is_names || target.as_os_str().is_empty() {
            return Err(self.refuse(&format!("{path} is a link to a path outside")));
        }
        self.refuse_links_above(path)?;
        let link = self.at(path);
        create_parent(&link)?;
        place_link(target, &link).map_err(|source| Error::io("create the link", &link, source))
    }

    /// Nothing is created below a link: the archive controls where that would lead.
    fn refuse_links_above(&self, path: &EntryPath) -> Result<()> {
        let mut at = self.root.to_owned();
        for segment in path.segments() {
            if fs::symlink_metadata(&at).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(self.refuse(&format!("{path} is below a link")));
            }
            at.push(segment);
        }
        Ok(())
    }

    fn at(&self, path: &EntryPath) -> PathBuf {
        let mut at = self.root.to_owned();
        at.extend(path.segments());
        at
    }

    fn refuse(&self, why: &str) -> Error {
        let name = self.archive.file_name().unwrap_or_default().to_string_lossy();
        Error::new(ErrorKind::InvalidArchive, format!("cannot extract `{name}`: {why}"))
    }

    fn broken(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.refuse("it is damaged or in another format").with_source(error)
    }
}

/// Returns a temporary name in the destination's folder, so that the last step is a rename.
fn beside(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(format!(".{:08x}.extracting", fastrand::u32(..)));
    name.into()
}

fn place(stage: &Path, destination: &Path) -> Result<()> {
    let wrap = |source| Error::io("move the extracted files to", destination, source);
    if !destination.is_dir() || stage.is_file() {
        return fs::rename(stage, destination).map_err(wrap);
    }
    for entry in fs::read_dir(stage).map_err(wrap)? {
        let entry = entry.map_err(wrap)?;
        let target = destination.join(entry.file_name());
        let both_folders = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && fs::symlink_metadata(&target).is_ok_and(|existing| existing.is_dir());
        if both_folders {
            place(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target).map_err(wrap)?;
        }
    }
    Ok(())
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| Error::io("create the folder", parent, source))
}

#[cfg(unix)]
fn place_link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn place_link(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn make_executable(file: &File) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(metadata) = file.metadata() {
        // Readable files may be executable by the same users; no one gains other rights.
        let mode = metadata.permissions().mode();
        let _ = file.set_permissions(fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)));
    }
}

#[cfg(not(unix))]
fn make_executable(_file: &File) {}

#[cfg(test)]
mod tests;
