//! Work that may block its thread: files, locks, hashing.

use tokio::task::{JoinError, spawn_blocking};

use crate::base::error::{Error, ErrorKind};

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

/// The error for a panic: a mistake of this library.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let message = format!("a mistake in hf_hub's native code, please report it: {text}");
    Error::new(ErrorKind::Internal, message)
}
