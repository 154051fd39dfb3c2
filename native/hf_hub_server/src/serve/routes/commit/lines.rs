//! The lines of a commit: a header, then one change per line.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::thread;

use git2::Oid;
use serde::Deserialize;

use super::super::super::error::ApiError;
use super::super::super::hub::Hub;
use super::super::super::intake::Spool;
use super::super::lfs;
use super::file::{self, MAX_REGULAR, too_large};
use super::path;
use crate::store::{Edit, Git, LfsStore, Pack, PackedBlob, Packer, Pointer, Repo, is_oid};

/// Large enough for the largest file in base64, its path and the rest of the line.
const MAX_LINE: u64 = (MAX_REGULAR / 3 + 1) * 4 + (64 << 10);
/// Number of files, or of bytes, that are collected to be written together.
const BATCH: usize = 256;
const BATCH_SIZE: usize = 1 << 20;
/// Files with fewer bytes than this wait for more even if the client pauses.
const MAX_PAUSED: usize = 64 << 10;
/// Number of files written concurrently: each is compressed.
const MAX_WRITERS: usize = 4;
/// Number of files from which on one pack is made of them.
const WORTH_A_PACK: usize = 16;

/// The contents of all lines.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parent: Option<String>,
    pub(super) edits: Vec<Edit>,
    pub(super) lfs_paths: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
enum Line<'a> {
    Header(Header),
    #[serde(borrow)]
    File(File<'a>),
    LfsFile(LfsFile),
    DeletedFile(Deleted),
    DeletedFolder(Deleted),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    summary: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parent_commit: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File<'a> {
    path: String,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LfsFile {
    path: String,
    oid: String,
    #[serde(default)]
    algo: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Deleted {
    path: String,
}

fn begin(header: Header) -> Result<Sent, ApiError> {
    let Header { summary, description, parent_commit: parent } = header;
    if summary.trim().is_empty() {
        return Err(ApiError::bad_request("\"summary\" is not allowed to be empty"));
    }
    if summary.contains('\0') || description.contains('\0') {
        return Err(ApiError::bad_request("A commit message cannot contain a NUL character"));
    }
    let is_id = |id: &String| {
        (5..=40).contains(&id.len()) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if parent.as_ref().is_some_and(|parent| !is_id(parent)) {
        return Err(ApiError::bad_request("\"parentCommit\" must be a commit id"));
    }
    let (edits, lfs_paths) = (Vec::new(), Vec::new());
    Ok(Sent { summary, description, parent, edits, lfs_paths })
}

/// An incomplete commit. Files are stored as their lines arrive.
pub(super) struct Reading {
    hub: Arc<Hub>,
    repo: Repo,
    lfs: LfsStore,
    /// The repository, if files are written to it one by one.
    git: Option<Git>,
    /// Packs of files; all but the last are full.
    packs: Vec<Pack>,
    /// The beginning of a line.
    begun: Spool,
    /// The header and the lines so far.
    sent: Option<Sent>,
    waiting: Vec<(String, Vec<u8>)>,
}

impl Reading {
    /// Creates the state before the first line.
    pub(super) fn new(hub: Arc<Hub>, repo: Repo) -> Self {
        let (packs, waiting) = (Vec::new(), Vec::new());
        let (lfs, begun) = (hub.store.lfs(), hub.intake.spool());
        Self { hub, repo, lfs, git: None, packs, begun, sent: None, waiting }
    }

    /// Processes more bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), ApiError> {
        while let Some(end) = newline(bytes)? {
            self.end_line(&bytes[..end])?;
            bytes = &bytes[end + 1..];
        }
        self.check_length(bytes)?;
        self.begun.write(bytes)?;
        // A client that pauses must not occupy much memory.
        if self.waiting_size() > MAX_PAUSED { self.write() } else { Ok(()) }
    }

    /// Returns the contents of all lines.
    pub(super) fn end(mut self) -> Result<Sent, ApiError> {
        self.end_line(b"")?;
        self.write()?;
        let git_dir = self.repo.git_dir()?;
        self.packs.into_iter().try_for_each(|pack| pack.publish(git_dir))?;
        self.sent.ok_or_else(no_header)
    }

    fn end_line(&mut self, rest: &[u8]) -> Result<(), ApiError> {
        self.check_length(rest)?;
        if self.begun.size() == 0 {
            return self.line(rest);
        }
        let mut line = std::mem::replace(&mut self.begun, self.hub.intake.spool()).bytes()?;
        line.extend_from_slice(rest);
        self.line(&line)
    }

    fn check_length(&self, rest: &[u8]) -> Result<(), ApiError> {
        let is_too_long = self.begun.size() + rest.len() as u64 > MAX_LINE;
        if is_too_long { Err(too_large("a file of this commit")) } else { Ok(()) }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ApiError> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line = serde_json::from_slice(line)
            .map_err(|err| ApiError::bad_request(format!("Invalid line in the commit: {err}")))?;
        match (line, &self.sent) {
            (Line::Header(header), None) => {
                self.sent = Some(begin(header)?);
                Ok(())
            }
            (_, None) => Err(no_header()),
            (line, Some(_)) => self.change(line),
        }
    }

    fn change(&mut self, line: Line<'_>) -> Result<(), ApiError> {
        let edit = match line {
            Line::Header(_) => {
                return Err(ApiError::bad_request("A commit has one header"));
            }
            Line::File(file) => return self.file(file),
            Line::LfsFile(file) => return self.lfs_file(file),
            // A file that was added by git may have a path that no commit here could add; it can be
            // deleted.
            Line::DeletedFile(Deleted { path }) => Edit::RemoveFile { path },
            Line::DeletedFolder(Deleted { path }) => {
                Edit::RemoveFolder { path: path.trim_end_matches('/').to_owned() }
            }
        };
        // Keeps the order of changes.
        self.write()?;
        self.add(edit);
        Ok(())
    }

    fn file(&mut self, file: File<'_>) -> Result<(), ApiError> {
        let File { path, content, encoding } = file;
        let content = file::content(self.repo.key.kind, &path, content, encoding.as_deref())?;
        // Knowing a hash must not give access to the content.
        if let Some(pointer) = file::pointer(&content) {
            self.check_pointer(&path, &pointer)?;
        }
        self.put(path, content)
    }

    fn put(&mut self, path: String, content: Vec<u8>) -> Result<(), ApiError> {
        self.waiting.push((path, content));
        let is_enough = self.waiting.len() >= BATCH || self.waiting_size() >= BATCH_SIZE;
        if is_enough { self.write() } else { Ok(()) }
    }

    fn waiting_size(&self) -> usize {
        self.waiting.iter().map(|(_, content)| content.len()).sum()
    }

    fn add(&mut self, edit: Edit) {
        if let Some(sent) = &mut self.sent {
            sent.edits.push(edit);
        }
    }

    /// Writes the collected files.
    fn write(&mut self) -> Result<(), ApiError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let written = if self.packs.is_empty() && waiting.len() < WORTH_A_PACK {
            self.write_each(&waiting)?
        } else {
            self.write_packed(&waiting)?
        };
        for ((path, _), blob) in waiting.into_iter().zip(written) {
            self.add(Edit::Put { path, blob });
        }
        Ok(())
    }

    fn write_each(&mut self, files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<Oid>> {
        let git = match &self.git {
            Some(git) => git,
            None => self.git.insert(self.repo.git()?),
        };
        files.iter().map(|(_, content)| git.write_bytes(content)).collect()
    }

    fn write_packed(&mut self, files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<Oid>> {
        let blobs = compress(files)?;
        for blob in &blobs {
            if self.packs.last().is_none_or(Pack::is_full) {
                self.packs.push(Pack::new(&self.lfs.incoming_dir()?)?);
            }
            self.packs.last_mut().map_or(Ok(()), |pack| pack.add(blob))?;
        }
        Ok(blobs.iter().map(PackedBlob::oid).collect())
    }

    fn lfs_file(&mut self, file: LfsFile) -> Result<(), ApiError> {
        let LfsFile { path, oid, algo, size } = file;
        path::check(&path)?;
        if algo.is_some_and(|algo| !lfs::is_sha256(&algo)) || !is_oid(&oid) {
            return Err(ApiError::bad_request(format!("The oid of {path} is not a SHA-256")));
        }
        let size = size.or_else(|| self.lfs.size(&oid)).unwrap_or_default();
        let pointer = Pointer { oid, size };
        self.check_pointer(&path, &pointer)?;
        self.sent.iter_mut().for_each(|sent| sent.lfs_paths.push(path.clone()));
        self.put(path, pointer.text().into_bytes())
    }

    fn check_pointer(&self, path: &str, pointer: &Pointer) -> Result<(), ApiError> {
        if !self.repo.holds(&self.lfs, &pointer.oid)? {
            return Err(file::points_nowhere(path));
        }
        match self.lfs.size(&pointer.oid) {
            Some(size) if size == pointer.size => Ok(()),
            _ => Err(ApiError::bad_request(format!(
                "The size of {path} does not match the large file it points to"
            ))),
        }
    }
}

/// Returns the position of the first newline; faster than comparing byte by byte.
fn newline(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut rest = bytes;
    let end = rest.skip_until(b'\n')?.checked_sub(1);
    Ok(end.filter(|end| bytes.get(*end) == Some(&b'\n')))
}

fn no_header() -> ApiError {
    ApiError::bad_request("A commit begins with its header")
}

/// Compresses files, several at a time.
fn compress(files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<PackedBlob>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_WRITERS);
    let share = files.len().div_ceil(threads).max(1);
    let compress = |files: &[(String, Vec<u8>)]| {
        let mut packer = Packer::new();
        files.iter().map(|(_, content)| packer.pack(content)).collect::<anyhow::Result<Vec<_>>>()
    };
    let shares = thread::scope(|threads| {
        let shares = files.chunks(share);
        let running = shares.map(|files| threads.spawn(move || compress(files)));
        let running = running.collect::<Vec<_>>();
        let ended = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(shares.into_iter().flatten().collect())
}
