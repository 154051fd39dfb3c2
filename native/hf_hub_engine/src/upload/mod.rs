//! Uploads: files, folders and lists of changes into commits.
//!
//! A file is judged by the Hub ([`preupload`]), hashed once ([`digest`]), put into the large file
//! store if that is where it belongs ([`store`], [`object`]), and named in a commit ([`payload`],
//! [`commit`]). All of it streams: memory holds names and a few pieces, never a file.

mod answer;
mod batch_size;
mod card;
mod changes;
mod commit;
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
mod walk;

pub use changes::{Operation, Spec, create, preupload as preupload_files};
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

use serde::Serialize;

use crate::base::{error::Result, ids::Repo};
use source::Content;

/// A file that is to be in the repository.
#[derive(Clone, Debug)]
pub struct Addition {
    /// Its name there.
    pub path: RepoPath,
    /// Its content.
    pub source: Source,
    /// How the content looked when it was first seen.
    pub stamp: Stamp,
    /// What identifies the content, where that is known.
    pub known: Option<Oid>,
    /// Its place among the changes asked for.
    pub place: usize,
}

impl Addition {
    /// Opens the content, if it still looks as it did.
    fn open(&self) -> Result<Content> {
        self.source.open(&self.path, self.stamp)
    }
}

/// The words of a commit, and what it follows.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line.
    pub summary: String,
    /// The rest; may be empty.
    pub description: String,
    /// The commit that the branch must be at.
    pub parent: Option<String>,
}

/// What an upload did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The commits, in order; none where there was nothing to do.
    pub commits: Vec<Info>,
    /// The last of them, or the head.
    pub last: Option<Info>,
    /// Files and deletions in the commits.
    pub committed: usize,
    /// Files that the repository had already.
    pub unchanged: usize,
    /// Files that the repository's rules left out.
    pub ignored: usize,
    /// The first of those.
    #[serde(skip)]
    pub left_out: Vec<RepoPath>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// More warnings than anybody reads.
const WARNINGS: usize = 20;

/// Files that a warning names.
const NAMED: usize = 3;

impl Report {
    fn warn(&mut self, text: String) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(text);
        }
    }

    /// Takes in a file that the repository's rules leave out.
    fn ignore(&mut self, path: RepoPath) {
        self.ignored += 1;
        if self.left_out.len() < NAMED {
            self.left_out.push(path);
        }
    }

    /// Says which files the repository's rules left out, if there are any.
    fn exclusions(&self) -> Option<String> {
        let names: Vec<_> = self.left_out.iter().map(|path| format!("\"{path}\"")).collect();
        let more = match self.ignored.saturating_sub(names.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!names.is_empty())
            .then(|| format!("the repository's .gitignore excludes {}{more}", names.join(", ")))
    }

    /// Says that there is no commit, and why. `otherwise` is the reason where no file was looked at.
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
