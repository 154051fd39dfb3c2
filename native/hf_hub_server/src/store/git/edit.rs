//! Creates a tree that differs from another in a few paths.
//!
//! Edits apply in order, and an impossible edit is an error: only existing files can be removed,
//! and a file never silently replaces a folder.

use std::path::Path;

use git2::{Index, Oid};

use super::write::{Change, index_entry};
use super::{Git, SMALL, found};

/// One change of a tree.
#[derive(Debug)]
pub(crate) enum Edit {
    /// Adds or replaces a file.
    Put {
        /// The path from the root of the repository.
        path: String,
        /// Its content.
        blob: Oid,
    },
    /// Removes a file, or a folder named without a trailing slash.
    RemoveFile {
        /// The path from the root of the repository.
        path: String,
    },
    /// Removes a folder with everything in it.
    RemoveFolder {
        /// The path from the root of the repository, without a trailing slash.
        path: String,
    },
}

/// Why an edit cannot be applied.
#[derive(Debug)]
pub(crate) enum EditError {
    /// The file does not exist.
    NoSuchFile(String),
    /// The folder does not exist.
    NoSuchFolder(String),
    /// There is a folder at the path, or the path leads through a file.
    InTheWay(String),
    /// Git does not allow this path.
    BadPath(String),
    /// Another error.
    Other(anyhow::Error),
}

impl From<git2::Error> for EditError {
    fn from(err: git2::Error) -> Self {
        Self::Other(err.into())
    }
}

impl Git {
    /// Writes the tree of `commit` after these edits.
    pub(crate) fn edit(&self, commit: Oid, edits: Vec<Edit>) -> Result<Oid, EditError> {
        let mut index = Index::new()?;
        index.read_tree(&self.commit(commit)?.tree()?)?;
        for edit in edits {
            apply(&mut index, edit)?;
        }
        let tree = index.write_tree_to(&self.repo);
        tree.map_err(|err| EditError::Other(self.write_failure(err, SMALL)))
    }
}

fn apply(index: &mut Index, edit: Edit) -> Result<(), EditError> {
    // libgit2's binding panics on other paths.
    let (Edit::Put { path, .. } | Edit::RemoveFile { path } | Edit::RemoveFolder { path }) = &edit;
    if path.contains('\0') || path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(EditError::BadPath(path.clone()));
    }
    match edit {
        Edit::Put { path, blob } => put(index, path, blob),
        Edit::RemoveFile { path } => {
            if is_file(index, &path) {
                return Ok(index.remove(Path::new(&path), 0)?);
            }
            if !is_folder(index, &path)? {
                return Err(EditError::NoSuchFile(path));
            }
            Ok(index.remove_dir(Path::new(&path), 0)?)
        }
        Edit::RemoveFolder { path } => {
            if !is_folder(index, &path)? {
                return Err(EditError::NoSuchFolder(path));
            }
            Ok(index.remove_dir(Path::new(&path), 0)?)
        }
    }
}

fn put(index: &mut Index, path: String, blob: Oid) -> Result<(), EditError> {
    // Git itself would remove the conflicting file or folder.
    let is_through_file = path.match_indices('/').any(|(end, _)| is_file(index, &path[..end]));
    if is_through_file || is_folder(index, &path)? {
        return Err(EditError::InTheWay(path));
    }
    let entry = index_entry(Change { path: path.clone(), blob });
    index.add(&entry).map_err(|_| EditError::BadPath(path))
}

fn is_file(index: &Index, path: &str) -> bool {
    index.get_path(Path::new(path), 0).is_some()
}

fn is_folder(index: &Index, path: &str) -> Result<bool, git2::Error> {
    Ok(found(index.find_prefix(Path::new(&format!("{path}/"))))?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        _dir: tempfile::TempDir,
        git: Git,
        head: Oid,
        blob: Oid,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let files = ["a", "d/b", "d/e/c"].map(|path| (path, &b"x"[..]));
        let (_, first) = Git::in_memory(&files, "first", "me").unwrap();
        let git = Git::create(&dir.path().join("x.git"), &first).unwrap();
        let (head, blob) = (first.commit, git.write_blob(&b"x"[..]).unwrap());
        Fixture { _dir: dir, git, head, blob }
    }

    impl Fixture {
        fn edit(&self, edits: Vec<Edit>) -> Result<Vec<String>, EditError> {
            let tree = self.git.edit(self.head, edits)?;
            let draft = super::super::Draft { tree, parent: None, message: "next", author: "me" };
            let commit = self.git.commit_tree(&draft).unwrap();
            let listed = self.git.list(commit, "", true)?.unwrap();
            Ok(listed.into_iter().filter(|l| !l.is_folder).map(|l| l.path).collect())
        }

        fn put(&self, path: &str) -> Edit {
            Edit::Put { path: path.into(), blob: self.blob }
        }
    }

    fn remove(path: &str) -> Edit {
        Edit::RemoveFile { path: path.into() }
    }

    fn remove_folder(path: &str) -> Edit {
        Edit::RemoveFolder { path: path.into() }
    }

    #[test]
    fn applies_edits_in_order() {
        let repo = fixture();
        let paths = repo.edit(vec![repo.put("n/x"), remove("a"), remove_folder("d/e")]).unwrap();
        assert_eq!(paths, ["d/b", "n/x"]);
        let paths = repo.edit(vec![remove_folder("d"), repo.put("d/b"), repo.put("a")]).unwrap();
        assert_eq!(paths, ["a", "d/b"]);
        assert_eq!(repo.edit(vec![remove("a"), repo.put("a/b")]).unwrap()[0], "a/b");
        assert_eq!(repo.edit(vec![remove("d")]).unwrap(), ["a"]);
    }

    #[test]
    fn rejects_impossible_edits() {
        let repo = fixture();
        let err = |edit| repo.edit(vec![edit]).unwrap_err();
        assert!(matches!(err(remove("none")), EditError::NoSuchFile(_)));
        assert!(matches!(err(remove("d/none")), EditError::NoSuchFile(_)));
        assert!(matches!(err(remove_folder("a")), EditError::NoSuchFolder(_)));
        assert!(matches!(err(remove_folder("d/")), EditError::BadPath(_)));
        assert!(matches!(err(remove("../x")), EditError::BadPath(_)));
        assert!(matches!(err(repo.put("d")), EditError::InTheWay(_)));
        assert!(matches!(err(repo.put("a/b")), EditError::InTheWay(_)));
        for path in [".git/x", "../x", "d/../b", "/x", "x//y", ".GIT/x", "git~1/x"] {
            assert!(matches!(err(repo.put(path)), EditError::BadPath(_)), "{path}");
        }
    }
}
