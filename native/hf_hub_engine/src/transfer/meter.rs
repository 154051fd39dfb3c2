//! Measures the throughput of a transfer's connections. Pure: the time is given.
//!
//! A measurement begins when all connections receive bytes: establishing one takes several round
//! trips, in which more connections bring nothing yet. It ends when the bytes say something.

use std::time::{Duration, Instant};

use crate::transfer::concurrency::Measurement;

/// Interval between two calls of [`Meter::tick`].
pub(crate) const TICK: Duration = Duration::from_millis(25);

/// Time after which a measurement begins although some connections receive nothing.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Minimum duration of a measurement, and the maximum if few bytes arrive.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(200);

/// Bytes per connection that end a measurement early.
const ENOUGH: u64 = 1 << 20;

/// The state of a transfer at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) now: Instant,
    /// Number of connections.
    pub(crate) connections: usize,
    /// Number of connections that receive bytes.
    pub(crate) flowing: usize,
    /// Bytes of the file received so far.
    pub(crate) file: u64,
    /// Bytes of all files of the call received so far.
    pub(crate) call: u64,
}

/// Measures by comparing readings.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// The first reading with the current number of connections.
    waiting: Option<Reading>,
    /// The reading at which the measurement began.
    began: Option<Reading>,
}

impl Meter {
    /// Takes a reading; returns a measurement when one is complete.
    pub(crate) fn tick(&mut self, reading: Reading) -> Option<Measurement> {
        let waiting = match self.waiting {
            Some(waiting) if waiting.connections == reading.connections => waiting,
            _ => {
                self.began = None;
                *self.waiting.insert(reading)
            }
        };
        let Some(began) = self.began else {
            let is_ready = reading.flowing >= reading.connections;
            let is_late = reading.now.duration_since(waiting.now) >= LONGEST_WAIT;
            self.began = Some(reading).filter(|_| is_ready || is_late);
            return None;
        };
        let time = reading.now.duration_since(began.now);
        let (file, call) = (reading.file.saturating_sub(began.file), reading.call - began.call);
        let is_enough = file >= ENOUGH * reading.connections as u64;
        if time < SHORTEST || (time < LONGEST && !is_enough) {
            return None;
        }
        self.began = Some(reading);
        Some(Measurement { time, file, call })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns after how many ticks each measurement ends if `bytes` arrive per tick, and the last
    /// connection receives nothing before the tick `flows`.
    fn ends(connections: usize, flows: u64, bytes: u64) -> Vec<u64> {
        let (start, mut meter) = (Instant::now(), Meter::default());
        let reading = |n: u64| Reading {
            now: start + TICK * u32::try_from(n).unwrap(),
            connections,
            flowing: if n < flows { connections - 1 } else { connections },
            file: n * bytes,
            call: n * bytes,
        };
        (0..60).filter(|n| meter.tick(reading(*n)).is_some()).collect()
    }

    #[test]
    fn waits_until_all_connections_receive_bytes() {
        assert_eq!(ends(4, 0, 4 << 20)[..2], [2, 4]);
        assert_eq!(ends(4, 10, 4 << 20)[..2], [12, 14]);
        assert_eq!(ends(4, 1000, 4 << 20)[..2], [22, 24], "not for ever");
    }

    #[test]
    fn measures_longer_while_few_bytes_arrive() {
        assert_eq!(ends(4, 0, 1 << 20)[..2], [4, 8]);
        assert_eq!(ends(4, 0, 1)[..2], [8, 16]);
    }

    #[test]
    fn begins_again_when_the_number_of_connections_changes() {
        let (start, mut meter) = (Instant::now(), Meter::default());
        let mut reading = Reading { now: start, connections: 1, flowing: 1, file: 0, call: 5 };
        assert!(meter.tick(reading).is_none());
        reading.connections = 2;
        reading.now += SHORTEST;
        reading.file = 100 << 20;
        assert!(meter.tick(reading).is_none());
        reading.flowing = 2;
        assert!(meter.tick(reading).is_none());
        reading.now += SHORTEST;
        (reading.file, reading.call) = (110 << 20, 30 << 20);
        let measurement = meter.tick(reading).unwrap();
        assert_eq!((measurement.time, measurement.file), (SHORTEST, 10 << 20));
        assert_eq!(measurement.call, (30 << 20) - 5);
    }
}
