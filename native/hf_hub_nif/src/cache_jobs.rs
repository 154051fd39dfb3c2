//! Cache operations at the boundary: one function for all operations that end with a report, and
//! the handles by which Elixir holds locks.

use std::{
    ffi::OsString,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hf_hub_engine::{
    base::{
        blocking,
        error::Result,
        ids::{EntryPath, Repo, Revision},
        lock::{self, Lock},
        private_file,
        progress::Progress,
    },
    cache::{
        archive,
        delete::{self, Commits},
        evict,
        layout::CacheDir,
        lease::{self, Lease},
        maintenance,
        materialize::{self, Method},
        prune, relocate, scan, verify,
    },
};
use rustler::{
    Env, LocalPid, Monitor, NifMap, NifResult, NifTaggedEnum, Reference, Resource, ResourceArc,
};
use tokio_util::sync::CancellationToken;

use crate::{
    decode::{Path, RepoArgs},
    encode::Reply,
    job::{self, Job, Watch},
};

/// An operation on a cache, with its arguments.
#[derive(NifTaggedEnum)]
#[rustler(decode)]
enum Call {
    Scan(ScanArgs),
    Delete(DeleteArgs),
    Prune(PruneArgs),
    Evict(EvictArgs),
    Pin(PinArgs),
    Verify(VerifyArgs),
    Move(MoveArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Materialize(MaterializeArgs),
}

impl Call {
    fn wants_progress(&self) -> bool {
        match self {
            Self::Verify(spec) => spec.progress,
            Self::Move(spec) => spec.progress,
            Self::Export(spec) => spec.progress,
            Self::Import(spec) => spec.progress,
            _ => false,
        }
    }
}

#[derive(NifMap)]
#[rustler(decode)]
struct ScanArgs {
    cache_dir: Path,
}

/// Folders in the cache with their commits, `nil` for all; `nil` for all repositories.
type Targets = Option<Vec<(Path, Option<Vec<String>>)>>;

#[derive(NifMap)]
#[rustler(decode)]
struct DeleteArgs {
    cache_dir: Path,
    targets: Targets,
    ignore_pins: bool,
    dry_run: bool,
}

/// Ages in seconds.
#[derive(NifMap)]
#[rustler(decode)]
struct PruneArgs {
    cache_dir: Path,
    older_than: u64,
    dry_run: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct EvictArgs {
    cache_dir: Path,
    target_size: Option<u64>,
    max_age: Option<u64>,
    dry_run: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct PinArgs {
    cache_dir: Path,
    repo: RepoArgs,
    pinned: bool,
}

/// One repository, or all; one revision of it, or all.
#[derive(NifMap)]
#[rustler(decode)]
struct VerifyArgs {
    cache_dir: Path,
    repo: Option<RepoArgs>,
    all_revisions: bool,
    max_workers: Option<u32>,
    progress: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct MoveArgs {
    cache_dir: Path,
    destination: Path,
    progress: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExportArgs {
    cache_dir: Path,
    targets: Targets,
    archive: Path,
    progress: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ImportArgs {
    cache_dir: Path,
    archive: Path,
    symlinks: bool,
    progress: bool,
}

/// `method`: `auto`, `hard_link`, `reflink` or `copy`.
#[derive(NifMap)]
#[rustler(decode)]
struct MaterializeArgs {
    cache_dir: Path,
    repo: RepoArgs,
    destination: Path,
    method: String,
    overwrite: bool,
}

fn targets(cache: &CacheDir, targets: Targets) -> Result<Vec<(OsString, Commits)>> {
    let Some(targets) = targets else { return delete::everything(cache) };
    let target = |(folder, commits): (Path, Option<Vec<String>>)| {
        let these = commits.map(|commits| Commits::These(commits.into_iter().collect()));
        (OsString::from(folder.0), these.unwrap_or(Commits::All))
    };
    Ok(targets.into_iter().map(target).collect())
}

impl VerifyArgs {
    fn spec(&self, cache: &CacheDir) -> Result<verify::Spec> {
        let mut spec = verify::Spec {
            folder: None,
            commit: None,
            max_workers: self.max_workers.map(|workers| workers as usize),
        };
        if let Some(args) = &self.repo {
            let (repo, revision) = args.names()?;
            spec.folder = Some(repo.folder_name().into());
            if !self.all_revisions {
                let commit = cache.repo(&repo).commit_of(&revision);
                spec.commit =
                    Some(commit.ok_or_else(|| lease::not_cached(&repo, &revision))?.to_string());
            }
        }
        Ok(spec)
    }
}

/// Runs an operation; ends with `{:ok, report}`.
#[rustler::nif]
fn cache<'a>(env: Env<'a>, tag: Reference<'a>, call: Call) -> NifResult<ResourceArc<Job>> {
    let progress = Progress::default();
    job::spawn(env, tag, Watch::new(&progress, call.wants_progress()), move |consumer| {
        run(call, progress, consumer.cancelled())
    })
}

async fn run(call: Call, progress: Progress, cancel: CancellationToken) -> Result<Reply> {
    let stop = move || cancel.is_cancelled();
    match call {
        Call::Scan(spec) => {
            let cache = CacheDir::new(spec.cache_dir.0);
            Ok(Reply::value(blocking::run(move || scan::run(&cache)).await?))
        }
        Call::Delete(spec) => delete(spec).await,
        Call::Prune(spec) => {
            let (cache, dry_run) = (CacheDir::new(spec.cache_dir.0), spec.dry_run);
            let spec = prune::Spec { older_than: Duration::from_secs(spec.older_than), dry_run };
            removal(cache, dry_run, move |cache| prune::run(cache, &spec)).await
        }
        Call::Evict(spec) => {
            let (cache, dry_run) = (CacheDir::new(spec.cache_dir.0), spec.dry_run);
            let max_age = spec.max_age.map(Duration::from_secs);
            let spec = evict::Spec { target_size: spec.target_size, max_age, dry_run };
            removal(cache, dry_run, move |cache| evict::run(cache, &spec)).await
        }
        Call::Pin(spec) => {
            let (cache, (repo, revision)) = (CacheDir::new(spec.cache_dir.0), spec.repo.names()?);
            let pin = move || lease::pin(&cache, &repo, &revision, spec.pinned);
            Ok(Reply::Text(blocking::run(pin).await?.to_string()))
        }
        Call::Verify(spec) => {
            let cache = CacheDir::new(&spec.cache_dir.0);
            let work = move || verify::run(&cache, &spec.spec(&cache)?, &progress, &stop);
            Ok(Reply::value(blocking::run(work).await?))
        }
        Call::Move(spec) => relocate(spec, progress, stop).await,
        Call::Export(spec) => {
            let cache = CacheDir::new(spec.cache_dir.0);
            let export = move || {
                let spec = archive::Spec {
                    targets: targets(&cache, spec.targets)?,
                    archive: spec.archive.0,
                };
                archive::export(&cache, &spec, &progress, &stop)
            };
            Ok(Reply::value(blocking::run(export).await?))
        }
        Call::Import(spec) => {
            let cache = CacheDir::new(spec.cache_dir.0);
            let import = move |cache: &CacheDir| {
                archive::import(cache, &spec.archive, spec.symlinks, &progress, &stop)
            };
            Ok(Reply::value(maintenance::alone(cache, import).await?))
        }
        Call::Materialize(spec) => materialize(spec, stop).await,
    }
}

async fn relocate(
    spec: MoveArgs,
    progress: Progress,
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Reply> {
    let (from, to) = (CacheDir::new(spec.cache_dir.0), CacheDir::new(spec.destination.0));
    let (places, moved) = ((from.clone(), to.clone()), to.path().to_owned());
    blocking::run(move || relocate::prepare(&places.0, &places.1)).await?;
    let work = move |from: &CacheDir, to: &CacheDir| relocate::run(from, to, &progress, &stop);
    maintenance::alone_in_both(from, to, work).await?;
    Ok(Reply::Path(moved))
}

async fn delete(spec: DeleteArgs) -> Result<Reply> {
    let (cache, dry_run) = (CacheDir::new(spec.cache_dir.0), spec.dry_run);
    let work = move |cache: &CacheDir| {
        let targets = targets(cache, spec.targets)?;
        delete::run(cache, &delete::Order { targets, ignore_pins: spec.ignore_pins, dry_run })
    };
    removal(cache, dry_run, work).await
}

/// A dry run does not need the exclusive lock.
async fn removal(
    cache: CacheDir,
    dry_run: bool,
    work: impl FnOnce(&CacheDir) -> Result<delete::Report> + Send + 'static,
) -> Result<Reply> {
    let done = if dry_run {
        blocking::run(move || work(&cache)).await
    } else {
        maintenance::alone(cache, work).await
    };
    done.map(Reply::value)
}

async fn materialize(
    spec: MaterializeArgs,
    stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Reply> {
    let (cache, (repo, revision)) = (CacheDir::new(spec.cache_dir.0), spec.repo.names()?);
    let held = lease::hold(&cache, &repo, &revision).await?;
    let method = match spec.method.as_str() {
        "hard_link" => Method::HardLink,
        "reflink" => Method::Reflink,
        "copy" => Method::Copy,
        _ => Method::Auto,
    };
    let work = move || {
        materialize::run(&cache, &repo, &held, &spec.destination, method, spec.overwrite, &stop)
    };
    Ok(Reply::value(blocking::run(work).await?))
}

/// What a hold keeps.
#[expect(dead_code, reason = "held until it is dropped, which releases it")]
enum Kept {
    Snapshot(Lease),
    File(Lock),
}

/// A lock that an Elixir process holds until it releases it or exits.
///
/// It must outlive the process's last reference to the handle: a script may take a lease and drop
/// the handle. So a task keeps the hold alive while there is something to hold.
#[derive(Default)]
struct Hold {
    held: Mutex<Held>,
    ended: CancellationToken,
}

#[derive(Default)]
enum Held {
    #[default]
    Waiting,
    Here(#[expect(dead_code, reason = "held until it is dropped")] Kept),
    Released,
}

#[rustler::resource_impl]
impl Resource for Hold {
    const IMPLEMENTS_DOWN: bool = true;

    fn down<'a>(&'a self, _env: Env<'a>, _owner: LocalPid, _monitor: Monitor) {
        self.release();
    }
}

impl Hold {
    /// Keeps what `hold` is for until it is released. Called on the runtime.
    fn keep(hold: ResourceArc<Self>, kept: Kept) {
        let mut state = hold.lock();
        // The lock is dropped if it was released meanwhile or its owner exited.
        if matches!(*state, Held::Waiting) {
            *state = Held::Here(kept);
            drop(state);
            tokio::spawn(async move { hold.ended.cancelled().await });
        }
    }

    /// Releases the hold; returns whether there was anything to release.
    fn release(&self) -> bool {
        let was = std::mem::replace(&mut *self.lock(), Held::Released);
        self.ended.cancel();
        matches!(was, Held::Here(_))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to hold: a snapshot, or the lock of a file name.
#[derive(NifMap)]
#[rustler(decode)]
struct HoldArgs {
    cache_dir: Path,
    repo: RepoArgs,
    filename: Option<String>,
}

/// Creates a handle of the calling process that holds nothing yet.
#[rustler::nif]
fn new_hold(env: Env<'_>) -> ResourceArc<Hold> {
    let hold = ResourceArc::new(Hold::default());
    if env.monitor(&hold, &env.pid()).is_none() {
        hold.release();
    }
    hold
}

/// Waits for a lock and stores it in the handle; ends with `{:ok, path}`.
#[rustler::nif]
fn hold<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    handle: ResourceArc<Hold>,
    spec: HoldArgs,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        let (cache, (repo, revision)) = (CacheDir::new(&spec.cache_dir.0), spec.repo.names()?);
        let (kept, path) = take(&cache, &repo, &revision, spec.filename.as_deref()).await?;
        Hold::keep(handle, kept);
        Ok(Reply::Path(path))
    })
}

/// Waits for the lock of a file of secrets and stores it in the handle; ends with `{:ok, path}`.
#[rustler::nif]
fn hold_secret<'a>(
    env: Env<'a>,
    tag: Reference<'a>,
    handle: ResourceArc<Hold>,
    path: Path,
) -> NifResult<ResourceArc<Job>> {
    job::spawn(env, tag, Watch::default(), move |_| async move {
        let (lock, path) = private_file::acquire(&path).await?;
        Hold::keep(handle, Kept::File(lock));
        Ok(Reply::Path(path))
    })
}

async fn take(
    cache: &CacheDir,
    repo: &Repo,
    revision: &Revision,
    filename: Option<&str>,
) -> Result<(Kept, std::path::PathBuf)> {
    let Some(filename) = filename else {
        let lease = lease::hold(cache, repo, revision).await?;
        let path = lease.path().to_owned();
        return Ok((Kept::Snapshot(lease), path));
    };
    let path = cache.repo(repo).file_lock(&EntryPath::parse(filename)?);
    Ok((Kept::File(lock::acquire(path.clone(), || ()).await?), path))
}

/// Releases the handle; returns whether there was anything to release.
#[rustler::nif]
fn release(handle: ResourceArc<Hold>) -> bool {
    handle.release()
}
