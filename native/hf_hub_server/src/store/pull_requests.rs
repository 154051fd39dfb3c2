//! Data of pull requests besides their refs.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};
use serde::Deserialize;

use super::{Repo, Store};

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PullRequest {
    /// Its number.
    pub(super) num: u64,
    /// Its title.
    pub(super) title: String,
    /// The user who opened it.
    pub(super) author: String,
    /// When it was opened.
    pub(super) created_at: Timestamp,
}

impl Store {
    /// Returns the user who opened a pull request; `None` if it is unknown.
    pub(crate) fn pull_request_author(&self, repo: &Repo, num: u64) -> Result<Option<String>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT author FROM pull_requests WHERE repository_id = ?1 AND num = ?2",
            )?;
            Ok(query.query_row((repo.row, number(num)), |row| row.get(0)).optional()?)
        })
    }

    /// Returns the highest number given to a pull request so far; 0 if there is none.
    pub(super) fn last_pull_request(&self, repo: &Repo) -> Result<u64> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT ifnull(max(num), 0) FROM pull_requests WHERE repository_id = ?1",
            )?;
            Ok(query.query_row([repo.row], |row| row.get::<_, i64>(0))?.unsigned_abs())
        })
    }
}

impl PullRequest {
    pub(super) fn save(&self, tx: &Transaction<'_>, repository: i64) -> Result<()> {
        let created_at = self.created_at.as_microsecond();
        tx.execute(
            "INSERT INTO pull_requests (repository_id, num, title, author, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (repository, number(self.num), &self.title, &self.author, created_at),
        )?;
        Ok(())
    }
}

/// Returns how a number is stored; the database has no larger ones.
fn number(num: u64) -> i64 {
    i64::try_from(num).unwrap_or(i64::MAX)
}
