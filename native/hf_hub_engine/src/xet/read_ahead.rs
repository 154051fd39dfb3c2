//! How many parts of objects are fetched before they are needed: more only where that is faster,
//! because each takes memory.

use std::time::{Duration, Instant};

/// Parts at first: one is fetched while the other one is written.
const FIRST: usize = 2;

/// Bytes between two decisions, for each part.
const WINDOW: u64 = 8 << 20;

/// By how much the next step has to be faster, in percent.
const FASTER: u32 = 115;

/// The number of parts, which grows while the network is what is waited for.
#[derive(Debug)]
pub(super) struct ReadAhead {
    limit: usize,
    most: usize,
    /// When the first bytes were returned, or the last decision was made.
    since: Option<Instant>,
    waited: Duration,
    returned: u64,
    /// Returned from the beginning.
    total: u64,
    /// The limit before the last step, and the bytes in a second that it brought.
    before: Option<(usize, u64)>,
}

impl ReadAhead {
    pub(super) fn new(connections: usize) -> Self {
        let most = connections.max(1);
        let limit = FIRST.min(most);
        Self {
            limit,
            most,
            since: None,
            waited: Duration::ZERO,
            returned: 0,
            total: 0,
            before: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the number of bytes that were returned.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Counts time in which nothing had arrived.
    pub(super) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// Counts bytes that were returned.
    pub(super) fn returned(&mut self, bytes: u64) {
        self.total += bytes;
        let Some(since) = self.since else {
            // Until now it had to be waited in any case.
            (self.since, self.waited) = (Some(Instant::now()), Duration::ZERO);
            return;
        };
        self.returned += bytes;
        if self.returned >= WINDOW * self.limit as u64 {
            self.decide(since.elapsed());
            (self.since, self.waited, self.returned) = (Some(Instant::now()), Duration::ZERO, 0);
        }
    }

    fn decide(&mut self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let speed = self.returned * 1_000 / millis;
        if let Some((limit, before)) = self.before.take()
            && speed * 100 < before * u64::from(FASTER)
        {
            (self.limit, self.most) = (limit, limit);
        } else if self.waited * 2 > time && self.limit < self.most {
            self.before = Some((self.limit, speed));
            self.limit = (2 * self.limit).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the limit after each decision: bytes in a second, and the percentage of waiting.
    fn limits(connections: usize, seen: &[(u64, u32)]) -> Vec<usize> {
        let mut ahead = ReadAhead::new(connections);
        let decide = |(speed, waited): &(u64, u32)| {
            (ahead.returned, ahead.waited) = (*speed, Duration::from_millis(10) * *waited);
            ahead.decide(Duration::from_secs(1));
            ahead.limit()
        };
        seen.iter().map(decide).collect()
    }

    #[test]
    fn more_parts_are_fetched_as_long_as_that_is_faster() {
        assert_eq!(limits(8, &[(40, 90), (80, 90), (150, 90), (150, 90)]), [4, 8, 8, 8]);
        assert_eq!(limits(3, &[(40, 90), (60, 90)]), [3, 3]);
        assert_eq!(limits(1, &[(40, 90)]), [1]);
        // The disk is what is waited for.
        assert_eq!(limits(8, &[(40, 40), (40, 10)]), [2, 2]);
        // The link is full.
        assert_eq!(limits(8, &[(40, 90), (41, 95), (41, 95)]), [4, 2, 2]);
    }
}
