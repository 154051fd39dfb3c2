//! Creates, renames, copies and deletes repositories.
//!
//! The row in the database makes a repository visible, so it is written last and removed first.
//! Permissions are checked by the caller.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rusqlite::Transaction;
use walkdir::WalkDir;

use super::access::Access;
use super::disk;
use super::git::Git;
use super::repo::{self, Lookup, Repo};
use super::repo_lock::RepoLock;
use super::settings::Settings;
use super::spaces::NewSpace;
use super::{RepoKey, Store, facts, first_commit, index};

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
        self.create_new(key, settings, files, author, None)
    }

    /// Same as [`Self::create_repo`], with what a Space has besides its files.
    pub(crate) fn create_space(
        &self,
        key: &RepoKey,
        settings: Settings,
        files: &[FirstFile<'_>],
        author: &str,
        space: &NewSpace,
    ) -> Result<Option<Repo>> {
        self.create_new(key, settings, files, author, Some(space))
    }

    fn create_new(
        &self,
        key: &RepoKey,
        settings: Settings,
        files: &[FirstFile<'_>],
        author: &str,
        space: Option<&NewSpace>,
    ) -> Result<Option<Repo>> {
        let lock = self.lock(key)?;
        if self.is_taken(key)? {
            return Ok(None);
        }
        let created = self.create(key, settings, files, author, space)?;
        lock.settle();
        Ok(created)
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

    /// Creates a repository with its first commit; the caller holds its lock. `None` if the name is
    /// taken meanwhile, in another case.
    pub(super) fn create(
        &self,
        key: &RepoKey,
        settings: Settings,
        files: &[FirstFile<'_>],
        author: &str,
        space: Option<&NewSpace>,
    ) -> Result<Option<Repo>> {
        let git_dir = self.prepare_place(key)?;
        let (git, first) = Git::in_memory(files, "initial commit", author)?;
        let waits = first_commit::may_wait(&first);
        if !waits {
            Git::create(&git_dir, &first).with_context(|| format!("cannot create {key}"))?;
        }
        let facts = facts::read(key.kind, &git, &self.lfs(), first.commit)?;
        let sealer = self.sealer()?;
        self.publish(key, settings, git_dir, |tx, row| {
            if let Some(space) = space {
                space.save(tx, row, None, &sealer)?;
            }
            if waits {
                first_commit::save(tx, row, &first)?;
            }
            index::save_first(tx, row, &facts)
        })
    }

    /// Makes a prepared repository visible; `None` if the name is taken.
    fn publish(
        &self,
        key: &RepoKey,
        settings: Settings,
        git_dir: PathBuf,
        more: impl FnOnce(&Transaction<'_>, i64) -> Result<()>,
    ) -> Result<Option<Repo>> {
        let row = self.db.write(|tx| {
            let row = repo::insert(tx, key, &settings)?;
            row.map(|row| more(tx, row)).transpose()?;
            Ok(row)
        })?;
        let Some(row) = row else {
            disk::remove_folder(&git_dir)?;
            return Ok(None);
        };
        let access = Access::new(self.db.clone(), row);
        let (key, waiting) = (key.clone(), Some(self.db.clone()));
        Ok(Some(Repo { key, settings, access, row, git_dir, waiting }))
    }

    /// Removes a repository; `false` if it does not exist.
    pub(crate) fn remove(&self, key: &RepoKey) -> Result<bool> {
        let _lock = self.lock(key)?;
        let Lookup::Found(repo) = self.locate(key)? else { return Ok(false) };
        if !self.db.write(|tx| repo::delete(tx, repo.row))? {
            return Ok(false);
        }
        disk::remove_folder(&repo.git_dir)?;
        self.spaces().logs(&repo.settings.object_id).remove()?;
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
        let moved = self.prepare_place(new)?;
        let git_dir = repo.git_dir()?;
        fs::rename(git_dir, &moved).with_context(|| format!("cannot move {old}"))?;
        if let Err(err) = self.db.write(|tx| repo::rename(tx, &repo, new)) {
            // If the disk is full, the repository must stay at the name in its row.
            fs::rename(&moved, git_dir)?;
            return Err(err);
        }
        Ok(true)
    }

    /// Copies a repository with its history, but without its pull requests; `None` if the new name
    /// is taken.
    pub(crate) fn duplicate(
        &self,
        source: &RepoKey,
        target: &RepoKey,
        settings: Settings,
        space: Option<&NewSpace>,
    ) -> Result<Option<Repo>> {
        let _locks = self.lock_both(source, target)?;
        let original = self.find(source)?;
        if self.is_taken(target)? {
            return Ok(None);
        }
        let copy = self.prepare_place(target)?;
        copy_tree(original.git_dir()?, &copy).with_context(|| format!("cannot copy {source}"))?;
        let git = Git::open(&copy)?;
        for pull_request in git.refs(true)?.pull_requests.unwrap_or_default() {
            git.delete_ref(&pull_request.full_name)?;
        }
        let sealer = self.sealer()?;
        self.publish(target, settings, copy, |tx, row| match space {
            Some(space) => space.save(tx, row, Some(&original), &sealer),
            None => Ok(()),
        })
    }

    /// Whether a repository has this name, in any case.
    fn is_taken(&self, key: &RepoKey) -> Result<bool> {
        Ok(self.db.read(|tx| repo::in_any_case(tx, key))?.is_some())
    }

    /// Prepares the folder of a repository that is not visible yet.
    fn prepare_place(&self, key: &RepoKey) -> Result<PathBuf> {
        let git_dir = self.git_dir(key);
        disk::create_parent(&git_dir)?;
        // The remains of an interrupted creation have no row and so were never visible.
        disk::remove_folder(&git_dir)?;
        Ok(git_dir)
    }

    /// Takes both locks, always in the same order, so that two operations cannot deadlock.
    fn lock_both(&self, a: &RepoKey, b: &RepoKey) -> Result<(RepoLock, Option<RepoLock>)> {
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
