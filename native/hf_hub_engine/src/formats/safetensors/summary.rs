//! The headers of all files in an index, as the Hub returns them in one response.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Header, Repository, header, whole};
use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::{RepoPath, RepoRevision},
        progress::Progress,
    },
    hub::{
        api::Call,
        client::{self, Hub},
        hints,
    },
};

#[derive(Deserialize)]
struct Summary {
    index: Index,
    headers: BTreeMap<String, Header>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    metadata: Option<Value>,
}

/// Reads the headers of the files in an index, which is at `main`.
pub(super) async fn read(
    hub: &Hub,
    place: &RepoRevision,
    index: &RepoPath,
    progress: &Progress,
) -> Result<Repository> {
    let RepoRevision { repo, revision } = place;
    let path = index.as_str().split('/').map(client::encode).collect::<Vec<_>>().join("/");
    let url = hub.api_url(repo, &format!("safetensors-metadata/{path}"));
    let answer = hub.exchange(&Call::get(url), progress).await;
    let answer = answer.map_err(|error| hints::repository(hub, repo, revision, error));
    let text = hints::or_meant(hub, place, answer).await?.body;
    let parsed = blocking::run(move || parse(&text)).await;
    parsed.map_err(|why| {
        let message = format!("invalid headers of {index} of {}: {why}", repo.id());
        Error::new(ErrorKind::InvalidResponse, message)
    })?
}

// The response lacks the map of the index, which the headers repeat.
fn parse(text: &[u8]) -> std::result::Result<Result<Repository>, String> {
    if header::marks(text) > header::MAX_MARKS {
        return Err(header::TOO_MANY.to_owned());
    }
    let Summary { index, headers } =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut weight_map = BTreeMap::new();
    for (file, header) in &headers {
        header::check(header, None).map_err(|why| format!("{file}: {why}"))?;
        weight_map.extend(header.tensors.keys().map(|name| (name.clone(), file.clone())));
    }
    Ok(whole(true, index.metadata, weight_map, headers))
}
