//! What all calls of a process share: open storages, access tokens, and which repositories have no
//! Xet.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderValue},
};

#[cfg(feature = "xet")]
use crate::transport::ClientConfig;
use crate::{
    base::error::Result,
    transport::Client,
    xet::{Access, Storage, Tuning},
};

/// Storages kept; a process rarely has more than one for each direction.
#[cfg(feature = "xet")]
const STORAGES: usize = 8;

/// Access tokens and repositories kept.
const KEPT: usize = 256;

/// How long it counts that a repository has no Xet: a Hub may be upgraded.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Seconds that a kept token has to be valid for.
const LEFT: u64 = 60;

/// What all calls share; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shared(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    #[cfg(feature = "xet")]
    storages: Vec<(Tuning, ClientConfig, Arc<dyn Storage>)>,
    access: Vec<Access>,
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
        open(&mut state, tuning, client)
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut state = self.state();
        state.access.retain(|access| access.expires > now + LEFT);
        let is_wanted = |access: &&Access| {
            access.route == *route && access.headers.get(AUTHORIZATION) == authorization
        };
        state.access.iter().find(is_wanted).cloned()
    }

    /// Keeps access for other calls.
    pub fn keep(&self, access: Access) {
        keep(&mut self.state().access, KEPT, access);
    }

    /// Forgets access that the storage has rejected.
    pub fn forget(&self, rejected: &Access) {
        self.state().access.retain(|access| access.token != rejected.token);
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "xet")]
#[expect(clippy::unnecessary_wraps, reason = "it fails without the feature")]
fn open(state: &mut State, tuning: &Tuning, client: &Client) -> Result<Arc<dyn Storage>> {
    let is_wanted = |(known, config, _): &&(Tuning, ClientConfig, Arc<dyn Storage>)| {
        known == tuning && config == client.config()
    };
    if let Some((_, _, storage)) = state.storages.iter().find(is_wanted) {
        return Ok(storage.clone());
    }
    let storage: Arc<dyn Storage> =
        Arc::new(super::hf_xet::Client::new(tuning.clone(), client.clone()));
    let config = client.config().clone();
    keep(&mut state.storages, STORAGES, (tuning.clone(), config, storage.clone()));
    Ok(storage)
}

#[cfg(not(feature = "xet"))]
fn open(_: &mut State, _: &Tuning, _: &Client) -> Result<Arc<dyn Storage>> {
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
    fn access_is_kept_by_route_and_token_until_it_expires() {
        let shared = Shared::default();
        let (route, other): (Url, Url) =
            ("https://hub/a".parse().unwrap(), "https://hub/b".parse().unwrap());
        let token = HeaderValue::from_static("Bearer one");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let access = Access {
            storage: other.clone(),
            token: "xet".to_owned(),
            expires: now + 600,
            route: route.clone(),
            headers: [(AUTHORIZATION, token.clone())].into_iter().collect(),
        };
        shared.keep(access.clone());
        assert!(shared.access(&route, Some(&token)).is_some());
        assert!(shared.access(&route, None).is_none());
        assert!(shared.access(&other, Some(&token)).is_none());
        shared.forget(&access);
        assert!(shared.access(&route, Some(&token)).is_none());
        shared.keep(Access { expires: now + LEFT - 1, ..access });
        assert!(shared.access(&route, Some(&token)).is_none());
    }

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
}
