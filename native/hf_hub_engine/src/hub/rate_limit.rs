//! Respects the rate limits that Hubs announce, for all calls together.
//!
//! A Hub counts the requests of an account (or address) in time windows and reports in `RateLimit`
//! how many are left. Requests that would exceed the limit wait here instead of being rejected.
//! Without an announcement, nothing waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Url, header::HeaderMap};
use tokio::time::Instant;

use crate::{base::error::Error, hub::token::Token, transport};

/// Maximum number of stored windows, far more than needed; beyond it, the oldest are forgotten.
const KEPT: usize = 1000;

/// Maximum time that a window is respected; then the Hub is asked again, whatever it announced.
const LONGEST: Duration = Duration::from_mins(10);

/// The rate limits of all Hubs; clones share them.
#[derive(Clone, Debug, Default)]
pub struct RateLimiter(Arc<Mutex<HashMap<Scope, Window>>>);

/// What a Hub counts together: host, route class and token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    host: String,
    token: Option<Token>,
    kind: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Number of requests that may still start.
    left: i64,
    /// Number of requests without a response; the Hub may not have counted them yet.
    in_flight: i64,
    /// Number of requests started since the limit is known.
    started: i64,
    ends: Instant,
    /// Number of requests and length of the next window, if announced.
    next: Option<Quota>,
}

/// A number of requests per duration.
type Quota = (i64, Duration);

impl Scope {
    /// Returns the scope that a request to `url` is counted in.
    pub(crate) fn of(url: &Url, token: Option<&Token>) -> Self {
        let path = url.path();
        let kind = if path.contains("/resolve/") {
            "resolvers"
        } else if path.contains("/api/") {
            "api"
        } else {
            "pages"
        };
        Self { host: url.authority().to_owned(), token: token.cloned(), kind }
    }
}

/// A request in flight, which the Hub may not have counted yet.
#[must_use = "the request counts as finished when this is dropped"]
pub(crate) struct Ticket<'a> {
    rate_limiter: &'a RateLimiter,
    scope: &'a Scope,
    started: Started,
}

/// The state of the window when a request was started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Started {
    /// Number of requests started before.
    before: i64,
    /// Number of them in flight.
    in_flight: i64,
    /// 1 if the request itself is counted: the first ones start before a limit is known.
    own: i64,
}

impl Ticket<'_> {
    /// Counts the request as finished.
    pub(crate) fn answered(self) -> Started {
        self.started
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(window) = self.rate_limiter.lock().get_mut(self.scope) {
            window.in_flight = (window.in_flight - 1).max(0);
        }
    }
}

impl RateLimiter {
    /// Takes one request from the limit; otherwise returns how long to wait before trying again.
    pub(crate) fn admit<'a>(&'a self, scope: &'a Scope) -> Result<Ticket<'a>, Duration> {
        let now = Instant::now();
        let mut windows = self.lock();
        let mut started = Started::default();
        if let Some(window) = windows.get_mut(scope) {
            if now >= window.ends {
                window.renew(now);
            }
            if window.left <= 0 {
                return Err(window.ends - now);
            }
            started = Started { before: window.started, in_flight: window.in_flight, own: 1 };
            (window.left, window.in_flight) = (window.left.saturating_sub(1), window.in_flight + 1);
            window.started += 1;
        }
        Ok(Ticket { rate_limiter: self, scope, started })
    }

    /// Records what the response to a request announces.
    pub(crate) fn learn(&self, scope: &Scope, started: Started, headers: &HeaderMap) {
        if let Some((left, wait)) = transport::text(headers, "ratelimit").and_then(announced) {
            let next = transport::text(headers, "ratelimit-policy").and_then(policy);
            self.open_window(scope, started, (left, wait), next);
        }
    }

    /// Records a failure, which may be a rejection for too many requests.
    pub(crate) fn failed(&self, scope: &Scope, error: &Error) {
        if let Some(wait) = error.retry_after().filter(|_| error.status() == Some(429)) {
            self.open_window(scope, Started::default(), (0, wait), None);
        }
    }

    fn open_window(
        &self,
        scope: &Scope,
        started: Started,
        announced_quota: Quota,
        next: Option<Quota>,
    ) {
        let (announced, wait) = announced_quota;
        let now = Instant::now();
        let Some(ends) = now.checked_add(wait) else { return };
        let ends = ends.min(now + LONGEST);
        let mut windows = self.lock();
        if windows.len() >= KEPT {
            windows.retain(|_, window| window.ends > now);
        }
        let known = windows.get(scope).copied();
        let window =
            known.unwrap_or(Window { left: 0, in_flight: 0, started: 0, ends: now, next: None });
        // The Hub may have counted concurrent requests after this one, so they are subtracted. The
        // result is never more than what was known before; other clients may send requests too.
        let others = started.in_flight + window.started - started.before - started.own;
        let counted = announced.saturating_sub(others);
        let known = if now < window.ends { window.left } else { i64::MIN };
        let left = counted.max(known).min(announced);
        windows.insert(scope.clone(), Window { left, ends, next: next.or(window.next), ..window });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn renew(&mut self, now: Instant) {
        match self.next {
            // At least one request, to learn what the Hub announces by then.
            Some((quota, length)) => {
                (self.left, self.ends) =
                    ((quota - self.in_flight).max(1), now + length.min(LONGEST));
            }
            // Nothing is known about the next window: the first request will learn it.
            None => self.left = i64::MAX,
        }
    }
}

/// Parses `"api";r=499;t=12`: how many requests are left, and for how long.
fn announced(header: &str) -> Option<(i64, Duration)> {
    // The announced seconds are rounded down, hence one more.
    let wait = Duration::from_secs(number(header, "t=")?).saturating_add(Duration::from_secs(1));
    Some((i64::try_from(number(header, "r=")?).unwrap_or(i64::MAX), wait))
}

/// Parses `"fixed window";"api";q=500;w=300`: how many requests, per duration.
fn policy(header: &str) -> Option<Quota> {
    let quota = i64::try_from(number(header, "q=")?).ok()?;
    Some((quota, Duration::from_secs(number(header, "w=")?)))
}

fn number(header: &str, key: &str) -> Option<u64> {
    header.split([';', ',']).find_map(|part| part.trim().strip_prefix(key)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(limit: &'static str, policy: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("ratelimit", HeaderValue::from_static(limit));
        policy.map(|policy| headers.insert("ratelimit-policy", HeaderValue::from_static(policy)));
        headers
    }

    fn scope(path: &str) -> Scope {
        Scope::of(&format!("https://hub.example{path}").parse().unwrap(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn never_exceeds_the_announced_limit() {
        let (rate_limiter, api) = (RateLimiter::default(), scope("/api/models"));
        assert!(rate_limiter.admit(&api).is_ok(), "before a limit is known");
        let policy = Some("\"fixed window\";\"api\";q=4;w=10");
        rate_limiter.learn(&api, Started::default(), &headers("\"api\";r=3;t=9", policy));
        let mut in_flight: Vec<_> =
            (0..3).map(|_| rate_limiter.admit(&api).ok().unwrap()).collect();
        assert_eq!(rate_limiter.admit(&api).err(), Some(Duration::from_secs(10)));
        // A response that was in flight reports more than is left.
        let started = in_flight.pop().unwrap().answered();
        rate_limiter.learn(&api, started, &headers("\"api\";r=2;t=9", None));
        assert!(rate_limiter.admit(&api).is_err());
        let resolvers = scope("/gpt2/resolve/main/x");
        assert!(rate_limiter.admit(&resolvers).is_ok(), "another scope");

        tokio::time::sleep(Duration::from_secs(11)).await;
        let admitted: Vec<_> =
            std::iter::from_fn(|| rate_limiter.admit(&api).ok()).take(10).collect();
        assert_eq!(admitted.len(), 2, "the next window, minus requests in flight");
    }

    #[tokio::test(start_paused = true)]
    async fn responses_out_of_order_never_raise_the_limit() {
        let (rate_limiter, api) = (RateLimiter::default(), scope("/api/models"));
        rate_limiter.learn(&api, Started::default(), &headers("r=3;t=9", None));
        let (first, second) =
            (rate_limiter.admit(&api).ok().unwrap(), rate_limiter.admit(&api).ok().unwrap());
        rate_limiter.learn(&api, second.answered(), &headers("r=1;t=9", None));
        rate_limiter.learn(&api, first.answered(), &headers("r=2;t=9", None));
        let third = rate_limiter.admit(&api).ok().unwrap();
        assert!(rate_limiter.admit(&api).is_err(), "one was left");
        // Other clients have sent requests too.
        rate_limiter.learn(&api, third.answered(), &headers("r=0;t=9", None));
        assert!(rate_limiter.admit(&api).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rejection_stops_all_requests_until_the_window_ends() {
        let (rate_limiter, api) = (RateLimiter::default(), scope("/api/models"));
        let error = Error::new(crate::base::error::ErrorKind::RateLimited, "x")
            .with_status(429)
            .with_retry_after(Some(Duration::from_secs(5)));
        rate_limiter.failed(&api, &error);
        assert_eq!(rate_limiter.admit(&api).err(), Some(Duration::from_secs(5)));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!((0..100).all(|_| rate_limiter.admit(&api).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn asks_the_hub_again_after_ten_minutes() {
        let (rate_limiter, api) = (RateLimiter::default(), scope("/api/models"));
        let error = Error::new(crate::base::error::ErrorKind::RateLimited, "x")
            .with_status(429)
            .with_retry_after(Some(Duration::from_secs(999_999_999_999)));
        rate_limiter.failed(&api, &error);
        assert_eq!(rate_limiter.admit(&api).err(), Some(LONGEST));
        tokio::time::sleep(LONGEST).await;
        assert!(rate_limiter.admit(&api).is_ok());

        let never = headers("r=0;t=999999999999", Some("q=0;w=999999999999"));
        rate_limiter.learn(&api, Started::default(), &never);
        for _ in 0..3 {
            assert_eq!(rate_limiter.admit(&api).err(), Some(LONGEST));
            tokio::time::sleep(LONGEST).await;
            assert!(rate_limiter.admit(&api).is_ok());
        }
    }

    #[test]
    fn ignores_invalid_announcements() {
        let (rate_limiter, api) = (RateLimiter::default(), scope("/api/models"));
        let endless = "r=0;t=18446744073709551615";
        for limit in ["", "r=;t=", "\"api\";r=-1;t=5", "r=0;t=99999999999999999999999", endless] {
            let policy = Some("q=1;w=18446744073709551615");
            rate_limiter.learn(&api, Started::default(), &headers(limit, policy));
            assert!(rate_limiter.admit(&api).is_ok(), "{limit}");
        }
    }
}
