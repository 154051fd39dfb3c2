//! The users and organisations that users follow.

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{Params, Transaction};

use super::db::{self, Db};
use super::users::{self, Account};

/// What can be followed, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed<'a> {
    /// A user.
    User(&'a str),
    /// An organisation.
    Organization(&'a str),
}

/// The follows.
#[derive(Clone, Debug)]
pub(crate) struct Follows {
    db: Db,
}

impl Follows {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Lets a user follow a user or an organisation of that name. Once more changes nothing.
    pub(crate) fn follow(&self, follower: &str, name: &str) -> Result<()> {
        if follower == name {
            bail!("`{name}` cannot follow itself");
        }
        self.db.write(|tx| {
            let (column, table, _) = named(tx, follower, name)?.place();
            let sql = format!(
                "INSERT INTO follows (follower_id, {column}, created_at)
                 SELECT u.id, f.id, ?3 FROM users u, {table} f WHERE u.name = ?1 AND f.name = ?2
                 ON CONFLICT DO NOTHING"
            );
            tx.execute(&sql, (follower, name, Timestamp::now().as_microsecond()))?;
            Ok(())
        })
    }

    /// Ends what [`Self::follow`] has begun.
    pub(crate) fn unfollow(&self, follower: &str, name: &str) -> Result<()> {
        self.db.write(|tx| {
            let (column, table, _) = named(tx, follower, name)?.place();
            let sql = format!(
                "DELETE FROM follows WHERE follower_id = (SELECT id FROM users WHERE name = ?1)
                 AND {column} = (SELECT id FROM {table} WHERE name = ?2)"
            );
            tx.execute(&sql, (follower, name))?;
            Ok(())
        })
    }

    /// Returns the followers, the last one first, as `viewer` sees them.
    pub(crate) fn followers(
        &self,
        of: Followed<'_>,
        viewer: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Account>> {
        let (column, table, name) = of.place();
        let columns = Account::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM follows f JOIN users u ON u.id = f.follower_id
             WHERE f.{column} = (SELECT id FROM {table} WHERE name = ?2)
             ORDER BY f.id DESC LIMIT ?3 OFFSET ?4"
        );
        self.accounts(&sql, (viewer, name, db::number(limit), db::number(skip)))
    }

    /// Returns the users whom a user follows, the last one first, as `viewer` sees them.
    pub(crate) fn following(
        &self,
        follower: &str,
        viewer: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<Account>> {
        let columns = Account::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM follows f JOIN users u ON u.id = f.user_id
             WHERE f.follower_id = (SELECT id FROM users WHERE name = ?2)
             ORDER BY f.id DESC LIMIT ?3 OFFSET ?4"
        );
        self.accounts(&sql, (viewer, follower, db::number(limit), db::number(skip)))
    }

    fn accounts(&self, sql: &str, values: impl Params) -> Result<Vec<Account>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(sql)?;
            let found = query.query_map(values, Account::from_row)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Counts the followers.
    pub(crate) fn count_followers(&self, of: Followed<'_>) -> Result<i64> {
        let (column, table, name) = of.place();
        let sql = format!(
            "SELECT count(*) FROM follows WHERE {column} = (SELECT id FROM {table} WHERE name = ?1)"
        );
        self.db.read(|tx| Ok(tx.prepare_cached(&sql)?.query_row([name], |row| row.get(0))?))
    }

    /// Counts the users whom a user follows.
    pub(crate) fn count_following(&self, follower: &str) -> Result<i64> {
        let sql = "SELECT count(user_id) FROM follows
                   WHERE follower_id = (SELECT id FROM users WHERE name = ?1)";
        self.db.read(|tx| Ok(tx.prepare_cached(sql)?.query_row([follower], |row| row.get(0))?))
    }

    /// Whether a user follows it.
    pub(crate) fn follows(&self, user: &str, followed: Followed<'_>) -> Result<bool> {
        let (column, table, name) = followed.place();
        let sql = format!(
            "SELECT 1 FROM follows WHERE follower_id = (SELECT id FROM users WHERE name = ?1)
             AND {column} = (SELECT id FROM {table} WHERE name = ?2)"
        );
        self.db.read(|tx| Ok(tx.prepare_cached(&sql)?.exists((user, name))?))
    }
}

impl<'a> Followed<'a> {
    /// Returns the column of `follows`, the table it refers to, and the name in that table.
    fn place(self) -> (&'static str, &'static str, &'a str) {
        match self {
            Self::User(name) => ("user_id", "users", name),
            Self::Organization(name) => ("organization_id", "organizations", name),
        }
    }
}

/// Returns what has this name; fails if nothing has, or if the follower does not exist.
fn named<'a>(tx: &Transaction<'_>, follower: &str, name: &'a str) -> Result<Followed<'a>> {
    if !users::exists(tx, "users", follower)? {
        bail!("there is no user `{follower}`");
    }
    if users::exists(tx, "users", name)? {
        return Ok(Followed::User(name));
    }
    if users::exists(tx, "organizations", name)? {
        return Ok(Followed::Organization(name));
    }
    bail!("there is no user or organisation `{name}`");
}
