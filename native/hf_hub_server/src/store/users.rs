//! Users, organisations and tokens: `users.json` at the root.
//!
//! Tokens are kept as digests only. The file is read anew for every question, so that a running server sees
//! what the command line changed.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk::{self, Lock};
use super::repo_id::check_name;

/// A person with tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    /// The account name.
    pub(crate) name: String,
    /// The organisations the user is a member of.
    #[serde(default)]
    pub(crate) orgs: Vec<String>,
    /// The user's tokens.
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
}

impl User {
    /// Whether the user owns `namespace` or is a member of it.
    pub(crate) fn belongs_to(&self, namespace: &str) -> bool {
        self.name == namespace || self.orgs.iter().any(|org| org == namespace)
    }
}

/// One access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    /// SHA-256 of the token, in hex.
    pub(crate) digest: String,
    /// What the token may do.
    pub(crate) role: Role,
    /// When it was made.
    pub(crate) created_at: Timestamp,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Read what the user may read.
    Read,
    /// Also change it.
    Write,
}

/// The users file.
#[derive(Clone, Debug)]
pub(crate) struct Users {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    users: Vec<User>,
    #[serde(default)]
    orgs: Vec<String>,
}

impl Users {
    /// The users of the Hub at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { path: root.join("users.json") }
    }

    /// Every user, in the order they were added.
    pub(crate) fn list(&self) -> Result<Vec<User>> {
        Ok(self.read()?.users)
    }

    /// The owner of a token, with that token.
    pub(crate) fn by_token(&self, token: &str) -> Result<Option<(User, Token)>> {
        let digest = digest(token);
        let found = self.read()?.users.into_iter().find_map(|user| {
            let token = user.tokens.iter().find(|token| token.digest == digest)?.clone();
            Some((user, token))
        });
        Ok(found)
    }

    /// Gives a user one more token and more organisations; creates what does not exist yet.
    pub(crate) fn add(&self, name: &str, orgs: &[String], token: &str, role: Role) -> Result<()> {
        check_name(name)?;
        orgs.iter().try_for_each(|org| check_name(org))?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            bail!("a token consists of visible ASCII characters");
        }
        let token = Token { digest: digest(token), role, created_at: Timestamp::now() };
        self.update(|content| {
            for org in orgs {
                register_org(content, org);
            }
            let is_in_use = content
                .users
                .iter()
                .any(|user| user.tokens.iter().any(|t| t.digest == token.digest));
            if is_in_use {
                bail!("this token is already in use");
            }
            if content.orgs.iter().any(|org| org == name) {
                bail!("`{name}` is an organisation");
            }
            let user = find_or_add(content, name);
            user.orgs.extend(
                orgs.iter().filter(|org| !user.orgs.contains(org)).cloned().collect::<Vec<_>>(),
            );
            user.tokens.push(token);
            Ok(())
        })
    }

    /// Makes sure that somebody is called `namespace`: an organisation, unless there is such a user.
    pub(crate) fn ensure_namespace(&self, namespace: &str) -> Result<()> {
        self.update(|content| {
            if !content.users.iter().any(|user| user.name == namespace) {
                register_org(content, namespace);
            }
            Ok(())
        })
    }

    fn read(&self) -> Result<Content> {
        Ok(disk::read_json(&self.path)?.unwrap_or_default())
    }

    fn update(&self, change: impl FnOnce(&mut Content) -> Result<()>) -> Result<()> {
        let _lock = Lock::acquire(&self.path.with_extension("lock"))?;
        let mut content = self.read()?;
        change(&mut content)?;
        disk::write_json(&self.path, &content)
    }
}

/// A new random token.
pub(crate) fn random_token() -> Result<String> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)?;
    Ok(format!("hf_{}", hex::encode(bytes)))
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

fn register_org(content: &mut Content, org: &str) {
    if !content.orgs.iter().any(|known| known == org) {
        content.orgs.push(org.to_owned());
    }
}

fn find_or_add<'a>(content: &'a mut Content, name: &str) -> &'a mut User {
    let known = content.users.iter().position(|user| user.name == name);
    let position = known.unwrap_or_else(|| {
        content.users.push(User { name: name.to_owned(), orgs: Vec::new(), tokens: Vec::new() });
        content.users.len() - 1
    });
    &mut content.users[position]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_user_by_token_and_keeps_no_token() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(root.path());
        users.add("ann", &["acme".into()], "hf_secret", Role::Write).unwrap();
        users.add("ann", &["other".into()], "hf_second", Role::Read).unwrap();

        let (user, token) = users.by_token("hf_secret").unwrap().unwrap();
        assert_eq!((user.name.as_str(), token.role), ("ann", Role::Write));
        assert!(user.belongs_to("acme") && user.belongs_to("other") && !user.belongs_to("x"));
        assert!(users.by_token("hf_wrong").unwrap().is_none());
        assert!(
            !std::fs::read_to_string(root.path().join("users.json")).unwrap().contains("hf_secret")
        );
    }

    #[test]
    fn refuses_a_token_twice_and_a_user_named_like_an_organisation() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(root.path());
        users.add("ann", &["acme".into()], "hf_secret", Role::Write).unwrap();

        assert!(users.add("bob", &[], "hf_secret", Role::Read).is_err());
        assert!(users.add("acme", &[], "hf_other", Role::Read).is_err());
        assert!(users.add("../x", &[], "hf_other", Role::Read).is_err());
    }
}
