//! A folder into a repository, in one commit or in as many as it takes.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        fnmatch::{self, Filter},
        ids::{Commit, Revision},
        lock::Lock,
        progress::Progress,
    },
    download::receive,
    hub::client::Hub,
    upload::{
        Message, Report,
        batch_size::{Pace, WEIGHT},
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
        walk,
    },
};

/// In many commits, none is kept open for longer.
const OLD: Duration = Duration::from_mins(5);

/// Files that are prepared while a commit is on its way.
const PREPARED: usize = 1024;

/// A folder as it is to be uploaded.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Where to.
    pub target: Target,
    /// What the commits say.
    pub message: Message,
    /// The folder.
    pub dir: PathBuf,
    /// Where in the repository; empty for its top.
    pub path_in_repo: String,
    /// Which files.
    pub filter: Filter,
    /// Files of the repository that go, by their names below `path_in_repo`.
    pub delete: Vec<String>,
    /// How.
    pub tuning: Tuning,
    /// Whether the Hub is asked afterwards if it has what was sent.
    pub verified: bool,
    /// Whether many commits are better than one.
    pub large: bool,
    /// Whether what was learned is kept next to the folder.
    pub resumable: bool,
}

/// Uploads the folder.
pub async fn run(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Report> {
    let session = Session::new(hub, &spec.target, spec.tuning, progress);
    let work = hub.within_deadline(progress, hub.in_place(Box::pin(upload(&session, spec))));
    work.await.map_err(|error| errors::refusal(&session, error))
}

async fn upload(session: &Arc<Session>, spec: Spec) -> Result<Report> {
    let mut report = Report::default();
    let root = Arc::new(Root { dir: spec.dir.clone(), prefix: prefix(&spec.path_in_repo)? });
    // Two that upload the same at once would commit it twice.
    let _alone = if spec.resumable { alone(session, &spec).await } else { None };
    let (found, opened) = look(session, &root, &spec).await?;
    for folder in &found.refused {
        report.warn(format!("\"{folder}\" was left out: the Hub takes nothing below \".cache\""));
    }
    let deletions = deletions(session, &spec, &root, &found).await?;
    session.progress.add_files((found.files.len() + deletions.len()) as u64);
    session.progress.add_bytes(found.files.iter().map(|file| file.stamp.size).sum());
    let mut work = Work::new(session);
    work.heed(&found.files).await?.into_iter().for_each(|text| report.warn(text));
    work.ledger = opened.ledger.map(Arc::new);
    work.unfinished = opened.unfinished.map(Arc::new);
    let work = Arc::new(work);
    let (sender, receiver) = mpsc::channel(PREPARED);
    let made = Arc::default();
    let committer = Committer {
        session: session.clone(),
        work: work.clone(),
        spec: &spec,
        pace: if spec.large { Pace::steady() } else { Pace::whole() },
        made: Arc::clone(&made),
        batch: Batch::of(deletions),
        head: None,
        unanswered: opened.unanswered,
        otherwise: without_files(&spec.dir, found.seen),
        report,
    };
    let prepared = prepare::run(work.clone(), found.files, sender);
    let joined = tokio::try_join!(prepared, committer.run(receiver));
    let ((), report) = joined.map_err(|error| {
        interrupted(&made.lock().unwrap_or_else(PoisonError::into_inner), error)
    })?;
    if let Some(ledger) =
        Arc::into_inner(work).and_then(|work| work.ledger).and_then(Arc::into_inner)
    {
        ledger.close().await;
    }
    Ok(report)
}

/// Keeps others from uploading the folder to the same branch, as far as locks can.
async fn alone(session: &Session, spec: &Spec) -> Option<Lock> {
    let (dir, target) = (spec.dir.clone(), spec.target.clone());
    let endpoint = session.hub.endpoint.clone();
    let lock = blocking::run(move || state_file::lock(&dir, &endpoint, &target)).await?;
    receive::wait_for_lock(lock, &session.progress).await.ok()
}

/// What is in the folder, and what the last run knew of it.
async fn look(session: &Session, root: &Arc<Root>, spec: &Spec) -> Result<(walk::Found, Opened)> {
    let (root, filter, target) = (root.clone(), spec.filter.clone(), spec.target.clone());
    let endpoint = session.hub.endpoint.clone();
    let keep = spec.resumable;
    blocking::run(move || {
        let mut found = walk::find(&root, &filter)?;
        let opened = if keep && !found.files.is_empty() {
            state_file::open(&root, &endpoint, &target, &mut found.files)
        } else {
            Opened::nothing()
        };
        Ok((found, opened))
    })
    .await
}

/// Why a folder of which `seen` files were found gives none to upload.
fn without_files(dir: &Path, seen: usize) -> String {
    let dir = dir.display();
    match seen {
        0 => format!("`{dir}` has no files"),
        _ => format!("no file in `{dir}` passes :allow_patterns and :ignore_patterns"),
    }
}

fn prefix(path_in_repo: &str) -> Result<String> {
    let path = path_in_repo.trim_start_matches("./").trim_matches('/');
    if path.is_empty() || path == "." {
        return Ok(String::new());
    }
    Ok(format!("{}/", super::path::parse_addition(path)?))
}

/// The files of the repository that go, and are not replaced.
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

/// What has been committed, for the words of an error.
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
    pace: Pace,
    made: Arc<Mutex<Made>>,
    batch: Batch,
    head: Option<Commit>,
    unanswered: bool,
    /// Why there is no commit, should no file be looked at.
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

    fn is_full(&self, pace: Pace, large: bool) -> bool {
        let is_old = large && self.since.is_some_and(|since| since.elapsed() >= OLD);
        self.changes.len() >= pace.files() || self.weight >= WEIGHT || is_old
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
                    if self.batch.is_full(self.pace, self.spec.large) {
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
            // Deletions first, because they may make room for a file or folder of the same name.
            part.sort_by(|one, other| (one.adds(), one.path()).cmp(&(other.adds(), other.path())));
            let Err(error) = self.commit(part.clone()).await else { continue };
            if Pace::is_small(part.len()) || !may_be_too_much(&error) {
                return Err(error);
            }
            self.pace.failed();
            let size = self.pace.files().min(part.len().div_ceil(2));
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
        if let Some(ledger) = &self.work.ledger {
            ledger.begun().await;
        }
        let suspect = std::mem::take(&mut self.unanswered);
        let (info, draft) = commit::make(&self.session, draft, head, suspect).await?;
        self.remember(&draft).await;
        self.pace.done(count, began.elapsed());
        self.session.progress.skip_files(count as u64);
        if self.spec.verified {
            verify(&self.session, &info, &draft).await?;
        }
        self.report.committed += count;
        self.follow(info, count)
    }

    /// Keeps what the next run need not find out again.
    async fn remember(&self, draft: &Draft) {
        let Some(ledger) = &self.work.ledger else { return };
        ledger.ended().await;
        for (place, change) in draft.changes.iter().enumerate() {
            if let (Change::File(file), Some(oid)) = (change, draft.oid(place)) {
                ledger.hashed(file, oid).await;
            }
        }
    }

    /// The next commit comes behind this one, in its pull request if it has opened one.
    fn follow(&mut self, mut info: Info, count: usize) -> Result<()> {
        self.head = Commit::parse(&info.oid).ok();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if self.session.target.create_pr {
            let number = info.pr_url.as_deref().and_then(|url| url.rsplit('/').next());
            let number = number.and_then(|number| number.parse::<u64>().ok()).ok_or_else(|| {
                let message = "the Hub did not say which pull request it opened";
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

/// Whether fewer files at a time may do better.
fn may_be_too_much(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Server | ErrorKind::Transport)
        || error.status() == Some(413)
}

/// Says what of the folder has been committed when the rest could not be.
fn interrupted(made: &Made, error: Error) -> Error {
    let Made { commits, files, pull_request } = made;
    if *commits == 0 {
        return error;
    }
    let again = match pull_request {
        Some(revision) => format!("upload it again with revision: \"{revision}\""),
        None => "upload it again".to_owned(),
    };
    let message = format!(
        "{}; {files} files in {commits} commits are at the Hub, {again} to send the rest",
        error.message()
    );
    error.with_message(message)
}
