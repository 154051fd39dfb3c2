//! The data below the root: repositories, large files, users, the signing key.
//!
//! Only this module and its children know the layout. Git repositories and large files are files,
//! all other state is in the database ([`db`]), one module for each noun. No HTTP, no access rules.

mod about;
mod access;
mod attributes;
mod backup;
#[cfg(feature = "xet")]
mod buckets;
pub(crate) mod card;
mod catalog;
mod changes;
mod collection_items;
mod collections;
mod commit;
mod db;
mod deliveries;
mod delivery_log;
mod devices;
mod discussions;
mod disk;
mod endpoints;
mod facts;
mod first_commit;
mod follows;
mod git;
mod holdings;
mod import;
mod index;
mod jobs;
mod large_files;
mod legacy;
mod lfs;
mod lifecycle;
mod likes;
mod log;
mod oid;
mod organizations;
mod papers;
mod parts;
mod popularity;
mod pull_requests;
mod push;
mod repo;
mod repo_id;
mod repo_lock;
mod running_hash;
pub(crate) mod safetensors;
mod scheduled_jobs;
mod script;
mod settings;
mod spaces;
mod token;
mod users;
mod webhooks;
#[cfg(feature = "xet")]
mod xet;

pub(crate) use about::About;
pub(crate) use access::{AccessRequest, AccessState, Decided, Requested, Requester};
pub(crate) use attributes::{Attributes, default_for as default_gitattributes};
#[cfg(feature = "xet")]
pub(crate) use buckets::{
    Bucket, BucketEntry, BucketEvent, BucketFile, BucketPosition, BucketSearch, FileChange,
};
pub(crate) use catalog::{Found, Order, Search, Viewer};
pub(crate) use changes::Changes;
pub(crate) use collection_items::{Content, Item};
pub(crate) use collections::{
    Collection, CollectionChange, CollectionOrder, CollectionSearch, Collections, ItemKey,
    NewCollection,
};
pub(crate) use commit::{Base, CommitError, Spec as CommitSpec};
pub(crate) use deliveries::{Attempt, Due, Outgoing, Verdict};
pub(crate) use devices::{Decision as LoginAnswer, Devices};
pub(crate) use discussions::{
    Author, Comment, Discussion, Event, Filter as DiscussionFilter, Happened, Opening, Refused,
    Status as DiscussionStatus,
};
pub(crate) use disk::{Lock, is_full, remove_foreign_folder};
pub(crate) use endpoints::{Endpoint, NewEndpoint, State as EndpointState};
pub(crate) use facts::{Properties, read as facts};
pub(crate) use follows::{Followed, Follows};
pub(crate) use git::{
    Added, CommitInfo, Draft, Edit, EditError, Entry, EntryKind, Git, Listed, MAIN, MAIN_REF, Pack,
    PackedBlob, Packer, Rewritten, Seen, branch_ref, program as git_program, tag_ref,
};
pub(crate) use import::Spec as ImportSpec;
pub(crate) use jobs::{
    Expose as JobExpose, Job, MOST_UNFINISHED, NewJob, Search as JobSearch, Spec as JobSpec,
    Stage as JobStage,
};
pub(crate) use large_files::LargeFile;
pub(crate) use lfs::{LfsStore, MAX_POINTER_SIZE, Pointer, Receiving, Stored};
pub(crate) use likes::Liked;
pub(crate) use log::{Piece, Tail, Writer as LogWriter};
pub(crate) use oid::is_oid;
pub(crate) use organizations::{Member, Organization, Organizations};
pub(crate) use papers::{Paper, Papers};
pub(crate) use parts::{IncomingPart, PartPlace, is_upload};
pub(crate) use popularity::Popularity;
pub(crate) use push::{Broken as BrokenPush, Moved, Quarantine, RefMove};
pub(crate) use repo::{Lookup, Repo};
pub(crate) use repo_id::{RepoId, RepoKey, RepoKind};
pub(crate) use repo_lock::RepoLock;
pub(crate) use scheduled_jobs::{NewScheduled, Scheduled};
pub(crate) use script::{Script, step as script_step};
pub(crate) use settings::{Gate, Settings};
pub(crate) use spaces::{
    Entry as SpaceEntry, FREE_HARDWARE, LogKind, NewEntry as NewSpaceEntry, NewSpace, Space, Stage,
};
pub(crate) use token::{Role, Scope, Token, object_id, random_token};
pub(crate) use users::{Account, Membership, OrgRole, User, Users};
pub(crate) use webhooks::{
    Domain, Watched, WatchedKind, Webhook, WebhookSpec, WebhookState, Webhooks,
};
#[cfg(feature = "xet")]
pub(crate) use xet::{
    IncomingXorb, Invalid, MAX_SHARD, MAX_XORB, Shard, Term, Verified, XetContent, XetFile,
    XetHash, XetStore, XorbIndex, parse_hash,
};

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use access::Access;
use changes::Recent;
use db::Db;
use index::Index;

const KEY_BYTES: usize = 32;

/// The root folder of a Hub.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
    db: Db,
    index: Index,
    recent: Recent,
    lfs: LfsStore,
}

impl Store {
    /// Opens the root, creating it if necessary; fails if it is not writable.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let context = || format!("cannot use {} as root", root.display());
        fs::create_dir_all(root.join("repos")).with_context(context)?;
        tempfile::tempfile_in(root).with_context(context)?;
        let root = root.canonicalize().with_context(context)?;
        // The state of earlier versions was in JSON files.
        let db = Db::open(&root, |tx| legacy::import(tx, &root))?;
        let index = Index::open(db.clone())?;
        let lfs = LfsStore::new(&root);
        #[cfg(feature = "xet")]
        let lfs = lfs.with_xet(XetStore::new(&root, db.clone()));
        Ok(Self { root, db, index, recent: Recent::default(), lfs })
    }

    /// Returns the store of large files.
    pub(crate) fn lfs(&self) -> LfsStore {
        self.lfs.clone()
    }

    /// Returns the Xet storage.
    #[cfg(feature = "xet")]
    pub(crate) fn xet(&self) -> XetStore {
        XetStore::new(&self.root, self.db.clone())
    }

    /// Returns the store of the attachments of discussions: like large files, but of no repository.
    pub(crate) fn attachments(&self) -> LfsStore {
        LfsStore::at(self.root.join("attachments"))
    }

    /// Returns the users and organisations.
    pub(crate) fn users(&self) -> Users {
        Users::new(self.db.clone())
    }

    /// Returns the organisations.
    pub(crate) fn organizations(&self) -> Organizations {
        Organizations::new(self.db.clone())
    }

    /// Returns who follows whom.
    pub(crate) fn follows(&self) -> Follows {
        Follows::new(self.db.clone())
    }

    /// Returns the collections.
    pub(crate) fn collections(&self) -> Collections {
        Collections::new(self.db.clone())
    }

    /// Returns the papers.
    pub(crate) fn papers(&self) -> Papers {
        Papers::new(self.db.clone())
    }

    /// Returns the webhooks.
    pub(crate) fn webhooks(&self) -> Webhooks {
        Webhooks::new(self)
    }

    /// Returns the pending logins.
    pub(crate) fn devices(&self) -> Devices {
        Devices::new(self.db.clone())
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
        self.db.read(|tx| {
            let Some((row, settings)) = repo::load(tx, key)? else {
                return Ok(repo::redirect(tx, key)?.map_or(Lookup::Missing, Lookup::Moved));
            };
            let access = Access::new(self.db.clone(), row);
            let waiting = first_commit::is_waiting(tx, row)?.then(|| self.db.clone());
            let (key, git_dir) = (key.clone(), self.git_dir(key));
            Ok(Lookup::Found(Box::new(Repo { key, settings, access, row, git_dir, waiting })))
        })
    }

    /// Returns the name of a repository in the case it was created with: ids that differ only in
    /// case are the same. An unused name is returned unchanged.
    pub(crate) fn spelled(&self, key: &RepoKey) -> Result<RepoKey> {
        self.db.read(|tx| {
            let twin = match repo::in_any_case(tx, key)? {
                Some(twin) => Some(twin),
                None => repo::redirect_in_any_case(tx, key)?,
            };
            Ok(twin.unwrap_or_else(|| key.clone()))
        })
    }

    /// Returns the repository of that name; fails if it is missing.
    pub(crate) fn find(&self, key: &RepoKey) -> Result<Repo> {
        match self.locate(key)? {
            Lookup::Found(repo) => Ok(*repo),
            Lookup::Moved(id) => bail!("{key} was renamed to {id}"),
            Lookup::Missing => bail!("there is no {key}"),
        }
    }

    /// Changes the settings of a repository.
    pub(crate) fn update(&self, key: &RepoKey, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let row = self.find(key)?.row;
        self.db.write(|tx| {
            // Read again: a writer in another process may have been first.
            let found = repo::load(tx, key)?.filter(|(found, _)| *found == row);
            let (row, mut settings) = found.with_context(|| format!("there is no {key}"))?;
            change(&mut settings);
            settings.save(tx, row)
        })
    }

    /// Waits for exclusive write access to the repository.
    pub(crate) fn lock(&self, key: &RepoKey) -> Result<RepoLock> {
        RepoLock::acquire(&self.lock_path(key), self.index.clone(), key.clone())
    }

    /// Returns the git repositories of all repositories; some may not be written yet.
    fn git_dirs(&self) -> Result<Vec<PathBuf>> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached("SELECT kind, full_id FROM repositories")?;
            let mut rows = query.query([])?;
            let mut dirs = Vec::new();
            while let Some(row) = rows.next()? {
                let kind = RepoKind::from_singular(row.get_ref(0)?.as_str()?)?;
                let key = RepoKey::new(kind, row.get_ref(1)?.as_str()?.parse()?);
                dirs.push(self.git_dir(&key));
            }
            Ok(dirs)
        })
    }

    fn kind_dir(&self, kind: RepoKind) -> PathBuf {
        self.root.join("repos").join(kind.plural())
    }

    fn git_dir(&self, key: &RepoKey) -> PathBuf {
        let mut dir = self.kind_dir(key.kind);
        dir.extend(key.id.namespace());
        dir.join(format!("{}.git", key.id.name()))
    }

    fn lock_path(&self, key: &RepoKey) -> PathBuf {
        let git_dir = self.git_dir(key);
        git_dir.with_file_name(format!("{}.git.lock", key.id.name()))
    }
}
