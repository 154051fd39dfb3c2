//! Commits a list of changes: all of them, or none.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    base::{
        blocking,
        error::{Error, Result},
        fnmatch,
        ids::{Commit, Repo, Revision},
        progress::Progress,
    },
    hub::client::Hub,
    upload::{
        Addition, Message, Report, commit,
        copies::{self, Copy},
        errors,
        oid::Oid,
        outcome::{Fate, Outcome},
        path::{self, RepoPath},
        payload::{Change, Draft},
        prepare::{self, Work},
        remote_entries,
        session::{Session, Target, Tuning},
        source::Source,
    },
};

/// A requested change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Adds a file with this content.
    Add {
        /// Its path.
        #[serde(deserialize_with = "path::read_addition")]
        path: RepoPath,
        /// Its content.
        #[serde(rename = "content")]
        source: Source,
        /// The id of the content, if known.
        #[serde(rename = "oid")]
        known: Option<Oid>,
        /// Its size, if the content is already on the Hub.
        size: Option<u64>,
    },
    /// Deletes a file.
    DeleteFile(#[serde(deserialize_with = "path::read")] RepoPath),
    /// Deletes a folder.
    DeleteFolder(#[serde(deserialize_with = "path::read_folder")] RepoPath),
    /// Deletes all files that match one of these patterns.
    DeleteMatching(Vec<String>),
    /// Copies a file of a repository.
    Copy {
        /// Its path there.
        #[serde(deserialize_with = "path::read")]
        from: RepoPath,
        /// Its new path.
        #[serde(deserialize_with = "path::read_addition")]
        path: RepoPath,
        /// Its revision; defaults to the target branch.
        revision: Option<Revision>,
        /// Its repository; defaults to the target repository.
        repo: Option<Repo>,
    },
}

/// A requested commit.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The target.
    pub target: Target,
    /// The message.
    pub message: Message,
    /// The changes.
    pub operations: Vec<Operation>,
    /// Tuning of the upload.
    pub tuning: Tuning,
    /// Whether to check after the commit that the Hub's tree matches what was uploaded.
    pub verified: bool,
}

/// A file that a commit can reference.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// Its index in the list of changes.
    pub place: usize,
    /// `lfs`, `regular`, `unchanged` or `ignored`.
    pub mode: &'static str,
    /// The id of a large file, or of one that the repository already has.
    pub oid: Option<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// Creates the commit.
pub async fn create(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Report> {
    let session = Session::new(hub, &spec.target, spec.tuning, progress);
    let work = hub.within_deadline(progress, hub.with_permit(Box::pin(run(&session, spec))));
    work.await.map_err(|error| errors::rejection(&session, error))
}

/// Uploads the large files among the additions, without a commit.
pub async fn preupload(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Vec<Placed>> {
    let session = Session::new(hub, &spec.target, spec.tuning, progress);
    let work = hub
        .within_deadline(progress, hub.with_permit(Box::pin(place_all(&session, spec.operations))));
    work.await.map_err(|error| errors::rejection(&session, error))
}

async fn place_all(session: &Arc<Session>, operations: Vec<Operation>) -> Result<Vec<Placed>> {
    let additions = sort(session, operations).await?.additions;
    let sizes: Vec<u64> = additions.iter().map(|file| file.stamp.size).collect();
    let work = Arc::new(Work::new(session));
    let outcomes = prepare_all(&work, additions).await?;
    let placed = outcomes.into_iter().map(|outcome| {
        let (mode, oid) = match outcome.fate {
            Fate::Commit(Change::Lfs { oid, .. }) => ("lfs", Some(oid.to_string())),
            Fate::Commit(_) => ("regular", None),
            Fate::Unchanged(oid) => ("unchanged", Some(oid.to_string())),
            Fate::Ignored(_) => ("ignored", None),
        };
        let size = sizes.get(outcome.place).copied().unwrap_or(0);
        Placed { place: outcome.place, mode, oid, size }
    });
    Ok(placed.collect())
}

async fn run(session: &Arc<Session>, spec: Spec) -> Result<Report> {
    let mut report = Report::default();
    let Spec { message, operations, verified, .. } = spec;
    let otherwise =
        if operations.is_empty() { "there are no changes" } else { "no file matches the patterns" };
    let operations = expand(session, operations).await?;
    warn(session, &operations, &mut report);
    let sorted = sort(session, operations).await?;
    let (changes, head) = settle(session, sorted, &mut report).await?;
    if changes.is_empty() {
        report.nothing(&session.target.repo, otherwise);
        let Message { summary, description, .. } = &message;
        report.last = Some(commit::unchanged(session, summary, description, head).await?);
        return Ok(report);
    }
    // Each of these was named explicitly.
    if let Some(text) = report.exclusions() {
        report.warn(format!("{text}, which are not in the commit"));
    }
    report.committed = changes.len();
    let mut draft = Draft::new(message.summary, message.description, changes);
    draft.parent = message.parent;
    let (info, draft) = commit::make(session, draft, head, false).await?;
    session.progress.skip_files(draft.changes.len() as u64);
    if verified {
        verify(session, &info, &draft).await?;
    }
    report.last = Some(info.clone());
    report.commits.push(info);
    Ok(report)
}

/// Returns the prepared changes in order, and the head of the branch if it is known.
async fn settle(
    session: &Arc<Session>,
    sorted: Sorted,
    report: &mut Report,
) -> Result<(Vec<Change>, Option<Commit>)> {
    let Sorted { additions, copies, mut slots, overwritten, .. } = sorted;
    let mut work = Work::new(session);
    work.heed(&additions).await?.into_iter().for_each(|text| report.warn(text));
    work.overwritten = overwritten;
    let work = Arc::new(work);
    let mut changes = Vec::new();
    for outcome in prepare_all(&work, additions).await? {
        match outcome.fate {
            Fate::Commit(change) => changes.push((outcome.place, Some(change))),
            Fate::Unchanged(_) => report.unchanged += 1,
            Fate::Ignored(path) => report.ignore(path),
        }
    }
    report.stored(&work);
    let copied = copies::prepare(session, copies, |path| work.overwrites(path)).await?;
    report.unchanged += copied.iter().filter(|(_, change)| change.is_none()).count();
    for (place, change) in changes.into_iter().chain(copied) {
        if let Some(slot) = slots.get_mut(place) {
            *slot = change;
        }
    }
    Ok((slots.into_iter().flatten().collect(), work.head.get().cloned()))
}

/// Checks that the commit contains what was sent.
pub(super) async fn verify(session: &Session, info: &commit::Info, draft: &Draft) -> Result<()> {
    let revision = crate::base::ids::Revision::parse(&info.oid)?;
    match remote_entries::difference(session, &revision, draft).await? {
        Some(path) => Err(remote_entries::not_as_sent(&path, &info.oid)),
        None => Ok(()),
    }
}

/// Replaces patterns by the files they match.
async fn expand(session: &Session, operations: Vec<Operation>) -> Result<Vec<Operation>> {
    let mut expanded = Vec::with_capacity(operations.len());
    for operation in operations {
        let Operation::DeleteMatching(patterns) = operation else {
            expanded.push(operation);
            continue;
        };
        let matching = remote_entries::files(session, |path| {
            path != ".gitattributes"
                && patterns.iter().any(|pattern| fnmatch::matches(pattern, path))
        });
        expanded.extend(matching.await?.into_iter().map(Operation::DeleteFile));
    }
    Ok(expanded)
}

/// Operations by the preparation they need.
#[derive(Default)]
struct Sorted {
    additions: Vec<Addition>,
    copies: Vec<Copy>,
    /// One for each operation, filled if no preparation is needed.
    slots: Vec<Option<Change>>,
    /// Paths that are written.
    written: HashSet<RepoPath>,
    /// Paths that are deleted, or written more than once: the current file there is not what an
    /// addition replaces.
    overwritten: HashSet<RepoPath>,
}

/// Separates additions and copies from operations that need no preparation.
async fn sort(session: &Session, operations: Vec<Operation>) -> Result<Sorted> {
    let sorted = blocking::run(move || {
        let mut sorted = Sorted::default();
        operations
            .into_iter()
            .enumerate()
            .try_for_each(|(place, operation)| sorted.add(place, operation))?;
        Ok::<_, Error>(sorted)
    })
    .await?;
    session.progress.add_files(sorted.slots.len() as u64);
    session.progress.add_bytes(sorted.additions.iter().map(|file| file.stamp.size).sum());
    Ok(sorted)
}

impl Sorted {
    fn note(&mut self, operation: &Operation) {
        match operation {
            Operation::Add { path, .. } | Operation::Copy { path, .. } => {
                if !self.written.insert(path.clone()) {
                    self.overwritten.insert(path.clone());
                }
            }
            Operation::DeleteFile(path) | Operation::DeleteFolder(path) => {
                self.overwritten.insert(path.clone());
            }
            Operation::DeleteMatching(_) => {}
        }
    }

    fn add(&mut self, place: usize, operation: Operation) -> Result<()> {
        self.note(&operation);
        self.slots.push(match operation {
            Operation::DeleteFile(path) => Some(Change::DeleteFile(path)),
            Operation::DeleteFolder(path) => Some(Change::DeleteFolder(path)),
            Operation::Add { path, source: Source::Remote, known: Some(oid), size } => {
                Some(Change::Lfs { path, oid, size })
            }
            // Already expanded.
            Operation::DeleteMatching(_) => None,
            Operation::Add { path, source, known, .. } => {
                self.additions.push(Addition::of(path, source, known, place)?);
                None
            }
            Operation::Copy { from, path, revision, repo } => {
                self.copies.push(Copy { place, from, path, revision, repo });
                None
            }
        });
        Ok(())
    }
}

/// Prepares all additions and waits for the last one.
async fn prepare_all(work: &Arc<Work>, additions: Vec<Addition>) -> Result<Vec<Outcome>> {
    if additions.is_empty() {
        return Ok(Vec::new());
    }
    let (sender, mut receiver) = mpsc::channel(64);
    let collect = async {
        let mut outcomes = Vec::new();
        while let Some(outcome) = receiver.recv().await {
            outcomes.push(outcome);
        }
        Ok(outcomes)
    };
    let ((), outcomes) = tokio::try_join!(prepare::run(work.clone(), additions, sender), collect)?;
    Ok(outcomes)
}

/// Adds warnings about operations that are probably unintended.
fn warn(session: &Session, operations: &[Operation], report: &mut Report) {
    let kind = session.target.repo.kind().name();
    let mut added: HashMap<&str, u32> = HashMap::new();
    for operation in operations {
        match operation {
            Operation::Add { path, .. } => {
                let path = path.as_str();
                if added.contains_key(path) {
                    report.warn(format!(
                        "\"{path}\" is added twice in one commit; the last one counts"
                    ));
                }
                let ending = path.rsplit('.').next();
                if kind != "dataset" && matches!(ending, Some("parquet" | "arrow")) {
                    report.warn(format!(
                        "\"{path}\" looks like data and is uploaded to a {kind} repository; datasets belong in a dataset repository"
                    ));
                }
                *added.entry(path).or_default() += 1;
                for (at, _) in path.match_indices('/') {
                    *added.entry(&path[..at]).or_default() += 1;
                }
            }
            Operation::Copy { .. } | Operation::DeleteMatching(_) => {}
            Operation::DeleteFile(path) | Operation::DeleteFolder(path) => {
                if added.contains_key(path.as_str()) {
                    report.warn(format!(
                        "\"{path}\" is deleted after something in it was added in the same commit"
                    ));
                }
            }
        }
    }
}
