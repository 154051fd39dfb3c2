//! When to give up on a transfer. Pure: no clock, no network.

use std::time::Duration;

use crate::{
    error::{Error, ErrorKind},
    retry::{self, Policy},
};

/// New bytes without which a connection that was too slow counts as fruitless.
const WORTHWHILE: u64 = 64 << 10;

/// Answers with the whole file, or a 416, in a row, until the server is believed to know no ranges.
const WHOLE_ANSWERS: u32 = 2;

/// The fruitless attempts of a transfer, over all its connections.
#[derive(Debug)]
pub(crate) struct Patience {
    policy: Policy,
    failures: u32,
    furthest: u64,
    renewed: bool,
    round: u64,
    whole_answers: u32,
}

/// The time between two failures: what breaks all connections at once is one failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round(u64);

impl Patience {
    /// `present` bytes are in place at the beginning.
    pub(crate) fn new(policy: Policy, present: u64) -> Self {
        Self { policy, failures: 0, furthest: present, renewed: false, round: 0, whole_answers: 0 }
    }

    /// Fruitless attempts in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The round in which an attempt begins.
    pub(crate) fn round(&self) -> Round {
        Round(self.round)
    }

    /// Whether to ask for another signed URL: once in any case.
    pub(crate) fn may_renew(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.renewed, true);
        first || self.failures <= self.policy.retries
    }

    /// Takes in that a range was answered with that range.
    pub(crate) fn served(&mut self) {
        self.whole_answers = 0;
    }

    /// Takes in that a range was not: whether to give up what is here and begin anew without
    /// ranges. One such answer may come from a single bad server among many.
    pub(crate) fn starts_over(&mut self) -> bool {
        self.whole_answers += 1;
        self.whole_answers >= WHOLE_ANSWERS
    }

    /// Takes in a failure of an attempt that began in `round`, with `present` bytes in place:
    /// how long to wait, or `None` to give up.
    ///
    /// New bytes are a sign of life: the patience begins anew. Bytes we have had before are none.
    pub(crate) fn failed(&mut self, error: &Error, present: u64, round: Round) -> Option<Duration> {
        let gained = present.saturating_sub(self.furthest);
        let needed = if error.kind() == ErrorKind::Timeout { WORTHWHILE } else { 1 };
        if gained >= needed {
            self.failures = 1;
        } else if round.0 == self.round {
            self.failures += 1;
        }
        self.furthest = self.furthest.max(present);
        self.round += u64::from(round.0 == self.round);
        retry::decide(self.policy, self.failures, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "x")
    }

    /// Whether it goes on after a failure of an attempt that began just before.
    fn fail(patience: &mut Patience, kind: ErrorKind, present: u64) -> bool {
        let round = patience.round();
        patience.failed(&error(kind), present, round).is_some()
    }

    #[test]
    fn new_bytes_are_a_sign_of_life() {
        let mut patience = Patience::new(Policy::STANDARD, 0);
        for present in 1..100 {
            assert!(fail(&mut patience, ErrorKind::Transport, present));
            assert_eq!(patience.failures(), 1);
        }
    }

    #[test]
    fn the_same_bytes_are_not() {
        let mut patience = Patience::new(Policy::STANDARD, 100);
        let gave_up = (1..100).find(|n| !fail(&mut patience, ErrorKind::Transport, 100 - n % 2));
        assert_eq!(gave_up, Some(6));
        assert!(patience.may_renew() && !patience.may_renew());
    }

    #[test]
    fn nor_are_a_few_that_dripped() {
        let mut patience = Patience::new(Policy::STANDARD, 0);
        let gave_up = (1..100).find(|n| !fail(&mut patience, ErrorKind::Timeout, n * 1000));
        assert_eq!(gave_up, Some(6));
        let mut patience = Patience::new(Policy::STANDARD, 0);
        assert!((1..100).all(|n| fail(&mut patience, ErrorKind::Timeout, n * WORTHWHILE)));
    }

    #[test]
    fn what_breaks_all_connections_at_once_is_one_failure() {
        let mut patience = Patience::new(Policy::STANDARD, 100);
        let broken = error(ErrorKind::Transport);
        for failures in 1..=5 {
            let round = patience.round();
            assert!((0..8).all(|_| patience.failed(&broken, 100, round).is_some()));
            assert_eq!(patience.failures(), failures);
        }
        assert!(!fail(&mut patience, ErrorKind::Transport, 100));
    }

    #[test]
    fn one_whole_answer_is_a_slip_and_two_are_a_habit() {
        let mut patience = Patience::new(Policy::STANDARD, 100);
        assert!(!patience.starts_over());
        patience.served();
        assert!(!patience.starts_over());
        assert!(patience.starts_over());
    }
}
