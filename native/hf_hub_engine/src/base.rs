//! Types that every other folder uses: errors, names, hashes, progress, files and limits.

pub mod bandwidth;
pub mod blocking;
pub mod disk;
pub mod error;
pub mod etag;
pub mod fnmatch;
pub mod hash;
pub mod hint;
pub mod ids;
pub mod input;
pub mod json;
pub mod lane;
pub mod limits;
pub mod lock;
pub mod moment;
pub mod output;
pub mod permits;
pub mod private_file;
pub mod progress;
pub mod random_access;
pub mod recent;
pub(crate) mod repeated_timeout;
pub mod runtime;
pub mod scrub;
pub mod sizes;
pub mod thread_pool;
