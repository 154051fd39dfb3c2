//! The budgets of requests that Hubs announce, kept by all calls together.
//!
//! A Hub counts the requests of an account (or address) in windows of time and tells in
//! `RateLimit` what is left. Whoever would exceed that waits here instead of being
//! refused there. Without announcements nothing is held back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Url, header::HeaderMap};
use tokio::time::Instant;

use crate::{base::error::Error, hub::token::Token, transport};

/// More budgets than any VM has use for; then the oldest windows are forgotten.
const KEPT: usize = 1000;

/// The longest that a window counts; then the Hub is asked again, whatever it announced.
const LONGEST: Duration = Duration::from_mins(10);

/// All budgets; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Governor(Arc<Mutex<HashMap<Budget, Window>>>);

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    host: String,
    token: Option<Token>,
    kind: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Requests that may still be begun.
    left: i64,
    /// Requests begun and not answered; the Hub may not have counted them yet.
    flying: i64,
    /// Requests begun since the budget is known.
    begun: i64,
    ends: Instant,
    /// How many requests the next window allows and how long it is, where announced.
    next: Option<Quota>,
}

/// So many requests in such a time.
type Quota = (i64, Duration);

impl Budget {
    /// The budget that a request to `url` is counted in.
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

/// A request on its way, which the Hub may not have counted yet.
#[must_use = "the request counts as answered when this is dropped"]
pub(crate) struct Ticket<'a> {
    governor: &'a Governor,
    budget: &'a Budget,
    begun: Begun,
}

/// When a request was begun, told by the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Begun {
    /// How many had been begun.
    before: i64,
    /// How many of these were on their way.
    flying: i64,
    /// 1 where it is counted itself: the first ones are begun before there is anything to count for.
    own: i64,
}

impl Ticket<'_> {
    /// Counts the request as answered.
    pub(crate) fn answered(self) -> Begun {
        self.begun
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(window) = self.governor.lock().get_mut(self.budget) {
            window.flying = (window.flying - 1).max(0);
        }
    }
}

impl Governor {
    /// Takes one request out of the budget; or else how long to wait before asking again.
    pub(crate) fn admit<'a>(&'a self, budget: &'a Budget) -> Result<Ticket<'a>, Duration> {
        let now = Instant::now();
        let mut windows = self.lock();
        let mut begun = Begun::default();
        if let Some(window) = windows.get_mut(budget) {
            if now >= window.ends {
                window.renew(now);
            }
            if window.left <= 0 {
                return Err(window.ends - now);
            }
            begun = Begun { before: window.begun, flying: window.flying, own: 1 };
            (window.left, window.flying) = (window.left.saturating_sub(1), window.flying + 1);
            window.begun += 1;
        }
        Ok(Ticket { governor: self, budget, begun })
    }

    /// Takes in what the answer to a request announces.
    pub(crate) fn learn(&self, budget: &Budget, begun: Begun, headers: &HeaderMap) {
        if let Some((left, wait)) = transport::text(headers, "ratelimit").and_then(announced) {
            let next = transport::text(headers, "ratelimit-policy").and_then(policy);
            self.open_window(budget, begun, (left, wait), next);
        }
    }

    /// Takes in a failure, which may be a refusal for too many requests.
    pub(crate) fn failed(&self, budget: &Budget, error: &Error) {
        if let Some(wait) = error.retry_after().filter(|_| error.status() == Some(429)) {
            self.open_window(budget, Begun::default(), (0, wait), None);
        }
    }

    fn open_window(&self, budget: &Budget, begun: Begun, told: Quota, next: Option<Quota>) {
        let (announced, wait) = told;
        let now = Instant::now();
        let Some(ends) = now.checked_add(wait) else { return };
        let ends = ends.min(now + LONGEST);
        let mut windows = self.lock();
        if windows.len() >= KEPT {
            windows.retain(|_, window| window.ends > now);
        }
        let known = windows.get(budget).copied();
        let window =
            known.unwrap_or(Window { left: 0, flying: 0, begun: 0, ends: now, next: None });
        // Whatever was on its way together with this request, the Hub may have counted later. What was known
        // before is as sure; less than announced it is in any case, for others may ask, too.
        let others = begun.flying + window.begun - begun.before - begun.own;
        let counted = announced.saturating_sub(others);
        let known = if now < window.ends { window.left } else { i64::MIN };
        let left = counted.max(known).min(announced);
        windows.insert(budget.clone(), Window { left, ends, next: next.or(window.next), ..window });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Budget, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn renew(&mut self, now: Instant) {
        match self.next {
            // One request at least, to learn what the Hub says by then.
            Some((quota, length)) => {
                (self.left, self.ends) = ((quota - self.flying).max(1), now + length.min(LONGEST));
            }
            // Nothing is known of the next one: whoever asks first will learn.
            None => self.left = i64::MAX,
        }
    }
}

/// `"api";r=499;t=12`: what is left, and for how long.
fn announced(header: &str) -> Option<(i64, Duration)> {
    // The window ends somewhere within its last second, hence one more.
    let wait = Duration::from_secs(number(header, "t=")?).saturating_add(Duration::from_secs(1));
    Some((i64::try_from(number(header, "r=")?).unwrap_or(i64::MAX), wait))
}

/// `"fixed window";"api";q=500;w=300`: how many, in which time.
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

    fn budget(path: &str) -> Budget {
        Budget::of(&format!("https://hub.example{path}").parse().unwrap(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_exceeds_what_was_announced() {
        let (governor, api) = (Governor::default(), budget("/api/models"));
        assert!(governor.admit(&api).is_ok(), "before anything is known");
        let policy = Some("\"fixed window\";\"api\";q=4;w=10");
        governor.learn(&api, Begun::default(), &headers("\"api\";r=3;t=9", policy));
        let mut flying: Vec<_> = (0..3).map(|_| governor.admit(&api).ok().unwrap()).collect();
        assert_eq!(governor.admit(&api).err(), Some(Duration::from_secs(10)));
        // An answer that was on its way tells of less than is known here.
        let begun = flying.pop().unwrap().answered();
        governor.learn(&api, begun, &headers("\"api\";r=2;t=9", None));
        assert!(governor.admit(&api).is_err());
        let resolvers = budget("/gpt2/resolve/main/x");
        assert!(governor.admit(&resolvers).is_ok(), "another budget");

        tokio::time::sleep(Duration::from_secs(11)).await;
        let admitted: Vec<_> = std::iter::from_fn(|| governor.admit(&api).ok()).take(10).collect();
        assert_eq!(admitted.len(), 2, "the next window, less what is still flying");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_overtake_each_other_tell_no_more_than_is_left() {
        let (governor, api) = (Governor::default(), budget("/api/models"));
        governor.learn(&api, Begun::default(), &headers("r=3;t=9", None));
        let (first, second) =
            (governor.admit(&api).ok().unwrap(), governor.admit(&api).ok().unwrap());
        governor.learn(&api, second.answered(), &headers("r=1;t=9", None));
        governor.learn(&api, first.answered(), &headers("r=2;t=9", None));
        let third = governor.admit(&api).ok().unwrap();
        assert!(governor.admit(&api).is_err(), "one was left");
        // Others have asked, too.
        governor.learn(&api, third.answered(), &headers("r=0;t=9", None));
        assert!(governor.admit(&api).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_holds_everybody_back_until_its_end() {
        let (governor, api) = (Governor::default(), budget("/api/models"));
        let error = Error::new(crate::base::error::ErrorKind::RateLimited, "x")
            .with_status(429)
            .with_retry_after(Some(Duration::from_secs(5)));
        governor.failed(&api, &error);
        assert_eq!(governor.admit(&api).err(), Some(Duration::from_secs(5)));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!((0..100).all(|_| governor.admit(&api).is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn after_ten_minutes_the_hub_is_asked_again_whatever_it_said() {
        let (governor, api) = (Governor::default(), budget("/api/models"));
        let error = Error::new(crate::base::error::ErrorKind::RateLimited, "x")
            .with_status(429)
            .with_retry_after(Some(Duration::from_secs(999_999_999_999)));
        governor.failed(&api, &error);
        assert_eq!(governor.admit(&api).err(), Some(LONGEST));
        tokio::time::sleep(LONGEST).await;
        assert!(governor.admit(&api).is_ok());

        let never = headers("r=0;t=999999999999", Some("q=0;w=999999999999"));
        governor.learn(&api, Begun::default(), &never);
        for _ in 0..3 {
            assert_eq!(governor.admit(&api).err(), Some(LONGEST));
            tokio::time::sleep(LONGEST).await;
            assert!(governor.admit(&api).is_ok());
        }
    }

    #[test]
    fn nonsense_holds_nobody_back() {
        let (governor, api) = (Governor::default(), budget("/api/models"));
        let endless = "r=0;t=18446744073709551615";
        for limit in ["", "r=;t=", "\"api\";r=-1;t=5", "r=0;t=99999999999999999999999", endless] {
            let policy = Some("q=1;w=18446744073709551615");
            governor.learn(&api, Begun::default(), &headers(limit, policy));
            assert!(governor.admit(&api).is_ok(), "{limit}");
        }
    }
}
