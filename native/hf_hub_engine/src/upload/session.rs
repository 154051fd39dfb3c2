//! What all parts of one upload have in common, and how they ask the Hub.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Repo, Revision},
        progress::{Activity, Progress},
    },
    hub::{
        api::{Call, Segment},
        client::{Hub, is_public},
    },
    transport::{Peer, Request, Timeouts},
    upload::{answer, link::Link},
};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const LFS_JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");

/// How much longer than a silence the answer to a whole body may take: the Hub has work to do.
const WORKING: u32 = 10;

/// Where a commit goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The repository.
    pub repo: Repo,
    /// The branch.
    pub revision: Revision,
    /// Whether a pull request against it is opened instead.
    pub create_pr: bool,
}

/// How an upload uses the network.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Files hashed or sent at a time.
    pub workers: usize,
    /// Connections for all of them together.
    pub connections: usize,
    /// The longest silence of a connection on which a body is sent.
    pub silence: Duration,
}

/// One upload.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) hub: Hub,
    pub(super) target: Target,
    pub(super) tuning: Tuning,
    pub(super) progress: Progress,
    pub(super) connections: Semaphore,
}

impl Session {
    pub(super) fn new(
        hub: &Hub,
        target: &Target,
        tuning: Tuning,
        progress: &Progress,
    ) -> Arc<Self> {
        // A Hub that restarts in the middle of an upload comes back.
        let (retry, places) = (hub.retry.once_answered(), hub.places.granted());
        let hub = Hub { retry, places, ..hub.clone() };
        Arc::new(Self {
            hub,
            target: target.clone(),
            tuning,
            progress: progress.clone(),
            connections: Semaphore::new(tuning.connections.clamp(1, 1024)),
        })
    }

    /// The same upload into another branch.
    pub(super) fn at_branch(&self, revision: Revision) -> Arc<Self> {
        let target = Target { revision, create_pr: false, ..self.target.clone() };
        Self::new(&self.hub, &target, self.tuning, &self.progress)
    }

    /// A route of the repository: `<rest>/<revision>`.
    pub(super) fn route(&self, rest: &str) -> Url {
        let revision = crate::hub::client::encode(self.target.revision.as_str());
        let mut url = self.hub.api_url(&self.target.repo, &format!("{rest}/{revision}"));
        if self.target.create_pr {
            url.set_query(Some("create_pr=1"));
        }
        url
    }

    /// Asks with JSON, as often as needed: for what may be asked twice.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T> {
        self.exchange(post(url, JSON, body)?).await
    }

    /// As [`Self::ask`], in the large file protocol's dialect.
    pub(super) async fn ask_lfs<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T> {
        let headers = HeaderMap::from_iter([(ACCEPT, LFS_JSON)]);
        self.exchange(Call { headers, ..post(url, LFS_JSON, body)? }).await
    }

    /// Sends JSON for its effect, with the token where the URL is the Hub's.
    pub(super) async fn tell(&self, link: &Link, body: &impl Serialize) -> Result<()> {
        let headers = link.headers.clone();
        let call = Call { headers, ..post(link.url.clone(), JSON, body)? };
        let hub = self.patient();
        hub.retrying(&self.progress, || hub.exchange_once(&call)).await.map(drop)
    }

    /// Reads JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T> {
        self.exchange(Call::get(url)).await
    }

    /// Reads JSON from any call that may be repeated.
    pub(super) async fn exchange<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let timeouts = Timeouts { headers: self.tuning.silence, ..self.hub.timeouts };
        let hub = Hub { timeouts, ..self.hub.clone() };
        let answer = hub.retrying(&self.progress, || hub.exchange_once(&call)).await?;
        answer::read_json(&answer.body, &call.url)
    }

    /// The hub, for requests whose answer takes work.
    pub(super) fn patient(&self) -> Hub {
        let headers = self.tuning.silence.saturating_mul(WORKING);
        Hub { timeouts: Timeouts { headers, ..self.hub.timeouts }, ..self.hub.clone() }
    }

    /// The hub, for requests that move contents: an outage in the middle of them is waited for.
    pub(super) fn flowing(&self) -> Hub {
        Hub { retry: self.hub.retry.once_flowing(), ..self.hub.clone() }
    }

    /// A request to a signed link, which is its own permission: it never carries the token, only
    /// what came with the link.
    pub(super) fn signed(&self, method: Method, link: &Link, wait: Duration) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, self.hub.user_agent.clone());
        headers.insert(CONTENT_TYPE, LFS_JSON);
        if method == Method::PUT {
            headers.remove(CONTENT_TYPE);
        }
        headers.extend(link.headers.clone());
        let (url, timeouts) = (link.url.clone(), Timeouts { headers: wait, ..self.hub.timeouts });
        Request { method, url, headers, body: None, timeouts, alone: true, peer: Peer::Store }
    }

    /// A link that the Hub has sent, with the headers of its action.
    pub(super) fn action(&self, href: &str, headers: Option<&Map<String, Value>>) -> Result<Link> {
        Link::new(&self.hub, self.link(href)?, headers)
    }

    /// A link that the Hub has sent, at the endpoint in use.
    pub(super) fn link(&self, text: &str) -> Result<Url> {
        let url = Url::parse(text).ok().map(|url| {
            let moved = is_public(&url) && !is_public(&self.hub.endpoint);
            if moved { self.hub.at_home(&url) } else { url }
        });
        let url = url.filter(|url| {
            let secure = url.scheme() == "https" || self.hub.endpoint.scheme() == "http";
            matches!(url.scheme(), "http" | "https") && url.has_host() && secure
        });
        url.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidResponse,
                "the Hub sent a link to upload to that cannot be used",
            )
        })
    }

    /// Says that files are hashed, unless bytes flow already.
    pub(super) fn hashing(&self) {
        if self.connections.available_permits() >= self.tuning.connections.clamp(1, 1024) {
            self.progress.set_activity(Activity::Hashing, None);
        }
    }
}

fn post(url: Url, kind: HeaderValue, body: &impl Serialize) -> Result<Call> {
    let body = serde_json::to_vec(body).map_err(|error| {
        Error::new(ErrorKind::Internal, "a request cannot be written as JSON").with_source(error)
    })?;
    Ok(Call {
        method: Method::POST,
        body: Some((kind, vec![Segment::Bytes(body.into())])),
        ..Call::get(url)
    })
}
