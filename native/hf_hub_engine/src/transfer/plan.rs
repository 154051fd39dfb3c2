//! Assigns the parts of a file to connections. Pure: no clock, no network.
//!
//! Parts are assigned in file order, so that hashing can follow closely, and they become smaller
//! towards the end, so that no connection is left alone with a long last part.

use std::ops::Range;

use crate::base::ranges::Ranges;

/// Maximum size of a part in bytes.
const LARGEST: u64 = 32 << 20;

/// Size of a part in bytes where one connection is enough: each request costs a round trip.
const ALONE: u64 = 128 << 20;

/// The ranges that no connection fetches yet.
#[derive(Debug)]
pub(crate) struct Plan {
    free: Vec<Range<u64>>,
    left: u64,
    smallest: u64,
    /// The number of parts to split the remaining bytes into; `None` for as few as possible.
    shares: Option<u64>,
    /// Whether one connection is as fast as the line.
    enough: bool,
}

/// A part that one connection fetches: `at` advances up to `end`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl Plan {
    /// Plans the bytes of `size` that `present` lacks. With several `connections`, in parts of at
    /// least `smallest` bytes.
    pub(crate) fn new(present: &Ranges, size: u64, connections: usize, smallest: u64) -> Self {
        let free = present.missing(size);
        let left = free.iter().map(|range| range.end - range.start).sum();
        let shares = (connections > 1).then_some(4 * connections as u64);
        Self { free, left, smallest, shares, enough: false }
    }

    /// Sets whether one connection is as fast as the line.
    pub(crate) fn set_enough(&mut self, enough: bool) {
        self.enough = enough;
    }

    /// Returns the next part that no connection fetches.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        let first = self.free.first_mut()?;
        let free = first.end - first.start;
        let length = match self.shares {
            Some(shares) => {
                let share = if self.enough { ALONE } else { (self.left / shares).min(LARGEST) };
                let share = share.max(self.smallest);
                // Avoids tiny remainders.
                if free < share + self.smallest { free } else { share }
            }
            None => free,
        };
        let part = Part { at: first.start, end: first.start + length };
        first.start = part.end;
        if first.is_empty() {
            self.free.remove(0);
        }
        self.left -= length;
        Some(part)
    }

    /// Makes `part` longer if no connection fetches the following bytes.
    pub(crate) fn extend(&mut self, part: &mut Part) -> bool {
        if self.free.first().is_none_or(|first| first.start != part.end) {
            return false;
        }
        let next = self.next_part();
        part.end = next.map_or(part.end, |next| next.end);
        true
    }

    /// Returns what was not fetched to the plan.
    pub(crate) fn release(&mut self, part: &Part) {
        if part.at < part.end {
            let at = self.free.partition_point(|range| range.start < part.at);
            self.free.insert(at, part.at..part.end);
            self.left += part.end - part.at;
        }
    }

    /// Whether all parts are assigned.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.free.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn parts(plan: &mut Plan) -> Vec<Part> {
        std::iter::from_fn(|| plan.next_part()).collect()
    }

    #[test]
    fn parts_are_in_order_and_shrink() {
        let mut plan = Plan::new(&Ranges::default(), 1 << 30, 8, 4 * MIB);
        let all = parts(&mut plan);
        assert_eq!((all[0].at, all.last().unwrap().end), (0, 1 << 30));
        assert!(all.windows(2).all(|pair| pair[0].end == pair[1].at));
        let lengths: Vec<_> = all.iter().map(|part| part.end - part.at).collect();
        assert!(lengths.iter().all(|length| (4 * MIB..=32 * MIB).contains(length)), "{lengths:?}");
        assert!(lengths[0] == 32 * MIB && *lengths.last().unwrap() < 9 * MIB);
        assert!(lengths.len() < 100);
    }

    #[test]
    fn one_connection_makes_one_request() {
        let mut plan = Plan::new(&Ranges::prefix_of(10), 100, 1, MIB);
        assert_eq!(parts(&mut plan), [Part { at: 10, end: 100 }]);
        let mut plan = Plan::new(&Ranges::default(), u64::MAX, 1, MIB);
        assert_eq!(parts(&mut plan), [Part { at: 0, end: u64::MAX }]);
    }

    #[test]
    fn one_connection_that_is_enough_makes_few_requests() {
        let mut plan = Plan::new(&Ranges::default(), 1 << 30, 16, 4 * MIB);
        let lengths = |parts: Vec<Part>| -> Vec<u64> {
            parts.iter().map(|part| (part.end - part.at) / MIB).collect()
        };
        let first = plan.next_part().unwrap();
        assert_eq!(lengths(vec![first]), [16]);
        plan.set_enough(true);
        let second = plan.next_part().unwrap();
        assert_eq!(lengths(vec![second]), [128]);
        plan.set_enough(false);
        assert!(lengths(parts(&mut plan)).iter().all(|length| *length < 17));
    }

    #[test]
    fn fetches_only_missing_ranges() {
        let mut present = Ranges::prefix_of(10);
        present.add(20..30);
        let mut plan = Plan::new(&present, 40, 4, 100);
        assert_eq!(parts(&mut plan), [Part { at: 10, end: 20 }, Part { at: 30, end: 40 }]);
        assert!(plan.is_exhausted());
    }

    #[test]
    fn returned_ranges_come_first() {
        let mut plan = Plan::new(&Ranges::default(), 100, 2, 25);
        let (first, second) = (plan.next_part().unwrap(), plan.next_part().unwrap());
        plan.release(&Part { at: 10, ..first });
        assert_eq!(plan.next_part().unwrap(), Part { at: 10, end: 25 });
        plan.release(&Part { at: 50, end: second.end });
        assert_eq!(parts(&mut plan).last().unwrap().end, 100);
    }

    #[test]
    fn a_part_extends_only_into_unassigned_bytes() {
        let mut plan = Plan::new(&Ranges::default(), 100, 2, 25);
        let mut first = plan.next_part().unwrap();
        assert!(plan.extend(&mut first));
        assert_eq!(first, Part { at: 0, end: 50 });
        let mut third = plan.next_part().unwrap();
        assert!(!plan.extend(&mut first));
        assert!(plan.extend(&mut third) && third.end == 100);
        assert!(!plan.extend(&mut third));
    }
}
