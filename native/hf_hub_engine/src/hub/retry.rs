//! Decides whether and when a failed request is retried. Pure: no clock, no network.

use std::time::Duration;

use crate::base::error::{Error, ErrorKind};

/// A retry policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Maximum number of retries.
    pub retries: u32,
    /// Maximum number of retries if no server is reached (connection refused, unknown host name, no
    /// network): such a Hub rarely comes back within seconds.
    pub refused: u32,
    /// The first pause; each further one is twice as long.
    pub base: Duration,
    /// Maximum pause unless the server asks for one.
    pub cap: Duration,
    /// Maximum pause that the server may ask for; a longer one is an error at once.
    pub max_asked: Duration,
}

impl Policy {
    /// The values of the Python client: 1, 2, 4, 8, 8 seconds.
    pub const STANDARD: Self = Self {
        retries: 5,
        refused: 1,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(8),
        max_asked: Duration::from_mins(10),
    };

    /// Returns the policy for a Hub that has responded before: if the connection is refused, it is
    /// restarting.
    #[must_use]
    pub fn once_answered(self) -> Self {
        Self { refused: self.retries, ..self }
    }

    /// Returns the policy for a transfer that has received bytes: with the standard values it
    /// survives an outage of a minute.
    #[must_use]
    pub fn once_flowing(self) -> Self {
        let retries = self.retries.saturating_mul(2);
        Self { retries, refused: retries, ..self }
    }

    /// Returns the pause after this number of consecutive failures.
    fn pause(self, failures: u32) -> Duration {
        let doublings = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doublings).min(self.cap)
    }

    /// Returns how long retries continue after this number of failures, if each further attempt
    /// fails at once.
    pub fn left(self, failures: u32) -> Duration {
        // After the first ones, all pauses have the same length.
        let doubling = self.retries.min(failures.saturating_add(32));
        let first = (failures..=doubling).map(|failures| self.pause(failures)).sum::<Duration>();
        first.saturating_add(self.cap.saturating_mul(self.retries - doubling))
    }

    /// Returns the policy without retries.
    #[must_use]
    pub fn once(self) -> Self {
        Self { retries: 0, ..self }
    }
}

/// Returns the pause before the next attempt, or `None` to give up. `failures` counts the
/// consecutive failures, including this one.
pub fn decide(policy: Policy, failures: u32, error: &Error) -> Option<Duration> {
    let most = if error.is_unreachable() { policy.refused } else { policy.retries };
    if failures > most.min(policy.retries) || !error.is_transient() {
        return None;
    }
    let own = policy.pause(failures);
    match error.retry_after() {
        Some(asked) if asked > policy.max_asked => None,
        Some(asked) if error.kind() == ErrorKind::RateLimited => Some(asked),
        Some(asked) => Some(asked.max(own)),
        None => Some(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, status: u16, wait: Option<u64>) -> Error {
        Error::new(kind, "x").with_status(status).with_retry_after(wait.map(Duration::from_secs))
    }

    #[test]
    fn decides_by_kind_and_number_of_failures() {
        use ErrorKind::{EntryNotFound, Http, RateLimited, Server, Timeout, Transport};
        let secs = |seconds| Some(Duration::from_secs(seconds));
        let cases = [
            (1, error(Server, 503, None), secs(1)),
            (2, error(Server, 500, None), secs(2)),
            (4, error(Server, 502, None), secs(8)),
            (5, error(Server, 504, None), secs(8)),
            (6, error(Server, 503, None), None),
            (1, error(Server, 501, None), None),
            (1, error(Http, 408, None), secs(1)),
            (1, error(Http, 418, None), None),
            (1, error(EntryNotFound, 404, None), None),
            (1, error(Timeout, 0, None), secs(1)),
            (3, error(Transport, 0, None), secs(4)),
            (1, error(RateLimited, 429, Some(56)), secs(56)),
            (1, error(RateLimited, 429, None), secs(1)),
            (1, error(RateLimited, 429, Some(3600)), None),
            (3, error(Server, 503, Some(1)), secs(4)),
            (1, error(Server, 503, Some(20)), secs(20)),
        ];
        for (failures, error, expected) in cases {
            assert_eq!(
                decide(Policy::STANDARD, failures, &error),
                expected,
                "{failures} {error:?}"
            );
        }
        assert_eq!(decide(Policy::STANDARD.once(), 1, &error(Server, 503, None)), None);
    }

    #[test]
    fn a_refused_connection_is_retried_once_until_a_hub_has_responded() {
        let refused = error(ErrorKind::Transport, 0, None).unreachable();
        let attempts = |policy| (1..100).find(|n| decide(policy, *n, &refused).is_none()).unwrap();
        assert_eq!(attempts(Policy::STANDARD), 2);
        assert_eq!(attempts(Policy::STANDARD.once_answered()), 6);
        assert_eq!(attempts(Policy::STANDARD.once()), 1);
        assert_eq!(attempts(Policy::STANDARD.once().once_flowing()), 1);
    }

    #[test]
    fn a_transfer_that_received_bytes_survives_a_minute() {
        let policy = Policy::STANDARD.once_flowing();
        let refused = error(ErrorKind::Transport, 0, None).unreachable();
        let pauses: Vec<_> = (1..).map_while(|n| decide(policy, n, &refused)).collect();
        let left: Vec<_> = (1..=11).map(|failures| policy.left(failures).as_secs()).collect();
        assert_eq!(left, [63, 62, 60, 56, 48, 40, 32, 24, 16, 8, 0]);
        assert_eq!(pauses.iter().sum::<Duration>(), Duration::from_secs(63));
        let endless = Policy { retries: u32::MAX, ..Policy::STANDARD };
        assert!(endless.left(1) > Duration::from_hours(1000));
    }
}
