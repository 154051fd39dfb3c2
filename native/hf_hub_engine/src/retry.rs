//! Whether a failed request is repeated, and when. Pure: no clock, no network.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How stubborn to be.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Attempts after the first.
    pub retries: u32,
    /// The first pause; each further one is twice as long.
    pub base: Duration,
    /// The longest pause of our own choosing.
    pub cap: Duration,
    /// The longest pause the server may ask for; a longer one is an error at once.
    pub patience: Duration,
}

impl Policy {
    /// The reference's figures: 1, 2, 4, 8, 8 seconds.
    pub const STANDARD: Self = Self {
        retries: 5,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(8),
        patience: Duration::from_mins(10),
    };

    /// The same policy without a second attempt.
    #[must_use]
    pub fn once(self) -> Self {
        Self { retries: 0, ..self }
    }
}

/// The pause before the next attempt, or `None` to give up. `failures` counts
/// the fruitless attempts so far, this one included.
pub fn decide(policy: Policy, failures: u32, error: &Error) -> Option<Duration> {
    if failures > policy.retries || !error.is_transient() {
        return None;
    }
    let doubled = policy
        .base
        .saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    let own = doubled.min(policy.cap);
    match error.retry_after() {
        Some(asked) if asked > policy.patience => None,
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
    fn table() {
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
}
