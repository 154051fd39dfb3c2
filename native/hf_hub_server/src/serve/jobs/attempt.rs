//! One attempt of a job: a supervised process in an empty folder.

use std::collections::BTreeMap;
use std::io::{PipeReader, pipe};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::usage::{Meter, Usage};
use super::{CHECK, Jobs, blocking, search_path};
use crate::console::complain;
use crate::job::{self, KILL, Order, STOP};
use crate::store::{Job, LogWriter, remove_foreign_folder};

/// Maximum time that a job runs: later points in time may not exist.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);
/// How long the rest of the output is read after the end of a job.
const REST: Duration = Duration::from_secs(5);

/// How long a supervisor has to end its job and itself: longer than it takes, unless the job has
/// stopped it.
const SUPERVISOR_END: Duration = Duration::from_secs(15);

/// What is needed for an attempt.
pub(super) struct Attempt<'a> {
    pub(super) jobs: &'a Jobs,
    pub(super) job: &'a Job,
    pub(super) stop: &'a CancellationToken,
    pub(super) usage: &'a watch::Sender<Option<Usage>>,
}

/// How an attempt has ended.
pub(super) enum Outcome {
    Completed,
    /// A user has canceled the job.
    Stopped,
    TimedOut,
    Failed(String),
}

/// Why a running job is ended.
enum Interruption {
    Stopped,
    TimedOut,
    Exceeded(String),
}

impl Attempt<'_> {
    /// Runs the command to its end, however that comes.
    pub(super) async fn run(&self) -> Result<Outcome> {
        let folder = self.jobs.store.jobs().work_folder(&self.job.id);
        let order = self.order(folder.clone()).await?;
        let (output, input) = pipe()?;
        let mut process = supervisor(input)?;
        let mut stdin = process.stdin.take().context("a supervisor has no standard input")?;
        let reading = self.read(output).await?;
        // A supervisor that has ended already is noticed below.
        let _ = stdin.write_all(format!("{}\n", serde_json::to_string(&order)?).as_bytes()).await;
        let outcome = self.watch(&mut process, stdin, &folder).await;
        // All processes of the job have ended, and with them the output.
        let _ = timeout(REST, reading).await;
        self.usage.send_replace(None);
        let _ = blocking(move || remove_foreign_folder(&folder)).await.inspect_err(complain);
        outcome
    }

    async fn order(&self, folder: PathBuf) -> Result<Order> {
        let (store, id, made) = (self.jobs.store.clone(), self.job.id.clone(), folder.clone());
        let secrets = blocking(move || {
            remove_foreign_folder(&made)?;
            std::fs::create_dir_all(&made).context("cannot create the folder of a job")?;
            store.jobs().secrets(&id)
        });
        let spec = &self.job.spec;
        let mut environment = self.environment(&folder);
        environment.extend(spec.environment.clone());
        environment.extend(secrets.await?);
        Ok(Order {
            command: spec.command.iter().chain(&spec.arguments).cloned().collect(),
            environment,
            folder,
            memory: self.jobs.limits.memory,
            file_size: self.jobs.limits.disk,
        })
    }

    /// Returns the variables that each job has, those of the Hub among them. It has none of the
    /// server's own, which may be secret.
    fn environment(&self, folder: &Path) -> BTreeMap<String, String> {
        let folder = folder.display().to_string();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let variables = [
            ("PATH", search_path()),
            ("HOME", folder.clone()),
            ("TMPDIR", folder),
            ("LANG", "C.UTF-8".to_owned()),
            ("HF_ENDPOINT", self.jobs.endpoint.clone()),
            ("JOB_ID", self.job.id.clone()),
            ("CPU_CORES", cores.to_string()),
            ("MEMORY", format!("{}Mi", self.jobs.limits.memory >> 20)),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Copies the output to the log, on a thread that ends with the output.
    async fn read(&self, output: PipeReader) -> Result<JoinHandle<()>> {
        let log = self.jobs.store.jobs().log(&self.job.id);
        let most = self.jobs.limits.log;
        let mut writer: LogWriter = blocking(move || {
            let mut writer = log.writer(most)?;
            writer.append(&format!("===== Job started at {:.0} =====", Timestamp::now()))?;
            Ok(writer)
        })
        .await?;
        Ok(spawn_blocking(move || {
            let _ = writer.copy(output);
        }))
    }

    /// Waits for the end of the process, and ends it when it must not run any longer.
    async fn watch(
        &self,
        process: &mut Child,
        mut stdin: ChildStdin,
        folder: &Path,
    ) -> Result<Outcome> {
        let deadline = Instant::now() + Duration::from_secs(self.job.spec.timeout).min(LONGEST);
        let mut checks = interval(CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut meter = Meter::new(process.id().unwrap_or_default(), folder);
        let interruption = loop {
            tokio::select! {
                status = process.wait() => return Ok(outcome(status?.code())),
                () = self.stop.cancelled() => break Interruption::Stopped,
                () = sleep_until(deadline) => break Interruption::TimedOut,
                _ = checks.tick() => {}
            }
            let usage;
            (meter, usage) = blocking(move || Ok(meter.measure())).await?;
            self.usage.send_replace(Some(usage).filter(|usage| usage.processes > 0));
            if let Some(reason) = usage.excess(&self.jobs.limits) {
                break Interruption::Exceeded(reason);
            }
        };
        let is_urgent = matches!(interruption, Interruption::Exceeded(_));
        let _ = stdin.write_all(if is_urgent { KILL } else { STOP }.as_bytes()).await;
        if timeout(SUPERVISOR_END, process.wait()).await.is_err() {
            let id = process.id();
            spawn_blocking(move || id.into_iter().for_each(job::kill)).await?;
            process.wait().await?;
        }
        Ok(match interruption {
            Interruption::Stopped => Outcome::Stopped,
            Interruption::TimedOut => Outcome::TimedOut,
            Interruption::Exceeded(reason) => Outcome::Failed(reason),
        })
    }
}

fn supervisor(output: std::io::PipeWriter) -> Result<Child> {
    // The file itself may have been replaced by a newer program.
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe()?
    };
    let process = Command::new(program)
        .arg(job::COMMAND)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn();
    process.context("cannot start the supervisor of a job")
}

fn outcome(code: Option<i32>) -> Outcome {
    match code {
        Some(0) => Outcome::Completed,
        Some(code) => {
            let reason = job::reason(code).map(|reason| format!(" ({reason})")).unwrap_or_default();
            Outcome::Failed(format!("Job failed with exit code: {code}{reason}"))
        }
        None => Outcome::Failed("The supervisor of the job was killed".into()),
    }
}
