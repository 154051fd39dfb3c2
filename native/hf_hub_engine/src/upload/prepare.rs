//! Prepares files on disk for a commit: asks the Hub how to upload them, hashes them, and uploads
//! large ones. Different files are at different stages at the same time.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::Commit,
    },
    upload::{
        Addition, card, digest,
        lfs::Object,
        object::Large,
        oid::Oid,
        outcome::{Fate, Outcome},
        parts::Unfinished,
        path::RepoPath,
        payload::Change,
        preupload::{self, Mode, Verdict},
        session::Session,
        state_file::StateFile,
        store::{self, LargeFile},
        xet::{self, Arrival},
    },
};

/// Maximum number of concurrent requests to the Hub.
const QUESTIONS: usize = 2;

/// The context for preparing files.
pub(super) struct Work {
    pub(super) session: Arc<Session>,
    /// The content of a `.gitignore` that is part of the upload.
    pub(super) git_ignore: Option<String>,
    /// Paths that other changes of the same commit touch: an unchanged file there has to be sent.
    pub(super) overwritten: HashSet<RepoPath>,
    pub(super) state_file: Option<Arc<StateFile>>,
    pub(super) unfinished: Option<Arc<Unfinished>>,
    pub(super) head: OnceLock<Commit>,
    pub(super) xet: xet::Choice,
}

impl Work {
    pub(super) fn new(session: &Arc<Session>) -> Self {
        Self {
            session: session.clone(),
            git_ignore: None,
            overwritten: HashSet::new(),
            state_file: None,
            unfinished: None,
            head: OnceLock::new(),
            xet: xet::Choice::default(),
        }
    }

    /// Reads the two files at the root of the repository that affect the upload; returns warnings.
    pub(super) async fn heed(&mut self, files: &[Addition]) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        for file in files {
            match file.path.as_str() {
                card::NAME => warnings = card::check(&self.session, file).await?,
                ".gitignore" => self.git_ignore = card::text(file).await?,
                _ => {}
            }
        }
        Ok(warnings)
    }

    /// Whether other changes of the same commit touch the path, or a folder above it.
    pub(super) fn overwrites(&self, path: &RepoPath) -> bool {
        let path = path.as_str();
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.overwritten.contains(path) || above.any(|above| self.overwritten.contains(above))
    }
}

/// Prepares all files; each outcome is sent as soon as it is ready.
pub(super) async fn run(
    work: Arc<Work>,
    files: Vec<Addition>,
    outcomes: mpsc::Sender<Outcome>,
) -> Result<()> {
    let (large, arrivals) = mpsc::channel(2 * preupload::BATCH);
    let (for_xet, files_for_xet) = mpsc::channel(2 * preupload::BATCH);
    let to = Destinations { outcomes: outcomes.clone(), large: large.clone(), for_xet };
    let identify = identify_all(work.clone(), files, to);
    let after = (outcomes.clone(), large);
    let xet = {
        let work = work.clone();
        async move {
            let then = |file, remote, oid| after_xet(&work, file, remote, oid, &after);
            xet::run(&work.session, &work.xet, files_for_xet, then).await
        }
    };
    let store = store::run(work.session.clone(), work.unfinished.clone(), arrivals, outcomes);
    tokio::try_join!(identify, xet, store).map(drop)
}

/// Where identified files go.
#[derive(Clone)]
struct Destinations {
    outcomes: mpsc::Sender<Outcome>,
    large: mpsc::Sender<LargeFile>,
    for_xet: mpsc::Sender<Arrival>,
}

async fn identify_all(work: Arc<Work>, files: Vec<Addition>, to: Destinations) -> Result<()> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let questions = stream::iter(chunks(files)).map(|chunk| judge(work.clone(), chunk));
    let judged =
        questions.buffered(QUESTIONS).map_ok(|files| stream::iter(files).map(Ok)).try_flatten();
    let identified = judged
        .map_ok(|(file, verdict)| identify(work.clone(), file, verdict))
        .try_buffer_unordered(processors);
    let sent = identified.try_for_each(|identified| {
        let to = to.clone();
        async move {
            let gone = match identified {
                Identified::Done(outcome) => to.outcomes.send(outcome).await.is_err(),
                Identified::Large(arrival) => to.large.send(*arrival).await.is_err(),
                Identified::ForXet(arrival) => to.for_xet.send(*arrival).await.is_err(),
            };
            if gone { Err(cancelled()) } else { Ok(()) }
        }
    });
    sent.await
}

/// Splits the files into batches, each dropped from memory when it is done.
fn chunks(files: Vec<Addition>) -> impl Iterator<Item = Vec<Addition>> {
    let mut files = files.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<_> = files.by_ref().take(preupload::BATCH).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

async fn judge(work: Arc<Work>, files: Vec<Addition>) -> Result<Vec<(Addition, Verdict)>> {
    let judged = preupload::ask(&work.session, files, work.git_ignore.as_deref()).await?;
    if let Some(head) = judged.head {
        let _ = work.head.set(head);
    }
    Ok(judged.files)
}

/// What is to be done with a file.
enum Identified {
    /// Nothing before the commit.
    Done(Outcome),
    /// It goes to the store of large files.
    Large(Box<LargeFile>),
    /// It goes to Xet storage, which hashes it.
    ForXet(Box<Arrival>),
}

async fn identify(work: Arc<Work>, file: Addition, verdict: Verdict) -> Result<Identified> {
    let (place, size) = (file.place, file.stamp.size);
    let remote = verdict.remote.filter(|_| !work.overwrites(&file.path));
    let done = |fate| Identified::Done(Outcome { place, fate });
    match verdict.mode {
        _ if verdict.ignored => {
            work.session.progress.skip_bytes(size);
            Ok(done(Fate::Ignored(file.path)))
        }
        Mode::Regular => regular(&work, file, remote).await.map(done),
        Mode::Lfs => large(&work, file, remote).await,
    }
}

/// Prepares a file that is part of the commit. It is hashed only if that may avoid a commit.
async fn regular(work: &Work, mut file: Addition, remote: Option<Oid>) -> Result<Fate> {
    let progress = &work.session.progress;
    file.known = file.known.filter(|known| matches!(known, Oid::Git(_)));
    if file.known.is_none() && matches!(remote, Some(Oid::Git(_))) {
        let oid = digest::git(file.open()?, progress.clone()).await?;
        remember(work, &file, oid).await;
        file.known = Some(oid);
    }
    progress.skip_bytes(file.stamp.size);
    Ok(match remote.filter(|remote| file.known == Some(*remote)) {
        Some(oid) => Fate::Unchanged(oid),
        None => Fate::Commit(Change::File(file)),
    })
}

async fn large(work: &Work, file: Addition, remote: Option<Oid>) -> Result<Identified> {
    let is_unchanged = file.known.is_some() && file.known == remote;
    if !is_unchanged && work.xet.access(&work.session).await.is_some() {
        return Ok(Identified::ForXet(Box::new(Arrival { file, remote })));
    }
    by_lfs(work, file, remote).await
}

/// Returns a file that was to go to Xet storage with its id, or without one if it is not there.
async fn after_xet(
    work: &Work,
    file: Addition,
    remote: Option<Oid>,
    oid: Option<Oid>,
    (outcomes, large): &(mpsc::Sender<Outcome>, mpsc::Sender<LargeFile>),
) -> Result<()> {
    let (place, size) = (file.place, file.stamp.size);
    let identified = match oid {
        Some(oid) => {
            remember(work, &file, oid).await;
            let fate = if remote == Some(oid) {
                Fate::Unchanged(oid)
            } else {
                Fate::Commit(Change::Lfs { path: file.path, oid, size: Some(size) })
            };
            Identified::Done(Outcome { place, fate })
        }
        None => by_lfs(work, file, remote).await?,
    };
    let gone = match identified {
        Identified::Done(outcome) => outcomes.send(outcome).await.is_err(),
        Identified::Large(file) => large.send(*file).await.is_err(),
        Identified::ForXet(_) => false,
    };
    if gone { Err(cancelled()) } else { Ok(()) }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "cancelled")
}

/// Prepares a file for the store of large files.
async fn by_lfs(work: &Work, file: Addition, remote: Option<Oid>) -> Result<Identified> {
    let (place, size) = (file.place, file.stamp.size);
    let (oid, sums) = if let Some(known @ Oid::Sha256(_)) = file.known {
        (known, None)
    } else {
        work.session.hashing();
        let (oid, sums) = digest::sha256(file.open()?, work.session.progress.clone()).await?;
        remember(work, &file, oid).await;
        (oid, Some(sums))
    };
    if remote == Some(oid) {
        work.session.progress.skip_bytes(size);
        return Ok(Identified::Done(Outcome { place, fate: Fate::Unchanged(oid) }));
    }
    let object = Object { oid, size, path: file.path.clone() };
    Ok(Identified::Large(Box::new(LargeFile { place, large: Large { object, file, sums } })))
}

/// Keeps the id of a file for the next run.
async fn remember(work: &Work, file: &Addition, oid: Oid) {
    if let Some(state_file) = &work.state_file {
        state_file.hashed(file, oid).await;
    }
}
