//! The retry budget of a transfer: when to give up. Pure: no clock, no network.

use std::time::{Duration, Instant};

use crate::{
    base::error::{Error, ErrorKind},
    hub::retry::{self, Policy},
};

/// Minimum number of new bytes for an attempt that was too slow to count as progress.
const WORTHWHILE: u64 = 64 << 10;

/// Number of consecutive responses with the whole file, or 416, after which the server is assumed
/// to support no ranges.
const WHOLE_ANSWERS: u32 = 2;

/// The failed attempts of a transfer, over all its connections.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    policy: Policy,
    failures: u32,
    furthest: u64,
    /// Whether new bytes have arrived: from then on, a failure counts as an outage.
    flowed: bool,
    /// When the attempts that follow the last failure start.
    next: Option<Instant>,
    renewed: bool,
    whole_answers: u32,
}

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Its length.
    pub(crate) wait: Duration,
    /// How long the outage may still last, if it is one.
    pub(crate) left: Option<Duration>,
}

impl RetryBudget {
    /// Creates a budget; `present` bytes are in place at the beginning.
    pub(crate) fn new(policy: Policy, present: u64) -> Self {
        Self {
            policy,
            failures: 0,
            furthest: present,
            flowed: false,
            next: None,
            renewed: false,
            whole_answers: 0,
        }
    }

    /// Records that a server has responded: one that refuses connections now is restarting.
    pub(crate) fn answered(&mut self) {
        self.policy = self.policy.once_answered();
    }

    /// Returns the number of consecutive failed attempts.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether to request another signed URL: at least once in any case.
    pub(crate) fn may_renew(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.renewed, true);
        first || self.failures <= self.policy.retries
    }

    /// Records that a range request returned that range.
    pub(crate) fn served(&mut self) {
        self.whole_answers = 0;
    }

    /// Records that a range request did not return that range. Returns whether to discard
    /// the received bytes and start again without ranges: a single such response may come from one
    /// faulty server among many.
    pub(crate) fn starts_over(&mut self) -> bool {
        self.whole_answers += 1;
        let over = self.whole_answers >= WHOLE_ANSWERS;
        // The received bytes are discarded, and none has arrived in the new attempt.
        self.flowed &= !over;
        over
    }

    /// Records a failure at `now` of an attempt that started at `began`, with `present` bytes in
    /// place. Returns how long to wait, or `None` to give up.
    ///
    /// Receiving new bytes resets the count; bytes received before do not. A failure of several
    /// connections at once counts as one: attempts that started before the end of the following
    /// pause belong to it.
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

    /// Records a failure of an attempt that started after the last pause; returns whether to
    /// continue.
    fn fail(budget: &mut RetryBudget, kind: ErrorKind, present: u64) -> bool {
        let began = budget.next.unwrap_or_else(Instant::now);
        budget.failed(&error(kind), present, began, began).is_some()
    }

    #[test]
    fn new_bytes_reset_the_count() {
        let mut budget = RetryBudget::new(Policy::STANDARD, 0);
        for present in 1..100 {
            assert!(fail(&mut budget, ErrorKind::Transport, present));
            assert_eq!(budget.failures(), 1);
        }
    }

    #[test]
    fn bytes_received_before_do_not_reset_the_count() {
        let mut budget = RetryBudget::new(Policy::STANDARD, 100);
        let gave_up = (1..100).find(|n| !fail(&mut budget, ErrorKind::Transport, 100 - n % 2));
        assert_eq!(gave_up, Some(6));
        assert!(budget.may_renew() && !budget.may_renew());
    }

    #[test]
    fn a_few_slow_bytes_do_not_reset_the_count() {
        let mut budget = RetryBudget::new(Policy::STANDARD, 0);
        let gave_up = (1..100).find(|n| !fail(&mut budget, ErrorKind::Timeout, n * 1000));
        assert_eq!(gave_up, Some(6));
        let mut budget = RetryBudget::new(Policy::STANDARD, 0);
        assert!((1..100).all(|n| fail(&mut budget, ErrorKind::Timeout, n * WORTHWHILE)));
    }

    /// The time from the first failure until one of the connections, which fail independently,
    /// gives up.
    fn outage(connections: u64, budget: &mut RetryBudget) -> Duration {
        let (refused, start) = (error(ErrorKind::Transport).unreachable(), Instant::now());
        // When each connection tries next; the attempt itself takes a moment.
        let mut due: Vec<_> =
            (0..connections).map(|n| start + Duration::from_millis(n * 7)).collect();
        loop {
            let (place, began) = due.iter().copied().enumerate().min_by_key(|(_, at)| *at).unwrap();
            let now = began + Duration::from_millis(3);
            match budget.failed(&refused, 100, began, now) {
                Some(pause) => due[place] = now + pause.wait,
                None => return now - start,
            }
        }
    }

    #[test]
    fn any_number_of_connections_survives_the_same_outage() {
        for connections in [1, 2, 4, 8, 64] {
            let mut silent = RetryBudget::new(Policy::STANDARD, 100);
            assert_eq!(outage(connections, &mut silent).as_secs(), 1, "{connections}");
            let mut begun = RetryBudget::new(Policy::STANDARD, 100);
            begun.answered();
            assert_eq!(outage(connections, &mut begun).as_secs(), 23, "{connections}");
            let mut flowing = RetryBudget::new(Policy::STANDARD, 50);
            assert_eq!(outage(connections, &mut flowing).as_secs(), 63, "{connections}");
            assert_eq!(flowing.failures(), 11);
        }
    }

    #[test]
    fn an_outage_reports_how_long_it_may_last() {
        let mut budget = RetryBudget::new(Policy::STANDARD, 0);
        let (start, broken) = (Instant::now(), error(ErrorKind::Transport));
        let begun = budget.failed(&broken, 0, start, start).unwrap();
        assert_eq!(begun, Pause { wait: Duration::from_secs(1), left: None });
        let flowing = budget.failed(&broken, 5, start, start).unwrap();
        assert_eq!(flowing.left, Some(Duration::from_secs(63)));
        let limited = error(ErrorKind::RateLimited).with_retry_after(Some(Duration::from_secs(30)));
        let pause = budget.failed(&limited, 5, start, start).unwrap();
        assert_eq!(pause, Pause { wait: Duration::from_secs(30), left: None });
    }

    #[test]
    fn two_whole_responses_in_a_row_disable_ranges() {
        let mut budget = RetryBudget::new(Policy::STANDARD, 100);
        assert!(!budget.starts_over());
        budget.served();
        assert!(!budget.starts_over());
        assert!(budget.starts_over());
    }
}
