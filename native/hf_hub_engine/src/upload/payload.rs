//! The body of a commit: a line of JSON for the header and for each change, produced while it is
//! sent.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::json;

use crate::{
    base::{error::Result, hash::Hasher},
    hub::streamed_body::Pieces,
    upload::{
        Addition,
        digest::index,
        oid::{self, Oid},
        path::RepoPath,
        source::Content,
    },
};

/// Approximate size of a piece in bytes.
const PIECE: usize = 256 << 10;

/// Number of bytes read from a file at once; a multiple of three, so that base64 needs no padding
/// in between.
const READ: u64 = 96 << 10;

/// One change.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A file whose content is part of the commit.
    File(Addition),
    /// A file whose content is in the large file store. The size is omitted for copies, as in the
    /// Python client.
    Lfs { path: RepoPath, oid: Oid, size: Option<u64> },
    /// A deleted file.
    DeleteFile(RepoPath),
    /// A deleted folder.
    DeleteFolder(RepoPath),
}

impl Change {
    /// Returns the path.
    pub(super) fn path(&self) -> &RepoPath {
        match self {
            Self::File(Addition { path, .. })
            | Self::Lfs { path, .. }
            | Self::DeleteFile(path)
            | Self::DeleteFolder(path) => path,
        }
    }

    /// Whether it adds a file.
    pub(super) fn adds(&self) -> bool {
        matches!(self, Self::File(_) | Self::Lfs { .. })
    }

    /// Returns the size of the added file, if known.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File(file) => Some(file.stamp.size),
            Self::Lfs { size, .. } => *size,
            Self::DeleteFile(_) | Self::DeleteFolder(_) => None,
        }
    }

    /// Returns how many bytes of content are part of the commit.
    pub(super) fn weight(&self) -> u64 {
        if let Self::File(file) = self { file.stamp.size } else { 0 }
    }

    /// Returns its line, split into what comes before and after the content.
    fn line(&self) -> (String, String) {
        let whole = |key: &str, value: serde_json::Value| {
            (format!("{}\n", json!({ "key": key, "value": value })), String::new())
        };
        match self {
            Self::File(file) => (
                "{\"key\":\"file\",\"value\":{\"content\":\"".to_owned(),
                format!("\",\"path\":{},\"encoding\":\"base64\"}}}}\n", json!(file.path.as_str())),
            ),
            Self::Lfs { path, oid, size: Some(size) } => whole(
                "lfsFile",
                json!({ "path": path.as_str(), "algo": "sha256", "oid": oid, "size": size }),
            ),
            Self::Lfs { path, oid, size: None } => {
                whole("lfsFile", json!({ "path": path.as_str(), "algo": "sha256", "oid": oid }))
            }
            Self::DeleteFile(path) => whole("deletedFile", json!({ "path": path.as_str() })),
            Self::DeleteFolder(path) => whole("deletedFolder", json!({ "path": path.as_str() })),
        }
    }
}

/// A commit to be created.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parent: Option<String>,
    pub(super) changes: Vec<Change>,
    /// The git object ids of its files when they were last sent.
    pub(super) sent: Arc<Mutex<Vec<Option<Oid>>>>,
}

impl Draft {
    pub(super) fn new(summary: String, description: String, changes: Vec<Change>) -> Self {
        let sent = Arc::new(Mutex::new(vec![None; changes.len()]));
        Self { summary, description, parent: None, changes, sent }
    }

    /// Returns the id that the change at `place` adds, if it was sent.
    pub(super) fn oid(&self, place: usize) -> Option<Oid> {
        match self.changes.get(place)? {
            Change::Lfs { oid, .. } => Some(*oid),
            Change::File(file) => {
                let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                sent.get(place).copied().flatten().or(file.known)
            }
            Change::DeleteFile(_) | Change::DeleteFolder(_) => None,
        }
    }

    fn header(&self) -> String {
        let mut value = json!({ "summary": self.summary, "description": self.description });
        if let Some(parent) = &self.parent {
            value["parentCommit"] = parent.as_str().into();
        }
        format!("{}\n", json!({ "key": "header", "value": value }))
    }

    fn length(&self) -> u64 {
        let line = |change: &Change| {
            let (before, behind) = change.line();
            (before.len() + behind.len()) as u64 + change.weight().div_ceil(3) * 4
        };
        self.header().len() as u64 + self.changes.iter().map(line).sum::<u64>()
    }
}

/// Produces the lines of a draft, piece by piece.
pub(super) struct Lines {
    draft: Arc<Draft>,
    length: u64,
    begun: bool,
    next: usize,
    open: Option<Open>,
}

/// A file that is partly written.
struct Open {
    content: Content,
    hasher: Hasher,
    at: u64,
    behind: String,
}

impl Lines {
    pub(super) fn new(draft: Arc<Draft>) -> Self {
        Self { length: draft.length(), draft, begun: false, next: 0, open: None }
    }

    fn write_line(&mut self, piece: &mut Vec<u8>) -> Result<()> {
        let draft = self.draft.clone();
        let Some(change) = draft.changes.get(self.next) else { return Ok(()) };
        let (before, behind) = change.line();
        piece.extend_from_slice(before.as_bytes());
        match change {
            Change::File(file) => {
                let hasher = oid::git_hasher(file.stamp.size);
                self.open = Some(Open { content: file.open()?, hasher, at: 0, behind });
            }
            _ => self.next += 1,
        }
        Ok(())
    }

    fn write_content(&mut self, mut open: Open, piece: &mut Vec<u8>) -> Result<()> {
        let left = open.content.stamp().size - open.at;
        if left > 0 {
            let mut buffer = vec![0; index(left.min(READ))];
            open.content.read(open.at, &mut buffer)?;
            open.hasher.update(&buffer);
            open.at += buffer.len() as u64;
            let start = piece.len();
            piece.resize(start + buffer.len().div_ceil(3) * 4, 0);
            // The buffer is large enough.
            let _ = STANDARD.encode_slice(&buffer, &mut piece[start..]);
            self.open = Some(open);
            return Ok(());
        }
        open.content.check()?;
        let oid = Oid::finish(open.hasher);
        let known = match self.draft.changes.get(self.next) {
            Some(Change::File(file)) => file.known.filter(|known| matches!(known, Oid::Git(_))),
            _ => None,
        };
        if known.is_some_and(|known| known != oid) {
            return Err(open.content.changed());
        }
        piece.extend_from_slice(open.behind.as_bytes());
        let mut sent = self.draft.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = sent.get_mut(self.next) {
            *place = Some(oid);
        }
        self.next += 1;
        Ok(())
    }
}

impl Pieces for Lines {
    fn length(&self) -> u64 {
        self.length
    }

    fn capacity(&self) -> usize {
        PIECE + index(READ) * 2
    }

    fn next(&mut self, mut piece: Vec<u8>) -> Result<Option<Bytes>> {
        if !self.begun {
            self.begun = true;
            piece.extend_from_slice(self.draft.header().as_bytes());
        }
        while piece.len() < PIECE && (self.open.is_some() || self.next < self.draft.changes.len()) {
            match self.open.take() {
                Some(open) => self.write_content(open, &mut piece)?,
                None => self.write_line(&mut piece)?,
            }
        }
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::source::{Source, Stamp};

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    #[test]
    fn produces_json_lines_of_the_announced_length_for_any_content() {
        let content: Vec<u8> = (0..=READ * 3).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let file = |name: &str, content: &[u8]| {
            Change::File(Addition {
                path: path(name),
                source: Source::Bytes(content.to_vec().into()),
                stamp: Stamp::fixed(content.len() as u64),
                known: None,
                place: 0,
            })
        };
        let oid = Oid::Sha256([7; 32]);
        let changes = vec![
            Change::DeleteFolder(path("old")),
            Change::DeleteFile(path("a\"b\\ü.txt")),
            file("big \"x\".txt", &content),
            file("empty", b""),
            file("ö", b"hi"),
            Change::Lfs { path: path("m.bin"), oid, size: Some(5) },
            Change::Lfs { path: path("n.bin"), oid, size: None },
        ];
        let mut draft = Draft::new("line\n\"two\"".to_owned(), String::new(), changes);
        draft.parent = Some("abcdef".to_owned());
        let draft = Arc::new(draft);
        let mut lines = Lines::new(draft.clone());
        let mut body = Vec::new();
        while let Some(piece) = lines.next(Vec::new()).unwrap() {
            assert!(piece.len() < 2 * PIECE);
            body.extend_from_slice(&piece);
        }
        assert_eq!(body.len() as u64, lines.length());
        let text = String::from_utf8(body).unwrap();
        let parsed: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed[0]["value"]["parentCommit"], "abcdef");
        assert_eq!(parsed[0]["value"]["summary"], "line\n\"two\"");
        assert_eq!(parsed[2]["value"]["path"], "a\"b\\ü.txt");
        assert_eq!(
            STANDARD.decode(parsed[3]["value"]["content"].as_str().unwrap()).unwrap(),
            content
        );
        assert_eq!(parsed[4]["value"]["content"], "");
        assert_eq!(parsed[5]["value"]["content"], "aGk=");
        assert_eq!(parsed[6]["value"]["size"], 5);
        assert!(parsed[7]["value"].get("size").is_none());
        assert_eq!(draft.oid(4), Some(Oid::of_git(&b"hi"[..], 2).unwrap()));
        assert_eq!(draft.oid(0), None);
    }
}
