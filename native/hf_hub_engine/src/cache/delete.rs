//! Removes repositories and revisions, or reports what would be removed.
//!
//! The figures are those of the Python client's `delete_revisions`. Each repository is read again
//! once its locks are held, so files added after a plan was made are safe. Only blobs in the
//! repository's own folder are removed: where a link leads elsewhere, only the link is.

pub(crate) mod targets;

pub use targets::{Commits, Targets};

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        lock::{self, Lock},
        output,
    },
    cache::{
        self,
        inventory::{Inventory, Problem, Ref},
        layout::{CacheDir, RepoDir},
        lease::{self, Reason},
        maintenance::{Trash, is_real_folder, through_a_link},
        scan,
        store::Store,
    },
};

/// What to remove.
#[derive(Debug, Deserialize)]
pub struct Order {
    /// Folders in the cache, and which revisions of each; `None` for everything.
    #[serde(deserialize_with = "targets::read")]
    pub targets: Targets,
    /// Whether to remove pinned revisions too. Leased revisions always stay.
    pub ignore_pins: bool,
    /// Whether only to report what would be removed.
    pub dry_run: bool,
}

/// What was, or would be, removed.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// Bytes expected to be freed.
    pub expected_freed_size: u64,
    /// Bytes freed.
    pub freed_size: u64,
    /// What was removed.
    pub removed: Vec<Removed>,
    /// What was kept, and why.
    pub kept: Vec<Kept>,
    /// What could not be removed, and why.
    pub failures: Vec<Failure>,
}

/// One removed file or folder.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Removed {
    /// Its kind.
    pub kind: Kind,
    /// Its path.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
}

/// The kinds of things that can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A repository with everything in its folder.
    Repo,
    /// A snapshot.
    Revision,
    /// A ref.
    Ref,
    /// A blob.
    Blob,
    /// A partial file of an interrupted download.
    Partial,
    /// A temporary file of an interrupted write.
    Temporary,
    /// A dangling link.
    Link,
    /// A blob in the shared store.
    SharedBlob,
}

/// A revision that was kept.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Kept {
    /// The repository's folder.
    #[serde(serialize_with = "output::path")]
    pub repo_path: PathBuf,
    /// The commit; `None` for the whole repository.
    pub commit: Option<String>,
    /// Why it was kept.
    pub reason: Reason,
}

/// A file or folder that could not be removed.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The message for the user.
    pub message: String,
}

impl Report {
    pub(crate) fn failed(&mut self, error: &Error) {
        let reason = error.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        self.failures.push(Failure { message: format!("{}{reason}", error.message()) });
    }

    pub(crate) fn gone(&mut self, kind: Kind, path: &Path) {
        self.removed.push(Removed { kind, path: path.to_owned() });
    }
}

/// What is removed from one repository.
#[derive(Debug)]
struct Plan {
    dir: RepoDir,
    /// Whether the whole folder is removed.
    whole: bool,
    snapshots: Vec<(String, PathBuf)>,
    refs: Vec<Ref>,
    blobs: Vec<PathBuf>,
    /// All blobs that will be unreferenced, with their sizes.
    sizes: HashMap<PathBuf, u64>,
    /// Partial files of interrupted downloads, if the whole folder is removed.
    partials: Vec<scan::Leftover>,
}

/// Removes what `order` names, or reports it. The caller holds the maintenance lock.
pub fn run(cache: &CacheDir, order: &Order) -> Result<Report> {
    let store = Store::open(cache);
    let mut report = Report { dry_run: order.dry_run, ..Report::default() };
    let mut plans = Vec::new();
    let targets = targets::named(cache, &order.targets)?;
    for (folder, commits) in &*targets {
        let dir = cache.folder(folder);
        let inventory = Inventory::read(&dir);
        let kept = stay(&dir, &inventory, commits, order.ignore_pins);
        plans.push(plan(&dir, &inventory, commits, &kept));
        if order.dry_run {
            report.kept.extend(kept);
        }
    }
    report.expected_freed_size = expected(&plans, store.as_ref());
    if order.dry_run {
        for plan in &plans {
            tell(plan, &mut report);
        }
        return Ok(report);
    }
    for (folder, commits) in &*targets {
        let done = remove(
            cache,
            &cache.folder(folder),
            commits,
            order.ignore_pins,
            store.as_ref(),
            &mut report,
        );
        if let Err(error) = done {
            report.failed(&error);
        }
    }
    Ok(report)
}

fn remove(
    cache: &CacheDir,
    dir: &RepoDir,
    commits: &Commits,
    ignore_pins: bool,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<()> {
    if fs::symlink_metadata(dir.path()).is_err() {
        return Ok(());
    }
    let keep = |commit, reason| Kept { repo_path: dir.path().to_owned(), commit, reason };
    let Some(_busy) = lock::try_acquire(&dir.busy_lock())?.filter(|_| !is_downloading(dir)) else {
        report.kept.push(keep(None, Reason::InUse));
        return Ok(());
    };
    let inventory = Inventory::read(dir);
    let mut claims: Vec<Lock> = Vec::new();
    let mut kept = Vec::new();
    for commit in chosen(&inventory, commits) {
        match lease::claim(dir, commit, ignore_pins) {
            Ok(lock) => claims.push(lock),
            Err(reason) => kept.push(keep(Some(commit.to_owned()), reason)),
        }
    }
    let plan = plan(dir, &inventory, commits, &kept);
    report.kept.extend(kept);
    if plan.whole {
        return take_whole(cache, &plan, store, report);
    }
    if !is_real_folder(dir.path()) {
        return Err(through_a_link(dir.path()));
    }
    match inventory.unread() {
        Some(problem) => Err(unread(dir, problem)),
        None => take_some(cache, &plan, store, report),
    }
}

/// Returns the error for an unreadable part of a repository, which may reference any blob.
fn unread(dir: &RepoDir, problem: &Problem) -> Error {
    let message = format!(
        "nothing was removed from `{}`: cannot read `{}`{}",
        dir.path().display(),
        problem.path.display(),
        problem.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default()
    );
    Error::new(ErrorKind::Io, message)
}

/// Returns why selected revisions must stay, for a dry run.
fn stay(dir: &RepoDir, inventory: &Inventory, commits: &Commits, ignore_pins: bool) -> Vec<Kept> {
    let reasons = chosen(inventory, commits).into_iter().filter_map(|commit| {
        let reason = lease::reason_to_stay(dir, commit, ignore_pins)?;
        Some(Kept { repo_path: dir.path().to_owned(), commit: Some(commit.to_owned()), reason })
    });
    reasons.collect()
}

fn chosen<'a>(inventory: &'a Inventory, commits: &Commits) -> Vec<&'a str> {
    let all = inventory.revisions.iter().map(|revision| revision.commit.as_str());
    match commits {
        Commits::All => all.collect(),
        Commits::These(these) => all.filter(|commit| these.contains(*commit)).collect(),
    }
}

/// Whether any client, including this library, is writing a blob.
pub(crate) fn is_downloading(dir: &RepoDir) -> bool {
    let mut partials = scan::leftovers(dir).into_iter();
    partials.any(|partial| {
        partial_lock(dir, &partial.file_path).is_some_and(|lock| lock::is_held(&lock))
    })
}

/// Returns the lock that the writer of a partial file holds.
pub(crate) fn partial_lock(dir: &RepoDir, partial: &Path) -> Option<PathBuf> {
    let name = partial.file_name()?.to_str()?;
    // `<etag>.<random>.incomplete`, or `<etag>.incomplete` of older clients.
    let stem = name.strip_suffix(".incomplete")?;
    let etag = stem.split_once('.').map_or(stem, |(etag, _)| etag);
    Some(dir.partial_lock(etag.as_ref()))
}

fn plan(dir: &RepoDir, inventory: &Inventory, commits: &Commits, kept: &[Kept]) -> Plan {
    let kept: HashSet<&str> = kept.iter().filter_map(|kept| kept.commit.as_deref()).collect();
    let going: HashSet<&str> =
        chosen(inventory, commits).into_iter().filter(|commit| !kept.contains(commit)).collect();
    let all = going.len() == inventory.revisions.len();
    let whole = match commits {
        Commits::All => all,
        Commits::These(_) => all && !going.is_empty(),
    };
    let (go, rest): (Vec<_>, Vec<_>) =
        inventory.revisions.iter().partition(|revision| going.contains(revision.commit.as_str()));
    let shown: HashSet<&Path> =
        rest.iter().flat_map(|revision| &revision.files).map(|file| file.blob.as_path()).collect();
    // The target of a link stays when the link is removed.
    let real = is_real_folder(dir.path());
    let real_blobs = real && is_real_folder(&dir.blobs());
    let (mut blobs, mut sizes) = (BTreeSet::new(), HashMap::new());
    for revision in &go {
        for file in &revision.files {
            let Some(stat) = inventory.blob(&file.blob) else { continue };
            let inside = file.blob.starts_with(&revision.path);
            let own =
                file.blob.parent() == Some(&dir.blobs()) && !shown.contains(file.blob.as_path());
            if own && !whole {
                blobs.insert(file.blob.clone());
            }
            if (real_blobs && own) || (real && inside) {
                sizes.insert(file.blob.clone(), stat.size);
            }
        }
    }
    let partials = if whole && real_blobs { scan::leftovers(dir) } else { Vec::new() };
    sizes.extend(partials.iter().map(|it| (it.file_path.clone(), it.occupied())));
    Plan {
        dir: dir.clone(),
        whole,
        partials,
        refs: inventory
            .refs
            .iter()
            .filter(|r| going.contains(r.commit.as_str()))
            .cloned()
            .collect(),
        snapshots: go
            .iter()
            .map(|revision| (revision.commit.clone(), revision.path.clone()))
            .collect(),
        blobs: blobs.into_iter().collect(),
        sizes,
    }
}

fn expected(plans: &[Plan], store: Option<&Store>) -> u64 {
    let all = || plans.iter().flat_map(|plan| &plan.sizes);
    let Some(store) = store else { return all().map(|(_, size)| size).sum() };
    let gone: HashSet<&Path> = all().map(|(blob, _)| blob.as_path()).collect();
    let (mut own, mut shared) = (0, HashSet::new());
    for (blob, size) in all() {
        match store.target(blob) {
            Some(payload) => drop(shared.insert(payload)),
            None => own += size,
        }
    }
    own + shared.iter().map(|payload| store.freed_by(payload, &gone)).sum::<u64>()
}

fn tell(plan: &Plan, report: &mut Report) {
    if plan.whole && fs::symlink_metadata(plan.dir.path()).is_ok() {
        report.gone(Kind::Repo, plan.dir.path());
    }
    plan.snapshots.iter().for_each(|(_, path)| report.gone(Kind::Revision, path));
    plan.partials.iter().for_each(|it| report.gone(Kind::Partial, &it.file_path));
    if !plan.whole {
        plan.refs.iter().for_each(|r| report.gone(Kind::Ref, &r.path));
        plan.blobs.iter().for_each(|path| report.gone(Kind::Blob, path));
    }
}

fn take_whole(
    cache: &CacheDir,
    plan: &Plan,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<()> {
    // Of a link or a stray file, only that is removed; nothing of the store belongs to it.
    let store = store.filter(|_| is_real_folder(plan.dir.path()));
    let shared = store.map(|store| shared(store, &own_blobs(&plan.dir))).unwrap_or_default();
    let mut trash = Trash::open(cache)?;
    trash.take(plan.dir.path())?;
    report.gone(Kind::Repo, plan.dir.path());
    plan.snapshots.iter().for_each(|(_, path)| report.gone(Kind::Revision, path));
    plan.partials.iter().for_each(|it| report.gone(Kind::Partial, &it.file_path));
    finish(trash, plan, &[], store, shared, report);
    Ok(())
}

fn take_some(
    cache: &CacheDir,
    plan: &Plan,
    store: Option<&Store>,
    report: &mut Report,
) -> Result<()> {
    let shared = store.map(|store| shared(store, &plan.blobs)).unwrap_or_default();
    let mut trash = Trash::open(cache)?;
    // Refs first: a snapshot without a ref is only detached, but a ref without a snapshot dangles.
    for found in &plan.refs {
        take_ref(found, &plan.dir, report);
    }
    let mut stayed = Vec::new();
    for (commit, path) in &plan.snapshots {
        if let Err(error) = trash.take(path) {
            report.failed(&error);
            stayed.push(path.clone());
            continue;
        }
        report.gone(Kind::Revision, path);
        for note in plan.dir.notes(commit).iter().filter(|note| fs::symlink_metadata(note).is_ok())
        {
            trash.take(note).unwrap_or_else(|error| report.failed(&error));
        }
    }
    let gone = take_unshown(&mut trash, &plan.dir, &plan.blobs, report);
    for blob in &plan.blobs {
        if gone.contains(blob) {
            report.gone(Kind::Blob, blob);
        } else {
            stayed.push(blob.clone());
        }
    }
    finish(trash, plan, &stayed, store, shared, report);
    Ok(())
}

/// Takes blobs that no snapshot references, and returns those that were removed.
///
/// A snapshot that could not be removed still references its blobs, and a client without leases may
/// have linked one meanwhile: such a blob stays, or is put back.
pub(crate) fn take_unshown(
    trash: &mut Trash,
    dir: &RepoDir,
    blobs: &[PathBuf],
    report: &mut Report,
) -> HashSet<PathBuf> {
    let mut gone = HashSet::new();
    let now = Inventory::read(dir);
    for blob in blobs.iter().filter(|blob| now.is_complete() && !now.shows(blob)) {
        match trash.take(blob) {
            Ok(()) => drop(gone.insert(blob.clone())),
            Err(error) => report.failed(&error),
        }
    }
    if !gone.is_empty() {
        let again = Inventory::read(dir);
        for blob in trash.give_back(|path| gone.contains(path) && again.shows(path)) {
            gone.remove(&blob);
        }
    }
    gone
}

/// Deletes what was taken and counts it, except for what `stayed` and blobs in the store.
fn finish(
    trash: Trash,
    plan: &Plan,
    stayed: &[PathBuf],
    store: Option<&Store>,
    shared: HashMap<PathBuf, PathBuf>,
    report: &mut Report,
) {
    let own = plan.sizes.iter().filter(|(blob, _)| {
        !shared.contains_key(*blob) && !stayed.iter().any(|stayed| blob.starts_with(stayed))
    });
    let freed = own.map(|(_, size)| size).sum::<u64>();
    let failures = trash.empty();
    if failures.is_empty() {
        report.freed_size += freed;
    }
    for error in &failures {
        report.failed(error);
    }
    for payload in shared.into_values().collect::<BTreeSet<_>>() {
        if let Some(freed) = store.map(|store| store.sweep(&payload)).filter(|freed| *freed > 0) {
            report.freed_size += freed;
            report.gone(Kind::SharedBlob, &payload);
        }
    }
}

fn take_ref(found: &Ref, dir: &RepoDir, report: &mut Report) {
    // Another client may have moved the ref to a commit that stays.
    let says = cache::read_ref(&found.path);
    if !says.is_ok_and(|commit| commit == found.commit) {
        return;
    }
    if !found.path.starts_with(dir.refs()) || !real_parents(&dir.refs(), &found.path) {
        return;
    }
    match fs::remove_file(&found.path) {
        Ok(()) => report.gone(Kind::Ref, &found.path),
        Err(source) => report.failed(&Error::io("remove", &found.path, source)),
    }
    let refs = dir.refs();
    let folders = found.path.ancestors().skip(1).take_while(|folder| *folder != refs);
    // Folders that are not empty cannot be removed.
    folders.take_while(|folder| fs::remove_dir(folder).is_ok()).for_each(drop);
}

pub(crate) fn real_parents(root: &Path, path: &Path) -> bool {
    let mut folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    folders.all(is_real_folder)
}

/// Returns the files in a repository's blobs folder.
fn own_blobs(dir: &RepoDir) -> Vec<PathBuf> {
    fs::read_dir(dir.blobs()).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Returns the blobs that are links into the store, with their targets.
fn shared(store: &Store, blobs: &[PathBuf]) -> HashMap<PathBuf, PathBuf> {
    blobs.iter().filter_map(|blob| Some((blob.clone(), store.target(blob)?))).collect()
}

#[cfg(test)]
mod tests;
