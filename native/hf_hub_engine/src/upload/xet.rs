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
use tokio::sync::{Mutex, mpsc};

use crate::{
    base::{
        blocking,
        buffers::{Buffer, Buffers},
        error::{Error, ErrorKind, Result},
        progress::Activity,
    },
    hub::{client::Hub, xet_access},
    upload::{
        Addition,
        digest::index,
        oid::Oid,
        session::Session,
        source::Content,
        watch::{WORKING, Watch},
    },
    xet::{Access, Stored, Upload, Wanted},
};

/// Number of bytes that are read and passed on at once.
const BLOCK: u64 = 1 << 20;

/// Maximum number of files that a worker reads at a time, if there is memory for all of them: each
/// waits for the storage most of the time.
const FILES_OF_WORKER: usize = 6;

/// Maximum number of files and bytes of a session: so much is uploaded again, without its chunks,
/// if it fails at its end.
pub(super) const FILES: usize = 500;
pub(super) const BYTES: u64 = 64 << 30;

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
        let mut batch = Batch::of(session, [first], START, Wanted { sha256: true });
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
                    then(arrival.file.clone(), arrival.remote, oid).await?;
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
    // There is no other way, and nothing names a file by its SHA-256.
    let mut batch = Batch::of(session, arrivals, Duration::MAX, Wanted { sha256: false });
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
    wanted: Wanted,
    tokens: Tokens,
    /// Whether the storage did not have what it was known to have.
    has_lost: bool,
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
        wanted: Wanted,
    ) -> Self {
        let files: Vec<_> = files.into_iter().map(Arc::new).collect();
        let bytes = files.iter().map(|arrival| arrival.file.stamp.size).sum();
        let tokens = Tokens { renewals: 0, is_accepted: true };
        Self { session, files, bytes, start, wanted, tokens, has_lost: false }
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
    ) -> Result<Vec<(Arc<Arrival>, Stored, Option<Oid>)>> {
        match choice.access(self.session).await {
            Some(access) => self.upload(&access, arrivals).await,
            None => Err(Error::new(ErrorKind::Transport, "Xet was given up").from_a_store()),
        }
    }

    /// Uploads the files, and those that arrive meanwhile; returns the id of each. Sends all of them
    /// if the storage has lost what is known of it, which is forgotten then.
    async fn upload(
        &mut self,
        access: &Access,
        arrivals: &mut mpsc::Receiver<Arrival>,
    ) -> Result<Vec<(Arc<Arrival>, Stored, Option<Oid>)>> {
        let had_lost = self.has_lost;
        match self.attempt(access, arrivals).await {
            Err(_) if self.has_lost && !had_lost => self.attempt(access, arrivals).await,
            uploaded => uploaded,
        }
    }

    async fn attempt(
        &mut self,
        access: &Access,
        arrivals: &mut mpsc::Receiver<Arrival>,
    ) -> Result<Vec<(Arc<Arrival>, Stored, Option<Oid>)>> {
        let session = self.session;
        // A storage may verify an object, or all files, before it responds; that nothing moves is
        // noticed earlier.
        let timeout = session.tuning.silence.saturating_mul(WORKING);
        let storage = session.hub.xet.storage(Some(timeout))?;
        let upload = storage.upload(access, self.wanted, &session.hub.flow).await?;
        let name = self.files.first().map_or("", |arrival| arrival.file.path.as_str());
        let counts = session.progress.start_file(name, Some(0));
        let mut watch = Watch::new(counts, session.tuning.silence, self.start);
        let read = self.read(&*upload, arrivals, &mut watch).await;
        let stored = match read {
            Ok(stored) => watch.finish(&*upload).await.map(|()| stored),
            Err(error) => Err(error),
        };
        self.tokens.is_accepted |= watch.has_accepted();
        self.has_lost |= upload.sent().has_lost;
        let stored = stored.inspect_err(|_| watch.restart())?;
        watch.end(self.bytes);
        stored.into_iter().map(|(arrival, stored)| settle(session, arrival, stored)).collect()
    }

    /// Reads all files, several at a time: as many as there is memory for.
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
        let held = |arrival: &Arrival| session.hub.xet.reading(arrival.file.stamp.size, BLOCK);
        let buffers = Buffers::new(index(BLOCK));
        let mut taken = 0;
        let mut is_open = true;
        let has_room = |arrival: &Arc<Arrival>, taken: u64| {
            let (room, held) = held(arrival);
            taken == 0 || taken + held <= room
        };
        loop {
            while reading.len() < workers * FILES_OF_WORKER
                && waiting.front().is_some_and(|arrival| has_room(arrival, taken))
                && let Some(arrival) = waiting.pop_front()
            {
                taken += held(&arrival).1;
                reading.push(read(session.clone(), upload, arrival, buffers.clone()));
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
                    taken -= held(&file.0).1;
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
    buffers: Buffers,
) -> Result<(Arc<Arrival>, Stored)> {
    let file = arrival.file.clone();
    let (path, size) = (file.path.clone(), file.stamp.size);
    let content = blocking::run(move || file.open()).await?;
    // Allocated here: each of the many blocking threads would otherwise keep memory of its own.
    let block = |at, length| block(content.clone(), at, buffers.filled(index(length)));
    // The size is among the total already.
    drop(session.progress.start_file(path.as_str(), Some(0)));
    session.progress.set_activity(Activity::Uploading, None);
    let mut writing = upload.file();
    let mut next = block(0, BLOCK.min(size)).await?;
    for at in (0..size).step_by(index(BLOCK)) {
        let length = next.len() as u64;
        let end = at + length;
        // The next block is read meanwhile.
        let (written, read) = tokio::join!(writing.write(next), block(end, BLOCK.min(size - end)));
        written?;
        next = read?;
        session.progress.hashed(length);
    }
    content.check()?;
    Ok((arrival, writing.finish().await?))
}

/// Fills a buffer with the bytes of the file from this position on.
async fn block(content: Content, at: u64, mut buffer: Buffer) -> Result<Bytes> {
    if buffer.is_empty() {
        return Ok(Bytes::new());
    }
    blocking::run(move || {
        content.read(at, &mut buffer)?;
        Ok(buffer.into())
    })
    .await
}

/// Returns the id of a stored file, if it was wanted, which must be the content that was to be
/// uploaded.
fn settle(
    session: &Session,
    arrival: Arc<Arrival>,
    stored: Stored,
) -> Result<(Arc<Arrival>, Stored, Option<Oid>)> {
    let oid = stored.sha256.as_deref().map(Oid::parse).transpose()?;
    let known = arrival.file.known.filter(|known| matches!(known, Oid::Sha256(_)));
    if oid.is_some() && known.is_some_and(|known| Some(known) != oid) {
        return Err(arrival.file.open()?.changed());
    }
    session.progress.deduplicated(stored.deduplicated);
    Ok((arrival, stored, oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_a_limited_number_of_times() {
        let mut tokens = Tokens { renewals: 0, is_accepted: true };
        for _ in 0..RENEWALS {
            assert!(tokens.may_renew());
            tokens.is_accepted = true;
        }
        assert!(!tokens.may_renew());
    }
}
