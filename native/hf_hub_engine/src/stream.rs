//! A file's bytes as they come, for a reader that asks for each piece.
//!
//! Nothing is written to disk. The content is proved all the same: a wrong one
//! ends in an error after the last piece.

use bytes::Bytes;
use reqwest::Url;
use tokio::time::Instant;

use crate::{
    error::{Error, ErrorKind, Result},
    explain,
    hash::Hasher,
    hub::{self, Hub, Span},
    metadata::{self, Content, FileMetadata, Located},
    names::{EntryPath, Proof, Repo, Revision},
    progress::Progress,
    retry,
    transport::Response,
};

/// The largest file of unannounced length that is held in memory.
const HELD_BACK: usize = 32 << 20;

/// Which file.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The repository.
    pub repo: Repo,
    /// Branch, tag or commit.
    pub revision: Revision,
    /// The file.
    pub path: EntryPath,
}

/// An open file. Dropping it closes the connection.
pub struct FileStream {
    hub: Hub,
    spec: Spec,
    url: Url,
    metadata: FileMetadata,
    response: Option<Response>,
    hasher: Option<Hasher>,
    offset: u64,
    failures: u32,
    progress: Progress,
    deadline: Option<Instant>,
}

impl FileStream {
    /// Opens a file. Reconnects by itself later on, from the byte reached.
    pub async fn open(hub: Hub, spec: Spec, progress: Progress) -> Result<Self> {
        let url = hub.file_url(&spec.repo, &spec.revision, &spec.path);
        let deadline = hub.deadline.map(|deadline| Instant::now() + deadline);
        let opened =
            hub.within_deadline(hub.retrying(&progress, || open_at(&hub, &spec, &url, 0))).await;
        let (metadata, response) = opened.map_err(|error| explain(&hub, &spec, error))?;
        let hasher = Hasher::new(metadata.etag.proof(), metadata.size);
        Ok(Self {
            hub,
            spec,
            url,
            metadata,
            response: Some(response),
            hasher,
            offset: 0,
            failures: 0,
            progress,
            deadline,
        })
    }

    /// The next piece; `None` at the proved end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(deadline) = self.deadline else { return self.piece().await };
        if Instant::now() >= deadline {
            return Err(hub::too_late(&self.hub));
        }
        tokio::time::timeout_at(deadline, self.piece())
            .await
            .unwrap_or_else(|_| Err(hub::too_late(&self.hub)))
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        let held_back =
            self.metadata.etag.proof() == Proof::GitSha1 && self.metadata.size.is_none();
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
        if self.response.is_none() {
            let (metadata, response) =
                open_at(&self.hub, &self.spec, &self.url, self.offset).await?;
            if metadata.etag != self.metadata.etag {
                let message = "the file has changed on the Hub while it was read";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            self.response = Some(response);
        }
        let Some(response) = &mut self.response else { return Ok(None) };
        let Some(chunk) = response.chunk().await? else {
            return match self.metadata.size {
                Some(size) if self.offset < size => Err(Error::new(
                    ErrorKind::Transport,
                    "the connection ended before the file did",
                )),
                _ => Ok(None),
            };
        };
        self.offset += chunk.len() as u64;
        self.failures = 0;
        if self.metadata.size.is_some_and(|size| self.offset > size) {
            return Err(Error::new(
                ErrorKind::ChecksumMismatch,
                "the server sent more bytes than it announced",
            ));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&chunk);
        }
        Ok(Some(chunk))
    }

    /// A git object id begins with the length. Where the Hub does not tell it, the file,
    /// which is a small one then, is held back until it has been proved.
    async fn whole(&mut self) -> Result<Option<Bytes>> {
        let Some(response) = self.response.take() else { return Ok(None) };
        let body = response.bytes(HELD_BACK).await?;
        let size = body.len() as u64;
        self.hasher = Hasher::new(Proof::GitSha1, Some(size));
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&body);
        }
        self.prove()?;
        Ok(Some(body).filter(|body| !body.is_empty()))
    }

    async fn recover(&mut self, error: Error) -> Result<()> {
        self.response = None;
        self.failures += 1;
        match retry::decide(self.hub.retry, self.failures, &error) {
            Some(wait) => {
                hub::pause(&self.progress, &error, wait).await;
                Ok(())
            }
            None => Err(hub::tried(error, self.failures)),
        }
    }

    fn prove(&mut self) -> Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let (actual, expected) = (hasher.finish(), self.metadata.etag.as_str());
        if actual == expected {
            return Ok(());
        }
        let message = format!("the content's hash is {actual}, but the Hub announced {expected}");
        Err(Error::new(ErrorKind::ChecksumMismatch, message))
    }
}

async fn open_at(
    hub: &Hub,
    spec: &Spec,
    url: &Url,
    offset: u64,
) -> Result<(FileMetadata, Response)> {
    let pinned = spec.revision.as_commit();
    let Located { metadata, content } =
        metadata::locate(hub, url, Span::from(offset), pinned.as_ref(), None).await?;
    let response = match content {
        Content::Here(response) => response,
        Content::There(url) => metadata::open_content(hub, &url, Span::from(offset)).await?,
    };
    let starts = metadata::content_range(&response).map_or(0, |(first, _)| first);
    if starts != offset {
        let message =
            format!("the connection broke at byte {offset}, and the server cannot continue there");
        return Err(Error::new(ErrorKind::InvalidResponse, message));
    }
    Ok((metadata, response))
}

fn explain(hub: &Hub, spec: &Spec, error: Error) -> Error {
    let missing = error.kind() == ErrorKind::EntryNotFound;
    let error = explain::repository(hub, &spec.repo, &spec.revision, error).with_path(&spec.path);
    if missing {
        let message = explain::no_such_file(&spec.repo, &spec.revision, &spec.path);
        return error.with_message(message);
    }
    error
}
