//! Streams a file's bytes to a reader that requests each piece.
//!
//! Nothing is written to disk. The content is verified nevertheless: invalid content ends in an
//! error after the last piece.

use bytes::Bytes;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        hash::Hasher,
        ids::{Repo, RepoPath, Revision},
        progress::Progress,
    },
    cache::partial::too_long,
    download::errors,
    hub::{
        client::{self, ByteRange, Hub},
        file_metadata::{self, Content, Found},
        hints,
    },
    transfer::RetryBudget,
    transport::Response,
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
    response: Option<Response>,
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
        let opened = hub
            .within_deadline(&progress, hub.retrying(&progress, || open_part(&hub, &spec, &url)))
            .await
            .map_err(|error| explain(&hub, &spec, error))?;
        let Opened { etag, size, range, response } = opened;
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
            response: Some(response),
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
        let mut response = match self.response.take() {
            Some(response) => response,
            None => self.reopen().await?,
        };
        let Some(mut chunk) = response.chunk().await? else {
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
        self.response = Some(response);
        self.offset += chunk.len() as u64;
        if self.end.is_none() {
            self.hub.flow.check_unannounced(self.offset)?;
        }
        for (_, hasher) in &mut self.hashers {
            hasher.update(&chunk);
        }
        Ok(Some(chunk))
    }

    async fn reopen(&self) -> Result<Response> {
        let range = ByteRange {
            first: self.offset,
            end: self.end.filter(|_| self.spec.part != Part::Whole),
        };
        let (etag, _, response) = open_at(&self.hub, &self.spec, &self.url, range).await?;
        if etag.is_none() && self.offset > 0 {
            let message = "the connection broke, and without the ETag header a changed file could not be detected";
            return Err(Error::new(ErrorKind::Transport, message).permanent());
        }
        if etag != self.etag {
            let message = "the file changed on the Hub while it was read";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(response)
    }

    /// The input of a git object id begins with the length. If the Hub does not announce it, the
    /// file, which is small in this case, is held back until it has been verified.
    async fn whole(&mut self) -> Result<Option<Bytes>> {
        if self.end.is_some() {
            return Ok(None); // It was already returned.
        }
        let body = loop {
            let response = match self.response.take() {
                Some(response) => Ok(response),
                None => self.reopen().await,
            };
            let body = match response {
                Ok(response) => response.bytes(HELD_BACK).await,
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
        self.response = None;
        // One connection, whose attempts follow each other.
        let now = std::time::Instant::now();
        match self.retry_budget.failed(&error, self.offset, now, now) {
            Some(pause) => client::pause(&self.progress, &error, pause.wait).await,
            None => Err(client::tried(error, self.retry_budget.failures())),
        }
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

/// An opened file.
struct Opened {
    etag: Option<Etag>,
    size: Option<u64>,
    /// The range to read.
    range: ByteRange,
    response: Response,
}

async fn open_part(hub: &Hub, spec: &Spec, url: &Url) -> Result<Opened> {
    let wanted = match spec.part {
        Part::Whole => ByteRange::default(),
        Part::Range(range) => range,
        Part::Last(bytes) => last(hub, spec, url, bytes).await?,
    };
    let (etag, size, response) = open_at(hub, spec, url, wanted).await?;
    file_metadata::check_size(size)?;
    let total = size.or_else(|| file_metadata::body_size(&response));
    let end = match (wanted.end, total) {
        (Some(end), Some(total)) => Some(end.min(total)),
        (end, total) => end.or(total),
    };
    if total.is_some_and(|total| wanted.first > total) {
        return Err(beyond(total));
    }
    Ok(Opened { etag, size, range: ByteRange { end, ..wanted }, response })
}

/// Returns the range of the last `bytes` of a file, which requires its size.
async fn last(hub: &Hub, spec: &Spec, url: &Url, bytes: u64) -> Result<ByteRange> {
    let pinned = spec.revision.as_commit();
    let found = file_metadata::find(hub, url, ByteRange::default(), pinned.as_ref()).await?;
    let size = found.size.ok_or_else(|| {
        let message = "the Hub does not announce the size of the file, so its end cannot be found";
        Error::new(ErrorKind::InvalidResponse, message)
    })?;
    Ok(ByteRange { first: size.saturating_sub(bytes), end: Some(size) })
}

/// Opens the file at a position. If the server does not serve that range, a plain GET is the last
/// resort.
async fn open_at(
    hub: &Hub,
    spec: &Spec,
    url: &Url,
    range: ByteRange,
) -> Result<(Option<Etag>, Option<u64>, Response)> {
    let (mut found, mut response) = request(hub, spec, url, range).await?;
    let mut starts = start_of(&response, range, found.size);
    if starts.is_none() {
        (found, response) = request(hub, spec, url, ByteRange::default()).await?;
        starts = start_of(&response, ByteRange::default(), found.size);
    }
    let starts = starts.ok_or_else(|| file_metadata::another_part(&response, range.first))?;
    response.skip(range.first - starts).await?;
    Ok((found.etag, found.size, response))
}

/// What a server announces about a file.
struct Announced {
    etag: Option<Etag>,
    size: Option<u64>,
}

async fn request(
    hub: &Hub,
    spec: &Spec,
    url: &Url,
    range: ByteRange,
) -> Result<(Announced, Response)> {
    let pinned = spec.revision.as_commit();
    let found = file_metadata::find(hub, url, range, pinned.as_ref()).await;
    let Found { etag, size, content } = found.map_err(unsatisfiable)?;
    let response = match content {
        Content::Here(response) => response,
        Content::There(target) => {
            let opened =
                file_metadata::open_content(hub, &target, range).await.map_err(unsatisfiable)?;
            if !etag.as_ref().is_some_and(Etag::is_proof) {
                file_metadata::check_kind(&opened, url)?;
            }
            opened
        }
        Content::InXet => return Err(file_metadata::only_in_xet(hub)),
    };
    Ok((Announced { etag, size }, response))
}

/// Returns where the body begins, if it contains the wanted bytes.
fn start_of(response: &Response, wanted: ByteRange, size: Option<u64>) -> Option<u64> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Some(0);
    }
    let (first, total) = file_metadata::part_of(response, wanted, size)?;
    (first <= wanted.first && fits(total, size)).then_some(first)
}

/// Returns one hasher for each announced checksum.
fn hashers(etag: &Etag, size: Option<u64>) -> Vec<(Checksum, Hasher)> {
    let hasher = |sum: &Checksum| Some((sum.clone(), Hasher::new(sum.proof(), size)?));
    etag.checksums().iter().filter_map(hasher).collect()
}

fn fits(total: Option<u64>, size: Option<u64>) -> bool {
    total.is_none() || size.is_none() || total == size
}

fn unsatisfiable(error: Error) -> Error {
    if error.status() == Some(416) { beyond(None).with_status(416) } else { error }
}

fn beyond(size: Option<u64>) -> Error {
    let size = size.map_or_else(String::new, |size| format!(", which has {size} bytes"));
    Error::new(ErrorKind::BadRequest, format!("the range starts after the end of the file{size}"))
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
