//! What a push adds, before any ref points to it.
//!
//! A few bytes can describe more files than any disk holds, nested deeper than any path may be, so
//! each folder is looked at once.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Result, bail};
use git2::{ObjectType, Oid, Tree, TreeEntry};

use super::{Git, found};

/// Nothing below this depth has a path that is short enough for a repository.
const MAX_DEPTH: usize = 1024;

/// A file that a commit adds or changes.
#[derive(Debug)]
pub(crate) struct Added {
    /// The path from the root of the repository; not every name in git is UTF-8.
    pub(crate) path: Vec<u8>,
    /// Its blob, and the size of that; `None` for what has no content, such as a submodule.
    pub(crate) blob: Option<(Oid, u64)>,
}

/// The extent of a tree with all its folders.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    /// Number of files and folders.
    pub(crate) entries: u64,
    /// Length of the longest path in bytes.
    pub(crate) longest_path: usize,
}

/// The folders that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    visited: HashSet<Oid>,
    extents: HashMap<Oid, Extent>,
}

impl Git {
    /// Opens a repository together with a folder of further objects.
    pub(crate) fn open_with(dir: &Path, objects: &Path) -> Result<Self> {
        let git = Self::open(dir)?;
        let Some(objects) = objects.to_str() else { bail!("{} is not UTF-8", objects.display()) };
        git.repo.odb()?.add_disk_alternate(objects)?;
        Ok(git)
    }

    /// Whether an object exists and is a commit.
    pub(crate) fn is_commit(&self, oid: Oid) -> Result<bool, git2::Error> {
        Ok(found(self.repo.find_commit(oid))?.is_some())
    }

    /// Returns the commit that an object is or, for a tag, leads to.
    pub(crate) fn peel(&self, oid: Oid) -> Result<Option<Oid>, git2::Error> {
        let Some(object) = found(self.repo.find_object(oid, None))? else { return Ok(None) };
        Ok(found(object.peel_to_commit())?.map(|commit| commit.id()))
    }

    /// Returns the commits that lead to one of `tips`, but to none of `known`.
    pub(crate) fn between(&self, known: &[Oid], tips: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.repo.revwalk()?;
        tips.iter().try_for_each(|tip| walk.push(*tip))?;
        known.iter().try_for_each(|known| walk.hide(*known))?;
        walk.collect()
    }

    /// Calls `visit` for each file that a commit adds or changes, except in folders seen before.
    pub(crate) fn added(
        &self,
        commit: Oid,
        seen: &mut Seen,
        visit: &mut dyn FnMut(Added) -> Result<()>,
    ) -> Result<()> {
        let commit = self.commit(commit)?;
        let parents = commit.parents().map(|parent| parent.tree());
        let parents = parents.collect::<Result<Vec<_>, _>>()?;
        self.added_to(&commit.tree()?, &parents, &mut Vec::new(), &mut seen.visited, visit)
    }

    fn added_to(
        &self,
        tree: &Tree<'_>,
        parents: &[Tree<'_>],
        path: &mut Vec<u8>,
        visited: &mut HashSet<Oid>,
        visit: &mut dyn FnMut(Added) -> Result<()>,
    ) -> Result<()> {
        let is_old = parents.iter().any(|parent| parent.id() == tree.id());
        if is_old || !visited.insert(tree.id()) {
            return Ok(());
        }
        let start = path.len();
        for entry in tree {
            let name = entry.name_bytes();
            let before = parents.iter().filter_map(|parent| parent.get_name_bytes(name));
            let before = before.collect::<Vec<_>>();
            if before.iter().any(|old| is_same(old, &entry)) {
                continue;
            }
            if start > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            if entry.kind() == Some(ObjectType::Tree) && path.len() <= 2 * MAX_DEPTH {
                let folder = self.repo.find_tree(entry.id())?;
                let before = before.iter().filter_map(|old| self.repo.find_tree(old.id()).ok());
                self.added_to(&folder, &before.collect::<Vec<_>>(), path, visited, visit)?;
            } else {
                let blob = (entry.kind() == Some(ObjectType::Blob)).then(|| entry.id());
                let blob = blob.map(|oid| Ok::<_, git2::Error>((oid, self.blob_size(oid)?)));
                visit(Added { path: path.clone(), blob: blob.transpose()? })?;
            }
            path.truncate(start);
        }
        Ok(())
    }

    /// Returns the extent of a commit's tree.
    pub(crate) fn extent(&self, commit: Oid, seen: &mut Seen) -> Result<Extent> {
        self.extent_of(&self.commit(commit)?.tree()?, 0, &mut seen.extents)
    }

    fn extent_of(
        &self,
        tree: &Tree<'_>,
        depth: usize,
        known: &mut HashMap<Oid, Extent>,
    ) -> Result<Extent> {
        if depth > MAX_DEPTH {
            return Ok(Extent { entries: 0, longest_path: usize::MAX });
        }
        if let Some(extent) = known.get(&tree.id()) {
            return Ok(*extent);
        }
        let mut extent = Extent::default();
        for entry in tree {
            let mut below = Extent::default();
            let mut length = entry.name_bytes().len();
            if entry.kind() == Some(ObjectType::Tree) {
                below = self.extent_of(&self.repo.find_tree(entry.id())?, depth + 1, known)?;
                length = below.longest_path.saturating_add(length + 1);
            }
            extent.longest_path = extent.longest_path.max(length);
            extent.entries = extent.entries.saturating_add(below.entries.saturating_add(1));
        }
        known.insert(tree.id(), extent);
        Ok(extent)
    }
}

fn is_same(old: &TreeEntry<'_>, new: &TreeEntry<'_>) -> bool {
    old.id() == new.id() && old.filemode_raw() == new.filemode_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> (tempfile::TempDir, Git) {
        let dir = tempfile::tempdir().unwrap();
        let (_, first) = Git::in_memory(&[("a", &b"x"[..])], "first", "me").unwrap();
        let git = Git::create(&dir.path().join("x.git"), &first).unwrap();
        (dir, git)
    }

    /// Commits a tree in which each folder has `width` entries that are the same folder.
    fn nested(git: &Git, width: usize, depth: usize) -> Oid {
        let blob = git.write_bytes(b"x").unwrap();
        let mut tree = None;
        for _ in 0..depth {
            let mut builder = git.repo.treebuilder(None).unwrap();
            for n in 0..width {
                let (oid, mode) = tree.map_or((blob, 0o100_644), |tree| (tree, 0o040_000));
                builder.insert(n.to_string(), oid, mode).unwrap();
            }
            tree = Some(builder.write().unwrap());
        }
        let draft =
            super::super::Draft { tree: tree.unwrap(), parent: None, message: "m", author: "a" };
        git.commit_tree(&draft).unwrap()
    }

    fn paths(git: &Git, commit: Oid) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        let mut visit = |added: Added| {
            paths.push(added.path);
            Ok(())
        };
        git.added(commit, &mut Seen::default(), &mut visit).unwrap();
        paths
    }

    #[test]
    fn a_tree_of_more_files_than_memory_holds_is_measured_at_once() {
        let (_dir, git) = empty();
        let commit = nested(&git, 10, 12);
        let extent = git.extent(commit, &mut Seen::default()).unwrap();
        assert_eq!(extent.entries, (1..=12).map(|n| 10_u64.pow(n)).sum::<u64>());
        assert_eq!(extent.longest_path, 12 + 11);
        assert_eq!(paths(&git, commit).len(), 10, "equal folders are visited once");
    }

    #[test]
    fn a_tree_that_is_too_deep_has_no_extent() {
        let (_dir, git) = empty();
        let commit = nested(&git, 1, 1_200);
        let extent = git.extent(commit, &mut Seen::default()).unwrap();
        assert_eq!(extent.longest_path, usize::MAX);
        assert_eq!(paths(&git, commit).len(), 1);
    }
}
