//! Reads a list page by page, each page once.
//!
//! All lists of a Hub are read here, with one limit on their length and one rule for the links
//! between pages.

use std::collections::HashSet;

use reqwest::{
    Url,
    header::{HeaderMap, LINK},
};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        hint::Hint,
        progress::Progress,
        sizes::human,
    },
    hub::{
        api::{ApiResponse, Call},
        client::Hub,
    },
};

/// Limits of a list.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of pages.
    pub pages: usize,
    /// Maximum total size of all pages, in bytes.
    pub bytes: u64,
}

impl Limits {
    /// More than any list of a Hub has, and what may be held in memory.
    pub const STANDARD: Self = Self { pages: 10_000, bytes: 1 << 30 };
}

/// The URL of a following page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// At the configured endpoint.
    pub home: Url,
    /// As the server wrote it, if that is another host.
    pub sent: Option<Url>,
}

/// The position in a list.
#[derive(Debug)]
pub struct Pages {
    limits: Limits,
    next: Option<Next>,
    seen: HashSet<Url>,
    read: u64,
    /// Whether only the links as the server wrote them worked.
    away: bool,
}

/// A list whose pages a caller asks for one by one.
#[derive(Debug)]
pub struct List {
    pages: Pages,
    /// Whether the URL of each request names its page, because the pages have no links.
    named: bool,
}

impl List {
    /// A list of which nothing has been read.
    pub fn new(limits: Limits, named: bool) -> Self {
        Self { pages: Pages::new(limits), named }
    }

    /// Reads the page at `call`, or the one that follows the last one read.
    pub async fn page(
        &mut self,
        hub: &Hub,
        call: &Call,
        progress: &Progress,
    ) -> Result<ApiResponse> {
        if self.named {
            return self.pages.named(hub, call, progress).await;
        }
        let page = self.pages.next(hub, call, progress).await?;
        page.ok_or_else(|| Error::new(ErrorKind::Internal, "the list has no further page"))
    }
}

impl Pages {
    /// Creates the position at the start of a list.
    pub fn new(limits: Limits) -> Self {
        Self { limits, next: None, seen: HashSet::new(), read: 0, away: false }
    }

    /// Reads the page at `first`, or the one that follows the last page read; `None` after the last
    /// page.
    pub async fn next(
        &mut self,
        hub: &Hub,
        first: &Call,
        progress: &Progress,
    ) -> Result<Option<ApiResponse>> {
        let next = match self.next.take() {
            Some(next) => next,
            None if self.seen.is_empty() => Next { home: first.url.clone(), sent: None },
            None => return Ok(None),
        };
        if self.seen.len() >= self.limits.pages {
            return Err(endless(
                &first.url,
                &format!("too many pages (over {})", self.limits.pages),
            ));
        }
        let (url, answer) = self.fetch(hub, first, next, progress).await?;
        self.read = self.read.saturating_add(answer.body.len() as u64);
        if self.read > self.limits.bytes {
            return Err(endless(
                &first.url,
                &format!("too many bytes (over {})", human(self.limits.bytes)),
            ));
        }
        self.away = !hub.owns(&url);
        self.seen.insert(url);
        self.next.clone_from(&answer.next);
        Ok(Some(answer))
    }

    /// Reads a page that the caller names, for servers without links.
    pub async fn named(
        &mut self,
        hub: &Hub,
        page: &Call,
        progress: &Progress,
    ) -> Result<ApiResponse> {
        if self.seen.contains(&page.url) {
            return Err(endless(&page.url, "a page links to an earlier one"));
        }
        self.next = Some(Next { home: page.url.clone(), sent: None });
        let answer = self.next(hub, page, progress).await?;
        self.next = None;
        answer.ok_or_else(|| endless(&page.url, "there is no such page"))
    }

    /// Fetches a page from the configured endpoint. If it does not serve the page, the link is
    /// followed as the server wrote it: a mirror may pass on the links of the Hub behind it.
    async fn fetch(
        &self,
        hub: &Hub,
        first: &Call,
        next: Next,
        progress: &Progress,
    ) -> Result<(Url, ApiResponse)> {
        let Next { home, sent } = next;
        let (url, other) = match sent {
            Some(sent) if self.away => (sent, None),
            sent => (home, sent),
        };
        let refused = match self.fetch_one(hub, first, &url, progress).await {
            Ok(answer) => return Ok((url, answer)),
            Err(error) => error,
        };
        match other.filter(|_| is_about_the_page(&refused)) {
            Some(other) => match self.fetch_one(hub, first, &other, progress).await {
                Ok(answer) => Ok((other, answer)),
                // Returns the first error: the configured endpoint is the one the user knows.
                Err(_) => Err(refused),
            },
            None => Err(refused),
        }
    }

    async fn fetch_one(
        &self,
        hub: &Hub,
        first: &Call,
        url: &Url,
        progress: &Progress,
    ) -> Result<ApiResponse> {
        let mut call = Call { url: url.clone(), ..first.clone() };
        if url.origin() != first.url.origin() {
            // A caller's additional headers are meant for the endpoint only.
            call.headers.clear();
        }
        let answer = hub.repeated(&call, progress).await?;
        let is_home = hub.owns(url);
        let after = answer
            .next
            .as_ref()
            .map(|Next { home, sent }| if is_home { home } else { sent.as_ref().unwrap_or(home) });
        if after.is_some_and(|after| after == url || self.seen.contains(after)) {
            return Err(endless(url, "a page links to an earlier one"));
        }
        Ok(answer)
    }
}

impl Hub {
    /// Returns the page that follows a response from `here`.
    pub(crate) fn next_page(&self, headers: &HeaderMap, here: &Url) -> Option<Next> {
        let links = headers.get_all(LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok());
        let sent = links.into_iter().find_map(|link| next_link(link, here))?;
        let secure = sent.scheme() == "https" || self.endpoint.scheme() == "http";
        let home = self.at_home(&sent);
        let sent = Some(sent).filter(|sent| *sent != home && sent.has_host() && secure);
        Some(Next { home, sent })
    }

    /// Maps a link to the configured endpoint: behind a mirror, links name the public Hub.
    pub(crate) fn at_home(&self, url: &Url) -> Url {
        if self.owns(url) {
            return url.clone();
        }
        let prefix = format!("{}/", self.endpoint.path().trim_end_matches('/'));
        // Some mirrors add their own prefix and keep the host.
        let path = url.path().strip_prefix(&prefix).unwrap_or(url.path());
        let mut home = self.url(path.trim_start_matches('/'));
        home.set_query(url.query());
        home
    }
}

/// Whether the endpoint responded that it does not serve this page.
fn is_about_the_page(error: &Error) -> bool {
    let refused = error.status().is_some() && error.kind() != ErrorKind::RateLimited;
    refused || error.kind() == ErrorKind::InvalidResponse
}

fn endless(url: &Url, why: &str) -> Error {
    let message = format!("the list at {} does not end: {why}", url.path());
    let error = Error::new(ErrorKind::InvalidResponse, message).with_url(url);
    error.with_hints([Hint::ShortenList])
}

/// Returns the target of `rel="next"`; a URL may contain commas and semicolons.
fn next_link(header: &str, base: &Url) -> Option<Url> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let params = after.split_once('<').map_or(after, |(params, _)| params);
        if params.split([';', ',']).any(is_next) {
            return base.join(target).ok();
        }
        rest = after;
    }
    None
}

/// Whether a parameter of a link is `rel`, with `next` among its values (RFC 8288).
fn is_next(param: &str) -> bool {
    let Some((name, values)) = param.split_once('=') else { return false };
    let values = values.trim().trim_matches(['"', '\'']);
    name.trim().eq_ignore_ascii_case("rel")
        && values.split_ascii_whitespace().any(|value| value.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests;
