//! Runs jobs as processes of this machine, where its administrator has allowed that.

mod attempt;
mod cron;
mod scheduler;
mod usage;

pub(super) use cron::Cron;
pub(super) use scheduler::run as schedule;
pub(super) use usage::Usage;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use crate::console::complain;
use crate::store::{Job, JobStage, Lock, Store};
use attempt::{Attempt, Outcome};

/// The message of jobs that a stopped server has left.
const ABANDONED: &str = "The Local Hub was stopped while the job ran";

/// How often the limits of a running job are checked.
const CHECK: Duration = Duration::from_millis(250);
/// Where commands are looked for, if the environment of the server does not say it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Place {
    /// Nowhere: requests for jobs get an error
    Off,
    /// As processes of the server's user. Users with a write token can then run any command on this
    /// machine, and read and change what the server can, the root included
    Local,
}

/// The options about jobs.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct JobArgs {
    /// Where jobs run
    #[arg(long = "jobs", value_enum, default_value = "off")]
    place: Place,
    /// Maximum number of jobs that run at a time; others wait
    #[arg(
        id = "job-slots", long, value_name = "JOBS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..)
    )]
    slots: u16,
    /// Seconds after which a job is stopped, unless it was created with another limit
    #[arg(
        id = "job-timeout", long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u64).range(1..)
    )]
    timeout: u64,
    /// Maximum memory of a job, in MiB
    #[arg(
        id = "job-memory", long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(64..=1 << 30)
    )]
    memory: u64,
    /// Maximum size of the files that a job writes to its folder, in MiB
    #[arg(
        id = "job-disk", long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..=1 << 30)
    )]
    disk: u64,
    /// Maximum number of processes of a job
    #[arg(
        id = "job-processes", long, value_name = "PROCESSES", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..)
    )]
    processes: u16,
    /// Maximum size of a job's log, in KiB; the rest is dropped
    #[arg(
        id = "job-log", long, value_name = "KIB", default_value_t = 8192, value_parser = clap::value_parser!(u64).range(1..=1 << 20)
    )]
    log: u64,
}

/// The limits of each job, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    memory: u64,
    disk: u64,
    processes: usize,
    log: u64,
}

/// The jobs that wait or run.
#[derive(Debug)]
pub(super) struct Jobs {
    store: Store,
    clock: Arc<Clock>,
    /// The address of the Hub, for jobs that use it.
    endpoint: String,
    limits: Limits,
    /// Seconds after which a job without a limit of its own is stopped.
    pub(super) timeout: u64,
    slots: Semaphore,
    current: Mutex<HashMap<String, Current>>,
    _lock: Lock,
}

/// A job that waits or runs.
#[derive(Clone, Debug)]
struct Current {
    stop: CancellationToken,
    usage: watch::Receiver<Option<Usage>>,
}

impl Jobs {
    /// Prepares to run jobs; `None` if the administrator has not allowed it.
    pub(super) fn new(
        args: &JobArgs,
        store: &Store,
        endpoint: String,
        clock: &Arc<Clock>,
    ) -> Result<Option<Arc<Self>>> {
        if args.place == Place::Off {
            return Ok(None);
        }
        if !cfg!(unix) {
            bail!("jobs run on Unix systems only");
        }
        let Some(lock) = store.jobs().lock()? else {
            bail!("another process runs the jobs of this root");
        };
        store.jobs().abandon(ABANDONED)?;
        // Each job has a folder of its own, so that new ones can run nevertheless.
        let _ = store.jobs().clear().inspect_err(complain);
        let limits = Limits {
            memory: args.memory << 20,
            disk: args.disk << 20,
            processes: args.processes.into(),
            log: args.log << 10,
        };
        Ok(Some(Arc::new(Self {
            store: store.clone(),
            clock: clock.clone(),
            endpoint,
            limits,
            timeout: args.timeout,
            slots: Semaphore::new(args.slots.into()),
            current: Mutex::default(),
            _lock: lock,
        })))
    }

    /// Starts a job that was created.
    pub(super) fn start(self: &Arc<Self>, job: Job) {
        let stop = CancellationToken::new();
        let (sender, usage) = watch::channel(None);
        self.current().insert(job.id.clone(), Current { stop: stop.clone(), usage });
        let jobs = self.clone();
        let (running, started) = (self.clone(), job.clone());
        // A task of its own: after a panic the job has ended, too.
        let running = tokio::spawn(async move { running.run(&started, &stop, &sender).await });
        tokio::spawn(async move {
            if let Err(err) = running.await.unwrap_or_else(|err| Err(err.into())) {
                complain(&err.context(format!("cannot run the job {}", job.id)));
                let message = "The Local Hub could not run the job; see its log";
                let ended = jobs.end(&job, JobStage::Error, Some(message.into())).await;
                let _ = ended.inspect_err(complain);
            }
            jobs.current().remove(&job.id);
        });
    }

    /// Stops a job that waits or runs; others are left alone.
    pub(super) fn cancel(&self, job: &Job) -> Result<()> {
        // First, so that the end of the process is not taken for that of the job.
        if self.store.jobs().ended(&job.id, JobStage::Canceled, None)?
            && let Some(current) = self.current().get(&job.id)
        {
            current.stop.cancel();
        }
        Ok(())
    }

    /// Returns what a job uses; `None` if it neither waits nor runs.
    pub(super) fn usage(&self, id: &str) -> Option<watch::Receiver<Option<Usage>>> {
        self.current().get(id).map(|current| current.usage.clone())
    }

    /// Returns the maximum memory of a job, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.limits.memory
    }

    fn current(&self) -> MutexGuard<'_, HashMap<String, Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(
        &self,
        job: &Job,
        stop: &CancellationToken,
        usage: &watch::Sender<Option<Usage>>,
    ) -> Result<()> {
        let _slot = tokio::select! {
            slot = self.slots.acquire() => slot?,
            () = stop.cancelled() => return Ok(()),
        };
        let (store, id) = (self.store.clone(), job.id.clone());
        if !blocking(move || store.jobs().started(&id)).await? {
            return Ok(());
        }
        let mut message = None;
        for _ in 0..=job.spec.retry {
            let attempt = Attempt { jobs: self, job, stop, usage };
            match attempt.run().await? {
                Outcome::Completed => return self.end(job, JobStage::Completed, None).await,
                Outcome::Stopped => return Ok(()),
                Outcome::TimedOut => {
                    message = Some(format!("Job timed out after {} s", job.spec.timeout));
                    break;
                }
                Outcome::Failed(reason) => message = Some(reason),
            }
            let (store, id) = (self.store.clone(), job.id.clone());
            blocking(move || store.jobs().failed(&id)).await?;
        }
        self.end(job, JobStage::Error, message).await
    }

    async fn end(&self, job: &Job, stage: JobStage, message: Option<String>) -> Result<()> {
        let (store, id) = (self.store.clone(), job.id.clone());
        blocking(move || store.jobs().ended(&id, stage, message.as_deref())).await?;
        Ok(())
    }
}

/// Whether a program is found where jobs look for it.
pub(super) fn is_installed(program: &str) -> bool {
    let path = search_path();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await?
}
