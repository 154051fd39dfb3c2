//! The state of a root that an earlier version has made: JSON files, which are read once, when the
//! database is created. They stay as they are and mean nothing afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::access::{self, AccessState};
use super::devices::Login;
use super::discussions::Opening;
use super::papers::{self, Paper};
use super::pull_requests;
use super::repo_id::{RepoKey, RepoKind};
use super::settings::{Gate, Settings};
use super::token::Token;
use super::users::{self, OrgRole};
use super::{disk, repo};

/// `users.json`.
#[derive(Default, Deserialize)]
struct Accounts {
    #[serde(default)]
    users: Vec<Account>,
    #[serde(default)]
    orgs: Vec<String>,
}

#[derive(Deserialize)]
struct Account {
    name: String,
    #[serde(default)]
    fullname: Option<String>,
    #[serde(default)]
    orgs: Vec<String>,
    /// The roles that are not the default.
    #[serde(default)]
    roles: BTreeMap<String, OrgRole>,
    #[serde(default)]
    tokens: Vec<Token>,
}

/// `NAME.git.json` beside a bare repository.
#[derive(Deserialize)]
#[serde(untagged)]
enum Card {
    /// The repository was renamed.
    Moved { moved_to: String },
    /// The repository is here.
    Here(Box<Here>),
}

#[derive(Deserialize)]
struct Here {
    #[serde(rename = "_id")]
    object_id: String,
    created_at: Timestamp,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    gated: Option<Gate>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    granted: Vec<String>,
    #[serde(default)]
    requests: BTreeMap<String, AccessState>,
    #[serde(default)]
    pull_requests: Vec<PullRequest>,
    #[serde(default)]
    more: Map<String, Value>,
}

/// A pull request.
#[derive(Deserialize)]
struct PullRequest {
    num: u64,
    title: String,
    author: String,
    created_at: Timestamp,
}

impl PullRequest {
    fn save(&self, tx: &Transaction<'_>, repository: i64) -> Result<()> {
        let (title, author, created_at) = (&*self.title, &*self.author, self.created_at);
        let opening = Opening { title, description: "", author, created_at };
        pull_requests::import(tx, repository, self.num, &opening)
    }
}

/// Copies the state of the JSON files below `root`, if there are any, into an empty database.
pub(super) fn import(tx: &Transaction<'_>, root: &Path) -> Result<()> {
    import_accounts(tx, &root.join("users.json"))?;
    let logins: Option<Vec<Login>> = disk::read_json(&root.join("devices.json"))?;
    logins.into_iter().flatten().try_for_each(|login| login.save(tx))?;
    let papers: Option<BTreeMap<String, Paper>> = disk::read_json(&root.join("papers.json"))?;
    papers.iter().flatten().try_for_each(|(id, paper)| papers::save(tx, id, paper))?;
    for kind in RepoKind::ALL {
        import_kind(tx, kind, &root.join("repos").join(kind.plural()))?;
    }
    Ok(())
}

fn import_accounts(tx: &Transaction<'_>, path: &Path) -> Result<()> {
    let accounts: Accounts = disk::read_json(path)?.unwrap_or_default();
    for org in &accounts.orgs {
        users::register_org(tx, org)?;
    }
    for Account { name, fullname, orgs, roles, tokens } in accounts.users {
        let context = || format!("cannot take over the user `{name}` of {}", path.display());
        users::insert(tx, &name)?;
        users::describe(tx, "users", &name, fullname.as_deref(), None)?;
        for org in &orgs {
            users::register_org(tx, org)?;
            users::join(tx, &name, org, roles.get(org).copied().unwrap_or(OrgRole::Write))?;
        }
        tokens.iter().try_for_each(|token| token.save(tx, &name)).with_context(context)?;
    }
    Ok(())
}

fn import_kind(tx: &Transaction<'_>, kind: RepoKind, folder: &Path) -> Result<()> {
    for name in file_names(folder)? {
        if folder.join(&name).is_dir() {
            for inner in file_names(&folder.join(&name))? {
                import_card(tx, kind, folder, &format!("{name}/{inner}"))?;
            }
        } else {
            import_card(tx, kind, folder, &name)?;
        }
    }
    Ok(())
}

/// Takes over a file that is a card; others are ignored.
fn import_card(tx: &Transaction<'_>, kind: RepoKind, folder: &Path, name: &str) -> Result<()> {
    let id = name.strip_suffix(".git.json").and_then(|id| id.parse().ok());
    let Some(id) = id else { return Ok(()) };
    let key = RepoKey::new(kind, id);
    let path = folder.join(name);
    let context = || format!("cannot take over {}", path.display());
    match disk::read_json(&path)? {
        Some(Card::Moved { moved_to }) => {
            repo::add_redirect(tx, &key, &moved_to.parse().with_context(context)?)
        }
        Some(Card::Here(here)) => here.save(tx, &key).with_context(context),
        None => Ok(()),
    }
}

impl Here {
    fn save(self, tx: &Transaction<'_>, key: &RepoKey) -> Result<()> {
        let settings = Settings {
            object_id: self.object_id,
            created_at: self.created_at,
            private: self.private,
            gated: self.gated,
            disabled: self.disabled,
            more: self.more,
        };
        let row = repo::add(tx, key, &settings)?;
        for (user, state) in &self.requests {
            access::save(tx, row, user, *state)?;
        }
        // A user with access has it even with a request left.
        let accepted = AccessState::Accepted;
        self.granted.iter().try_for_each(|user| access::save(tx, row, user, accepted))?;
        self.pull_requests.iter().try_for_each(|pull_request| pull_request.save(tx, row))
    }
}

/// Returns the UTF-8 names in a folder; none if it does not exist.
fn file_names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(err).with_context(|| format!("cannot read {}", folder.display())),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}
