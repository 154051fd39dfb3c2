//! A Hub as a caller describes it, and what all calls of a process share.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use crate::{
    base::{
        bandwidth::Bandwidth,
        error::{Error, ErrorKind, Result},
        input::{self, RawPath},
        limits::Flow,
        permits::Permits,
        progress::Progress,
        scrub::Scrub,
    },
    hub::{client::Hub, rate_limit::RateLimiter, retry::Policy, token::Token},
    transport::{Client, ClientConfig, ProxySetting, Timeouts},
    xet::{self, Xet},
};

/// Pools kept; a process rarely has more than one set of proxies and certificates.
const KEPT: usize = 8;

/// Which Hub, and how to talk to it. The token is not among it: what is read here may be printed.
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    endpoint: String,
    token_source: Option<String>,
    allow_http_token: Vec<String>,
    user_agent: String,
    offline: bool,
    #[serde(deserialize_with = "input::millis")]
    connect_timeout: Duration,
    #[serde(deserialize_with = "input::millis")]
    header_timeout: Duration,
    #[serde(deserialize_with = "input::millis")]
    idle_timeout: Duration,
    #[serde(deserialize_with = "input::some_millis")]
    timeout: Option<Duration>,
    retries: u32,
    #[serde(deserialize_with = "input::millis")]
    retry_delay: Duration,
    http_proxy: Option<ProxySetting>,
    https_proxy: Option<ProxySetting>,
    no_proxy: Option<String>,
    ca_files: Vec<RawPath>,
    max_connections: usize,
    /// `None` for calls that transfer no files.
    xet: Option<xet::Settings>,
}

/// What all calls of a process share.
#[derive(Debug)]
pub struct Process {
    pools: Mutex<Vec<Client>>,
    permits: Permits,
    rate_limiter: RateLimiter,
    xet: xet::Shared,
    /// The limit that all transfers keep together.
    pub bandwidth: Bandwidth,
}

impl Default for Process {
    /// With the limit on open files that the system reports.
    fn default() -> Self {
        #[cfg(unix)]
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        #[cfg(not(unix))]
        let limit = None;
        Self::new(limit.unwrap_or(u64::MAX))
    }
}

impl Process {
    /// For a process that may have so many files open.
    fn new(open_files: u64) -> Self {
        Self {
            pools: Mutex::default(),
            permits: Permits::within(open_files),
            rate_limiter: RateLimiter::default(),
            xet: xet::Shared::default(),
            bandwidth: Bandwidth::default(),
        }
    }

    /// The pool for `config`, one for each set of proxies and certificates. It opens itself at its first request.
    fn client(&self, config: ClientConfig) -> Client {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools.iter().find(|client| *client.config() == config) {
            return client.clone();
        }
        let client = Client::new(config);
        if pools.len() == KEPT {
            pools.remove(0);
        }
        pools.push(client.clone());
        client
    }
}

impl Settings {
    /// Returns the Hub with what `process` shares. `watch` shows when it makes the call wait; `limit` is
    /// one more limit on bytes a second.
    pub fn open(
        self,
        process: &Process,
        token: Option<&str>,
        limit: Option<Bandwidth>,
        watch: &Progress,
    ) -> Result<Hub> {
        let endpoint = Hub::parse_endpoint(&self.endpoint)?;
        let config = ClientConfig {
            http_proxy: self.http_proxy,
            https_proxy: self.https_proxy,
            no_proxy: self.no_proxy,
            ca_files: self.ca_files.into_iter().map(changed).collect(),
            connect_timeout: Some(self.connect_timeout),
            idle: Some(process.permits.idle),
        };
        let user_agent = self.user_agent.parse();
        let bandwidth = limit.into_iter().chain([process.bandwidth.clone()]).collect();
        let client = process.client(config);
        Ok(Hub {
            client: client.clone(),
            endpoint,
            token: token.map(Token::new).transpose()?,
            token_source: self.token_source,
            http_origins: Hub::parse_origins(&self.allow_http_token)?,
            user_agent: user_agent
                .map_err(|_| Error::new(ErrorKind::InvalidName, "the user agent cannot be sent"))?,
            timeouts: Timeouts { headers: self.header_timeout, idle: self.idle_timeout },
            retry: Policy {
                retries: self.retries,
                base: self.retry_delay,
                cap: self.retry_delay.saturating_mul(8),
                ..Policy::STANDARD
            },
            answered: Arc::default(),
            deadline: self.timeout,
            offline: self.offline,
            flow: Flow::new(self.max_connections, bandwidth),
            rate_limiter: process.rate_limiter.clone(),
            permits: process.permits.clone(),
            watch: watch.clone(),
            xet: Xet::new(
                self.xet,
                self.max_connections,
                self.connect_timeout,
                self.idle_timeout,
                client,
                process.xet.clone(),
            ),
        })
    }

    /// Hides the passwords among the settings.
    pub fn hide(&self, scrub: &mut Scrub) {
        scrub.add_password(&self.endpoint);
        let proxies = [&self.http_proxy, &self.https_proxy].into_iter().flatten();
        proxies.for_each(|proxy| scrub.add_password(&proxy.url));
    }
}

/// A file and when it was last changed.
fn changed(file: RawPath) -> (std::path::PathBuf, Option<SystemTime>) {
    let modified = std::fs::metadata(&file.0).ok().and_then(|metadata| metadata.modified().ok());
    (file.0, modified)
}
