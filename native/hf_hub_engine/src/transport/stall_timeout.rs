//! Detects a body that has practically stalled, as opposed to a slow one. Pure: no clock.

use std::time::Duration;

/// Watches the throughput of a body. Only time spent waiting for the network counts.
#[derive(Debug)]
pub(super) struct StallTimeout {
    idle: Duration,
    waited: Duration,
    arrived: usize,
}

impl StallTimeout {
    /// Length of a window, as a multiple of the idle timeout.
    pub(super) const WINDOW: u32 = 6;
    /// Minimum number of bytes per window.
    pub(super) const LEAST: usize = 64 << 10;

    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, waited: Duration::ZERO, arrived: 0 }
    }

    /// Records an arrival; returns false if the body has stalled.
    pub(super) fn record(&mut self, waited: Duration, arrived: usize) -> bool {
        self.waited += waited;
        self.arrived += arrived;
        if self.waited < self.idle.saturating_mul(Self::WINDOW) {
            return true;
        }
        let alive = self.arrived >= Self::LEAST;
        (self.waited, self.arrived) = (Duration::ZERO, 0);
        alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_a_stalled_body_from_a_slow_one() {
        let mut timeout = StallTimeout::new(Duration::from_secs(10));
        assert!((0..59).all(|_| timeout.record(Duration::from_secs(1), 1)));
        assert!(!timeout.record(Duration::from_secs(1), 1));
        assert!((0..600).all(|_| timeout.record(Duration::from_secs(1), 2000)));
        // A slow reader does not make the server a slow one.
        assert!((0..600).all(|_| timeout.record(Duration::ZERO, 1)));
    }
}
