//! The metadata of a file on the Hub, and where its content is.
//!
//! One GET is enough: the response headers contain the metadata, and the body, if wanted, is the
//! file. Body and length of a redirect are ignored. A HEAD request follows only if the GET lacks a
//! required header: some mirrors send all headers only in response to HEAD.
//!
//! A status of 200 proves nothing, since login pages and captive portals send it as well. Content
//! is accepted if a Hub has sent it, as the commit in its headers shows, or if it matches a
//! checksum that the endpoint announced.

mod facts;
mod range;

pub use range::{body_size, content_range, part_of};

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url, header::LOCATION};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::Etag,
        hint::Hint,
        ids::Commit,
    },
    hub::{
        client::{self, ByteRange, Hub},
        file_metadata::facts::Facts,
    },
    transport::{Response, host},
    xet,
};

/// The metadata of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// The commit that the revision points to.
    pub commit: Commit,
    /// The etag of the content.
    pub etag: Etag,
    /// Size in bytes, if the Hub announced it.
    pub size: Option<u64>,
    /// The file in Xet storage, if it is there.
    pub xet: Option<Arc<xet::File>>,
}

/// Returns an error for an impossible file size.
pub fn check_size(size: Option<u64>) -> Result<()> {
    match size.filter(|size| i64::try_from(*size).is_err()) {
        None => Ok(()),
        Some(size) => {
            let message = format!("the Hub announced a file of {size} bytes");
            Err(Error::new(ErrorKind::InvalidResponse, message))
        }
    }
}

/// A file on the Hub, with everything a cache needs.
#[derive(Debug)]
pub struct Located {
    /// The metadata of the headers.
    pub metadata: FileMetadata,
    /// Where the content is.
    pub content: Content,
    /// Whether the headers are those of a Hub.
    pub by_hub: bool,
}

/// A file that is read without storing it in a cache, so that it needs neither commit nor etag.
#[derive(Debug)]
pub struct Found {
    /// The etag, if there is one.
    pub etag: Option<Etag>,
    /// Size in bytes, if the Hub announced it.
    pub size: Option<u64>,
    /// The commit, if the Hub announced it.
    pub commit: Option<Commit>,
    /// The file in Xet storage, if it is there.
    pub xet: Option<xet::File>,
    /// Where the content is.
    pub content: Content,
}

/// Where a file's content is.
#[derive(Debug)]
pub enum Content {
    /// In the body of this response.
    Here(Response),
    /// At another host, which must not receive the token.
    There(Url),
    /// In Xet storage only.
    InXet,
}

/// What is known before the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The commit, if the revision is one.
    pub pinned: Option<&'a Commit>,
    /// The metadata of a listing, which makes missing or invalid headers harmless.
    pub known: Option<&'a FileMetadata>,
}

impl Given<'_> {
    fn commit(&self) -> Option<&Commit> {
        self.pinned.or(self.known.map(|known| &known.commit))
    }

    fn etag(&self) -> Option<&Etag> {
        self.known.map(|known| &known.etag)
    }

    /// Whether content from any host would be verified with a checksum that the Hub has listed.
    fn proves(&self) -> bool {
        self.etag().is_some_and(Etag::is_proof)
    }
}

/// A chain of redirects, up to the content.
struct Sought {
    facts: Facts,
    content: Content,
    /// Whether the response to the GET is that of a Hub.
    by_hub: bool,
}

/// Requests a file that is stored in a cache. `range` applies only if the Hub itself sends the
/// content.
pub async fn locate(hub: &Hub, url: &Url, range: ByteRange, given: Given<'_>) -> Result<Located> {
    let check = |sought: &Sought| {
        sought.check(hub, url, given)?;
        sought.facts.metadata(hub, given)
    };
    let (metadata, Sought { facts, content, .. }) = seek(hub, url, range, given, check).await?;
    Ok(Located { metadata, content, by_hub: facts.is_a_hubs() })
}

/// Requests a file that is only read.
pub async fn find(
    hub: &Hub,
    url: &Url,
    range: ByteRange,
    pinned: Option<&Commit>,
) -> Result<Found> {
    let given = Given { pinned, known: None };
    let check = |sought: &Sought| {
        sought.facts.check_pinned(given)?;
        sought.check_host(hub, url, given)
    };
    let ((), Sought { facts, content, .. }) = seek(hub, url, range, given, check).await?;
    let (etag, commit) = (facts.etag().ok(), facts.commit());
    Ok(Found { etag, commit, size: facts.size, xet: facts.xet(hub), content })
}

/// Sends a GET and, if `check` finds something missing, a HEAD.
async fn seek<T>(
    hub: &Hub,
    url: &Url,
    range: ByteRange,
    given: Given<'_>,
    check: impl Fn(&Sought) -> Result<T>,
) -> Result<(T, Sought)> {
    let mut sought = follow(hub, Method::GET, url, range, given).await?;
    if let Ok(checked) = check(&sought) {
        return Ok((checked, sought));
    }
    match follow(hub, Method::HEAD, url, ByteRange::default(), given).await {
        Ok(head) => sought.facts.fill(head.facts),
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => {}
    }
    Ok((check(&sought)?, sought))
}

/// Follows redirects within the endpoint, and to the public Hub while the commit is unknown.
async fn follow(
    hub: &Hub,
    method: Method,
    url: &Url,
    range: ByteRange,
    given: Given<'_>,
) -> Result<Sought> {
    let mut url = url.clone();
    let mut facts = Facts::new(hub.is_in_bucket(&url));
    for _ in 0..=client::MAX_HOPS {
        let response = hub.fetch(method.clone(), url.clone(), range).await?;
        facts.take(response.headers());
        if response.status() == StatusCode::NOT_MODIFIED || !response.status().is_redirection() {
            facts.size = facts.size.or_else(|| body_size(&response));
            return Ok(Sought::new(facts, Content::Here(response)));
        }
        if response.headers().get(LOCATION).is_none() && facts.xet(hub).is_some() {
            return Ok(Sought::new(facts, Content::InXet));
        }
        let target = client::redirect_target(&response)?;
        // A mirror may redirect to the public Hub, whose headers include what the mirror's lack.
        let incomplete = !facts.is_complete() && given.known.is_none();
        let named = facts.is_a_hubs() || client::is_public(&target) || is_upgrade(&url, &target);
        let is_followed = hub.owns(&target) || (incomplete && named);
        if !is_followed {
            return Ok(Sought::new(facts, Content::There(target)));
        }
        url = target;
    }
    Err(client::too_many_redirects(&url))
}

impl Sought {
    fn new(facts: Facts, content: Content) -> Self {
        Self { by_hub: facts.is_a_hubs(), facts, content }
    }

    /// Rejects a response that has nothing but its status to show that it is a file.
    fn check(&self, hub: &Hub, url: &Url, given: Given<'_>) -> Result<()> {
        self.check_host(hub, url, given)?;
        if self.facts.is_a_hubs() || given.proves() || self.facts.is_proof() {
            return Ok(());
        }
        Err(not_a_hub(hub, "X-Repo-Commit"))
    }

    /// Rejects an unexpected HTML page, and a host that neither a setting nor a Hub names.
    fn check_host(&self, hub: &Hub, url: &Url, given: Given<'_>) -> Result<()> {
        match &self.content {
            _ if self.by_hub || given.proves() => Ok(()),
            Content::Here(response) => check_kind(response, url),
            Content::InXet => Ok(()),
            Content::There(_) if self.facts.is_a_hubs() || self.facts.is_linked() => Ok(()),
            Content::There(target) => Err(strayed(hub, target)),
        }
    }
}

/// Whether a redirect leads to the same host, from http to https.
fn is_upgrade(from: &Url, to: &Url) -> bool {
    let ports = (from.port_or_known_default(), to.port_or_known_default());
    let same_port = ports == (Some(80), Some(443)) || ports.0 == ports.1;
    (from.scheme(), to.scheme()) == ("http", "https") && from.host() == to.host() && same_port
}

/// Requests the content from the content host, following its redirects, never with the token.
pub async fn open_content(hub: &Hub, url: &Url, range: ByteRange) -> Result<Response> {
    let mut url = url.clone();
    for _ in 0..=client::MAX_HOPS {
        let response = hub.get(url.clone(), range).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let here = host(&url).to_owned();
        url = client::redirect_target(&response)?;
        if hub.owns(&url) {
            let message =
                format!("{here} redirects content back to the Hub, which is not followed");
            return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(&url));
        }
    }
    Err(client::too_many_redirects(&url))
}

/// Rejects an HTML page if the file at `url` is not HTML.
pub fn check_kind(response: &Response, url: &Url) -> Result<()> {
    const PAGES: [&str; 4] = [".html", ".htm", ".xhtml", ".shtml"];
    let kind = response.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    let name = url.path().to_ascii_lowercase();
    if !kind.starts_with("text/html") || PAGES.iter().any(|ending| name.ends_with(ending)) {
        return Ok(());
    }
    let host = response.url().host_str().unwrap_or_default();
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let message =
        format!("{host} sent an HTML page instead of \"{name}\", probably a login or error page");
    let error = Error::new(ErrorKind::InvalidResponse, message).with_url(response.url());
    Err(error.not_from_the_hub().with_hints([Hint::CheckEndpoint]))
}

/// Returns the error for a 206 response with other bytes than requested, or without their position.
pub(crate) fn another_part(response: &Response, first: u64) -> Error {
    let sent = match response.header("content-range") {
        Some(_) => "the server sent another range",
        None => "the server sent a range without the Content-Range header",
    };
    Error::new(ErrorKind::Transport, format!("requested the range from byte {first}, and {sent}"))
        .with_status(response.status().as_u16())
        .with_url(response.url())
}

/// Returns the error for content that HTTP does not lead to.
pub(crate) fn only_in_xet(hub: &Hub) -> Error {
    let why = if hub.xet.is_usable() { "" } else { ", which this call cannot use" };
    let message = format!("the Hub has this file in Xet storage only{why}");
    Error::new(ErrorKind::InvalidResponse, message).permanent()
}

fn strayed(hub: &Hub, target: &Url) -> Error {
    let host = hub.endpoint.host_str().unwrap_or_default();
    let other = target.host_str().unwrap_or_default();
    let message = format!(
        "{host} redirects to {other} without the X-Repo-Commit header, so it does not look like a Hugging Face Hub \
         and the redirect is not followed"
    );
    let error = Error::new(ErrorKind::InvalidResponse, message).not_from_the_hub();
    error.with_hints([Hint::CheckEndpoint])
}

fn not_a_hub(hub: &Hub, header: &str) -> Error {
    let host = hub.endpoint.host_str().unwrap_or_default();
    let message = format!(
        "{host} responded without the {header} header, so it does not look like a Hugging Face Hub"
    );
    let error = Error::new(ErrorKind::InvalidResponse, message).not_from_the_hub();
    error.with_hints([Hint::CheckEndpoint])
}

#[cfg(test)]
mod tests;
