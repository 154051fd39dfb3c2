//! What the Hub says about a file before its first byte, and where the bytes are.
//!
//! One GET is enough: the response's headers are the metadata, and its body, if
//! wanted, is the file. The body of a redirect is never looked at, nor is its length.
//! A HEAD follows only where the GET lacks a header that is needed: some mirrors answer
//! only that with all of them.
//!
//! A status of 200 alone proves nothing, since login pages and captive portals send it, too.
//! Content counts if a Hub has sent it, which the commit in its headers shows, or if a
//! checksum that the endpoint announces proves it.

mod facts;
mod range;

pub use range::{body_size, content_range, part_of};

use reqwest::{Method, StatusCode, Url};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        etag::Etag,
        ids::Commit,
    },
    hub::{
        client::{self, Hub, Span},
        file_metadata::facts::Facts,
    },
    transport::Response,
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

/// Refuses a size that no file can have.
pub fn check_size(size: Option<u64>) -> Result<()> {
    match size.filter(|size| i64::try_from(*size).is_err()) {
        None => Ok(()),
        Some(size) => {
            let message = format!("the Hub announces a file of {size} bytes");
            Err(Error::new(ErrorKind::InvalidResponse, message))
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
    /// Whether the headers say that they are a Hub's.
    pub by_hub: bool,
}

/// A file that is read without a place in a cache, so that it needs neither commit nor etag.
#[derive(Debug)]
pub struct Found {
    /// The etag, if there is one.
    pub etag: Option<Etag>,
    /// The size in bytes, where the Hub announces it.
    pub size: Option<u64>,
    /// Where the bytes are.
    pub content: Content,
}

/// Where a file's bytes are.
#[derive(Debug)]
pub enum Content {
    /// In the body of the response at hand.
    Here(Response),
    /// At another host, which must not see the token.
    There(Url),
}

/// What is known before the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The commit, if the revision is one.
    pub pinned: Option<&'a Commit>,
    /// The metadata of a listing: headers that are missing or odd do no harm then.
    pub known: Option<&'a FileMetadata>,
}

impl Given<'_> {
    fn commit(&self) -> Option<&Commit> {
        self.pinned.or(self.known.map(|known| &known.commit))
    }

    fn etag(&self) -> Option<&Etag> {
        self.known.map(|known| &known.etag)
    }

    /// Whether content from anywhere would be compared with a checksum that the Hub has listed.
    fn proves(&self) -> bool {
        self.etag().is_some_and(Etag::is_proof)
    }
}

/// A chain of responses, up to the content.
struct Sought {
    facts: Facts,
    content: Content,
    /// Whether the response to the GET says that it is a Hub's.
    by_hub: bool,
}

/// Asks for a file that gets a place in a cache. `span` is honoured where the Hub itself has the bytes.
pub async fn locate(hub: &Hub, url: &Url, span: Span, given: Given<'_>) -> Result<Located> {
    let check = |sought: &Sought| {
        sought.check(hub, url, given)?;
        sought.facts.metadata(hub, given)
    };
    let (metadata, Sought { facts, content, .. }) = seek(hub, url, span, given, check).await?;
    Ok(Located { metadata, content, by_hub: facts.is_a_hubs() })
}

/// Asks for a file that is only read.
pub async fn find(hub: &Hub, url: &Url, span: Span, pinned: Option<&Commit>) -> Result<Found> {
    let given = Given { pinned, known: None };
    let check = |sought: &Sought| {
        sought.facts.check_pinned(given)?;
        sought.check_host(hub, url, given)
    };
    let ((), Sought { facts, content, .. }) = seek(hub, url, span, given, check).await?;
    Ok(Found { etag: facts.etag().ok(), size: facts.size, content })
}

/// Asks with GET and, if `check` finds something missing, once more with HEAD.
async fn seek<T>(
    hub: &Hub,
    url: &Url,
    span: Span,
    given: Given<'_>,
    check: impl Fn(&Sought) -> Result<T>,
) -> Result<(T, Sought)> {
    let mut sought = follow(hub, Method::GET, url, span, given).await?;
    if let Ok(checked) = check(&sought) {
        return Ok((checked, sought));
    }
    match follow(hub, Method::HEAD, url, Span::default(), given).await {
        Ok(head) => sought.facts.fill(head.facts),
        Err(error) if error.is_transient() => return Err(error),
        Err(_) => {}
    }
    Ok((check(&sought)?, sought))
}

/// Follows redirects within the endpoint, and to the public Hub as long as the commit is not known.
async fn follow(
    hub: &Hub,
    method: Method,
    url: &Url,
    span: Span,
    given: Given<'_>,
) -> Result<Sought> {
    let mut url = url.clone();
    let mut facts = Facts::default();
    for _ in 0..=client::MAX_HOPS {
        let response = hub.fetch(method.clone(), url.clone(), span).await?;
        facts.take(response.headers());
        if response.status() == StatusCode::NOT_MODIFIED || !response.status().is_redirection() {
            facts.size = facts.size.or_else(|| body_size(&response));
            return Ok(Sought::new(facts, Content::Here(response)));
        }
        let target = client::redirect_target(&response)?;
        // A mirror may redirect to the public Hub, whose headers have what the mirror's lack.
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

    /// Refuses a response that only its status makes a file.
    fn check(&self, hub: &Hub, url: &Url, given: Given<'_>) -> Result<()> {
        self.check_host(hub, url, given)?;
        if self.facts.is_a_hubs() || given.proves() || self.facts.is_proof() {
            return Ok(());
        }
        Err(not_a_hub(hub, "X-Repo-Commit"))
    }

    /// Refuses a page that was not asked for, and a host that neither a setting nor a Hub names.
    fn check_host(&self, hub: &Hub, url: &Url, given: Given<'_>) -> Result<()> {
        match &self.content {
            _ if self.by_hub || given.proves() => Ok(()),
            Content::Here(response) => check_kind(response, url),
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

/// Asks the host that stores the bytes, following its own redirects, never with the token.
pub async fn open_content(hub: &Hub, url: &Url, span: Span) -> Result<Response> {
    let mut url = url.clone();
    for _ in 0..=client::MAX_HOPS {
        let response = hub.get(url.clone(), span).await?;
        if !response.status().is_redirection() {
            return Ok(response);
        }
        url = client::redirect_target(&response)?;
        if hub.owns(&url) {
            let message =
                "the content host sends the request back to the Hub, which is not followed";
            return Err(Error::new(ErrorKind::InvalidResponse, message).with_url(&url));
        }
    }
    Err(client::too_many_redirects(&url))
}

/// Refuses an HTML page where the file at `url` is none.
pub fn check_kind(response: &Response, url: &Url) -> Result<()> {
    const PAGES: [&str; 4] = [".html", ".htm", ".xhtml", ".shtml"];
    let kind = response.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    let name = url.path().to_ascii_lowercase();
    if !kind.starts_with("text/html") || PAGES.iter().any(|ending| name.ends_with(ending)) {
        return Ok(());
    }
    let host = response.url().host_str().unwrap_or_default();
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let message = format!(
        "{host} sent an HTML page instead of \"{name}\", probably a login or error page; \
         check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    );
    Err(Error::new(ErrorKind::InvalidResponse, message).with_url(response.url()).not_from_the_hub())
}

/// The error for a 206 that has not the bytes that were asked for, or does not say which.
pub(crate) fn another_part(response: &Response, first: u64) -> Error {
    let sent = match response.header("content-range") {
        Some(_) => "the server sent another part",
        None => "the server sent a part without the Content-Range header",
    };
    Error::new(ErrorKind::Transport, format!("byte {first} was asked for and {sent}"))
        .with_status(response.status().as_u16())
        .with_url(response.url())
}

fn strayed(hub: &Hub, target: &Url) -> Error {
    let host = hub.endpoint.host_str().unwrap_or_default();
    let other = target.host_str().unwrap_or_default();
    let message = format!(
        "{host} redirects to {other} without the X-Repo-Commit header, so it does not look like a Hugging Face Hub \
         and the redirect is not followed; check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    );
    Error::new(ErrorKind::InvalidResponse, message).not_from_the_hub()
}

fn not_a_hub(hub: &Hub, header: &str) -> Error {
    let host = hub.endpoint.host_str().unwrap_or_default();
    let message = format!(
        "{host} answered without the {header} header, so it does not look like a Hugging Face Hub; \
         check :endpoint and HF_ENDPOINT, and any proxy or mirror in between"
    );
    Error::new(ErrorKind::InvalidResponse, message).not_from_the_hub()
}

#[cfg(test)]
mod tests;
