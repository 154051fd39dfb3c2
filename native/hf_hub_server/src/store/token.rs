//! Tokens and their permissions.

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

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

    /// Whether it has not expired.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it gives access to private repositories of its user.
    pub(crate) fn may_read(&self, key: &RepoKey) -> bool {
        self.role != Role::FineGrained || self.allows("repo.content.read", key)
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

    fn allows(&self, wanted: &str, key: &RepoKey) -> bool {
        let id = key.id.to_string();
        let fits = |scope: &&Scope| {
            scope.entity == id || key.id.namespace().is_some_and(|name| name == scope.entity)
        };
        let scoped = self.grants.scoped.iter().filter(fits).flat_map(|scope| &scope.permissions);
        // Write permission includes read permission.
        scoped
            .chain(&self.grants.global)
            .any(|permission| permission == wanted || permission == "repo.write")
    }
}

/// Returns a random token.
pub(crate) fn random_token() -> Result<String> {
    Ok(format!("hf_{}", random_hex()?))
}

/// Returns 40 random hex digits.
pub(crate) fn random_hex() -> Result<String> {
    let mut bytes = [0; 20];
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
        ];
        assert!(token.may_read(&key("acme/r")) && !token.may_write_in("acme"));
        assert!(token.may_read(&key("lab/r")) && token.may_write_in("lab") && token.may_write());
        assert!(token.may_read(&key("solo/one")) && !token.may_read(&key("solo/two")));
        assert!(!token.may_read_gated(&key("other/r")));
        token.grants.can_read_gated_repos = true;
        assert!(token.may_read_gated(&key("other/r")) && !token.may_read(&key("other/r")));
    }
}
