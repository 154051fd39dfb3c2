//! A job: one operation on the runtime, its owner, and the messages between them.
//!
//! The contract: any number of `{:hf_hub, tag, {:progress, map}}`, `{:waiting, map}` and
//! `{:chunk, piece}`, then exactly one `{:ok, value}` or `{:error, map}`, panic or not. A job dies with
//! its owner. At most one progress message waits for the owner, so one that does not
//! read its mail costs no memory.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use hf_hub_engine::base::{
    blocking,
    error::{Error, ErrorKind, Result},
    progress::{Activity, Progress, Snapshot},
    scrub::Scrub,
};
use once_cell::sync::OnceCell;
use rustler::{
    Encoder, Env, LocalPid, Monitor, NifResult, OwnedEnv, Reference, Resource, ResourceArc, Term,
    env::SavedTerm,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    atoms, encode,
    encode::{Piece, Reply},
};

/// Interval between two progress messages.
const TICK: Duration = Duration::from_millis(100);

/// Interval between two messages that another process holds a lock; the first one comes after the
/// same time.
const WAITING: Duration = Duration::from_secs(10);

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// Elixir's handle of a job. Dropping it does not stop the job; the exit of its owner does.
pub(crate) struct Job {
    cancel: CancellationToken,
    demand: Semaphore,
    acknowledged: AtomicBool,
    /// Hides the secrets of the call in everything that is shown.
    scrub: Mutex<Scrub>,
}

#[rustler::resource_impl]
impl Resource for Job {
    const IMPLEMENTS_DOWN: bool = true;

    // Runs on a scheduler thread, where sending a message is forbidden: the task does that.
    fn down<'a>(&'a self, _env: Env<'a>, _owner: LocalPid, _monitor: Monitor) {
        self.cancel();
    }
}

impl Job {
    pub(crate) fn new() -> Self {
        Self {
            cancel: CancellationToken::new(),
            demand: Semaphore::new(0),
            acknowledged: AtomicBool::new(true),
            scrub: Mutex::default(),
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn acknowledge(&self) {
        self.acknowledged.store(true, Relaxed);
    }

    /// Returns what hides the secrets of the call: by their shape only, until they are known.
    fn scrub(&self) -> Scrub {
        self.scrub.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_demand(&self, chunks: u32) {
        let room = Semaphore::MAX_PERMITS - self.demand.available_permits();
        self.demand.add_permits((chunks as usize).min(room));
    }
}

/// Starts `work`, owned by the calling process.
pub(crate) fn spawn<'a, F>(
    env: Env<'a>,
    tag: Reference<'a>,
    watch: Watch,
    work: impl FnOnce(Consumer) -> F,
) -> NifResult<ResourceArc<Job>>
where
    F: Future<Output = Result<Reply>> + Send + 'static,
{
    let runtime = RUNTIME.get_or_try_init(start).map_err(|error| {
        rustler::Error::Term(Box::new(format!(
            "the native threads of hf_hub cannot be started: {error}"
        )))
    })?;
    let (job, owner) = (ResourceArc::new(Job::new()), env.pid());
    if env.monitor(&job, &owner).is_none() {
        job.cancel();
    }
    let tags = OwnedEnv::new();
    let tag = tags.save(tag);
    let chunks = tokio::sync::mpsc::channel(1);
    let consumer = Consumer { job: job.clone(), chunks: chunks.0 };
    let mailbox = Mailbox { job: job.clone(), owner, tags, tag, answered: false };
    runtime.spawn(run(mailbox, watch, chunks.1, AssertUnwindSafe(work(consumer)).catch_unwind()));
    Ok(job)
}

/// The progress of a job, and how closely it is watched.
#[derive(Default)]
pub(crate) struct Watch {
    /// The progress of the work.
    pub(crate) progress: Option<Progress>,
    /// Whether the owner receives every change.
    pub(crate) closely: bool,
    shown: Option<Snapshot>,
    waiting: Option<Instant>,
}

impl Watch {
    /// Creates a watch, close or not.
    pub(crate) fn new(progress: &Progress, closely: bool) -> Self {
        Self { progress: Some(progress.clone()), closely, ..Self::default() }
    }
}

/// The sending side of a job that reads a stream: it sends pieces on demand, and notices when the
/// owner is gone.
pub(crate) struct Consumer {
    job: ResourceArc<Job>,
    chunks: tokio::sync::mpsc::Sender<Piece>,
}

impl Consumer {
    /// Waits until the owner has asked for the first piece.
    pub(crate) async fn wait_for_demand(&mut self) {
        // The semaphore is never closed.
        let _ = self.job.demand.acquire().await;
    }

    /// Sends a piece as soon as the owner has asked for one.
    pub(crate) async fn send(&mut self, chunk: Piece) {
        if let Ok(permit) = self.job.demand.acquire().await {
            permit.forget();
            // The receiver lives as long as this future.
            let _ = self.chunks.send(chunk).await;
        }
    }

    /// Hides the secrets that `add` names in the errors and warnings of this job.
    pub(crate) fn hide(&self, add: impl FnOnce(&mut Scrub)) {
        add(&mut self.job.scrub.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns a text from the network in a form that is safe to show.
    pub(crate) fn shown(&self, text: &str) -> String {
        self.job.scrub().text(text).into_owned()
    }

    /// Returns a token that stops blocking work.
    pub(crate) fn cancelled(&self) -> CancellationToken {
        self.job.cancel.clone()
    }
}

async fn run(
    mut mailbox: Mailbox,
    mut watch: Watch,
    mut chunks: tokio::sync::mpsc::Receiver<Piece>,
    work: impl Future<Output = std::thread::Result<Result<Reply>>>,
) {
    // Not `interval`, whose first tick comes at once.
    let mut ticks = interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let cancel = mailbox.job.cancel.clone();
    let result = {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Err(Error::new(ErrorKind::Cancelled, "cancelled")),
                Some(chunk) = chunks.recv() => mailbox.chunk(&chunk),
                result = &mut work => break result.unwrap_or_else(|panic| Err(blocking::panicked(&*panic))),
                _ = ticks.tick(), if watch.progress.is_some() => mailbox.progress(&mut watch, false),
            }
        }
        // `work` is dropped here: nothing more starts before the owner receives the result.
    };
    while let Ok(chunk) = chunks.try_recv() {
        mailbox.chunk(&chunk);
    }
    mailbox.progress(&mut watch, true);
    mailbox.finish(result);
}

/// Sends a job's messages. If it is dropped without a result, it sends an error.
struct Mailbox {
    job: ResourceArc<Job>,
    owner: LocalPid,
    tags: OwnedEnv,
    tag: SavedTerm,
    answered: bool,
}

impl Mailbox {
    fn send(&self, event: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) {
        self.tags.run(|tags| {
            let tag = self.tag.load(tags);
            // An owner that has exited needs no message.
            let _ = OwnedEnv::new().send_and_clear(&self.owner, |env| {
                (atoms::hf_hub(), tag.in_env(env), event(env)).encode(env)
            });
        });
    }

    fn chunk(&self, chunk: &Piece) {
        self.send(|env| (atoms::chunk(), chunk).encode(env));
    }

    fn progress(&self, watch: &mut Watch, last: bool) {
        let Some(now) = watch.progress.as_ref().map(Progress::snapshot) else { return };
        self.waiting(watch, &now);
        let unread = !self.job.acknowledged.load(Relaxed);
        if !watch.closely || watch.shown.as_ref() == Some(&now) || (unread && !last) {
            return;
        }
        self.job.acknowledged.store(false, Relaxed);
        self.send(|env| {
            (atoms::progress(), encode::progress(env, &now, &self.job.scrub())).encode(env)
        });
        watch.shown = Some(now);
    }

    /// Reports at intervals that another process holds the lock, and at once that the call waits
    /// for a rate limit, even if progress is not watched.
    fn waiting(&self, watch: &mut Watch, now: &Snapshot) {
        let patience = match now.activity {
            Activity::WaitingForLock => WAITING,
            Activity::RateLimited => TICK,
            _ => {
                watch.waiting = None;
                return;
            }
        };
        if *watch.waiting.get_or_insert_with(|| Instant::now() + patience) <= Instant::now() {
            watch.waiting = Some(Instant::now() + WAITING);
            self.send(|env| {
                (atoms::waiting(), encode::progress(env, now, &self.job.scrub())).encode(env)
            });
        }
    }

    fn finish(&mut self, result: Result<Reply>) {
        self.answered = true;
        let scrub = self.job.scrub();
        self.send(|env| match result {
            Ok(reply) => (atoms::ok(), reply.scrubbed(&scrub)).encode(env),
            Err(error) => (atoms::error(), encode::error(env, &error, &scrub)).encode(env),
        });
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if !self.answered {
            self.finish(Err(Error::new(
                ErrorKind::Internal,
                "the native job ended without a result",
            )));
        }
    }
}

fn start() -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    Builder::new_multi_thread()
        .worker_threads(threads)
        // Each file being written occupies one of these.
        .max_blocking_threads(2048)
        // Deeply nested JSON and YAML must fit in a build without optimizations, too.
        .thread_stack_size(4 << 20)
        .thread_name("hf_hub")
        .enable_all()
        .build()
}
