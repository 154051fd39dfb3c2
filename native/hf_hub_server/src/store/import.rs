//! Imports a folder as a commit.
//!
//! The commit contains exactly the folder's files, plus the repository's `.gitattributes` if the
//! folder has none. Files are streamed. Only `.git` and `.cache/huggingface` are left out.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use git2::Oid;
use walkdir::{DirEntry, WalkDir};

use super::attributes::{self, Attributes};
use super::git::{Change, Content, EntryKind, Git, MAIN_REF, branch_ref};
use super::lfs::Pointer;
use super::repo::{Lookup, Repo};
use super::settings::Settings;
use super::{RepoKey, Store};

const ATTRIBUTES_FILE: &str = ".gitattributes";
const LARGE: u64 = 10 << 20;
const AUTHOR: &str = "local-hub";

/// What to import and where.
pub(crate) struct Spec<'a> {
    /// The folder to read.
    pub(crate) folder: &'a Path,
    /// The target repository; created if missing.
    pub(crate) key: &'a RepoKey,
    /// The branch, or a `refs/pr/…`.
    pub(crate) branch: &'a str,
    /// The commit message.
    pub(crate) message: &'a str,
}

/// The result.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The commit of the folder.
    pub(crate) commit: String,
    /// Number of files of the folder.
    pub(crate) files: usize,
    /// Their total size in bytes.
    pub(crate) bytes: u64,
}

impl Store {
    /// Commits a folder; the same content again changes nothing. `adjust` sets up a new repository,
    /// or changes an existing one.
    pub(crate) fn import(
        &self,
        spec: &Spec<'_>,
        adjust: impl FnOnce(&mut Settings),
    ) -> Result<Imported> {
        let Some(branch) = branch_ref(spec.branch) else {
            bail!("invalid branch name `{}`", spec.branch);
        };
        let sources = scan(spec.folder)?;
        let attributes = read_attributes(spec.folder)?;
        let _lock = self.lock(spec.key)?;
        let repo = self.prepare(spec.key, attributes.as_deref(), adjust)?;
        let git = repo.git()?;
        let parent = match git.tip(&branch)? {
            Some(parent) => parent,
            None => git.tip(MAIN_REF)?.context("the repository has no main branch")?,
        };
        let mut files = Vec::new();
        let attributes = match attributes {
            Some(text) => text,
            None => kept_attributes(&git, parent, &mut files)?,
        };
        let attributes = Attributes::parse(&attributes);
        for source in &sources {
            let blob = self.store(&repo, &git, source, attributes.is_lfs(&source.path))?;
            files.push(Change { path: source.path.clone(), blob });
        }
        let content = Content { files, parent: Some(parent) };
        let commit = git.write_commit(&branch, content, spec.message, AUTHOR)?;
        let bytes = sources.iter().map(|source| source.size).sum();
        Ok(Imported { commit: commit.to_string(), files: sources.len(), bytes })
    }

    /// Returns the repository, or creates it with the Hub's initial commit.
    fn prepare(
        &self,
        key: &RepoKey,
        attributes: Option<&[u8]>,
        adjust: impl FnOnce(&mut Settings),
    ) -> Result<Repo> {
        match self.locate(key)? {
            Lookup::Moved(id) => bail!("{key} was renamed to {id}"),
            Lookup::Found(repo) => {
                self.update(key, adjust)?;
                Ok(*repo)
            }
            Lookup::Missing => {
                let mut settings = Settings::new(key);
                adjust(&mut settings);
                let default = attributes::default_for(key.kind).as_bytes();
                let files = [(ATTRIBUTES_FILE, attributes.unwrap_or(default))];
                let created = self.create(key, settings, &files, AUTHOR, None)?;
                created.with_context(|| format!("{key} exists in another case"))
            }
        }
    }

    fn store(&self, repo: &Repo, git: &Git, source: &Source, lfs: bool) -> Result<Oid> {
        let context = || format!("cannot import {}", source.file.display());
        let file = File::open(&source.file).with_context(context)?;
        if lfs || source.size > LARGE {
            let pointer = self.lfs().put(file).with_context(context)?;
            repo.hold(&self.lfs(), &pointer.oid).with_context(context)?;
            return git.write_blob(pointer.text().as_bytes());
        }
        let blob = git.write_blob(file).with_context(context)?;
        if let Some(pointer) = Pointer::parse(&git.blob(blob)?) {
            if !self.lfs().has(&pointer.oid) {
                bail!(
                    "{} is a Git LFS pointer without its content; run `git lfs pull` first",
                    source.file.display()
                );
            }
            repo.hold(&self.lfs(), &pointer.oid).with_context(context)?;
        }
        Ok(blob)
    }
}

/// A file of the folder.
struct Source {
    file: std::path::PathBuf,
    path: String,
    size: u64,
}

fn scan(folder: &Path) -> Result<Vec<Source>> {
    if !folder.is_dir() {
        bail!("{} is not a folder", folder.display());
    }
    // Links are followed: a snapshot of the Hugging Face cache consists of links.
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let mut sources = Vec::new();
    for entry in walk.into_iter().filter_entry(is_wanted) {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder)?;
        let segments = relative.iter().map(|name| name.to_str());
        let Some(segments) = segments.collect::<Option<Vec<_>>>() else {
            bail!("the name of {} is not UTF-8", entry.path().display());
        };
        let size = entry.metadata()?.len();
        sources.push(Source { file: entry.path().to_owned(), path: segments.join("/"), size });
    }
    Ok(sources)
}

fn is_wanted(entry: &DirEntry) -> bool {
    let inside_cache = entry.path().parent().is_some_and(|parent| parent.ends_with(".cache"));
    entry.depth() == 0
        || (entry.file_name() != ".git" && !(inside_cache && entry.file_name() == "huggingface"))
}

fn read_attributes(folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = folder.join(ATTRIBUTES_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    std::fs::read(&path).map(Some).with_context(|| format!("cannot read {}", path.display()))
}

/// Copies the parent's `.gitattributes` to the new commit and returns its content.
fn kept_attributes(git: &Git, parent: Oid, files: &mut Vec<Change>) -> Result<Vec<u8>> {
    match git.entry(parent, ATTRIBUTES_FILE)? {
        Some(entry) if matches!(entry.kind, EntryKind::File { .. }) => {
            files.push(Change { path: ATTRIBUTES_FILE.into(), blob: entry.oid });
            Ok(git.blob(entry.oid)?)
        }
        _ => Ok(Vec::new()),
    }
}
