//! Work that may block its thread: files, locks, hashing.

use tokio::task::{JoinError, spawn_blocking};

/// Runs `work` where it may block. A panic in it is passed on.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    join(spawn_blocking(work).await)
}

/// What a task returned. Its panic is passed on, so that it ends the operation as a
/// panic does anywhere else.
pub(crate) fn join<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => panic!("a task that is waited for is never cancelled: {error}"),
    })
}
