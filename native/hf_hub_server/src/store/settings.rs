//! What the Hub stores about a repository besides its git history.

use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::db;
use super::repo_id::RepoKey;

/// The settings of one repository.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The database id that clients see as `_id`: 24 hex digits.
    pub(crate) object_id: String,
    /// When the repository was created.
    pub(crate) created_at: Timestamp,
    /// Whether it is visible only to its owner and the members of its organisation.
    pub(crate) private: bool,
    /// Whether files require access, and who grants it.
    pub(crate) gated: Option<Gate>,
    /// Whether the administrator has disabled it.
    pub(crate) disabled: bool,
    /// Other settings, most of them without an effect, stored by their names in the API.
    pub(crate) more: Map<String, Value>,
}

/// Who grants access to a gated repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gate {
    /// Every request is granted.
    Auto,
    /// The owner decides.
    Manual,
}

impl Settings {
    /// The columns that [`Self::from_row`] reads.
    pub(super) const COLUMNS: &str = "object_id, created_at, private, gated, disabled, more";

    /// Returns the settings of a new repository.
    pub(crate) fn new(key: &RepoKey) -> Self {
        use sha2::{Digest, Sha256};

        let created_at = Timestamp::now();
        let digest = Sha256::digest(format!("{key} {created_at}"));
        Self {
            object_id: hex::encode(&digest[..12]),
            created_at,
            private: false,
            gated: None,
            disabled: false,
            more: Map::new(),
        }
    }

    /// Whether discussions and pull requests are allowed.
    pub(crate) fn has_discussions(&self) -> bool {
        self.more.get("discussionsDisabled") != Some(&Value::Bool(true))
    }

    /// Reads the columns, the first of which has the number `first`.
    pub(super) fn from_row(row: &Row<'_>, first: usize) -> anyhow::Result<Self> {
        let gated = row.get_ref(first + 3)?.as_str_or_null()?;
        let more = row.get_ref(first + 5)?.as_str()?;
        Ok(Self {
            object_id: row.get(first)?,
            created_at: db::time(row.get(first + 1)?)?,
            private: row.get(first + 2)?,
            gated: gated.map(db::from_word).transpose()?,
            disabled: row.get(first + 4)?,
            more: if more == "{}" { Map::new() } else { serde_json::from_str(more)? },
        })
    }

    /// Replaces the settings of a repository.
    pub(super) fn save(&self, tx: &Transaction<'_>, repository: i64) -> anyhow::Result<()> {
        tx.execute(
            "UPDATE repositories
             SET object_id = ?2, created_at = ?3, private = ?4, gated = ?5, disabled = ?6, more = ?7
             WHERE id = ?1",
            (
                repository,
                &self.object_id,
                self.created_at.as_microsecond(),
                self.private,
                self.gated.as_ref().map(db::word).transpose()?,
                self.disabled,
                serde_json::to_string(&self.more)?,
            ),
        )?;
        Ok(())
    }
}
