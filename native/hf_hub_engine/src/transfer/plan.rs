//! Who fetches which part of a file. Pure: no clock, no network.
//!
//! Parts are handed out in the file's order, so that hashing follows closely behind
//! the connections, and they shrink towards the end, so that no connection is left
//! alone with a long last part.

use std::ops::Range;

use crate::cache::ranges::Ranges;

/// The largest part one request asks for.
const LARGEST: u64 = 32 << 20;

/// What nobody fetches yet.
#[derive(Debug)]
pub(crate) struct Plan {
    free: Vec<Range<u64>>,
    left: u64,
    smallest: u64,
    /// How many parts to make of what is left; `None` for as few as possible.
    shares: Option<u64>,
}

/// A part that one connection fetches: `at` moves, `end` is where it stops.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl Plan {
    /// All that `present` lacks of `size` bytes. With several `connections`, in parts of at
    /// least `smallest` bytes.
    pub(crate) fn new(present: &Ranges, size: u64, connections: usize, smallest: u64) -> Self {
        let free = present.missing(size);
        let left = free.iter().map(|range| range.end - range.start).sum();
        let shares = (connections > 1).then_some(4 * connections as u64);
        Self { free, left, smallest, shares }
    }

    /// The next part that nobody fetches.
    pub(crate) fn claim(&mut self) -> Option<Claim> {
        let first = self.free.first_mut()?;
        let free = first.end - first.start;
        let length = match self.shares {
            Some(shares) => {
                let share = (self.left / shares).clamp(self.smallest, LARGEST.max(self.smallest));
                // No crumbs.
                if free < share + self.smallest { free } else { share }
            }
            None => free,
        };
        let claim = Claim { at: first.start, end: first.start + length };
        first.start = claim.end;
        if first.is_empty() {
            self.free.remove(0);
        }
        self.left -= length;
        Some(claim)
    }

    /// Makes `claim` longer, if nobody fetches what follows it.
    pub(crate) fn extend(&mut self, claim: &mut Claim) -> bool {
        if self.free.first().is_none_or(|first| first.start != claim.end) {
            return false;
        }
        let next = self.claim();
        claim.end = next.map_or(claim.end, |next| next.end);
        true
    }

    /// Takes back what was not fetched.
    pub(crate) fn release(&mut self, claim: &Claim) {
        if claim.at < claim.end {
            let at = self.free.partition_point(|range| range.start < claim.at);
            self.free.insert(at, claim.at..claim.end);
            self.left += claim.end - claim.at;
        }
    }

    /// Whether there is anything to claim.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.free.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn claims(plan: &mut Plan) -> Vec<Claim> {
        std::iter::from_fn(|| plan.claim()).collect()
    }

    #[test]
    fn parts_follow_each_other_and_shrink() {
        let mut plan = Plan::new(&Ranges::default(), 1 << 30, 8, 4 * MIB);
        let parts = claims(&mut plan);
        assert_eq!((parts[0].at, parts.last().unwrap().end), (0, 1 << 30));
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].at));
        let lengths: Vec<_> = parts.iter().map(|part| part.end - part.at).collect();
        assert!(lengths.iter().all(|length| (4 * MIB..=32 * MIB).contains(length)), "{lengths:?}");
        assert!(lengths[0] == 32 * MIB && *lengths.last().unwrap() < 9 * MIB);
        assert!(lengths.len() < 100);
    }

    #[test]
    fn one_connection_asks_once() {
        let mut plan = Plan::new(&Ranges::prefix_of(10), 100, 1, MIB);
        assert_eq!(claims(&mut plan), [Claim { at: 10, end: 100 }]);
        let mut plan = Plan::new(&Ranges::default(), u64::MAX, 1, MIB);
        assert_eq!(claims(&mut plan), [Claim { at: 0, end: u64::MAX }]);
    }

    #[test]
    fn only_gaps_are_fetched() {
        let mut present = Ranges::prefix_of(10);
        present.add(20..30);
        let mut plan = Plan::new(&present, 40, 4, 100);
        assert_eq!(claims(&mut plan), [Claim { at: 10, end: 20 }, Claim { at: 30, end: 40 }]);
        assert!(plan.is_exhausted());
    }

    #[test]
    fn what_was_given_back_comes_first() {
        let mut plan = Plan::new(&Ranges::default(), 100, 2, 25);
        let (first, second) = (plan.claim().unwrap(), plan.claim().unwrap());
        plan.release(&Claim { at: 10, ..first });
        assert_eq!(plan.claim().unwrap(), Claim { at: 10, end: 25 });
        plan.release(&Claim { at: 50, end: second.end });
        assert_eq!(claims(&mut plan).last().unwrap().end, 100);
    }

    #[test]
    fn a_claim_grows_only_into_what_is_free() {
        let mut plan = Plan::new(&Ranges::default(), 100, 2, 25);
        let mut first = plan.claim().unwrap();
        assert!(plan.extend(&mut first));
        assert_eq!(first, Claim { at: 0, end: 50 });
        let mut third = plan.claim().unwrap();
        assert!(!plan.extend(&mut first));
        assert!(plan.extend(&mut third) && third.end == 100);
        assert!(!plan.extend(&mut third));
    }
}
