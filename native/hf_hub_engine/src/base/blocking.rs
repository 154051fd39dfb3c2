//! Runs work that may block its thread: files, locks, hashing.

use tokio::task::{JoinError, spawn_blocking};

use tokio_util::sync::CancellationToken;

use crate::base::{
    error::{Error, ErrorKind},
    progress::Progress,
};

/// How a caller watches work, and stops it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// How far it is.
    pub progress: Progress,
    /// Cancelled where the work is to stop.
    pub stop: CancellationToken,
}

impl Watch {
    /// Whether the work is to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// Runs `work` on a thread that may block. A panic in it is propagated.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    join(spawn_blocking(work).await)
}

/// Returns the result of a task. A panic of the task is propagated, so it ends the operation like
/// any other panic.
pub(crate) fn join<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => panic!("a task that is awaited is never cancelled: {error}"),
    })
}

/// Returns the error for a panic: a bug in this library.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let message = format!("bug in hf_hub's native code: {text}");
    Error::new(ErrorKind::Internal, message)
}
