//! Uploads a folder, in one commit or in several.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        fnmatch::{self, Filter},
        hint::Hint,
        ids::{Commit, Revision},
        input,
        lock::Lock,
        progress::Progress,
        sizes,
    },
    download::receive,
    hub::client::Hub,
    upload::{
        Message, Report,
        batch_size::{BatchSize, WEIGHT},
        changes::verify,
        commit::{self, Info},
        errors,
        outcome::{Fate, Outcome},
        payload::{Change, Draft},
        prepare::{self, Work},
        remote_entries,
        session::{Session, Target, Tuning},
        source::Root,
        state_file::{self, Opened},
        unwanted::Unwanted,
        walk,
    },
};

/// Maximum age of a pending commit when uploading in many commits.
const OLD: Duration = Duration::from_mins(5);

/// Maximum number of files prepared while a commit is being created.
const PREPARED: usize = 1024;

/// A folder to upload.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The target.
    pub target: Target,
    /// The message of the commits.
    pub message: Message,
    /// The folder.
    #[serde(deserialize_with = "input::path")]
    pub dir: PathBuf,
    /// The path in the repository; empty for the root.
    pub path_in_repo: String,
    /// Selects the files.
    pub filter: Filter,
    /// Patterns of selected files that are left out nevertheless.
    pub unwanted: Unwanted,
    /// Patterns of files to delete from the repository, relative to `path_in_repo`.
    #[serde(rename = "delete_patterns")]
    pub delete: Vec<String>,
    /// Tuning of the upload.
    pub tuning: Tuning,
    /// Whether to check after each commit that the Hub's tree matches what was uploaded.
    pub verified: bool,
    /// Whether to prefer many commits.
    pub large: bool,
    /// Whether to keep a state file in the folder.
    pub resumable: bool,
}

/// Uploads the folder.
pub async fn run(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Report> {
    let session = Session::new(hub, &spec.target, spec.tuning, progress);
    let work = hub.within_deadline(progress, hub.with_permit(Box::pin(upload(&session, spec))));
    work.await.map_err(|error| errors::rejection(&session, error))
}

async fn upload(session: &Arc<Session>, spec: Spec) -> Result<Report> {
    let mut report = Report::default();
    let root = Arc::new(Root { dir: spec.dir.clone(), prefix: prefix(&spec.path_in_repo)? });
    // Two concurrent uploads of the same folder would commit it twice.
    let _alone = if spec.resumable { alone(session, &spec).await } else { None };
    let (found, opened) = look(session, &root, &spec).await?;
    for folder in &found.refused {
        report
            .warn(format!("\"{folder}\" was left out: the Hub accepts no files below \".cache\""));
    }
    report.unwanted = found.unwanted;
    report.unwanted_names = found.unwanted_names.clone();
    let deletions = deletions(session, &spec, &root, &found).await?;
    session.progress.add_files((found.files.len() + deletions.len()) as u64);
    session.progress.add_bytes(found.files.iter().map(|file| file.stamp.size).sum());
    let mut work = Work::new(session);
    work.heed(&found.files).await?.into_iter().for_each(|text| report.warn(text));
    work.state_file = opened.state_file.map(Arc::new);
    work.unfinished = opened.unfinished.map(Arc::new);
    let work = Arc::new(work);
    let (sender, receiver) = mpsc::channel(PREPARED);
    let made = Arc::default();
    let committer = Committer {
        session: session.clone(),
        work: work.clone(),
        spec: &spec,
        batch_size: if spec.large { BatchSize::steady() } else { BatchSize::whole() },
        made: Arc::clone(&made),
        batch: Batch::of(deletions),
        head: None,
        unanswered: opened.unanswered,
        otherwise: without_files(&spec.dir, &found),
        report,
    };
    let prepared = prepare::run(work.clone(), found.files, sender);
    let joined = tokio::try_join!(prepared, committer.run(receiver));
    let ((), mut report) = joined.map_err(|error| {
        interrupted(&made.lock().unwrap_or_else(PoisonError::into_inner), error)
    })?;
    report.stored(&work);
    if let Some(state_file) =
        Arc::into_inner(work).and_then(|work| work.state_file).and_then(Arc::into_inner)
    {
        state_file.close().await;
    }
    Ok(report)
}

/// Takes the lock that prevents concurrent uploads of the folder to the same branch, if locks are
/// supported.
async fn alone(session: &Session, spec: &Spec) -> Option<Lock> {
    let (dir, target) = (spec.dir.clone(), spec.target.clone());
    let endpoint = session.hub.endpoint.clone();
    let lock = blocking::run(move || state_file::lock(&dir, &endpoint, &target)).await?;
    receive::wait_for_lock(lock, &session.progress).await.ok()
}

/// Returns the files of the folder, and what the last run knows about them.
async fn look(session: &Session, root: &Arc<Root>, spec: &Spec) -> Result<(walk::Found, Opened)> {
    let (root, spec) = (root.clone(), spec.clone());
    let endpoint = session.hub.endpoint.clone();
    blocking::run(move || {
        let mut found = walk::find(&root, &spec.filter, &spec.unwanted)?;
        let opened = if spec.resumable && !found.files.is_empty() {
            state_file::open(&root, &endpoint, &spec.target, &mut found.files)
        } else {
            Opened::nothing()
        };
        Ok((found, opened))
    })
    .await
}

/// Returns why there is nothing to upload from a folder if no file was selected.
fn without_files(dir: &Path, found: &walk::Found) -> String {
    let dir = dir.display();
    match (found.seen, found.unwanted) {
        (0, _) => format!("`{dir}` has no files"),
        (_, 0) => format!("no file in `{dir}` matches the patterns"),
        (_, 1) => format!("the only selected file in `{dir}` is left out by default"),
        (_, count) => format!("the {count} selected files in `{dir}` are left out by default"),
    }
}

fn prefix(path_in_repo: &str) -> Result<String> {
    let path = path_in_repo.trim_start_matches("./").trim_matches('/');
    if path.is_empty() || path == "." {
        return Ok(String::new());
    }
    Ok(format!("{}/", super::path::parse_addition(path)?))
}

/// Returns the files of the repository to delete, except those that are replaced.
async fn deletions(
    session: &Session,
    spec: &Spec,
    root: &Root,
    found: &walk::Found,
) -> Result<Vec<Change>> {
    if spec.delete.is_empty() {
        return Ok(Vec::new());
    }
    let is_replaced =
        |path: &str| found.files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    let files = remote_entries::files(session, |path| {
        path != ".gitattributes"
            && path.strip_prefix(&root.prefix).is_some_and(|name| {
                spec.delete.iter().any(|pattern| fnmatch::matches(pattern, name))
            })
            && !is_replaced(path)
    });
    Ok(files.await?.into_iter().map(Change::DeleteFile).collect())
}

/// What was committed, for error messages.
#[derive(Debug, Default)]
struct Made {
    commits: usize,
    files: usize,
    pull_request: Option<Revision>,
}

/// Turns prepared files into commits.
struct Committer<'a> {
    session: Arc<Session>,
    work: Arc<Work>,
    spec: &'a Spec,
    batch_size: BatchSize,
    made: Arc<Mutex<Made>>,
    batch: Batch,
    head: Option<Commit>,
    unanswered: bool,
    /// Why there is no commit if there are no files.
    otherwise: String,
    report: Report,
}

/// Changes that wait to be committed.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    weight: u64,
    since: Option<Instant>,
}

impl Batch {
    fn of(changes: Vec<Change>) -> Self {
        Self { weight: changes.iter().map(Change::weight).sum(), changes, since: None }
    }

    fn push(&mut self, change: Change) {
        self.since.get_or_insert_with(Instant::now);
        self.weight += change.weight();
        self.changes.push(change);
    }

    fn is_full(&self, batch_size: BatchSize, large: bool) -> bool {
        let is_old = large && self.since.is_some_and(|since| since.elapsed() >= OLD);
        self.changes.len() >= batch_size.files() || self.weight >= WEIGHT || is_old
    }
}

impl Committer<'_> {
    async fn run(mut self, mut outcomes: mpsc::Receiver<Outcome>) -> Result<Report> {
        while let Some(outcome) = outcomes.recv().await {
            match outcome.fate {
                Fate::Unchanged(_) => self.report.unchanged += 1,
                Fate::Ignored(path) => self.report.ignore(path),
                Fate::Commit(change) => {
                    self.batch.push(change);
                    if self.batch.is_full(self.batch_size, self.spec.large) {
                        self.flush().await?;
                    }
                    continue;
                }
            }
            self.session.progress.skip_files(1);
        }
        self.flush().await?;
        if self.report.last.is_none() {
            let Message { summary, description, .. } = &self.spec.message;
            let head = self.work.head.get().cloned();
            self.report.nothing(&self.session.target.repo, &self.otherwise);
            self.report.last =
                Some(commit::unchanged(&self.session, summary, description, head).await?);
        }
        Ok(self.report)
    }

    async fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let mut parts = VecDeque::from([batch.changes]);
        while let Some(mut part) = parts.pop_front().filter(|part| !part.is_empty()) {
            // Deletions first: they may make room for a file or folder of the same name.
            part.sort_by(|one, other| (one.adds(), one.path()).cmp(&(other.adds(), other.path())));
            let Err(error) = self.commit(part.clone()).await else { continue };
            if BatchSize::is_small(part.len()) || !may_be_too_much(&error) {
                return Err(error);
            }
            self.batch_size.failed();
            let size = self.batch_size.files().min(part.len().div_ceil(2));
            for some in part.chunks(size).rev() {
                parts.push_front(some.to_vec());
            }
        }
        Ok(())
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        let (message, count) = (&self.spec.message, changes.len());
        let first = self.report.commits.is_empty();
        let summary = match self.report.commits.len() {
            0 => message.summary.clone(),
            before => format!("{} (part {})", message.summary, before + 1),
        };
        let mut draft = Draft::new(summary, message.description.clone(), changes);
        draft.parent = message.parent.clone().filter(|_| first);
        let head = self.head.clone().or_else(|| self.work.head.get().cloned());
        let began = Instant::now();
        if let Some(state_file) = &self.work.state_file {
            state_file.begun().await;
        }
        let suspect = std::mem::take(&mut self.unanswered);
        let (info, draft) = commit::make(&self.session, draft, head, suspect).await?;
        self.remember(&draft).await;
        self.batch_size.done(count, began.elapsed());
        self.session.progress.skip_files(count as u64);
        if self.spec.verified {
            verify(&self.session, &info, &draft).await?;
        }
        self.report.committed += count;
        self.follow(info, count)
    }

    /// Stores in the state file what the next run need not compute again.
    async fn remember(&self, draft: &Draft) {
        let Some(state_file) = &self.work.state_file else { return };
        state_file.ended().await;
        for (place, change) in draft.changes.iter().enumerate() {
            if let (Change::File(file), Some(oid)) = (change, draft.oid(place)) {
                state_file.hashed(file, oid).await;
            }
        }
    }

    /// Makes the next commit follow this one, in the pull request that it has opened.
    fn follow(&mut self, mut info: Info, count: usize) -> Result<()> {
        self.head = Commit::parse(&info.oid).ok();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if self.session.target.create_pr {
            let number = info.pr_url.as_deref().and_then(|url| url.rsplit('/').next());
            let number = number.and_then(|number| number.parse::<u64>().ok()).ok_or_else(|| {
                let message = "the Hub's response does not name the pull request it opened";
                Error::new(ErrorKind::InvalidResponse, message)
            })?;
            let revision = Revision::parse(&format!("refs/pr/{number}"))?;
            self.session = self.session.at_branch(revision.clone());
            made.pull_request = Some(revision);
        } else if let Some(last) = &self.report.last {
            info.pr_url = info.pr_url.or_else(|| last.pr_url.clone());
        }
        (made.commits, made.files) = (made.commits + 1, made.files + count);
        self.report.last = Some(info.clone());
        self.report.commits.push(info);
        Ok(())
    }
}

/// Whether a commit of fewer files may succeed.
fn may_be_too_much(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Server | ErrorKind::Transport)
        || error.status() == Some(413)
}

/// Adds to an error how much of the folder has been committed.
fn interrupted(made: &Made, error: Error) -> Error {
    let Made { commits, files, pull_request } = made;
    if *commits == 0 {
        return error;
    }
    let were = if *files == 1 { "was" } else { "were" };
    let files = sizes::counted(*files as u64, "files");
    let commits = sizes::counted(*commits as u64, "commits");
    let message = format!("{}; {files} {were} uploaded in {commits}", error.message());
    let revision = pull_request.as_ref().map(ToString::to_string);
    error.with_message(message).with_hints([Hint::UploadAgain { revision }])
}
