//! Uploads large files to Xet storage, which stores only the chunks that it does not have.
//!
//! Files are read once: the storage's client computes the SHA-256 that the commit names. A file
//! counts as uploaded when its session has ended, so the outcomes of a session are sent then. If a
//! session fails, its files are uploaded by the protocol of large files, like those after it.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{OnceCell, mpsc},
    time::{Instant, Interval, interval},
};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        progress::{Activity, FileProgress},
    },
    hub::{client::Hub, xet_access},
    upload::{Addition, digest::index, oid::Oid, session::Session, source::Content},
    xet::{Access, Sent, Stored, Upload},
};

/// Number of bytes that are read and passed on at once.
const BLOCK: u64 = 4 << 20;

/// Maximum number of files and bytes of a session: so much is uploaded again, without its chunks,
/// if it fails at its end.
pub(super) const FILES: usize = 500;
pub(super) const BYTES: u64 = 64 << 30;

/// Interval of looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// Factor by which a request, and the end of a session, in which the storage verifies all files, may
/// take longer than the idle timeout.
const WORKING: u32 = 10;

/// A file for Xet storage, which has not been read yet.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) file: Addition,
    /// What the repository has at its path.
    pub(super) remote: Option<Oid>,
}

/// Whether an upload uses Xet storage: asked when the first large file comes.
#[derive(Debug, Default)]
pub(super) struct Choice {
    access: OnceCell<Option<Access>>,
    /// Why it is not used any longer.
    failure: OnceLock<String>,
}

impl Choice {
    /// Returns access to the storage; `None` if files go to the store of large files.
    pub(super) async fn access(&self, session: &Session) -> Option<&Access> {
        if self.failure.get().is_some() {
            return None;
        }
        self.access.get_or_init(|| ask(session)).await.as_ref()
    }

    /// Returns why the storage was given up.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn give_up(&self, error: &Error) {
        let why = match error.reason() {
            Some(reason) => format!("{error}: {reason}"),
            None => error.to_string(),
        };
        let _ = self.failure.set(why);
    }
}

/// Asks the Hub for access to write. What it refuses is not an error here: the store of large files
/// reports it, or accepts the files.
async fn ask(session: &Session) -> Option<Access> {
    let hub = &session.hub;
    let repository = hub.api_url(&session.target.repo, "");
    if !hub.xet.is_usable() || hub.xet.shared.is_without(&repository) {
        return None;
    }
    let patient = Hub { retry: hub.retry.once(), ..hub.clone() };
    match xet_access::request(&patient, session.xet_route(), &session.progress).await {
        Ok(access) => Some(access),
        Err(error) => {
            let denied = matches!(error.status(), Some(401 | 403 | 429));
            if !error.is_transient() && !denied {
                hub.xet.shared.remember_without(repository);
            }
            None
        }
    }
}

/// Uploads files until no more arrive. Each is passed to `then`: with its id after its session has
/// ended, or without one if it has to be uploaded another way.
pub(super) async fn run<F: Future<Output = Result<()>>>(
    session: &Arc<Session>,
    choice: &Choice,
    mut arrivals: mpsc::Receiver<Arrival>,
    then: impl Fn(Addition, Option<Oid>, Option<Oid>) -> F,
) -> Result<()> {
    while let Some(first) = arrivals.recv().await {
        let mut batch = Batch::of(session, [first]);
        let done = match choice.access(session).await {
            Some(access) => batch.upload(access, &mut arrivals).await,
            None => Err(Error::new(ErrorKind::Transport, "Xet was given up").from_a_store()),
        };
        match done {
            Ok(done) => {
                for (arrival, _, oid) in done {
                    then(arrival.file.clone(), arrival.remote, Some(oid)).await?;
                }
            }
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                choice.give_up(&error);
                session.progress.set_trouble(error.message());
                for arrival in batch.files {
                    then(arrival.file.clone(), arrival.remote, None).await?;
                }
            }
        }
    }
    Ok(())
}

/// Uploads files in one session; returns the stored content of each, in any order.
pub(super) async fn upload(
    session: &Arc<Session>,
    access: &Access,
    files: impl IntoIterator<Item = Addition>,
) -> Result<Vec<(Addition, Stored)>> {
    let arrivals = files.into_iter().map(|file| Arrival { file, remote: None });
    // No more arrive.
    let (_, mut none) = mpsc::channel(1);
    let done = Batch::of(session, arrivals).upload(access, &mut none).await?;
    Ok(done.into_iter().map(|(arrival, stored, _)| (arrival.file.clone(), stored)).collect())
}

/// Whether no other way of uploading helps: a local file cannot be read, or has changed.
fn is_fatal(error: &Error) -> bool {
    let is_local = matches!(error.kind(), ErrorKind::Io | ErrorKind::ChecksumMismatch);
    is_local && !error.is_from_a_store()
}

/// The files of one session.
struct Batch<'a> {
    session: &'a Arc<Session>,
    files: Vec<Arc<Arrival>>,
    bytes: u64,
}

impl<'a> Batch<'a> {
    fn of(session: &'a Arc<Session>, files: impl IntoIterator<Item = Arrival>) -> Self {
        let files: Vec<_> = files.into_iter().map(Arc::new).collect();
        let bytes = files.iter().map(|arrival| arrival.file.stamp.size).sum();
        Self { session, files, bytes }
    }

    fn has_room(&self) -> bool {
        self.files.len() < FILES && self.bytes < BYTES
    }

    fn add(&mut self, arrival: Arrival) -> Arc<Arrival> {
        self.bytes += arrival.file.stamp.size;
        let arrival = Arc::new(arrival);
        self.files.push(arrival.clone());
        arrival
    }

    /// Uploads the files, and those that arrive meanwhile; returns the id of each.
    async fn upload(
        &mut self,
        access: &Access,
        arrivals: &mut mpsc::Receiver<Arrival>,
    ) -> Result<Vec<(Arc<Arrival>, Stored, Oid)>> {
        let session = self.session;
        // The timeout of a request includes that of sending its body, an object of up to 64 MiB;
        // that nothing moves is noticed earlier.
        let timeout = session.tuning.silence.saturating_mul(WORKING);
        let storage = session.hub.xet.storage(Some(timeout))?;
        let upload = storage.upload(access).await?;
        let mut watch = Watch::new(session, &self.files);
        let read = self.read(&*upload, arrivals, &mut watch).await;
        let stored = match read {
            Ok(stored) => watch.finish(&*upload).await.map(|()| stored),
            Err(error) => Err(error),
        };
        let stored = stored.inspect_err(|_| watch.counts.restart())?;
        watch.end(self.bytes);
        stored.into_iter().map(|(arrival, stored)| settle(session, arrival, stored)).collect()
    }

    /// Reads all files, several at a time.
    async fn read(
        &mut self,
        upload: &dyn Upload,
        arrivals: &mut mpsc::Receiver<Arrival>,
        watch: &mut Watch,
    ) -> Result<Vec<(Arc<Arrival>, Stored)>> {
        let session = self.session.clone();
        let mut waiting: VecDeque<_> = self.files.iter().cloned().collect();
        let (mut reading, mut stored) = (FuturesUnordered::new(), Vec::new());
        let mut is_open = true;
        loop {
            while reading.len() < session.tuning.workers.max(1)
                && let Some(arrival) = waiting.pop_front()
            {
                reading.push(read(session.clone(), upload, arrival));
            }
            let more = is_open && self.has_room();
            if reading.is_empty() && !more {
                return Ok(stored);
            }
            tokio::select! {
                arrival = arrivals.recv(), if more => match arrival {
                    Some(arrival) => waiting.push_back(self.add(arrival)),
                    None => is_open = false,
                },
                Some(file) = reading.next() => stored.push(file?),
                () = watch.tick() => watch.look(upload.sent(), 1)?,
            }
        }
    }
}

/// Reads a file, block by block, and passes it on.
async fn read(
    session: Arc<Session>,
    upload: &dyn Upload,
    arrival: Arc<Arrival>,
) -> Result<(Arc<Arrival>, Stored)> {
    let file = arrival.file.clone();
    let (path, size) = (file.path.clone(), file.stamp.size);
    let content = blocking::run(move || file.open()).await?;
    // The size is among the total already.
    drop(session.progress.start_file(path.as_str(), Some(0)));
    session.progress.set_activity(Activity::Uploading, None);
    let mut writing = upload.file(path.as_str()).await?;
    for at in (0..size).step_by(index(BLOCK)) {
        let length = BLOCK.min(size - at);
        let bytes = block(&content, at, length).await?;
        writing.write(bytes).await?;
        session.progress.hashed(length);
    }
    content.check()?;
    Ok((arrival, writing.finish().await?))
}

async fn block(content: &Content, at: u64, length: u64) -> Result<Bytes> {
    let content = content.clone();
    blocking::run(move || {
        let mut bytes = vec![0; index(length)];
        content.read(at, &mut bytes)?;
        Ok(Bytes::from(bytes))
    })
    .await
}

/// Returns the id of a stored file, which must be the content that was to be uploaded.
fn settle(
    session: &Session,
    arrival: Arc<Arrival>,
    stored: Stored,
) -> Result<(Arc<Arrival>, Stored, Oid)> {
    let oid = Oid::parse(&stored.sha256)?;
    if matches!(arrival.file.known, Some(known @ Oid::Sha256(_)) if known != oid) {
        return Err(arrival.file.open()?.changed());
    }
    session.progress.deduplicated(stored.deduplicated);
    Ok((arrival, stored, oid))
}

/// Shows the progress of a session, and notices when there is none.
struct Watch {
    counts: FileProgress,
    silence: Duration,
    ticks: Interval,
    seen: (Sent, u64),
    moved: Instant,
}

impl Watch {
    fn new(session: &Session, files: &[Arc<Arrival>]) -> Self {
        let name = files.first().map_or("", |arrival| arrival.file.path.as_str());
        Self {
            counts: session.progress.start_file(name, Some(0)),
            silence: session.tuning.silence,
            ticks: interval(TICK),
            seen: (Sent::default(), 0),
            moved: Instant::now(),
        }
    }

    async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// Counts what was sent since the last look; an error after `factor` times the idle timeout
    /// without any.
    fn look(&mut self, sent: Sent, factor: u32) -> Result<()> {
        let read = self.counts.operation().snapshot().bytes_hashed;
        let before = self.seen.0;
        self.counts.sent(
            sent.transferred.saturating_sub(before.transferred),
            sent.done.saturating_sub(before.done),
        );
        if self.seen != (sent, read) {
            (self.seen, self.moved) = ((sent, read), Instant::now());
        }
        let limit = self.silence.saturating_mul(factor);
        if self.moved.elapsed() < limit {
            return Ok(());
        }
        let message = format!("the storage has accepted nothing for {} s", limit.as_secs());
        Err(Error::new(ErrorKind::Timeout, message).from_a_store())
    }

    /// Ends the session: the storage registers its files.
    async fn finish(&mut self, upload: &dyn Upload) -> Result<()> {
        let mut finishing = upload.finish();
        self.moved = Instant::now();
        loop {
            tokio::select! {
                finished = &mut finishing => {
                    let looked = self.look(upload.sent(), WORKING);
                    return finished.and(looked);
                }
                () = self.tick() => self.look(upload.sent(), WORKING)?,
            }
        }
    }

    /// Counts the rest of the files: what the storage had is reported late, or not at all.
    fn end(&self, bytes: u64) {
        self.counts.sent(0, bytes.saturating_sub(self.seen.0.done));
    }
}
