//! Decides how many connections one file uses. Pure: no clock, no network.
//!
//! Starts with one connection. While the call receives less than a fast line carries, multiplies
//! the number as long as that increases throughput; goes back to the number before when it does
//! not, and halves when the server asks for fewer. Later it tries again, at growing intervals,
//! because network conditions change.

use std::time::Duration;

/// Minimum gain in throughput for a step up to be kept.
const WORTHWHILE: f64 = 1.15;

/// Throughput of a call in bytes per second from which on more connections are not tried. They
/// would only bring bytes out of order, which costs processor time.
const FAST: f64 = 400.0 * 1_048_576.0;

/// Throughput of one connection in bytes per second below which the number is quadrupled instead of
/// doubled.
const SLOW: f64 = 64.0 * 1_048_576.0;

/// Time before the first new attempt with more connections.
const REST: Duration = Duration::from_secs(8);

/// The number of connections, and the state that led to it.
#[derive(Debug)]
pub(crate) struct Concurrency {
    connections: usize,
    most: usize,
    /// The number and throughput before the last step up, while that step is being tried.
    before: Option<(usize, f64)>,
    resting: Duration,
    rest: Duration,
    /// Whether the call received as much as a fast line carries.
    is_fast: bool,
}

/// What the connections of a file received in a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// How long that was.
    pub(crate) time: Duration,
    /// Bytes of this file.
    pub(crate) file: u64,
    /// Bytes of all files of the call.
    pub(crate) call: u64,
}

impl Concurrency {
    /// Starts with one connection; uses at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        let (resting, rest) = (Duration::ZERO, REST);
        let (most, before) = (most.max(1), Some((1, 0.0)));
        Self { connections: 1, most, before, resting, rest, is_fast: false }
    }

    /// Returns how many connections to use.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether one connection is as fast as the line.
    pub(crate) fn is_one_enough(&self) -> bool {
        self.connections == 1 && self.is_fast
    }

    /// Records a measurement, and decides how many connections to use from now on.
    pub(crate) fn measured(&mut self, measurement: Measurement) {
        let rate = per_second(measurement.file, measurement.time);
        self.resting = self.resting.saturating_sub(measurement.time);
        self.is_fast = per_second(measurement.call, measurement.time) >= FAST;
        match self.before {
            Some((before, slower)) if rate < slower * WORTHWHILE => self.settle(before),
            None if !self.resting.is_zero() => {}
            _ if self.is_fast => self.settle(self.connections),
            _ => self.grow(rate),
        }
    }

    /// Records that the server asks for fewer connections.
    pub(crate) fn refused(&mut self, active: usize) {
        self.most = (active / 2).max(1);
        self.connections = self.connections.min(self.most);
        (self.before, self.resting) = (None, Duration::MAX);
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of connections is small")]
    fn grow(&mut self, rate: f64) {
        if self.connections == self.most {
            (self.before, self.resting) = (None, Duration::MAX);
            return;
        }
        self.before = Some((self.connections, rate));
        let factor = if rate < SLOW * self.connections as f64 { 4 } else { 2 };
        self.connections = (self.connections * factor).min(self.most);
    }

    fn settle(&mut self, connections: usize) {
        self.connections = connections;
        (self.before, self.resting) = (None, self.rest);
        self.rest = self.rest.saturating_mul(2);
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates are compared roughly")]
fn per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64().max(0.001)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Returns the steps taken if `n` connections transfer `rate(n)` bytes per second.
    fn steps_taken(
        concurrency: &mut Concurrency,
        steps: usize,
        rate: impl Fn(usize) -> u64,
    ) -> Vec<usize> {
        let step = |_| {
            let bytes = rate(concurrency.connections());
            let time = Duration::from_secs(1);
            concurrency.measured(Measurement { time, file: bytes, call: bytes });
            concurrency.connections()
        };
        (0..steps).map(step).collect()
    }

    #[test]
    fn multiplies_slow_connections_while_throughput_grows() {
        let mut concurrency = Concurrency::new(16);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| n as u64 * 40), [4, 16, 16, 16]);
        let mut concurrency = Concurrency::new(6);
        assert_eq!(steps_taken(&mut concurrency, 3, |n| n as u64 * 40), [4, 6, 6]);
        let mut concurrency = Concurrency::new(6);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| n as u64 * 70 * MIB), [2, 4, 6, 6]);
    }

    #[test]
    fn goes_back_when_more_connections_do_not_help() {
        let mut concurrency = Concurrency::new(16);
        assert_eq!(steps_taken(&mut concurrency, 4, |_| 1000), [4, 1, 1, 1]);
        let mut concurrency = Concurrency::new(16);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| n.min(4) as u64 * 10), [4, 16, 4, 4]);
        let mut concurrency = Concurrency::new(16);
        assert_eq!(steps_taken(&mut concurrency, 4, |n| 100 / n as u64), [4, 1, 1, 1]);
    }

    #[test]
    fn does_not_add_connections_to_a_fast_line() {
        let mut concurrency = Concurrency::new(16);
        assert!(!concurrency.is_one_enough());
        assert!(steps_taken(&mut concurrency, 100, |_| 1000 * MIB).iter().all(|n| *n == 1));
        assert!(concurrency.is_one_enough());
        // Other files of the call use the line, too.
        let mut concurrency = Concurrency::new(16);
        let time = Duration::from_millis(50);
        concurrency.measured(Measurement { time, file: 10 * MIB, call: 50 * MIB });
        assert_eq!(concurrency.connections(), 1);
        let mut concurrency = Concurrency::new(16);
        assert_eq!(steps_taken(&mut concurrency, 5, |n| n as u64 * 150 * MIB), [2, 4, 4, 4, 4]);
    }

    #[test]
    fn tries_again_at_growing_intervals() {
        let mut concurrency = Concurrency::new(8);
        let tries =
            steps_taken(&mut concurrency, 120, |_| 10).windows(2).filter(|n| n[0] < n[1]).count();
        assert_eq!(tries, 3, "after 8, 16, 32 and 64 seconds");
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
