//! The number of files per commit: grows while commits are fast, shrinks when they are slow or
//! fail. Pure: no clock, no network.

use std::time::Duration;

/// The possible sizes, those of the Python client.
const LADDER: [usize; 10] = [20, 50, 75, 100, 125, 200, 250, 400, 600, 1000];

/// Duration after which a commit counts as too large.
const LONG: Duration = Duration::from_secs(40);

/// Maximum bytes of file contents in one commit.
pub(super) const WEIGHT: u64 = 100 << 20;

/// The current batch size, as an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSize(usize);

impl BatchSize {
    /// The size for an upload that should be a single commit if possible.
    pub(super) fn whole() -> Self {
        Self(LADDER.len() - 1)
    }

    /// The size for an upload in many commits.
    pub(super) fn steady() -> Self {
        Self(6)
    }

    /// Returns the number of files per commit.
    pub(super) fn files(self) -> usize {
        LADDER.get(self.0).copied().unwrap_or(LADDER[0])
    }

    /// Records a commit of `files` files and its duration.
    pub(super) fn done(&mut self, files: usize, took: Duration) {
        if took > LONG {
            self.failed();
        } else if files >= self.files() {
            self.0 = (self.0 + 1).min(LADDER.len() - 1);
        }
    }

    /// Records a commit that failed because it was too large.
    pub(super) fn failed(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// Whether a commit is too small to fail because of its size.
    pub(super) fn is_small(files: usize) -> bool {
        files <= LADDER[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_while_commits_are_fast_and_shrinks_when_they_are_slow() {
        let mut batch_size = BatchSize::steady();
        assert_eq!(batch_size.files(), 250);
        batch_size.done(249, Duration::from_secs(1));
        assert_eq!(batch_size.files(), 250, "a commit that was not full is ignored");
        batch_size.done(250, Duration::from_secs(39));
        assert_eq!(batch_size.files(), 400);
        batch_size.done(10, Duration::from_secs(41));
        assert_eq!(batch_size.files(), 250);
        (0..20).for_each(|_| batch_size.failed());
        assert_eq!(batch_size.files(), 20);
        assert!(BatchSize::is_small(20) && !BatchSize::is_small(21));
        (0..20).for_each(|_| batch_size.done(1000, Duration::ZERO));
        assert_eq!(batch_size.files(), BatchSize::whole().files());
    }
}
