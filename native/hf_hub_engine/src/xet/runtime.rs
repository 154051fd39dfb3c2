//! The threads of Xet: their blocking reads must not delay the timers of other transfers.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::base::error::{Error, ErrorKind, Result};

/// Workers at least and at most; one for each processor in between.
const WORKERS: (usize, usize) = (2, 4);

/// A runtime that is started when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Lazy(Option<Runtime>);

impl Lazy {
    pub(super) fn handle(&mut self) -> Result<Handle> {
        if let Some(runtime) = &self.0 {
            return Ok(runtime.handle().clone());
        }
        let processors = std::thread::available_parallelism().map_or(WORKERS.0, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors.clamp(WORKERS.0, WORKERS.1))
            .thread_name("hf_hub_xet")
            .enable_all()
            .build()
            .map_err(|source| {
                Error::new(ErrorKind::Io, "cannot start the threads of Xet").with_source(source)
            })?;
        Ok(self.0.insert(runtime).handle().clone())
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        // Waiting for it is not allowed on the threads of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
