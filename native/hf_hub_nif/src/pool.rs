//! What all calls of this VM share: connections, bandwidth limit, rate limits, transfers in
//! progress.

use std::sync::{Mutex, PoisonError};

use hf_hub_engine::{
    base::{bandwidth::Bandwidth, places::Places},
    download::shared::Shared,
    hub::rate_limit::RateLimiter,
    transport::{Client, ClientConfig},
};
use once_cell::sync::Lazy;

/// Maximum number of pools; a VM rarely has more than one set of proxies and certificates.
const KEPT: usize = 8;

static POOLS: Mutex<Vec<Client>> = Mutex::new(Vec::new());

static BANDWIDTH: Lazy<Bandwidth> = Lazy::new(Bandwidth::default);

static SHARED: Lazy<Shared> = Lazy::new(Shared::default);

static RATE_LIMITER: Lazy<RateLimiter> = Lazy::new(RateLimiter::default);

static PLACES: Lazy<Places> = Lazy::new(|| Places::within(open_files()));

/// Returns the maximum number of open files of this process.
fn open_files() -> u64 {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit.unwrap_or(u64::MAX)
}

/// Returns the limit of open connections and files of all calls.
pub(crate) fn places() -> Places {
    PLACES.clone()
}

/// Returns the rate limits that Hubs have announced.
pub(crate) fn rate_limiter() -> RateLimiter {
    RATE_LIMITER.clone()
}

/// Returns the bandwidth limit of all downloads.
pub(crate) fn bandwidth() -> Bandwidth {
    BANDWIDTH.clone()
}

/// Returns the transfers in progress.
pub(crate) fn shared() -> Shared {
    SHARED.clone()
}

/// Returns the pool for `config`, one for each set of proxies and certificates. It is opened by its
/// first request.
pub(crate) fn client(config: ClientConfig) -> Client {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
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
