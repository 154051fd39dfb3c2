//! Parallel work on many files, in a thread pool of its own: a library must not occupy the
//! process-wide pool.

use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::base::error::{Error, Result};

/// Runs `work` in a pool of `threads` threads; by default, one per processor.
pub fn run<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool: ThreadPool = ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .thread_name(|index| format!("hf_hub_file_{index}"))
        .build()
        .map_err(|source| {
            Error::io("start threads for", Path::new("."), std::io::Error::other(source))
        })?;
    Ok(pool.install(work))
}
