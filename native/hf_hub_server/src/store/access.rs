//! Requests for access to the files of a gated repository, and the decisions about them.

use anyhow::Result;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::db::{self, Db};
use super::settings::Gate;
use super::token::random_id;
use super::{Repo, RepoKey, Store};

/// The state of an access request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessState {
    /// No decision yet.
    Pending,
    /// The user may read the files.
    Accepted,
    /// The owner has rejected it.
    Rejected,
}

impl AccessState {
    /// Returns its name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }

    /// Parses its name.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Rejected]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// The decisions about the users of one repository; a request needs that about one of them.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    db: Db,
    repository: i64,
}

/// An access request.
#[derive(Clone, Debug)]
pub(crate) struct AccessRequest {
    /// Its id: 24 hex digits.
    pub(crate) id: String,
    /// The user's name.
    pub(crate) user: String,
    /// The user's display name.
    pub(crate) fullname: Option<String>,
    /// The state.
    pub(crate) state: AccessState,
    /// When access was requested, or granted without a request.
    pub(crate) at: Timestamp,
    /// What the user has filled into the form.
    pub(crate) fields: Option<Map<String, Value>>,
    /// The user who has granted access without a request.
    pub(crate) granted_by: Option<String>,
    /// Why it was rejected.
    pub(crate) reason: Option<String>,
}

/// Which request is meant.
#[derive(Clone, Debug)]
pub(crate) enum Requester {
    /// That of a user.
    User(String),
    /// The one with this id.
    Id(String),
}

/// The result of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The state has changed.
    Done,
    /// There is no such request.
    Missing,
    /// The request is in that state already.
    Already,
}

/// Which requests to list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requested {
    /// Those in this state.
    pub(crate) state: AccessState,
    /// Those made after this time.
    pub(crate) after: Option<Timestamp>,
    /// Those made before this time.
    pub(crate) before: Option<Timestamp>,
    /// Number of requests to leave out.
    pub(crate) skip: usize,
    /// Maximum number of requests.
    pub(crate) limit: usize,
}

impl Access {
    pub(super) fn new(db: Db, repository: i64) -> Self {
        Self { db, repository }
    }

    /// Returns the state of a user's request; `None` if there is none.
    pub(crate) fn of(&self, user: &str) -> Result<Option<AccessState>> {
        self.db.read(|tx| state(tx, self.repository, user))
    }

    /// Whether a user may read the files.
    pub(crate) fn is_accepted(&self, user: &str) -> Result<bool> {
        Ok(self.of(user)? == Some(AccessState::Accepted))
    }
}

impl Store {
    /// Sets the state of a user's request, which is made if there is none.
    pub(crate) fn set_access(&self, key: &RepoKey, user: &str, state: AccessState) -> Result<()> {
        let repository = self.find(key)?.row;
        self.db.write(|tx| save(tx, repository, user, state))
    }

    /// Records a user's request for access, and returns its state: the gate decides about new and
    /// pending ones. `None` if the repository is not gated.
    pub(crate) fn request_access(
        &self,
        repo: &Repo,
        user: &str,
        fields: &Map<String, Value>,
    ) -> Result<Option<AccessState>> {
        self.db.write(|tx| {
            // Read again: the gate may have changed meanwhile.
            let Some(gate) = gate(tx, repo.row)? else { return Ok(None) };
            let decided = state(tx, repo.row, user)?.filter(|state| *state != AccessState::Pending);
            if decided.is_some() {
                return Ok(decided);
            }
            let state = match gate {
                Gate::Auto => AccessState::Accepted,
                Gate::Manual => AccessState::Pending,
            };
            save(tx, repo.row, user, state)?;
            tx.execute(
                "UPDATE access_requests SET fields = ?3 WHERE repository_id = ?1 AND user = ?2",
                (repo.row, user, serde_json::to_string(fields)?),
            )?;
            Ok(Some(state))
        })
    }

    /// Removes a user's pending request; `false` if there is none.
    pub(crate) fn withdraw_request(&self, repo: &Repo, user: &str) -> Result<bool> {
        self.db.write(|tx| {
            let sql = "DELETE FROM access_requests
                       WHERE repository_id = ?1 AND user = ?2 AND state = 'pending'";
            Ok(tx.execute(sql, (repo.row, user))? > 0)
        })
    }

    /// Gives a user access without a request; `false` if the user has it.
    pub(crate) fn grant_access(&self, repo: &Repo, user: &str, by: &str) -> Result<bool> {
        self.db.write(|tx| {
            if state(tx, repo.row, user)? == Some(AccessState::Accepted) {
                return Ok(false);
            }
            save(tx, repo.row, user, AccessState::Accepted)?;
            tx.execute(
                "UPDATE access_requests SET granted_by = ?3 WHERE repository_id = ?1 AND user = ?2",
                (repo.row, user, by),
            )?;
            Ok(true)
        })
    }

    /// Decides about a request.
    pub(crate) fn decide_access(
        &self,
        repo: &Repo,
        request: &Requester,
        state: AccessState,
        reason: Option<&str>,
    ) -> Result<Decided> {
        let (column, value) = match request {
            Requester::User(name) => ("user", name),
            Requester::Id(id) => ("object_id", id),
        };
        self.db.write(|tx| {
            let mut query = tx.prepare_cached(&format!(
                "SELECT id, state FROM access_requests WHERE repository_id = ?1 AND {column} = ?2"
            ))?;
            let found = query.query_row((repo.row, value), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            });
            let Some((row, current)) = found.optional()? else { return Ok(Decided::Missing) };
            if current == state.word() {
                return Ok(Decided::Already);
            }
            tx.execute(
                "UPDATE access_requests SET state = ?2, reason = ?3 WHERE id = ?1",
                (row, state.word(), reason),
            )?;
            Ok(Decided::Done)
        })
    }

    /// Lists requests, the last one first.
    pub(crate) fn access_requests(
        &self,
        repo: &Repo,
        wanted: &Requested,
    ) -> Result<Vec<AccessRequest>> {
        let sql = "SELECT a.object_id, a.user, u.fullname, a.state, a.created_at, a.fields,
                          a.granted_by, a.reason
                   FROM access_requests a LEFT JOIN users u ON u.name = a.user
                   WHERE a.repository_id = ?1 AND a.state = ?2
                     AND a.created_at > ?3 AND a.created_at < ?4
                   ORDER BY a.id DESC LIMIT ?5 OFFSET ?6";
        let values = (
            repo.row,
            wanted.state.word(),
            wanted.after.map_or(i64::MIN, Timestamp::as_microsecond),
            wanted.before.map_or(i64::MAX, Timestamp::as_microsecond),
            db::number(wanted.limit),
            db::number(wanted.skip),
        );
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(values)?;
            let mut requests = Vec::new();
            while let Some(row) = rows.next()? {
                requests.push(read(row)?);
            }
            Ok(requests)
        })
    }
}

fn read(row: &Row<'_>) -> Result<AccessRequest> {
    let fields = row.get_ref(5)?.as_str_or_null()?;
    Ok(AccessRequest {
        id: row.get(0)?,
        user: row.get(1)?,
        fullname: row.get(2)?,
        state: db::from_word(row.get_ref(3)?.as_str()?)?,
        at: db::time(row.get(4)?)?,
        fields: fields.map(serde_json::from_str).transpose()?,
        granted_by: row.get(6)?,
        reason: row.get(7)?,
    })
}

fn state(tx: &Transaction<'_>, repository: i64, user: &str) -> Result<Option<AccessState>> {
    let mut query = tx.prepare_cached(
        "SELECT state FROM access_requests WHERE repository_id = ?1 AND user = ?2",
    )?;
    let state = query.query_row((repository, user), |row| row.get::<_, String>(0)).optional()?;
    state.map(|state| db::from_word(&state)).transpose()
}

fn gate(tx: &Transaction<'_>, repository: i64) -> Result<Option<Gate>> {
    let mut query = tx.prepare_cached("SELECT gated FROM repositories WHERE id = ?1")?;
    let gate = query.query_row([repository], |row| row.get::<_, Option<String>>(0)).optional()?;
    gate.flatten().map(|gate| db::from_word(&gate)).transpose()
}

pub(super) fn save(
    tx: &Transaction<'_>,
    repository: i64,
    user: &str,
    state: AccessState,
) -> Result<()> {
    tx.execute(
        "INSERT INTO access_requests (object_id, repository_id, user, state, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (repository_id, user) DO UPDATE SET state = excluded.state, reason = NULL",
        (random_id()?, repository, user, state.word(), Timestamp::now().as_microsecond()),
    )?;
    Ok(())
}
