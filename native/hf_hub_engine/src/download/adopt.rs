//! Adopts what `hf_hub` 0.3 has stored in a cache: compares it with the Hub's listings, so that
//! nothing has to be downloaded again.

use std::{collections::VecDeque, path::PathBuf};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        blocking,
        error::{self, Error, ErrorKind, Result},
        hint::Hint,
        ids::{Commit, Repo, Revision},
        output,
        progress::{Activity, Progress},
        scrub::{Scrub, Shown},
    },
    cache::{
        adopt::{self, Job, Old, Outcome, Reason},
        inventory::relative,
        layout::CacheDir,
        scan,
        tree::Tree,
    },
    download::{listing, receive},
    hub::client::{self, Hub},
};

/// What to adopt.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The cache.
    cache_dir: CacheDir,
    /// One repository; `None` for all.
    repo: Option<Repo>,
    /// Whether to change nothing.
    dry_run: bool,
    /// Whether snapshots have links.
    symlinks: bool,
}

/// What was, or would be, adopted.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    dry_run: bool,
    /// Number of adopted files.
    files: usize,
    /// Their size in bytes.
    bytes: u64,
    revisions: Vec<Adopted>,
    unmatched: Vec<Unmatched>,
    failures: Vec<Failure>,
}

/// A revision with adopted files.
#[derive(Debug, Serialize)]
struct Adopted {
    repo_type: &'static str,
    repo_id: String,
    revision: String,
    commit: Commit,
    files: usize,
    bytes: u64,
}

/// A file that stays where it is.
#[derive(Debug, Serialize)]
struct Unmatched {
    repo_type: &'static str,
    repo_id: String,
    revision: String,
    filename: String,
    #[serde(serialize_with = "output::path")]
    path: PathBuf,
    reason: Reason,
    /// Why it failed.
    message: Option<String>,
}

/// A folder whose files could not be compared.
#[derive(Debug, Serialize)]
struct Failure {
    repo_type: Option<&'static str>,
    repo_id: Option<String>,
    revision: Option<String>,
    #[serde(serialize_with = "output::path")]
    path: PathBuf,
    #[serde(skip)]
    cause: Error,
    error: Option<error::Shown>,
}

impl Shown for Report {
    fn shown(mut self, scrub: &Scrub) -> Self {
        for failure in &mut self.failures {
            failure.error = Some(failure.cause.shown(scrub));
        }
        self
    }
}

/// Adopts the files that match the Hub's listings.
pub async fn run(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Report> {
    hub.within_deadline(progress, Box::pin(adopt_all(hub, &spec, progress))).await
}

async fn adopt_all(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Report> {
    let mut report = Report { dry_run: spec.dry_run, ..Report::default() };
    let (cache, only) = (spec.cache_dir.clone(), spec.repo.clone());
    let (found, below) = blocking::run(move || {
        let below = Some(cache.below()).filter(scan::has_repos);
        adopt::find(&cache, only.as_ref()).map(|found| (found, below))
    })
    .await?;
    report.failures.extend(below.as_ref().map(Failure::of_cache));
    progress.add_files(found.iter().map(|old| old.files.len() as u64).sum());
    let mut left = VecDeque::from(found);
    while let Some(old) = left.pop_front() {
        if old.files.is_empty() {
            sweep(spec, old).await;
            continue;
        }
        match listed(hub, &old, progress).await {
            Ok(None) => progress.skip_files(old.files.len() as u64),
            Ok(Some(place)) => report.add(adopt_one(spec, old, place, progress).await?),
            Err(error) if is_no_revision(&error) && old.may_be_a_beginning() => {
                left.extend(old.split());
            }
            Err(error) if concerns_all(&error) => return Err(error),
            Err(error) => {
                progress.skip_files(old.files.len() as u64);
                report.failures.push(Failure::of(old, error));
            }
        }
    }
    Ok(report)
}

/// A revision's commit and its files.
struct Place {
    revision: Revision,
    commit: Commit,
    tree: Tree,
}

/// Removes a folder that an interrupted adoption has emptied.
async fn sweep(spec: &Spec, old: Old) {
    if !spec.dry_run {
        blocking::run(move || {
            if old.is_replaced() {
                old.remove_empty_folders();
            }
        })
        .await;
    }
}

/// Returns what the Hub lists for a folder; `None` if it has the layout of that server.
async fn listed(hub: &Hub, old: &Old, progress: &Progress) -> Result<Option<Place>> {
    if hub.offline {
        return Err(client::offline());
    }
    progress.set_activity(Activity::Resolving, None);
    let repo = Repo::new(old.repo_type.parse()?, &old.repo_id)?;
    let revision = Revision::parse(&old.revision)?;
    let commit = listing::commit_of(hub, &repo, &revision, progress).await?;
    if commit.as_str() == old.revision {
        return Ok(None); // On this server, commits have such names.
    }
    let kept = old.dir.tree(&commit);
    let kept = blocking::run(move || Tree::read(&kept)).await.filter(|_| commit.is_immutable());
    let tree = match kept {
        Some(tree) => tree,
        None => listing::fetch(hub, &repo, &commit, progress).await?,
    };
    Ok(Some(Place { revision, commit, tree }))
}

/// The result of one folder.
type Done = (Old, Commit, Vec<Outcome>);

async fn adopt_one(spec: &Spec, old: Old, place: Place, progress: &Progress) -> Result<Done> {
    let _busy =
        if spec.dry_run { None } else { receive::keep_from_removal(&old.dir, progress).await };
    let Place { revision, commit, tree } = place;
    let (cache, dry_run, symlinks) = (spec.cache_dir.clone(), spec.dry_run, spec.symlinks);
    let job = Job { cache, old, revision, commit, tree, dry_run, symlinks };
    // If this future is dropped, the work ends too.
    let stop = CancellationToken::new();
    let _stops = stop.clone().drop_guard();
    let progress = progress.clone();
    progress.set_activity(Activity::Downloading, None);
    blocking::run(move || {
        let outcomes = adopt::run(&job, &progress, &|| stop.is_cancelled())?;
        Ok((job.old, job.commit, outcomes))
    })
    .await
}

fn is_no_revision(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::RevisionNotFound | ErrorKind::InvalidName)
}

/// Whether the next repository would fail in the same way.
fn concerns_all(error: &Error) -> bool {
    use ErrorKind::{Offline, RateLimited, Unauthorized};
    error.is_transient() || matches!(error.kind(), Offline | RateLimited | Unauthorized)
}

impl Report {
    fn add(&mut self, (old, commit, outcomes): Done) {
        let (mut files, mut bytes) = (0, 0);
        for (path, outcome) in outcomes {
            match outcome {
                Ok(size) => (files, bytes) = (files + 1, bytes + size),
                Err((reason, message)) => self.unmatched.push(Unmatched {
                    repo_type: old.repo_type,
                    repo_id: old.repo_id.clone(),
                    revision: old.revision.clone(),
                    filename: relative(&old.path, &path),
                    path,
                    reason,
                    message,
                }),
            }
        }
        if files > 0 {
            let Old { repo_type, repo_id, revision, .. } = old;
            self.revisions.push(Adopted { repo_type, repo_id, revision, commit, files, bytes });
        }
        (self.files, self.bytes) = (self.files + files, self.bytes + bytes);
    }
}

impl Failure {
    fn of(old: Old, cause: Error) -> Self {
        Self {
            repo_type: Some(old.repo_type),
            repo_id: Some(old.repo_id),
            revision: Some(old.revision),
            path: old.path,
            cause,
            error: None,
        }
    }

    /// Returns the failure for a cache in the folder of this one: which of the two is meant is the
    /// user's decision.
    fn of_cache(below: &CacheDir) -> Self {
        let path = below.path().to_owned();
        let shown = path.display().to_string();
        let message = format!("a cache below this one, where hf_hub 0.3 stored files: `{shown}`");
        let cause = Error::new(ErrorKind::Conflict, message)
            .with_hints([Hint::UseCacheBelow { path: shown }]);
        Self { repo_type: None, repo_id: None, revision: None, path, cause, error: None }
    }
}

#[cfg(test)]
mod tests;
