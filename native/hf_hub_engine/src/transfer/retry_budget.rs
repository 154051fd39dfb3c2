//! When to give up on a transfer. Pure: no clock, no network.

use std::time::{Duration, Instant};

use crate::{
    base::error::{Error, ErrorKind},
    hub::retry::{self, Policy},
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
    /// Whether new bytes have come: from then on, a failure is an outage.
    flowed: bool,
    /// When the attempts that follow the last failure begin.
    next: Option<Instant>,
    renewed: bool,
    whole_answers: u32,
}

/// A pause before another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// How long it is.
    pub(crate) wait: Duration,
    /// How long the outage may still last, where it is one.
    pub(crate) left: Option<Duration>,
}

impl Patience {
    /// `present` bytes are in place at the beginning.
    pub(crate) fn new(policy: Policy, present: u64) -> Self {
        Self {
            policy: policy.once_answered(),
            failures: 0,
            furthest: present,
            flowed: false,
            next: None,
            renewed: false,
            whole_answers: 0,
        }
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

    /// Takes in that a range was answered with that range.
    pub(crate) fn served(&mut self) {
        self.whole_answers = 0;
    }

    /// Takes in that a range was not: whether to give up what is here and begin anew without
    /// ranges. One such answer may come from a single bad server among many.
    pub(crate) fn starts_over(&mut self) -> bool {
        self.whole_answers += 1;
        let over = self.whole_answers >= WHOLE_ANSWERS;
        // What has come is given up, and no bytes have come of what is begun.
        self.flowed &= !over;
        over
    }

    /// Takes in a failure at `now` of an attempt that began at `began`, with `present` bytes in place:
    /// how long to wait, or `None` to give up.
    ///
    /// New bytes reset the count; bytes received before do not. What breaks several connections is one
    /// failure: attempts that began before the pause after it was over belong to it.
    pub(crate) fn failed(
        &mut self,
        error: &Error,
        present: u64,
        began: Instant,
        now: Instant,
    ) -> Option<Pause> {
        let gained = present.saturating_sub(self.furthest);
        let needed = if error.kind() == ErrorKind::Timeout { WORTHWHILE } else { 1 };
        let is_new = self.next.is_none_or(|next| began >= next);
        if gained >= needed {
            (self.failures, self.flowed) = (1, true);
        } else if is_new {
            self.failures += 1;
        }
        self.furthest = self.furthest.max(present);
        let policy = if self.flowed { self.policy.once_flowing() } else { self.policy };
        let wait = retry::decide(policy, self.failures, error)?;
        let outage = self.flowed && error.kind() != ErrorKind::RateLimited;
        let left = outage.then(|| policy.left(self.failures));
        if let Some(next) = self.next.filter(|_| !is_new && gained < needed) {
            let rest = next.saturating_duration_since(now);
            let wait = if error.retry_after().is_some() { wait.max(rest) } else { rest };
            return Some(Pause { wait, left });
        }
        self.next = now.checked_add(wait);
        Some(Pause { wait, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "x")
    }

    /// Whether it goes on after a failure of an attempt that began after the last pause.
    fn fail(patience: &mut Patience, kind: ErrorKind, present: u64) -> bool {
        let began = patience.next.unwrap_or_else(Instant::now);
        patience.failed(&error(kind), present, began, began).is_some()
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

    /// The pauses of all connections, which fail at their own times, until one gives up: counted from
    /// the first failure.
    fn outage(connections: u64, patience: &mut Patience) -> Duration {
        let (refused, start) = (error(ErrorKind::Transport).unreachable(), Instant::now());
        // When each connection tries next; the attempt takes a moment of its own.
        let mut due: Vec<_> =
            (0..connections).map(|n| start + Duration::from_millis(n * 7)).collect();
        loop {
            let (place, began) = due.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap();
            let now = began + Duration::from_millis(3);
            match patience.failed(&refused, 100, began, now) {
                Some(pause) => due[place] = now + pause.wait,
                None => return now - start,
            }
        }
    }

    #[test]
    fn an_outage_is_survived_as_long_by_any_number_of_connections() {
        for connections in [1, 2, 4, 8, 64] {
            let mut begun = Patience::new(Policy::STANDARD, 100);
            assert_eq!(outage(connections, &mut begun).as_secs(), 23, "{connections}");
            let mut flowing = Patience::new(Policy::STANDARD, 50);
            assert_eq!(outage(connections, &mut flowing).as_secs(), 63, "{connections}");
            assert_eq!(flowing.failures(), 11);
        }
    }

    #[test]
    fn an_outage_shows_how_long_it_may_last() {
        let mut patience = Patience::new(Policy::STANDARD, 0);
        let (start, broken) = (Instant::now(), error(ErrorKind::Transport));
        let begun = patience.failed(&broken, 0, start, start).unwrap();
        assert_eq!(begun, Pause { wait: Duration::from_secs(1), left: None });
        let flowing = patience.failed(&broken, 5, start, start).unwrap();
        assert_eq!(flowing.left, Some(Duration::from_secs(63)));
        let limited = error(ErrorKind::RateLimited).with_retry_after(Some(Duration::from_secs(30)));
        let pause = patience.failed(&limited, 5, start, start).unwrap();
        assert_eq!(pause, Pause { wait: Duration::from_secs(30), left: None });
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
