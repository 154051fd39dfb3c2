//! Tokens and their permissions.

use anyhow::{Result, bail};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::db;
use super::repo_id::RepoKey;

/// A token of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    /// SHA-256 of the token, in hex.
    pub(crate) digest: String,
    /// Its name.
    #[serde(default = "usual_name")]
    pub(crate) name: String,
    /// Its role.
    pub(crate) role: Role,
    /// The permissions of a fine-grained token.
    #[serde(default)]
    pub(crate) grants: Grants,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    /// SHA-256 of the refresh token, which only tokens of apps have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<String>,
}

/// The role of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    /// Reads what the user may read.
    Read,
    /// Also writes.
    Write,
    /// Has only the selected permissions.
    FineGrained,
}

impl Role {
    /// Returns its name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::FineGrained => "fineGrained",
        }
    }
}

/// The permissions of a fine-grained token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Grants {
    /// Whether it may read gated repositories that its user may read.
    pub(crate) can_read_gated_repos: bool,
    /// Global permissions.
    pub(crate) global: Vec<String>,
    /// Permissions for namespaces and repositories.
    pub(crate) scoped: Vec<Scope>,
}

/// Permissions for one namespace or repository: `acme=repo.content.read,repo.write`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scope {
    /// `acme` or `acme/name`.
    pub(crate) entity: String,
    /// The permissions, as the Hub names them.
    pub(crate) permissions: Vec<String>,
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (entity, permissions) = text.split_once('=').ok_or("expected ENTITY=PERMISSION,…")?;
        let permissions = permissions.split(',').map(str::to_owned).collect();
        Ok(Self { entity: entity.to_owned(), permissions })
    }
}

impl Token {
    /// Creates a token with a role.
    pub(crate) fn new(text: &str, role: Role) -> Result<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("a token consists of visible ASCII characters");
        }
        Ok(Self::made(text, role))
    }

    /// Creates a token for an app that its user has approved.
    pub(crate) fn for_app(text: &str, refresh: &str, until: Timestamp) -> Self {
        let (expires_at, refresh) = (Some(until), Some(digest(refresh)));
        Self { expires_at, refresh, ..Self::made(text, Role::Write) }
    }

    fn made(text: &str, role: Role) -> Self {
        Self {
            digest: digest(text),
            name: usual_name(),
            role,
            grants: Grants::default(),
            created_at: Timestamp::now(),
            expires_at: None,
            refresh: None,
        }
    }

    /// Returns a token and the name of its user.
    pub(super) fn load(tx: &Transaction<'_>, digest: &str) -> Result<Option<(String, Self)>> {
        let mut query = tx.prepare_cached(
            "SELECT u.name, t.name, t.role, t.grants, t.created_at, t.expires_at, t.refresh
             FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.digest = ?1",
        )?;
        let mut rows = query.query([digest])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let token = Self {
            digest: digest.to_owned(),
            name: row.get(1)?,
            role: db::from_word(row.get_ref(2)?.as_str()?)?,
            grants: serde_json::from_str(row.get_ref(3)?.as_str()?)?,
            created_at: db::time(row.get(4)?)?,
            expires_at: row.get::<_, Option<i64>>(5)?.map(db::time).transpose()?,
            refresh: row.get(6)?,
        };
        Ok(Some((row.get(0)?, token)))
    }

    /// Returns the tokens of a user, the oldest one first.
    pub(super) fn of(tx: &Transaction<'_>, owner: &str) -> Result<Vec<Self>> {
        let mut query = tx.prepare_cached(
            "SELECT digest FROM tokens t JOIN users u ON u.id = t.user_id WHERE u.name = ?1
             ORDER BY t.id",
        )?;
        let digests = query.query_map([owner], |row| row.get::<_, String>(0))?;
        let tokens = digests.map(|digest| Self::load(tx, &digest?));
        let tokens = tokens.collect::<Result<Vec<_>>>()?.into_iter().flatten();
        Ok(tokens.map(|(_, token)| token).collect())
    }

    /// Removes the tokens of a user whose digest begins with `id`. Returns their number.
    pub(super) fn revoke(tx: &Transaction<'_>, owner: &str, id: &str) -> Result<usize> {
        Ok(tx.execute(
            "DELETE FROM tokens WHERE user_id = (SELECT id FROM users WHERE name = ?1)
             AND substr(digest, 1, length(?2)) = ?2",
            (owner, id),
        )?)
    }

    /// Stores a token of an existing user.
    pub(super) fn save(&self, tx: &Transaction<'_>, owner: &str) -> Result<()> {
        tx.execute(
            "INSERT INTO tokens
               (user_id, digest, name, role, grants, created_at, expires_at, refresh)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM users WHERE name = ?1",
            rusqlite::params![
                owner,
                self.digest,
                self.name,
                self.role.word(),
                serde_json::to_string(&self.grants)?,
                self.created_at.as_microsecond(),
                self.expires_at.map(Timestamp::as_microsecond),
                self.refresh,
            ],
        )?;
        Ok(())
    }

    /// Stores it in place of the token with this refresh token; `false` if there is none.
    pub(super) fn replace(&self, tx: &Transaction<'_>, refresh: &str) -> Result<bool> {
        let mut query = tx.prepare_cached(
            "SELECT u.name FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.refresh = ?1",
        )?;
        let owner = query.query_row([refresh], |row| row.get::<_, String>(0)).optional()?;
        let Some(owner) = owner else { return Ok(false) };
        tx.execute("DELETE FROM tokens WHERE refresh = ?1", [refresh])?;
        self.save(tx, &owner)?;
        Ok(true)
    }

    /// Whether it has not expired.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it gives access to private repositories of its user.
    pub(crate) fn may_read(&self, key: &RepoKey) -> bool {
        self.role != Role::FineGrained || self.allows_reading(key)
    }

    /// Whether it gives access to gated repositories of others.
    pub(crate) fn may_read_gated(&self, key: &RepoKey) -> bool {
        self.role != Role::FineGrained || self.grants.can_read_gated_repos || self.may_read(key)
    }

    /// Whether it has any write permission.
    pub(crate) fn may_write(&self) -> bool {
        match self.role {
            Role::Read => false,
            Role::Write => true,
            Role::FineGrained => {
                let scoped = self.grants.scoped.iter().flat_map(|scope| &scope.permissions);
                scoped.chain(&self.grants.global).any(|permission| permission == "repo.write")
            }
        }
    }

    /// Whether it may take part in the discussions of a repository.
    pub(crate) fn may_discuss(&self, key: &RepoKey) -> bool {
        let writes = |name: &String| name == "discussion.write" || name == "repo.write";
        match self.role {
            Role::Read => false,
            Role::Write => true,
            Role::FineGrained => self.permissions_for(key).any(writes),
        }
    }

    /// Whether it may change repositories of a namespace.
    pub(crate) fn may_write_in(&self, namespace: &str) -> bool {
        let grants = &self.grants;
        let scope = grants.scoped.iter().find(|scope| scope.entity == namespace);
        let mut permissions =
            scope.into_iter().flat_map(|scope| &scope.permissions).chain(&grants.global);
        match self.role {
            Role::FineGrained => permissions.any(|permission| permission == "repo.write"),
            role => role == Role::Write,
        }
    }

    /// Whether it may see the webhooks of its user, or change them too. They report what happens in
    /// all repositories of the user.
    pub(crate) fn may_use_webhooks(&self, to_change: bool) -> bool {
        let has = |name: &str| self.grants.global.iter().any(|permission| permission == name);
        match self.role {
            Role::Read => !to_change,
            Role::Write => true,
            Role::FineGrained => {
                has("user.webhooks.write") || !to_change && has("user.webhooks.read")
            }
        }
    }

    /// Whether it gives access to what is private in a namespace of its user.
    pub(crate) fn may_read_in(&self, namespace: &str) -> bool {
        self.readable().is_none_or(|all| all.iter().any(|entity| entity == namespace))
    }

    /// Returns the namespaces and repositories for which [`Self::may_read`] holds; `None` for all.
    pub(crate) fn readable(&self) -> Option<Vec<String>> {
        let is_all = self.role != Role::FineGrained || self.grants.global.iter().any(reads);
        let scoped = self.grants.scoped.iter().filter(|scope| scope.permissions.iter().any(reads));
        (!is_all).then(|| scoped.map(|scope| scope.entity.clone()).collect())
    }

    fn allows_reading(&self, key: &RepoKey) -> bool {
        self.permissions_for(key).any(reads)
    }

    /// Returns the permissions of a fine-grained token for a repository.
    fn permissions_for(&self, key: &RepoKey) -> impl Iterator<Item = &String> {
        let (id, namespace) = (key.id.to_string(), key.id.namespace().map(str::to_owned));
        let fits = move |scope: &&Scope| {
            scope.entity == id || namespace.as_ref().is_some_and(|name| *name == scope.entity)
        };
        let scoped = self.grants.scoped.iter().filter(fits).flat_map(|scope| &scope.permissions);
        scoped.chain(&self.grants.global)
    }
}

// Write permission includes read permission.
fn reads(permission: &String) -> bool {
    permission == "repo.content.read" || permission == "repo.write"
}

/// Returns a random token.
pub(crate) fn random_token() -> Result<String> {
    Ok(format!("hf_{}", random_hex()?))
}

/// Returns 40 random hex digits.
pub(crate) fn random_hex() -> Result<String> {
    random::<20>()
}

/// Returns a new id in the format of the Hub's database: 24 hex digits.
pub(crate) fn random_id() -> Result<String> {
    random::<12>()
}

/// Returns an id in that format which is always the same for a name.
pub(crate) fn object_id(name: &str) -> String {
    hex::encode(&Sha256::digest(name)[..12])
}

fn random<const N: usize>() -> Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// Returns what is stored of a secret.
pub(crate) fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

fn usual_name() -> String {
    "local".to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::repo_id::RepoKind;
    use super::*;

    #[test]
    fn a_fine_grained_token_has_only_its_permissions() {
        let key = |id: &str| RepoKey::new(RepoKind::Model, id.parse().unwrap());
        let mut token = Token::new("hf_fine", Role::FineGrained).unwrap();
        assert!(
            !token.may_read(&key("acme/r")) && !token.may_write() && !token.may_write_in("acme")
        );
        token.grants.scoped = vec![
            "acme=repo.content.read".parse().unwrap(),
            "lab=repo.write".parse().unwrap(),
            "solo/one=repo.content.read".parse().unwrap(),
            "solo/two=discussion.write".parse().unwrap(),
        ];
        assert!(token.may_discuss(&key("lab/r")) && token.may_discuss(&key("solo/two")));
        assert!(!token.may_discuss(&key("acme/r")) && !token.may_discuss(&key("solo/one")));
        assert!(token.may_read(&key("acme/r")) && !token.may_write_in("acme"));
        assert!(token.may_read(&key("lab/r")) && token.may_write_in("lab") && token.may_write());
        assert!(token.may_read(&key("solo/one")) && !token.may_read(&key("solo/two")));
        assert!(!token.may_read_gated(&key("other/r")));
        token.grants.can_read_gated_repos = true;
        assert!(token.may_read_gated(&key("other/r")) && !token.may_read(&key("other/r")));
    }
}
