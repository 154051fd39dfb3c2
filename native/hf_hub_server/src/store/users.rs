//! Users and organisations.
//!
//! They are looked up for every request, so that a running server sees changes of the command line.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};

use super::db::{self, Db};
use super::repo_id::check_name;
use super::token::{Token, digest};

/// A person with tokens.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// The account name.
    pub(crate) name: String,
    /// The display name.
    pub(crate) fullname: Option<String>,
    /// The text on the user's page.
    pub(crate) details: Option<String>,
    /// When the user was added; `None` without a token.
    pub(crate) created_at: Option<Timestamp>,
    /// The organisations the user is a member of.
    pub(crate) orgs: Vec<String>,
    /// The user's role in each of them.
    roles: BTreeMap<String, OrgRole>,
}

/// What lists show of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The account name.
    pub(crate) name: String,
    /// The display name.
    pub(crate) fullname: Option<String>,
    /// Whether the viewer follows it.
    pub(crate) is_followed: bool,
}

impl Account {
    /// The columns of the user `u` that [`Self::from_row`] reads. `?1` is the viewer's name.
    pub(super) const COLUMNS: &str = "u.name, u.fullname,
        EXISTS (SELECT 1 FROM follows own JOIN users viewer ON viewer.id = own.follower_id
                WHERE own.user_id = u.id AND viewer.name = ?1)";
    /// The number of these columns.
    pub(super) const WIDTH: usize = 3;

    /// Reads the columns, which come first.
    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { name: row.get(0)?, fullname: row.get(1)?, is_followed: row.get(2)? })
    }
}

/// The role of a member of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrgRole {
    /// Everything.
    Admin,
    /// Read and write.
    Write,
    /// Read only.
    Read,
}

impl OrgRole {
    /// Returns its name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// A membership in an organisation, as `acme` or `acme:read`.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    org: String,
    role: OrgRole,
}

impl std::str::FromStr for Membership {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (org, role) = match text.split_once(':') {
            Some((org, role)) => (org, <OrgRole as clap::ValueEnum>::from_str(role, false)?),
            None => (text, OrgRole::Write),
        };
        Ok(Self { org: org.to_owned(), role })
    }
}

impl User {
    /// Whether the user owns `namespace` or is a member of it.
    pub(crate) fn belongs_to(&self, namespace: &str) -> bool {
        self.name == namespace || self.orgs.iter().any(|org| org == namespace)
    }

    /// Whether the user may change repositories of `namespace`.
    pub(crate) fn may_write_in(&self, namespace: &str) -> bool {
        self.belongs_to(namespace)
            && (self.name == namespace || self.role_in(namespace) != OrgRole::Read)
    }

    /// Returns the user's role in one of their organisations.
    pub(crate) fn role_in(&self, org: &str) -> OrgRole {
        self.roles.get(org).copied().unwrap_or(OrgRole::Write)
    }
}

/// The users.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    db: Db,
}

impl Users {
    pub(super) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns all users, in the order in which they were added.
    pub(crate) fn list(&self) -> Result<Vec<User>> {
        self.db.read(|tx| {
            let mut names = tx.prepare_cached("SELECT name FROM users ORDER BY id")?;
            let names = names.query_map([], |row| row.get::<_, String>(0))?;
            let users = names.map(|name| find(tx, &name?));
            Ok(users.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// Returns a user; `None` if there is none of that name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<User>> {
        self.db.read(|tx| find(tx, name))
    }

    /// Returns the owner of a token, with that token.
    pub(crate) fn by_token(&self, token: &str) -> Result<Option<(User, Token)>> {
        let (digest, now) = (digest(token), Timestamp::now());
        self.db.read(|tx| {
            let Some((owner, token)) = Token::load(tx, &digest)? else { return Ok(None) };
            let owner = if token.is_valid(now) { find(tx, &owner)? } else { None };
            Ok(owner.map(|owner| (owner, token)))
        })
    }

    /// Adds a token and memberships to a user; creates what does not exist yet.
    pub(crate) fn add(&self, name: &str, orgs: &[Membership], token: &Token) -> Result<()> {
        check_name(name)?;
        orgs.iter().try_for_each(|membership| check_name(&membership.org))?;
        self.db.write(|tx| {
            for membership in orgs {
                check_case(tx, &membership.org)?;
                register_org(tx, &membership.org)?;
            }
            if Token::load(tx, &token.digest)?.is_some() {
                bail!("this token is already in use");
            }
            if exists(tx, "organizations", name)? {
                bail!("`{name}` is an organisation");
            }
            check_case(tx, name)?;
            if insert(tx, name)? {
                let now = Timestamp::now().as_microsecond();
                tx.execute("UPDATE users SET created_at = ?2 WHERE name = ?1", (name, now))?;
            }
            for membership in orgs {
                join(tx, name, &membership.org, membership.role)?;
            }
            token.save(tx, name)
        })
    }

    /// Sets a user's display name and text, where they are given.
    pub(crate) fn set(
        &self,
        name: &str,
        fullname: Option<&str>,
        details: Option<&str>,
    ) -> Result<()> {
        self.db.write(|tx| describe(tx, "users", name, fullname, details))
    }

    /// Removes a user who owns nothing but ended jobs, whose ids are returned: their logs are left. A
    /// later user of that name gets none of the access that this one had.
    pub(crate) fn remove(&self, name: &str) -> Result<Vec<String>> {
        self.db.write(|tx| {
            must_exist(tx, name)?;
            let forgotten = empty(tx, name)?;
            tx.execute("DELETE FROM access_requests WHERE user = ?1", [name])?;
            tx.execute("DELETE FROM logins WHERE user = ?1", [name])?;
            tx.execute("DELETE FROM users WHERE name = ?1", [name])?;
            Ok(forgotten)
        })
    }

    /// Returns a user's tokens, the oldest one first.
    pub(crate) fn tokens(&self, name: &str) -> Result<Vec<Token>> {
        self.db.read(|tx| {
            must_exist(tx, name)?;
            Token::of(tx, name)
        })
    }

    /// Revokes a user's tokens whose digest begins with `id`, or all of them. Returns their number.
    pub(crate) fn revoke(&self, name: &str, id: Option<&str>) -> Result<usize> {
        self.db.write(|tx| {
            must_exist(tx, name)?;
            Token::revoke(tx, name, id.unwrap_or_default())
        })
    }

    /// Adds a token to an existing user.
    pub(crate) fn grant(&self, name: &str, token: &Token) -> Result<()> {
        self.db.write(|tx| {
            must_exist(tx, name)?;
            token.save(tx, name)
        })
    }

    /// Replaces the token that `refresh` belongs to; `false` if it is unknown.
    pub(crate) fn renew(&self, refresh: &str, token: &Token) -> Result<bool> {
        self.db.write(|tx| token.replace(tx, &digest(refresh)))
    }
}

/// Ensures that `namespace` exists: as an organisation, unless there is such a user.
pub(super) fn ensure_namespace(tx: &Transaction<'_>, namespace: &str) -> Result<()> {
    if !exists(tx, "users", namespace)? {
        check_case(tx, namespace)?;
        register_org(tx, namespace)?;
    }
    Ok(())
}

pub(super) fn register_org(tx: &Transaction<'_>, org: &str) -> Result<()> {
    // Not `OR IGNORE` alone: it would use up an id each time.
    if !exists(tx, "organizations", org)? {
        tx.execute("INSERT INTO organizations (name) VALUES (?1)", [org])?;
    }
    Ok(())
}

/// Fails if a new name differs from that of an account only by case: lookups of what is not a
/// repository ignore it.
pub(super) fn check_case(tx: &Transaction<'_>, name: &str) -> Result<()> {
    let sql = "SELECT name FROM (SELECT name FROM users UNION SELECT name FROM organizations)
        WHERE name = ?1 COLLATE NOCASE ORDER BY name <> ?1";
    let found = tx.prepare_cached(sql)?.query_row([name], |row| row.get::<_, String>(0));
    match found.optional()? {
        Some(other) if other != name => bail!("`{name}` differs from `{other}` only by case"),
        _ => Ok(()),
    }
}

/// Adds a user; `false` if it exists.
pub(super) fn insert(tx: &Transaction<'_>, name: &str) -> Result<bool> {
    if exists(tx, "users", name)? {
        return Ok(false);
    }
    tx.execute("INSERT INTO users (name) VALUES (?1)", [name])?;
    Ok(true)
}

pub(super) fn join(tx: &Transaction<'_>, name: &str, org: &str, role: OrgRole) -> Result<()> {
    tx.execute(
        "INSERT INTO memberships (user_id, organization_id, role)
         SELECT u.id, o.id, ?3 FROM users u, organizations o WHERE u.name = ?1 AND o.name = ?2
         ON CONFLICT (user_id, organization_id) DO UPDATE SET role = excluded.role",
        (name, org, role.word()),
    )?;
    Ok(())
}

/// Sets display name and text of a user or an organisation, where they are given.
pub(super) fn describe(
    tx: &Transaction<'_>,
    table: &str,
    name: &str,
    fullname: Option<&str>,
    details: Option<&str>,
) -> Result<()> {
    let sql = format!(
        "UPDATE {table} SET fullname = coalesce(?2, fullname), details = coalesce(?3, details)
         WHERE name = ?1"
    );
    if tx.execute(&sql, (name, fullname, details))? == 0 {
        bail!("`{name}` does not exist");
    }
    Ok(())
}

/// Deletes the ended jobs of a namespace, and returns their ids; fails if it has anything else, which a
/// later account of that name would get.
pub(super) fn empty(tx: &Transaction<'_>, namespace: &str) -> Result<Vec<String>> {
    let of = db::EXACT_NAMESPACE;
    for (source, what) in [
        ("repositories WHERE", "repositories; delete or rename them first"),
        ("collections WHERE", "collections; delete them first"),
        ("buckets WHERE", "buckets; delete or rename them first"),
        ("inference_endpoints WHERE", "inference endpoints; delete them first"),
        ("scheduled_jobs WHERE", "scheduled jobs; delete them first"),
        ("jobs WHERE finished_at IS NULL AND", "jobs that wait or run; cancel them first"),
    ] {
        if tx.prepare_cached(&format!("SELECT 1 FROM {source} {of}"))?.exists([namespace])? {
            bail!("`{namespace}` has {what}");
        }
    }
    let mut query =
        tx.prepare_cached(&format!("DELETE FROM jobs WHERE {of} RETURNING object_id"))?;
    let ids = query.query_map([namespace], |row| row.get(0))?;
    Ok(ids.collect::<Result<Vec<_>, _>>()?)
}

pub(super) fn must_exist(tx: &Transaction<'_>, user: &str) -> Result<()> {
    if !exists(tx, "users", user)? {
        bail!("there is no user `{user}`");
    }
    Ok(())
}

pub(super) fn exists(tx: &Transaction<'_>, table: &str, name: &str) -> Result<bool> {
    let mut query = tx.prepare_cached(&format!("SELECT 1 FROM {table} WHERE name = ?1"))?;
    Ok(query.exists([name])?)
}

pub(super) fn find(tx: &Transaction<'_>, name: &str) -> Result<Option<User>> {
    let mut query = tx.prepare_cached(
        "SELECT id, fullname, details, coalesce(created_at,
           (SELECT min(created_at) FROM tokens WHERE user_id = users.id))
         FROM users WHERE name = ?1",
    )?;
    let found = query.query_row([name], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<i64>>(3)?))
    });
    let Some((id, fullname, details, created_at)) = found.optional()? else { return Ok(None) };
    let created_at = created_at.map(db::time).transpose()?;
    let (name, orgs, roles) = (name.to_owned(), Vec::new(), BTreeMap::new());
    let mut user = User { name, fullname, details, created_at, orgs, roles };
    let mut query = tx.prepare_cached(
        "SELECT o.name, m.role FROM memberships m JOIN organizations o ON o.id = m.organization_id
         WHERE m.user_id = ?1 ORDER BY m.id",
    )?;
    let mut rows = query.query([id] as [i64; 1])?;
    while let Some(row) = rows.next()? {
        let org: String = row.get(0)?;
        user.roles.insert(org.clone(), db::from_word(row.get_ref(1)?.as_str()?)?);
        user.orgs.push(org);
    }
    Ok(Some(user))
}

#[cfg(test)]
mod tests {
    use super::super::token::Role;
    use super::*;

    fn token(text: &str, role: Role) -> Token {
        Token::new(text, role).unwrap()
    }

    fn orgs(names: &[&str]) -> Vec<Membership> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn finds_a_user_by_token_and_stores_no_token() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(Db::open(root.path(), |_| Ok(())).unwrap());
        users.add("ann", &orgs(&["acme"]), &token("hf_secret", Role::Write)).unwrap();
        users.add("ann", &orgs(&["other:read"]), &token("hf_second", Role::Read)).unwrap();

        let (user, token) = users.by_token("hf_secret").unwrap().unwrap();
        assert_eq!((user.name.as_str(), token.role), ("ann", Role::Write));
        assert!(user.belongs_to("acme") && user.belongs_to("other") && !user.belongs_to("x"));
        assert!(user.may_write_in("acme") && user.may_write_in("ann"));
        assert!(!user.may_write_in("other") && !user.may_write_in("x"));
        assert!(users.by_token("hf_wrong").unwrap().is_none());
        for entry in std::fs::read_dir(root.path()).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!content.windows(9).any(|bytes| bytes == b"hf_secret"));
        }
    }

    #[test]
    fn rejects_a_repeated_token_and_a_user_named_like_an_organisation() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(Db::open(root.path(), |_| Ok(())).unwrap());
        users.add("ann", &orgs(&["acme"]), &token("hf_secret", Role::Write)).unwrap();

        assert!(users.add("bob", &[], &token("hf_secret", Role::Read)).is_err());
        assert!(users.add("acme", &[], &token("hf_other", Role::Read)).is_err());
        assert!(users.add("../x", &[], &token("hf_other", Role::Read)).is_err());
        for (name, joined) in [("Ann", "acme"), ("ACME", "other"), ("bob", "Acme"), ("Bob", "bob")]
        {
            let added = users.add(name, &orgs(&[joined]), &token("hf_other", Role::Read));
            assert!(added.unwrap_err().to_string().ends_with("only by case"), "{name}");
        }
        users.add("ann", &orgs(&["acme"]), &token("hf_other", Role::Read)).unwrap();
        assert!("acme:boss".parse::<Membership>().is_err());
    }

    #[test]
    fn a_renewed_or_expired_token_is_unknown() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(Db::open(root.path(), |_| Ok(())).unwrap());
        let lasting = |seconds| {
            let until = Timestamp::now() + std::time::Duration::from_secs(seconds);
            Token::for_app("first", "refresh", until)
        };
        users.add("ann", &[], &lasting(60)).unwrap();
        assert!(users.by_token("first").unwrap().is_some());
        assert!(!users.renew("unknown", &token("x", Role::Read)).unwrap());
        let next = Token::for_app("second", "refresh2", Timestamp::now());
        assert!(users.renew("refresh", &next).unwrap());
        assert!(users.by_token("first").unwrap().is_none());
        assert!(users.by_token("second").unwrap().is_none(), "it has expired");
        assert!(users.grant("nobody", &lasting(60)).is_err());
    }
}
