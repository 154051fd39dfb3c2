//! What a pull request changes, and what stands against its merge.
//!
//! Comparing lines takes long for some files, so the last results are kept: the two commits decide
//! them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use git2::Oid;

use super::discussions::Discussion;
use super::git::Git;
use super::pull_requests::ref_of;
use super::{Repo, Store};

/// Maximum size of the results that are kept.
const MAX_KEPT: usize = 16 << 20;
/// What a result takes in addition to its text.
const OVERHEAD: usize = 256;

/// What a pull request changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The files that cannot be merged.
    pub(crate) conflicts: Arc<[String]>,
    /// The unified diff, if requested.
    pub(crate) diff: Option<Arc<str>>,
}

/// The last results; copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    conflicts: Kept<[String]>,
    diffs: Kept<str>,
}

impl Store {
    /// Returns what a pull request changes, and what stands against its merge.
    pub(crate) fn changes(&self, repo: &Repo, of: &Discussion, with_diff: bool) -> Result<Changes> {
        let Some(base) = &of.base else { return Ok(Changes::default()) };
        let git = repo.git()?;
        let diff = |from: Option<Oid>, to: Oid| -> Result<Option<Arc<str>>> {
            let key = (repo.row, from, to);
            let diff = || self.recent.diffs.get(key, || Ok(git.diff(from, to)?), str::len);
            with_diff.then(diff).transpose()
        };
        if let Some(merged) = &of.merge_commit {
            let merged = Oid::from_str(merged)?;
            let diff = diff(git.parent(merged)?, merged)?;
            return Ok(Changes { diff, ..Changes::default() });
        }
        let (Some(ours), Some(theirs)) = (git.tip(base)?, git.tip(&ref_of(of.num))?) else {
            return Ok(Changes { diff: with_diff.then(|| "".into()), ..Changes::default() });
        };
        let conflicts = self.conflicts(&git, repo, ours, theirs)?;
        Ok(Changes { conflicts, diff: diff(git.merge_base(ours, theirs)?, theirs)? })
    }

    fn conflicts(&self, git: &Git, repo: &Repo, ours: Oid, theirs: Oid) -> Result<Arc<[String]>> {
        let size = |names: &[String]| names.iter().map(|name| name.len() + OVERHEAD).sum();
        let make = || git.conflicts(ours, theirs);
        self.recent.conflicts.get((repo.row, Some(ours), theirs), make, size)
    }
}

/// A repository and two commits of it.
type Key = (i64, Option<Oid>, Oid);

/// The last one first.
type Results<T> = VecDeque<(Key, Arc<T>)>;

/// Results of one kind.
#[derive(Debug)]
struct Kept<T: ?Sized> {
    results: Arc<Mutex<Results<T>>>,
}

// Derived ones would require the same of the results.
impl<T: ?Sized> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { results: self.results.clone() }
    }
}

impl<T: ?Sized> Default for Kept<T> {
    fn default() -> Self {
        Self { results: Arc::default() }
    }
}

impl<T: ?Sized> Kept<T> {
    /// Returns a result, which is made if it is not there.
    fn get<U: Into<Arc<T>>>(
        &self,
        key: Key,
        make: impl FnOnce() -> Result<U>,
        size: impl Fn(&T) -> usize,
    ) -> Result<Arc<T>> {
        if let Some(found) = self.find(key) {
            return Ok(found);
        }
        let result: Arc<T> = make()?.into();
        let mut results = self.lock();
        results.push_front((key, result.clone()));
        let mut total = 0;
        results.retain(|(_, kept)| {
            total += size(kept) + OVERHEAD;
            total <= MAX_KEPT
        });
        Ok(result)
    }

    fn find(&self, key: Key) -> Option<Arc<T>> {
        let mut results = self.lock();
        let index = results.iter().position(|(other, _)| *other == key)?;
        let found = results.remove(index)?;
        let result = found.1.clone();
        results.push_front(found);
        Some(result)
    }

    fn lock(&self) -> MutexGuard<'_, Results<T>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_last_results_are_kept_as_far_as_there_is_room() {
        let kept = Kept::<str>::default();
        let key = |row| (row, None, Oid::ZERO_SHA1);
        let get = |row, size: Option<usize>| {
            let make = || match size {
                Some(size) => Ok("x".repeat(size)),
                None => bail!("it is not there"),
            };
            kept.get(key(row), make, str::len).map(|text| text.len())
        };
        for row in 0..5 {
            assert_eq!(get(row, Some(5 << 20)).unwrap(), 5 << 20);
            assert!(get(0, None).is_ok(), "it is used all the time");
        }
        assert_eq!([1, 2, 3, 4].map(|row| get(row, None).is_ok()), [false, false, true, true]);
        assert!(get(9, None).is_err(), "a failure is not kept");
        assert_eq!(get(9, Some(MAX_KEPT)).unwrap(), MAX_KEPT);
        assert!(get(9, None).is_err(), "it is too large");
    }
}
