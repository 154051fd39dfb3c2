//! The context of an upload, and its requests to the Hub.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Repo, RepoType, Revision},
        input,
        progress::{Activity, Progress},
    },
    hub::{
        api::{Call, Segment},
        client::{Hub, is_public},
    },
    transport::{Peer, Request, Timeouts},
    upload::{commit_response, link::Link},
};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const LFS_JSON: HeaderValue = HeaderValue::from_static("application/vnd.git-lfs+json");

/// Factor by which the response to a complete body may take longer than the idle timeout: the Hub
/// has to process it.
const WORKING: u32 = 10;

/// The route of a commit.
pub(super) const COMMIT: &str = "commit";

/// The route of access to Xet storage.
const XET_TOKEN: &str = "xet-write-token";

/// The target of a commit.
#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    /// The repository.
    pub repo: Repo,
    /// The branch.
    pub revision: Revision,
    /// Whether to open a pull request against it instead.
    pub create_pr: bool,
    /// Whether a Space loads the commit without a restart.
    pub hot_reload: bool,
}

/// Tuning of an upload.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Tuning {
    /// Maximum number of files hashed or sent concurrently.
    pub workers: usize,
    /// Maximum number of connections for all files.
    pub connections: usize,
    /// Maximum time in which a connection sends no bytes of a body.
    #[serde(deserialize_with = "input::millis")]
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
        let hub = Hub { permits: hub.permits.granted(), ..hub.clone() };
        Arc::new(Self {
            hub,
            target: target.clone(),
            tuning,
            progress: progress.clone(),
            connections: Semaphore::new(tuning.connections.clamp(1, 1024)),
        })
    }

    /// Returns the same upload for another branch.
    pub(super) fn at_branch(&self, revision: Revision) -> Arc<Self> {
        let target = Target { revision, create_pr: false, ..self.target.clone() };
        Self::new(&self.hub, &target, self.tuning, &self.progress)
    }

    /// Returns the URL of a route of the repository: `<rest>/<revision>`.
    pub(super) fn route(&self, rest: &str) -> Url {
        let revision = crate::hub::client::encode(self.target.revision.as_str());
        let mut url = self.hub.api_url(&self.target.repo, &format!("{rest}/{revision}"));
        let hot_reload = self.target.hot_reload && rest == COMMIT;
        let switches = [(self.target.create_pr, "create_pr=1"), (hot_reload, "hot_reload=1")];
        let on = switches.iter().filter(|(on, _)| *on).map(|(_, pair)| *pair).collect::<Vec<_>>();
        if !on.is_empty() {
            url.set_query(Some(&on.join("&")));
        }
        url
    }

    /// Returns the URL of access to Xet storage. A bucket has no revisions.
    pub(super) fn xet_route(&self) -> Url {
        match self.target.repo.kind() {
            RepoType::Bucket => self.hub.api_url(&self.target.repo, XET_TOKEN),
            _ => self.route(XET_TOKEN),
        }
    }

    /// Sends JSON and parses the response, with retries: only for requests that may be repeated.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T> {
        self.exchange(post(url, JSON, body)?).await
    }

    /// Sends a request like [`Self::ask`], in the content type of the large file protocol.
    pub(super) async fn ask_lfs<T: DeserializeOwned>(
        &self,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T> {
        let headers = HeaderMap::from_iter([(ACCEPT, LFS_JSON)]);
        self.exchange(Call { headers, ..post(url, LFS_JSON, body)? }).await
    }

    /// Sends JSON and ignores the response; with the token if the URL is the Hub's.
    pub(super) async fn tell(&self, link: &Link, body: &impl Serialize) -> Result<()> {
        let headers = link.headers.clone();
        let call = Call { headers, ..post(link.url.clone(), JSON, body)? };
        let hub = self.patient();
        hub.retrying(&self.progress, || hub.exchange_once(&call)).await.map(drop)
    }

    /// Requests JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T> {
        self.exchange(Call::get(url)).await
    }

    /// Requests JSON with any call that may be repeated.
    pub(super) async fn exchange<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let timeouts = Timeouts { headers: self.tuning.silence, ..self.hub.timeouts };
        let hub = Hub { timeouts, ..self.hub.clone() };
        let answer = hub.retrying(&self.progress, || hub.exchange_once(&call)).await?;
        commit_response::read_json(&answer.body, &call.url)
    }

    /// Returns the hub for requests whose response takes long.
    pub(super) fn patient(&self) -> Hub {
        let headers = self.tuning.silence.saturating_mul(WORKING);
        Hub { timeouts: Timeouts { headers, ..self.hub.timeouts }, ..self.hub.clone() }
    }

    /// Returns the hub for requests that transfer contents: an outage during them is waited for.
    pub(super) fn flowing(&self) -> Hub {
        Hub { retry: self.hub.retry.once_flowing(), ..self.hub.clone() }
    }

    /// Creates a request to a signed link: it never carries the token, only the headers of the
    /// link.
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

    /// Returns a link from the Hub, with the headers of its action.
    pub(super) fn action(&self, href: &str, headers: Option<&Map<String, Value>>) -> Result<Link> {
        Link::new(&self.hub, self.link(href)?, headers)
    }

    /// Returns a link from the Hub, mapped to the configured endpoint.
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
            Error::new(ErrorKind::InvalidResponse, "the Hub sent an invalid upload link")
        })
    }

    /// Shows hashing as activity, unless bytes are being sent.
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
