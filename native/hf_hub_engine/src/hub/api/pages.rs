//! A list of pages, each read once.
//!
//! Every list of a Hub is read here: there is one bound on its length, and one rule for the links between its pages.

use std::collections::HashSet;

use reqwest::{
    Url,
    header::{HeaderMap, LINK},
};

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        progress::Progress,
        sizes::human,
    },
    hub::{
        api::{Answer, Call},
        client::Hub,
    },
};

/// The longest list that is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pages.
    pub pages: usize,
    /// Bytes of all pages together.
    pub bytes: u64,
}

impl Limits {
    /// More than any list of a Hub has, and what may be held in memory.
    pub const STANDARD: Self = Self { pages: 10_000, bytes: 1 << 30 };
}

/// The address of a page that follows another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// At the endpoint in use.
    pub home: Url,
    /// As the server wrote it, where that is another host.
    pub sent: Option<Url>,
}

/// How far a list has been read.
#[derive(Debug)]
pub struct Pages {
    limits: Limits,
    next: Option<Next>,
    seen: HashSet<Url>,
    read: u64,
    /// Whether the links were of use only as the server wrote them.
    away: bool,
}

impl Pages {
    /// A list of which nothing has been read.
    pub fn new(limits: Limits) -> Self {
        Self { limits, next: None, seen: HashSet::new(), read: 0, away: false }
    }

    /// Reads the page at `first`, or the one that follows the last one read; `None` behind the last one.
    pub async fn next(
        &mut self,
        hub: &Hub,
        first: &Call,
        progress: &Progress,
    ) -> Result<Option<Answer>> {
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

    /// Reads a page that the caller names, for servers that link none.
    pub async fn named(&mut self, hub: &Hub, page: &Call, progress: &Progress) -> Result<Answer> {
        if self.seen.contains(&page.url) {
            return Err(endless(&page.url, "a page leads back to one that was read before"));
        }
        self.next = Some(Next { home: page.url.clone(), sent: None });
        let answer = self.next(hub, page, progress).await?;
        self.next = None;
        answer.ok_or_else(|| endless(&page.url, "it has no such page"))
    }

    /// Fetches a page from the endpoint in use. Where that does not serve it, the link is followed as
    /// the server wrote it: a mirror may pass on the links of the Hub behind it.
    async fn fetch(
        &self,
        hub: &Hub,
        first: &Call,
        next: Next,
        progress: &Progress,
    ) -> Result<(Url, Answer)> {
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
                // The endpoint in use is the one that the user knows.
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
    ) -> Result<Answer> {
        let mut call = Call { url: url.clone(), ..first.clone() };
        if url.origin() != first.url.origin() {
            // A caller's own headers are for the endpoint.
            call.headers.clear();
        }
        let answer = hub.repeated(&call, progress).await?;
        let is_home = hub.owns(url);
        let after = answer
            .next
            .as_ref()
            .map(|Next { home, sent }| if is_home { home } else { sent.as_ref().unwrap_or(home) });
        if after.is_some_and(|after| after == url || self.seen.contains(after)) {
            return Err(endless(url, "a page leads back to one that was read before"));
        }
        Ok(answer)
    }
}

impl Hub {
    /// The page that follows an answer from `here`.
    pub(crate) fn next_page(&self, headers: &HeaderMap, here: &Url) -> Option<Next> {
        let links = headers.get_all(LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok());
        let sent = links.into_iter().find_map(|link| next_link(link, here))?;
        let secure = sent.scheme() == "https" || self.endpoint.scheme() == "http";
        let home = self.at_home(&sent);
        let sent = Some(sent).filter(|sent| *sent != home && sent.has_host() && secure);
        Some(Next { home, sent })
    }

    /// The same page at our endpoint: behind a mirror, links name the public Hub.
    pub(crate) fn at_home(&self, url: &Url) -> Url {
        if self.owns(url) {
            return url.clone();
        }
        let prefix = format!("{}/", self.endpoint.path().trim_end_matches('/'));
        // Some mirrors add their own prefix, and leave the host.
        let path = url.path().strip_prefix(&prefix).unwrap_or(url.path());
        let mut home = self.url(path.trim_start_matches('/'));
        home.set_query(url.query());
        home
    }
}

/// Whether the endpoint answered, and does not serve this page.
fn is_about_the_page(error: &Error) -> bool {
    let refused = error.status().is_some() && error.kind() != ErrorKind::RateLimited;
    refused || error.kind() == ErrorKind::InvalidResponse
}

fn endless(url: &Url, why: &str) -> Error {
    let message =
        format!("the list at {} has no end: {why}; ask for less by :limit or filters", url.path());
    Error::new(ErrorKind::InvalidResponse, message).with_url(url)
}

/// The target of `rel="next"`; a URL may hold commas and semicolons.
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
