//! What the Hub says about a file before its first byte, and where the bytes are.
//!
//! One GET tells it all: the answer's headers are the metadata, and its body, if
//! wanted, is the file. The body of a redirect is never looked at, nor is its length.

use reqwest::{StatusCode, Url, header::HeaderMap};

use crate::{
    error::{Error, ErrorKind, Result},
    hub::{self, Hub, Span},
    names::{Commit, Etag},
    transport::{self, Response},
};

/// What is known about a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// The commit the revision stands for.
    pub commit: Commit,
    /// What identifies the content.
    pub etag: Etag,
    /// Its size in bytes, where the Hub tells.
    pub size: Option<u64>,
}

impl FileMetadata {
    /// Refuses a size that no file can have.
    pub fn check_size(&self) -> Result<()> {
        match self.size.filter(|size| i64::try_from(*size).is_err()) {
            None => Ok(()),
            Some(size) => {
                let message = format!("the Hub announces a file of {size} bytes");
                Err(Error::new(ErrorKind::InvalidResponse, message))
            }
        }
    }
}

/// A file found on the Hub.
#[derive(Debug)]
pub struct Located {
    /// What the headers said.
    pub metadata: FileMetadata,
    /// Where the bytes are.
    pub content: Content,
}

/// Where a file's bytes are.
#[derive(Debug)]
pub enum Content {
    /// In the body of the answer at hand.
    Here(Response),
    /// At another host, which must not see the token.
    There(Url),
}

/// Asks for a file. `span` is honoured where the Hub itself has the bytes.
/// `pinned` is the commit, where it is known already, and `known` what a listing has
/// told: then headers that are missing or odd do no harm.
pub async fn locate(
    hub: &Hub,
    url: &Url,
    span: Span,
    pinned: Option<&Commit>,
    known: Option<&FileMetadata>,
) -> Result<Located> {
    let mut url = url.clone();
    let mut facts = Facts::default();
    for _ in 0..=hub::MAX_HOPS {
        let response = hub.get(url.clone(), span).await?;
        if response.status() == StatusCode::NOT_MODIFIED || !response.status().is_redirection() {
            facts.take(response.headers());
            facts.size = facts.size.or_else(|| body_size(&response));
            let metadata = facts.metadata(hub, pinned, known)?;
            return Ok(Located { metadata, content: Content::Here(response) });
        }
        facts.take(response.headers());
        let target = hub::redirect_target(&response)?;
        // A mirror may send us to the real Hub, which then says what the mirror did not.
        if !hub.owns(&target) && (facts.is_complete() || known.is_some()) {
            return Ok(Located {
                metadata: facts.metadata(hub, pinned, known)?,
                content: Content::There(target),
            });
        }
        url = target;
    }
    Err(hub::too_many_redirects(&url))
}

/// Asks the host that stores the bytes, following its own redirects, never with the token.
pub async fn open_content(hub: &Hub, url: &Url, span: Span) -> Result<Response> {
    let mut url = url.clone();
    for _ in 0..=hub::MAX_HOPS {
        let response = hub.get(url.clone(), span).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        url = hub::redirect_target(&response)?;
        if hub.owns(&url) {
            let message =
                "the content host sends the request back to the Hub, which is not followed";
            return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(&url));
        }
    }
    Err(hub::too_many_redirects(&url))
}

/// The size of the whole file that an answer announces; `None` if it does not.
pub fn body_size(response: &Response) -> Option<u64> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => content_range(response)?.1,
        _ => response.header("content-length")?.parse().ok(),
    }
}

/// First byte and total size out of `Content-Range: bytes 5-9/10`.
pub fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let (range, total) =
        response.header("content-range")?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// Headers gathered over the hops; the latest answer wins. But what the Hub says about the content is
/// not given up for the `ETag` of whoever stores it, which may prove nothing.
#[derive(Default)]
struct Facts {
    commit: Option<String>,
    linked: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
}

impl Facts {
    fn take(&mut self, headers: &HeaderMap) {
        let header = |name| transport::text(headers, name).map(str::to_owned);
        self.commit = header("x-repo-commit").or(self.commit.take());
        self.linked = header("x-linked-etag").or(self.linked.take());
        self.etag = header("etag").or(self.etag.take());
        self.size = header("x-linked-size").and_then(|size| size.parse().ok()).or(self.size);
    }

    fn is_complete(&self) -> bool {
        self.commit.is_some() && self.etag().is_some()
    }

    fn etag(&self) -> Option<&str> {
        self.linked.as_deref().or(self.etag.as_deref())
    }

    fn metadata(
        &self,
        hub: &Hub,
        pinned: Option<&Commit>,
        known: Option<&FileMetadata>,
    ) -> Result<FileMetadata> {
        let commit = match (&self.commit, pinned) {
            (Some(text), _) => {
                Commit::parse(text).map_err(|error| error.with_kind(ErrorKind::InvalidResponse))?
            }
            (None, Some(pinned)) => pinned.clone(),
            (None, None) => return Err(not_a_hub(hub, "X-Repo-Commit")),
        };
        if let Some(pinned) = pinned.filter(|pinned| **pinned != commit) {
            let message = format!(
                "commit {pinned} was asked for, but the server answers with commit {commit}"
            );
            return Err(Error::new(ErrorKind::InvalidResponse, message));
        }
        let etag = match (self.etag().map(Etag::parse), known) {
            (Some(Ok(etag)), _) => etag,
            (_, Some(known)) => known.etag.clone(),
            (Some(Err(error)), None) => return Err(error),
            (None, None) => return Err(not_a_hub(hub, "ETag")),
        };
        Ok(FileMetadata { commit, etag, size: self.size })
    }
}

fn not_a_hub(hub: &Hub, header: &str) -> Error {
    let host = hub.endpoint.host_str().unwrap_or_default();
    let message = format!(
        "{host} answered without the {header} header, so it does not look like a Hugging Face Hub; \
         check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    );
    Error::new(ErrorKind::InvalidResponse, message).not_from_the_hub()
}
