//! Reads what a repository has at some paths, and compares it with a commit.

use std::collections::HashMap;

use reqwest::{Method, header::HeaderValue};
use serde::Deserialize;

use crate::{
    base::{
        error::{Error, ErrorKind, Result},
        ids::{Repo, Revision},
    },
    hub::{
        api::{
            Call, Segment,
            pages::{Limits, Pages},
        },
        client,
    },
    upload::{
        commit_response::read_json,
        expected::{Expected, Found},
        oid::Oid,
        path::RepoPath,
        payload::Draft,
        session::Session,
    },
};

/// Maximum number of paths in one request.
const BATCH: usize = 500;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A file or folder of a repository.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    pub(super) lfs: Option<Pointer>,
    #[serde(default, rename = "xetHash")]
    pub(super) xet_hash: Option<String>,
}

/// The LFS pointer of a large file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pointer {
    oid: String,
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        self.kind == "directory"
    }

    /// Returns the id of the content.
    pub(super) fn content(&self) -> Result<Oid> {
        Oid::parse(self.lfs.as_ref().map_or(&self.oid, |pointer| &pointer.oid))
    }

    /// Whether it is this content. If the Hub uses other ids, only the size is compared.
    fn holds(&self, oid: Oid, size: Option<u64>) -> bool {
        match self.content() {
            Ok(content) if content.is_like(oid) => content == oid,
            _ => size.zip(self.size).is_none_or(|(one, other)| one == other),
        }
    }

    /// Returns the git object id of the entry.
    pub(super) fn blob(&self) -> &str {
        &self.oid
    }
}

/// Returns the entries at these paths; missing ones are left out.
pub(super) async fn look(
    session: &Session,
    repo: &Repo,
    revision: &Revision,
    paths: &[&str],
) -> Result<HashMap<String, Entry>> {
    let url =
        session.hub.api_url(repo, &format!("paths-info/{}", client::encode(revision.as_str())));
    let mut found = HashMap::new();
    for some in paths.chunks(BATCH) {
        let form: Vec<_> =
            some.iter().map(|path| format!("paths={}", client::encode(path))).collect();
        let body = format!("{}&expand=false", form.join("&"));
        let call = Call {
            method: Method::POST,
            body: Some((FORM, vec![Segment::Bytes(body.into())])),
            ..Call::get(url.clone())
        };
        let entries: Vec<Entry> = session.exchange(call).await?;
        found.extend(entries.into_iter().map(|entry| (entry.path.clone(), entry)));
    }
    Ok(found)
}

/// Returns the files of the branch whose paths are selected. Other paths may be invalid.
pub(super) async fn files(
    session: &Session,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<RepoPath>> {
    let Session { hub, target, progress, .. } = session;
    let revision = client::encode(target.revision.as_str());
    let mut url = hub.api_url(&target.repo, &format!("tree/{revision}"));
    url.set_query(Some("recursive=true&expand=false"));
    let (mut files, mut pages) = (Vec::new(), Pages::new(Limits::STANDARD));
    let first = Call::get(url);
    while let Some(page) = pages.next(hub, &first, progress).await? {
        let entries = read_json::<Vec<Entry>>(&page.body, &first.url)?;
        for entry in entries.iter().filter(|entry| !entry.is_folder() && is_wanted(&entry.path)) {
            files.push(RepoPath::parse(&entry.path).map_err(not_a_path)?);
        }
    }
    Ok(files)
}

/// Returns the first path at which `revision` differs from the draft.
pub(super) async fn difference(
    session: &Session,
    revision: &Revision,
    draft: &Draft,
) -> Result<Option<String>> {
    let mut expected = Expected::default();
    for (place, change) in draft.changes.iter().enumerate() {
        if change.adds() {
            expected.put(change.path().as_str(), (draft.oid(place), change.size()));
        } else {
            expected.remove(change.path().as_str());
        }
    }
    let paths: Vec<&str> = expected.paths().collect();
    let entries = look(session, &session.target.repo, revision, &paths).await?;
    let found = |path: &str| match entries.get(path) {
        None => Found::Nothing,
        Some(entry) if entry.is_folder() => Found::Folder,
        Some(entry) => Found::File(entry),
    };
    let is_same = |(oid, size): &(Option<Oid>, Option<u64>), entry: &&Entry| match oid {
        Some(oid) => entry.holds(*oid, *size),
        None => false,
    };
    Ok(expected.difference(found, is_same).map(str::to_owned))
}

fn not_a_path(error: Error) -> Error {
    let message = format!("invalid file listing from the Hub: {}", error.message());
    error.with_kind(ErrorKind::InvalidResponse).with_message(message)
}

/// Returns the error for a commit that does not contain what was sent.
pub(super) fn not_as_sent(path: &str, commit: &str) -> Error {
    let message = format!(
        "the Hub created commit {commit}, but its \"{path}\" does not match what was sent; upload it again"
    );
    Error::new(ErrorKind::ChecksumMismatch, message).with_path(path)
}
