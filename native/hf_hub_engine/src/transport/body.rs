//! The body of a request: bytes in memory, or a stream that is produced while it is sent.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::base::presence::{Presence, Present};

/// The body of a request.
#[derive(Debug)]
pub struct Body {
    pub(super) inner: reqwest::Body,
    pub(super) moved: Moved,
}

/// Counts the bytes of a body that were sent; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<State>);

#[derive(Debug, Default)]
struct State {
    bytes: AtomicU64,
    waiting: Presence,
}

impl Moved {
    /// Counts bytes that were taken for sending.
    pub fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Notes, until the result is dropped, that the body waits for a limit of this side.
    pub fn waits(&self) -> Present {
        self.0.waiting.enter()
    }

    fn is_waiting(&self) -> bool {
        self.0.waiting.is_any()
    }

    fn now(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }
}

impl Body {
    /// Creates a body that counts in `moved` how much of it was taken.
    pub fn new(inner: reqwest::Body, moved: Moved) -> Self {
        Self { inner, moved }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { inner: bytes.into(), moved: Moved::default() }
    }
}

/// Waits for a response: `None` if neither the response arrived nor the body moved within the
/// timeout, although the body did not wait at its end.
pub(super) async fn answered<T>(
    answer: impl Future<Output = T>,
    timeout: Duration,
    moved: &Moved,
) -> Option<T> {
    let mut answer = pin!(answer);
    loop {
        let before = moved.now();
        match tokio::time::timeout(timeout, &mut answer).await {
            Ok(answer) => return Some(answer),
            Err(_) if moved.now() == before && !moved.is_waiting() => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moving_body_extends_the_timeout() {
        let (timeout, moved) = (Duration::from_secs(10), Moved::default());
        let slow = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                moved.add(1);
            }
        };
        assert!(answered(slow, timeout, &moved).await.is_some());
        assert!(answered(std::future::pending::<()>(), timeout, &moved).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_waits_for_a_limit_extends_the_timeout() {
        let (timeout, moved) = (Duration::from_secs(10), Moved::default());
        let limited = async {
            let waits = moved.waits();
            tokio::time::sleep(Duration::from_mins(10)).await;
            drop(waits);
        };
        assert!(answered(limited, timeout, &moved).await.is_some());
        assert!(answered(std::future::pending::<()>(), timeout, &moved).await.is_none());
    }
}
