//! The logs of a Space. A stream ends when the client leaves, the Space is deleted or renamed, the
//! reader loses access, or the server stops.

use std::sync::Arc;

use axum::http::{HeaderMap, Method};

use super::super::super::access::Caller;
use super::super::super::call::{Call, Reply};
use super::super::super::error::ApiError;
use super::super::super::follow::{self, Source};
use super::super::super::hub::Hub;
use crate::store::{LogKind, Repo, RepoKey};

/// Handles `/api/spaces/{id}/logs/{kind}`.
pub(super) fn follow(call: &Call, repo: &Repo, kind: LogKind) -> Reply {
    call.caller.writer_in(repo.key.id.namespace())?;
    let tail = call.hub.store.spaces().logs(&repo.settings.object_id).tail(kind);
    let place = Place {
        hub: call.hub.clone(),
        headers: call.headers.clone(),
        key: repo.key.clone(),
        object_id: repo.settings.object_id.clone(),
    };
    Ok(follow::log(call, tail, place))
}

/// The Space that a log belongs to, and its reader.
#[derive(Clone)]
struct Place {
    hub: Arc<Hub>,
    headers: HeaderMap,
    key: RepoKey,
    object_id: String,
}

impl Source for Place {
    // What the Hub sends: an event without data.
    const SILENCE: &'static str = "data:\n\n";

    fn is_open(&self) -> Result<bool, ApiError> {
        let Some(repo) = self.hub.store.locate(&self.key)?.found() else { return Ok(false) };
        let caller = Caller::identify(&self.hub.store, &Method::GET, &self.headers)?;
        caller.writer_in(self.key.id.namespace())?;
        Ok(repo.settings.object_id == self.object_id && !repo.settings.disabled)
    }

    fn is_complete(&self) -> Result<bool, ApiError> {
        Ok(false)
    }
}
