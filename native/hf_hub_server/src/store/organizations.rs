//! Organisations and their members.

use anyhow::{Result, bail};
use rusqlite::{OptionalExtension, Row, Transaction};

use super::db::{self, Db};
use super::repo_id::check_name;
use super::users::{self, Account, OrgRole};

/// An organisation.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    /// The account name.
    pub(crate) name: String,
    /// The display name.
    pub(crate) fullname: Option<String>,
    /// The text on its page.
    pub(crate) details: Option<String>,
    /// Number of members.
    pub(crate) members: i64,
}

/// A member of an organisation.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The user.
    pub(crate) account: Account,
    /// The role.
    pub(crate) role: OrgRole,
}

/// The organisations.
#[derive(Clone, Debug)]
pub(crate) struct Organizations {
    db: Db,
}

const COLUMNS: &str = "o.name, o.fullname, o.details,
    (SELECT count(*) FROM memberships m WHERE m.organization_id = o.id)";

impl Organizations {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns an organisation; `None` if there is none of that name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Organization>> {
        let sql = format!("SELECT {COLUMNS} FROM organizations o WHERE o.name = ?1");
        self.db.read(|tx| Ok(tx.prepare_cached(&sql)?.query_row([name], read).optional()?))
    }

    /// Returns all organisations, by name.
    pub(crate) fn list(&self) -> Result<Vec<Organization>> {
        let sql = format!("SELECT {COLUMNS} FROM organizations o ORDER BY o.name");
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let found = query.query_map([], read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Adds an organisation; one that exists stays as it is.
    pub(crate) fn add(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.db.write(|tx| {
            if users::exists(tx, "users", name)? {
                bail!("`{name}` is a user");
            }
            users::check_case(tx, name)?;
            users::register_org(tx, name)
        })
    }

    /// Sets the display name and the text, where they are given.
    pub(crate) fn set(
        &self,
        name: &str,
        fullname: Option<&str>,
        details: Option<&str>,
    ) -> Result<()> {
        self.db.write(|tx| users::describe(tx, "organizations", name, fullname, details))
    }

    /// Removes an organisation that owns nothing but ended jobs, whose ids are returned: their logs are
    /// left.
    pub(crate) fn remove(&self, name: &str) -> Result<Vec<String>> {
        self.db.write(|tx| {
            must_exist(tx, name)?;
            let forgotten = users::empty(tx, name)?;
            tx.execute("DELETE FROM organizations WHERE name = ?1", [name])?;
            Ok(forgotten)
        })
    }

    /// Makes a user a member, or gives a member another role.
    pub(crate) fn join(&self, org: &str, user: &str, role: OrgRole) -> Result<()> {
        self.db.write(|tx| {
            must_exist(tx, org)?;
            users::must_exist(tx, user)?;
            users::join(tx, user, org, role)
        })
    }

    /// Ends a membership.
    pub(crate) fn leave(&self, org: &str, user: &str) -> Result<()> {
        self.db.write(|tx| {
            let done = tx.execute(
                "DELETE FROM memberships
                 WHERE organization_id = (SELECT id FROM organizations WHERE name = ?1)
                 AND user_id = (SELECT id FROM users WHERE name = ?2)",
                (org, user),
            )?;
            if done == 0 {
                bail!("`{user}` is not a member of `{org}`");
            }
            Ok(())
        })
    }

    /// Returns the members whose name or display name contains `search`, in the order in which
    /// they joined, as `viewer` sees them.
    pub(crate) fn members(
        &self,
        org: &str,
        search: &str,
        viewer: Option<&str>,
        (skip, limit): (usize, usize),
    ) -> Result<Vec<Member>> {
        let columns = Account::COLUMNS;
        let sql = format!(
            "SELECT {columns}, m.role FROM memberships m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = (SELECT id FROM organizations WHERE name = ?2)
             AND (instr(lower(u.name), lower(?3)) OR instr(lower(u.fullname), lower(?3)))
             ORDER BY m.id LIMIT ?4 OFFSET ?5"
        );
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let values = (viewer, org, search, db::number(limit), db::number(skip));
            let mut rows = query.query(values)?;
            let mut members = Vec::new();
            while let Some(row) = rows.next()? {
                let role = db::from_word(row.get_ref(Account::WIDTH)?.as_str()?)?;
                members.push(Member { account: Account::from_row(row)?, role });
            }
            Ok(members)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Organization> {
    let (name, fullname) = (row.get(0)?, row.get(1)?);
    Ok(Organization { name, fullname, details: row.get(2)?, members: row.get(3)? })
}

fn must_exist(tx: &Transaction<'_>, org: &str) -> Result<()> {
    if !users::exists(tx, "organizations", org)? {
        bail!("there is no organisation `{org}`");
    }
    Ok(())
}
