//! Evicts whole revisions, the least recently used first, to reduce a cache's size or maximum age.
//!
//! Partial files of interrupted downloads count and are evicted like revisions, by modification
//! time; they are removed together with the last revision of a repository. A pinned or leased
//! revision is never evicted, nor is a blob that a kept revision references. The last use of a
//! revision is the latest of: a blob read, as far as the file system records that; a blob written;
//! a lease taken.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;

use crate::{
    base::{error::Result, input, lock},
    cache::{
        delete::{self, Commits, Order, Report},
        inventory::{Stamp, Trouble, stamp},
        layout::CacheDir,
        maintenance::is_real_folder,
        partial::is_fresh,
        prune,
        scan::{self, Leftover},
        store::Store,
    },
};

/// The limits to enforce.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// Maximum size of the cache, in bytes.
    pub target_size: Option<u64>,
    /// Maximum time since the last use of a revision.
    #[serde(deserialize_with = "input::some_millis")]
    pub max_age: Option<Duration>,
    /// Whether only to report what would be evicted.
    pub dry_run: bool,
}

/// A candidate for eviction.
struct Candidate<'a> {
    folder: OsString,
    used: Stamp,
    what: What<'a>,
}

enum What<'a> {
    Revision(&'a scan::Revision),
    Partial(&'a Leftover),
}

/// Evicts from a cache. The caller holds the maintenance lock.
pub fn run(cache: &CacheDir, spec: &Spec) -> Result<Report> {
    // Partial files of interrupted downloads take space like everything else.
    let tolerated = [Trouble::MissingBlob, Trouble::DanglingRef, Trouble::StrayFile];
    let scanned = scan::survey(cache, &tolerated)?;
    let store = Store::open(cache);
    let chosen = choose(cache, &scanned, store.as_ref(), spec);
    let mut targets: BTreeMap<OsString, BTreeSet<String>> = BTreeMap::new();
    let mut partials: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
    for Candidate { folder, what, .. } in chosen {
        match what {
            What::Revision(revision) => {
                targets.entry(folder).or_default().insert(revision.commit_hash.clone());
            }
            What::Partial(partial) => {
                partials.entry(folder).or_default().push(partial.file_path.clone());
            }
        }
    }
    let targets =
        targets.into_iter().map(|(folder, commits)| (folder, Commits::These(commits))).collect();
    let order = Order { targets: Some(targets), ignore_pins: false, dry_run: spec.dry_run };
    let mut report = delete::run(cache, &order)?;
    for (folder, partials) in &partials {
        prune::partials(cache, &cache.folder(folder), partials, spec.dry_run, &mut report);
    }
    Ok(report)
}

fn choose<'a>(
    cache: &CacheDir,
    scanned: &'a scan::Report,
    store: Option<&Store>,
    spec: &Spec,
) -> Vec<Candidate<'a>> {
    // Repositories in use are left out, so that candidates that can be evicted are chosen instead.
    let free = |repo: &&scan::Repo| {
        let name = repo.repo_path.file_name();
        is_real_folder(&repo.repo_path)
            && name.is_some_and(|name| !lock::is_held(&cache.folder(name).busy_lock()))
    };
    let revisions = scanned
        .repos
        .iter()
        .filter(free)
        .flat_map(|repo| repo.revisions.iter().map(move |revision| (repo, revision)))
        .filter(|(_, revision)| !revision.pinned && !revision.leased)
        .filter_map(|(repo, revision)| {
            let folder = repo.repo_path.file_name()?.to_owned();
            Some(Candidate { folder, used: revision.last_used, what: What::Revision(revision) })
        });
    let partials = scanned.incomplete_files.iter().filter_map(|partial| unwritten(cache, partial));
    let mut candidates: Vec<Candidate> = revisions.chain(partials).collect();
    // Of two equally old revisions, one without a ref is evicted first.
    candidates.sort_by_key(|candidate| {
        (candidate.used, candidate.what.refs(), candidate.what.path().to_owned())
    });
    let mut usage = Usage::of(scanned, store);
    let mut chosen = Vec::new();
    for candidate in candidates {
        let too_old = spec.max_age.is_some_and(|limit| age(candidate.used) > limit);
        if too_old || spec.target_size.is_some_and(|target| usage.size > target) {
            usage.remove(&candidate);
            chosen.push(candidate);
        }
    }
    chosen
}

impl What<'_> {
    fn refs(&self) -> usize {
        match self {
            Self::Revision(revision) => revision.refs.len(),
            Self::Partial(_) => 0,
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Revision(revision) => &revision.snapshot_path,
            Self::Partial(partial) => &partial.file_path,
        }
    }
}

/// Returns a candidate for a partial file that no client is writing.
fn unwritten<'a>(cache: &CacheDir, partial: &'a Leftover) -> Option<Candidate<'a>> {
    let folder = partial.file_path.parent()?.parent()?.file_name()?.to_owned();
    let dir = cache.folder(&folder);
    let lock = delete::partial_lock(&dir, &partial.file_path)?;
    let modified = fs::symlink_metadata(&partial.file_path).ok()?.modified();
    let is_fresh = modified.as_ref().is_ok_and(|modified| is_fresh(*modified));
    let free = is_real_folder(dir.path()) && !is_fresh && !lock::is_held(&lock);
    free.then(|| Candidate { folder, used: stamp(&modified), what: What::Partial(partial) })
}

fn age(used: Stamp) -> Duration {
    let used = UNIX_EPOCH + Duration::from_nanos(u64::try_from(used.0).unwrap_or(0));
    SystemTime::now().duration_since(used).unwrap_or_default()
}

/// How many revisions reference each blob, and the total size.
struct Usage {
    size: u64,
    users: HashMap<PathBuf, u32>,
    payloads: HashMap<PathBuf, PathBuf>,
    /// Per repository: the number of revisions that stay, and the size of its partial files.
    repos: HashMap<OsString, (usize, u64)>,
}

impl Usage {
    fn of(scanned: &scan::Report, store: Option<&Store>) -> Self {
        let repos = scanned.repos.iter().filter_map(|repo| {
            Some((
                repo.repo_path.file_name()?.to_owned(),
                (repo.revisions.len(), repo.incomplete_size),
            ))
        });
        let mut usage = Self {
            size: scanned.size_on_disk + scanned.incomplete_size,
            users: HashMap::new(),
            payloads: HashMap::new(),
            repos: repos.collect(),
        };
        let revisions = scanned.repos.iter().flat_map(|repo| &repo.revisions);
        for (blob, _) in revisions.flat_map(contents) {
            if let Some(payload) = store.and_then(|store| store.target(blob)) {
                usage.payloads.insert(blob.to_owned(), payload);
            }
            *usage.users.entry(usage.physical(blob)).or_default() += 1;
        }
        usage
    }

    fn remove(&mut self, candidate: &Candidate) {
        let freed = match candidate.what {
            What::Revision(revision) => {
                self.remove_revision(revision);
                self.repos.get_mut(&candidate.folder).map_or(0, |(revisions, partials)| {
                    *revisions = revisions.saturating_sub(1);
                    if *revisions == 0 { std::mem::take(partials) } else { 0 }
                })
            }
            What::Partial(partial) => {
                let size = partial.occupied();
                match self.repos.get_mut(&candidate.folder) {
                    // It was removed together with the last revision.
                    Some((0, _)) => 0,
                    Some((_, partials)) => {
                        *partials = partials.saturating_sub(size);
                        size
                    }
                    None => size,
                }
            }
        };
        self.size = self.size.saturating_sub(freed);
    }

    fn remove_revision(&mut self, revision: &scan::Revision) {
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

/// Returns a revision's blobs, each once.
fn contents(revision: &scan::Revision) -> impl Iterator<Item = (&Path, u64)> {
    let distinct: HashMap<&Path, u64> =
        revision.files.iter().map(|file| (file.blob_path.as_path(), file.size_on_disk)).collect();
    distinct.into_iter()
}
