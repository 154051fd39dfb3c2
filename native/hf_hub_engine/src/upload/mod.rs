//! Uploads: commits files, folders and lists of changes.
//!
//! For each file, the Hub is asked how to upload it ([`preupload`]). The file is hashed once
//! ([`digest`]), uploaded to the large file store if it belongs there ([`store`], [`object`]), and
//! referenced in a commit ([`payload`], [`commit`]). Everything is streamed: memory holds names and
//! a few pieces, never a whole file. The files of a bucket have no commit ([`bucket`]).

mod batch_size;
mod bucket;
mod card;
mod changes;
mod commit;
mod commit_response;
mod copies;
mod digest;
mod errors;
mod expected;
mod folder;
mod lfs;
mod link;
mod object;
mod oid;
mod outcome;
mod parts;
mod path;
mod payload;
mod prepare;
mod preupload;
mod remote_entries;
mod session;
mod source;
mod state_file;
mod store;
mod unwanted;
mod walk;
mod watch;
mod xet;

pub use bucket::{Spec as BucketSpec, store as store_for_bucket};
pub use changes::{Operation, Placed, Spec, create, preupload as preupload_files};
pub use commit::Info;
pub use folder::{Spec as FolderSpec, run as folder};
pub use oid::Oid;
pub use path::{
    RepoPath, parse as parse_path, parse_addition as parse_addition_path,
    parse_folder as parse_folder_path,
};
pub use preupload::Mode;
pub use session::{Target, Tuning};
pub use source::{Source, Stamp};

use serde::{Deserialize, Serialize};

use crate::base::{
    error::Result,
    ids::Repo,
    scrub::{Scrub, Shown},
};
use source::Content;

/// A file to add to the repository.
#[derive(Clone, Debug)]
pub struct Addition {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its content.
    pub source: Source,
    /// Size and time of the file when it was first read.
    pub stamp: Stamp,
    /// The id of the content, if known.
    pub known: Option<Oid>,
    /// Its index in the list of changes.
    pub place: usize,
}

impl Addition {
    /// Looks at the content.
    fn of(path: RepoPath, source: Source, known: Option<Oid>, place: usize) -> Result<Self> {
        let stamp = match &source {
            Source::Bytes(bytes) => Stamp::fixed(bytes.len() as u64),
            other => other.stamp(&path)?.unwrap_or_default(),
        };
        Ok(Self { path, source, stamp, known, place })
    }

    /// Opens the content; fails if it has changed.
    fn open(&self) -> Result<Content> {
        self.source.open(&self.path, self.stamp)
    }
}

/// The message of a commit, and its parent.
#[derive(Clone, Debug, Deserialize)]
pub struct Message {
    /// The first line.
    pub summary: String,
    /// The rest of the message; may be empty.
    pub description: String,
    /// The commit that the branch must be at.
    pub parent: Option<String>,
}

/// The result of an upload.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The commits, in order; empty if nothing was committed.
    pub commits: Vec<Info>,
    /// The last commit, or the head of the branch.
    pub last: Option<Info>,
    /// Number of files and deletions in the commits.
    pub committed: usize,
    /// Number of files that were unchanged.
    pub unchanged: usize,
    /// Number of files that the repository's rules exclude.
    pub ignored: usize,
    /// The first of those.
    #[serde(skip)]
    pub left_out: Vec<RepoPath>,
    /// Number of files that were left out because they are rarely meant to be published.
    pub unwanted: usize,
    /// The first of those.
    pub unwanted_names: Vec<String>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Number of bytes that the Hub's storage had before, in any file.
    pub deduplicated: u64,
    /// Why Xet storage was given up.
    pub fallback: Option<String>,
}

impl Shown for Report {
    fn shown(mut self, scrub: &Scrub) -> Self {
        let texts = self.warnings.iter_mut().chain(&mut self.unwanted_names);
        for text in texts.chain(&mut self.fallback) {
            *text = scrub.text(text).into_owned();
        }
        self
    }
}

impl Shown for Vec<Placed> {}

/// Maximum number of warnings.
const WARNINGS: usize = 20;

/// Maximum number of files that a warning names.
const NAMED: usize = 3;

impl Report {
    fn warn(&mut self, text: String) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(text);
        }
    }

    /// Records what became of the large files.
    fn stored(&mut self, work: &prepare::Work) {
        self.deduplicated = work.session.progress.snapshot().bytes_deduplicated;
        self.fallback = work.xet.failure().map(str::to_owned);
    }

    /// Records a file that the repository's rules exclude.
    fn ignore(&mut self, path: RepoPath) {
        self.ignored += 1;
        if self.left_out.len() < NAMED {
            self.left_out.push(path);
        }
    }

    /// Returns which files the repository's rules exclude, if any.
    fn exclusions(&self) -> Option<String> {
        let names: Vec<_> = self.left_out.iter().map(|path| format!("\"{path}\"")).collect();
        let more = match self.ignored.saturating_sub(names.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!names.is_empty())
            .then(|| format!("the repository's .gitignore excludes {}{more}", names.join(", ")))
    }

    /// Adds a warning that nothing was committed, and why. `otherwise` is the reason if there were
    /// no files.
    fn nothing(&mut self, repo: &Repo, otherwise: &str) {
        let unchanged = match self.unchanged {
            0 => None,
            1 => Some("the file has not changed".to_owned()),
            files => Some(format!("none of {files} files has changed")),
        };
        let reasons: Vec<_> = unchanged.into_iter().chain(self.exclusions()).collect();
        let why = if reasons.is_empty() { otherwise.to_owned() } else { reasons.join(", and ") };
        self.warn(format!("nothing was committed to \"{repo}\": {why}"));
    }
}

#[cfg(test)]
mod tests;
