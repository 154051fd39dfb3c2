//! Making a cache smaller or younger: whole revisions go, those longest unused first.
//!
//! A pinned or leased revision never goes, nor does a content that a kept one shows.
//! When a revision was last used is the latest of: a content read, as far as the file
//! system keeps that; a content written; a lease taken.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    cache::{
        delete::{self, Commits, Order, Report},
        inventory::{Stamp, Trouble},
        layout::CacheDir,
        lock,
        maintenance::is_real_folder,
        scan,
        store::Store,
    },
    error::Result,
};

/// What must be true afterwards.
#[derive(Debug)]
pub struct Spec {
    /// The most bytes the cache may have.
    pub target_size: Option<u64>,
    /// How long a revision may have been unused.
    pub max_age: Option<Duration>,
    /// Whether only to tell.
    pub dry_run: bool,
}

/// A revision that may go.
struct Candidate<'a> {
    folder: OsString,
    revision: &'a scan::Revision,
}

/// Evicts from a cache. To be called while nobody else removes.
pub fn run(cache: &CacheDir, spec: &Spec) -> Result<Report> {
    // What an interrupted download has left takes room like anything else.
    let tolerated = [Trouble::MissingBlob, Trouble::DanglingRef, Trouble::StrayFile];
    let scanned = scan::survey(cache, &tolerated)?;
    let store = Store::open(cache);
    let chosen = choose(cache, &scanned, store.as_ref(), spec);
    let mut targets: BTreeMap<OsString, BTreeSet<String>> = BTreeMap::new();
    for candidate in chosen {
        targets.entry(candidate.folder).or_default().insert(candidate.revision.commit_hash.clone());
    }
    let targets =
        targets.into_iter().map(|(folder, commits)| (folder, Commits::These(commits))).collect();
    delete::run(cache, &Order { targets, ignore_pins: false, dry_run: spec.dry_run })
}

fn choose<'a>(
    cache: &CacheDir,
    scanned: &'a scan::Report,
    store: Option<&Store>,
    spec: &Spec,
) -> Vec<Candidate<'a>> {
    // What would have to stay anyway must not be chosen instead of what can go.
    let free = |repo: &&scan::Repo| {
        let name = repo.repo_path.file_name();
        is_real_folder(&repo.repo_path)
            && name.is_some_and(|name| !lock::is_held(&cache.folder(name).busy_lock()))
    };
    let mut candidates: Vec<Candidate> = scanned
        .repos
        .iter()
        .filter(free)
        .flat_map(|repo| repo.revisions.iter().map(move |revision| (repo, revision)))
        .filter(|(_, revision)| !revision.pinned && !revision.leased)
        .filter_map(|(repo, revision)| {
            Some(Candidate { folder: repo.repo_path.file_name()?.to_owned(), revision })
        })
        .collect();
    candidates.sort_by(|a, b| {
        let order = a.revision.last_used.cmp(&b.revision.last_used);
        // Of two that are equally old the one goes that no branch stands for.
        order
            .then(a.revision.refs.len().cmp(&b.revision.refs.len()))
            .then(a.revision.snapshot_path.cmp(&b.revision.snapshot_path))
    });
    let mut usage = Usage::of(scanned, store);
    let mut chosen = Vec::new();
    for candidate in candidates {
        let too_old = spec.max_age.is_some_and(|limit| age(candidate.revision.last_used) > limit);
        if too_old || spec.target_size.is_some_and(|target| usage.size > target) {
            usage.remove(candidate.revision);
            chosen.push(candidate);
        }
    }
    chosen
}

fn age(used: Stamp) -> Duration {
    let used = UNIX_EPOCH + Duration::from_nanos(u64::try_from(used.0).unwrap_or(0));
    SystemTime::now().duration_since(used).unwrap_or_default()
}

/// How many revisions still show each content, and what all of them take together.
struct Usage {
    size: u64,
    users: HashMap<PathBuf, u32>,
    payloads: HashMap<PathBuf, PathBuf>,
}

impl Usage {
    fn of(scanned: &scan::Report, store: Option<&Store>) -> Self {
        let mut usage =
            Self { size: scanned.size_on_disk, users: HashMap::new(), payloads: HashMap::new() };
        let revisions = scanned.repos.iter().flat_map(|repo| &repo.revisions);
        for (blob, _) in revisions.flat_map(contents) {
            if let Some(payload) = store.and_then(|store| store.target(blob)) {
                usage.payloads.insert(blob.to_owned(), payload);
            }
            *usage.users.entry(usage.physical(blob)).or_default() += 1;
        }
        usage
    }

    fn remove(&mut self, revision: &scan::Revision) {
        for (blob, size) in contents(revision) {
            let users = self.users.entry(self.physical(blob)).or_default();
            *users = users.saturating_sub(1);
            if *users == 0 {
                self.size = self.size.saturating_sub(size);
            }
        }
    }

    fn physical(&self, blob: &Path) -> PathBuf {
        self.payloads.get(blob).cloned().unwrap_or_else(|| blob.to_owned())
    }
}

/// A revision's contents, each once.
fn contents(revision: &scan::Revision) -> impl Iterator<Item = (&Path, u64)> {
    let distinct: HashMap<&Path, u64> =
        revision.files.iter().map(|file| (file.blob_path.as_path(), file.size_on_disk)).collect();
    distinct.into_iter()
}
