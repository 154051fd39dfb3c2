//! Progress of an operation: counters that any task may update and any thread may read.
//!
//! This module sends nothing. A reader takes a [`Snapshot`] as often as it likes, so a slow reader
//! costs nothing.

mod observer;

pub use observer::{News, Observer, Receipt};

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::{Serialize, Serializer};

use crate::base::{output, scrub::Scrub, sizes::human};

/// Silence after which a download counts as stalled.
const STALLED: Duration = Duration::from_secs(3);

/// The current activity of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Activity {
    /// Requesting metadata from the Hub.
    #[default]
    Resolving,
    /// Receiving bytes.
    Downloading,
    /// Reading local files to compute their checksums.
    Hashing,
    /// Sending bytes to the Hub.
    Uploading,
    /// Creating the commit.
    Committing,
    /// No bytes have arrived for some seconds.
    Stalled,
    /// Another process is downloading the same file.
    WaitingForLock,
    /// A request failed and will be retried.
    Retrying,
    /// The Hub asked for a pause.
    RateLimited,
}

impl Activity {
    /// All activities.
    pub const ALL: &'static [Self] = &[
        Self::Resolving,
        Self::Downloading,
        Self::Hashing,
        Self::Uploading,
        Self::Committing,
        Self::Stalled,
        Self::WaitingForLock,
        Self::Retrying,
        Self::RateLimited,
    ];

    /// The name that both languages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolving => "resolving",
            Self::Downloading => "downloading",
            Self::Hashing => "hashing",
            Self::Uploading => "uploading",
            Self::Committing => "committing",
            Self::Stalled => "stalled",
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
    bytes_hashed: AtomicU64,
    bytes_deduplicated: AtomicU64,
    files_done: AtomicU64,
    files_total: AtomicU64,
    doing: Mutex<Doing>,
    file: Mutex<Option<Arc<str>>>,
    trouble: Mutex<Option<Arc<str>>>,
    deadline: OnceLock<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Doing {
    activity: Activity,
    until: Option<Instant>,
    /// Number of bytes received at the last snapshot, and the time it was last seen to change.
    seen: u64,
    moved: Option<Instant>,
}

/// The values of a [`Progress`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The current activity.
    pub activity: Activity,
    /// Remaining time of a pause.
    #[serde(serialize_with = "output::some_millis")]
    pub wait: Option<Duration>,
    /// The file that advanced last, as a path in the repository.
    #[serde(serialize_with = "text")]
    pub file: Option<Arc<str>>,
    /// Bytes completed, including resumed bytes.
    pub bytes_done: u64,
    /// Total number of bytes; `None` while the size of a file is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes taken over from an earlier attempt.
    pub bytes_resumed: u64,
    /// Bytes transferred over the network.
    pub bytes_received: u64,
    /// Bytes of local files read to compute their checksums.
    pub bytes_hashed: u64,
    /// Bytes of uploaded files that the Hub's storage had before, in any file.
    pub bytes_deduplicated: u64,
    /// Number of completed files.
    pub files_done: u64,
    /// Total number of files.
    pub files_total: u64,
    /// The last failure after which something was retried.
    #[serde(skip)]
    pub trouble: Option<Arc<str>>,
}

impl Serialize for Activity {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_unit_variant("Activity", 0, self.name())
    }
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
fn text<S: Serializer>(text: &Option<Arc<str>>, output: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(output)
}

impl Snapshot {
    /// The snapshot without secrets.
    #[must_use]
    pub fn shown(mut self, scrub: &Scrub) -> Self {
        self.file = self.file.map(|file| scrub.text(&file).into());
        self
    }

    /// Describes the current activity, for the error of an operation that is stopped here.
    pub fn in_words(&self) -> String {
        let doing = match self.activity {
            Activity::Resolving => "waiting for the Hub's response",
            Activity::Downloading => "bytes were arriving",
            Activity::Hashing => "files were being hashed",
            Activity::Uploading => "bytes were being sent",
            Activity::Committing => "a commit was being made",
            Activity::Stalled => "no more bytes were arriving",
            Activity::WaitingForLock => "another process held the lock",
            Activity::Retrying => "a retry was pending",
            Activity::RateLimited => "the Hub had asked for a pause",
        };
        let total =
            self.bytes_total.map_or_else(String::new, |total| format!(" of {}", human(total)));
        let place = match self.bytes_done {
            0 => String::new(),
            done => format!(" (at {}{total})", human(done)),
        };
        let trouble = self.trouble.as_deref().map(|trouble| format!("; last failure: {trouble}"));
        format!("{doing}{place}{}", trouble.unwrap_or_default())
    }
}

impl Progress {
    /// Adds `files` files to the total.
    pub fn add_files(&self, files: u64) {
        self.0.files_total.fetch_add(files, Relaxed);
    }

    /// Adds bytes of files to the total; those files then begin with a size of 0.
    pub fn add_bytes(&self, bytes: u64) {
        self.0.bytes_total.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes of local files that were read to compute their checksums.
    pub fn hashed(&self, bytes: u64) {
        self.0.bytes_hashed.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes of uploaded files that the Hub's storage had before.
    pub fn deduplicated(&self, bytes: u64) {
        self.0.bytes_deduplicated.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes of files that needed no transfer.
    pub fn skip_bytes(&self, bytes: u64) {
        self.0.bytes_done.fetch_add(signed(bytes), Relaxed);
    }

    /// Counts files that needed no transfer.
    pub fn skip_files(&self, files: u64) {
        self.0.files_done.fetch_add(files, Relaxed);
    }

    /// Sets the current activity, and how long it lasts if it is a pause.
    pub fn set_activity(&self, activity: Activity, wait: Option<Duration>) {
        let now = Instant::now();
        let until = wait.and_then(|wait| now.checked_add(wait));
        let seen = self.0.bytes_received.load(Relaxed);
        *self.doing() = Doing { activity, until, seen, moved: Some(now) };
    }

    /// Sets how long the operation may still take; the first call counts.
    pub(crate) fn set_deadline(&self, left: Duration) {
        if let Some(deadline) = Instant::now().checked_add(left) {
            self.0.deadline.get_or_init(|| deadline);
        }
    }

    /// Returns how long the operation may still take, if it has a deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let deadline = self.0.deadline.get()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Records the failure after which something is retried.
    pub fn set_trouble(&self, trouble: &str) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble.into());
    }

    /// Starts a file.
    pub fn start_file(&self, name: &str, size: Option<u64>) -> FileProgress {
        *self.0.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.into());
        match size {
            Some(size) => self.0.bytes_total.fetch_add(size, Relaxed),
            None => u64::try_from(self.0.unknown_sizes.fetch_add(1, Relaxed)).unwrap_or(0),
        };
        FileProgress {
            shared: self.clone(),
            size,
            done: AtomicU64::new(0),
            resumed: AtomicBool::new(false),
        }
    }

    /// Reads all counters.
    pub fn snapshot(&self) -> Snapshot {
        let shared = &self.0;
        let received = shared.bytes_received.load(Relaxed);
        let (activity, until) = self.activity(received);
        let known = shared.unknown_sizes.load(Relaxed) == 0;
        let total = shared.bytes_total.load(Relaxed);
        Snapshot {
            activity,
            wait: until.map(|until| until.saturating_duration_since(Instant::now())),
            file: shared.file.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes_done: u64::try_from(shared.bytes_done.load(Relaxed)).unwrap_or(0),
            bytes_total: (known && total > 0).then_some(total),
            bytes_resumed: shared.bytes_resumed.load(Relaxed),
            bytes_received: received,
            bytes_hashed: shared.bytes_hashed.load(Relaxed),
            bytes_deduplicated: shared.bytes_deduplicated.load(Relaxed),
            files_done: shared.files_done.load(Relaxed),
            files_total: shared.files_total.load(Relaxed),
            trouble: shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn activity(&self, received: u64) -> (Activity, Option<Instant>) {
        let mut doing = self.doing();
        if doing.seen != received {
            (doing.seen, doing.moved) = (received, Some(Instant::now()));
            if doing.activity == Activity::Stalled {
                // Another connection has received bytes.
                (doing.activity, doing.until) = (Activity::Downloading, None);
            }
        }
        let silent = doing.moved.is_some_and(|moved| moved.elapsed() >= STALLED);
        let flowing = matches!(doing.activity, Activity::Downloading | Activity::Uploading);
        let stalled = silent && flowing;
        (if stalled { Activity::Stalled } else { doing.activity }, doing.until)
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of one file within an operation.
#[derive(Debug)]
pub struct FileProgress {
    shared: Progress,
    size: Option<u64>,
    done: AtomicU64,
    resumed: AtomicBool,
}

impl FileProgress {
    /// Counts bytes transferred over the network.
    pub fn received(&self, bytes: u64) {
        self.shared.0.bytes_received.fetch_add(bytes, Relaxed);
        self.advance(bytes);
    }

    /// Counts bytes transferred over the network that stand for `done` bytes of files.
    pub fn sent(&self, transferred: u64, done: u64) {
        self.shared.0.bytes_received.fetch_add(transferred, Relaxed);
        self.advance(done);
    }

    /// Counts bytes taken over from an earlier attempt.
    pub fn resumed(&self, bytes: u64) {
        self.resumed.fetch_or(bytes > 0, Relaxed);
        self.shared.0.bytes_resumed.fetch_add(bytes, Relaxed);
        self.advance(bytes);
    }

    /// Subtracts bytes that were sent in vain.
    pub fn take_back(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Relaxed);
        self.shared.0.bytes_done.fetch_sub(signed(bytes), Relaxed);
    }

    /// Subtracts everything: the file starts again from zero.
    pub fn restart(&self) {
        let done = self.done.swap(0, Relaxed);
        self.shared.0.bytes_done.fetch_sub(signed(done), Relaxed);
    }

    /// Whether bytes were taken over from an earlier attempt.
    pub fn has_resumed(&self) -> bool {
        self.resumed.load(Relaxed)
    }

    /// Follows the transfer of the same file in another operation, whose progress changed from
    /// `before` to `now`.
    pub fn mirror(&self, now: &Snapshot, before: &Snapshot) {
        let shared = &self.shared.0;
        shared.bytes_received.fetch_add(now.bytes_received - before.bytes_received, Relaxed);
        shared.bytes_resumed.fetch_add(now.bytes_resumed - before.bytes_resumed, Relaxed);
        let done = self.done.swap(now.bytes_done, Relaxed);
        shared.bytes_done.fetch_add(signed(now.bytes_done) - signed(done), Relaxed);
        // Each operation decides for itself whether it stalls, except for an outage, which has a
        // limit.
        let steady = |now: &Snapshot| match (now.activity, now.wait) {
            (Activity::Stalled, None) => Activity::Downloading,
            (activity, _) => activity,
        };
        if steady(now) != steady(before) || now.wait > before.wait {
            self.shared.set_activity(steady(now), now.wait);
        }
        if let Some(trouble) = now.trouble.as_ref().filter(|_| now.trouble != before.trouble) {
            self.shared.set_trouble(trouble);
        }
    }

    /// Returns the operation this file belongs to.
    pub fn operation(&self) -> &Progress {
        &self.shared
    }

    /// Subtracts the file's share: it will start again. A file that is only dropped keeps its
    /// share, so that the last report of a failure shows how far it was.
    pub fn abandon(self) {
        self.restart();
        match self.size {
            Some(size) => self.shared.0.bytes_total.fetch_sub(size, Relaxed),
            None => u64::try_from(self.shared.0.unknown_sizes.fetch_sub(1, Relaxed)).unwrap_or(0),
        };
    }

    /// Counts the file as complete.
    pub fn finish(self) {
        if self.size.is_none() {
            self.shared.0.bytes_total.fetch_add(self.done.load(Relaxed), Relaxed);
            self.shared.0.unknown_sizes.fetch_sub(1, Relaxed);
        }
        self.shared.0.files_done.fetch_add(1, Relaxed);
    }

    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Relaxed);
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
    fn counts_no_byte_twice_after_a_restart() {
        let progress = Progress::default();
        progress.add_files(1);
        let file = progress.start_file("a", Some(100));
        file.received(60);
        file.restart();
        file.received(100);
        file.finish();
        let now = progress.snapshot();
        assert_eq!((now.bytes_done, now.bytes_total, now.bytes_received), (100, Some(100), 160));
        assert_eq!((now.files_done, now.files_total), (1, 1));
    }

    #[test]
    fn abandoning_a_file_subtracts_its_share() {
        let progress = Progress::default();
        let file = progress.start_file("a", Some(100));
        file.resumed(40);
        assert_eq!(progress.snapshot().bytes_done, 40);
        file.abandon();
        assert_eq!(progress.snapshot().bytes_done, 0);
        assert_eq!(progress.snapshot().bytes_total, None);
    }

    #[test]
    fn mirroring_another_operation_counts_the_same_bytes() {
        let (theirs, ours) = (Progress::default(), Progress::default());
        let (fetched, mirrored) =
            (theirs.start_file("a", Some(100)), ours.start_file("a", Some(100)));
        fetched.resumed(10);
        fetched.received(50);
        let (start, middle) = (Progress::default().snapshot(), theirs.snapshot());
        mirrored.mirror(&middle, &start);
        assert_eq!((ours.snapshot().bytes_done, ours.snapshot().bytes_resumed), (60, 10));
        fetched.restart();
        fetched.received(30);
        mirrored.mirror(&theirs.snapshot(), &middle);
        let now = ours.snapshot();
        assert_eq!((now.bytes_done, now.bytes_received, now.bytes_total), (30, 80, Some(100)));
    }

    #[test]
    fn the_total_is_unknown_while_one_size_is_unknown() {
        let progress = Progress::default();
        let known = progress.start_file("a", Some(10));
        let unknown = progress.start_file("b", None);
        assert_eq!(progress.snapshot().bytes_total, None);
        unknown.received(5);
        unknown.finish();
        assert_eq!(progress.snapshot().bytes_total, Some(15));
        drop(known);
    }
}
