//! Downloads the selected files of one commit, several at a time.
//!
//! The commit is resolved once and every file is requested at that commit, so a snapshot never
//! mixes two. The listing contains each file's etag and size, so a cached file costs no request and
//! a missing one a single GET.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        disk::missing_space,
        error::{Error, ErrorKind, Result},
        fnmatch::Filter,
        ids::{Commit, EntryPath, Repo, Revision},
        lock::Lock,
        output,
        progress::Progress,
        scrub::{Scrub, Shown},
        sizes,
    },
    cache::{
        inventory,
        layout::{CacheDir, LocalDir},
        note_use, partial,
        tree::{Entry, Tree},
    },
    download::{
        blob_store, errors, listing, receive,
        report::Report,
        shared::{Shared, Sharing},
        spec::{self, Destination, Mode},
        stages::Stages,
        work,
    },
    hub::{
        client::{self, Hub},
        file_metadata::FileMetadata,
        hints,
    },
    xet,
};

mod wanted;

/// Which files, and where to.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The destination.
    pub destination: Destination,
    /// The mode.
    pub mode: Mode,
    /// Selects the files.
    pub filter: Filter,
    /// Maximum number of concurrent downloads.
    pub max_workers: usize,
    /// Transfers that this snapshot may join.
    #[serde(skip)]
    pub shared: Shared,
}

impl Sharing for Spec {
    fn sharing(self, shared: Shared) -> Self {
        Self { shared, ..self }
    }
}

/// What was, or would be, downloaded.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The folder with the files.
    #[serde(serialize_with = "output::path")]
    pub path: PathBuf,
    /// The commit they belong to, if known.
    pub commit: Option<Commit>,
    /// The files of a dry run.
    pub files: Vec<Report>,
    /// Number of files that the filter selected.
    pub matched: usize,
    /// Why the Hub could not be asked, if an earlier snapshot was used instead.
    pub stale: Option<String>,
    /// Why one of Xet and HTTP has failed for a file, if the other one took over.
    pub fallback: Option<String>,
}

impl Shown for Snapshot {
    fn shown(mut self, scrub: &Scrub) -> Self {
        for why in [&mut self.stale, &mut self.fallback].into_iter().flatten() {
            *why = scrub.text(why).into_owned();
        }
        self.files = self.files.into_iter().map(|file| file.shown(scrub)).collect();
        self
    }
}

/// Downloads the missing files of a snapshot.
pub async fn run(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Snapshot> {
    let work = async {
        let _busy = guard(hub, spec, progress).await;
        download_all(hub, spec, progress).await
    };
    let result = hub.within_deadline(progress, work).await;
    result.map_err(|error| hints::repository(hub, &spec.repo, &spec.revision, error))
}

/// Prevents removals from the repository meanwhile. A call that only reads takes no lock.
async fn guard(hub: &Hub, spec: &Spec, progress: &Progress) -> Option<Lock> {
    let reads_only = hub.offline || spec.mode.dry_run || spec.mode.local_files_only;
    let Destination::Cache(cache) = &spec.destination else { return None };
    if reads_only {
        return None;
    }
    receive::keep_from_removal(&cache.repo(&spec.repo), progress).await
}

async fn download_all(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Snapshot> {
    let (commit, tree) = match resolve_or_fall_back(hub, spec, progress).await? {
        Resolved::Listed(commit, tree) => (commit, tree),
        Resolved::Cached(snapshot) => return Ok(snapshot),
    };
    let wanted = wanted::select(&tree, &spec.filter)?;
    let matched = wanted.len();
    // Listed once: listing for each file would read a growing folder again and again.
    let place = partials_place(spec);
    let partials = Arc::new(blocking::run(move || partial::stems(&place)).await);
    let of_all = OfAll { partials, stages: Stages::with_turns(spec.max_workers) };
    let jobs = wanted
        .into_iter()
        .map(|(path, entry)| job(spec, &commit, &path, entry, &of_all))
        .collect::<Result<Vec<_>>>()?;
    if !spec.mode.dry_run {
        remember_ref(spec, &commit).await?;
    }
    let (present, missing) = split(spec, jobs).await;
    progress.add_files((present.len() + missing.len()) as u64);
    progress.skip_files(present.len() as u64);
    check_space(spec, &missing).await?;
    let mut files = work::run(hub, missing, spec.max_workers, progress).await?;
    let fallback = files.iter_mut().find_map(|file| file.fallback.take());
    if spec.mode.dry_run {
        files.extend(present);
        files.sort_by(|a, b| a.filename.cmp(&b.filename));
    } else {
        files.clear();
    }
    let (path, commit) = (folder(spec, &commit), Some(commit));
    Ok(Snapshot { path, commit, files, matched, stale: None, fallback })
}

/// The result of resolving a revision.
enum Resolved {
    /// The commit and its files.
    Listed(Commit, Tree),
    /// The snapshot on disk, because the Hub could not be asked.
    Cached(Snapshot),
}

/// Returns the commit and its listing, or the snapshot on disk if the Hub cannot be asked. If there
/// is a snapshot, an unresponsive Hub is not waited for.
async fn resolve_or_fall_back(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Resolved> {
    let instead = |error: Error| {
        let spec = spec.clone();
        blocking::run(move || fall_back(&spec, error))
    };
    let place = spec.clone();
    let has_copy = blocking::run(move || {
        let commit = cache(&place).repo(&place.repo).commit_of(&place.revision);
        folder_at_hand(&place, commit.as_ref()).is_some()
    });
    if has_copy.await {
        let at_once = Hub { retry: hub.retry.once(), ..hub.clone() };
        match resolve(&at_once, spec, progress).await {
            Ok((commit, tree)) => return Ok(Resolved::Listed(commit, tree)),
            Err(error) if error.is_transient() && error.status().is_none() => {
                // An incomplete snapshot is no substitute for waiting.
                if let Ok(snapshot) = instead(error).await {
                    return Ok(Resolved::Cached(snapshot));
                }
            }
            Err(error) if error.is_transient() => {}
            Err(error) if !error.allows_fallback() => return Err(error),
            Err(error) => return instead(error).await.map(Resolved::Cached),
        }
    }
    match resolve(hub, spec, progress).await {
        Ok((commit, tree)) => Ok(Resolved::Listed(commit, tree)),
        Err(error) if !error.allows_fallback() => Err(error),
        Err(error) => instead(error).await.map(Resolved::Cached),
    }
}

/// Returns the commit and its listing: from disk if they cannot be outdated, otherwise from the
/// Hub.
async fn resolve(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<(Commit, Tree)> {
    if spec.mode.local_files_only || hub.offline {
        return Err(client::offline());
    }
    let commit = match spec.revision.as_commit() {
        Some(commit) => commit,
        None => listing::commit_of(hub, &spec.repo, &spec.revision, progress).await?,
    };
    let file = tree_file(spec, &commit);
    let kept = file.clone();
    // Only a commit that is a hash always has the same files.
    if commit.is_immutable()
        && let Some(tree) = blocking::run(move || Tree::read(&kept)).await
    {
        return Ok((commit, tree));
    }
    let tree = listing::fetch(hub, &spec.repo, &commit, progress).await?;
    let (repo, place) = (cache(spec).repo(&spec.repo), file.clone());
    let ours = move || repo.check_way(place.parent().unwrap_or(&place)).is_ok();
    let keeps = !spec.mode.dry_run && blocking::run(ours).await;
    Ok((commit, if keeps { listing::keep(tree, &file).await } else { tree }))
}

/// What all files of a snapshot share.
struct OfAll {
    /// The stems of existing partial files.
    partials: Arc<HashSet<String>>,
    /// The stages they pass.
    stages: Stages,
}

fn job(
    spec: &Spec,
    commit: &Commit,
    path: &EntryPath,
    entry: &Entry,
    of_all: &OfAll,
) -> Result<spec::Spec> {
    // Some mirrors list no hash: the file's own headers are used instead.
    let known = entry.etag().ok().map(|etag| {
        let (etag, size) = (etag.at(commit), Some(entry.content_size()));
        let xet =
            entry.xet_hash.as_deref().and_then(|hash| xet::File::new(hash, None)).map(Arc::new);
        FileMetadata { commit: commit.clone(), etag, size, xet }
    });
    Ok(spec::Spec {
        repo: spec.repo.clone(),
        revision: Revision::parse(commit.as_str())?,
        path: path.clone(),
        destination: spec.destination.clone(),
        mode: spec.mode,
        known,
        ask: false,
        sha256: None,
        partials: Some(of_all.partials.clone()),
        stages: of_all.stages.clone(),
        file: None,
        shared: spec.shared.clone(),
    })
}

async fn remember_ref(spec: &Spec, commit: &Commit) -> Result<()> {
    let (cache, folder) = (cache(spec).clone(), folder(spec, commit));
    let (spec, commit) = (spec.clone(), commit.clone());
    blocking::run(move || {
        let repo = cache.repo(&spec.repo);
        repo.check_way(&folder)?;
        // An empty snapshot is still a folder that can be listed. It is created before the ref, so
        // that a ref never dangles.
        let created = std::fs::create_dir_all(&folder);
        repo.remember_ref(&spec.revision, &commit);
        match created {
            Err(source) if !folder.is_dir() => Err(Error::io("create the folder", &folder, source)),
            _ => Ok(()),
        }
    })
    .await
}

/// Finds the cached files, in one task instead of one for each.
async fn split(spec: &Spec, jobs: Vec<spec::Spec>) -> (Vec<Report>, Vec<spec::Spec>) {
    let Destination::Cache(cache) = &spec.destination else { return (Vec::new(), jobs) };
    if spec.mode.force {
        return (Vec::new(), jobs);
    }
    let (repo, dry_run) = (cache.repo(&spec.repo), spec.mode.dry_run);
    blocking::run(move || {
        let (mut present, mut missing) = (Vec::new(), Vec::new());
        for job in jobs {
            let found =
                job.known.as_ref().and_then(|FileMetadata { commit, etag, size, .. }| {
                    let path = repo.find_content(commit, &job.path, etag, *size)?;
                    Some(Report::here(path, &job.path, Some(commit.clone()), *size))
                });
            match found {
                Some(report) => {
                    if !dry_run {
                        note_use(&report.path);
                    }
                    present.push(report);
                }
                None => missing.push(job),
            }
        }
        (present, missing)
    })
    .await
}

/// Checks whether all files fit on the disk together. Each file only checks for itself.
async fn check_space(spec: &Spec, missing: &[spec::Spec]) -> Result<()> {
    let begun = missing.iter().any(|job| job.partials.as_ref().is_some_and(|set| !set.is_empty()));
    if spec.mode.dry_run || begun {
        return Ok(()); // Partial files of earlier attempts need no additional space.
    }
    let known: Vec<_> = missing.iter().filter_map(|job| job.known.clone()).collect();
    let is_cache = matches!(spec.destination, Destination::Cache(_));
    let mode = Mode { shared_blobs: spec.mode.shared_blobs && is_cache, ..spec.mode };
    let cache = cache(spec).clone();
    let place = partials_place(spec);
    let (needed, lacking) = {
        let place = place.clone();
        blocking::run(move || {
            let new = known.iter().filter(|file| !blob_store::has(&cache, mode, file));
            let needed = new.filter_map(|file| file.size).fold(0, u64::saturating_add);
            (needed, missing_space(&place, needed))
        })
        .await
    };
    lacking.map_or(Ok(()), |lacking| Err(receive::no_room(&place, "files need", needed, lacking)))
}

/// Returns the snapshot on disk if it is complete; otherwise the error with the reason.
fn fall_back(spec: &Spec, error: Error) -> Result<Snapshot> {
    if spec.mode.dry_run || spec.mode.force {
        return Err(error);
    }
    let commit = cache(spec).repo(&spec.repo).commit_of(&spec.revision);
    let Some(path) = folder_at_hand(spec, commit.as_ref()) else {
        return Err(errors::not_cached(&spec.repo, spec.mode.local_files_only, error));
    };
    let tree = commit.as_ref().and_then(|commit| kept_tree(spec, commit));
    let wanted = match &tree {
        Some(tree) => wanted::select(tree, &spec.filter)?,
        None => Vec::new(),
    };
    let repo = cache(spec).repo(&spec.repo);
    let is_missing = |(name, entry): &&(EntryPath, &Entry)| match (&spec.destination, &commit) {
        (Destination::Cache(_), Some(commit)) => repo
            .find_sized(commit, name)
            .filter(|(_, size)| *size == entry.content_size())
            .inspect(|(file, _)| note_use(file))
            .is_none(),
        _ => !path.join(name.as_str()).is_file(),
    };
    let mut missing: Vec<_> =
        wanted.iter().filter(is_missing).map(|(name, _)| name.as_str().to_owned()).collect();
    if tree.is_none() {
        // No listing is stored, but dangling links show what is missing.
        missing = inventory::lost(&path);
        missing.retain(|name| spec.filter.accepts(name));
    }
    if missing.is_empty() {
        return Ok(Snapshot {
            path,
            commit,
            files: Vec::new(),
            matched: wanted.len(),
            stale: errors::stale(&error),
            fallback: None,
        });
    }
    Err(incomplete(&missing, tree.is_some().then_some(wanted.len())).with_source(error))
}

fn incomplete(missing: &[String], of: Option<usize>) -> Error {
    let names = missing.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more =
        if missing.len() > 3 { format!(" and {} more", missing.len() - 3) } else { String::new() };
    let lacking = missing.len();
    let lacking = of.map_or_else(
        || sizes::counted(lacking as u64, "files"),
        |of| format!("{lacking} of {}", sizes::counted(of as u64, "files")),
    );
    let message = format!(
        "the cached snapshot lacks {lacking} ({names}{more}); call again with the network to complete it"
    );
    Error::new(ErrorKind::NotCached, message)
}

/// Returns the folder that an earlier call has filled. A plain folder counts if it contains
/// anything but our own metadata, and a snapshot without files if its listing is known: resolving
/// a revision creates an empty one.
fn folder_at_hand(spec: &Spec, commit: Option<&Commit>) -> Option<PathBuf> {
    match &spec.destination {
        Destination::Cache(_) => {
            let commit = commit?;
            let is_filled =
                |folder: &PathBuf| has_entries(folder) || kept_tree(spec, commit).is_some();
            Some(folder(spec, commit)).filter(|folder| folder.is_dir()).filter(is_filled)
        }
        Destination::Folder(folder, _) => {
            let filled = std::fs::read_dir(folder.path())
                .ok()?
                .flatten()
                .any(|entry| entry.file_name() != ".cache");
            filled.then(|| folder.path().to_owned())
        }
    }
}

fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Returns the listing stored in the folder, or else in the cache.
fn kept_tree(spec: &Spec, commit: &Commit) -> Option<Tree> {
    let cached = || Tree::read(&cache(spec).repo(&spec.repo).tree(commit));
    Tree::read(&tree_file(spec, commit)).or_else(cached)
}

fn partials_place(spec: &Spec) -> PathBuf {
    match &spec.destination {
        Destination::Cache(cache) => cache.repo(&spec.repo).blobs(),
        Destination::Folder(folder, _) => folder.state().to_owned(),
    }
}

fn cache(spec: &Spec) -> &CacheDir {
    match &spec.destination {
        Destination::Cache(cache) | Destination::Folder(_, cache) => cache,
    }
}

fn folder(spec: &Spec, commit: &Commit) -> PathBuf {
    match &spec.destination {
        Destination::Cache(cache) => cache.repo(&spec.repo).snapshot(commit),
        Destination::Folder(folder, _) => LocalDir::path(folder).to_owned(),
    }
}

fn tree_file(spec: &Spec, commit: &Commit) -> PathBuf {
    match &spec.destination {
        Destination::Cache(cache) => cache.repo(&spec.repo).tree(commit),
        Destination::Folder(folder, _) => folder.tree(commit),
    }
}

#[cfg(test)]
mod tests;
