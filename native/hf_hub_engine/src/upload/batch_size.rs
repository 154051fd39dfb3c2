//! How many files a commit takes: more as long as commits are quick, fewer when they are slow or fail.
//! Pure: no clock, no network.

use std::time::Duration;

/// The steps, those of the reference.
const LADDER: [usize; 10] = [20, 50, 75, 100, 125, 200, 250, 400, 600, 1000];

/// A commit that takes longer should have been smaller.
const LONG: Duration = Duration::from_secs(40);

/// Bytes of content that travel in one commit.
pub(super) const WEIGHT: u64 = 100 << 20;

/// Where on the ladder an upload is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(usize);

impl Pace {
    /// For what should be one commit if that is at all sensible.
    pub(super) fn whole() -> Self {
        Self(LADDER.len() - 1)
    }

    /// For what will be many commits.
    pub(super) fn steady() -> Self {
        Self(6)
    }

    /// Files in a commit.
    pub(super) fn files(self) -> usize {
        LADDER.get(self.0).copied().unwrap_or(LADDER[0])
    }

    /// Takes in a commit of so many files that took so long.
    pub(super) fn done(&mut self, files: usize, took: Duration) {
        if took > LONG {
            self.failed();
        } else if files >= self.files() {
            self.0 = (self.0 + 1).min(LADDER.len() - 1);
        }
    }

    /// Takes in a commit that was too much.
    pub(super) fn failed(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// Whether so few files are too many cannot be the reason of a failure.
    pub(super) fn is_small(files: usize) -> bool {
        files <= LADDER[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_grow_while_they_are_quick_and_shrink_when_not() {
        let mut pace = Pace::steady();
        assert_eq!(pace.files(), 250);
        pace.done(249, Duration::from_secs(1));
        assert_eq!(pace.files(), 250, "a commit that was not full says nothing");
        pace.done(250, Duration::from_secs(39));
        assert_eq!(pace.files(), 400);
        pace.done(10, Duration::from_secs(41));
        assert_eq!(pace.files(), 250);
        (0..20).for_each(|_| pace.failed());
        assert_eq!(pace.files(), 20);
        assert!(Pace::is_small(20) && !Pace::is_small(21));
        (0..20).for_each(|_| pace.done(1000, Duration::ZERO));
        assert_eq!(pace.files(), Pace::whole().files());
    }
}
