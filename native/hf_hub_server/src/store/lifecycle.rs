//! Creates, renames, copies and deletes repositories.
//!
//! The settings file makes a repository visible, so it is written last and removed first.
//! Permissions are checked by the caller.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use super::disk::{self, Lock};
use super::git::{Change, Content, Git, MAIN_REF};
use super::repo::{Lookup, Repo};
use super::settings::{Card, Settings};
use super::{RepoKey, Store};

/// Maximum number of renames to follow; a cycle leads nowhere.
const MAX_MOVES: usize = 20;

/// A file of the first commit.
pub(crate) type FirstFile<'a> = (&'a str, &'a [u8]);

impl Store {
    /// Creates a repository with these files; `None` if the name exists.
    pub(crate) fn create_repo(
        &self,
        key: &RepoKey,
        settings: Settings,
        files: &[FirstFile<'_>],
        author: &str,
    ) -> Result<Option<Repo>> {
        let _lock = self.lock(key)?;
        if self.is_taken(key)? {
            return Ok(None);
        }
        self.create(key, settings, files, author).map(Some)
    }

    /// Returns the repository that once had this name; `None` if it was deleted.
    pub(crate) fn follow(&self, key: &RepoKey) -> Result<Option<Repo>> {
        let mut key = key.clone();
        for _ in 0..MAX_MOVES {
            match self.locate(&key)? {
                Lookup::Found(repo) => return Ok(Some(*repo)),
                Lookup::Moved(id) => key.id = id,
                Lookup::Missing => break,
            }
        }
        Ok(None)
    }

    /// Creates a repository with its first commit; the caller holds its lock.
    pub(super) fn create(
        &self,
        key: &RepoKey,
        settings: Settings,
        files: &[FirstFile<'_>],
        author: &str,
    ) -> Result<Repo> {
        let repo = self.prepare_place(key, settings)?;
        let git = Git::init(&repo.git_dir).with_context(|| format!("cannot create {key}"))?;
        let mut changes = Vec::new();
        for (path, content) in files {
            changes.push(Change { path: (*path).to_owned(), blob: git.write_bytes(content)? });
        }
        let first = Content { files: changes, parent: None };
        git.write_commit(MAIN_REF, first, "initial commit", author)?;
        self.write_settings(key, repo.settings.clone())?;
        Ok(repo)
    }

    /// Removes a repository; `false` if it does not exist.
    pub(crate) fn remove(&self, key: &RepoKey) -> Result<bool> {
        let _lock = self.lock(key)?;
        let Lookup::Found(repo) = self.locate(key)? else { return Ok(false) };
        let card = self.card_path(key);
        fs::remove_file(&card).with_context(|| format!("cannot remove {}", card.display()))?;
        fs::remove_dir_all(&repo.git_dir)
            .with_context(|| format!("cannot remove {}", repo.git_dir.display()))?;
        Ok(true)
    }

    /// Renames a repository; the old name redirects from then on.
    pub(crate) fn rename(&self, old: &RepoKey, new: &RepoKey) -> Result<()> {
        if !self.try_rename(old, new)? {
            bail!("{new} exists already");
        }
        Ok(())
    }

    /// Renames a repository; `false` if the new name is taken.
    pub(crate) fn try_rename(&self, old: &RepoKey, new: &RepoKey) -> Result<bool> {
        let _locks = self.lock_both(old, new)?;
        let repo = self.find(old)?;
        // A repository may be renamed to its own name in a different case.
        let twin = self.spelled(new)?;
        if (twin != *old || old == new) && self.is_taken(new)? {
            return Ok(false);
        }
        let moved = self.prepare_place(new, repo.settings)?;
        fs::rename(&repo.git_dir, &moved.git_dir).with_context(|| format!("cannot move {old}"))?;
        if let Err(err) = self.write_settings(new, moved.settings) {
            // If the disk is full, the repository must stay where its settings are.
            fs::rename(&moved.git_dir, &repo.git_dir)?;
            return Err(err);
        }
        disk::write_json(&self.card_path(old), &Card::Moved { moved_to: new.id.to_string() })?;
        Ok(true)
    }

    /// Copies a repository with its history, but without its pull requests; `None` if the new name
    /// is taken.
    pub(crate) fn duplicate(
        &self,
        source: &RepoKey,
        target: &RepoKey,
        settings: Settings,
    ) -> Result<Option<Repo>> {
        let _locks = self.lock_both(source, target)?;
        let original = self.find(source)?;
        if self.is_taken(target)? {
            return Ok(None);
        }
        let copy = self.prepare_place(target, settings)?;
        copy_tree(&original.git_dir, &copy.git_dir)
            .with_context(|| format!("cannot copy {source}"))?;
        let git = copy.git()?;
        for pull_request in git.refs(true)?.pull_requests.unwrap_or_default() {
            git.delete_ref(&pull_request.full_name)?;
        }
        self.write_settings(target, copy.settings.clone())?;
        Ok(Some(copy))
    }

    /// Whether a repository has this name, in any case.
    fn is_taken(&self, key: &RepoKey) -> Result<bool> {
        Ok(matches!(self.locate(&self.spelled(key)?)?, Lookup::Found(_)))
    }

    /// Prepares the folder of a repository that is not visible yet.
    fn prepare_place(&self, key: &RepoKey, settings: Settings) -> Result<Repo> {
        if let Some(namespace) = key.id.namespace() {
            self.users().ensure_namespace(namespace)?;
        }
        let git_dir = self.git_dir(key);
        disk::create_parent(&git_dir)?;
        // The remains of an interrupted creation have no settings and so were never visible.
        if git_dir.exists() {
            fs::remove_dir_all(&git_dir)
                .with_context(|| format!("cannot replace {}", git_dir.display()))?;
        }
        Ok(Repo { key: key.clone(), git_dir, settings })
    }

    /// Takes both locks, always in the same order, so that two operations cannot deadlock.
    fn lock_both(&self, a: &RepoKey, b: &RepoKey) -> Result<(Lock, Option<Lock>)> {
        let (first, second) = if a.to_string() <= b.to_string() { (a, b) } else { (b, a) };
        let lock = self.lock(first)?;
        let other = (first != second).then(|| self.lock(second)).transpose()?;
        Ok((lock, other))
    }
}

/// Copies or links: objects and large files never change, so both repositories can share the files.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let relative = entry.path().strip_prefix(from)?;
        let target = to.join(relative);
        if entry.file_type().is_dir() {
            fs::create_dir(&target)?;
        } else if relative.starts_with("objects") || relative.starts_with("lfs") {
            link_or_copy(entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}
