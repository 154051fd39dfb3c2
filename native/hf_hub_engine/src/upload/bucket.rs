//! Stores contents for a bucket, whose files name them by their Xet hash.
//!
//! A bucket has no other storage, so a session that fails is repeated: objects that the storage has
//! are not sent again.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        hint::Hint,
        ids::{Repo, Revision},
        progress::Progress,
        scrub::Shown,
    },
    hub::{
        client::{self, Hub},
        retry, xet_access,
    },
    upload::{
        Addition, errors,
        oid::Oid,
        path::{self, RepoPath},
        session::{Session, Target, Tuning},
        source::Source,
        xet,
    },
    xet::{Access, Stored},
};

/// File contents to store.
#[derive(Clone, Debug, Deserialize)]
struct File {
    /// Its path in the bucket.
    #[serde(deserialize_with = "path::read")]
    path: RepoPath,
    content: Source,
    /// The id of the content, if known.
    oid: Option<Oid>,
}

/// The contents to store for a bucket.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    bucket: Repo,
    files: Vec<File>,
    tuning: Tuning,
}

/// Stored file contents.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The hash by which files name it.
    hash: String,
    /// Its size in bytes.
    size: u64,
    /// Time at which its file was modified, in milliseconds since 1970.
    modified: Option<i64>,
}

impl Shown for Vec<Kept> {}

/// Stores the contents, and returns them in the same order.
pub async fn store(hub: &Hub, spec: Spec, progress: &Progress) -> Result<Vec<Kept>> {
    let Spec { bucket, files, tuning } = spec;
    // A bucket has no branches.
    let revision = Revision::parse("main")?;
    let target = Target { repo: bucket, revision, create_pr: false, hot_reload: false };
    let session = Session::new(hub, &target, tuning, progress);
    let work = hub.within_deadline(progress, hub.with_permit(Box::pin(run(&session, files))));
    work.await.map_err(|error| errors::rejection(&session, error))
}

async fn run(session: &Arc<Session>, files: Vec<File>) -> Result<Vec<Kept>> {
    if let Some(why) = session.hub.xet.obstacle() {
        let message = format!("files of a bucket are uploaded by Xet, which cannot be used: {why}");
        return Err(Error::new(ErrorKind::BadRequest, message).with_hints([Hint::AllowXet]));
    }
    let files = blocking::run(move || look(files)).await?;
    session.progress.add_files(files.len() as u64);
    session.progress.add_bytes(files.iter().map(|file| file.stamp.size).sum());
    let (empty, files): (Vec<_>, _) = files.into_iter().partition(|file| file.stamp.size == 0);
    session.progress.skip_files(empty.len() as u64);
    let mut kept: Vec<_> = empty.into_iter().map(|file| (file, nothing())).collect();
    for some in batches(&files) {
        kept.extend(persist(session, some).await?);
        session.progress.skip_files(some.len() as u64);
    }
    kept.sort_unstable_by_key(|(file, _)| file.place);
    Ok(kept.into_iter().map(Kept::from).collect())
}

/// Returns the entry of an empty file, of which the storage has no chunks.
fn nothing() -> Stored {
    Stored { sha256: None, hash: "0".repeat(64), deduplicated: 0 }
}

/// Looks at all files before the first is sent.
fn look(files: Vec<File>) -> Result<Vec<Addition>> {
    let files = files.into_iter().enumerate();
    files
        .map(|(place, File { path, content, oid })| Addition::of(path, content, oid, place))
        .collect()
}

/// Returns the files of each session.
fn batches(mut files: &[Addition]) -> impl Iterator<Item = &[Addition]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = files.iter().take(xet::FILES).take_while(|file| {
            let has_room = bytes < xet::BYTES;
            bytes += file.stamp.size;
            has_room
        });
        let (batch, rest) = files.split_at(fits.count());
        files = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Uploads the files in a session, which is repeated if it fails for now.
async fn persist(session: &Arc<Session>, files: &[Addition]) -> Result<Vec<(Addition, Stored)>> {
    let hub = &session.hub;
    let mut attempts = Attempts::default();
    loop {
        let access = xet_access::request(hub, session.xet_route(), &session.progress).await?;
        let error = match xet::upload(session, &access, files.iter().cloned()).await {
            Ok(stored) => return Ok(stored),
            Err(error) => error,
        };
        let Some(wait) = attempts.again(hub, &access, &error) else { return Err(error) };
        client::pause(&session.progress, &error, wait).await?;
    }
}

/// The attempts at a session.
#[derive(Debug, Default)]
struct Attempts {
    failures: u32,
    /// Whether another token was tried.
    is_renewed: bool,
}

impl Attempts {
    /// Returns how long to wait before a failed session is repeated; `None` if that is of no use.
    fn again(&mut self, hub: &Hub, access: &Access, error: &Error) -> Option<Duration> {
        let is_of = |kind| error.is_from_a_store() && error.kind() == kind;
        if is_of(ErrorKind::Unauthorized) {
            // The token may have expired earlier than by the clock of this machine.
            hub.xet.shared.forget(access);
            return (!std::mem::replace(&mut self.is_renewed, true)).then_some(Duration::ZERO);
        }
        self.failures += 1;
        // Errors of the storage have no status, which would show that they pass.
        let outage = Error::new(ErrorKind::Transport, "the storage has failed");
        let error = if is_of(ErrorKind::Server) { &outage } else { error };
        retry::decide(hub.retry, self.failures, error)
    }
}

impl From<(Addition, Stored)> for Kept {
    fn from((file, stored): (Addition, Stored)) -> Self {
        let is_file = matches!(file.source, Source::File(_));
        let modified = is_file.then_some(file.stamp.modified / 1_000_000);
        Self { hash: stored.hash, size: file.stamp.size, modified }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::{testing, upload::source::Stamp};

    fn files(sizes: impl IntoIterator<Item = u64>) -> Vec<Addition> {
        let file = |(place, size)| Addition {
            path: RepoPath::parse("a").unwrap(),
            source: Source::Remote,
            stamp: Stamp::fixed(size),
            known: None,
            place,
        };
        sizes.into_iter().enumerate().map(file).collect()
    }

    #[test]
    fn a_session_has_a_limited_number_of_files_and_bytes() {
        let lengths = |files: &[Addition]| batches(files).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&files([1; xet::FILES + 1])), [xet::FILES, 1]);
        assert_eq!(lengths(&files([xet::BYTES - 1, 1, 1, 2 * xet::BYTES, 1])), [2, 2, 1]);
    }

    #[test]
    fn repeats_a_session_that_may_succeed() {
        let hub = testing::hub("http://127.0.0.1:9");
        let url: reqwest::Url = "http://127.0.0.1:9/".parse().unwrap();
        let access = Access {
            storage: url.clone(),
            token: "secret".to_owned(),
            expires: u64::MAX,
            route: url.clone(),
            headers: HeaderMap::new(),
        };
        let again = |attempts: &mut Attempts, kind| {
            hub.xet.shared.keep(access.clone());
            attempts.again(&hub, &access, &Error::new(kind, "x").from_a_store())
        };
        let attempts = &mut Attempts::default();
        assert!(again(attempts, ErrorKind::Server).is_some());
        assert!(again(attempts, ErrorKind::Transport).is_some());
        assert_eq!(again(attempts, ErrorKind::Io), None);
        // Another token, once, also after other failures.
        assert!(hub.xet.shared.access(&url, None).is_some());
        assert_eq!(again(attempts, ErrorKind::Unauthorized), Some(Duration::ZERO));
        assert!(hub.xet.shared.access(&url, None).is_none());
        assert_eq!(again(attempts, ErrorKind::Unauthorized), None);
        let attempts = &mut Attempts { failures: hub.retry.retries, is_renewed: true };
        assert_eq!(again(attempts, ErrorKind::Transport), None);
    }
}
