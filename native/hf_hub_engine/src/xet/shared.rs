//! What all calls of a process share: open storages, access tokens, and which repositories have no
//! Xet.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Url, header::HeaderValue};

#[cfg(feature = "xet")]
use super::storage::Budgets;
#[cfg(feature = "xet")]
use crate::transport::ClientConfig;
use crate::{
    base::error::Result,
    transport::Client,
    xet::{Access, Storage, Tuning, access::Tokens},
};

/// Storages kept; a process rarely has more than one for each direction.
#[cfg(feature = "xet")]
const STORAGES: usize = 8;

/// Repositories kept.
const KEPT: usize = 256;

/// How long it counts that a repository has no Xet: a Hub may be upgraded.
const REMEMBERED: Duration = Duration::from_hours(1);

/// What all calls share; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    state: Arc<Mutex<State>>,
    tokens: Tokens,
}

#[derive(Debug, Default)]
struct State {
    #[cfg(feature = "xet")]
    storages: Vec<(Tuning, ClientConfig, Arc<dyn Storage>)>,
    /// By the size of the buffer: calls with other timeouts and connections share it, too.
    #[cfg(feature = "xet")]
    budgets: Vec<(u64, Budgets)>,
    without: Vec<(Url, Instant)>,
    #[cfg(test)]
    scripted: Option<Arc<dyn Storage>>,
}

impl Shared {
    /// Returns the storage with this tuning, opened once for each set of proxies and certificates.
    pub(super) fn storage(&self, tuning: &Tuning, client: &Client) -> Result<Arc<dyn Storage>> {
        let mut state = self.state();
        #[cfg(test)]
        if let Some(storage) = &state.scripted {
            return Ok(storage.clone());
        }
        open(&mut state, tuning, client, &self.tokens)
    }

    /// Returns a process whose only storage is this one.
    #[cfg(test)]
    pub(crate) fn with_storage(storage: Arc<dyn Storage>) -> Self {
        let shared = Self::default();
        shared.state().scripted = Some(storage);
        shared
    }

    /// Returns access by `route` with this token for the Hub, if it was granted before and is still
    /// valid.
    pub fn access(&self, route: &Url, authorization: Option<&HeaderValue>) -> Option<Access> {
        self.tokens.find(route, authorization)
    }

    #[cfg(all(test, feature = "xet"))]
    pub(super) fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    /// Keeps access for other calls.
    pub fn keep(&self, access: Access) {
        self.tokens.keep(access);
    }

    /// Forgets access that the storage has rejected.
    pub fn forget(&self, rejected: &Access) {
        self.tokens.forget(&rejected.token);
    }

    /// Whether the Hub has recently said that this repository has no Xet.
    pub fn is_without(&self, repository: &Url) -> bool {
        let mut state = self.state();
        state.without.retain(|(_, since)| since.elapsed() < REMEMBERED);
        state.without.iter().any(|(known, _)| known == repository)
    }

    /// Remembers that this repository has no Xet.
    pub fn remember_without(&self, repository: Url) {
        keep(&mut self.state().without, KEPT, (repository, Instant::now()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "xet")]
#[expect(clippy::unnecessary_wraps, reason = "it fails without the feature")]
fn open(
    state: &mut State,
    tuning: &Tuning,
    client: &Client,
    tokens: &Tokens,
) -> Result<Arc<dyn Storage>> {
    let is_wanted = |(known, config, _): &&(Tuning, ClientConfig, Arc<dyn Storage>)| {
        known == tuning && config == client.config()
    };
    if let Some((_, _, storage)) = state.storages.iter().find(is_wanted) {
        return Ok(storage.clone());
    }
    let storage = super::storage::Client::new(
        tuning.clone(),
        client.clone(),
        tokens.clone(),
        budgets(&mut state.budgets, tuning),
    );
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let config = client.config().clone();
    keep(&mut state.storages, STORAGES, (tuning.clone(), config, storage.clone()));
    Ok(storage)
}

#[cfg(feature = "xet")]
fn budgets(kept: &mut Vec<(u64, Budgets)>, tuning: &Tuning) -> Budgets {
    if let Some((_, budgets)) = kept.iter().find(|(buffer, _)| *buffer == tuning.buffer) {
        return budgets.clone();
    }
    let budgets = Budgets::new(tuning);
    keep(kept, STORAGES, (tuning.buffer, budgets.clone()));
    budgets
}

#[cfg(not(feature = "xet"))]
fn open(_: &mut State, _: &Tuning, _: &Client, _: &Tokens) -> Result<Arc<dyn Storage>> {
    use crate::base::error::{Error, ErrorKind};
    let message = "this build has no support for Xet";
    Err(Error::new(ErrorKind::Transport, message).permanent())
}

fn keep<T>(kept: &mut Vec<T>, most: usize, item: T) {
    if kept.len() >= most {
        kept.remove(0);
    }
    kept.push(item);
}

/// Returns why this build cannot use Xet.
pub(super) fn missing() -> Option<&'static str> {
    (!cfg!(feature = "xet")).then_some("the native library was built without it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_repositories_without_xet() {
        let shared = Shared::default();
        let repository: Url = "https://hub/api/models/a/b/".parse().unwrap();
        assert!(!shared.is_without(&repository));
        shared.remember_without(repository.clone());
        assert!(shared.clone().is_without(&repository));
        for number in 0..KEPT {
            shared.remember_without(repository.join(&number.to_string()).unwrap());
        }
        assert!(!shared.is_without(&repository), "the oldest is dropped");
    }

    #[cfg(feature = "xet")]
    #[test]
    fn calls_with_other_options_share_the_memory() {
        let mut kept = Vec::new();
        let second = std::time::Duration::from_secs(1);
        let tuning = |buffer, connections| Tuning {
            cache_dir: "cache".into(),
            buffer,
            connections,
            connect: second,
            silence: second,
        };
        let first = budgets(&mut kept, &tuning(1 << 20, 4));
        let taken = first.downloads.take(1 << 20);
        assert!(taken.is_some());
        assert!(budgets(&mut kept, &tuning(1 << 20, 8)).downloads.take(1).is_none());
        assert!(budgets(&mut kept, &tuning(2 << 20, 8)).downloads.take(1).is_some());
    }
}
