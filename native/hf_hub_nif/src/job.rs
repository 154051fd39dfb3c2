//! A job: one operation on the runtime, its owner, and the messages between them.
//!
//! The contract: any number of `{:hf_hub, tag, {:progress, map}}`, `{:waiting, map}` and `{:chunk, piece}`, then
//! exactly one `{:ok, value}`, `{:error, map}` or `{:refused, why}` (the spec cannot be read), panic or not. A job
//! dies with its owner. At most one progress message waits for it, so a slow owner costs no memory.

use std::{
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use hf_hub_engine::{
    base::{
        blocking::{self, Watch},
        error::{Error, ErrorKind, Result},
        input::Wrong,
        progress::{News, Observer, Progress, Receipt},
        runtime,
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
use tokio::{runtime::Runtime, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{Limit, PROCESS, Secret, atoms, decode, encode::Reply, serial};

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// Elixir's handle of a job, and of what the job holds after its end. Dropping it stops and releases
/// nothing; the exit of its owner does.
pub(crate) struct Job {
    owner: LocalPid,
    /// The tag of its messages, and the environment that this is in.
    tag: Mutex<(OwnedEnv, SavedTerm)>,
    cancel: CancellationToken,
    demand: Semaphore,
    receipt: Receipt,
    /// Hides the secrets of the call in everything that is shown.
    scrub: Mutex<Scrub>,
    /// Why the spec could not be read.
    rejection: OnceCell<String>,
    held: Mutex<Option<Box<dyn Send>>>,
}

#[rustler::resource_impl]
impl Resource for Job {
    const IMPLEMENTS_DOWN: bool = true;

    // Runs on a scheduler thread, where sending a message is forbidden: the task does that.
    fn down<'a>(&'a self, _env: Env<'a>, _owner: LocalPid, _monitor: Monitor) {
        self.cancel();
    }
}

pub(crate) fn lock<T: ?Sized>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Job {
    /// Cancels the job, and releases what it holds; returns whether it held anything.
    pub(crate) fn cancel(&self) -> bool {
        self.cancel.cancel();
        lock(&self.held).take().is_some()
    }

    pub(crate) fn acknowledge(&self) {
        self.receipt.confirm();
    }

    /// Returns what hides the secrets of the call: by their shape only, until they are known.
    pub(crate) fn scrub(&self) -> Scrub {
        lock(&self.scrub).clone()
    }

    pub(crate) fn add_demand(&self, chunks: u32) {
        let room = Semaphore::MAX_PERMITS - self.demand.available_permits();
        self.demand.add_permits((chunks as usize).min(room));
    }

    fn send(&self, event: impl for<'a> FnOnce(Env<'a>) -> Term<'a>) {
        let (tags, tag) = &*lock(&self.tag);
        tags.run(|tags| {
            // An owner that has exited needs no message.
            let _ = OwnedEnv::new().send_and_clear(&self.owner, |env| {
                (atoms::hf_hub(), tag.load(tags).in_env(env), event(env)).encode(env)
            });
        });
    }

    fn report(&self, news: &News) {
        let events = [(news.waits, atoms::waiting()), (news.changed, atoms::progress())];
        for (_, event) in events.into_iter().filter(|(is_due, _)| *is_due) {
            let now = news.now.clone().shown(&self.scrub());
            self.send(|env| (event, serial::term(env, &now)).encode(env));
        }
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
    let runtime = RUNTIME.get_or_try_init(runtime::start).map_err(|error| {
        rustler::Error::Term(Box::new(format!(
            "the native threads of hf_hub cannot be started: {error}"
        )))
    })?;
    // Whether the owner receives every change, or only why the job waits.
    let closely: Option<bool> = spec.map_get(atoms::progress()).and_then(Term::decode).ok();
    let (tags, specs) = (OwnedEnv::new(), OwnedEnv::new());
    let (tag, spec) = (tags.save(tag), specs.save(spec));
    let job = ResourceArc::new(Job {
        owner: env.pid(),
        tag: Mutex::new((tags, tag)),
        cancel: CancellationToken::new(),
        demand: Semaphore::new(0),
        receipt: Receipt::default(),
        scrub: Mutex::default(),
        rejection: OnceCell::new(),
        held: Mutex::default(),
    });
    if env.monitor(&job, &job.owner).is_none() {
        job.cancel();
    }
    let watch = Watch { stop: job.cancel.clone(), ..Watch::default() };
    let observed = (watch.progress.clone(), closely);
    let task = Task { job: job.clone(), watch, specs, spec };
    let mailbox = Mailbox { job: job.clone(), answered: false };
    runtime.spawn(run(mailbox, observed, AssertUnwindSafe(work(task)).catch_unwind()));
    Ok(job)
}

/// The working side of a job: it reads the spec, and sends pieces on demand.
///
/// The spec is read on the runtime, so that a large one does not keep a scheduler busy.
pub(crate) struct Task {
    pub(crate) job: ResourceArc<Job>,
    pub(crate) watch: Watch,
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

    /// Reads a resource that the spec must hold.
    pub(crate) fn required<T: for<'a> Decoder<'a>>(&self, key: Atom) -> Result<T> {
        let missing = |_| Wrong::Shape("a resource is missing".to_owned());
        self.read(|spec| spec.map_get(key).and_then(Term::decode).map_err(missing))
    }

    /// Opens the Hub of the spec, and hides the secrets of the spec in the errors and warnings of this job.
    pub(crate) fn hub(&self) -> Result<Hub> {
        let (settings, token, hidden, limit) = self.read(|spec| {
            let hub = spec.map_get(atoms::hub()).unwrap_or(spec);
            let token = decode::entry::<ResourceArc<Secret>>(hub, atoms::token())?;
            let hidden = decode::entry::<Vec<ResourceArc<Secret>>>(spec, atoms::hidden())?;
            let limit = decode::entry::<ResourceArc<Limit>>(hub, atoms::max_bandwidth())?;
            Ok((decode::read::<Settings>(hub)?, token, hidden.unwrap_or_default(), limit))
        })?;
        let mut scrub = lock(&self.job.scrub);
        settings.hide(&mut scrub);
        token.iter().chain(&hidden).for_each(|secret| scrub.add(&secret.0));
        drop(scrub);
        let (token, limit) = (token.as_ref().map(|it| &*it.0), limit.map(|it| it.0.clone()));
        settings.open(&PROCESS, token, limit, &self.watch.progress)
    }

    /// Returns an entry of the spec in an environment of its own.
    pub(crate) fn part(&self, key: Atom) -> Option<(OwnedEnv, SavedTerm)> {
        let part = OwnedEnv::new();
        let save = |entry: Term| if entry.is_atom() { None } else { Some(part.save(entry)) };
        let saved = self.specs.run(|specs| save(self.spec.load(specs).map_get(key).ok()?))?;
        Some((part, saved))
    }

    fn read<T>(
        &self,
        read: impl for<'a> FnOnce(Term<'a>) -> std::result::Result<T, Wrong>,
    ) -> Result<T> {
        let reject = |why| {
            let _ = self.job.rejection.set(why);
            Error::new(ErrorKind::Internal, "the spec of a native job cannot be read")
        };
        let spec = self.specs.run(|env| read(self.spec.load(env)));
        spec.map_err(|wrong| wrong.into_error().unwrap_or_else(reject))
    }

    /// Waits until the owner has asked for the first piece.
    pub(crate) async fn wait_for_demand(&mut self) {
        // The semaphore is never closed.
        let _ = self.job.demand.acquire().await;
    }

    /// Sends a piece as soon as the owner has asked for one.
    pub(crate) async fn send(&mut self, chunk: Reply) {
        if let Ok(permit) = self.job.demand.acquire().await {
            permit.forget();
            self.job.send(|env| (atoms::chunk(), chunk).encode(env));
        }
    }

    /// Keeps a lock, also after the end of the job, until it is cancelled or its owner exits.
    pub(crate) fn keep(&self, held: impl Send + 'static) {
        let (job, mut kept) = (self.job.clone(), lock(&self.job.held));
        // The lock is dropped if it was released meanwhile or its owner exited.
        if !job.cancel.is_cancelled() {
            *kept = Some(Box::new(held));
            // It must outlive the owner's last reference: a script may take a lease and drop the handle.
            tokio::spawn(async move { job.cancel.cancelled().await });
        }
    }
}

/// Drops a value on a thread that may block.
pub(crate) fn drop_later(value: Option<impl Send + 'static>) {
    // The runtime is there: a job has made the value.
    if let (Some(value), Some(runtime)) = (value, RUNTIME.get()) {
        runtime.spawn_blocking(|| drop(value));
    }
}

async fn run(
    mut mailbox: Mailbox,
    (progress, closely): (Progress, Option<bool>),
    work: impl Future<Output = std::thread::Result<Result<Reply>>>,
) {
    let mut observer = Observer::new(progress, closely, mailbox.job.receipt.clone());
    let cancel = mailbox.job.cancel.clone();
    let result = {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break Err(Error::new(ErrorKind::Cancelled, "cancelled")),
                result = &mut work => break result.unwrap_or_else(|panic| Err(blocking::panicked(&*panic))),
                news = observer.next() => mailbox.job.report(&news),
            }
        }
        // `work` is dropped here: nothing more starts before the owner receives the result.
    };
    mailbox.job.report(&observer.last());
    mailbox.finish(result);
}

/// Sends the last messages of a job. If it is dropped without a result, it sends an error.
struct Mailbox {
    job: ResourceArc<Job>,
    answered: bool,
}

impl Mailbox {
    fn finish(&mut self, result: Result<Reply>) {
        self.answered = true;
        let scrub = self.job.scrub();
        self.job.send(|env| match (self.job.rejection.get(), result) {
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
