//! Pushes: objects wait in a folder of their own until they are checked, then refs move to them.
//!
//! The caller checks what the objects contain and who may move which ref. The repository's lock is
//! held only while objects are taken over and refs move.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use git2::Oid;
use tempfile::TempDir;

use super::discussions::Status;
use super::git::{Git, program};
use super::{CommitError, Refused, Repo, Store, disk};

/// Blobs above this size are not unpacked in memory.
const STREAMED: &str = "core.bigFileThreshold=16m";
/// Length of a pack's header; the number of objects ends it.
const PACK_HEADER: usize = 12;
/// How much of git's messages is kept.
const MAX_MESSAGES: u64 = 64 << 10;

/// Objects that no ref points to yet; removed when dropped.
pub(crate) struct Quarantine {
    folder: TempDir,
    /// The repository with these objects.
    pub(crate) git: Git,
}

/// Why objects were rejected.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The pack is damaged; with git's messages about its objects.
    Pack(String),
    /// Objects are missing.
    Incomplete,
    /// Another error.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Broken {
    fn from(err: E) -> Self {
        Self::Other(err.into())
    }
}

/// A ref to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefMove {
    /// The full name.
    pub(crate) name: String,
    /// Where it points; `None` if it does not exist.
    pub(crate) old: Option<Oid>,
    /// Where it shall point; `None` to delete it.
    pub(crate) new: Option<Oid>,
}

/// What became of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It was moved.
    Done,
    /// It was not, for this reason.
    Rejected(String),
}

impl Store {
    /// Unpacks objects beside a repository. Each of `tips` has to be complete afterwards.
    pub(crate) fn unpack(
        &self,
        repo: &Repo,
        pack: File,
        tips: &[Oid],
    ) -> Result<Quarantine, Broken> {
        let git_dir = repo.git_dir()?;
        let folder = tempfile::tempdir_in(self.lfs().incoming_dir()?)?;
        fs::create_dir(folder.path().join("pack"))?;
        index(git_dir, folder.path(), pack)?;
        if !is_complete(git_dir, folder.path(), tips)? {
            return Err(Broken::Incomplete);
        }
        let git = Git::open_with(git_dir, folder.path())?;
        Ok(Quarantine { folder, git })
    }

    /// Takes over the objects and moves the refs: all or none if `atomic`, otherwise those that
    /// point where they are expected to.
    pub(crate) fn push(
        &self,
        repo: &Repo,
        objects: &Quarantine,
        moves: &[RefMove],
        atomic: bool,
        author: &str,
    ) -> Result<Vec<Moved>, CommitError> {
        let _lock = self.lock(&repo.key)?;
        let now = self.locate(&repo.key)?.found().ok_or(CommitError::NoRepo)?;
        if now.settings.object_id != repo.settings.object_id {
            return Err(CommitError::NoRepo);
        }
        let git = now.git()?;
        let results = moves.iter().map(|wanted| self.check_move(&git, &now, wanted));
        let mut results = results.collect::<Result<Vec<_>>>()?;
        let is_some_rejected = results.iter().any(|result| *result != Moved::Done);
        if atomic && is_some_rejected {
            let reason = || Moved::Rejected("atomic push failed".into());
            results.iter_mut().filter(|result| **result == Moved::Done).for_each(|r| *r = reason());
        }
        if !results.contains(&Moved::Done) {
            return Ok(results);
        }
        take_over(&objects.folder.path().join("pack"), now.git_dir()?)?;
        // The objects are there now.
        let git = now.git()?;
        // Deletions first: they make room for names below or above them.
        let mut order = (0..moves.len()).collect::<Vec<_>>();
        order.sort_by_key(|index| moves[*index].new.is_some());
        for index in order {
            if results[index] == Moved::Done {
                results[index] = make(&git, &moves[index])?;
                self.note(&git, &now, &moves[index], &results[index], author)?;
            }
        }
        Ok(results)
    }

    fn check_move(&self, git: &Git, repo: &Repo, wanted: &RefMove) -> Result<Moved> {
        match self.check_push(repo, &wanted.name) {
            Ok(()) => check(git, wanted),
            Err(err) => match err.downcast_ref() {
                Some(Refused::Status(status)) => {
                    let is_merged = *status == Status::Merged;
                    let status = if is_merged { "merged" } else { "closed" };
                    Ok(Moved::Rejected(format!("this pull request is {status}")))
                }
                _ => Err(err),
            },
        }
    }

    fn note(
        &self,
        git: &Git,
        repo: &Repo,
        wanted: &RefMove,
        result: &Moved,
        author: &str,
    ) -> Result<()> {
        match (wanted.new, result) {
            (Some(new), Moved::Done) => {
                self.note_push(git, repo, (&wanted.name, wanted.old, new), author)
            }
            _ => Ok(()),
        }
    }
}

fn check(git: &Git, wanted: &RefMove) -> Result<Moved> {
    let current = git.target(&wanted.name)?;
    Ok(match (current, wanted.old) {
        (current, old) if current == old => Moved::Done,
        (None, Some(_)) if wanted.new.is_none() => Moved::Done,
        (Some(_), None) => Moved::Rejected("reference already exists".into()),
        // Git's words when another push was first.
        _ => Moved::Rejected("failed to update ref".into()),
    })
}

fn make(git: &Git, wanted: &RefMove) -> Result<Moved> {
    let RefMove { name, new, old } = wanted;
    let Some(new) = new else {
        git.delete_ref(name)?;
        return Ok(Moved::Done);
    };
    if old.is_none() && git.is_in_the_way(name)? {
        return Ok(Moved::Rejected("directory/file conflict with another ref".into()));
    }
    git.point(name, *old, *new, "push")?;
    Ok(Moved::Done)
}

/// Checks a pack and writes it with an index to `objects`.
fn index(git_dir: &Path, objects: &Path, mut pack: File) -> Result<(), Broken> {
    pack.rewind()?;
    let mut header = Vec::new();
    Read::by_ref(&mut pack).take(PACK_HEADER as u64).read_to_end(&mut header)?;
    pack.rewind()?;
    // Nothing but deletions, or refs to what is here already.
    if header.is_empty() || header.get(PACK_HEADER - 4..) == Some(&[0; 4]) {
        return Ok(());
    }
    let mut command = with_objects(git_dir, objects);
    command.args(["index-pack", "--stdin", "--fix-thin", "--strict"]);
    command.stdin(pack).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run git")?;
    limit(&child);
    let mut messages = Vec::new();
    if let Some(stderr) = &mut child.stderr {
        stderr.take(MAX_MESSAGES).read_to_end(&mut messages)?;
        std::io::copy(stderr, &mut std::io::sink())?;
    }
    if child.wait()?.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&messages);
    if messages.contains("No space left on device") {
        return Err(Broken::Other(std::io::Error::from(std::io::ErrorKind::StorageFull).into()));
    }
    // Other lines may contain paths of this machine.
    let about_objects = messages.lines().filter(|line| line.starts_with("error: object "));
    Err(Broken::Pack(about_objects.take(10).collect::<Vec<_>>().join("\n")))
}

/// Whether everything that these objects lead to exists.
fn is_complete(git_dir: &Path, objects: &Path, tips: &[Oid]) -> Result<bool> {
    if tips.is_empty() {
        return Ok(true);
    }
    let mut command = with_objects(git_dir, objects);
    command.args(["rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    limit(&child);
    if let Some(mut stdin) = child.stdin.take() {
        // A child that has exited ignores them.
        let _ = tips.iter().try_for_each(|tip| writeln!(stdin, "{tip}"));
    }
    Ok(child.wait()?.success())
}

fn with_objects(git_dir: &Path, objects: &Path) -> Command {
    let mut command = program(git_dir);
    command.args(["-c", STREAMED, "-c", "pack.threads=2"]).arg("--git-dir").arg(git_dir);
    command.env("GIT_OBJECT_DIRECTORY", objects);
    command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", git_dir.join("objects"));
    command
}

/// Limits what a hostile pack can use: a few bytes of it can ask for any amount of memory.
#[cfg(target_os = "linux")]
fn limit(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for (resource, most) in [(Resource::Data, 2 << 30), (Resource::Cpu, 600)] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        // If it has ended meanwhile, there is nothing to limit.
        let _ = pid.map(|pid| prlimit(Some(pid), resource, limit));
    }
}

#[cfg(not(target_os = "linux"))]
fn limit(_: &Child) {}

/// Moves packs into a repository, each with its index last: that makes it visible.
fn take_over(packs: &Path, git_dir: &Path) -> Result<()> {
    let target = git_dir.join("objects/pack");
    fs::create_dir_all(&target)?;
    let mut names = fs::read_dir(packs)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    names.sort_by_key(|name| name.to_string_lossy().ends_with(".idx"));
    for name in names {
        fs::rename(packs.join(&name), target.join(&name)).context("cannot take over a pack")?;
    }
    disk::sync_folder(&target)
}
