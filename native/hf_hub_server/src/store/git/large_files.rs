//! Large files in the history of a repository, and a history without some of them.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use git2::{Commit, Diff, DiffOptions, ObjectType, Oid, Sort};
use jiff::Timestamp;

use super::super::lfs::{MAX_POINTER_SIZE, Pointer};
use super::{Git, MAIN_REF};

/// A large file where it appears first in the history.
#[derive(Clone, Debug)]
pub(crate) struct Pushed {
    /// Its pointer.
    pub(crate) pointer: Pointer,
    /// The pointer's blob.
    pub(crate) blob: Oid,
    /// Its path.
    pub(crate) path: String,
    /// The full name of the ref that leads to it.
    pub(crate) reference: String,
    /// The author of the commit.
    pub(crate) author: String,
    /// The time of the commit.
    pub(crate) date: Timestamp,
}

/// A ref that was moved to a rewritten commit.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten {
    /// The full name.
    pub(crate) name: String,
    /// The commit before.
    pub(crate) old: Oid,
    /// The commit after.
    pub(crate) new: Oid,
}

impl Git {
    /// Returns the large files of all commits that a ref leads to. One that was committed with
    /// several blobs, such as pointers of another form, is there several times.
    pub(crate) fn large_files(&self) -> Result<Vec<Pushed>> {
        let (mut found, mut seen, mut hidden) = (Vec::new(), HashSet::new(), Vec::new());
        for (name, tip) in self.named_tips()? {
            let mut walk = self.repo.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
            walk.push(tip)?;
            hidden.iter().try_for_each(|tip| walk.hide(*tip))?;
            for oid in walk {
                self.add_new(&self.commit(oid?)?, &name, &mut seen, &mut found)?;
            }
            hidden.push(tip);
        }
        Ok(found)
    }

    /// Returns the refs that lead to commits: the main branch first, then other branches and tags,
    /// pull requests last.
    fn named_tips(&self) -> Result<Vec<(String, Oid)>> {
        let mut tips = Vec::new();
        for reference in self.repo.references()? {
            let reference = reference?;
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            if let Some(commit) = super::found(reference.peel_to_commit())? {
                tips.push((name, commit.id()));
            }
        }
        tips.sort_by_key(|(name, _)| {
            (name != MAIN_REF, name.starts_with("refs/pr/"), name.clone())
        });
        Ok(tips)
    }

    fn add_new(
        &self,
        commit: &Commit<'_>,
        reference: &str,
        seen: &mut HashSet<Oid>,
        found: &mut Vec<Pushed>,
    ) -> Result<()> {
        for delta in self.changes_of(commit)?.deltas() {
            let (blob, path) = (delta.new_file().id(), delta.new_file().path_bytes());
            let (false, Some(path)) = (blob.is_zero() || !seen.insert(blob), path) else {
                continue;
            };
            if let Some(pointer) = self.pointer(blob)? {
                let author = String::from_utf8_lossy(commit.author().name_bytes()).into_owned();
                let date = Timestamp::from_second(commit.time().seconds());
                found.push(Pushed {
                    pointer,
                    blob,
                    path: String::from_utf8_lossy(path).into_owned(),
                    reference: reference.to_owned(),
                    author,
                    date: date.unwrap_or(Timestamp::UNIX_EPOCH),
                });
            }
        }
        Ok(())
    }

    /// Returns what differs from the first parent.
    fn changes_of(&self, commit: &Commit<'_>) -> Result<Diff<'_>, git2::Error> {
        let parent = match commit.parents().next() {
            Some(parent) => Some(parent.tree()?),
            None => None,
        };
        let mut options = DiffOptions::new();
        options.skip_binary_check(true).ignore_submodules(true);
        self.repo.diff_tree_to_tree(parent.as_ref(), Some(&commit.tree()?), Some(&mut options))
    }

    fn pointer(&self, blob: Oid) -> Result<Option<Pointer>> {
        let (size, kind) = self.repo.odb()?.read_header(blob)?;
        if kind != ObjectType::Blob || size as u64 > MAX_POINTER_SIZE {
            return Ok(None);
        }
        Ok(Pointer::parse(self.repo.find_blob(blob)?.content()))
    }

    /// Rewrites every commit that a ref leads to without the files that have these blobs, and moves
    /// the refs. The caller holds the repository's lock.
    pub(crate) fn rewrite_without(&self, blobs: &HashSet<Oid>) -> Result<Vec<Rewritten>> {
        let mut rewrite =
            Rewrite { git: self, blobs, commits: HashMap::new(), trees: HashMap::new() };
        let tips = self.named_tips()?;
        for (_, tip) in &tips {
            rewrite.history(*tip)?;
        }
        let mut moved = Vec::new();
        for (name, old) in tips {
            let new = rewrite.commits[&old];
            if new != old {
                self.move_to_rewritten(&name, new)?;
                moved.push(Rewritten { name, old, new });
            }
        }
        Ok(moved)
    }

    /// Moves a ref; an annotated tag is made again with its message.
    fn move_to_rewritten(&self, name: &str, new: Oid) -> Result<()> {
        let reference = self.repo.find_reference(name)?;
        let annotated = super::found(reference.peel_to_tag())?;
        let mut target = new;
        if let Some(tag) = annotated {
            let commit = self.repo.find_object(new, Some(ObjectType::Commit))?;
            let label = String::from_utf8_lossy(tag.name_bytes()).into_owned();
            let message = String::from_utf8_lossy(tag.message_bytes().unwrap_or_default());
            let tagger = match tag.tagger() {
                Some(tagger) => tagger.to_owned(),
                None => self.commit(new)?.committer().to_owned(),
            };
            target = self.repo.tag_annotation_create(&label, &commit, &tagger, &message)?;
        }
        self.repo.reference(name, target, true, "large files were deleted")?;
        Ok(())
    }
}

/// A rewrite in progress, and what was rewritten so far.
struct Rewrite<'a> {
    git: &'a Git,
    blobs: &'a HashSet<Oid>,
    commits: HashMap<Oid, Oid>,
    trees: HashMap<Oid, Option<Oid>>,
}

impl Rewrite<'_> {
    fn history(&mut self, tip: Oid) -> Result<()> {
        let mut walk = self.git.repo.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(tip)?;
        for oid in walk {
            let oid = oid?;
            if !self.commits.contains_key(&oid) {
                let new = self.commit(oid)?;
                self.commits.insert(oid, new);
            }
        }
        Ok(())
    }

    fn commit(&mut self, oid: Oid) -> Result<Oid> {
        let repo = &self.git.repo;
        let commit = self.git.commit(oid)?;
        let tree = match self.tree(commit.tree_id())? {
            Some(tree) => tree,
            None => self.git.empty_tree()?,
        };
        let old = commit.parent_ids().collect::<Vec<_>>();
        let new = old.iter().map(|parent| self.commits[parent]).collect::<Vec<_>>();
        if tree == commit.tree_id() && new == old {
            return Ok(oid);
        }
        let parents = new.iter().map(|id| self.git.commit(*id)).collect::<Result<Vec<_>, _>>()?;
        let message = String::from_utf8_lossy(commit.message_raw_bytes()).into_owned();
        let tree = repo.find_tree(tree)?;
        let parents = parents.iter().collect::<Vec<_>>();
        Ok(repo.commit(None, &commit.author(), &commit.committer(), &message, &tree, &parents)?)
    }

    /// Returns the tree without the files; `None` if nothing is left of it.
    fn tree(&mut self, oid: Oid) -> Result<Option<Oid>> {
        if let Some(known) = self.trees.get(&oid) {
            return Ok(*known);
        }
        let tree = self.git.repo.find_tree(oid)?;
        let mut builder = self.git.repo.treebuilder(Some(&tree))?;
        let mut is_changed = false;
        for entry in &tree {
            let new = match entry.kind() {
                Some(ObjectType::Tree) => self.tree(entry.id())?,
                Some(ObjectType::Blob) if self.blobs.contains(&entry.id()) => None,
                _ => Some(entry.id()),
            };
            match new {
                Some(new) if new == entry.id() => continue,
                Some(new) => drop(builder.insert(entry.name_bytes(), new, entry.filemode())?),
                None => builder.remove(entry.name_bytes())?,
            }
            is_changed = true;
        }
        let new = match (is_changed, builder.is_empty()) {
            (false, _) => Some(oid),
            (true, true) => None,
            (true, false) => Some(builder.write()?),
        };
        self.trees.insert(oid, new);
        Ok(new)
    }
}
