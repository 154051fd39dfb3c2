//! The history of a commit, and which commit last touched a path.

use std::collections::HashMap;

use git2::{Commit, Oid, Sort};
use jiff::Timestamp;

use super::Git;

/// A commit as clients see it.
#[derive(Clone, Debug)]
pub(crate) struct CommitInfo {
    /// The commit.
    pub(crate) oid: Oid,
    /// The first line of the message.
    pub(crate) title: String,
    /// The rest of the message.
    pub(crate) message: String,
    /// When it was committed.
    pub(crate) date: Timestamp,
    /// The name of its author.
    pub(crate) author: String,
}

impl Git {
    /// Returns one commit.
    pub(crate) fn commit_info(&self, oid: Oid) -> Result<CommitInfo, git2::Error> {
        self.commit(oid).map(|commit| describe(&commit))
    }

    /// Counts the history of a commit and returns one page of it, newest first.
    pub(crate) fn history(
        &self,
        from: Oid,
        skip: usize,
        limit: usize,
    ) -> Result<(usize, Vec<CommitInfo>), git2::Error> {
        let ids = self.ids(from)?;
        let page = ids.iter().skip(skip).take(limit).map(|oid| self.commit_info(*oid));
        Ok((ids.len(), page.collect::<Result<_, _>>()?))
    }

    /// Returns the newest commit that changed each path.
    pub(crate) fn last_commits(
        &self,
        from: Oid,
        paths: &[&str],
    ) -> Result<HashMap<String, CommitInfo>, git2::Error> {
        let mut pending = paths.to_vec();
        let mut known = HashMap::new();
        for oid in self.ids(from)? {
            if pending.is_empty() {
                break;
            }
            let commit = self.commit(oid)?;
            let (touched, rest) = self.split_by_touch(&commit, &pending)?;
            for path in touched {
                known.insert(path.to_owned(), describe(&commit));
            }
            pending = rest;
        }
        Ok(known)
    }

    fn ids(&self, from: Oid) -> Result<Vec<Oid>, git2::Error> {
        let mut walk = self.repo.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
        walk.push(from)?;
        walk.collect()
    }

    /// Splits paths into those that differ in every parent of the commit, and the others.
    fn split_by_touch<'a>(
        &self,
        commit: &Commit<'_>,
        paths: &[&'a str],
    ) -> Result<(Vec<&'a str>, Vec<&'a str>), git2::Error> {
        let tree = commit.tree()?;
        let parents =
            commit.parents().map(|parent| parent.tree()).collect::<Result<Vec<_>, _>>()?;
        let (mut touched, mut rest) = (Vec::new(), Vec::new());
        for path in paths {
            let here = self.find(&tree, path)?;
            let mut is_touched = here.is_some();
            for parent in &parents {
                is_touched &= self.find(parent, path)? != here;
            }
            if is_touched { touched.push(*path) } else { rest.push(*path) }
        }
        Ok((touched, rest))
    }
}

fn describe(commit: &Commit<'_>) -> CommitInfo {
    let text = String::from_utf8_lossy(commit.message_bytes());
    let (title, message) = text.split_once('\n').unwrap_or((&text, ""));
    CommitInfo {
        oid: commit.id(),
        title: title.to_owned(),
        message: message.trim_matches('\n').to_owned(),
        date: Timestamp::from_second(commit.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
    }
}
