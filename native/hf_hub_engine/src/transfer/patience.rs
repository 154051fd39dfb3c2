//! When to give up on a transfer. Pure: no clock, no network.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind},
    retry::{self, Policy},
};

/// New bytes without which a connection that was too slow counts as fruitless.
const WORTHWHILE: u64 = 64 << 10;

/// The fruitless attempts of a transfer, over all its connections.
#[derive(Debug)]
pub(crate) struct Patience {
    policy: Policy,
    failures: u32,
    furthest: u64,
    renewed: bool,
}

impl Patience {
    /// `present` bytes are in place at the beginning.
    pub(crate) fn new(policy: Policy, present: u64) -> Self {
        Self { policy, failures: 0, furthest: present, renewed: false }
    }

    /// Fruitless attempts in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether to ask for another signed URL: once in any case.
    pub(crate) fn may_renew(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.renewed, true);
        first || self.failures <= self.policy.retries
    }

    /// Takes in a failure with `present` bytes in place: how long to wait, or `None` to give up.
    ///
    /// New bytes are a sign of life: the patience begins anew. Bytes we have had before are none.
    pub(crate) fn failed(&mut self, error: &Error, present: u64) -> Option<Duration> {
        let gained = present.saturating_sub(self.furthest);
        let needed = if error.kind() == ErrorKind::Timeout { WORTHWHILE } else { 1 };
        self.failures = if gained >= needed { 1 } else { self.failures + 1 };
        self.furthest = self.furthest.max(present);
        retry::decide(self.policy, self.failures, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "x")
    }

    #[test]
    fn new_bytes_are_a_sign_of_life() {
        let mut patience = Patience::new(Policy::STANDARD, 0);
        for present in 1..100 {
            assert!(patience.failed(&error(ErrorKind::Transport), present).is_some());
            assert_eq!(patience.failures(), 1);
        }
    }

    #[test]
    fn the_same_bytes_are_not() {
        let mut patience = Patience::new(Policy::STANDARD, 100);
        let gave_up =
            (1..100).find(|n| patience.failed(&error(ErrorKind::Transport), 100 - n % 2).is_none());
        assert_eq!(gave_up, Some(6));
        assert!(patience.may_renew() && !patience.may_renew());
    }

    #[test]
    fn nor_are_a_few_that_dripped() {
        let mut patience = Patience::new(Policy::STANDARD, 0);
        let gave_up =
            (1..100).find(|n| patience.failed(&error(ErrorKind::Timeout), n * 1000).is_none());
        assert_eq!(gave_up, Some(6));
        let mut patience = Patience::new(Policy::STANDARD, 0);
        let slow = |n: u64| n * WORTHWHILE;
        assert!((1..100).all(|n| patience.failed(&error(ErrorKind::Timeout), slow(n)).is_some()));
    }
}
