//! Creates a commit on top of a branch.
//!
//! The repository's lock is held only for the commit: blobs and large files are stored before.
//! Without a parent, the commit is created on top of the current head, as on the Hub.

use anyhow::Result;
use git2::Oid;
use jiff::Timestamp;
use rusqlite::Transaction;

use super::attributes::{Attributes, lfs_line};
use super::discussions::{Opening, Status};
use super::git::{Draft, Edit, EditError, EntryKind, Git, MAIN_REF, branch_ref};
use super::pull_requests::Added;
use super::{RepoKey, RepoLock, Store};

/// Maximum number of characters of a title.
const MAX_TITLE: usize = 200;
const ATTRIBUTES_FILE: &str = ".gitattributes";

/// What to commit and where.
pub(crate) struct Spec<'a> {
    /// The repository.
    pub(crate) key: &'a RepoKey,
    /// The repository's unique id: a repository created again under the same name has another one.
    pub(crate) object_id: &'a str,
    /// What the commit is based on.
    pub(crate) base: Base<'a>,
    /// The changes.
    pub(crate) edits: Vec<Edit>,
    /// The paths whose content is in the large file store.
    pub(crate) lfs_paths: Vec<String>,
    /// The first line of the message.
    pub(crate) summary: &'a str,
    /// The rest of the message.
    pub(crate) description: &'a str,
    /// The user who commits.
    pub(crate) author: &'a str,
}

/// What a commit is based on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base<'a> {
    /// A branch or an existing pull request, which moves to the commit.
    Branch {
        /// Its name.
        name: &'a str,
        /// The commit it has to point to: an id or a prefix of one.
        parent: Option<&'a str>,
    },
    /// A new pull request.
    PullRequest {
        /// The revision it is for.
        revision: &'a str,
        /// The commit to start from, if not the newest.
        parent: Option<&'a str>,
    },
}

/// The result.
#[derive(Debug)]
pub(crate) struct Committed {
    /// The commit.
    pub(crate) commit: Oid,
    /// The full name of the ref that was moved or created.
    pub(crate) name: String,
    /// The commit it pointed to before.
    pub(crate) before: Option<Oid>,
    /// Held until the commit is announced, so that events are in the order of the commits.
    _lock: RepoLock,
    /// The number of the new pull request.
    pub(crate) pull_request: Option<u64>,
}

/// Why no commit was created.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// The repository no longer exists.
    NoRepo,
    /// The revision does not exist.
    NoRevision(String),
    /// The revision cannot be committed to.
    NoBranch(String),
    /// The branch points to another commit than expected.
    Stale,
    /// A change cannot be applied.
    Edit(EditError),
    /// Another error.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for CommitError {
    fn from(err: E) -> Self {
        Self::Other(err.into())
    }
}

impl Store {
    /// Creates the commit.
    pub(crate) fn commit(&self, spec: Spec<'_>) -> Result<Committed, CommitError> {
        let lock = self.lock(spec.key)?;
        let repo = self.locate(spec.key)?.found().ok_or(CommitError::NoRepo)?;
        if repo.settings.object_id != spec.object_id {
            return Err(CommitError::NoRepo);
        }
        let git = repo.git()?;
        let start = start(&git, spec.base)?;
        if let Target::Branch(name) = &start.target {
            self.check_push(&repo, name)?;
        }
        let mut edits = spec.edits;
        edits.extend(track(&git, start.parent, &edits, &spec.lfs_paths)?);
        let tree = git.edit(start.parent, edits).map_err(CommitError::Edit)?;
        let message = message(spec.summary, spec.description);
        let (parent, author) = (Some(start.parent), spec.author);
        let commit = git.commit_tree(&Draft { tree, parent, message: &message, author })?;
        let added = Added { author, subject: first_line(spec.summary), commit };
        match start.target {
            Target::Branch(name) => {
                git.point(&name, parent, commit, spec.summary)?;
                if let Err(err) = self.note_commit(&repo, &name, &added) {
                    git.set_ref(&name, start.parent, "the commit was not recorded")?;
                    return Err(err.into());
                }
                Ok(Committed { commit, name, before: parent, pull_request: None, _lock: lock })
            }
            Target::PullRequest { base } => {
                let (title, created_at) = (pull_request_title(spec.summary), Timestamp::now());
                let description = spec.description.trim();
                let opening = Opening { title: &title, description, author, created_at };
                let started = (&*base, Status::Open);
                let more = |tx: &Transaction<'_>, row| added.save(tx, row);
                let number =
                    self.start_pull_request(&git, &repo, commit, started, &opening, more)?;
                let (name, pull_request) = (format!("refs/pr/{number}"), Some(number));
                Ok(Committed { commit, name, before: None, pull_request, _lock: lock })
            }
        }
    }
}

/// The parent commit, and where the commit goes.
struct Start {
    parent: Oid,
    target: Target,
}

enum Target {
    /// A ref, which moves.
    Branch(String),
    /// A new pull request for this branch.
    PullRequest { base: String },
}

fn start(git: &Git, base: Base<'_>) -> Result<Start, CommitError> {
    let resolve = |revision: &str| {
        git.resolve(revision)?.ok_or_else(|| CommitError::NoRevision(revision.to_owned()))
    };
    match base {
        Base::PullRequest { revision, parent } => {
            let head = resolve(revision)?;
            let parent = parent.map(resolve).transpose()?.unwrap_or(head);
            let is_branch = |name: &String| name.starts_with("refs/heads/");
            let base = branch_ref(revision).filter(is_branch);
            let base = base.filter(|name| git.tip(name).is_ok_and(|tip| tip.is_some()));
            let base = base.unwrap_or_else(|| MAIN_REF.to_owned());
            Ok(Start { parent, target: Target::PullRequest { base } })
        }
        Base::Branch { name, parent } => {
            let branch = branch_ref(name);
            let head = branch.as_deref().map(|name| git.tip(name)).transpose()?.flatten();
            let (Some(branch), Some(head)) = (branch, head) else {
                // A tag or a commit exists, but cannot be committed to.
                resolve(name)?;
                return Err(CommitError::NoBranch(name.to_owned()));
            };
            if parent.is_some_and(|parent| !head.to_string().starts_with(parent)) {
                return Err(CommitError::Stale);
            }
            Ok(Start { parent: head, target: Target::Branch(branch) })
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Returns the title of a pull request that a commit opens.
fn pull_request_title(summary: &str) -> String {
    first_line(summary.trim()).chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect()
}

fn message(summary: &str, description: &str) -> String {
    if description.is_empty() { summary.to_owned() } else { format!("{summary}\n\n{description}") }
}

/// Adds large files to `.gitattributes` that it does not match; without that, git would treat the
/// pointers as the files.
fn track(
    git: &Git,
    parent: Oid,
    edits: &[Edit],
    lfs_paths: &[String],
) -> Result<Option<Edit>, CommitError> {
    if lfs_paths.is_empty() {
        return Ok(None);
    }
    let sent = edits.iter().rev().find_map(|edit| match edit {
        Edit::Put { path, blob } if path == ATTRIBUTES_FILE => Some(Some(*blob)),
        Edit::RemoveFile { path } if path == ATTRIBUTES_FILE => Some(None),
        _ => None,
    });
    let present = match git.entry(parent, ATTRIBUTES_FILE)? {
        Some(entry) if matches!(entry.kind, EntryKind::File { .. }) => Some(entry.oid),
        _ => None,
    };
    let blob = sent.unwrap_or(present);
    let mut text = blob.map(|blob| git.blob(blob)).transpose()?.unwrap_or_default();
    let attributes = Attributes::parse(&text);
    let missing = lfs_paths.iter().filter(|path| !attributes.is_lfs(path)).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(None);
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for path in missing {
        text.extend(lfs_line(path).into_bytes());
    }
    Ok(Some(Edit::Put { path: ATTRIBUTES_FILE.into(), blob: git.write_bytes(&text)? }))
}
