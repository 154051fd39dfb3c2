//! Decisions about users who may read the files of a gated repository, and their requests.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rusqlite::Transaction;
use serde::Deserialize;

use super::{RepoKey, Store};

/// The decisions about users of one repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// Users who may read the files.
    pub(crate) granted: BTreeSet<String>,
    /// The requests of other users.
    pub(crate) requests: BTreeMap<String, AccessRequest>,
}

/// An access request that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessRequest {
    /// No decision yet.
    Pending,
    /// The owner has rejected it.
    Rejected,
}

impl Store {
    /// Allows a user to read the files of a gated repository.
    pub(crate) fn grant_access(&self, key: &RepoKey, user: &str) -> Result<()> {
        let repository = self.find(key)?.row;
        self.db.write(|tx| save(tx, repository, user, "granted"))
    }

    /// Records the access request of a user, who then has no access.
    pub(crate) fn note_access(
        &self,
        key: &RepoKey,
        user: &str,
        request: AccessRequest,
    ) -> Result<()> {
        let repository = self.find(key)?.row;
        self.db.write(|tx| save(tx, repository, user, request.word()))
    }
}

impl AccessRequest {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Rejected => "rejected",
        }
    }
}

impl Access {
    pub(super) fn load(tx: &Transaction<'_>, repository: i64) -> Result<Self> {
        let mut access = Self::default();
        let mut query = tx
            .prepare_cached("SELECT user, state FROM repository_access WHERE repository_id = ?1")?;
        let mut rows = query.query([repository])?;
        while let Some(row) = rows.next()? {
            let user = row.get(0)?;
            match row.get_ref(1)?.as_str()? {
                "granted" => drop(access.granted.insert(user)),
                "pending" => drop(access.requests.insert(user, AccessRequest::Pending)),
                _ => drop(access.requests.insert(user, AccessRequest::Rejected)),
            }
        }
        Ok(access)
    }
}

pub(super) fn save(tx: &Transaction<'_>, repository: i64, user: &str, state: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO repository_access (repository_id, user, state) VALUES (?1, ?2, ?3)
         ON CONFLICT (repository_id, user) DO UPDATE SET state = excluded.state",
        (repository, user, state),
    )?;
    Ok(())
}
