//! How many connections one file gets. Pure: no clock, no network.
//!
//! Begins with one and doubles as long as that brings more bytes; goes back a step
//! when it does not, and halves when the server asks for less. Later it tries again,
//! more and more rarely, because networks change.

/// A step up has to bring this much more to be kept.
const WORTHWHILE: f64 = 1.15;

/// Measurements before the first look whether more connections help by now.
const REST: u32 = 40;

/// The number of connections, and what led to it.
#[derive(Debug)]
pub(crate) struct Pace {
    connections: usize,
    most: usize,
    /// Bytes of a measurement before the last step up, while that step is on trial.
    before: Option<f64>,
    resting: u32,
    rest: u32,
}

impl Pace {
    /// At most `most` connections.
    pub(crate) fn new(most: usize) -> Self {
        Self { connections: 1, most: most.max(1), before: Some(0.0), resting: 0, rest: REST }
    }

    /// How many there should be.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Takes in how many bytes came in a measurement with that many connections, and
    /// decides how many there should be in the next one.
    #[expect(clippy::cast_precision_loss, reason = "rates are compared roughly")]
    pub(crate) fn measured(&mut self, bytes: u64) {
        let now = bytes as f64;
        match self.before {
            Some(before) if now < before * WORTHWHILE => self.settle(),
            None if self.resting > 0 => self.resting -= 1,
            _ => self.grow(now),
        }
    }

    /// Takes in that the server asks for less.
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

    /// What the pace becomes where `n` connections bring `rate(n)` bytes.
    fn course(pace: &mut Pace, steps: usize, rate: impl Fn(usize) -> u64) -> Vec<usize> {
        (0..steps)
            .map(|_| {
                pace.measured(rate(pace.connections()));
                pace.connections()
            })
            .collect()
    }

    #[test]
    fn doubles_while_each_connection_brings_its_share() {
        let mut pace = Pace::new(8);
        assert_eq!(course(&mut pace, 6, |n| n as u64 * 40), [2, 4, 8, 8, 8, 8]);
        let mut pace = Pace::new(6);
        assert_eq!(course(&mut pace, 4, |n| n as u64 * 40), [2, 4, 6, 6]);
    }

    #[test]
    fn goes_back_where_more_connections_bring_no_more() {
        let mut pace = Pace::new(8);
        assert_eq!(course(&mut pace, 4, |_| 1000), [2, 1, 1, 1]);
        let mut pace = Pace::new(8);
        assert_eq!(course(&mut pace, 5, |n| n.min(4) as u64 * 10), [2, 4, 8, 4, 4]);
        let mut pace = Pace::new(8);
        assert_eq!(course(&mut pace, 4, |n| 100 / n as u64), [2, 1, 1, 1]);
    }

    #[test]
    fn looks_again_later_and_ever_more_rarely() {
        let mut pace = Pace::new(8);
        let tries = course(&mut pace, 500, |_| 10).windows(2).filter(|n| n[0] < n[1]).count();
        assert_eq!(tries, 3, "after 40, 80 and 160 measurements");
        assert!(course(&mut pace, 500, |n| n as u64 * 10).contains(&8));
    }

    #[test]
    fn one_is_the_least() {
        let mut pace = Pace::new(8);
        course(&mut pace, 3, |n| n as u64);
        pace.refused(8);
        assert_eq!(pace.connections(), 4);
        pace.refused(1);
        assert_eq!(pace.connections(), 1);
        assert_eq!(course(&mut pace, 100, |n| n as u64 * 9).last(), Some(&1));
        assert_eq!(Pace::new(0).connections(), 1);
    }
}
