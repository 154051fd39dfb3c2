//! The connection pools of this VM: one for each set of proxies and certificates in use.

use std::sync::{Mutex, PoisonError};

use hf_hub_engine::transport::{Client, ClientConfig};

/// Pools kept; a VM rarely has more than one set of proxies and certificates.
const KEPT: usize = 8;

static POOLS: Mutex<Vec<Client>> = Mutex::new(Vec::new());

/// The pool for `config`; it opens itself at its first request.
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
