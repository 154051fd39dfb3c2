//! Decides how many connections one file uses. Pure: no clock, no network.
//!
//! Starts with one connection and doubles the number while that increases throughput; goes back one
//! step when it does not, and halves when the server asks for fewer. Later it tries again, at
//! growing intervals, because network conditions change.

/// Minimum gain in throughput for a step up to be kept.
const WORTHWHILE: f64 = 1.15;

/// Measurements before the first new attempt with more connections.
const REST: u32 = 40;

/// The number of connections, and the state that led to it.
#[derive(Debug)]
pub(crate) struct Concurrency {
    connections: usize,
    most: usize,
    /// Bytes of the measurement before the last step up, while that step is being tried.
    before: Option<f64>,
    resting: u32,
    rest: u32,
}

impl Concurrency {
    /// Starts with one connection; uses at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { connections: 1, most: most.max(1), before: Some(0.0), resting: 0, rest: REST }
    }

    /// Returns how many connections to use.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Records the bytes of a measurement, and decides how many connections to use for the next
    /// one.
    #[expect(clippy::cast_precision_loss, reason = "rates are compared roughly")]
    pub(crate) fn measured(&mut self, bytes: u64) {
        let now = bytes as f64;
        match self.before {
            Some(before) if now < before * WORTHWHILE => self.settle(),
            None if self.resting > 0 => self.resting -= 1,
            _ => self.grow(now),
        }
    }

    /// Records that the server asks for fewer connections.
    pub(crate) fn refused(&mut self, active: usize) {
        self.most = (active / 2).max(1);
        self.connections = self.connections.min(self.most);
        self.before = None;
        self.resting = u32::MAX;
    }

    fn grow(&mut self, now: f64) {
        if self.connections == self.most {
            (self.before, self.resting) = (None, u32::MAX);
            return;
        }
        self.before = Some(now);
        self.connections = (self.connections * 2).min(self.most);
    }

    fn settle(&mut self) {
        self.connections = self.connections.div_ceil(2);
        (self.before, self.resting) = (None, self.rest);
        self.rest = self.rest.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the steps taken if `n` connections transfer `rate(n)` bytes.
    fn steps_taken(
        concurrency: &mut Concurrency,
        steps: usize,
        rate: impl Fn(usize) -> u64,
    ) -> Vec<usize> {
        (0..steps)
            .map(|_| {
                concurrency.measured(rate(concurrency.connections()));
                concurrency.connections()
            })
            .collect()
    }

    #[test]
    fn doubles_while_throughput_grows() {
        let mut concurrency = Concurrency::new(8);
        assert_eq!(steps_taken(&mut concurrency, 6, |n| n as u64 * 40), [2, 4, 8, 8, 8, 8]);
        let mut concurrency = Concurrency::new(6);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| n as u64 * 40), [2, 4, 6, 6]);
    }

    #[test]
    fn goes_back_when_more_connections_do_not_help() {
        let mut concurrency = Concurrency::new(8);
        assert_eq!(steps_taken(&mut concurrency, 4, |_| 1000), [2, 1, 1, 1]);
        let mut concurrency = Concurrency::new(8);
        assert_eq!(steps_taken(&mut concurrency, 5, |n| n.min(4) as u64 * 10), [2, 4, 8, 4, 4]);
        let mut concurrency = Concurrency::new(8);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| 100 / n as u64), [2, 1, 1, 1]);
    }

    #[test]
    fn tries_again_at_growing_intervals() {
        let mut concurrency = Concurrency::new(8);
        let tries =
            steps_taken(&mut concurrency, 500, |_| 10).windows(2).filter(|n| n[0] < n[1]).count();
        assert_eq!(tries, 3, "after 40, 80 and 160 measurements");
        assert!(steps_taken(&mut concurrency, 500, |n| n as u64 * 10).contains(&8));
    }

    #[test]
    fn never_goes_below_one_connection() {
        let mut concurrency = Concurrency::new(8);
        steps_taken(&mut concurrency, 3, |n| n as u64);
        concurrency.refused(8);
        assert_eq!(concurrency.connections(), 4);
        concurrency.refused(1);
        assert_eq!(concurrency.connections(), 1);
        assert_eq!(steps_taken(&mut concurrency, 100, |n| n as u64 * 9).last(), Some(&1));
        assert_eq!(Concurrency::new(0).connections(), 1);
    }
}
