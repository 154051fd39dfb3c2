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
    sync::{Mutex, mpsc},
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

/// Maximum number of files that a worker reads at a time, if a block has room for all of them: each
/// waits for the storage most of the time.
const FILES_OF_WORKER: usize = 6;

/// Maximum number of files and bytes of a session: so much is uploaded again, without its chunks,
/// if it fails at its end.
pub(super) const FILES: usize = 500;
pub(super) const BYTES: u64 = 64 << 30;

/// Interval of looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// Factor by which a request, and the end of a session, in which the storage verifies all files, may
/// take longer than the idle timeout.
const WORKING: u32 = 10;

/// How long the storage may accept nothing at first: it may be down, and there is another way.
const START: Duration = Duration::from_secs(10);

/// Maximum number of new tokens of a session.
const RENEWALS: u32 = 8;

/// A file for Xet storage, which has not been read yet.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) file: Addition,
    /// What the repository has at its path.
    pub(super) remote: Option<Oid>,
}

/// What the Hub has said.
#[derive(Debug, Default)]
enum Asked {
    #[default]
    NotYet,
    Granted(Box<Access>),
    Refused,
}

/// Whether an upload uses Xet storage: asked when the first large file comes.
#[derive(Debug, Default)]
pub(super) struct Choice {
    access: Mutex<Asked>,
    /// Why it is not used any longer.
    failure: OnceLock<String>,
}

impl Choice {
    /// Returns access to the storage; `None` if files go to the store of large files.
    pub(super) async fn access(&self, session: &Session) -> Option<Access> {
        if self.failure.get().is_some() {
            return None;
        }
        let mut asked = self.access.lock().await;
        if matches!(*asked, Asked::NotYet) {
            *asked = match ask(session).await {
                Some(access) => Asked::Granted(Box::new(access)),
                None => Asked::Refused,
            };
        }
        match &*asked {
            Asked::Granted(access) => Some(Access::clone(access)),
            Asked::NotYet | Asked::Refused => None,
        }
    }

    /// Forgets access that the storage has refused. Its token may have expired: the crate renews
    /// tokens by the clock of this machine, which may be wrong.
    async fn forget(&self, session: &Session) {
        if let Asked::Granted(refused) = std::mem::take(&mut *self.access.lock().await) {
            session.hub.xet.shared.forget(&refused);
        }
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
        let mut batch = Batch::of(session, [first], START);
        let mut uploaded = batch.upload_by(choice, &mut arrivals).await;
        while let Err(error) = &uploaded
            && error.kind() == ErrorKind::Unauthorized
            && batch.tokens.may_renew()
        {
            choice.forget(session).await;
            uploaded = batch.upload_by(choice, &mut arrivals).await;
        }
        match uploaded {
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
    // There is no other way.
    let mut batch = Batch::of(session, arrivals, Duration::MAX);
    let done = batch.upload(access, &mut none).await?;
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
    /// How long the storage may accept nothing at first.
    start: Duration,
    tokens: Tokens,
}

/// How often a session needed a new token.
struct Tokens {
    renewals: u32,
    /// Whether the storage accepts the last one, as far as is known.
    is_accepted: bool,
}

impl Tokens {
    /// Whether a new token may help: each that is refused has to have been accepted before.
    fn may_renew(&mut self) -> bool {
        self.renewals += 1;
        std::mem::take(&mut self.is_accepted) && self.renewals <= RENEWALS
    }
}

impl<'a> Batch<'a> {
    fn of(
        session: &'a Arc<Session>,
        files: impl IntoIterator<Item = Arrival>,
        start: Duration,
    ) -> Self {
        let files: Vec<_> = files.into_iter().map(Arc::new).collect();
        let bytes = files.iter().map(|arrival| arrival.file.stamp.size).sum();
        let tokens = Tokens { renewals: 0, is_accepted: true };
        Self { session, files, bytes, start, tokens }
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

    /// Uploads the files if the storage is still in use.
    async fn upload_by(
        &mut self,
        choice: &Choice,
        arrivals: &mut mpsc::Receiver<Arrival>,
    ) -> Result<Vec<(Arc<Arrival>, Stored, Oid)>> {
        match choice.access(self.session).await {
            Some(access) => self.upload(&access, arrivals).await,
            None => Err(Error::new(ErrorKind::Transport, "Xet was given up").from_a_store()),
        }
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
        let mut watch = Watch::new(session, &self.files, self.start);
        let read = self.read(&*upload, arrivals, &mut watch).await;
        let stored = match read {
            Ok(stored) => watch.finish(&*upload).await.map(|()| stored),
            Err(error) => Err(error),
        };
        self.tokens.is_accepted |= watch.has_accepted();
        let stored = stored.inspect_err(|_| watch.counts.restart())?;
        watch.end(self.bytes);
        stored.into_iter().map(|(arrival, stored)| settle(session, arrival, stored)).collect()
    }

    /// Reads all files, several at a time: as many bytes as the workers' blocks.
    async fn read(
        &mut self,
        upload: &dyn Upload,
        arrivals: &mut mpsc::Receiver<Arrival>,
        watch: &mut Watch,
    ) -> Result<Vec<(Arc<Arrival>, Stored)>> {
        let session = self.session.clone();
        let mut waiting: VecDeque<_> = self.files.iter().cloned().collect();
        let (mut reading, mut stored) = (FuturesUnordered::new(), Vec::new());
        let workers = session.tuning.workers.max(1);
        let held = |arrival: &Arrival| arrival.file.stamp.size.min(BLOCK);
        let mut room = workers as u64 * BLOCK;
        let mut is_open = true;
        loop {
            while reading.len() < workers * FILES_OF_WORKER
                && waiting.front().is_some_and(|arrival| held(arrival) <= room)
                && let Some(arrival) = waiting.pop_front()
            {
                room -= held(&arrival);
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
                Some(file) = reading.next() => {
                    let file = file?;
                    room += held(&file.0);
                    stored.push(file);
                }
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
    /// How long the storage may accept nothing at first.
    start: Duration,
    ticks: Interval,
    seen: (Sent, u64),
    moved: Instant,
}

impl Watch {
    fn new(session: &Session, files: &[Arc<Arrival>], start: Duration) -> Self {
        let name = files.first().map_or("", |arrival| arrival.file.path.as_str());
        Self::over(session.progress.start_file(name, Some(0)), session.tuning.silence, start)
    }

    fn over(counts: FileProgress, silence: Duration, start: Duration) -> Self {
        let seen = (Sent::default(), 0);
        Self { counts, silence, start, ticks: interval(TICK), seen, moved: Instant::now() }
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
        let working = self.silence.saturating_mul(factor);
        let limit = if self.has_accepted() { working } else { working.min(self.start) };
        if self.moved.elapsed() < limit {
            return Ok(());
        }
        let message = format!("the storage has accepted nothing for {} s", limit.as_secs());
        Err(Error::new(ErrorKind::Timeout, message).from_a_store())
    }

    /// Whether the storage has taken, or said, anything.
    fn has_accepted(&self) -> bool {
        self.seen.0.transferred > 0 || self.seen.0.registered > 0
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::progress::Progress,
        xet::{Running, Writing},
    };

    /// An upload without any response of the storage, which may have accepted something before.
    struct Silent(Sent);

    impl Upload for Silent {
        fn file<'a>(&'a self, _: &'a str) -> Running<'a, Box<dyn Writing>> {
            Box::pin(std::future::pending())
        }

        fn finish(&self) -> Running<'_, ()> {
            Box::pin(std::future::pending())
        }

        fn sent(&self) -> Sent {
            self.0
        }
    }

    #[test]
    fn tokens_are_renewed_a_limited_number_of_times() {
        let mut tokens = Tokens { renewals: 0, is_accepted: true };
        for _ in 0..RENEWALS {
            assert!(tokens.may_renew());
            tokens.is_accepted = true;
        }
        assert!(!tokens.may_renew());
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_that_accepts_nothing_is_given_up_before_15_seconds() {
        let accepted = Sent { transferred: 1, ..Sent::default() };
        for (sent, start, limits) in [
            (Sent::default(), START, 9..15),
            (Sent::default(), Duration::MAX, 599..602),
            (accepted, START, 599..602),
        ] {
            let silence = Duration::from_mins(1);
            let counts = Progress::default().start_file("f", Some(0));
            let mut watch = Watch::over(counts, silence, start);
            let began = Instant::now();
            let error = watch.finish(&Silent(sent)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(limits.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        }
    }
}
