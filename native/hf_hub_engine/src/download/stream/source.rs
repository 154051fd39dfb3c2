//! Opens a file at a position, over HTTP or from Xet storage, and reads it piece by piece.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use reqwest::{StatusCode, Url};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        ids::Commit,
        progress::Progress,
        sizes,
    },
    download::stream::{Part, Spec},
    hub::{
        client::{ByteRange, Hub},
        file_metadata::{self, Content, Found},
        xet_access,
    },
    transfer::{LONG_PLAN_TIMEOUT, PLAN_TIMEOUT},
    transport::Response,
    xet::{self, Access, Download, Storage},
};

/// Maximum number of bytes of a piece: those from a storage are larger.
const PIECE: usize = 256 << 10;

/// Where bytes come from, or are to come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// HTTP, unless the file is only in Xet storage.
    Http,
    /// Xet storage, if the file is there.
    Xet,
}

/// What a file is opened with.
pub(super) struct Start<'a> {
    pub(super) hub: &'a Hub,
    pub(super) spec: &'a Spec,
    pub(super) url: &'a Url,
    pub(super) progress: &'a Progress,
    /// Whether the file has turned out to be in Xet storage, too.
    pub(super) in_xet: AtomicBool,
}

/// An opened file.
pub(super) struct Opened {
    pub(super) etag: Option<Etag>,
    pub(super) size: Option<u64>,
    /// The same, or what the response shows.
    total: Option<u64>,
    /// The range to read.
    pub(super) range: ByteRange,
    /// Whether both ways lead to the content.
    pub(super) has_both: bool,
    pub(super) source: Source,
}

/// Where bytes come from. Dropping it closes the connection.
pub(super) enum Source {
    Http(Box<Response>),
    Xet(Box<FromXet>),
}

/// A download from Xet storage.
pub(super) struct FromXet {
    pieces: Box<dyn Download>,
    /// What is left of the last piece.
    left: Bytes,
    access: Access,
    hub: Hub,
    _storage: Arc<dyn Storage>,
}

impl Source {
    pub(super) fn by(&self) -> By {
        match self {
            Self::Http(_) => By::Http,
            Self::Xet(_) => By::Xet,
        }
    }

    /// Returns the next bytes; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        match self {
            Self::Http(response) => response.chunk().await,
            Self::Xet(file) => file.chunk().await,
        }
    }

    /// Returns all bytes, at most so many.
    pub(super) async fn bytes(self, most: usize) -> Result<Bytes> {
        match self {
            Self::Http(response) => response.bytes(most).await,
            Self::Xet(_) => {
                let message = "a file in Xet storage has a size and needs not be held back";
                Err(Error::new(ErrorKind::Internal, message))
            }
        }
    }
}

impl FromXet {
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        while self.left.is_empty() {
            match self.pieces.next().await {
                Ok(Some((_, piece))) => self.left = piece,
                Ok(None) => return Ok(None),
                Err(error) => return Err(rejected(&self.hub, &self.access, error)),
            }
        }
        Ok(Some(self.left.split_to(self.left.len().min(PIECE))))
    }
}

impl<'a> Start<'a> {
    pub(super) fn new(hub: &'a Hub, spec: &'a Spec, url: &'a Url, progress: &'a Progress) -> Self {
        Self { hub, spec, url, progress, in_xet: AtomicBool::new(false) }
    }

    /// Opens the part of the file that is wanted.
    pub(super) async fn open(&self, by: By) -> Result<Opened> {
        let wanted = match self.spec.part {
            Part::Whole => ByteRange::default(),
            Part::Range(range) => range,
            Part::Last(bytes) => self.last(bytes).await?,
        };
        let opened = self.open_at(wanted, by).await?;
        match opened.total.filter(|total| wanted.first > *total) {
            Some(total) => Err(beyond(Some(total))),
            None => Ok(opened),
        }
    }

    /// Returns the range of the last `bytes` of a file, which requires its size.
    async fn last(&self, bytes: u64) -> Result<ByteRange> {
        let pinned = self.spec.revision.as_commit();
        let none = ByteRange::default();
        let found = file_metadata::find(self.hub, self.url, none, pinned.as_ref()).await?;
        let size = found.size.ok_or_else(|| {
            let message =
                "the Hub does not announce the size of the file, so its end cannot be found";
            Error::new(ErrorKind::InvalidResponse, message)
        })?;
        Ok(ByteRange { first: size.saturating_sub(bytes), end: Some(size) })
    }

    /// Opens the file at a position. If the server does not serve that range, a plain GET is the
    /// last resort.
    pub(super) async fn open_at(&self, range: ByteRange, by: By) -> Result<Opened> {
        let found = self.find(range).await?;
        file_metadata::check_size(found.size)?;
        if let Some(file) = self.in_xet(&found, by) {
            return Box::pin(self.open_in_xet(file, &found, range)).await;
        }
        let has_both = self.in_xet(&found, By::Xet).is_some();
        self.in_xet.store(has_both, Relaxed);
        let (mut facts, mut response) = self.request(found, range).await?;
        let mut starts = start_of(&response, range, facts.1);
        if starts.is_none() {
            let whole = ByteRange::default();
            (facts, response) = self.request(self.find(whole).await?, whole).await?;
            starts = start_of(&response, whole, facts.1);
        }
        let starts = starts.ok_or_else(|| file_metadata::another_part(&response, range.first))?;
        let (etag, size) = facts;
        let total = size.or_else(|| file_metadata::body_size(&response));
        response.skip(range.first - starts).await?;
        let (range, source) = (within(range, total), Source::Http(Box::new(response)));
        Ok(Opened { etag, size, total, range, has_both, source })
    }

    async fn find(&self, range: ByteRange) -> Result<Found> {
        let pinned = self.spec.revision.as_commit();
        let found = file_metadata::find(self.hub, self.url, range, pinned.as_ref()).await;
        found.map_err(unsatisfiable)
    }

    async fn request(
        &self,
        found: Found,
        range: ByteRange,
    ) -> Result<((Option<Etag>, Option<u64>), Response)> {
        let Found { etag, size, content, .. } = found;
        let response = match content {
            Content::Here(response) => response,
            Content::There(target) => {
                let opened = file_metadata::open_content(self.hub, &target, range).await;
                let opened = opened.map_err(unsatisfiable)?;
                if !etag.as_ref().is_some_and(Etag::is_proof) {
                    file_metadata::check_kind(&opened, self.url)?;
                }
                opened
            }
            Content::InXet => return Err(file_metadata::only_in_xet(self.hub)),
        };
        Ok(((etag, size), response))
    }

    /// Returns the file in Xet storage, if its bytes are to come from there. Where there is a
    /// choice, only content that can be verified does.
    fn in_xet<'b>(&self, found: &'b Found, by: By) -> Option<&'b xet::File> {
        let sums = found.etag.as_ref().map(Etag::checksums).unwrap_or_default();
        let is_verifiable = sums.iter().map(Checksum::proof).any(|proof| proof == Proof::Sha256);
        let is_wanted = matches!(found.content, Content::InXet) || (by == By::Xet && is_verifiable);
        let is_possible = self.hub.xet.is_usable() && found.size.is_some_and(|size| size > 0);
        found.xet.as_ref().filter(|_| is_wanted && is_possible)
    }

    async fn open_in_xet(
        &self,
        file: &xet::File,
        found: &Found,
        range: ByteRange,
    ) -> Result<Opened> {
        let (hub, size) = (self.hub, found.size.unwrap_or_default());
        let has_both = !matches!(found.content, Content::InXet);
        if range.first >= size {
            return Err(beyond(Some(size)));
        }
        let range = within(range, Some(size));
        let named = || Commit::parse(self.spec.revision.as_str());
        let commit = found.commit.clone().map_or_else(named, Ok)?;
        let once = Hub { retry: hub.retry.once(), ..hub.clone() };
        let access =
            xet_access::to_read(&once, &self.spec.repo, &commit, file, self.progress).await?;
        let storage = hub.xet.storage(None)?;
        let plan_timeout = if has_both { PLAN_TIMEOUT } else { LONG_PLAN_TIMEOUT };
        let bytes = range.first..range.end.unwrap_or(size);
        let order = xet::Order::OfTheFile;
        let part = xet::Part { ranges: vec![bytes], order, plan_timeout };
        let pieces = storage.download(&access, file, part).await;
        let pieces = pieces.map_err(|error| rejected(hub, &access, error))?;
        let (left, hub) = (Bytes::new(), hub.clone());
        let source = FromXet { pieces, left, access, hub, _storage: storage };
        let (etag, source) = (found.etag.clone(), Source::Xet(Box::new(source)));
        Ok(Opened { etag, size: Some(size), total: Some(size), range, has_both, source })
    }
}

/// Forgets access that the storage has rejected.
fn rejected(hub: &Hub, access: &Access, error: Error) -> Error {
    if error.kind() == ErrorKind::Unauthorized {
        hub.xet.shared.forget(access);
    }
    error
}

/// Returns the part of a range that exists in a file of this size.
fn within(range: ByteRange, size: Option<u64>) -> ByteRange {
    let end = match (range.end, size) {
        (Some(end), Some(size)) => Some(end.min(size)),
        (end, size) => end.or(size),
    };
    ByteRange { end, ..range }
}

/// Returns where the body begins, if it contains the wanted bytes.
fn start_of(response: &Response, wanted: ByteRange, size: Option<u64>) -> Option<u64> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Some(0);
    }
    let (first, total) = file_metadata::part_of(response, wanted, size)?;
    (first <= wanted.first && fits(total, size)).then_some(first)
}

fn fits(total: Option<u64>, size: Option<u64>) -> bool {
    total.is_none() || size.is_none() || total == size
}

fn unsatisfiable(error: Error) -> Error {
    if error.status() == Some(416) { beyond(None).with_status(416) } else { error }
}

fn beyond(size: Option<u64>) -> Error {
    let has = |size| format!(", which has {}", sizes::counted(size, "bytes"));
    let size = size.map_or_else(String::new, has);
    Error::new(ErrorKind::BadRequest, format!("the range starts after the end of the file{size}"))
}
