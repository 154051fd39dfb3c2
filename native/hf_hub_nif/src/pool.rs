//! What all calls of this VM share.

use hf_hub_engine::{download::shared::Shared, hub::settings::Process};
use once_cell::sync::Lazy;

/// Connections, and limits on requests, open files and bytes a second.
pub(crate) static PROCESS: Lazy<Process> = Lazy::new(|| Process::new(open_files()));

/// The transfers under way.
pub(crate) static SHARED: Lazy<Shared> = Lazy::new(Shared::default);

/// How many files this process may have open.
fn open_files() -> u64 {
    #[cfg(unix)]
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let limit = None;
    limit.unwrap_or(u64::MAX)
}
