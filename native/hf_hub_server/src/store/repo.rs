//! One repository: its name, its settings, its git repository, and its row in the database.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rusqlite::{OptionalExtension, Transaction};

use super::access::Access;
use super::db::Db;
use super::first_commit;
use super::git::Git;
use super::repo_id::{RepoId, RepoKey, RepoKind};
use super::settings::Settings;
use super::users;

/// An existing repository.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    /// Its name.
    pub(crate) key: RepoKey,
    /// Its settings.
    pub(crate) settings: Settings,
    /// The decisions about users.
    pub(crate) access: Access,
    /// Its id in the database.
    pub(super) row: i64,
    /// The bare repository.
    pub(super) git_dir: PathBuf,
    /// The database that had its first commit when this was read; the files may not exist yet.
    pub(super) waiting: Option<Db>,
}

impl Repo {
    /// Opens the git repository.
    pub(crate) fn git(&self) -> Result<Git> {
        Ok(Git::open(self.git_dir()?)?)
    }

    /// Returns the folder of the git repository, which is created if it was not needed so far.
    pub(crate) fn git_dir(&self) -> Result<&Path> {
        if let Some(db) = &self.waiting {
            first_commit::write(db, self.row, &self.git_dir)?;
        }
        Ok(&self.git_dir)
    }
}

/// The repository that a name leads to.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// A repository.
    Found(Box<Repo>),
    /// A repository that now has this name.
    Moved(RepoId),
    /// Nothing.
    Missing,
}

impl Lookup {
    /// Returns the repository, if the name leads directly to it.
    pub(crate) fn found(self) -> Option<Repo> {
        match self {
            Self::Found(repo) => Some(*repo),
            _ => None,
        }
    }
}

/// Returns the id and the settings of the repository of exactly that name.
pub(super) fn load(tx: &Transaction<'_>, key: &RepoKey) -> Result<Option<(i64, Settings)>> {
    let columns = Settings::COLUMNS;
    let mut query = tx.prepare_cached(&format!(
        "SELECT id, {columns} FROM repositories WHERE kind = ?1 AND full_id = ?2"
    ))?;
    let mut rows = query.query((key.kind.singular(), key.id.to_string()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((row.get(0)?, Settings::from_row(row, 1)?)))
}

/// Returns the name of a repository by its id in the database.
pub(super) fn key_of(tx: &Transaction<'_>, row: i64) -> Result<Option<RepoKey>> {
    let mut query = tx.prepare_cached("SELECT kind, full_id FROM repositories WHERE id = ?1")?;
    let mut rows = query.query([row])?;
    let Some(found) = rows.next()? else { return Ok(None) };
    let kind = RepoKind::from_singular(found.get_ref(0)?.as_str()?)?;
    Ok(Some(RepoKey::new(kind, found.get_ref(1)?.as_str()?.parse()?)))
}

/// Returns the name of the repository that differs in case only; the same name is preferred.
pub(super) fn in_any_case(tx: &Transaction<'_>, key: &RepoKey) -> Result<Option<RepoKey>> {
    twin(tx, "repositories", key)
}

/// Same as [`in_any_case`], for the redirects that renames have left.
pub(super) fn redirect_in_any_case(tx: &Transaction<'_>, key: &RepoKey) -> Result<Option<RepoKey>> {
    twin(tx, "redirects", key)
}

fn twin(tx: &Transaction<'_>, table: &str, key: &RepoKey) -> Result<Option<RepoKey>> {
    let mut query = tx.prepare_cached(&format!(
        "SELECT full_id FROM {table} WHERE kind = ?1 AND full_id = ?2 COLLATE NOCASE
         ORDER BY full_id = ?2 DESC, full_id LIMIT 1"
    ))?;
    let arguments = (key.kind.singular(), key.id.to_string());
    let found: Option<String> = query.query_row(arguments, |row| row.get(0)).optional()?;
    found.map(|id| Ok(RepoKey::new(key.kind, id.parse()?))).transpose()
}

/// Returns the id to which a name redirects.
pub(super) fn redirect(tx: &Transaction<'_>, key: &RepoKey) -> Result<Option<RepoId>> {
    let mut query =
        tx.prepare_cached("SELECT moved_to FROM redirects WHERE kind = ?1 AND full_id = ?2")?;
    let arguments = (key.kind.singular(), key.id.to_string());
    let found: Option<String> = query.query_row(arguments, |row| row.get(0)).optional()?;
    found.map(|id| id.parse()).transpose()
}

/// Adds a repository, and its namespace; `None` if the name is taken, in any case.
pub(super) fn insert(
    tx: &Transaction<'_>,
    key: &RepoKey,
    settings: &Settings,
) -> Result<Option<i64>> {
    if in_any_case(tx, key)?.is_some() {
        return Ok(None);
    }
    add(tx, key, settings).map(Some)
}

/// Adds a repository without looking for others of that name.
pub(super) fn add(tx: &Transaction<'_>, key: &RepoKey, settings: &Settings) -> Result<i64> {
    occupy(tx, key)?;
    tx.execute(
        "INSERT INTO repositories
           (kind, full_id, namespace, object_id, created_at, private, disabled, more)
         VALUES (?1, ?2, ?3, '', 0, 0, 0, '{}')",
        (key.kind.singular(), key.id.to_string(), key.id.namespace()),
    )?;
    let id = tx.last_insert_rowid();
    settings.save(tx, id)?;
    Ok(id)
}

/// Renames a repository; the old name redirects to the new one.
pub(super) fn rename(tx: &Transaction<'_>, old: &Repo, new: &RepoKey) -> Result<()> {
    occupy(tx, new)?;
    let done = tx.execute(
        "UPDATE repositories SET full_id = ?2, namespace = ?3 WHERE id = ?1",
        (old.row, new.id.to_string(), new.id.namespace()),
    )?;
    if done == 0 {
        bail!("there is no {}", old.key);
    }
    add_redirect(tx, &old.key, &new.id)
}

pub(super) fn add_redirect(tx: &Transaction<'_>, old: &RepoKey, new: &RepoId) -> Result<()> {
    tx.execute(
        "INSERT INTO redirects (kind, full_id, moved_to) VALUES (?1, ?2, ?3)
         ON CONFLICT (kind, full_id) DO UPDATE SET moved_to = excluded.moved_to",
        (old.kind.singular(), old.id.to_string(), new.to_string()),
    )?;
    Ok(())
}

/// Prepares a name for a repository.
fn occupy(tx: &Transaction<'_>, key: &RepoKey) -> Result<()> {
    if let Some(namespace) = key.id.namespace() {
        users::ensure_namespace(tx, namespace)?;
    }
    tx.execute(
        "DELETE FROM redirects WHERE kind = ?1 AND full_id = ?2",
        (key.kind.singular(), key.id.to_string()),
    )?;
    Ok(())
}

/// Removes a repository; `false` if it does not exist.
pub(super) fn delete(tx: &Transaction<'_>, row: i64) -> Result<bool> {
    Ok(tx.execute("DELETE FROM repositories WHERE id = ?1", [row])? > 0)
}
