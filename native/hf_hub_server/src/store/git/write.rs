//! Writes blobs, trees and commits.
//!
//! Takes no lock: callers that move a ref hold the repository's lock, and the ref only moves from
//! the commit that the new one is based on.

use std::io::{self, Read};

use anyhow::{Context, Result, bail};
use git2::{Index, IndexEntry, IndexTime, Oid, Signature};

use super::{Git, SMALL};

const FILE_MODE: u32 = 0o100_644;

/// One path of a new commit.
pub(crate) struct Change {
    /// The path from the root of the repository.
    pub(crate) path: String,
    /// The blob.
    pub(crate) blob: Oid,
}

/// The content of a new commit, without its message.
pub(crate) struct Content {
    /// All files.
    pub(crate) files: Vec<Change>,
    /// The parent; none for the first commit.
    pub(crate) parent: Option<Oid>,
}

/// A commit of an existing tree.
pub(crate) struct Draft<'a> {
    /// The tree.
    pub(crate) tree: Oid,
    /// The parent; none for the first commit.
    pub(crate) parent: Option<Oid>,
    /// The commit message.
    pub(crate) message: &'a str,
    /// The name of the author.
    pub(crate) author: &'a str,
}

impl Git {
    /// Streams a blob into the repository.
    pub(crate) fn write_blob(&self, mut reader: impl Read) -> Result<Oid> {
        let mut writer = self.repo.blob_writer(None)?;
        io::copy(&mut reader, &mut writer)?;
        Ok(writer.commit()?)
    }

    /// Writes a blob from memory; if that fails, the reason is known, unlike with a stream.
    pub(crate) fn write_bytes(&self, content: &[u8]) -> Result<Oid> {
        self.repo.blob(content).map_err(|err| self.write_failure(err, content.len()))
    }

    /// Commits `content` to the ref `name` and returns the commit; if nothing changed, the parent.
    pub(crate) fn write_commit(
        &self,
        name: &str,
        content: Content,
        message: &str,
        author: &str,
    ) -> Result<Oid> {
        let parent = content.parent;
        let commit = self.commit_content(content, message, author)?;
        self.point(name, parent, commit, message)?;
        Ok(commit)
    }

    /// Creates a commit that no ref points to yet; if nothing changed, returns the parent.
    pub(super) fn commit_content(
        &self,
        content: Content,
        message: &str,
        author: &str,
    ) -> Result<Oid> {
        let mut index = Index::new()?;
        for change in content.files {
            let path = change.path.clone();
            index
                .add(&index_entry(change))
                .with_context(|| format!("git refuses the path `{path}`"))?;
        }
        let tree = index.write_tree_to(&self.repo)?;
        let parent = content.parent;
        match parent {
            Some(parent) if self.commit(parent)?.tree_id() == tree => Ok(parent),
            _ => self.commit_tree(&Draft { tree, parent, message, author }),
        }
    }

    /// Creates a commit that no ref points to yet.
    pub(crate) fn commit_tree(&self, draft: &Draft<'_>) -> Result<Oid> {
        let author = draft.author;
        let signature = Signature::now(author, &format!("{author}@localhost"))?;
        let tree = self.repo.find_tree(draft.tree)?;
        let parent = draft.parent.map(|oid| self.commit(oid)).transpose()?;
        let parents = parent.iter().collect::<Vec<_>>();
        let commit = self.repo.commit(None, &signature, &signature, draft.message, &tree, &parents);
        commit.map_err(|err| self.write_failure(err, SMALL))
    }

    /// Returns the empty tree.
    pub(crate) fn empty_tree(&self) -> Result<Oid, git2::Error> {
        self.repo.treebuilder(None)?.write()
    }

    /// Returns the tree of a commit.
    pub(crate) fn tree_of(&self, commit: Oid) -> Result<Oid, git2::Error> {
        Ok(self.commit(commit)?.tree_id())
    }

    /// Moves a ref from `expected` to `target`; creates it if it does not exist.
    pub(crate) fn point(
        &self,
        name: &str,
        expected: Option<Oid>,
        target: Oid,
        message: &str,
    ) -> Result<()> {
        let current = super::found(self.repo.refname_to_id(name))?;
        match (current, expected) {
            (Some(current), _) if current == target => {}
            (None, _) => drop(self.repo.reference(name, target, false, message)?),
            (Some(current), Some(expected)) if current == expected => {
                self.repo.reference_matching(name, target, true, current, message)?;
            }
            _ => bail!("`{name}` was moved concurrently"),
        }
        Ok(())
    }
}

pub(super) fn index_entry(change: Change) -> IndexEntry {
    let zero = IndexTime::new(0, 0);
    IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: FILE_MODE,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: change.blob,
        flags: 0,
        flags_extended: 0,
        path: change.path.into_bytes(),
    }
}
