//! Resolves a revision to its commit, and stores it, so that it is known without the Hub later.

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::{Commit, RepoRevision},
        progress::Progress,
        scrub::{Scrub, Shown},
    },
    cache::layout::CacheDir,
    download::{errors, listing},
    hub::{
        client::{self, Hub},
        hints,
    },
};

/// What to resolve.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The repository and the branch, tag or commit.
    place: RepoRevision,
    /// The cache.
    cache_dir: CacheDir,
    /// Whether to read the cache only.
    local_files_only: bool,
}

/// The result.
#[derive(Debug, Serialize)]
pub struct Resolved {
    commit: Commit,
    /// Why the Hub could not be asked, if the commit is the one of an earlier call.
    stale: Option<String>,
}

impl Shown for Resolved {
    fn shown(mut self, scrub: &Scrub) -> Self {
        self.stale = self.stale.map(|why| scrub.text(&why).into_owned());
        self
    }
}

/// Resolves a revision.
pub async fn run(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Resolved> {
    let RepoRevision { repo, revision } = &spec.place;
    let result = hub.within_deadline(progress, resolve(hub, &spec, progress)).await;
    let result = result.map_err(|error| hints::repository(hub, repo, revision, error));
    hints::or_meant(hub, &spec.place, result).await
}

async fn resolve(hub: &Hub, spec: &Spec, progress: &Progress) -> Result<Resolved> {
    let RepoRevision { repo, revision } = &spec.place;
    if let Some(commit) = revision.as_commit() {
        return Ok(Resolved { commit, stale: None });
    }
    let (dir, name) = (spec.cache_dir.repo(repo), revision.clone());
    let known = blocking::run(move || dir.commit_of(&name)).await;
    match ask(hub, spec, known.is_some(), progress).await {
        Ok(commit) => {
            remember(spec, &commit).await;
            Ok(Resolved { commit, stale: None })
        }
        Err(error) if is_unreachable(&error) => match known {
            Some(commit) => Ok(Resolved { commit, stale: errors::stale(&error) }),
            None => Err(errors::not_cached(
                &format!("{revision}\" of \"{repo}"),
                spec.local_files_only,
                error,
            )),
        },
        Err(error) => Err(error),
    }
}

/// With a commit at hand, an unresponsive Hub is not waited for.
async fn ask(hub: &Hub, spec: &Spec, once: bool, progress: &Progress) -> Result<Commit> {
    if spec.local_files_only || hub.offline {
        return Err(client::offline());
    }
    let retry = if once { hub.retry.once() } else { hub.retry };
    let hub = Hub { retry, ..hub.clone() };
    listing::commit_of(&hub, &spec.place.repo, &spec.place.revision, progress).await
}

/// Whether the Hub did not respond, or failed. What it reports about the repository counts.
fn is_unreachable(error: &Error) -> bool {
    use ErrorKind::{Offline, Server, Timeout, Transport};
    matches!(error.kind(), Offline | Server | Timeout | Transport)
}

/// A cache that cannot be written costs a request later, nothing more.
async fn remember(spec: &Spec, commit: &Commit) {
    let (spec, commit) = (spec.clone(), commit.clone());
    blocking::run(move || {
        let repo = spec.cache_dir.repo(&spec.place.repo);
        let folder = repo.snapshot(&commit);
        // The folder is created before the ref, so that the ref never dangles.
        if repo.check_way(&folder).is_ok() && std::fs::create_dir_all(&folder).is_ok() {
            repo.remember_ref(&spec.place.revision, &commit);
        }
    })
    .await;
}
