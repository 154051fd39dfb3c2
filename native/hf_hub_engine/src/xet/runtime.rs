//! The threads of Xet: their blocking reads must not delay the timers of other transfers.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::error::{Error, ErrorKind, Result};

/// Workers at least and at most; one for each processor in between.
const WORKERS: (usize, usize) = (2, 4);

/// A running runtime. Dropping it stops all its tasks.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts the threads.
    pub(super) fn start() -> Result<Self> {
        let processors = std::thread::available_parallelism().map_or(WORKERS.0, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.clamp(WORKERS.0, WORKERS.1))
            .thread_name("hf_hub_xet")
            .enable_all()
            .build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|source| {
            let message = "cannot start the threads of Xet";
            Error::new(ErrorKind::Io, message).with_source(source).from_a_store()
        })
    }

    /// Returns a handle for work on them.
    pub(super) fn handle(&self) -> Result<Handle> {
        let handle = self.0.as_ref().map(|runtime| runtime.handle().clone());
        handle.ok_or_else(|| Error::new(ErrorKind::Internal, "the threads of Xet have ended"))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for it is not allowed on the threads of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
