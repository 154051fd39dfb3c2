//! The contents of a commit: files with their real sizes, and folders.
//!
//! Names that are not UTF-8 are shown with replacement characters and cannot be requested: the
//! Hub's JSON and URLs cannot represent them.

use git2::{ObjectType, Oid, Tree, TreeEntry};

use super::super::lfs::{MAX_POINTER_SIZE, Pointer};
use super::{Git, found};

/// A name in a tree, before its size is known.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// The path from the root of the repository.
    pub(crate) path: String,
    /// The blob or tree.
    pub(crate) oid: Oid,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
}

/// A file or a folder of a commit.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The path from the root of the repository.
    pub(crate) path: String,
    /// The blob or tree.
    pub(crate) oid: Oid,
    /// Its kind.
    pub(crate) kind: EntryKind,
}

/// The kind of an entry.
#[derive(Clone, Debug)]
pub(crate) enum EntryKind {
    /// A folder.
    Folder,
    /// A file whose content is in git.
    File {
        /// Its size.
        size: u64,
    },
    /// A file whose content is in the large file store.
    Lfs {
        /// The LFS pointer in git.
        pointer: Pointer,
        /// The size of the pointer.
        pointer_size: u64,
    },
}

impl Entry {
    /// Returns the size of a download; 0 for a folder.
    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            EntryKind::Folder => 0,
            EntryKind::File { size } => *size,
            EntryKind::Lfs { pointer, .. } => pointer.size,
        }
    }

    /// Returns the `ETag` without quotes.
    pub(crate) fn etag(&self) -> String {
        match &self.kind {
            EntryKind::Lfs { pointer, .. } => pointer.oid.clone(),
            _ => self.oid.to_string(),
        }
    }
}

impl Git {
    /// Lists a folder, `""` for the root; `None` if it does not exist.
    pub(crate) fn list(
        &self,
        commit: Oid,
        path: &str,
        recursive: bool,
    ) -> Result<Option<Vec<Listed>>, git2::Error> {
        let root = self.commit(commit)?.tree()?;
        let tree = match path {
            "" => root,
            _ => match self.find(&root, path)? {
                Some((oid, ObjectType::Tree)) => self.repo.find_tree(oid)?,
                _ => return Ok(None),
            },
        };
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut list = Vec::new();
        self.walk(&tree, &prefix, recursive, &mut list)?;
        Ok(Some(list))
    }

    /// Returns one file or folder; `None` if it does not exist.
    pub(crate) fn entry(&self, commit: Oid, path: &str) -> Result<Option<Entry>, git2::Error> {
        let root = self.commit(commit)?.tree()?;
        let Some((oid, kind)) = self.find(&root, path)? else { return Ok(None) };
        self.describe(Listed { path: path.to_owned(), oid, is_folder: kind == ObjectType::Tree })
            .map(Some)
    }

    /// Adds size and pointer to a listed name.
    pub(crate) fn describe(&self, listed: Listed) -> Result<Entry, git2::Error> {
        let Listed { path, oid, is_folder } = listed;
        let kind = if is_folder { EntryKind::Folder } else { self.file_kind(oid)? };
        Ok(Entry { path, oid, kind })
    }

    /// Returns the content of a blob, in memory: git's packed format does not allow streaming.
    pub(crate) fn blob(&self, oid: Oid) -> Result<Vec<u8>, git2::Error> {
        self.read_blob(oid, <[u8]>::to_vec)
    }

    /// Returns the result of `read` for the bytes of a blob, which are not copied.
    pub(crate) fn read_blob<T>(
        &self,
        oid: Oid,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, git2::Error> {
        Ok(read(self.repo.find_blob(oid)?.content()))
    }

    /// Returns the size of a blob.
    pub(crate) fn blob_size(&self, oid: Oid) -> Result<u64, git2::Error> {
        Ok(self.repo.odb()?.read_header(oid)?.0 as u64)
    }

    /// Returns the object at a path in a tree. Segments are looked up one by one as plain names, so
    /// `..` and an empty segment find nothing.
    pub(super) fn find(
        &self,
        root: &Tree<'_>,
        path: &str,
    ) -> Result<Option<(Oid, ObjectType)>, git2::Error> {
        let mut tree = None;
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let here = tree.as_ref().unwrap_or(root);
            let Some((oid, kind)) = child(here, segment) else { return Ok(None) };
            if segments.peek().is_none() {
                return Ok(Some((oid, kind)));
            }
            if kind != ObjectType::Tree {
                return Ok(None);
            }
            let Some(next) = found(self.repo.find_tree(oid))? else { return Ok(None) };
            tree = Some(next);
        }
        Ok(None)
    }

    fn walk(
        &self,
        tree: &Tree<'_>,
        prefix: &str,
        recursive: bool,
        list: &mut Vec<Listed>,
    ) -> Result<(), git2::Error> {
        for entry in tree {
            let Some(kind) = shown(&entry) else { continue };
            let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name_bytes()));
            let is_folder = kind == ObjectType::Tree;
            list.push(Listed { path: path.clone(), oid: entry.id(), is_folder });
            if is_folder && recursive {
                let subtree = self.repo.find_tree(entry.id())?;
                self.walk(&subtree, &format!("{path}/"), recursive, list)?;
            }
        }
        Ok(())
    }

    fn file_kind(&self, oid: Oid) -> Result<EntryKind, git2::Error> {
        let (size, _) = self.repo.odb()?.read_header(oid)?;
        let size = size as u64;
        if size <= MAX_POINTER_SIZE
            && let Some(pointer) = Pointer::parse(self.repo.find_blob(oid)?.content())
        {
            return Ok(EntryKind::Lfs { pointer, pointer_size: size });
        }
        Ok(EntryKind::File { size })
    }
}

fn child(tree: &Tree<'_>, name: &str) -> Option<(Oid, ObjectType)> {
    if name.is_empty() || name.contains('\0') {
        return None;
    }
    let entry = tree.get_name(name)?;
    Some((entry.id(), shown(&entry)?))
}

/// Returns the type of an entry that clients may see; submodules are left out, as on the Hub.
fn shown(entry: &TreeEntry<'_>) -> Option<ObjectType> {
    entry.kind().filter(|kind| matches!(kind, ObjectType::Blob | ObjectType::Tree))
}
