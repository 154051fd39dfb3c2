//! Downloads from a Hub: a file, a whole snapshot, or a stream of bytes.

pub mod adopt;
pub(crate) mod errors;
pub mod file;
pub(crate) mod listing;
pub(crate) mod locate;
pub(crate) mod receive;
pub mod report;
pub mod shared;
pub(crate) mod single_flight;
pub mod snapshot;
pub mod spec;
pub mod stream;
pub(crate) mod to_cache;
pub(crate) mod to_folder;

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod tests;
