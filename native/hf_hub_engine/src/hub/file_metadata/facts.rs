//! Collects the headers of all responses of a redirect chain.

use std::sync::Arc;

use reqwest::header::{HeaderMap, LINK};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::{Checksum, Etag, Proof},
        ids::Commit,
    },
    hub::{
        client::Hub,
        file_metadata::{FileMetadata, Given, not_a_hub},
    },
    transport, xet,
};

/// The collected headers; the latest response takes precedence. But what the Hub announces about
/// the content is not replaced by the `ETag` of its content host, which may be no checksum.
#[derive(Default)]
pub(super) struct Facts {
    /// Whether the file is in a bucket, which has no commits: there, the Xet hash stands for one.
    in_bucket: bool,
    commit: Option<String>,
    linked: Option<String>,
    etag: Option<String>,
    /// Checksums in separate headers, as Artifactory sends them.
    checksums: Vec<Checksum>,
    /// The size of the file.
    pub(super) size: Option<u64>,
    xet_hash: Option<String>,
    xet_route: Option<String>,
}

impl Facts {
    /// Creates the facts about a file.
    pub(super) fn new(in_bucket: bool) -> Self {
        Self { in_bucket, ..Self::default() }
    }

    /// Adds the headers of one more response.
    pub(super) fn take(&mut self, headers: &HeaderMap) {
        let header = |name| headers.get(name).map(|value| lossless(value.as_bytes()));
        let name = if self.in_bucket { "x-xet-hash" } else { "x-repo-commit" };
        self.commit = header(name).or(self.commit.take());
        self.linked = header("x-linked-etag").or(self.linked.take());
        self.etag = header("etag").or(self.etag.take());
        let size = transport::text(headers, "x-linked-size").and_then(|size| size.parse().ok());
        self.size = size.or(self.size);
        self.xet_hash = header("x-xet-hash").or(self.xet_hash.take());
        let links = headers.get_all(LINK).iter().filter_map(|links| links.to_str().ok());
        let mut targets = links.filter_map(|links| xet::related(links, "xet-auth"));
        let route = header("x-xet-refresh-route").or(targets.next().map(str::to_owned));
        self.xet_route = route.or(self.xet_route.take());
        let sums = [("x-checksum-sha256", Proof::Sha256), ("x-checksum-sha1", Proof::Sha1)];
        let sums: Vec<_> = sums
            .iter()
            .filter_map(|(name, proof)| Checksum::parse(*proof, &header(*name)?))
            .collect();
        if !sums.is_empty() {
            self.checksums = sums;
        }
    }

    /// Adds the headers of a HEAD response. If only they are those of a Hub, they take precedence
    /// over those of the GET.
    pub(super) fn fill(&mut self, mut head: Self) {
        // Some servers send a length of zero in every HEAD response.
        self.size = self.size.or(head.size.filter(|size| *size > 0));
        head.size = self.size;
        if self.commit.is_none() && head.commit.is_some() {
            std::mem::swap(self, &mut head);
        }
        self.commit = self.commit.take().or(head.commit);
        self.linked = self.linked.take().or(head.linked);
        self.etag = self.etag.take().or(head.etag);
        if self.checksums.is_empty() {
            self.checksums = head.checksums;
        }
        self.xet_hash = self.xet_hash.take().or(head.xet_hash);
        self.xet_route = self.xet_route.take().or(head.xet_route);
    }

    /// Returns the file in Xet storage, if it is there. The token for the Hub is sent to no other
    /// route than one of the endpoint.
    pub(super) fn xet(&self, hub: &Hub) -> Option<xet::File> {
        let route = self.xet_route.as_ref().and_then(|route| hub.endpoint.join(route).ok());
        xet::File::new(self.xet_hash.as_deref()?, route.filter(|route| hub.owns(route)))
    }

    /// Returns the commit, if it has a valid name.
    pub(super) fn commit(&self) -> Option<Commit> {
        Commit::parse(self.commit.as_deref()?).ok()
    }

    /// Whether a Hub has responded.
    pub(super) fn is_a_hubs(&self) -> bool {
        self.commit.is_some()
    }

    /// Whether a Hub describes the target of a redirect: login pages have no checksum in this
    /// header.
    pub(super) fn is_linked(&self) -> bool {
        let linked = self.linked.as_deref().map(Etag::parse);
        linked.is_some_and(|etag| etag.is_ok_and(|etag| etag.is_proof()))
    }

    /// Whether nothing is missing for storing the file in a cache.
    pub(super) fn is_complete(&self) -> bool {
        self.commit.is_some() && (self.linked.is_some() || self.etag.is_some())
    }

    /// Whether the content can be verified with an announced checksum.
    pub(super) fn is_proof(&self) -> bool {
        self.etag().is_ok_and(|etag| etag.is_proof())
    }

    /// Returns the etag, with all announced checksums.
    pub(super) fn etag(&self) -> Result<Etag> {
        // A Xet hash has as many digits as a SHA-256, and is none.
        let hash = self.commit.as_ref().filter(|_| self.in_bucket);
        if let Some(hash) = hash.filter(|hash| !self.names_another(hash)) {
            return Etag::parse(&format!("xet-{hash}"));
        }
        let parse = |text: &Option<String>| text.as_deref().map(Etag::parse);
        let etag = match (parse(&self.linked), parse(&self.etag)) {
            (Some(Ok(linked)), Some(Ok(own))) if !linked.is_proof() => {
                linked.or(own.checksums().iter().cloned())
            }
            (Some(Ok(etag)), _) | (Some(Err(_)) | None, Some(Ok(etag))) => etag,
            (Some(Err(error)), _) | (None, Some(Err(error))) => return Err(error),
            (None, None) => {
                return Err(Error::new(ErrorKind::InvalidResponse, "the ETag header is missing"));
            }
        };
        let etag = etag.or(self.checksums.iter().cloned());
        match self.commit.as_deref().map(Commit::parse) {
            Some(Ok(commit)) => Ok(etag.at(&commit)),
            _ => Ok(etag),
        }
    }

    /// Whether an etag is there that is not the Xet hash.
    fn names_another(&self, hash: &str) -> bool {
        let bare = |text: &String| text.trim_start_matches("W/").trim_matches('"') != hash;
        self.linked.as_ref().or(self.etag.as_ref()).is_some_and(bare)
    }

    /// Returns an error if the file is of another commit than the requested one.
    pub(super) fn check_pinned(&self, given: Given<'_>) -> Result<()> {
        let (Some(pinned), Some(commit)) = (given.pinned, &self.commit) else { return Ok(()) };
        if pinned.as_str().eq_ignore_ascii_case(commit) {
            return Ok(());
        }
        let shown: String = commit.chars().take(200).collect();
        let message =
            format!("requested commit {pinned}, but the server responded with commit {shown:?}");
        Err(Error::new(ErrorKind::InvalidResponse, message))
    }

    /// Returns the metadata that a cache needs.
    pub(super) fn metadata(&self, hub: &Hub, given: Given<'_>) -> Result<FileMetadata> {
        let commit = match (&self.commit, given.commit()) {
            (Some(text), _) => {
                Commit::parse(text).map_err(|error| error.with_kind(ErrorKind::InvalidResponse))?
            }
            (None, Some(commit)) => commit.clone(),
            (None, None) => return Err(not_a_hub(hub, "X-Repo-Commit")),
        };
        self.check_pinned(given)?;
        let commit = given.pinned.cloned().unwrap_or(commit);
        let etag = match (self.etag(), given.etag()) {
            (Ok(etag), _) => etag,
            (_, Some(known)) => known.clone(),
            (Err(_), None) if self.linked.is_none() && self.etag.is_none() => {
                return Err(not_a_hub(hub, "ETag"));
            }
            (Err(error), None) => return Err(error),
        };
        Ok(FileMetadata { commit, etag, size: self.size, xet: self.xet(hub).map(Arc::new) })
    }
}

/// Converts a header to text; other bytes are escaped, so that different values stay different.
fn lossless(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| value.escape_ascii().to_string(), str::to_owned)
}
