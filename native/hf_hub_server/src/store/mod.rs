//! The data below the root: repositories, large files, users, the signing key.
//!
//! Only this module and its children know the layout. No HTTP, no access rules.

mod attributes;
mod commit;
mod devices;
mod disk;
mod git;
mod holdings;
mod import;
mod lfs;
mod lifecycle;
mod papers;
mod parts;
mod repo;
mod repo_id;
mod settings;
mod token;
mod users;

pub(crate) use attributes::{Attributes, default_for as default_gitattributes};
pub(crate) use commit::{Base, CommitError, Spec as CommitSpec};
pub(crate) use devices::{Decision as LoginAnswer, Devices};
pub(crate) use disk::Lock;
pub(crate) use git::{
    CommitInfo, Draft, Edit, EditError, Entry, EntryKind, Git, Listed, MAIN, MAIN_REF, branch_ref,
    tag_ref,
};
pub(crate) use import::Spec as ImportSpec;
pub(crate) use lfs::{LfsStore, MAX_POINTER_SIZE, Pointer, Receiving, is_oid};
pub(crate) use papers::{Paper, Papers};
pub(crate) use parts::{IncomingPart, is_upload};
pub(crate) use repo::{Lookup, Repo};
pub(crate) use repo_id::{RepoId, RepoKey, RepoKind};
pub(crate) use settings::{AccessRequest, Gate, PullRequest, Settings};
pub(crate) use token::{Role, Scope, Token, random_token};
pub(crate) use users::{Membership, User, Users};

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use settings::Card;

const KEY_BYTES: usize = 32;

/// The root folder of a Hub.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the root, creating it if necessary; fails if it is not writable.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let context = || format!("cannot use {} as root", root.display());
        fs::create_dir_all(root.join("repos")).with_context(context)?;
        tempfile::tempfile_in(root).with_context(context)?;
        Ok(Self { root: root.canonicalize().with_context(context)? })
    }

    /// Returns the store of large files.
    pub(crate) fn lfs(&self) -> LfsStore {
        LfsStore::new(&self.root)
    }

    /// Returns the users and organisations.
    pub(crate) fn users(&self) -> Users {
        Users::new(&self.root)
    }

    /// Returns the papers.
    pub(crate) fn papers(&self) -> Papers {
        Papers::new(&self.root)
    }

    /// Returns the pending logins.
    pub(crate) fn devices(&self) -> Devices {
        Devices::new(&self.root)
    }

    /// Returns the folder of the generated certificate.
    pub(crate) fn tls_dir(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Replaces a file that only its owner may read.
    pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<()> {
        disk::write(path, content)
    }

    /// Returns the key that signs URLs; created on first use, so that links survive a restart.
    pub(crate) fn signing_key(&self) -> Result<Vec<u8>> {
        let path = self.root.join("signing.key");
        let _lock = Lock::acquire(&self.root.join("signing.lock"))?;
        if let Ok(key) = fs::read(&path)
            && key.len() == KEY_BYTES
        {
            return Ok(key);
        }
        let mut key = vec![0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        disk::write(&path, &key)?;
        Ok(key)
    }

    /// Returns where a repository is now.
    pub(crate) fn locate(&self, key: &RepoKey) -> Result<Lookup> {
        Ok(match disk::read_json(&self.card_path(key))? {
            None => Lookup::Missing,
            Some(Card::Moved { moved_to }) => Lookup::Moved(moved_to.parse()?),
            Some(Card::Here(settings)) => Lookup::Found(Box::new(Repo {
                key: key.clone(),
                git_dir: self.git_dir(key),
                settings,
            })),
        })
    }

    /// Returns the name of a repository in the case it was created with: ids that differ only in
    /// case are the same. An unused name is returned unchanged.
    pub(crate) fn spelled(&self, key: &RepoKey) -> Result<RepoKey> {
        if let Lookup::Found(_) = self.locate(key)? {
            return Ok(key.clone());
        }
        let mut twins = Vec::new();
        for namespace in self.namespaces_like(key)? {
            let folder = self.kind_dir(key.kind).join(namespace.as_deref().unwrap_or_default());
            let names = file_names(&folder)?;
            let like = |name: &&str| name.eq_ignore_ascii_case(key.id.name());
            let cards = names.iter().filter_map(|name| name.strip_suffix(".git.json")).filter(like);
            let ids = cards.map(|name| match &namespace {
                Some(namespace) => format!("{namespace}/{name}").parse(),
                None => name.parse(),
            });
            twins.extend(ids.flatten().map(|id| RepoKey::new(key.kind, id)));
        }
        twins.sort_by(|a, b| a.id.cmp(&b.id));
        let lives = |twin: &&RepoKey| matches!(self.locate(twin), Ok(Lookup::Found(_)));
        let is_own = |twin: &&RepoKey| *twin == key;
        let found = twins.iter().find(lives).or_else(|| twins.iter().find(is_own));
        Ok(found.or(twins.first()).unwrap_or(key).clone())
    }

    /// Returns the folders of a namespace, in any case; `None` stands for no namespace.
    fn namespaces_like(&self, key: &RepoKey) -> Result<Vec<Option<String>>> {
        let Some(namespace) = key.id.namespace() else { return Ok(vec![None]) };
        let mut names = file_names(&self.kind_dir(key.kind))?;
        names.retain(|name| name.eq_ignore_ascii_case(namespace));
        Ok(names.into_iter().map(Some).collect())
    }

    /// Returns the repository of that name; fails if it is missing.
    pub(crate) fn find(&self, key: &RepoKey) -> Result<Repo> {
        match self.locate(key)? {
            Lookup::Found(repo) => Ok(*repo),
            Lookup::Moved(id) => bail!("{key} was renamed to {id}"),
            Lookup::Missing => bail!("there is no {key}"),
        }
    }

    /// Returns all repositories of a kind, sorted by id.
    pub(crate) fn list(&self, kind: RepoKind) -> Result<Vec<Repo>> {
        let folder = self.kind_dir(kind);
        let mut ids = Vec::new();
        for name in file_names(&folder)? {
            if let Some(name) = name.strip_suffix(".git") {
                ids.push(name.to_owned());
            } else if folder.join(&name).is_dir() {
                let inner = file_names(&folder.join(&name))?;
                ids.extend(
                    inner
                        .iter()
                        .filter_map(|n| Some(format!("{name}/{}", n.strip_suffix(".git")?))),
                );
            }
        }
        ids.sort();
        let keys = ids.iter().filter_map(|id| Some(RepoKey::new(kind, id.parse().ok()?)));
        let places = keys.map(|key| self.locate(&key)).collect::<Result<Vec<_>>>()?;
        Ok(places.into_iter().filter_map(Lookup::found).collect())
    }

    /// Changes the settings of a repository.
    pub(crate) fn update(&self, key: &RepoKey, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let _lock = self.lock(key)?;
        let mut settings = self.find(key)?.settings;
        change(&mut settings);
        self.write_settings(key, settings)
    }

    /// Replaces the settings; the caller holds the repository's lock.
    fn write_settings(&self, key: &RepoKey, settings: Settings) -> Result<()> {
        disk::write_json(&self.card_path(key), &Card::Here(settings))
    }

    /// Waits for exclusive write access to the repository.
    pub(crate) fn lock(&self, key: &RepoKey) -> Result<Lock> {
        Lock::acquire(&self.beside(key, "lock"))
    }

    fn kind_dir(&self, kind: RepoKind) -> PathBuf {
        self.root.join("repos").join(kind.plural())
    }

    fn git_dir(&self, key: &RepoKey) -> PathBuf {
        let mut dir = self.kind_dir(key.kind);
        dir.extend(key.id.namespace());
        dir.join(format!("{}.git", key.id.name()))
    }

    fn card_path(&self, key: &RepoKey) -> PathBuf {
        self.beside(key, "json")
    }

    fn beside(&self, key: &RepoKey, extension: &str) -> PathBuf {
        let git_dir = self.git_dir(key);
        git_dir.with_file_name(format!("{}.git.{extension}", key.id.name()))
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
