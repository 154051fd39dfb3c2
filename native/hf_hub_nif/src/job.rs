//! A job: one operation on the runtime, its owner, and the messages between them.
//!
//! The contract: any number of `{:hf_hub, tag, {:progress, map}}`, `{:waiting, map}` and
//! `{:chunk, piece}`, then exactly one `{:ok, value}`, `{:error, map}` or
//! `{:refused, why}` (the spec cannot be read), panic or not. A job dies with
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
use hf_hub_engine::{
    base::{
        blocking::{self, Watch},
        error::{Error, ErrorKind, Result},
        progress::{Observer, Snapshot},
        scrub::Scrub,
    },
    hub::{client::Hub, settings::Settings},
};
use once_cell::sync::OnceCell;
use rustler::{
    Atom, Decoder, Encoder, Env, LocalPid, Monitor, NifResult, OwnedEnv, Reference, Resource,
    ResourceArc, Term, env::SavedTerm,
};
use serde::de::DeserializeOwned;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Limit, Secret, atoms,
    decode::{self, Wrong},
    encode::{Piece, Reply},
    pool, serial,
};

/// Interval between two progress messages.
const TICK: Duration = Duration::from_millis(100);

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// Elixir's handle of a job. Dropping it does not stop the job; the exit of its owner does.
pub(crate) struct Job {
    cancel: CancellationToken,
    demand: Semaphore,
    acknowledged: AtomicBool,
    /// Hides the secrets of the call in everything that is shown.
    scrub: Mutex<Scrub>,
    /// Why the spec could not be read.
    rejection: OnceCell<String>,
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
            rejection: OnceCell::new(),
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn acknowledge(&self) {
        self.acknowledged.store(true, Relaxed);
    }

    /// Returns what hides the secrets of the call: by their shape only, until they are known.
    pub(crate) fn scrub(&self) -> Scrub {
        self.scrub.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_demand(&self, chunks: u32) {
        let room = Semaphore::MAX_PERMITS - self.demand.available_permits();
        self.demand.add_permits((chunks as usize).min(room));
    }
}

/// Starts `work` with a spec, owned by the calling process.
pub(crate) fn spawn<'a, F>(
    env: Env<'a>,
    tag: Reference<'a>,
    spec: Term<'a>,
    work: impl FnOnce(Task) -> F,
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
    let closely = spec.map_get(atoms::progress()).and_then(Term::decode).ok();
    let watch = Watch { stop: job.cancel.clone(), ..Watch::default() };
    let observed = Observed { watch: watch.clone(), closely, observer: Observer::default() };
    let (tags, specs, chunks) = (OwnedEnv::new(), OwnedEnv::new(), tokio::sync::mpsc::channel(1));
    let (tag, spec) = (tags.save(tag), specs.save(spec));
    let task = Task { job: job.clone(), chunks: chunks.0, watch, specs, spec };
    let mailbox = Mailbox { job: job.clone(), owner, tags, tag, answered: false };
    runtime.spawn(run(mailbox, observed, chunks.1, AssertUnwindSafe(work(task)).catch_unwind()));
    Ok(job)
}

/// The progress of a job. `closely`: whether the owner receives every change, or only why the job waits.
struct Observed {
    watch: Watch,
    closely: Option<bool>,
    observer: Observer,
}

/// The working side of a job: it reads the spec, and sends pieces on demand.
///
/// The spec is read on the runtime, so that a large one does not keep a scheduler busy.
pub(crate) struct Task {
    pub(crate) job: ResourceArc<Job>,
    pub(crate) watch: Watch,
    chunks: tokio::sync::mpsc::Sender<Piece>,
    specs: OwnedEnv,
    spec: SavedTerm,
}

impl Task {
    /// Reads the spec.
    pub(crate) fn spec<T: DeserializeOwned>(&self) -> Result<T> {
        self.read(decode::read)
    }

    /// Reads a spec that may hold large contents.
    pub(crate) fn large_spec<T: DeserializeOwned>(&self) -> Result<T> {
        tokio::task::block_in_place(|| self.spec())
    }

    /// Reads resources in the spec.
    pub(crate) fn entry<T>(&self, key: Atom) -> Result<Option<T>>
    where
        Option<T>: for<'a> Decoder<'a>,
    {
        self.read(|spec| decode::entry(spec, key))
    }

    /// Opens the Hub of the spec, and hides its secrets in the errors and warnings of this job.
    pub(crate) fn hub(&self) -> Result<Hub> {
        let (settings, token, limit) = self.read(|spec| {
            let hub = spec.map_get(atoms::hub()).unwrap_or(spec);
            let token = decode::entry::<ResourceArc<Secret>>(hub, atoms::token())?;
            let limit = decode::entry::<ResourceArc<Limit>>(hub, atoms::max_bandwidth())?;
            Ok((decode::read::<Settings>(hub)?, token, limit))
        })?;
        self.hide(|scrub| settings.hide(scrub));
        self.hide(|scrub| token.iter().for_each(|token| scrub.add(&token.0)));
        let (token, limit) = (token.as_ref().map(|it| &*it.0), limit.map(|it| it.0.clone()));
        settings.open(&pool::PROCESS, token, limit, &self.watch.progress)
    }

    fn read<T>(
        &self,
        read: impl for<'a> FnOnce(Term<'a>) -> std::result::Result<T, Wrong>,
    ) -> Result<T> {
        self.specs.run(|env| read(self.spec.load(env))).map_err(|wrong| match wrong {
            Wrong::Name(why) => Error::new(ErrorKind::InvalidName, why),
            Wrong::Shape(why) => {
                let _ = self.job.rejection.set(why);
                Error::new(ErrorKind::Internal, "the spec of a native job cannot be read")
            }
        })
    }

    /// Hides the secrets that `add` names in the errors and warnings of this job.
    pub(crate) fn hide(&self, add: impl FnOnce(&mut Scrub)) {
        add(&mut self.job.scrub.lock().unwrap_or_else(PoisonError::into_inner));
    }

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
}

async fn run(
    mut mailbox: Mailbox,
    mut observed: Observed,
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
                _ = ticks.tick(), if observed.closely.is_some() => mailbox.progress(&mut observed, false),
            }
        }
        // `work` is dropped here: nothing more starts before the owner receives the result.
    };
    while let Ok(chunk) = chunks.try_recv() {
        mailbox.chunk(&chunk);
    }
    mailbox.progress(&mut observed, true);
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

    fn progress(&self, observed: &mut Observed, last: bool) {
        let Some(closely) = observed.closely else { return };
        let now = observed.watch.progress.snapshot();
        if observed.observer.is_waiting(&now) {
            self.tell(atoms::waiting(), &now);
        }
        let read = self.job.acknowledged.load(Relaxed);
        if closely && (read || last) && observed.observer.has_news(&now) {
            self.job.acknowledged.store(false, Relaxed);
            self.tell(atoms::progress(), &now);
        }
    }

    fn tell(&self, event: Atom, now: &Snapshot) {
        let now = now.clone().shown(&self.job.scrub());
        self.send(|env| (event, serial::term(env, &now)).encode(env));
    }

    fn finish(&mut self, result: Result<Reply>) {
        self.answered = true;
        let scrub = self.job.scrub();
        self.send(|env| match (self.job.rejection.get(), result) {
            (Some(why), _) => (atoms::refused(), why).encode(env),
            (None, Ok(reply)) => (atoms::ok(), reply).encode(env),
            (None, Err(error)) => {
                (atoms::error(), serial::term(env, &error.shown(&scrub))).encode(env)
            }
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
