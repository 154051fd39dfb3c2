//! What is special about pull requests: their refs, their changes, their merge.

use std::fmt::Write as _;

use anyhow::Result;
use git2::Oid;
use rusqlite::Transaction;

use super::discussions::{
    self, Commit, Discussion, Discussions, Happened, Opening, Refused, Status, event, reserve,
    reserve_until,
};
use super::git::{CommitInfo, Draft, Git, MAIN_REF, Merged};
use super::{Repo, RepoLock, Store};

const PREFIX: &str = "refs/pr/";
/// Maximum number of commits that the message of a merge lists.
const MAX_LISTED: usize = 250;

impl Store {
    /// Returns the discussions.
    pub(crate) fn discussions(&self) -> Discussions {
        Discussions::new(self.db.clone())
    }

    /// Opens a discussion, or a pull request as a draft at the head of the main branch.
    pub(crate) fn open_discussion(
        &self,
        repo: &Repo,
        is_pull_request: bool,
        opening: &Opening<'_>,
    ) -> Result<Discussion> {
        if !is_pull_request {
            // Refs that were pushed or imported have taken their numbers.
            return self.discussions().open(repo, last_ref(repo)?, opening);
        }
        let (_lock, repo) = self.lock_again(repo)?;
        let git = repo.git()?;
        let head = git.tip(MAIN_REF)?.ok_or_else(|| Refused::NoRef(MAIN_REF.to_owned()))?;
        let started = (MAIN_REF, Status::Draft);
        let num = self.start_pull_request(&git, &repo, head, started, opening, |_, _| Ok(()))?;
        self.discussions().get(&repo, num)
    }

    /// Creates the ref of a new pull request, then its row; the caller holds the repository's lock.
    pub(super) fn start_pull_request(
        &self,
        git: &Git,
        repo: &Repo,
        head: Oid,
        (base, status): (&str, Status),
        opening: &Opening<'_>,
        more: impl FnOnce(&Transaction<'_>, i64) -> Result<()>,
    ) -> Result<u64> {
        let floor = git.last_pull_request()?;
        let num = self.db.write(|tx| reserve(tx, repo.row, floor))?;
        let name = ref_of(num);
        git.create_ref(&name, head, opening.title)?;
        let saved = self.db.write(|tx| {
            more(tx, discussions::insert(tx, repo.row, num, (Some(base), status), opening)?)
        });
        if let Err(err) = saved {
            git.delete_ref(&name)?;
            return Err(err);
        }
        Ok(num)
    }

    /// Merges an open pull request into its branch, as one commit, and returns that.
    pub(crate) fn merge_pull_request(
        &self,
        repo: &Repo,
        num: u64,
        by: &str,
        comment: Option<&str>,
    ) -> Result<Oid> {
        let (_lock, repo) = self.lock_again(repo)?;
        let discussion = self.discussions().get(&repo, num)?;
        let base = discussion.base.as_deref().ok_or(Refused::NotAPullRequest)?;
        check_open(&discussion)?;
        let git = repo.git()?;
        let tip = |name: &str| git.tip(name)?.ok_or_else(|| missing(name));
        let (ours, theirs) = (tip(base)?, tip(&ref_of(num))?);
        let tree = match git.merge(ours, theirs)? {
            Merged::Tree(tree) => tree,
            Merged::Conflicts(files) => return Err(Refused::Conflicts(files).into()),
        };
        let message = message(&git, &discussion, (ours, theirs), by)?;
        let draft = Draft { tree, parent: Some(ours), message: &message, author: by };
        let commit = git.commit_tree(&draft)?;
        git.point(base, Some(ours), commit, &discussion.title)?;
        let saved = self.db.write(|tx| enter_merged(tx, &repo, num, by, comment, commit));
        if let Err(err) = saved {
            git.set_ref(base, ours, "the merge was not recorded")?;
            return Err(err);
        }
        Ok(commit)
    }

    /// Records that commits were added to a pull request, if the ref belongs to one. The caller
    /// holds the repository's lock.
    pub(super) fn note_commit(&self, repo: &Repo, name: &str, commit: &Added<'_>) -> Result<()> {
        let Some(num) = number_of(name) else { return Ok(()) };
        self.db.write(|tx| {
            let Some(discussion) = known(discussions::find(tx, repo, num))? else { return Ok(()) };
            commit.save(tx, discussion.row)
        })
    }

    /// Returns an error if a ref belongs to a pull request that is closed or merged.
    pub(super) fn check_push(&self, repo: &Repo, name: &str) -> Result<()> {
        let Some(num) = number_of(name) else { return Ok(()) };
        let discussion = known(self.discussions().get(repo, num))?;
        match discussion.map(|discussion| discussion.status) {
            Some(status @ (Status::Closed | Status::Merged)) => Err(Refused::Status(status).into()),
            _ => Ok(()),
        }
    }

    /// Whether this user has opened the pull request of that number.
    pub(crate) fn is_pull_request_of(&self, repo: &Repo, num: u64, user: &str) -> Result<bool> {
        let discussion = known(self.discussions().get(repo, num))?;
        Ok(discussion.is_some_and(|found| found.base.is_some() && found.is_by(user)))
    }

    /// Whether a user has opened a pull request.
    pub(crate) fn has_pull_request_by(&self, repo: &Repo, user: &str) -> Result<bool> {
        self.db.read(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT 1 FROM discussions d JOIN users u ON u.id = d.author_id
                 WHERE d.repository_id = ?1 AND u.name = ?2 AND d.base IS NOT NULL",
            )?;
            Ok(query.exists((repo.row, user))?)
        })
    }

    /// Records the commits that were pushed to a pull request, if the ref belongs to one. The
    /// caller holds the repository's lock.
    pub(super) fn note_push(
        &self,
        git: &Git,
        repo: &Repo,
        (name, old, new): (&str, Option<Oid>, Oid),
        author: &str,
    ) -> Result<()> {
        let Some(num) = number_of(name) else { return Ok(()) };
        let commits = git.new_commits(old, new, MAX_LISTED)?;
        let commits = commits.into_iter().map(|commit| git.commit_info(commit));
        let commits = commits.collect::<Result<Vec<_>, _>>()?;
        self.db.write(|tx| {
            let Some(discussion) = known(discussions::find(tx, repo, num))? else { return Ok(()) };
            for CommitInfo { title, oid, .. } in &commits {
                let added = Added { author, subject: title, commit: *oid };
                added.save(tx, discussion.row)?;
            }
            Ok(())
        })
    }

    /// Removes the ref of a pull request that is closed or merged; `false` if it has none.
    pub(crate) fn delete_pull_request_ref(&self, repo: &Repo, num: u64) -> Result<bool> {
        let (_lock, repo) = self.lock_again(repo)?;
        let discussion = self.discussions().get(&repo, num)?;
        discussion.base.as_ref().ok_or(Refused::NotAPullRequest)?;
        if matches!(discussion.status, Status::Open | Status::Draft) {
            return Err(Refused::StillOpen.into());
        }
        Ok(repo.git()?.delete_ref(&ref_of(num))?)
    }

    /// Removes a discussion with all events, and the ref of a pull request.
    pub(crate) fn delete_discussion(&self, repo: &Repo, num: u64) -> Result<()> {
        let (_lock, repo) = self.lock_again(repo)?;
        let discussion = self.discussions().get(&repo, num)?;
        self.db.write(|tx| {
            Ok(tx.execute("DELETE FROM discussions WHERE id = ?1", [discussion.row])?)
        })?;
        if discussion.base.is_some() {
            repo.git()?.delete_ref(&ref_of(num))?;
        }
        Ok(())
    }

    /// Locks a repository, and reads it again: it may have been replaced meanwhile.
    fn lock_again(&self, repo: &Repo) -> Result<(RepoLock, Repo)> {
        let lock = self.lock(&repo.key)?;
        let again = self.locate(&repo.key)?.found().filter(|found| found.row == repo.row);
        Ok((lock, again.ok_or(Refused::Missing)?))
    }
}

/// A commit that was added to a pull request.
pub(super) struct Added<'a> {
    pub(super) author: &'a str,
    pub(super) subject: &'a str,
    pub(super) commit: Oid,
}

impl Added<'_> {
    pub(super) fn save(&self, tx: &Transaction<'_>, discussion: i64) -> Result<()> {
        let (subject, oid) = (self.subject.to_owned(), self.commit.to_string());
        let happened = Happened::Commit(Commit { subject, oid });
        event::add(tx, discussion, self.author, &happened).map(drop)
    }
}

/// Adds a pull request that was in a JSON file.
pub(super) fn import(
    tx: &Transaction<'_>,
    repository: i64,
    num: u64,
    opening: &Opening<'_>,
) -> Result<()> {
    discussions::insert(tx, repository, num, (Some(MAIN_REF), Status::Open), opening)?;
    reserve_until(tx, repository, num)
}

/// Returns the full name of the ref of a pull request.
pub(super) fn ref_of(num: u64) -> String {
    format!("{PREFIX}{num}")
}

/// Returns the number in the name of a ref.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// Returns the highest number with a ref. The files of a repository that was never written to do
/// not exist yet, and are not needed for this.
fn last_ref(repo: &Repo) -> Result<u64> {
    if repo.waiting.is_some() && !repo.git_dir.exists() {
        return Ok(0);
    }
    Ok(repo.git()?.last_pull_request()?)
}

fn missing(name: &str) -> anyhow::Error {
    Refused::NoRef(name.to_owned()).into()
}

/// Returns `None` for a discussion that is missing.
fn known(found: Result<Discussion>) -> Result<Option<Discussion>> {
    match found {
        Err(err) if err.downcast_ref() == Some(&Refused::Missing) => Ok(None),
        found => found.map(Some),
    }
}

fn check_open(discussion: &Discussion) -> Result<()> {
    match discussion.status {
        Status::Open => Ok(()),
        status => Err(Refused::Status(status).into()),
    }
}

/// Marks a pull request as merged, unless its status has changed meanwhile.
fn enter_merged(
    tx: &Transaction<'_>,
    repo: &Repo,
    num: u64,
    by: &str,
    comment: Option<&str>,
    commit: Oid,
) -> Result<()> {
    let discussion = discussions::find(tx, repo, num)?;
    check_open(&discussion)?;
    if let Some(text) = comment {
        event::add_comment(tx, discussion.row, by, text)?;
    }
    let commit = commit.to_string();
    discussions::enter(tx, &discussion, by, Status::Merged, Some(&commit)).map(drop)
}

/// Returns the message of a merge: title and number, then the commits and their other authors.
fn message(git: &Git, of: &Discussion, (ours, theirs): (Oid, Oid), by: &str) -> Result<String> {
    let mut message = format!("{} (#{})\n\n", of.title, of.num);
    let mut authors = vec![by.to_owned()];
    for commit in git.new_commits(Some(ours), theirs, MAX_LISTED)? {
        let commit = git.commit_info(commit)?;
        writeln!(message, "- {} ({})", commit.title, commit.oid)?;
        if !authors.contains(&commit.author) {
            authors.push(commit.author);
        }
    }
    let others = authors.iter().skip(1);
    let others = others.map(|name| format!("\nCo-authored-by: {name} <{name}@localhost>"));
    let others = others.collect::<String>();
    if !others.is_empty() {
        writeln!(message, "\n{others}")?;
    }
    Ok(message)
}
