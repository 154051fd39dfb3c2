//! Streams a file's bytes to a reader that requests each piece.
//!
//! Nothing is written to disk. The content is verified nevertheless: invalid content ends in an
//! error after the last piece.

mod source;

use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use reqwest::Url;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        hash::Hasher,
        ids::{Repo, RepoPath, Revision},
        progress::Progress,
        sizes,
    },
    cache::partial::too_long,
    download::{
        errors,
        stream::source::{By, Opened, Source, Start},
    },
    hub::{
        client::{self, ByteRange, Hub},
        hints,
    },
    transfer::{RetryBudget, may_succeed_otherwise},
    xet::Mode,
};

/// Maximum size of a file of unannounced length that is held in memory.
const HELD_BACK: usize = 32 << 20;

/// Which file.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The file.
    #[serde(rename = "filename")]
    pub path: RepoPath,
    /// Which bytes.
    pub part: Part,
}

/// Which bytes of a file to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All bytes, which can be verified.
    Whole,
    /// As many bytes of this range as exist.
    Range(ByteRange),
    /// This many bytes at the end of the file.
    Last(u64),
}

/// An open file. Dropping it closes the connection.
pub struct FileStream {
    hub: Hub,
    spec: Spec,
    url: Url,
    etag: Option<Etag>,
    size: Option<u64>,
    source: Option<Source>,
    /// Where the bytes are to come from, and from where they may, if that fails.
    by: By,
    other: Option<By>,
    hashers: Vec<(Checksum, Hasher)>,
    offset: u64,
    /// The end, exclusive, if known.
    end: Option<u64>,
    retry_budget: RetryBudget,
    progress: Progress,
    deadline: Option<Instant>,
}

impl FileStream {
    /// Opens a file. If the connection breaks later, it is reopened at the position reached.
    pub async fn open(hub: Hub, spec: Spec, progress: Progress) -> Result<Self> {
        let url = hub.file_url(&spec.repo, &spec.revision, &spec.path);
        let deadline = hub.deadline.map(|deadline| Instant::now() + deadline);
        let start = Start::new(&hub, &spec, &url, &progress);
        let (opened, by, other) = hub
            .within_deadline(&progress, Box::pin(open_either(&start)))
            .await
            .map_err(|error| explain(&hub, &spec, error))?;
        let Opened { etag, size, range, source, .. } = opened;
        let mut retry_budget = RetryBudget::new(hub.retry, range.first);
        retry_budget.answered();
        let proof = etag.as_ref().filter(|_| spec.part == Part::Whole);
        let hashers = proof.map(|etag| hashers(etag, size)).unwrap_or_default();
        Ok(Self {
            hub,
            spec,
            url,
            etag,
            size,
            source: Some(source),
            by,
            other,
            hashers,
            offset: range.first,
            end: range.end,
            retry_budget,
            progress,
            deadline,
        })
    }

    /// Returns the size of the whole file, if the Hub announced it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns the next piece; `None` at the verified end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(deadline) = self.deadline else { return self.piece().await };
        if Instant::now() >= deadline {
            return Err(client::too_late(&self.hub, &self.progress));
        }
        tokio::time::timeout_at(deadline, self.piece())
            .await
            .unwrap_or_else(|_| Err(client::too_late(&self.hub, &self.progress)))
    }

    /// Returns all bytes that are left, up to a maximum.
    pub async fn collect(mut self, most: usize) -> Result<Bytes> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next().await? {
            if bytes.len() + chunk.len() > most {
                let most = sizes::counted(most as u64, "bytes");
                let message = format!("the file has more than the allowed {most}");
                return Err(Error::new(ErrorKind::InvalidResponse, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        let proof = self.etag.as_ref().map(Etag::proof);
        let held_back = self.spec.part == Part::Whole
            && matches!(proof, Some(Proof::GitSha1 | Proof::GitSha256))
            && self.size.is_none();
        let piece = if held_back { self.whole().await } else { self.part().await };
        piece.map_err(|error| explain(&self.hub, &self.spec, error))
    }

    async fn part(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.read().await {
                Ok(Some(chunk)) => return Ok(Some(chunk)),
                Ok(None) => return self.prove().map(|()| None),
                Err(error) => self.recover(error).await?,
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        // More bytes than requested may follow a part.
        let is_part = self.spec.part != Part::Whole;
        if is_part && self.end == Some(self.offset) {
            return Ok(None);
        }
        let mut source = match self.source.take() {
            Some(source) => source,
            None => self.reopen().await?,
        };
        let Some(mut chunk) = source.chunk().await? else {
            return match self.end {
                Some(end) if self.offset < end => Err(Error::new(
                    ErrorKind::Transport,
                    "the connection closed before the end of the file",
                )),
                _ => Ok(None),
            };
        };
        if let Some(end) = self.end {
            let room = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
            if chunk.len() > room && !is_part {
                return Err(too_long(end));
            }
            chunk.truncate(room);
        }
        self.hub.flow.pass(chunk.len()).await;
        self.source = Some(source);
        self.offset += chunk.len() as u64;
        if self.end.is_none() {
            self.hub.flow.check_unannounced(self.offset)?;
        }
        for (_, hasher) in &mut self.hashers {
            hasher.update(&chunk);
        }
        Ok(Some(chunk))
    }

    async fn reopen(&mut self) -> Result<Source> {
        let range = ByteRange {
            first: self.offset,
            end: self.end.filter(|_| self.spec.part != Part::Whole),
        };
        let Opened { etag, source, .. } = Box::pin(self.start().open_at(range, self.by)).await?;
        if etag.is_none() && self.offset > 0 {
            let message = "the connection broke, and without the ETag header a changed file could not be detected";
            return Err(Error::new(ErrorKind::Transport, message).permanent());
        }
        if etag != self.etag {
            let message = "the file changed on the Hub while it was read";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(source)
    }

    fn start(&self) -> Start<'_> {
        Start::new(&self.hub, &self.spec, &self.url, &self.progress)
    }

    /// The input of a git object id begins with the length. If the Hub does not announce it, the
    /// file, which is small in this case, is held back until it has been verified.
    async fn whole(&mut self) -> Result<Option<Bytes>> {
        if self.end.is_some() {
            return Ok(None); // It was already returned.
        }
        let body = loop {
            let source = match self.source.take() {
                Some(source) => Ok(source),
                None => self.reopen().await,
            };
            let body = match source {
                Ok(source) => source.bytes(HELD_BACK).await,
                Err(error) => Err(error),
            };
            match body {
                Ok(body) => break body,
                Err(error) => self.recover(error).await?,
            }
        };
        self.hub.flow.pass(body.len()).await;
        let size = body.len() as u64;
        (self.offset, self.end) = (size, Some(size));
        self.hashers = self.etag.as_ref().map(|etag| hashers(etag, Some(size))).unwrap_or_default();
        for (_, hasher) in &mut self.hashers {
            hasher.update(&body);
        }
        self.prove()?;
        Ok(Some(body).filter(|body| !body.is_empty()))
    }

    async fn recover(&mut self, error: Error) -> Result<()> {
        self.source = None;
        // One connection, whose attempts follow each other.
        let now = std::time::Instant::now();
        let by_xet = self.by == By::Xet;
        let may_turn = may_succeed_otherwise(&error, by_xet);
        // While HTTP can take over, the storage gets one chance.
        if by_xet && may_turn && self.turn(&error) {
            return Ok(());
        }
        match self.retry_budget.failed(&error, self.offset, now, now) {
            Some(pause) => client::pause(&self.progress, &error, pause.wait).await?,
            None if may_turn && self.turn(&error) => {}
            None => return Err(client::tried(error, self.retry_budget.failures())),
        }
        Ok(())
    }

    /// Continues in the other way, if there is one.
    fn turn(&mut self, error: &Error) -> bool {
        let Some(other) = self.other.take() else { return false };
        self.progress.set_trouble(error.message());
        (self.by, self.retry_budget) = (other, RetryBudget::new(self.hub.retry, self.offset));
        true
    }

    fn prove(&mut self) -> Result<()> {
        let mut wrong = None;
        for (checksum, hasher) in std::mem::take(&mut self.hashers) {
            let actual = hasher.finish();
            if actual == checksum.hex() {
                return Ok(());
            }
            wrong.get_or_insert((checksum, actual));
        }
        let Some((checksum, actual)) = wrong else { return Ok(()) };
        let message =
            format!("the content's hash is {actual}, but the Hub announced {}", checksum.hex());
        Err(Error::new(ErrorKind::ChecksumMismatch, message))
    }
}

/// Opens a file in the way that the call prefers, and if that fails, in the other one. Returns the
/// way, and the one that is left.
async fn open_either(start: &Start<'_>) -> Result<(Opened, By, Option<By>)> {
    let (hub, progress) = (start.hub, start.progress);
    let prefers_xet = hub.xet.mode == Mode::Always && hub.xet.is_usable();
    let (first, second) = if prefers_xet { (By::Xet, By::Http) } else { (By::Http, By::Xet) };
    // While HTTP can take over, the storage gets one chance.
    let once = Hub { retry: hub.retry.once(), ..hub.clone() };
    let (first_hub, second_hub) = if prefers_xet { (&once, hub) } else { (hub, &once) };
    let error = match first_hub.retrying(progress, || Box::pin(start.open(first))).await {
        Ok(opened) => {
            let by = opened.source.by();
            let other = (by == first && opened.has_both).then_some(second);
            return Ok((opened, by, other));
        }
        Err(error) => error,
    };
    let is_there = prefers_xet || start.in_xet.load(Relaxed);
    if !is_there || !may_succeed_otherwise(&error, prefers_xet) {
        return Err(error);
    }
    progress.set_trouble(error.message());
    match second_hub.retrying(progress, || Box::pin(start.open(second))).await {
        Ok(opened) => {
            let by = opened.source.by();
            Ok((opened, by, None))
        }
        Err(later) => Err(if prefers_xet { later } else { error }),
    }
}

/// Returns one hasher for each announced checksum.
fn hashers(etag: &Etag, size: Option<u64>) -> Vec<(Checksum, Hasher)> {
    let hasher = |sum: &Checksum| Some((sum.clone(), Hasher::new(sum.proof(), size)?));
    etag.checksums().iter().filter_map(hasher).collect()
}

fn explain(hub: &Hub, spec: &Spec, error: Error) -> Error {
    let missing = error.kind() == ErrorKind::EntryNotFound;
    let error = hints::repository(hub, &spec.repo, &spec.revision, error);
    let error = errors::content(&spec.repo, &spec.path, error);
    if missing {
        let message = hints::no_such_file(&spec.repo, &spec.revision, &spec.path);
        return error.with_message(message);
    }
    error
}

#[cfg(test)]
mod tests;
