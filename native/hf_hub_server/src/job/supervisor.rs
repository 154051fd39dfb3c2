//! The process that supervises one job. It ends with the exit status of the job's command.
//!
//! On Linux it adopts the processes whose parent has ended, so that a job cannot leave any behind: not
//! by forking twice, nor in a session of its own. A job can kill its supervisor, which it has the
//! rights to do, and then outlives it.

use std::io::{self, BufRead, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{
    self, Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, getrlimit, kill_process,
    kill_process_group, setrlimit,
};

use super::{KILL, NOT_FOUND, NOT_RUN, Order, SIGNALED, STOP, processes};

/// How long a job has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// How long killing takes at most: a job may start processes all the time.
const LONGEST_KILL: Duration = Duration::from_secs(10);

enum News {
    Ended(i32),
    Stop,
    Kill,
}

/// Runs the job that standard input describes, and returns the status to exit with.
pub(crate) fn supervise() -> Result<i32> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    adopt_orphans()?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, order.file_size)?;
    limit(Resource::Data, order.memory)?;
    let child = match start(&order) {
        Ok(child) => child,
        Err(err) => {
            let program = order.command.first().map_or("", String::as_str);
            let _ = writeln!(io::stderr(), "cannot run {program:?}: {err}");
            let is_missing = err.kind() == io::ErrorKind::NotFound;
            return Ok(if is_missing { NOT_FOUND } else { NOT_RUN });
        }
    };
    let group = Pid::from_child(&child);
    let status = wait(&news(group), group);
    kill_all(group);
    Ok(status)
}

#[cfg(target_os = "linux")]
fn adopt_orphans() -> Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> Result<()> {
    Ok(())
}

/// Sets a limit of this process, which the job inherits.
fn limit(resource: Resource, wanted: u64) -> Result<()> {
    let maximum = getrlimit(resource).maximum;
    let most = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    setrlimit(resource, Rlimit { current: most, maximum: most }).context("cannot set a limit")
}

fn start(order: &Order) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;

    let (program, arguments) = order.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&order.environment)
        .current_dir(&order.folder)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Returns the end of the job, and what the server asks for. The server has ended if its end of the
/// pipe is closed.
fn news(job: Pid) -> Receiver<News> {
    let (sender, news) = channel();
    let ended = sender.clone();
    thread::spawn(move || {
        // Adopted processes are waited for, too, or their ids would never be free again.
        while let Ok(Some((id, status))) = process::wait(WaitOptions::empty()) {
            if id == job {
                let _ = ended.send(News::Ended(exit_status(status)));
            }
        }
    });
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if line == STOP.trim_end() {
                let _ = sender.send(News::Stop);
            } else if line == KILL.trim_end() {
                break;
            }
        }
        let _ = sender.send(News::Kill);
    });
    news
}

fn exit_status(status: WaitStatus) -> i32 {
    let signal = status.terminating_signal().unwrap_or_default();
    status.exit_status().unwrap_or(SIGNALED + signal)
}

/// Waits until the job has ended or must be killed.
fn wait(news: &Receiver<News>, group: Pid) -> i32 {
    let mut deadline = None::<Instant>;
    loop {
        let next = match deadline {
            None => news.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => news.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(News::Ended(status)) => return status,
            Ok(News::Stop) if deadline.is_none() => {
                signal(group, Signal::TERM);
                deadline = Some(Instant::now() + GRACE);
            }
            Ok(News::Stop) => {}
            Ok(News::Kill) | Err(_) => return SIGNALED + Signal::KILL.as_raw(),
        }
    }
}

/// Kills everything that the job has started.
fn kill_all(group: Pid) {
    repeat(|| signal(group, Signal::KILL));
}

/// Kills the supervisor with this id, and before it everything that its job has started: for one that
/// does not end by itself, as a job can stop it.
pub(crate) fn kill(supervisor: u32) {
    let Some(id) = i32::try_from(supervisor).ok().and_then(Pid::from_raw) else { return };
    // What its job starts meanwhile is adopted by it, not by another process.
    repeat(|| signal_below(id, Signal::KILL));
    let _ = kill_process(id, Signal::KILL);
}

/// Kills until nothing is left to be killed.
fn repeat(kill: impl Fn() -> bool) {
    let deadline = Instant::now() + LONGEST_KILL;
    while kill() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to all processes of the job; `false` if there are none.
fn signal(group: Pid, signal: Signal) -> bool {
    let _ = kill_process_group(group, signal);
    signal_below(getpid(), signal)
}

/// Sends a signal to all processes below one; `false` if there are none.
fn signal_below(id: Pid, signal: Signal) -> bool {
    let alive = processes::below(id.as_raw_nonzero().get());
    let alive = alive.into_iter().filter(|process| !process.is_zombie);
    let alive = alive.filter_map(|process| Pid::from_raw(process.id)).collect::<Vec<_>>();
    for id in &alive {
        let _ = kill_process(*id, signal);
    }
    !alive.is_empty()
}
