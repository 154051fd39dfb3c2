//! A set of the byte ranges of a file that are in place. Pure arithmetic.

use std::ops::Range;

/// A set of byte ranges: sorted, disjoint, not adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Creates the range of the bytes before `end`.
    pub fn prefix_of(end: u64) -> Self {
        let mut ranges = Self::default();
        ranges.add(0..end);
        ranges
    }

    /// Adds `range`, which may overlap existing ranges.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|known| known.end < range.start);
        let last = self.0.partition_point(|known| known.start <= range.end);
        let merged = match self.0.get(first..last) {
            Some([head, .., tail]) => head.start.min(range.start)..tail.end.max(range.end),
            Some([only]) => only.start.min(range.start)..only.end.max(range.end),
            _ => range,
        };
        self.0.splice(first..last, [merged]);
    }

    /// Returns how many bytes from the beginning are in place without a gap.
    pub fn prefix(&self) -> u64 {
        self.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// Returns how many bytes are in place.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns the end of the last range.
    pub fn end(&self) -> u64 {
        self.0.last().map_or(0, |last| last.end)
    }

    /// Whether there are no bytes after a gap.
    pub fn is_prefix(&self) -> bool {
        self.0.len() < 2 && self.prefix() == self.end()
    }

    /// Returns the ranges without those of `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut rest = Self::default();
        for gap in others.missing(self.end()) {
            for range in self.iter() {
                rest.add(range.start.max(gap.start)..range.end.min(gap.end));
            }
        }
        rest
    }

    /// Returns the ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().cloned()
    }

    /// Returns the missing ranges of a file of `size` bytes, in order.
    pub fn missing(&self, size: u64) -> Vec<Range<u64>> {
        let mut at = 0;
        let mut missing = Vec::new();
        for range in self.iter().filter(|range| range.start < size) {
            if at < range.start {
                missing.push(at..range.start);
            }
            at = range.end;
        }
        if at < size {
            missing.push(at..size);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_one_flag_per_byte() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let (mut ranges, mut flags) = (Ranges::default(), [false; 40]);
            for _ in 0..random.usize(0..12) {
                let start = random.usize(0..40);
                let end = random.usize(start..=40);
                ranges.add(start as u64..end as u64);
                flags[start..end].fill(true);
            }
            let flag = |at: u64| flags[usize::try_from(at).unwrap()];
            assert_eq!(ranges.total(), flags.iter().filter(|flag| **flag).count() as u64);
            assert_eq!(ranges.prefix(), flags.iter().take_while(|flag| **flag).count() as u64);
            assert!(ranges.iter().all(|range| range.clone().all(flag)));
            assert!(ranges.missing(40).iter().all(|range| !range.clone().any(flag)));
            let missing: u64 = ranges.missing(40).iter().map(|range| range.end - range.start).sum();
            assert_eq!(missing + ranges.total(), 40);
            let middle = Ranges(vec![10..15, 20..30]);
            let without = ranges.without(&middle);
            let kept = |at| without.iter().any(|range| range.contains(&at));
            let outside = |at: &u64| !(10..15).contains(at) && !(20..30).contains(at);
            assert!((0..40).all(|at| kept(at) == (flag(at) && outside(&at))), "{without:?}");
            let apart = ranges.0.windows(2).all(|pair| pair[0].end < pair[1].start);
            assert!(apart, "{ranges:?}");
        }
    }
}
