//! Receives a file: what both destinations do between the lock and the final name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    base::{
        blocking, disk,
        error::{Error, ErrorKind, Result},
        hint::Hint,
        lock::{self, Lock},
        progress::{Activity, Progress},
        sizes::human,
    },
    cache::{
        layout::RepoDir,
        partial::{Slot, Verified},
    },
    download::{report::Report, spec::Spec, stages::Turn},
    hub::{
        client::Hub,
        file_metadata::{Content, FileMetadata},
    },
    transfer::{Outcome, Transfer},
};

/// Moves the verified content to its final name.
pub(crate) type GiveName = Arc<dyn Fn(Verified) -> Result<Report> + Send + Sync>;

/// A file that is being received.
pub(crate) struct IncomingFile<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) spec: &'a Spec,
    pub(crate) metadata: &'a FileMetadata,
    pub(crate) slot: Slot,
    pub(crate) lock: Arc<Lock>,
}

/// Maximum number of times that another host may claim the partial file while it is written.
const MAX_CLAIMED: u32 = 5;

/// Takes the lock, and shows in the progress if it is held elsewhere.
pub(crate) async fn wait_for_lock(path: PathBuf, progress: &Progress) -> Result<Lock> {
    wait(path, lock::try_acquire, progress).await
}

/// Prevents removals from a repository. If the cache does not support locks, the download
/// continues, and reports problems itself.
pub(crate) async fn keep_from_removal(repo: &RepoDir, progress: &Progress) -> Option<Lock> {
    let way = repo.clone();
    blocking::run(move || way.check_way(way.locks())).await.ok()?;
    wait(repo.busy_lock(), lock::try_shared, progress).await.ok()
}

async fn wait(path: PathBuf, attempt: lock::Attempt, progress: &Progress) -> Result<Lock> {
    let mut waited = false;
    let on_wait = || {
        waited = true;
        progress.set_activity(Activity::WaitingForLock, None);
    };
    let lock = lock::poll(path, attempt, on_wait).await?;
    if waited {
        progress.set_activity(Activity::Resolving, None);
    }
    Ok(lock)
}

impl IncomingFile<'_> {
    /// Receives and publishes the content; `None` if it changed on the Hub.
    pub(crate) async fn receive(
        self,
        mut content: Option<Content>,
        mut turn: Option<Turn>,
        progress: &Progress,
        give_name: GiveName,
    ) -> Result<Option<Report>> {
        self.check_space().await?;
        let url = self.hub.file_url(&self.spec.repo, &self.spec.revision, &self.spec.path);
        let pinned = self.spec.revision.as_commit();
        // Without a checksum, existing bytes of unknown origin cannot be trusted.
        let mut resume = self.may_resume() && self.metadata.etag.is_proof();
        let mut times_claimed = 0;
        loop {
            let file = progress.start_file(self.spec.path.as_str(), self.metadata.size);
            let transfer = Transfer {
                hub: self.hub,
                repo: &self.spec.repo,
                url: &url,
                pinned: pinned.as_ref(),
                listed: self.spec.known.is_some() && !self.spec.ask,
                metadata: self.metadata,
                slot: self.slot.clone(),
                resume,
                lock: self.lock.clone(),
                storage: &self.spec.stages.storage,
            };
            let turn = match turn.take() {
                Some(turn) => turn,
                None => self.spec.stages.turn().await,
            };
            let result = match transfer.run(content.take(), turn, &file).await {
                Ok((Outcome::Complete(verified), way)) => {
                    let report = self.publish(*verified, &give_name).await;
                    report.map(|report| Some(report.arrived(way)))
                }
                Ok((Outcome::Changed, _)) => Ok(None),
                Err(error) => Err(error),
            };
            match result {
                Ok(Some(report)) => {
                    file.finish();
                    return Ok(Some(report));
                }
                Ok(None) => {
                    file.abandon();
                    return Ok(None);
                }
                // The partial file of an interrupted attempt may have been wrong; without it, the
                // error is final.
                Err(error)
                    if resume
                        && file.has_resumed()
                        && error.kind() == ErrorKind::ChecksumMismatch =>
                {
                    file.abandon();
                    resume = false;
                }
                // Another host, where our locks have no effect, assumed this partial file was
                // orphaned and claimed it.
                Err(error) if error.is_stale_file() && times_claimed < MAX_CLAIMED => {
                    file.abandon();
                    times_claimed += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Publishes the content, and removes partial files of other attempts.
    async fn publish(&self, verified: Verified, give_name: &GiveName) -> Result<Report> {
        let (slot, give_name, lock) = (self.slot.clone(), give_name.clone(), self.lock.clone());
        let clears = self.may_have_partials();
        // The lock is held until the content has its name, even if all callers have left.
        self.spec
            .stages
            .storage
            .lane
            .run(move || {
                let report = give_name(verified)?;
                if clears && lock.excludes() {
                    slot.clear();
                }
                Ok(report)
            })
            .await
    }

    /// Whether there may be partial files of earlier attempts.
    fn may_have_partials(&self) -> bool {
        self.spec.partials.as_ref().is_none_or(|stems| stems.contains(&self.slot.stem))
    }

    fn may_resume(&self) -> bool {
        !self.spec.mode.force && self.may_have_partials()
    }

    async fn check_space(&self) -> Result<()> {
        let Some(size) = self.metadata.size.filter(|size| *size > self.hub.flow.in_memory) else {
            return Ok(()); // Writing reports it just as fast.
        };
        let (slot, lock) = (self.slot.clone(), self.may_resume().then(|| self.lock.clone()));
        let missing = blocking::run(move || {
            // If space is short, a partial file is continued in place.
            let adoptable = lock.is_some_and(|lock| lock.excludes());
            let here = if adoptable { slot.resumable() } else { 0 };
            disk::missing_space(&slot.dir, size - here.min(size))
        });
        let Some(missing) = missing.await else { return Ok(()) };
        Err(no_room(&self.slot.dir, "file needs", size, missing))
    }
}

/// Returns the error for a disk that is too full before the first byte.
pub(crate) fn no_room(folder: &Path, what: &str, needed: u64, missing: u64) -> Error {
    let message = format!(
        "not enough disk space below `{}`: the {what} {}, {} free",
        folder.display(),
        human(needed),
        human(needed.saturating_sub(missing))
    );
    Error::new(ErrorKind::Io, message).with_hints([Hint::FreeSpace])
}
