//! What all calls of this VM share: connections, a limit on bytes a second, transfers under way.

use std::sync::{Mutex, PoisonError};

use hf_hub_engine::{
    base::{bandwidth::Bandwidth, places::Places},
    download::shared::Shared,
    hub::rate_limit::RateLimiter,
    transport::{Client, ClientConfig},
};
use once_cell::sync::Lazy;

/// Pools kept; a VM rarely has more than one set of proxies and certificates.
const KEPT: usize = 8;

static POOLS: Mutex<Vec<Client>> = Mutex::new(Vec::new());

static BANDWIDTH: Lazy<Bandwidth> = Lazy::new(Bandwidth::default);

static SHARED: Lazy<Shared> = Lazy::new(Shared::default);

static RATE_LIMITER: Lazy<RateLimiter> = Lazy::new(RateLimiter::default);

static PLACES: Lazy<Places> = Lazy::new(|| Places::within(open_files()));

/// How many files this process may have open.
fn open_files() -> u64 {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit.unwrap_or(u64::MAX)
}

/// What all calls may have open together.
pub(crate) fn places() -> Places {
    PLACES.clone()
}

/// The budgets of requests that Hubs have announced.
pub(crate) fn rate_limiter() -> RateLimiter {
    RATE_LIMITER.clone()
}

/// The limit that every download keeps.
pub(crate) fn bandwidth() -> Bandwidth {
    BANDWIDTH.clone()
}

/// The transfers under way.
pub(crate) fn shared() -> Shared {
    SHARED.clone()
}

/// The pool for `config`, one for each set of proxies and certificates. It opens itself at its first request.
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
