//! Users and organisations: `users.json` in the root.
//!
//! Tokens are stored as digests only. The file is read for every request, so that a running server
//! sees changes of the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{self, Lock};
use super::repo_id::check_name;
use super::token::{Token, digest};

/// A person with tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    /// The account name.
    pub(crate) name: String,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fullname: Option<String>,
    /// The organisations the user is a member of.
    #[serde(default)]
    pub(crate) orgs: Vec<String>,
    /// The user's roles in organisations, if not the default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    roles: BTreeMap<String, OrgRole>,
    /// The user's tokens.
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
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

    fn join(&mut self, membership: &Membership) {
        if !self.orgs.contains(&membership.org) {
            self.orgs.push(membership.org.clone());
        }
        self.roles.insert(membership.org.clone(), membership.role);
    }
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

impl Content {
    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.users.iter().flat_map(|user| &user.tokens)
    }
}

impl Users {
    /// Opens the users of the Hub at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { path: root.join("users.json") }
    }

    /// Returns all users, in the order in which they were added.
    pub(crate) fn list(&self) -> Result<Vec<User>> {
        Ok(self.read()?.users)
    }

    /// Returns the owner of a token, with that token.
    pub(crate) fn by_token(&self, token: &str) -> Result<Option<(User, Token)>> {
        let digest = digest(token);
        let now = Timestamp::now();
        let found = self.read()?.users.into_iter().find_map(|user| {
            let mut tokens = user.tokens.iter();
            let token = tokens.find(|token| token.digest == digest && token.is_valid(now))?.clone();
            Some((user, token))
        });
        Ok(found)
    }

    /// Adds a token and memberships to a user; creates what does not exist yet.
    pub(crate) fn add(&self, name: &str, orgs: &[Membership], token: Token) -> Result<()> {
        check_name(name)?;
        orgs.iter().try_for_each(|membership| check_name(&membership.org))?;
        self.update(|content| {
            for membership in orgs {
                register_org(content, &membership.org);
            }
            if content.tokens().any(|known| known.digest == token.digest) {
                bail!("this token is already in use");
            }
            if content.orgs.iter().any(|org| org == name) {
                bail!("`{name}` is an organisation");
            }
            let user = find_or_add(content, name);
            for membership in orgs {
                user.join(membership);
            }
            user.tokens.push(token);
            Ok(())
        })
    }

    /// Sets a user's display name.
    pub(crate) fn set_fullname(&self, name: &str, fullname: &str) -> Result<()> {
        self.update(|content| {
            let user = content.users.iter_mut().find(|user| user.name == name);
            let user = user.with_context(|| format!("there is no user `{name}`"))?;
            user.fullname = Some(fullname.to_owned());
            Ok(())
        })
    }

    /// Adds a token to an existing user.
    pub(crate) fn grant(&self, name: &str, token: Token) -> Result<()> {
        self.update(|content| {
            let user = content.users.iter_mut().find(|user| user.name == name);
            user.with_context(|| format!("there is no user `{name}`"))?.tokens.push(token);
            Ok(())
        })
    }

    /// Replaces the token that `refresh` belongs to; `false` if it is unknown.
    pub(crate) fn renew(&self, refresh: &str, token: Token) -> Result<bool> {
        let old = digest(refresh);
        let mut token = Some(token);
        self.update(|content| {
            let mut known = content.users.iter_mut().flat_map(|user| user.tokens.iter_mut());
            if let Some(place) = known.find(|known| known.refresh.as_ref() == Some(&old)) {
                *place = token.take().unwrap_or_else(|| place.clone());
            }
            Ok(())
        })?;
        Ok(token.is_none())
    }

    /// Ensures that `namespace` exists: as an organisation, unless there is such a user.
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

fn register_org(content: &mut Content, org: &str) {
    if !content.orgs.iter().any(|known| known == org) {
        content.orgs.push(org.to_owned());
    }
}

fn find_or_add<'a>(content: &'a mut Content, name: &str) -> &'a mut User {
    let known = content.users.iter().position(|user| user.name == name);
    let position = known.unwrap_or_else(|| {
        let (orgs, roles, tokens) = (Vec::new(), BTreeMap::new(), Vec::new());
        content.users.push(User { name: name.to_owned(), fullname: None, orgs, roles, tokens });
        content.users.len() - 1
    });
    &mut content.users[position]
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
        let users = Users::new(root.path());
        users.add("ann", &orgs(&["acme"]), token("hf_secret", Role::Write)).unwrap();
        users.add("ann", &orgs(&["other:read"]), token("hf_second", Role::Read)).unwrap();

        let (user, token) = users.by_token("hf_secret").unwrap().unwrap();
        assert_eq!((user.name.as_str(), token.role), ("ann", Role::Write));
        assert!(user.belongs_to("acme") && user.belongs_to("other") && !user.belongs_to("x"));
        assert!(user.may_write_in("acme") && user.may_write_in("ann"));
        assert!(!user.may_write_in("other") && !user.may_write_in("x"));
        assert!(users.by_token("hf_wrong").unwrap().is_none());
        assert!(
            !std::fs::read_to_string(root.path().join("users.json")).unwrap().contains("hf_secret")
        );
    }

    #[test]
    fn rejects_a_repeated_token_and_a_user_named_like_an_organisation() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(root.path());
        users.add("ann", &orgs(&["acme"]), token("hf_secret", Role::Write)).unwrap();

        assert!(users.add("bob", &[], token("hf_secret", Role::Read)).is_err());
        assert!(users.add("acme", &[], token("hf_other", Role::Read)).is_err());
        assert!(users.add("../x", &[], token("hf_other", Role::Read)).is_err());
        assert!("acme:boss".parse::<Membership>().is_err());
    }

    #[test]
    fn a_renewed_or_expired_token_is_unknown() {
        let root = tempfile::tempdir().unwrap();
        let users = Users::new(root.path());
        let lasting = |seconds| {
            let until = Timestamp::now() + std::time::Duration::from_secs(seconds);
            Token::for_app("first", "refresh", until)
        };
        users.add("ann", &[], lasting(60)).unwrap();
        assert!(users.by_token("first").unwrap().is_some());
        assert!(!users.renew("unknown", token("x", Role::Read)).unwrap());
        let next = Token::for_app("second", "refresh2", Timestamp::now());
        assert!(users.renew("refresh", next).unwrap());
        assert!(users.by_token("first").unwrap().is_none());
        assert!(users.by_token("second").unwrap().is_none(), "it has expired");
        assert!(users.grant("nobody", lasting(60)).is_err());
    }
}
