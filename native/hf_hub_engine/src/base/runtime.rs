//! The threads that the engine's work needs.

use tokio::runtime::{Builder, Runtime};

/// Starts a runtime. A process needs one.
pub fn start() -> std::io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    Builder::new_multi_thread()
        .worker_threads(threads)
        // Each file being written occupies one of these.
        .max_blocking_threads(2048)
        // Deeply nested JSON and YAML must fit in a build without optimizations, too.
        .thread_stack_size(4 << 20)
        .thread_name("hf_hub")
        .enable_all()
        .build()
}
