//! How to upload files: as part of the commit, or as large files before it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use git2::Oid;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::error::ApiError;
use super::super::lookup::checkout;
use super::super::response;
use super::check_commit_rights;
use super::commit::{MAX_REGULAR, check_path};
use crate::store::{Attributes, EntryKind, Git, Repo};

/// The request body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    files: Vec<Candidate>,
    git_attributes: Option<String>,
    git_ignore: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    path: String,
    size: u64,
    #[serde(default)]
    sample: String,
}

/// Handles `POST /api/{kind}/{id}/preupload/{revision}`.
pub(super) fn post(call: &Call, repo: &Repo, revision: &str) -> Reply {
    check_commit_rights(call, repo, revision)?;
    let wanted: Wanted = call.body.json()?;
    let (git, commit) = checkout(repo, revision)?;
    let rules = Rules::new(&git, commit, &wanted)?;
    let files = wanted.files.iter().map(|file| describe(&git, commit, &rules, file));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    Ok(response::json(&json!({ "files": files, "commitOid": commit.to_string() })))
}

fn describe(git: &Git, commit: Oid, rules: &Rules, file: &Candidate) -> Result<Value, ApiError> {
    check_path(&file.path)?;
    let mode = if rules.is_lfs(file)? { "lfs" } else { "regular" };
    let is_ignored = rules.ignored.matched_path_or_any_parents(&file.path, false).is_ignore();
    let mut json = json!({ "path": file.path, "uploadMode": mode, "shouldIgnore": is_ignored });
    match git.entry(commit, &file.path)? {
        Some(entry) if !matches!(entry.kind, EntryKind::Folder) => {
            json["oid"] = entry.etag().into();
        }
        _ => {}
    }
    Ok(json)
}

/// The rules of the repository, or else of the client, for its files.
struct Rules {
    attributes: Attributes,
    ignored: Gitignore,
}

impl Rules {
    fn new(git: &Git, commit: Oid, wanted: &Wanted) -> Result<Self, ApiError> {
        let sent = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        let text = |sent: Option<Vec<u8>>, path| match sent {
            Some(text) => Ok(text),
            None => stored(git, commit, path),
        };
        let attributes = text(sent(&wanted.git_attributes), ".gitattributes")?;
        let ignored = text(sent(&wanted.git_ignore), ".gitignore")?;
        Ok(Self { attributes: Attributes::parse(&attributes), ignored: parse_ignored(&ignored) })
    }

    /// Whether a file is large: by name, by size, or because it is not text.
    fn is_lfs(&self, file: &Candidate) -> Result<bool, ApiError> {
        let sample = STANDARD.decode(&file.sample).map_err(|_| {
            ApiError::bad_request(format!("The sample of {} is not base64", file.path))
        })?;
        let is_binary = sample.contains(&0);
        Ok(self.attributes.is_lfs(&file.path) || file.size > MAX_REGULAR || is_binary)
    }
}

fn stored(git: &Git, commit: Oid, path: &str) -> Result<Vec<u8>, ApiError> {
    match git.entry(commit, path)? {
        Some(entry) if matches!(entry.kind, EntryKind::File { size } if size <= MAX_REGULAR) => {
            Ok(git.blob(entry.oid)?)
        }
        _ => Ok(Vec::new()),
    }
}

/// Parses ignore rules; invalid lines ignore nothing.
fn parse_ignored(text: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(text).lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
