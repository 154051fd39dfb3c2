//! New blobs, trees and commits.
//!
//! It takes no lock: whoever moves a branch holds the repository's lock, and the ref is only moved from the
//! commit the new one was made on.

use std::io::{self, Read};

use anyhow::{Context, Result, bail};
use git2::{Index, IndexEntry, IndexTime, Oid, Signature};

use super::Git;

const FILE_MODE: u32 = 0o100_644;

/// One path of the commit to be made.
pub(crate) struct Change {
    /// The path from the top of the repository.
    pub(crate) path: String,
    /// The blob that is to be there.
    pub(crate) blob: Oid,
}

/// What a commit is to contain, besides its message.
pub(crate) struct Content {
    /// All files.
    pub(crate) files: Vec<Change>,
    /// The commit it follows; none for the first.
    pub(crate) parent: Option<Oid>,
}

impl Git {
    /// Streams a blob into the repository.
    pub(crate) fn write_blob(&self, mut reader: impl Read) -> Result<Oid> {
        let mut writer = self.repo.blob_writer(None)?;
        io::copy(&mut reader, &mut writer)?;
        Ok(writer.commit()?)
    }

    /// Commits `content` to the ref `name` and returns the commit; when nothing would change, the parent.
    pub(crate) fn write_commit(
        &self,
        name: &str,
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
        let tree = self.repo.find_tree(index.write_tree_to(&self.repo)?)?;
        let parent = content.parent.map(|oid| self.commit(oid)).transpose()?;
        if let Some(parent) = &parent
            && parent.tree_id() == tree.id()
        {
            self.point(name, None, parent.id(), message)?;
            return Ok(parent.id());
        }
        let signature = Signature::now(author, &format!("{author}@localhost"))?;
        let parents = parent.iter().collect::<Vec<_>>();
        let commit = self.repo.commit(None, &signature, &signature, message, &tree, &parents)?;
        self.point(name, content.parent, commit, message)?;
        Ok(commit)
    }

    /// Moves a ref from `expected` to `target`; creates it when it does not exist yet.
    fn point(&self, name: &str, expected: Option<Oid>, target: Oid, message: &str) -> Result<()> {
        let current = super::found(self.repo.refname_to_id(name))?;
        match (current, expected) {
            (Some(current), _) if current == target => {}
            (None, _) => drop(self.repo.reference(name, target, false, message)?),
            (Some(current), Some(expected)) if current == expected => {
                self.repo.reference_matching(name, target, true, current, message)?;
            }
            _ => bail!("`{name}` has moved in the meantime"),
        }
        Ok(())
    }
}

fn index_entry(change: Change) -> IndexEntry {
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
