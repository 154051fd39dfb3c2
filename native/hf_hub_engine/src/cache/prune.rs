//! Removes unreferenced revisions and leftovers of interrupted operations.
//!
//! What is younger than a limit stays: another client may be about to use it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use crate::{
    base::{error::Result, etag::Etag, input, lock},
    cache::{
        delete::{self, Commits, Kept, Kind, Order, Report},
        inventory::{Inventory, Revision, is_temporary},
        layout::{CacheDir, RepoDir},
        lease::Reason,
        maintenance::{Trash, is_real_folder},
        scan,
        store::Store,
    },
};

/// What to prune.
#[derive(Debug, Deserialize)]
pub struct Spec {
    /// Minimum age of leftovers since their last modification.
    #[serde(deserialize_with = "input::millis")]
    pub older_than: Duration,
    /// Whether only to report what would be removed.
    pub dry_run: bool,
}

/// Prunes a cache. The caller holds the maintenance lock.
pub fn run(cache: &CacheDir, spec: &Spec) -> Result<Report> {
    let mut targets = Vec::new();
    let names: Vec<_> =
        scan::entries(cache)?.into_iter().filter(|name| scan::identity(name).is_some()).collect();
    for name in &names {
        let detached = detached(&Inventory::read(&cache.folder(name)), spec);
        if !detached.is_empty() {
            targets.push((name.clone(), Commits::These(detached.into_iter().collect())));
        }
    }
    let order = Order { targets: Some(targets), ignore_pins: false, dry_run: spec.dry_run };
    let mut report = delete::run(cache, &order)?;
    for dir in names.iter().map(|name| cache.folder(name)).filter(|dir| is_real_folder(dir.path()))
    {
        if let Err(error) = clear(cache, &dir, spec, &mut report) {
            report.failed(&error);
        }
    }
    sweep(cache, spec, &mut report);
    Ok(report)
}

/// Returns the commits without a ref, except for those that another client may be downloading.
fn detached(inventory: &Inventory, spec: &Spec) -> Vec<String> {
    let settled = |revision: &&Revision| {
        let mut entries = revision.files.iter().map(|file| file.path.as_path());
        is_old(&revision.path, spec) && entries.all(|entry| is_old(entry, spec))
    };
    let detached = inventory.revisions.iter().filter(settled);
    detached
        .map(|revision| &revision.commit)
        .filter(|commit| inventory.refs_of(commit).is_empty())
        .cloned()
        .collect()
}

/// A leftover of an interrupted operation.
struct Remnant {
    kind: Kind,
    path: PathBuf,
    size: u64,
}

fn clear(cache: &CacheDir, dir: &RepoDir, spec: &Spec, report: &mut Report) -> Result<()> {
    if spec.dry_run {
        let found = remnants(dir, spec);
        report.expected_freed_size += found.iter().map(|remnant| remnant.size).sum::<u64>();
        for remnant in &found {
            report.gone(remnant.kind, &remnant.path);
        }
        return Ok(());
    }
    if remnants(dir, spec).is_empty() {
        return Ok(());
    }
    let Some(_busy) = lock::try_acquire(&dir.busy_lock())? else {
        let repo_path = dir.path().to_owned();
        let kept = Kept { repo_path, commit: None, reason: Reason::InUse };
        if !report.kept.contains(&kept) {
            report.kept.push(kept);
        }
        return Ok(());
    };
    let mut trash = Trash::open(cache)?;
    let (blobs, others): (Vec<_>, Vec<_>) =
        remnants(dir, spec).into_iter().partition(|remnant| remnant.kind == Kind::Blob);
    let paths: Vec<_> = blobs.iter().map(|remnant| remnant.path.clone()).collect();
    let gone = delete::take_unshown(&mut trash, dir, &paths, report);
    for remnant in blobs.iter().filter(|remnant| gone.contains(&remnant.path)) {
        count(remnant, report);
    }
    for remnant in &others {
        match trash.take(&remnant.path) {
            Ok(()) => count(remnant, report),
            Err(error) => report.failed(&error),
        }
    }
    trash.empty().iter().for_each(|error| report.failed(error));
    Ok(())
}

/// Removes partial files of a repository that still exist and are not being written, or reports
/// what that would do.
pub(crate) fn partials(
    cache: &CacheDir,
    dir: &RepoDir,
    chosen: &[PathBuf],
    dry_run: bool,
    report: &mut Report,
) {
    // They were removed together with the last revision of a repository.
    let known: Vec<_> = report.removed.iter().map(|removed| removed.path.clone()).collect();
    let spec = Spec { older_than: Duration::ZERO, dry_run };
    let mut found = in_blobs(dir, &Inventory::read(dir), &spec);
    found.retain(|it| {
        it.kind == Kind::Partial && chosen.contains(&it.path) && !known.contains(&it.path)
    });
    if dry_run {
        report.expected_freed_size += found.iter().map(|remnant| remnant.size).sum::<u64>();
        for remnant in &found {
            report.gone(remnant.kind, &remnant.path);
        }
    } else if !found.is_empty()
        && let Err(error) = take(cache, dir, &found, report)
    {
        report.failed(&error);
    }
}

/// Removes what belongs to no snapshot while no download of this library is running.
fn take(cache: &CacheDir, dir: &RepoDir, found: &[Remnant], report: &mut Report) -> Result<()> {
    let Some(_busy) = lock::try_acquire(&dir.busy_lock())? else {
        return Ok(());
    };
    let mut trash = Trash::open(cache)?;
    for remnant in found {
        match trash.take(&remnant.path) {
            Ok(()) => count(remnant, report),
            Err(error) => report.failed(&error),
        }
    }
    trash.empty().iter().for_each(|error| report.failed(error));
    Ok(())
}

fn count(remnant: &Remnant, report: &mut Report) {
    report.expected_freed_size += remnant.size;
    report.freed_size += remnant.size;
    report.gone(remnant.kind, &remnant.path);
}

fn remnants(dir: &RepoDir, spec: &Spec) -> Vec<Remnant> {
    let inventory = Inventory::read(dir);
    let mut found = in_blobs(dir, &inventory, spec);
    if !inventory.is_complete() {
        // The purpose of all other files is unknown.
        found.retain(|remnant| matches!(remnant.kind, Kind::Partial | Kind::Temporary));
        return found;
    }
    let remnant = |kind, path: &Path| Remnant { kind, path: path.to_owned(), size: 0 };
    let files = inventory.revisions.iter().flat_map(|revision| &revision.files);
    let dangling =
        files.filter(|file| inventory.blob(&file.blob).is_none() && is_old(&file.path, spec));
    found.extend(dangling.map(|file| remnant(Kind::Link, &file.path)));
    let lost = |commit: &str| !inventory.revisions.iter().any(|revision| revision.commit == commit);
    let refs = inventory.refs.iter().filter(|r| lost(&r.commit) && is_old(&r.path, spec));
    found.extend(refs.map(|r| remnant(Kind::Ref, &r.path)));
    found
}

/// Returns partial files, unreferenced blobs, and temporary files that were never renamed.
fn in_blobs(dir: &RepoDir, inventory: &Inventory, spec: &Spec) -> Vec<Remnant> {
    let entries = fs::read_dir(dir.blobs()).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let (path, name) = (entry.path(), entry.file_name().into_string().ok()?);
        // Checked before the name: a mirror may give a blob any name.
        if inventory.shows(&path) {
            return None;
        }
        let metadata = entry.metadata().ok().filter(|metadata| !metadata.is_dir())?;
        let kind = if name.ends_with(".incomplete") {
            let lock = delete::partial_lock(dir, &path)?;
            (!lock::is_held(&lock)).then_some(Kind::Partial)
        } else if is_temporary(&name)
            || path.extension().is_some_and(|it| it == "link" || it == "shared")
        {
            Some(Kind::Temporary)
        } else {
            Etag::of_blob(&name).map(|_| Kind::Blob)
        }?;
        is_old(&path, spec).then(|| Remnant { kind, path, size: scan::occupied(&metadata) })
    });
    found.collect()
}

/// Whether a file is old enough. Links are not followed.
fn is_old(path: &Path, spec: &Spec) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| {
        SystemTime::now().duration_since(modified).is_ok_and(|age| age >= spec.older_than)
    })
}

fn sweep(cache: &CacheDir, spec: &Spec, report: &mut Report) {
    let Some(store) = Store::open(cache) else { return };
    for (payload, size) in store.unreferenced() {
        let freed = if spec.dry_run { 0 } else { store.sweep(&payload) };
        if spec.dry_run || freed > 0 {
            report.expected_freed_size += size;
            report.freed_size += freed;
            report.gone(Kind::SharedBlob, &payload);
        }
    }
}
