//! The body of a request: bytes at hand, or a stream that is made while it is sent.

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

/// What a request sends.
#[derive(Debug)]
pub struct Body {
    pub(super) inner: reqwest::Body,
    pub(super) moved: Moved,
}

/// How many bytes of a body have left; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    /// Counts bytes that have been taken to be sent.
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Body {
    /// A body that counts in `moved` what of it is taken.
    pub fn new(inner: reqwest::Body, moved: Moved) -> Self {
        Self { inner, moved }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { inner: bytes.into(), moved: Moved::default() }
    }
}

/// Waits for an answer: `None` when neither it came nor the body moved for so long.
pub(super) async fn answered<T>(
    answer: impl Future<Output = T>,
    patience: Duration,
    moved: &Moved,
) -> Option<T> {
    let mut answer = pin!(answer);
    loop {
        let before = moved.now();
        match tokio::time::timeout(patience, &mut answer).await {
            Ok(answer) => return Some(answer),
            Err(_) if moved.now() == before => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_moves_gets_time_and_one_that_stands_still_does_not() {
        let (patience, moved) = (Duration::from_secs(10), Moved::default());
        let slow = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                moved.add(1);
            }
        };
        assert!(answered(slow, patience, &moved).await.is_some());
        assert!(answered(std::future::pending::<()>(), patience, &moved).await.is_none());
    }
}
