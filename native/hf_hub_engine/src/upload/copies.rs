//! Copies files that already are in a repository, within it or from another one.
//!
//! Large files are referenced again, which requires no transfer. The content of all other files is
//! downloaded to an unnamed temporary file and sent with the commit.

use std::{
    collections::HashMap,
    io::{Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        blocking,
        error::{Error, ErrorKind, Result},
        ids::{Repo, Revision},
    },
    hub::api::Call,
    upload::{
        Addition,
        commit_response::shown,
        oid::Oid,
        path::RepoPath,
        payload::Change,
        remote_entries::{self, Entry},
        session::Session,
        source::{Source, Stamp},
    },
};

/// Maximum number of files in one request to another repository.
const BATCH: usize = 500;

/// A requested copy.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) place: usize,
    pub(super) from: RepoPath,
    pub(super) path: RepoPath,
    pub(super) revision: Option<Revision>,
    pub(super) repo: Option<Repo>,
}

/// Where copies come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Origin {
    repo: Repo,
    revision: Revision,
}

#[derive(Serialize)]
struct Request<'a> {
    target: Target<'a>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct Target<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    xet_hash: Option<&'a str>,
    sha256: String,
    filename: &'a str,
}

#[derive(Deserialize)]
struct Duplicated {
    #[serde(default)]
    failed: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    error: String,
}

/// Returns the change for each copy; `None` if the repository already has the file. `overwrites`
/// returns which paths other changes of the same commit touch.
pub(super) async fn prepare(
    session: &Session,
    copies: Vec<Copy>,
    overwrites: impl Fn(&RepoPath) -> bool,
) -> Result<Vec<(usize, Option<Change>)>> {
    let here =
        Origin { repo: session.target.repo.clone(), revision: session.target.revision.clone() };
    let mut by_origin: HashMap<Origin, Vec<&str>> = HashMap::new();
    for copy in &copies {
        by_origin.entry(origin(copy, &here)?).or_default().push(copy.from.as_str());
        by_origin.entry(here.clone()).or_default().push(copy.path.as_str());
    }
    let mut found = HashMap::new();
    for (origin, paths) in by_origin {
        let entries = remote_entries::look(session, &origin.repo, &origin.revision, &paths).await?;
        found.insert(origin, entries);
    }
    let mut large: HashMap<Repo, Vec<(&RepoPath, &Entry)>> = HashMap::new();
    let mut small = Vec::new();
    let mut changes = Vec::new();
    for copy in &copies {
        let origin = origin(copy, &here)?;
        let entry = found.get(&origin).and_then(|entries| entries.get(copy.from.as_str()));
        let entry = entry.ok_or_else(|| missing(copy, &origin))?;
        if entry.is_folder() {
            return Err(folder(copy));
        }
        let there = found.get(&here).and_then(|entries| entries.get(copy.path.as_str()));
        let same =
            there.is_some_and(|there| there.blob() == entry.blob()) && !overwrites(&copy.path);
        if same {
            changes.push((copy.place, None));
        } else if entry.lfs.is_some() {
            if origin.repo != here.repo {
                large.entry(origin.repo).or_default().push((&copy.from, entry));
            }
            let change = Change::Lfs { path: copy.path.clone(), oid: entry.content()?, size: None };
            changes.push((copy.place, Some(change)));
        } else {
            small.push((copy, origin, entry));
        }
    }
    for (repo, files) in large {
        duplicate(session, &repo, files).await?;
    }
    changes.extend(fetch_all(session, small).await?);
    Ok(changes)
}

fn origin(copy: &Copy, here: &Origin) -> Result<Origin> {
    let revision = match (&copy.repo, &copy.revision) {
        (_, Some(revision)) => revision.clone(),
        (None, None) => here.revision.clone(),
        (Some(_), None) => Revision::parse("main")?,
    };
    Ok(Origin { repo: copy.repo.clone().unwrap_or_else(|| here.repo.clone()), revision })
}

fn missing(copy: &Copy, origin: &Origin) -> Error {
    let message = format!(
        "cannot copy \"{}\": \"{}\" has no such file at revision \"{}\"",
        copy.from, origin.repo, origin.revision
    );
    Error::new(ErrorKind::EntryNotFound, message)
        .with_path(&copy.from)
        .with_repo(&origin.repo)
        .with_revision(&origin.revision)
}

fn folder(copy: &Copy) -> Error {
    let message =
        format!("cannot copy \"{}\": it is a folder; copy its files one by one", copy.from);
    Error::new(ErrorKind::BadRequest, message).with_path(&copy.from)
}

/// Allows the repository to reference large files of another one.
async fn duplicate(session: &Session, from: &Repo, files: Vec<(&RepoPath, &Entry)>) -> Result<()> {
    let mut once: HashMap<Oid, File<'_>> = HashMap::new();
    for (path, entry) in files {
        let oid = entry.content()?;
        let file = File {
            xet_hash: entry.xet_hash.as_deref(),
            sha256: oid.to_string(),
            filename: path.as_str(),
        };
        once.entry(oid).or_insert(file);
    }
    let repo = &session.target.repo;
    let url = session.hub.api_url(from, "lfs-files/duplicate");
    let mut files: Vec<File<'_>> = once.into_values().collect();
    while !files.is_empty() {
        let rest = files.split_off(files.len().min(BATCH));
        let target = Target { kind: repo.kind().name(), name: repo.id() };
        let response: Duplicated = session.ask(url.clone(), &Request { target, files }).await?;
        if let Some(failure) = response.failed.first() {
            let message = format!(
                "the Hub cannot copy {} of the large files from \"{from}\": {} ({})",
                response.failed.len(),
                shown(&failure.error),
                shown(&failure.sha256)
            );
            return Err(Error::new(ErrorKind::BadRequest, message));
        }
        files = rest;
    }
    Ok(())
}

/// Downloads small files into one unnamed temporary file.
async fn fetch_all(
    session: &Session,
    small: Vec<(&Copy, Origin, &Entry)>,
) -> Result<Vec<(usize, Option<Change>)>> {
    if small.is_empty() {
        return Ok(Vec::new());
    }
    let unkept = |error| Error::io("keep a copy in", Path::new("the temporary folder"), error);
    let mut file = blocking::run(tempfile::tempfile).await.map_err(unkept)?;
    let mut fetched = Vec::new();
    for (copy, origin, entry) in small {
        let (bytes, oid) = fetch(session, copy, &origin, entry).await?;
        let size = bytes.len() as u64;
        let (kept, first) = blocking::run(move || {
            let first =
                file.seek(SeekFrom::End(0)).and_then(|at| file.write_all(&bytes).map(|()| at));
            (file, first)
        })
        .await;
        file = kept;
        fetched.push((copy, first.map_err(unkept)?, size, oid));
    }
    let file = Arc::new(file);
    let changes = fetched.into_iter().map(|(copy, first, size, oid)| {
        let addition = Addition {
            path: copy.path.clone(),
            source: Source::Slice(file.clone(), first),
            stamp: Stamp::fixed(size),
            known: oid,
            place: copy.place,
        };
        (copy.place, Some(Change::File(addition)))
    });
    Ok(changes.collect())
}

/// Returns the content and its git object id. The id is compared with the listing if that uses git
/// object ids.
async fn fetch(
    session: &Session,
    copy: &Copy,
    origin: &Origin,
    entry: &Entry,
) -> Result<(bytes::Bytes, Option<Oid>)> {
    let hub = &session.hub;
    let call = Call::get(hub.file_url(&origin.repo, &origin.revision, &copy.from));
    let bytes = hub.retrying(&session.progress, || hub.exchange_once(&call)).await?.body;
    let oid = Oid::of_git(&bytes[..], bytes.len() as u64).ok();
    let listed = entry.content().ok().filter(|listed| matches!(listed, Oid::Git(_)));
    if listed.is_some() && listed != oid {
        let message = format!("the content of \"{}\" does not match the listing", copy.from);
        return Err(Error::new(ErrorKind::ChecksumMismatch, message).with_path(&copy.from));
    }
    Ok((bytes, oid))
}
