//! Decodes the Hub that a call is for, and its settings.

use std::time::{Duration, SystemTime};

use hf_hub_engine::{
    base::{
        bandwidth::Bandwidth,
        error::{Error, ErrorKind, Result},
        limits::Flow,
        progress::Progress,
        scrub::Scrub,
    },
    hub::{client::Hub, retry::Policy, token::Token},
    transport::{ClientConfig, ProxySetting, Timeouts},
};
use rustler::{NifMap, Resource, ResourceArc};

use super::Path;
use crate::{job::Consumer, pool};

/// The Hub and its settings. All times in milliseconds.
#[derive(NifMap)]
#[rustler(decode)]
pub(crate) struct HubArgs {
    endpoint: String,
    token: Option<ResourceArc<Secret>>,
    token_source: Option<String>,
    allow_http_token: Vec<String>,
    user_agent: String,
    offline: bool,
    connect_timeout: u64,
    header_timeout: u64,
    idle_timeout: u64,
    timeout: Option<u64>,
    retries: u32,
    retry_delay: u64,
    http_proxy: Option<ProxyArgs>,
    https_proxy: Option<ProxyArgs>,
    no_proxy: Option<String>,
    ca_files: Vec<Path>,
    max_connections: u32,
    max_bandwidth: Option<ResourceArc<Limit>>,
}

/// A proxy, and the setting it comes from.
#[derive(NifMap)]
#[rustler(decode)]
struct ProxyArgs {
    url: String,
    source: String,
}

impl ProxyArgs {
    fn setting(&self) -> ProxySetting {
        ProxySetting { url: self.url.clone(), source: self.source.clone() }
    }
}

/// A token in an opaque term: stack traces and crash reports print arguments.
pub(crate) struct Secret(pub(crate) String);

#[rustler::resource_impl]
impl Resource for Secret {}

/// A bandwidth limit that Elixir holds.
pub(crate) struct Limit(pub(crate) Bandwidth);

#[rustler::resource_impl]
impl Resource for Limit {}

impl HubArgs {
    /// Opens the hub, with the connection pool for its proxies and certificates. `watch` shows when
    /// the call waits for it, and `job` hides its secrets.
    pub(crate) fn open(&self, watch: &Progress, job: &Consumer) -> Result<Hub> {
        job.hide(|scrub| self.secrets(scrub));
        let config = ClientConfig {
            http_proxy: self.http_proxy.as_ref().map(ProxyArgs::setting),
            https_proxy: self.https_proxy.as_ref().map(ProxyArgs::setting),
            no_proxy: self.no_proxy.clone(),
            ca_files: self.ca_files.iter().map(|file| (file.0.clone(), modified(file))).collect(),
            connect_timeout: Some(Duration::from_millis(self.connect_timeout)),
            idle: Some(pool::places().idle),
        };
        let user_agent = self.user_agent.parse();
        let base = Duration::from_millis(self.retry_delay);
        Ok(Hub {
            client: pool::client(config),
            endpoint: Hub::parse_endpoint(&self.endpoint)?,
            token: self.token.as_ref().map(|secret| Token::new(&secret.0)).transpose()?,
            token_source: self.token_source.clone(),
            http_origins: Hub::parse_origins(&self.allow_http_token)?,
            user_agent: user_agent
                .map_err(|_| Error::new(ErrorKind::InvalidName, "the user agent cannot be sent"))?,
            timeouts: Timeouts {
                headers: Duration::from_millis(self.header_timeout),
                idle: Duration::from_millis(self.idle_timeout),
            },
            retry: Policy {
                retries: self.retries,
                base,
                cap: base.saturating_mul(8),
                ..Policy::STANDARD
            },
            deadline: self.timeout.map(Duration::from_millis),
            offline: self.offline,
            flow: Flow::new(self.max_connections as usize, self.bandwidth()),
            rate_limiter: pool::rate_limiter(),
            places: pool::places(),
            watch: watch.clone(),
        })
    }

    fn secrets(&self, scrub: &mut Scrub) {
        if let Some(token) = &self.token {
            scrub.add(&token.0);
        }
        let proxies = [&self.http_proxy, &self.https_proxy].into_iter().flatten();
        scrub.add_password(&self.endpoint);
        proxies.for_each(|proxy| scrub.add_password(&proxy.url));
    }

    /// Returns the maximum number of connections of the call.
    pub(crate) fn connections(&self) -> usize {
        self.max_connections as usize
    }

    fn bandwidth(&self) -> Vec<Bandwidth> {
        let own = self.max_bandwidth.as_ref().map(|limit| limit.0.clone());
        own.into_iter().chain([pool::bandwidth()]).collect()
    }
}

fn modified(file: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}
