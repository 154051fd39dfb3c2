//! Rate limits, announced and enforced as on the Hub: a number of requests in a fixed window of
//! time, for each token and kind of route.
//!
//! Disabled by default. A rejected request does not count.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderName, Response as HttpResponse};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::response::header_value;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A number of requests per number of seconds; written `REQUESTS/SECONDS`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    requests: u64,
    seconds: u64,
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(requests, seconds)| {
            Some(Self { requests: requests.parse().ok()?, seconds: seconds.parse().ok()? })
        });
        parts
            .filter(|quota| quota.requests > 0 && quota.seconds > 0)
            .ok_or_else(|| "must be REQUESTS/SECONDS, such as 1000/300".into())
    }
}

/// What is counted together: a token, or all anonymous requests, and a kind of route.
type Key = (Option<Vec<u8>>, &'static str);

/// The current windows.
#[derive(Debug)]
struct RateLimits {
    quota: Quota,
    windows: Mutex<HashMap<Key, Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    ends: Instant,
    left: u64,
}

/// Limits the requests of clients of `app` to `quota`.
pub(super) fn layer(app: Router, quota: Quota) -> Router {
    let budgets = Arc::new(RateLimits { quota, windows: Mutex::default() });
    app.layer(middleware::from_fn(move |request: Request, next: Next| {
        let budgets = budgets.clone();
        async move { budgets.pass(request, next).await }
    }))
}

impl RateLimits {
    async fn pass(&self, request: Request, next: Next) -> Response {
        let sort = sort(request.uri().path());
        let token = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes().to_vec());
        let (admitted, window) = self.take((token, sort));
        let mut response = if admitted {
            next.run(request).await
        } else {
            ApiError::too_many_requests().into_response()
        };
        self.announce(&mut response, sort, window);
        response
    }

    fn take(&self, key: Key) -> (bool, Window) {
        let now = Instant::now();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| window.ends > now);
        let fresh = Window {
            ends: now + Duration::from_secs(self.quota.seconds),
            left: self.quota.requests,
        };
        let window = windows.entry(key).or_insert(fresh);
        let admitted = window.left > 0;
        window.left = window.left.saturating_sub(1);
        (admitted, *window)
    }

    fn announce<B>(&self, response: &mut HttpResponse<B>, sort: &str, window: Window) {
        let seconds =
            window.ends.saturating_duration_since(Instant::now()).as_millis().div_ceil(1000);
        let Quota { requests, seconds: length } = self.quota;
        let headers = response.headers_mut();
        headers.insert(LIMIT, header_value(&format!("\"{sort}\";r={};t={seconds}", window.left)));
        let policy = format!("\"fixed window\";\"{sort}\";q={requests};w={length}");
        headers.insert(POLICY, header_value(&policy));
    }
}

fn sort(path: &str) -> &'static str {
    if path.contains("/resolve/") {
        "resolvers"
    } else if path.starts_with("/api/") {
        "api"
    } else {
        "pages"
    }
}
