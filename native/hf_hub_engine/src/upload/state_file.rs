//! The state file of a folder upload, stored in the folder for the next run: content ids by name
//! and stamp, and whether a commit was sent whose response is unknown.
//!
//! Append-only lines of JSON; a truncated line is ignored. A read-only folder has no state file and
//! is hashed again.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind, Write},
    path::{Path, PathBuf},
};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    base::{blocking, disk::open_regular},
    upload::{
        Addition,
        oid::Oid,
        parts::Unfinished,
        session::Target,
        source::{Root, Stamp},
    },
};

/// Maximum number of lines that wait to be written.
const QUEUE: usize = 1024;

/// Number of unused lines after which the file is rewritten.
const STALE: usize = 1000;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The id of a file.
    File { path: String, size: u64, modified: i64, oid: Oid },
    /// A commit to this branch was sent.
    Begun { branch: String },
    /// Its response was received.
    Ended { branch: String },
}

/// The state file of a folder.
pub(super) struct StateFile {
    lines: mpsc::Sender<Line>,
    branch: String,
    prefix: String,
    writer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// An opened state file, and its contents.
pub(super) struct Opened {
    pub(super) state_file: Option<StateFile>,
    /// Records of unfinished uploads in parts.
    pub(super) unfinished: Option<Unfinished>,
    /// Whether a commit was sent whose response is unknown.
    pub(super) unanswered: bool,
}

/// Opens the state file of `root` and sets the known ids in `files`, which are sorted.
pub(super) fn open(root: &Root, endpoint: &Url, target: &Target, files: &mut [Addition]) -> Opened {
    if !is_safe(&root.dir) {
        return Opened::nothing();
    }
    let place = place(&root.dir);
    let (repo, branch) = names(target);
    let (unanswered, lines, known) = read(&place, root, &branch, files);
    let file = if lines > known * 2 + STALE { renew(&place, root, files) } else { append(&place) };
    let state_file = file.map(|file| {
        let (lines, received) = mpsc::channel(QUEUE);
        let writer = tokio::task::spawn_blocking(move || write(file, received));
        StateFile {
            lines,
            branch,
            prefix: root.prefix.clone(),
            writer: tokio::sync::Mutex::new(Some(writer)),
        }
    });
    let unfinished = state_file
        .is_some()
        .then(|| Unfinished::open(place.with_file_name("parts"), format!("{endpoint}{repo}")))
        .flatten();
    Opened { state_file, unfinished, unanswered }
}

/// Returns the lock of an upload of `dir` to that branch; `None` if no state is stored.
pub(super) fn lock(dir: &Path, endpoint: &Url, target: &Target) -> Option<PathBuf> {
    let holds_something = std::fs::read_dir(dir).ok()?.next().is_some();
    let name = Oid::of_text(&format!("{endpoint}{}", names(target).1));
    let place = place(dir);
    let has_room = holds_something && is_safe(dir) && make_folder(&place).is_some();
    has_room.then(|| place.with_file_name(format!("{name}.lock")))
}

/// Returns the names of a repository and its branch in the lines.
fn names(target: &Target) -> (String, String) {
    let repo = format!("{}/{}", target.repo.kind().name(), target.repo.id());
    let branch = format!("{repo}@{}", target.revision);
    (repo, branch)
}

impl Opened {
    /// Returns an empty state without a file.
    pub(super) fn nothing() -> Self {
        Self { state_file: None, unfinished: None, unanswered: false }
    }
}

impl StateFile {
    /// Stores the id of a file.
    pub(super) async fn hashed(&self, file: &Addition, oid: Oid) {
        let path = file.path.as_str().strip_prefix(&self.prefix).unwrap_or(file.path.as_str());
        let Stamp { size, modified } = file.stamp;
        self.add(Line::File { path: path.to_owned(), size, modified, oid }).await;
    }

    /// Stores that a commit is being sent.
    pub(super) async fn begun(&self) {
        self.add(Line::Begun { branch: self.branch.clone() }).await;
    }

    /// Stores that its response was received.
    pub(super) async fn ended(&self) {
        self.add(Line::Ended { branch: self.branch.clone() }).await;
    }

    /// Waits until everything is written.
    pub(super) async fn close(self) {
        let Self { lines, writer, .. } = self;
        drop(lines);
        if let Some(writer) = writer.into_inner() {
            blocking::join(writer.await);
        }
    }

    async fn add(&self, line: Line) {
        // If the state file cannot be written, the upload continues without it.
        let _ = self.lines.send(line).await;
    }
}

fn place(dir: &Path) -> PathBuf {
    dir.join(".cache").join("huggingface").join("upload").join("hf_hub.jsonl")
}

/// The folder may come from anywhere: nothing is written through a link, and only regular files are
/// read.
fn is_safe(dir: &Path) -> bool {
    let place = place(dir);
    let mut found = place
        .ancestors()
        .take_while(|path| *path != dir)
        .map(|path| std::fs::symlink_metadata(path).ok());
    let file = found.next().flatten();
    file.is_none_or(|file| file.is_file()) && found.flatten().all(|folder| folder.is_dir())
}

fn write(mut file: File, mut lines: mpsc::Receiver<Line>) {
    let mut buffer = Vec::new();
    while let Some(line) = lines.blocking_recv() {
        buffer.clear();
        encode(&line, &mut buffer);
        while let Ok(line) = lines.try_recv() {
            encode(&line, &mut buffer);
        }
        if file.write_all(&buffer).is_err() {
            return;
        }
    }
}

fn encode(line: &Line, buffer: &mut Vec<u8>) {
    // Names and numbers can always be serialized.
    let _ = serde_json::to_writer(&mut *buffer, line);
    buffer.push(b'\n');
}

/// Returns whether the response to a commit is unknown, the number of lines, and the number of used
/// lines.
fn read(place: &Path, root: &Root, branch: &str, files: &mut [Addition]) -> (bool, usize, usize) {
    let (mut unanswered, mut count, mut known) = (false, 0, 0);
    let Ok(file) = open_regular(place) else { return (unanswered, count, known) };
    for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
        count += 1;
        match serde_json::from_slice(&line) {
            Ok(Line::File { path, size, modified, oid }) => {
                let path = format!("{}{path}", root.prefix);
                let place = files.binary_search_by(|file| file.path.as_str().cmp(&path));
                let file = place.ok().and_then(|place| files.get_mut(place));
                if let Some(file) = file.filter(|file| file.stamp == Stamp { size, modified }) {
                    known += usize::from(file.known.is_none());
                    file.known = Some(oid);
                }
            }
            Ok(Line::Begun { branch: of }) if of == branch => unanswered = true,
            Ok(Line::Ended { branch: of }) if of == branch => unanswered = false,
            // Of another upload, or truncated by a crash.
            Ok(Line::Begun { .. } | Line::Ended { .. }) | Err(_) => {}
        }
    }
    (unanswered, count, known)
}

fn make_folder(place: &Path) -> Option<()> {
    let folder = place.parent()?;
    std::fs::create_dir_all(folder).ok()?;
    // Keeps the state file out of the folder's git repository.
    match File::create_new(folder.parent()?.join(".gitignore")) {
        Ok(mut rules) => rules.write_all(b"*").ok(),
        Err(error) => (error.kind() == ErrorKind::AlreadyExists).then_some(()),
    }
}

fn append(place: &Path) -> Option<File> {
    make_folder(place)?;
    // Opening a pipe would block.
    if place.exists() && !place.is_file() {
        return None;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(place).ok()?;
    // Ends a line that a crash has truncated.
    file.write_all(b"\n").ok()?;
    Some(file)
}

/// Rewrites the file with only the used lines; a concurrent run loses its lines, nothing more.
fn renew(place: &Path, root: &Root, files: &[Addition]) -> Option<File> {
    let mut next = tempfile::NamedTempFile::new_in(place.parent()?).ok()?;
    let mut buffer = Vec::new();
    for file in files {
        if let Some(oid) = file.known {
            let path = file.path.as_str().strip_prefix(&root.prefix).unwrap_or(file.path.as_str());
            let Stamp { size, modified } = file.stamp;
            encode(&Line::File { path: path.to_owned(), size, modified, oid }, &mut buffer);
        }
        if buffer.len() > 64 << 10 {
            next.write_all(&buffer).ok()?;
            buffer.clear();
        }
    }
    next.write_all(&buffer).ok()?;
    next.persist(place).ok()?;
    append(place)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn stores_nothing_through_a_link() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(is_safe(dir.path()));
        let cache = dir.path().join(".cache");
        symlink(other.path(), &cache).unwrap();
        assert!(!is_safe(dir.path()));
        std::fs::remove_file(&cache).unwrap();
        let rules = cache.join("huggingface").join(".gitignore");
        std::fs::create_dir_all(rules.parent().unwrap()).unwrap();
        symlink(other.path().join("new"), rules).unwrap();
        assert!(append(&place(dir.path())).is_some() && is_safe(dir.path()));
        assert!(!other.path().join("new").exists());
        std::fs::remove_file(place(dir.path())).unwrap();
        symlink("/dev/zero", place(dir.path())).unwrap();
        assert!(!is_safe(dir.path()));
    }
}
