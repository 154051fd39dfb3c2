//! The connection pools of this VM: one for each set of proxies and certificates in use.

use std::sync::{Mutex, PoisonError};

use hf_hub_engine::{
    error::Result,
    transport::{Client, ClientConfig},
};

use crate::job;

/// Pools kept; a VM rarely has more than one set of proxies and certificates.
const KEPT: usize = 8;

static POOLS: Mutex<Vec<(ClientConfig, Client)>> = Mutex::new(Vec::new());

/// The pool for `config`, opened at its first use.
pub(crate) async fn client(config: ClientConfig) -> Result<Client> {
    if let Some(client) = find(&config) {
        return Ok(client);
    }
    // Reads the system's certificates.
    let (config, client) =
        job::blocking(move || Client::new(&config).map(|client| (config, client))).await?;
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if pools.len() == KEPT {
        pools.remove(0);
    }
    pools.push((config, client.clone()));
    Ok(client)
}

fn find(config: &ClientConfig) -> Option<Client> {
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.iter().find(|(known, _)| known == config).map(|(_, client)| client.clone())
}
