//! The difference between a slow body and one that only drips. Pure: no clock.

use std::time::Duration;

/// Watches that a body really moves. Only the time spent waiting for the network counts.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) idle: Duration,
    waited: Duration,
    arrived: usize,
}

impl Pulse {
    /// A window is this many times the longest silence allowed.
    pub(super) const WINDOW: u32 = 6;
    /// Fewer bytes than this in one window are as good as none.
    pub(super) const LEAST: usize = 64 << 10;

    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, waited: Duration::ZERO, arrived: 0 }
    }

    /// False if the body only drips.
    pub(super) fn beat(&mut self, waited: Duration, arrived: usize) -> bool {
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
    fn a_body_that_drips_is_told_from_a_slow_one() {
        let mut pulse = Pulse::new(Duration::from_secs(10));
        assert!((0..59).all(|_| pulse.beat(Duration::from_secs(1), 1)));
        assert!(!pulse.beat(Duration::from_secs(1), 1));
        assert!((0..600).all(|_| pulse.beat(Duration::from_secs(1), 2000)));
        // Whoever reads slowly does not make the server a slow one.
        assert!((0..600).all(|_| pulse.beat(Duration::ZERO, 1)));
    }
}
