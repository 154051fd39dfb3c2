//! Variables and secrets of a Space. Only the administrator's command line reads a secret's value.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{Row, Transaction};

use super::seal::Sealer;
use super::{Spaces, row_of};
use crate::store::db;
use crate::store::repo_id::RepoKey;

/// A variable, or a secret without its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The value of a variable.
    pub(crate) value: Option<String>,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// When it was set.
    pub(crate) updated_at: Timestamp,
}

/// A variable or a secret to set. Without a description, that of an earlier value is kept.
#[derive(Clone)]
pub(crate) struct NewEntry {
    /// The name.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: String,
    /// What it is for.
    pub(crate) description: Option<String>,
}

impl std::fmt::Debug for NewEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Entries by name.
pub(crate) type Entries = BTreeMap<String, Entry>;

const VARIABLES: &str =
    "SELECT name, description, updated_at, value FROM space_variables WHERE repository_id = ?1";
const SECRETS: &str =
    "SELECT name, description, updated_at, NULL FROM space_secrets WHERE repository_id = ?1";

impl Spaces {
    /// Returns the public variables.
    pub(crate) fn variables(&self, key: &RepoKey) -> Result<Entries> {
        self.db.read(|tx| entries(tx, VARIABLES, row_of(tx, key)?))
    }

    /// Returns the secrets, without their values.
    pub(crate) fn secrets(&self, key: &RepoKey) -> Result<Entries> {
        self.db.read(|tx| entries(tx, SECRETS, row_of(tx, key)?))
    }

    /// Sets a variable, and returns all of them.
    pub(crate) fn set_variable(&self, key: &RepoKey, entry: &NewEntry) -> Result<Entries> {
        self.db.write(|tx| {
            let row = row_of(tx, key)?;
            set_variable(tx, row, entry)?;
            entries(tx, VARIABLES, row)
        })
    }

    /// Sets a secret, and returns all of them, without their values.
    pub(crate) fn set_secret(&self, key: &RepoKey, entry: &NewEntry) -> Result<Entries> {
        let sealer = self.sealer()?;
        self.db.write(|tx| {
            let row = row_of(tx, key)?;
            set_secret(tx, row, entry, &sealer)?;
            entries(tx, SECRETS, row)
        })
    }

    /// Removes a variable if it exists, and returns the others.
    pub(crate) fn delete_variable(&self, key: &RepoKey, name: &str) -> Result<Entries> {
        self.db.write(|tx| {
            let row = row_of(tx, key)?;
            tx.execute(
                "DELETE FROM space_variables WHERE repository_id = ?1 AND name = ?2",
                (row, name),
            )?;
            entries(tx, VARIABLES, row)
        })
    }

    /// Removes a secret if it exists, and returns the others.
    pub(crate) fn delete_secret(&self, key: &RepoKey, name: &str) -> Result<Entries> {
        self.db.write(|tx| {
            let row = row_of(tx, key)?;
            tx.execute(
                "DELETE FROM space_secrets WHERE repository_id = ?1 AND name = ?2",
                (row, name),
            )?;
            entries(tx, SECRETS, row)
        })
    }

    /// Whether a name is that of a variable and of a secret.
    pub(crate) fn has_collision(&self, key: &RepoKey) -> Result<bool> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT 1 FROM space_secrets s JOIN space_variables v
                 ON v.repository_id = s.repository_id AND v.name = s.name
                 WHERE s.repository_id = ?1",
            )?;
            Ok(query.exists([row_of(tx, key)?])?)
        })
    }

    /// Returns the environment of the app, with the values of secrets.
    pub(crate) fn environment(&self, key: &RepoKey) -> Result<BTreeMap<String, String>> {
        let sealer = self.sealer()?;
        self.db.read(|tx| {
            let row = row_of(tx, key)?;
            let variables = entries(tx, VARIABLES, row)?.into_iter();
            let mut all = variables
                .filter_map(|(name, entry)| Some((name, entry.value?)))
                .collect::<BTreeMap<_, _>>();
            let mut query = tx.prepare_cached(
                "SELECT name, sealed FROM space_secrets WHERE repository_id = ?1",
            )?;
            let mut rows = query.query([row])?;
            while let Some(found) = rows.next()? {
                let name: String = found.get(0)?;
                let value = sealer.open(&place(row, &name), found.get_ref(1)?.as_blob()?)?;
                all.insert(name, value);
            }
            Ok(all)
        })
    }
}

pub(super) fn set_variable(tx: &Transaction<'_>, row: i64, entry: &NewEntry) -> Result<()> {
    tx.execute(
        "INSERT INTO space_variables (repository_id, name, value, description, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (repository_id, name) DO UPDATE SET value = excluded.value,
           description = coalesce(excluded.description, description),
           updated_at = excluded.updated_at",
        (row, &entry.name, &entry.value, &entry.description, Timestamp::now().as_microsecond()),
    )?;
    Ok(())
}

pub(super) fn set_secret(
    tx: &Transaction<'_>,
    row: i64,
    entry: &NewEntry,
    sealer: &Sealer,
) -> Result<()> {
    let encrypted = sealer.seal(&place(row, &entry.name), &entry.value)?;
    tx.execute(
        "INSERT INTO space_secrets (repository_id, name, sealed, description, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (repository_id, name) DO UPDATE SET sealed = excluded.sealed,
           description = coalesce(excluded.description, description),
           updated_at = excluded.updated_at",
        (row, &entry.name, encrypted, &entry.description, Timestamp::now().as_microsecond()),
    )?;
    Ok(())
}

/// Copies the variables of a Space to its duplicate; secrets stay with their owner.
pub(super) fn copy_variables(tx: &Transaction<'_>, from: i64, to: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO space_variables (repository_id, name, value, description, updated_at)
         SELECT ?2, name, value, description, updated_at FROM space_variables
         WHERE repository_id = ?1",
        (from, to),
    )?;
    Ok(())
}

/// An encrypted value cannot be moved to another Space or name.
fn place(row: i64, name: &str) -> String {
    format!("{row} {name}")
}

fn entries(tx: &Transaction<'_>, sql: &str, row: i64) -> Result<Entries> {
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query([row])?;
    let mut all = Entries::new();
    while let Some(found) = rows.next()? {
        all.insert(found.get(0)?, entry(found)?);
    }
    Ok(all)
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    Ok(Entry { description: row.get(1)?, updated_at: db::time(row.get(2)?)?, value: row.get(3)? })
}
