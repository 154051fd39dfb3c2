//! How far an operation is: counters that any task may bump and any thread may read.
//!
//! Nothing here sends anything. Whoever wants to show progress takes a
//! [`Snapshot`] as often as it likes, so a slow reader costs nothing.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What an operation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Activity {
    /// Asking the Hub what there is.
    #[default]
    Resolving,
    /// Bytes flow.
    Downloading,
    /// Another process downloads the same file.
    WaitingForLock,
    /// A request failed and will be repeated.
    Retrying,
    /// The Hub asked for a pause.
    RateLimited,
}

impl Activity {
    /// Every activity.
    pub const ALL: &'static [Self] = &[
        Self::Resolving,
        Self::Downloading,
        Self::WaitingForLock,
        Self::Retrying,
        Self::RateLimited,
    ];

    /// The name both languages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolving => "resolving",
            Self::Downloading => "downloading",
            Self::WaitingForLock => "waiting_for_lock",
            Self::Retrying => "retrying",
            Self::RateLimited => "rate_limited",
        }
    }
}

/// The progress of one operation; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bytes_done: AtomicI64,
    bytes_total: AtomicU64,
    unknown_sizes: AtomicI64,
    bytes_resumed: AtomicU64,
    bytes_received: AtomicU64,
    files_done: AtomicU64,
    files_total: AtomicU64,
    activity: Mutex<(Activity, Option<Instant>)>,
    file: Mutex<Option<Arc<str>>>,
}

/// What [`Progress`] was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What is going on.
    pub activity: Activity,
    /// How much of a pause is left.
    pub wait: Option<Duration>,
    /// The file that moved last, as named in the repository.
    pub file: Option<Arc<str>>,
    /// Bytes in place, resumed ones included.
    pub bytes_done: u64,
    /// Bytes there will be; `None` while the size of a file is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes an earlier attempt left behind.
    pub bytes_resumed: u64,
    /// Bytes that came over the network.
    pub bytes_received: u64,
    /// Files complete.
    pub files_done: u64,
    /// Files there will be.
    pub files_total: u64,
}

impl Progress {
    /// Announces `files` more files to come.
    pub fn add_files(&self, files: u64) {
        self.0.files_total.fetch_add(files, Relaxed);
    }

    /// Counts files that needed no transfer.
    pub fn skip_files(&self, files: u64) {
        self.0.files_done.fetch_add(files, Relaxed);
    }

    /// Says what is going on, and for how long if it is a pause.
    pub fn set_activity(&self, activity: Activity, wait: Option<Duration>) {
        let until = wait.and_then(|wait| Instant::now().checked_add(wait));
        *self.0.activity.lock().unwrap_or_else(PoisonError::into_inner) = (activity, until);
    }

    /// Begins a file.
    pub fn start_file(&self, name: &str, size: Option<u64>) -> FileProgress {
        *self.0.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.into());
        match size {
            Some(size) => self.0.bytes_total.fetch_add(size, Relaxed),
            None => u64::try_from(self.0.unknown_sizes.fetch_add(1, Relaxed)).unwrap_or(0),
        };
        FileProgress { shared: self.clone(), size, done: 0, resumed: false }
    }

    /// Reads all counters.
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.0;
        let (activity, until) = *shared.activity.lock().unwrap_or_else(PoisonError::into_inner);
        let known = shared.unknown_sizes.load(Relaxed) == 0;
        let total = shared.bytes_total.load(Relaxed);
        Snapshot {
            activity,
            wait: until.map(|until| until.saturating_duration_since(Instant::now())),
            file: shared.file.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes_done: u64::try_from(shared.bytes_done.load(Relaxed)).unwrap_or(0),
            bytes_total: (known && total > 0).then_some(total),
            bytes_resumed: shared.bytes_resumed.load(Relaxed),
            bytes_received: shared.bytes_received.load(Relaxed),
            files_done: shared.files_done.load(Relaxed),
            files_total: shared.files_total.load(Relaxed),
        }
    }
}

/// The progress of one file within an operation.
#[derive(Debug)]
pub struct FileProgress {
    shared: Progress,
    size: Option<u64>,
    done: u64,
    resumed: bool,
}

impl FileProgress {
    /// Counts bytes that came over the network.
    pub fn received(&mut self, bytes: u64) {
        self.shared.0.bytes_received.fetch_add(bytes, Relaxed);
        self.advance(bytes);
    }

    /// Counts bytes an earlier attempt left behind.
    pub fn resumed(&mut self, bytes: u64) {
        self.resumed |= bytes > 0;
        self.shared.0.bytes_resumed.fetch_add(bytes, Relaxed);
        self.advance(bytes);
    }

    /// Takes everything back: the file starts again from zero.
    pub fn restart(&mut self) {
        self.shared.0.bytes_done.fetch_sub(signed(self.done), Relaxed);
        self.done = 0;
    }

    /// Whether an earlier attempt had left something behind.
    pub fn has_resumed(&self) -> bool {
        self.resumed
    }

    /// The operation this file belongs to.
    pub fn operation(&self) -> &Progress {
        &self.shared
    }

    /// Takes the file's share back: it will begin anew. A file that is just dropped
    /// keeps it, so that the last report of a failure says how far it was.
    pub fn abandon(mut self) {
        self.restart();
        match self.size {
            Some(size) => self.shared.0.bytes_total.fetch_sub(size, Relaxed),
            None => u64::try_from(self.shared.0.unknown_sizes.fetch_sub(1, Relaxed)).unwrap_or(0),
        };
    }

    /// Counts the file as complete.
    pub fn finish(self) {
        if self.size.is_none() {
            self.shared.0.bytes_total.fetch_add(self.done, Relaxed);
            self.shared.0.unknown_sizes.fetch_sub(1, Relaxed);
        }
        self.shared.0.files_done.fetch_add(1, Relaxed);
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        self.shared.0.bytes_done.fetch_add(signed(bytes), Relaxed);
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_counts_a_byte_twice_after_a_restart() {
        let progress = Progress::default();
        progress.add_files(1);
        let mut file = progress.start_file("a", Some(100));
        file.received(60);
        file.restart();
        file.received(100);
        file.finish();
        let now = progress.snapshot();
        assert_eq!((now.bytes_done, now.bytes_total, now.bytes_received), (100, Some(100), 160));
        assert_eq!((now.files_done, now.files_total), (1, 1));
    }

    #[test]
    fn an_abandoned_file_takes_its_share_back() {
        let progress = Progress::default();
        let mut file = progress.start_file("a", Some(100));
        file.resumed(40);
        assert_eq!(progress.snapshot().bytes_done, 40);
        file.abandon();
        assert_eq!(progress.snapshot().bytes_done, 0);
        assert_eq!(progress.snapshot().bytes_total, None);
    }

    #[test]
    fn the_total_is_unknown_while_one_size_is() {
        let progress = Progress::default();
        let known = progress.start_file("a", Some(10));
        let mut unknown = progress.start_file("b", None);
        assert_eq!(progress.snapshot().bytes_total, None);
        unknown.received(5);
        unknown.finish();
        assert_eq!(progress.snapshot().bytes_total, Some(15));
        drop(known);
    }
}
