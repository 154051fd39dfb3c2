//! A set of the byte ranges of a file that are in place. Pure arithmetic.

use std::{collections::BTreeMap, ops::Range};

/// A set of byte ranges: sorted, disjoint, not adjacent. The end of each is kept by its start, since
/// there may be very many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Creates the range of the bytes before `end`.
    pub fn prefix_of(end: u64) -> Self {
        let mut ranges = Self::default();
        ranges.add(0..end);
        ranges
    }

    /// Creates everything before `end` that is in none of `ranges`.
    pub fn outside_of(ranges: &[Range<u64>], end: u64) -> Self {
        let inside = ranges.iter().cloned().collect::<Self>();
        inside.missing(end).into_iter().collect()
    }

    /// Adds `range`, which may overlap existing ranges.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        let before = self.0.range(..=start).next_back();
        if let Some((known, known_end)) = before.filter(|(_, known_end)| **known_end >= start) {
            (start, end) = (*known, end.max(*known_end));
        }
        while let Some((next, next_end)) = self.0.range(start + 1..=end).next() {
            let next = *next;
            end = end.max(*next_end);
            self.0.remove(&next);
        }
        self.0.insert(start, end);
    }

    /// Returns the number of ranges.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns how many bytes from the beginning are in place without a gap.
    pub fn prefix(&self) -> u64 {
        self.0.first_key_value().filter(|(start, _)| **start == 0).map_or(0, |(_, end)| *end)
    }

    /// Returns how many bytes are in place.
    pub fn total(&self) -> u64 {
        self.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns the end of the last range.
    pub fn end(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(_, end)| *end)
    }

    /// Whether there are no bytes after a gap.
    pub fn is_prefix(&self) -> bool {
        self.0.len() < 2 && self.prefix() == self.end()
    }

    /// Returns the ranges without those of `others`.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let gaps = others.missing(self.end());
        gaps.into_iter().flat_map(|gap| self.within(gap)).collect()
    }

    /// Returns the `count` longest ranges.
    #[must_use]
    pub fn longest(&self, count: usize) -> Self {
        let mut ranges: Vec<_> = self.iter().collect();
        ranges.sort_by_key(|range| std::cmp::Reverse(range.end - range.start));
        ranges.into_iter().take(count).collect()
    }

    /// Returns the ranges without those between two gaps that are shorter than `least`.
    #[must_use]
    pub fn without_islands(&self, size: u64, least: u64) -> Self {
        let is_kept = |range: &Range<u64>| {
            range.start == 0 || range.end >= size || range.end - range.start >= least
        };
        self.iter().filter(is_kept).collect()
    }

    /// Returns the parts of the ranges that are in `range`.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let first =
            self.0.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        let parts = self.0.range(first..range.end);
        parts.map(move |(start, end)| range.start.max(*start)..range.end.min(*end))
    }

    /// Returns the ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().map(|(start, end)| *start..*end)
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

impl FromIterator<Range<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut all = Self::default();
        ranges.into_iter().for_each(|range| all.add(range));
        all
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
            let middle: Ranges = [10..15, 20..30].into_iter().collect();
            let without = ranges.without(&middle);
            let kept = |at| without.iter().any(|range| range.contains(&at));
            let outside = |at: &u64| !(10..15).contains(at) && !(20..30).contains(at);
            assert!((0..40).all(|at| kept(at) == (flag(at) && outside(&at))), "{without:?}");
            let all: Vec<_> = ranges.iter().collect();
            assert!(all.windows(2).all(|pair| pair[0].end < pair[1].start), "{ranges:?}");
            assert_eq!((ranges.count(), ranges.longest(99)), (all.len(), ranges.clone()));
            assert_eq!(Ranges::outside_of(&ranges.missing(40), 40), ranges);
        }
    }

    #[test]
    fn many_ranges_take_little_time() {
        // Every second kilobyte, from the end on, then the others: each moved all ranges behind it.
        let mut ranges = Ranges::default();
        let began = std::time::Instant::now();
        let odd = (0..200_000_u64).rev().map(|n| 2 * n + 1);
        let even = (0..200_000_u64).rev().map(|n| 2 * n);
        for start in odd.chain(even) {
            ranges.add(start << 10..(start + 1) << 10);
        }
        assert_eq!(ranges, Ranges::prefix_of(400_000 << 10));
        // It took minutes, and takes a fraction of a second.
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn keeps_the_longest_ranges_and_drops_short_ones_between_gaps() {
        let ranges: Ranges = [0..1, 10..30, 40..45, 50..60, 98..100].into_iter().collect();
        assert!(ranges.longest(2).iter().eq([10..30, 50..60]));
        assert_eq!(ranges.longest(0), Ranges::default());
        assert!(ranges.without_islands(100, 10).iter().eq([0..1, 10..30, 50..60, 98..100]));
        assert!(ranges.without_islands(200, 10).iter().eq([0..1, 10..30, 50..60]));
    }
}
